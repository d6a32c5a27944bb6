"""Decide whether an expression is exactly 0, on each side of every kink in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

#: The signs (+1 or −1, 0 on an equation) that a region gives to the expressions of its kinks.
Region = dict[sp.Expr, int]


@dataclass(frozen=True)
class Counterexample:
    """A region where the expression was not shown to be 0; a point, if found, where it is not."""

    region: Region
    point: dict[sp.Symbol, sp.Rational] | None


def cases(expr: sp.Expr, region: Region | None = None) -> Iterator[tuple[Region, sp.Expr]]:
    """The smooth pieces of ``expr``: each region with what the expression is there.

    Kinks may be nested; a combination of signs that no number satisfies is passed over.
    """
    region = region or {}
    kink = next(_kinks(expr), None)
    if kink is None:
        yield region, expr
        return
    for sign in (1, -1):
        here = {**region, kink: sign}
        if _possible(kink, here):
            yield from cases(_choose(expr, kink, sign), here)


def _kinks(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Differences lhs − rhs of the conditions, those without conditions of their own first."""
    for relation in sorted(expr.atoms(Relational), key=sp.default_sort_key):
        if not relation.atoms(sp.Piecewise):
            yield sp.expand(relation.lhs - relation.rhs)


def _choose(expr: sp.Expr, kink: sp.Expr, sign: int) -> sp.Expr:
    known = {}
    for relation in expr.atoms(Relational):
        difference = sp.expand(relation.lhs - relation.rhs)
        if difference in (kink, -kink):
            side = sign if difference == kink else -sign
            known[relation] = sp.sympify(relation.func(sp.Integer(side), 0))
    return expr.xreplace(known)


def _possible(kink: sp.Expr, region: Region) -> bool:
    """False only where the new kink's sign contradicts the others for certain."""
    here = region[kink] * kink
    if here.is_nonpositive or any(_contradict(here, s * k) for k, s in region.items()):
        return False
    if len(region) == 1 or len(kink.free_symbols) != 1:
        return True
    about_x = [s * k > 0 for k, s in region.items() if k.free_symbols == kink.free_symbols]
    try:
        return sp.And(*about_x).as_set() is not sp.S.EmptySet
    except NotImplementedError:  # SymPy cannot tell, so the region must be proved as well
        return True


def _contradict(f: sp.Expr, g: sp.Expr) -> bool:
    """Whether f > 0 and g > 0 give, with some factor t > 0, a sum f + t g that is never positive.

    a − Y − 1 and 2Y − 2a − 2 do, with t = 1/2. t is chosen so that a variable leaves the sum.
    """
    ratios = (-f.coeff(x) / g.coeff(x) for x in f.free_symbols & g.free_symbols)
    return any(t.is_positive and sp.expand(f + t * g).is_nonpositive for t in ratios)


def is_zero(expr: sp.Expr) -> bool:
    """True when ``expr`` (without conditions) is shown to be 0 for all values of its symbols."""
    if sp.expand(expr) == 0:
        return True
    if _nonzero_point(expr, {}) is not None:  # before the algebra, which is slow where it is vain
        return False
    # Over one denominator, hyperbolic functions as exponentials, equal terms meet and cancel.
    rational = sp.together(sp.expand(expr.rewrite(sp.exp), power_exp=True))
    return sp.expand(sp.numer(rational)) == 0 or sp.simplify(expr) == 0


def counterexample(
    given: sp.Expr, true: sp.Expr, variables: frozenset[sp.Symbol] = frozenset()
) -> Counterexample | None:
    """None when ``given − true`` is 0 in every region; else a region and a point where it is not.

    variables: what ``true`` was differentiated for. Where a condition is that an expression of
    other symbols (a target, a shift) is equal to something, the case that it is equal is a region
    too: one-hot targets are 0 and 1. Where neither a proof nor a point is found, the point is None:
    not proved is not proved.
    """
    for kink, symbol, value in _equalities(given - true, variables):
        there = {symbol: value}
        shown = counterexample(given.xreplace(there), true.xreplace(there), variables)
        if shown:
            point = shown.point
            if point is not None:
                free = given.free_symbols | true.free_symbols | value.free_symbols
                point = dict.fromkeys(free, sp.S.One) | point
                point[symbol] = value.xreplace(point)
            return Counterexample({kink: 0, **shown.region}, point)
    for region, piece in cases(given - true):
        if not is_zero(piece):
            point = _nonzero_point(piece, region)
            if point is not None:  # symbols that cancelled from the difference may be anything
                cancelled = (given.free_symbols | true.free_symbols) - set(point)
                point |= dict.fromkeys(cancelled, sp.S.One)
            return Counterexample(region, point)
    return None


def _equalities(
    expr: sp.Expr, variables: frozenset[sp.Symbol]
) -> Iterator[tuple[sp.Expr, sp.Symbol, sp.Expr]]:
    """Each lhs − rhs of an equation in ``expr``, solved for a symbol that is not a variable."""
    for relation in sorted(expr.atoms(sp.Eq, sp.Ne), key=sp.default_sort_key):
        difference = sp.expand(relation.lhs - relation.rhs)
        for symbol in sorted(difference.free_symbols - variables, key=str):
            slope = difference.diff(symbol)
            if slope.is_number and slope != 0:
                yield difference, symbol, sp.expand(symbol - difference / slope)
                break


def _nonzero_point(expr: sp.Expr, region: Region, tries: int = 200) -> dict | None:
    """A rational point of the region where ``expr``, to 30 digits, is not 0; None if not found."""
    rng = np.random.default_rng(0)
    free = sorted(expr.free_symbols.union(*(k.free_symbols for k in region)), key=str)
    found = 0
    for _ in range(tries):
        point = {s: sp.Rational(int(rng.integers(-30, 31)), 10) for s in free}
        if all(sign * kink.xreplace(point) > 0 for kink, sign in region.items()):
            value = expr.xreplace(point).evalf(30, chop=False)
            if value.is_number and value.is_finite and abs(value) > sp.Float("1e-20"):
                return point
            found += 1
            if found == 8:
                break
    return None
