"""Decide whether an expression is exactly 0, on each side of every kink in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from bpbook.proof.functions import ARITHMETIC, difference

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
            yield difference(*relation.args)


def _choose(expr: sp.Expr, kink: sp.Expr, sign: int) -> sp.Expr:
    known = {}
    for relation in expr.atoms(Relational):
        side = {kink: sign, -kink: -sign}.get(difference(*relation.args))
        if side is not None:
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

    a − Y − 1 and 2Y − 2a − 2 do, with t = 1/2. t is chosen so that a variable, or a term such as
    x², leaves the sum.
    """
    ratios = [-f.coeff(x) / g.coeff(x) for x in f.free_symbols & g.free_symbols]
    terms, others = f.as_coefficients_dict(), g.as_coefficients_dict()
    ratios += [-terms[x] / others[x] for x in terms.keys() & others.keys()]
    return any(t.is_positive and sp.expand(f + t * g).is_nonpositive for t in ratios)


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
    not have, and where other symbols (a target, a shift) are equal to something, as one-hot targets
    are to 0 and 1. Where neither a proof nor a point is found, the point is None: not proved is not
    proved.
    """
    given, true, forward = map(_by_cases, (given, true, forward))
    for region, piece in cases(given - true):
        if not is_zero(piece):
            point = _nonzero_point(piece, region, scales=(1, 10, 100, 1000))
            if point is not None:  # symbols that cancelled from the difference may be anything
                cancelled = (given.free_symbols | true.free_symbols) - set(point)
                point |= dict.fromkeys(cancelled, sp.S.One)
            return Counterexample(region, point)
    for kink, symbol, value in _boundaries(given - true, variables, forward):
        there = {symbol: value}
        here = [e.xreplace(there) for e in (given, true, forward)]
        if here[1].has(sp.nan, sp.zoo):  # the derivative's formula has no value here
            continue
        shown = counterexample(here[0], here[1], variables, here[2])
        if shown:
            point = shown.point
            if point is not None:
                free = given.free_symbols | true.free_symbols | value.free_symbols
                point = dict.fromkeys(free, sp.S.One) | point
                point[symbol] = value.xreplace(point)
            return Counterexample({kink: 0, **shown.region}, point)
    return None


def _by_cases(expr: sp.Expr) -> sp.Expr:
    """SymPy writes √(x²) as |x|, and its derivative as sign x; they are cases as np.abs's are."""
    for function, ufunc in ((sp.Abs, np.absolute), (sp.sign, np.sign)):
        expr = expr.replace(function, ARITHMETIC[ufunc]) if expr.has(function) else expr
    return expr


def _boundaries(
    expr: sp.Expr, variables: frozenset[sp.Symbol], forward: sp.Expr
) -> Iterator[tuple[sp.Expr, sp.Symbol, sp.Expr]]:
    """Each kink of ``expr`` on which there is a derivative, a symbol, and its values there."""
    corners = [difference(*relation.args) for relation in forward.atoms(Relational)]
    equations = {difference(*relation.args) for relation in expr.atoms(sp.Eq, sp.Ne)}
    for kink in dict.fromkeys(_kinks(expr)):
        held = kink.free_symbols - variables
        for symbol, value in _solutions(kink, held or kink.free_symbols):
            smooth = all(sp.expand(c.xreplace({symbol: value})) != 0 for c in corners)
            if smooth or kink.free_symbols == held or (held and kink in equations):
                yield kink, symbol, value


def _solutions(kink: sp.Expr, symbols: set[sp.Symbol]) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    """Where a kink is 0: solved for a symbol in which it is linear, or for its only one."""
    for symbol in sorted(symbols, key=str):
        slope = kink.diff(symbol)
        if slope.is_number and slope != 0:
            yield symbol, sp.expand(symbol - kink / slope)
            return
    if len(kink.free_symbols) == 1:
        [symbol] = kink.free_symbols
        roots = sp.solveset(kink, symbol, sp.Reals)
        if isinstance(roots, sp.FiniteSet):
            yield from ((symbol, root) for root in roots)


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
