"""A proved op once more, on numbers: there its code must give what its formulas give.

A proof is about the code as it runs on symbols. A buffer of integers, a cache by shape, a counter,
an ``x.dtype == object`` or an ``x[0] == 0`` may do something else on numbers. A few points, some of
them special, show most of this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import sympy as sp

from bpbook.proof.regions import by_cases, corners
from bpbook.proof.run import Run, op_name
from bpbook.proof.symbols import Shift

Point = dict[sp.Symbol, sp.Rational]

#: Hundredths for what is differentiated, what is held, and ∂L/∂out: probabilities, negatives,
#: one-hot targets, equal entries, and 0 and 1 in turn.
_PLACES = (
    (range(5, 96), range(5, 96), range(5, 300)),
    (range(-1000, 0), range(-300, 301), range(5, 300)),
    (range(5, 96), (0,), range(5, 300)),
    ((0,), (0,), range(5, 300)),
    ((100,), (100,), (0, 100)),
    ((0, 100), (0, 100), (100,)),
)
_NOTE = "The op runs on symbols; it raised this on numbers of the same shapes."


def disagreements(
    op: Callable, ran: Run, fixed: dict, true: dict[str, sp.Expr], loss: sp.Expr
) -> Iterator[tuple[str, float, Point]]:
    """Each entry of the vjp that on numbers is not its formula's value, with the value and a point.

    Where the formula has no value but the derivative (in ``true``) has, and ``loss`` has no kink
    there, the derivative is what the vjp must give. Raises ValueError when the forward is not its
    own formula's value, and the op's own error when it refuses every point.
    """
    kinks, n = corners(by_cases(loss)), len(ran.gradients)
    for point, result, gradients in _runs(op, ran, fixed):
        point = {**point, **_maxima((ran.out, *ran.gradients), point)}
        outputs = list(_entries(result, ran.out))
        if any(math.isnan(value) for _, value, _ in outputs):  # out of its domain
            continue
        for index, value, formula in outputs:
            if not _agree(value, wanted := _value(formula, point)):
                says = f"out{index} is {value} on numbers; its formula is {wanted}"
                raise ValueError(f"{op_name(op)} does not do what it does on symbols: {says}")
        smooth = all(kink.xreplace(point) != 0 for kink in kinks)
        for name, dx, given in zip(ran.names[:n], gradients, ran.gradients, strict=True):
            for index, value, formula in _entries(dx, given):
                wanted = _value(formula, point)
                if math.isnan(wanted) and smooth:
                    wanted = _value(true[f"d{name}{index}"], point)
                if not _agree(value, wanted):
                    yield f"d{name}{index}", value, point


def _runs(op: Callable, ran: Run, fixed: dict) -> Iterator[tuple[Point, np.ndarray, tuple]]:
    """Points with the op's output and gradients there."""
    refused = []
    for point in _points(ran, fixed):
        try:
            result, *calls = _run(op, ran, fixed, point)
        except ValueError as error:  # out of the op's domain, such as targets that are not one-hot
            refused.append(error)
            continue
        except (TypeError, IndexError, AttributeError) as error:
            error.add_note(_NOTE)
            raise
        if _symbols([result, *calls[0]]):
            raise ValueError("on numbers the op gives symbols of an earlier call: keep none")
        if not all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*calls, strict=True)):
            raise ValueError("a second call of the vjp gives other gradients; it must not")
        yield point, result, calls[0]
    if len(refused) == len(_PLACES):
        refused[0].add_note(_NOTE)
        raise refused[0]


def _points(ran: Run, fixed: dict) -> Iterator[Point]:
    """The same points on every run; symbols in ``fixed`` are 2."""
    rng = np.random.default_rng(0)
    n = len(ran.gradients)
    others = _symbols(fixed.values())
    for of, held, seed in _PLACES:
        yield {
            **dict.fromkeys(others, sp.Integer(2)),
            **_draw(rng, _symbols(ran.arrays[n:]), held),
            **_draw(rng, _symbols(ran.arrays[:n]), of),
            **_draw(rng, _symbols([ran.seed]), seed),
        }


def _draw(rng: np.random.Generator, symbols: list[sp.Symbol], hundredths: Sequence[int]) -> Point:
    some = rng.permutation(hundredths) if isinstance(hundredths, range) else hundredths
    drawn = np.resize(some, len(symbols))
    return {s: sp.Rational(int(n), 100) for s, n in zip(symbols, drawn, strict=True)}


def _symbols(values: Iterable) -> list[sp.Symbol]:
    entries = (e for x in values for e in np.asarray(x, dtype=object).flat)
    found = set().union(*(e.free_symbols for e in entries if isinstance(e, sp.Basic)))
    return sorted(found, key=str)


def _run(op: Callable, ran: Run, fixed: dict, point: Point) -> tuple[np.ndarray, tuple, tuple]:
    """The output, and the gradients of two calls of the vjp."""
    with np.errstate(all="ignore"):
        arrays = [_floats(x, point) for x in ran.arrays]
        options = {k: _floats(x, point) if _symbols([x]) else x for k, x in fixed.items()}
        result, vjp = op(*arrays, **options)
        first, again = (_tuple(vjp(_floats(ran.seed, point))) for _ in range(2))
        return result, first, again


def _tuple(gradients: object) -> tuple:
    return gradients if isinstance(gradients, tuple) else (gradients,)


def _floats(x: object, point: Point) -> np.ndarray:
    return np.vectorize(lambda e: float(sp.sympify(e).xreplace(point)), otypes=[float])(
        np.asarray(x)
    )


def _maxima(arrays: tuple, point: Point) -> Point:
    """What each shift is the maximum (or minimum) of, at the point; those inside others first."""
    found = {}
    shifts = set().union(*(e.atoms(Shift) for x in arrays for e in x.flat))
    for shift in sorted(shifts, key=lambda s: s.dummy_index):
        values = [e.xreplace({**point, **found}) for e in shift.entries]
        found[shift] = (max if shift.ufunc is np.maximum else min)(values)
    return found


def _entries(values: object, formulas: np.ndarray) -> Iterator[tuple[str, float, sp.Expr]]:
    values = np.asarray(values)
    if values.shape != formulas.shape:
        raise ValueError(
            f"on numbers an array has shape {values.shape}, on symbols {formulas.shape}"
        )
    for index in np.ndindex(*formulas.shape):
        yield str(list(index) or ""), float(values[index]), formulas[index]


def _value(formula: sp.Expr, point: Point) -> float:
    """NaN where the formula has no finite real value."""
    value = formula.xreplace(point).evalf(17)
    return float(value) if value.is_Float or value.is_Rational else math.nan


def _agree(value: float, wanted: float) -> bool:
    return math.isnan(wanted) or abs(value - wanted) <= 1e-8 * max(1, abs(wanted))
