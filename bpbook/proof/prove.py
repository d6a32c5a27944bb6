"""prove(op, *shapes): the op's own vjp is SymPy's derivative of the op's own forward."""

from __future__ import annotations

import functools
import inspect
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from bpbook.ops import OneHot
from bpbook.proof.symbols import Symbols, exact, probabilities, symbols
from bpbook.proof.zero import Counterexample, counterexample

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Failure:
    """An entry of the vjp that is not the derivative, and a point that shows it."""

    entry: str
    given: sp.Expr
    true: sp.Expr
    shown_by: Counterexample

    def __str__(self) -> str:
        point = self.shown_by.point
        region = self.shown_by.region.items()
        side = ", ".join(f"{k} {'>' if s > 0 else '<' if s < 0 else '='} 0" for k, s in region)
        where = f" where {side}" if side else ""
        if point is None:
            return f"{self.entry}{where}: no proof found that the difference is 0"
        given, true = (float(x.xreplace(point)) for x in (self.given, self.true))
        at = ", ".join(f"{s}={point[s]}" for s in sorted(point, key=str))
        return f"{self.entry}{where}: given {given:.6g}, the derivative is {true:.6g}, at {at}"


@dataclass(frozen=True)
class Proof:
    """The result of :func:`prove`; true in a condition when every entry is proved.

    op: the op's name; shapes: of its array arguments; of: those that the vjp gives a gradient for;
    held: the others, which stand still; entries: how many entries of the vjp were compared;
    failures: those that are not exactly the derivative; formulas: the vjp's first entry for each
    argument.
    """

    op: str
    shapes: tuple[Shape, ...]
    of: tuple[str, ...]
    held: tuple[str, ...]
    entries: int
    failures: tuple[Failure, ...]
    formulas: dict[str, sp.Expr] = field(repr=False)
    seconds: float = field(repr=False)

    @property
    def ok(self) -> bool:
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        on = f"{self.op} on {', '.join(map(str, self.shapes))}"
        if self.ok:
            held = f" (of {', '.join(self.of)}; {', '.join(self.held)} held constant)"
            all_entries = f"all {self.entries} entries{held if self.held else ''}"
            return f"proved: {on}: vjp − derivative is exactly 0 in {all_entries}"
        bad = len(self.failures)
        first = f"first, {self.failures[0]}"
        return f"NOT PROVED: {on}: {bad} of {self.entries} entries differ; {first}"

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        lines = [rf"{name} &= {sp.latex(expr)}" for name, expr in self.formulas.items()]
        verdict = rf"\text{{{'proved' if self.ok else 'NOT PROVED'}: {self.entries} entries}}"
        return (
            r"$\displaystyle \begin{aligned}"
            + r"\\ ".join([*lines, f"&{verdict}"])
            + r"\end{aligned}$"
        )


def prove(op: Callable, *arguments: Shape | Symbols, **fixed: object) -> Proof:
    """Prove that the vjp of ``op`` is the derivative of its forward, exactly, in every entry.

    op: any function that returns (out, vjp). arguments: one shape for each array argument, or a
    ready :class:`Symbols` array; an argument annotated ``ops.OneHot`` gets rows that sum to 1.
    fixed: keyword arguments passed on. The vjp returns one array, or a tuple for the leading
    arguments.

    Where the op has a kink the proof is made on each side. A shift by ``max`` is a free symbol, and
    the output is proved not to depend on it. Raises ValueError when the op does not return (out,
    vjp), or a gradient has another shape than its argument.
    """
    start = time.perf_counter()
    names, arrays = _arguments(op, arguments)
    copies = [x.copy() for x in arrays]  # an op that writes into these cannot change the question
    out, vjp = _call(op, copies, fixed)
    seed = _seed(out, arrays)
    gradients = _gradients(vjp, seed, names, arrays)
    for name, x, after in zip(names, arrays, copies, strict=True):
        _refuse_changed(name, x, after)
    loss = (seed * out).sum()[()]
    checks = dict(_shift_checks(out, arrays))
    formulas = {}
    for name, x, dx in zip(names, arrays, gradients, strict=False):
        for index in np.ndindex(*x.shape):
            checks[f"d{name}{list(index) or ''}"] = (exact(dx[index]), sp.diff(loss, x[index]))
        first = (0,) * x.ndim
        formulas[_latex_name(x[first])] = _without_shifts(exact(dx[first]), arrays)
    variables = frozenset(s for x, _ in zip(arrays, gradients, strict=False) for s in x.flat)
    failures = []
    for entry, (given, true) in checks.items():
        shown_by = counterexample(given, true, variables)
        if shown_by:
            failures.append(Failure(entry, given, true, shown_by))
    return Proof(
        op=_name(op),
        shapes=tuple(x.shape for x in arrays),
        of=tuple(names[: len(gradients)]),
        held=tuple(names[len(gradients) :]),
        entries=len(checks),
        failures=tuple(failures),
        formulas=formulas,
        seconds=time.perf_counter() - start,
    )


def _name(op: Callable) -> str:
    return _name(op.func) if isinstance(op, functools.partial) else getattr(op, "__name__", str(op))


def _arguments(op: Callable, given: tuple) -> tuple[list[str], list[Symbols]]:
    names = _parameters(op, len(given))
    if not given or len(names) < len(given):
        raise ValueError(f"{_name(op)} takes {len(names)} arguments; got {len(given)} shapes")
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


def _call(op: Callable, arrays: list[Symbols], fixed: dict) -> tuple[Symbols, Callable]:
    result = op(*arrays, **fixed)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        raise ValueError(f"{_name(op)} returned {type(result).__name__}; wanted (out, vjp)")
    return Symbols(result[0]), result[1]


def _gradients(vjp: Callable, seed: Symbols, names: list[str], arrays: list[Symbols]) -> tuple:
    u = seed.copy()
    gradients = vjp(u)
    _refuse_changed("the vjp's argument", seed, u)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    if not gradients:
        raise ValueError(f"the vjp returned no gradient for {len(arrays)} arguments")
    if len(gradients) > len(arrays):
        raise ValueError(f"the vjp returned {len(gradients)} gradients for {len(arrays)} arguments")
    for name, x, dx in zip(names, arrays, gradients, strict=False):
        if np.shape(dx) != x.shape:
            raise ValueError(f"d{name} has shape {np.shape(dx)}; {name} has shape {x.shape}")
        if not all(isinstance(s, sp.Symbol) for s in x.flat):
            raise ValueError(f"{name} is differentiated, so each of its entries must be one symbol")
    _refuse_repeated(arrays, len(gradients))
    return tuple(np.asarray(dx, dtype=object) for dx in gradients)


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


def _shifts(expr: sp.Expr, arrays: list[Symbols]) -> list[sp.Symbol]:
    inputs = set().union(*(e.free_symbols for x in arrays for e in x.flat))
    return sorted((s for s in expr.free_symbols - inputs if isinstance(s, sp.Dummy)), key=str)


def _shift_checks(out: Symbols, arrays: list[Symbols]):
    """∂out/∂c, given as 0, for each shift c: out must not depend on what ``max`` returned."""
    for index in np.ndindex(*out.shape):
        for i, c in enumerate(_shifts(out[index], arrays), 1):
            yield f"∂out{list(index) or ''}/∂(max {i})", (sp.S.Zero, sp.diff(out[index], c))


def _without_shifts(expr: sp.Expr, arrays: list[Symbols]) -> sp.Expr:
    return expr.xreplace({c: sp.S.Zero for c in _shifts(expr, arrays)})


def _latex_name(x: sp.Symbol) -> str:
    return rf"\frac{{\partial L}}{{\partial {sp.latex(x)}}}"
