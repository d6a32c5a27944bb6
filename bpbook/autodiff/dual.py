"""Forward mode: dual numbers carry a value and its derivative along one direction.

Nothing here differentiates. An elementwise op has a diagonal Jacobian J, which is its own
transpose, so its vjp applied to the tangent *is* J t. A linear op moves the tangent as it moves the
value, and a product is linear in each factor. Every other op is made of these: its body runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpbook import ops
from bpbook.autodiff.box import Box, constant, is_foreign, new_level, unchanging
from bpbook.autodiff.tree import Tree, flatten, form
from bpbook.ops.arithmetic import is_literal


class Dual(Box):
    """value + ε tangent, ε² = 0: two arrays of one shape.

    :func:`jvp` makes them; NumPy's functions and every op of the package work on them.
    """

    __slots__ = ("tangent",)

    def __init__(self, value: Any, tangent: Any, level: int) -> None:
        self.value, self.tangent, self.level = value, tangent, level

    def _apply(self, op: Callable, args: tuple, kwargs: dict) -> Any:
        rule = _RULES.get(op)
        if rule is None:
            return op(*args, **kwargs)[0]
        dtype = self.dtype
        values = [x.value if self._is_mine(x) else constant(x, dtype, keep=False) for x in args]
        tangents = [x.tangent if self._is_mine(x) else None for x in args]
        return Dual(*rule(op, values, tangents, kwargs), self.level)

    def _is_mine(self, x: Any) -> bool:
        return isinstance(x, Dual) and x.level == self.level

    def _assign(self, result: Any) -> None:
        mine = self._is_mine(result)
        value, tangent = (result.value, result.tangent) if mine else (result, 0)
        if isinstance(self.value, np.generic):  # a single number cannot be changed
            self.value, self.tangent = value, np.zeros_like(value) + tangent
        else:
            self.value[...] = value
            self.tangent[...] = tangent

    def _blank(self) -> Dual:
        return Dual(np.empty_like(self.value), np.empty_like(self.tangent), self.level)

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"


def _elementwise(op: Callable, values: list, tangents: list, kwargs: dict) -> tuple:
    """J is diagonal: Σ_k ∂f/∂x_k ⊙ t_k, each from the vjp on arrays of one shape."""
    shapes = [np.shape(x) for x in (*values, *kwargs.values())]
    shape = np.broadcast_shapes(*shapes)
    full = [x if is_literal(x) else _stretched(x, shape) for x in values]
    out, vjp = op(*full, **kwargs)
    tangent = None
    for k, t in enumerate(tangents):
        if t is not None:
            parts = vjp(_stretched(t, shape))
            part = parts[k] if isinstance(parts, tuple) else parts
            tangent = part if tangent is None else tangent + part
    return out, tangent


def _stretched(x: Any, shape: tuple[int, ...]) -> Any:
    return x if np.shape(x) == shape else np.broadcast_to(x, shape)


def _linear(op: Callable, values: list, tangents: list, kwargs: dict) -> tuple:
    """f(x, y, …) is linear in all arguments together; a constant's tangent is 0."""
    zeroed = [
        (0.0 if is_literal(x) else np.zeros_like(x)) if t is None else t
        for x, t in zip(values, tangents, strict=True)
    ]
    return op(*values, **kwargs)[0], op(*zeroed, **kwargs)[0]


def _multilinear(op: Callable, values: list, tangents: list, kwargs: dict) -> tuple:
    """The product rule: the sum of f with one factor at a time replaced by its tangent."""
    tangent = None
    for k, t in enumerate(tangents):
        if t is not None:
            part = op(*values[:k], t, *values[k + 1 :], **kwargs)[0]
            tangent = part if tangent is None else tangent + part
    return op(*values, **kwargs)[0], tangent


def _extreme(op: Callable, values: list, tangents: list, kwargs: dict) -> tuple:
    """Each output entry has inputs of its own, so the vjp of ones holds all slopes at once."""
    out, vjp = op(*values, **kwargs)
    slopes = vjp(np.ones(np.shape(out), out.dtype))
    return out, np.sum(slopes * tangents[0], **kwargs)


_RULES: dict[Callable, Callable] = {
    **{
        function: _elementwise
        for module in (ops.elementwise, ops.functions, ops.arithmetic)
        for name, function in vars(module).items()
        if name in ops.__all__
    },
    **dict.fromkeys(
        (
            ops.broadcast_to,
            ops.cast,
            ops.concatenate,
            ops.index,
            ops.mean,
            ops.reshape,
            ops.scatter,
            ops.stack,
            ops.sum,
            ops.transpose,
        ),
        _linear,
    ),
    ops.einsum: _multilinear,
    ops.matmul: _multilinear,
    ops.max: _extreme,
    ops.min: _extreme,
}


def jvp(f: Callable) -> Callable:
    """``jvp(f)(x, v)`` is (f(x), J v): the value, and the derivative of f at x along v.

    x, v: arrays of one shape, or pytrees of them with one structure; f's value may be a pytree as
    well. The cost is about that of two evaluations of f, whatever the number of outputs. Raises
    ValueError when v does not fit x.
    """

    def value_and_tangent(x: Tree, v: Tree) -> tuple[Tree, Tree]:
        leaves, build = flatten(x)
        tangents, _ = flatten(v)
        check_fit("v", v, tangents, "x", x, leaves)
        leaves = [floating("x", a) for a in leaves]
        tangents = [like(t, a) for t, a in zip(tangents, leaves, strict=True)]
        level = new_level()
        pairs = zip(map(unchanging, leaves), map(unchanging, tangents), strict=True)
        out = f(build([Dual(a, t, level) for a, t in pairs]))
        outs, rebuild = flatten(out)
        mine = [isinstance(y, Dual) and y.level == level for y in outs]
        values = [y.value if m else numbers(y) for y, m in zip(outs, mine, strict=True)]
        slopes = [y.tangent if m else np.zeros_like(y) for y, m in zip(outs, mine, strict=True)]
        return rebuild(values), rebuild(slopes)

    return value_and_tangent


def floating(name: str, x: Any) -> Any:
    """x as an array of floats; ValueError when it is none."""
    if is_foreign(x):
        return x
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise ValueError(
            f"{name} has dtype {x.dtype}; derivatives need floats: {name}.astype(float)"
        )
    return x


def numbers(y: Any) -> Any:
    """A value of f that depends on no x, as an array; TypeError when f gave no numbers."""
    if is_foreign(y):
        return y
    if np.asarray(y).dtype.kind not in "fiub":
        missing = " (is a return missing?)" if y is None else ""
        raise TypeError(f"f returned {y!r}{missing}; wanted a number or an array")
    return np.asarray(y)


def like(t: Any, x: Any) -> Any:
    """t, a direction or a gradient that belongs to x, as an array of x's dtype."""
    return t.astype(x.dtype) if is_foreign(t) else np.asarray(t, x.dtype)


def check_fit(name: str, v: Tree, vs: list, to: str, x: Tree, xs: list) -> None:
    """Raise ValueError unless v, of leaves vs, has the structure and the shapes of x."""
    if form(v) != form(x):
        raise ValueError(
            f"{name} has the structure {form(v)}; {to} has {form(x)}, {name} needs it too"
        )
    if [np.shape(a) for a in vs] != [np.shape(a) for a in xs]:
        raise ValueError(
            f"{name} has the shapes {[np.shape(a) for a in vs]}; {to} has "
            f"{[np.shape(a) for a in xs]}, and {name} must have the same"
        )
