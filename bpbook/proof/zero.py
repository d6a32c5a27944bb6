"""Decide whether an expression is exactly 0, on each side of every kink in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp

from bpbook.proof.functions import difference
from bpbook.proof.regions import Region, by_cases, cases, choose, corners, kinks


@dataclass(frozen=True)
class Counterexample:
    """A region where the expression was not shown to be 0; a point, if found, where it is not.

    slope: the derivative, where a formula by cases has another value on a boundary.
    """

    region: Region
    point: dict[sp.Symbol, sp.Rational] | None
    slope: sp.Expr | None = None


def is_zero(expr: sp.Expr) -> bool:
    """True when ``expr`` (without conditions) is shown to be 0 for all values of its symbols."""
    if sp.expand(expr) == 0 or sp.numer(sp.together(_opaque(expr))).expand() == 0:
        return True
    if _nonzero_point(expr, {}) is not None:  # before the algebra, which is slow where it is vain
        return False
    # Over one denominator, hyperbolic functions as exponentials, equal terms meet and cancel.
    rational = sp.together(sp.expand(expr.rewrite(sp.exp), power_exp=True))
    return sp.expand(sp.numer(rational)) == 0 or sp.simplify(expr) == 0


def _opaque(expr: sp.Expr) -> sp.Expr:
    """A symbol for each function in ``expr``: what is 0 for all their values needs no more algebra.

    In a network they are nested, and their arguments, written out, are large.
    """
    return expr.xreplace({f: sp.Dummy() for f in expr.atoms(sp.Function)})


def counterexample(
    given: sp.Expr,
    true: sp.Expr,
    variables: frozenset[sp.Symbol] = frozenset(),
    forward: sp.Expr = sp.S.Zero,
) -> Counterexample | None:
    """None when ``given − true`` is 0 in every region; else a region and a point where it is not.

    variables: what ``true`` was differentiated for; forward: what was differentiated. The boundary
    of a region counts too where there is a derivative: on a kink of ``given`` that ``forward`` does
    not have, where ``forward``'s pieces meet with one value and one slope, and where other symbols
    (a target, a shift) are equal to something, as one-hot targets are to 0 and 1. Where neither a
    proof nor a point is found, the point is None: not proved is not proved.
    """
    given, true, forward = map(by_cases, (given, true, forward))
    for region, piece in cases(given - true):
        if not is_zero(piece):
            point = _nonzero_point(piece, region, scales=(1, 10, 100, 1000))
            if point is not None:  # symbols that cancelled from the difference may be anything
                cancelled = (given.free_symbols | true.free_symbols) - set(point)
                point |= dict.fromkeys(cancelled, sp.S.One)
            return Counterexample(region, point)
    boundaries = (
        _on_boundary(kink, given, true, variables, forward)
        for kink in dict.fromkeys(kinks(sp.Tuple(given, true)))
    )
    return next(filter(None, boundaries), None)


def _on_boundary(
    kink: sp.Expr,
    given: sp.Expr,
    true: sp.Expr,
    variables: frozenset[sp.Symbol],
    forward: sp.Expr,
) -> Counterexample | None:
    """As :func:`counterexample`, where ``kink`` is 0 and there is a derivative."""
    bends = corners(forward)
    held = kink.free_symbols - variables
    is_equation = kink in {difference(*r.args) for r in (given - true).atoms(sp.Eq, sp.Ne)}
    solved = _solutions(kink, held or kink.free_symbols)
    if solved is None:  # what is identical holds there as well
        if bends.isdisjoint((kink, -kink)) and not _undefined(true.subs(kink, 0)):
            for region, piece in cases(choose(given - true, kink, 0), {kink: 0}):
                if not is_zero(piece):
                    return Counterexample(region, None)
        return None
    for symbol, value in solved:
        there = {symbol: value}
        smooth = all(sp.expand(c.xreplace(there)) != 0 for c in bends)
        if smooth or kink.free_symbols == held or (held and is_equation):
            g, t, f = (choose(e, kink, 0).xreplace(there) for e in (given, true, forward))
            shown = None if _undefined(t) else counterexample(g, t, variables, f)
        else:
            shown = _where_pieces_meet(kink, there, given, true, forward)
        if shown:
            point = shown.point
            if point is not None:
                free = given.free_symbols | true.free_symbols | value.free_symbols
                point = dict.fromkeys(free, sp.S.One) | point
                point[symbol] = value.xreplace(point)
                point = point if point[symbol].is_real else None
            return Counterexample({kink: 0, **shown.region}, point, shown.slope)
    return None


def _where_pieces_meet(
    kink: sp.Expr, there: dict, given: sp.Expr, true: sp.Expr, forward: sp.Expr
) -> Counterexample | None:
    """Where ``given``, on a kink of ``forward``, is not the slope that both of its sides have.

    As at 0 for max(x, 0)², or for x³ written |x| x².
    """
    at_0, *sides = (choose(given, kink, sign) for sign in (0, -1, 1))
    if at_0 in sides:  # one side's slope, so also the one that both have
        return None
    slope, other = (_limit(choose(true, kink, sign), there) for sign in (1, -1))
    if not any(is_zero(gap) for _, gap in cases(slope - other)):
        return None
    bent = sp.Add(*(a for a in sp.Add.make_args(forward) if {kink, -kink} & corners(a)))
    above, below = (_limit(choose(bent, kink, sign), there) for sign in (1, -1))
    value = choose(bent, kink, 0).xreplace(there)
    pieces = sp.Tuple(at_0.xreplace(there) - slope, slope - other, value - above, above - below)
    for region, (wrong, *gaps) in cases(pieces):
        if all(map(is_zero, gaps)) and not is_zero(wrong):
            return Counterexample(region, _nonzero_point(wrong, region), slope)
    return None


def _limit(expr: sp.Expr, there: dict) -> sp.Expr:
    """The value there, or, as of sin(x)/x at 0, the limit."""
    value = expr.xreplace(there)
    if not _undefined(value):
        return value
    [(symbol, at)] = there.items()
    try:
        return sp.limit(expr, symbol, at)
    except NotImplementedError:
        return sp.nan


def _undefined(expr: sp.Expr) -> bool:
    return expr.has(sp.nan, sp.zoo)


def _solutions(kink: sp.Expr, symbols: set[sp.Symbol]) -> list[tuple[sp.Symbol, sp.Expr]] | None:
    """Where a kink is 0, solved for one symbol; None where no formula says it."""
    for symbol in sorted(symbols, key=str):
        slope = kink.diff(symbol)
        if slope.is_number and slope != 0:
            return [(symbol, sp.expand(symbol - kink / slope))]
    if len(kink.free_symbols) == 1:
        [symbol] = kink.free_symbols
        roots = sp.solveset(kink, symbol, sp.Reals)
        if isinstance(roots, sp.FiniteSet) or roots is sp.S.EmptySet:
            return [(symbol, root) for root in roots]
    for symbol in sorted(symbols, key=str):
        if kink.is_polynomial(symbol) and sp.degree(kink, symbol) <= 2:
            return [(symbol, root) for root in sp.roots(kink, symbol)]
    return None


def _nonzero_point(
    expr: sp.Expr, region: Region, tries: int = 200, scales: tuple[int, ...] = (1,)
) -> dict | None:
    """A rational point of the region where ``expr``, to 30 digits, is not 0; None if not found.

    The point's entries go up to 3, times one of the scales after the other. A point where the
    expression is real comes before one where it is not.
    """
    free = sorted(expr.free_symbols.union(*(k.free_symbols for k in region)), key=str)
    complex_point = None
    for scale in scales:
        rng, found = np.random.default_rng(0), 0
        for _ in range(tries):
            point = {s: sp.Rational(int(rng.integers(-30, 31)) * scale, 10) for s in free}
            if not all((sign * kink.xreplace(point)).is_positive for kink, sign in region.items()):
                continue
            value = expr.xreplace(point).evalf(30, chop=False)
            if value.is_number and value.is_finite and abs(value) > sp.Float("1e-20"):
                if value.is_real:
                    return point
                complex_point = complex_point or point
            found += 1
            if found == 8:
                break
    return complex_point
