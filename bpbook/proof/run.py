"""Run an op on symbols, forward and backward, and refuse one that does more than it returns."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp

from bpbook.ops import OneHot
from bpbook.proof.symbols import Symbols, probabilities, symbols

_HOW = """\
A proof runs the op on arrays of SymPy expressions, so the op must do without branches on data and
without casts to numbers. A single entry such as x[0] is a SymPy expression: for NumPy's functions
keep it an array, x[..., 0]. Fresh arrays for results come from np.zeros_like(x)."""


@dataclass(frozen=True)
class Run:
    """An op's arguments and their names, its output, a symbol for each entry of ∂L/∂out, and what
    the vjp makes of those."""

    names: list[str]
    arrays: list[Symbols]
    out: Symbols
    seed: Symbols
    gradients: tuple[Symbols, ...]


def run(op: Callable, arguments: tuple, fixed: dict) -> Run:
    """The op on symbols of the given shapes.

    Raises ValueError when it does not return (out, vjp), when a gradient has another shape than its
    argument, and when something is written into in place; TypeError when the op does what has no
    symbolic form.
    """
    names, arrays = _arguments(op, arguments)
    copies = [x.copy() for x in arrays]  # an op that writes into these cannot change the question
    result, vjp = _call(op, copies, fixed)
    out = Symbols(result)
    if not all(isinstance(e, sp.Expr) for e in out.flat):
        raise ValueError(f"{op_name(op)} gives outputs of several shapes; wanted one array")
    if any(e.has(sp.nan) for e in out.flat):
        raise ValueError(f"{op_name(op)} gives NaN, which has no derivative")
    seed = _seed(out, arrays)
    gradients = _gradients(vjp, seed, names, arrays)
    after = [*copies, Symbols(result)]
    for name, x, y in zip([*names, "the output"], [*arrays, out], after, strict=True):
        _refuse_changed(name, x, y)
    return Run(names, arrays, out, seed, gradients)


def op_name(op: Callable) -> str:
    """Its function's name, also where functools.partial has set some arguments."""
    partial = isinstance(op, functools.partial)
    return op_name(op.func) if partial else getattr(op, "__name__", str(op))


def _symbolically(function: Callable, *arguments: object, **fixed: object) -> object:
    try:
        return function(*arguments, **fixed)
    except (TypeError, IndexError, AttributeError) as error:
        error.add_note(_HOW)
        raise


def _arguments(op: Callable, given: tuple) -> tuple[list[str], list[Symbols]]:
    names = _parameters(op, len(given))
    if not given or len(names) < len(given):
        raise ValueError(f"{op_name(op)} takes {len(names)} arguments; got {len(given)} shapes")
    hints = typing.get_type_hints(op, include_extras=True) if inspect.isfunction(op) else {}
    arrays = []
    for name, argument in zip(names, given, strict=True):
        if isinstance(argument, Symbols):
            arrays.append(argument)
        elif not isinstance(argument, tuple):
            raise ValueError(f"{name}: got {argument!r}; wanted a shape such as (2, 3), or Symbols")
        elif hints.get(name) == OneHot:
            arrays.append(probabilities(name, *argument))
        else:
            arrays.append(symbols(name, *argument))
    return names, arrays


def _parameters(op: Callable, n: int) -> list[str]:
    """The names of the first n arguments; those of *operands are operands1, operands2, …"""
    names = []
    for p in inspect.signature(op).parameters.values():
        several = p.kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{p.name}{i + 1}" for i in range(n)] if several else [p.name]
    return names[:n]


def _call(op: Callable, arrays: list[Symbols], fixed: dict) -> tuple:
    result = _symbolically(op, *arrays, **fixed)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        raise ValueError(f"{op_name(op)} returned {type(result).__name__}; wanted (out, vjp)")
    return result


def _gradients(vjp: Callable, seed: Symbols, names: list[str], arrays: list[Symbols]) -> tuple:
    u = seed.copy()
    gradients = _symbolically(vjp, u)
    _refuse_changed("the vjp's argument", seed, u)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    if not gradients:
        raise ValueError(f"the vjp returned no gradient for {len(arrays)} arguments")
    if len(gradients) > len(arrays):
        raise ValueError(f"the vjp returned {len(gradients)} gradients for {len(arrays)} arguments")
    for name, x, dx in zip(names, arrays, gradients, strict=False):
        if dx is None or np.shape(dx) != x.shape:
            got = "no value (None)" if dx is None else f"shape {np.shape(dx)}"
            hint = "; several gradients go in a tuple" if isinstance(dx, list) else ""
            raise ValueError(f"d{name} has {got}; {name} has shape {x.shape}{hint}")
        if not all(isinstance(s, sp.Symbol) for s in x.flat):
            raise ValueError(f"{name} is differentiated, so each of its entries must be one symbol")
    _refuse_repeated(arrays, len(gradients))
    return tuple(map(Symbols, gradients))


def _seed(out: Symbols, arrays: list[Symbols]) -> Symbols:
    """∂L/∂out: symbols u, or u' where the op itself has symbols named u."""
    taken = set().union(*(e.free_symbols for x in (out, *arrays) for e in x.flat))
    name = "u"
    while taken & set(symbols(name, *out.shape).flat):
        name += "'"
    return symbols(name, *out.shape)


def _refuse_changed(name: str, before: Symbols, after: Symbols) -> None:
    if any(x != y for x, y in zip(before.flat, after.flat, strict=True)):
        raise ValueError(f"{name} was changed in place; an op must leave its arguments as they are")


def _refuse_repeated(arrays: list[Symbols], differentiated: int) -> None:
    """The derivative for one entry needs a symbol that no other entry contains."""
    seen = set()
    for k, x in enumerate(arrays):
        for entry in x.flat:
            again = entry.free_symbols & seen
            if again:
                raise ValueError(f"the symbol {again.pop()} stands in two entries")
            seen |= entry.free_symbols if k < differentiated else set()
