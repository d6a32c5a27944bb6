"""The regions in which an expression with conditions is smooth."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from bpbook.proof.functions import ARITHMETIC, difference

#: The signs (+1 or −1, 0 on an equation) that a region gives to the expressions of its kinks.
Region = dict[sp.Expr, int]


def cases(expr: sp.Expr, region: Region | None = None) -> Iterator[tuple[Region, sp.Expr]]:
    """The smooth pieces of ``expr``: each region with what the expression is there.

    Kinks may be nested; a combination of signs that no number satisfies is passed over.
    """
    region = region or {}
    kink = next(kinks(expr), None)
    if kink is None:
        yield region, expr
        return
    for sign in (1, -1):
        here = {**region, kink: sign}
        if _possible(kink, here):
            yield from cases(choose(expr, kink, sign), here)


def kinks(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Differences lhs − rhs of the conditions, those without conditions of their own first."""
    for relation in sorted(expr.atoms(Relational), key=sp.default_sort_key):
        if not relation.atoms(sp.Piecewise):
            yield difference(*relation.args)


def choose(expr: sp.Expr, kink: sp.Expr, sign: int) -> sp.Expr:
    known = {}
    for relation in expr.atoms(Relational):
        side = {kink: sign, -kink: -sign}.get(difference(*relation.args))
        if side is not None:
            known[relation] = sp.sympify(relation.func(sp.Integer(side), 0))
    return expr.xreplace(known)


def _possible(kink: sp.Expr, region: Region) -> bool:
    """False only where the new kink's sign contradicts the others for certain."""
    here = region[kink] * kink
    others = [sign * k for k, s in region.items() for sign in ((s,) if s else (1, -1))]
    if here.is_nonpositive or any(_contradict(here, other) for other in others):
        return False
    if len(region) == 1 or len(kink.free_symbols) != 1:
        return True
    about_x = [
        s * k > 0 if s else sp.Eq(k, 0)
        for k, s in region.items()
        if k.free_symbols == kink.free_symbols
    ]
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


def by_cases(expr: sp.Expr) -> sp.Expr:
    """SymPy writes √(x²) as |x|, and its derivative as sign x; they are cases as np.abs's are."""
    for function, ufunc in ((sp.Abs, np.absolute), (sp.sign, np.sign)):
        expr = expr.replace(function, ARITHMETIC[ufunc]) if expr.has(function) else expr
    return expr


@functools.lru_cache(maxsize=1000)
def corners(forward: sp.Expr) -> set[sp.Expr]:
    """What is 0 where the forward has a kink."""
    return {difference(*relation.args) for relation in forward.atoms(Relational)}
