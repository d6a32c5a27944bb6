"""Pytrees: lists, tuples and dictionaries, nested, with arrays at the leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Tree = Any


def flatten(tree: Tree) -> tuple[list, Callable[[list], Tree]]:
    """The leaves of a tree in order, and the function that builds the same tree of new leaves.

    The order in which a dictionary was filled does not matter: its leaves come by their keys.
    """
    leaves: list = []
    build = _walk(tree, leaves)

    def rebuild(new: list) -> Tree:
        return build(iter(new))

    return leaves, rebuild


def _walk(tree: Tree, leaves: list) -> Callable:
    if isinstance(tree, dict):
        keys, parts = list(tree), {key: _walk(tree[key], leaves) for key in _sorted(tree)}

        def make_dict(new: Iterator) -> dict:
            values = {key: part(new) for key, part in parts.items()}
            return {key: values[key] for key in keys}

        return make_dict
    if isinstance(tree, (list, tuple)):
        builders = [_walk(value, leaves) for value in tree]
        kind = type(tree)
        # A namedtuple takes its fields one by one.
        make = (lambda parts: kind(*parts)) if hasattr(tree, "_fields") else kind
        return lambda new: make([part(new) for part in builders])
    leaves.append(tree)
    return next


def leaves(tree: Tree) -> list:
    """The leaves of a tree in order, without the way back."""
    found: list = []
    _collect((tree,), found)
    return found


def _collect(parts: Iterable[Tree], found: list) -> None:
    for part in parts:
        if isinstance(part, (list, tuple)):
            _collect(part, found)
        elif isinstance(part, dict):
            _collect((part[key] for key in _sorted(part)), found)
        else:
            found.append(part)


def _sorted(tree: dict) -> list:
    return sorted(tree, key=repr)


def form(tree: Tree) -> Any:
    """The tree with "·" for every leaf: equal for two trees of one structure."""
    if isinstance(tree, dict):
        return {key: form(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [form(value) for value in tree]
        return parts if isinstance(tree, list) else tuple(parts)
    return "·"


def tree_map(function: Callable, tree: Tree) -> Tree:
    """The tree with ``function`` applied to every leaf."""
    leaves, build = flatten(tree)
    return build([function(leaf) for leaf in leaves])
