"""prove(op, *shapes): the op's own vjp is SymPy's derivative of the op's own forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from bpbook.proof.numbers import disagreements
from bpbook.proof.run import op_name, run
from bpbook.proof.symbols import Shift, Symbols
from bpbook.proof.zero import Counterexample, counterexample

Shape = tuple[int, ...]

_LEGIBLE = 150  # operations
_ROUNDED = " (a float such as 1 - 0.9 is rounded: pass sympy.Rational(9, 10) for 0.9)"
_MAX = " (x.max() is for a shift that cancels; a maximum that matters is ops.max or np.maximum)"


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
        at = ", ".join(f"{s}={point[s]}" for s in sorted(point, key=str))
        at = f", at {at}" if at else ""
        exact = [x.xreplace(point) for x in (self.given, self.shown_by.slope or self.true)]
        given, true = (f"{_value(x):.6g}" for x in exact)
        if given != true:
            why = _MAX if "max" in self.entry else ""
            return f"{self.entry}{where}: given {given}, the derivative is {true}{at}{why}"
        off = abs(_value(exact[0] - exact[1]))
        rounded = off < 1e-14 * abs(_value(exact[1]))
        return f"{self.entry}{where}: {given} is off by {off:.2g}{at}{_ROUNDED if rounded else ''}"


def _value(x: sp.Expr) -> float | complex:
    """A number in floating point; outside a logarithm's domain SymPy's is complex."""
    value = complex(x.evalf(30))
    return value.real if value.imag == 0 or value != value else value


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
        if self.ok:
            lines = [rf"{name} &= {_latex(expr)}" for name, expr in self.formulas.items()]
            verdict = f"proved: {self.entries} entries"
        else:
            first, total = self.failures[0], len(self.failures)
            lines = [
                rf"\mathtt{{{first.entry}}} \text{{ from the vjp}} &= {_latex(first.given)}",
                rf"\text{{the derivative}} &= {_latex(first.true)}",
            ]
            verdict = f"NOT PROVED: {total} of {self.entries} entries differ"
        lines.append(rf"&\text{{{verdict}}}")
        return r"$\displaystyle \begin{aligned}" + r"\\ ".join(lines) + r"\end{aligned}$"


def _latex(expr: sp.Expr) -> str:
    """The formula, unless it is too long for a screen."""
    n = expr.count_ops()
    if n > _LEGIBLE:
        return rf"\text{{a formula of {n} operations}}"
    return sp.latex(expr, symbol_names={s: _symbol_latex(s.name) for s in expr.free_symbols})


def _symbol_latex(name: str) -> str:
    """gamma_{1} as γ₁ and x_in_{1} with one subscript after the other, which SymPy leaves."""
    base, subscript, indices = name.partition("_{")
    letter = sp.latex(sp.Symbol(base))
    return (f"{{{letter}}}" if "_" in letter else letter) + subscript + indices


def prove(op: Callable, *arguments: Shape | Symbols, **fixed: object) -> Proof:
    """Prove that the vjp of ``op`` is the derivative of its forward, exactly, in every entry.

    op: any function that returns (out, vjp). arguments: one shape for each array argument, or a
    ready :class:`Symbols` array; an argument annotated ``ops.OneHot`` gets rows that sum to 1.
    fixed: keyword arguments passed on. The vjp returns one array, or a tuple for the leading
    arguments.

    Where the op has a kink the proof is made on each side. A shift by ``max`` is a free symbol, and
    the output is proved not to depend on it. An op that writes into an array, or whose vjp gives
    something else when it is called again, is refused.

    The proof is of what the code does on symbols, for these shapes. A few points then show that it
    does the same on numbers (:mod:`bpbook.proof.numbers`); code that detects symbols on purpose, or
    branches on other values than those, ``if x[0] == 0.3``, cannot be caught. Where the op has a
    true kink, any value of the vjp is accepted; of boundaries where several conditions meet, only
    those that linear equations give are looked at.

    Raises ValueError when the op does not return (out, vjp), a gradient has another shape than its
    argument, or the forward gives other numbers than its formula; TypeError when the op does what
    has no symbolic form.
    """
    start = time.perf_counter()
    ran = run(op, arguments, fixed)
    names, arrays, gradients = ran.names, ran.arrays, ran.gradients
    loss = (ran.seed * ran.out).sum()[()]
    checks = dict(_shift_checks(ran.out, arrays))
    formulas = {}
    for name, x, dx in zip(names, arrays, gradients, strict=False):
        for index in np.ndindex(*x.shape):
            checks[f"d{name}{list(index) or ''}"] = (dx[index], sp.diff(loss, x[index]))
        first = (0,) * x.ndim
        formulas[_latex_name(x[first])] = _without_shifts(dx[first], arrays)
    variables = frozenset(s for x, _ in zip(arrays, gradients, strict=False) for s in x.flat)
    failures = {}
    for entry, (given, true) in checks.items():
        shown_by = counterexample(given, true, variables, loss)
        if shown_by:
            failures[entry] = Failure(entry, given, true, shown_by)
    derivatives = {entry: true for entry, (_, true) in checks.items()}
    if not failures:
        for entry, value, point in disagreements(op, ran, fixed, derivatives, loss):
            shown = Counterexample({}, point)
            wrong = Failure(f"{entry} on numbers", sp.Float(value), derivatives[entry], shown)
            failures.setdefault(entry, wrong)
    return Proof(
        op=op_name(op),
        shapes=tuple(x.shape for x in arrays),
        of=tuple(names[: len(gradients)]),
        held=tuple(names[len(gradients) :]),
        entries=len(checks),
        failures=tuple(failures.values()),
        formulas=formulas,
        seconds=time.perf_counter() - start,
    )


def _shifts(expr: sp.Expr, arrays: list[Symbols]) -> list[sp.Symbol]:
    inputs = set().union(*(e.free_symbols for x in arrays for e in x.flat))
    return sorted((s for s in expr.free_symbols - inputs if isinstance(s, Shift)), key=str)


def _shift_checks(out: Symbols, arrays: list[Symbols]):
    """∂out/∂c, given as 0, for each shift c: out must not depend on what ``max`` returned."""
    for index in np.ndindex(*out.shape):
        for i, c in enumerate(_shifts(out[index], arrays), 1):
            yield f"∂out{list(index) or ''}/∂(max {i})", (sp.S.Zero, sp.diff(out[index], c))


def _without_shifts(expr: sp.Expr, arrays: list[Symbols]) -> sp.Expr:
    return expr.xreplace({c: sp.S.Zero for c in _shifts(expr, arrays)})


def _latex_name(x: sp.Symbol) -> str:
    return rf"\frac{{\partial L}}{{\partial {_latex(x)}}}"
