"""NumPy's functions of single entries, as functions of SymPy expressions and conditions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from bpbook.ops.elementwise import erf

# A float in an op's code stands for the number that its author wrote: 0.01 is 1/100, and a double
# within one rounding of π is π.
_CONSTANTS = (
    sp.pi,
    sp.E,
    sp.sqrt(2),
    sp.sqrt(sp.pi),
    sp.sqrt(2 * sp.pi),
    2 / sp.sqrt(sp.pi),
    sp.log(2),
    sp.log(10),
)


def exact(x: object) -> sp.Basic:
    """A number, expression or condition in SymPy's exact form: no floating-point number is left."""
    if isinstance(x, (bool, np.bool_)):
        return sp.true if x else sp.false
    if isinstance(x, (float, np.floating)):
        return _exact_float(float(x))
    expr = sp.sympify(x)
    return expr.xreplace({f: exact(float(f)) for f in expr.atoms(sp.Float)})


@functools.cache
def _exact_float(x: float) -> sp.Expr:
    for constant in _CONSTANTS:
        if math.isclose(x, float(constant), rel_tol=2**-52):
            return constant
    return sp.Rational(repr(x)) if math.isfinite(x) else sp.sympify(x)


def is_condition(x: sp.Basic) -> bool:
    """Whether x is NumPy's boolean; SymPy counts symbols among its own."""
    return isinstance(x, (Relational, BooleanFunction, BooleanAtom))


def number(x: object) -> sp.Expr:
    """x as arithmetic takes it: a condition is 1 where it holds and 0 where it does not."""
    x = exact(x)
    if not is_condition(x):
        return x
    if isinstance(x, sp.And):
        return sp.Mul(*map(number, x.args))
    if isinstance(x, sp.Or):
        return 1 - sp.Mul(*(1 - number(a) for a in x.args))
    return sp.Piecewise((1, x), (0, True))


def condition(x: object) -> sp.Basic:
    """x as logic takes it: a number is true where it is not 0."""
    x = exact(x)
    return x if is_condition(x) else _compare(sp.Ne)(x, sp.S.Zero)


@functools.lru_cache(maxsize=10_000)
def difference(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """x − y without a common factor, so that 2x > 2y and x > y are one kink."""
    return sp.expand(x - y).primitive()[1] if x != y else sp.S.Zero


def _compare(relation: Callable) -> Callable:
    return lambda x, y: relation(difference(x, y), 0)


def _maximum(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return sp.Piecewise((x, _compare(sp.Gt)(x, y)), (y, True))


def _minimum(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return sp.Piecewise((x, _compare(sp.Lt)(x, y)), (y, True))


def _step(at_0: sp.Expr, below: int) -> Callable:
    def of(x: sp.Expr) -> sp.Expr:
        d = difference(x, sp.S.Zero)
        return sp.Piecewise((1, d > 0), (below, d < 0), (at_0, True))

    return of


def where(holds: sp.Basic, x: sp.Basic, y: sp.Basic) -> sp.Basic:
    """x where the condition holds and y where it does not."""
    holds = condition(holds)
    if isinstance(holds, BooleanAtom):
        return x if holds else y
    if is_condition(x) and is_condition(y):
        return sp.Or(sp.And(holds, x), sp.And(sp.Not(holds), y))
    one, x, y = number(holds), number(x), number(y)
    if x.is_infinite or y.is_infinite:  # 0 · ∞ is not 0
        return sp.Piecewise((x, sp.Eq(one, 1)), (y, True))
    return one * x + (1 - one) * y


ARITHMETIC: dict[np.ufunc, Callable] = {
    np.add: lambda x, y: x + y,
    np.subtract: lambda x, y: x - y,
    np.multiply: lambda x, y: x * y,
    np.true_divide: lambda x, y: x / y,
    np.power: lambda x, y: x**y,
    np.float_power: lambda x, y: x**y,
    np.negative: lambda x: -x,
    np.positive: lambda x: x,
    np.square: lambda x: x**2,
    np.reciprocal: lambda x: 1 / x,
    np.exp: sp.exp,
    np.expm1: lambda x: sp.exp(x) - 1,
    np.log: sp.log,
    np.log1p: lambda x: sp.log(1 + x),
    np.exp2: lambda x: 2**x,
    np.log2: lambda x: sp.log(x) / sp.log(2),
    np.log10: lambda x: sp.log(x) / sp.log(10),
    np.hypot: lambda x, y: sp.sqrt(x**2 + y**2),
    np.conjugate: lambda x: x,  # every symbol is real
    np.logaddexp: lambda x, y: sp.log(sp.exp(x) + sp.exp(y)),
    np.sqrt: sp.sqrt,
    np.sin: sp.sin,
    np.cos: sp.cos,
    np.tan: sp.tan,
    np.arcsin: sp.asin,
    np.arccos: sp.acos,
    np.arctan: sp.atan,
    np.sinh: sp.sinh,
    np.cosh: sp.cosh,
    np.tanh: sp.tanh,
    np.absolute: lambda x: _maximum(x, -x),
    np.sign: _step(sp.S.Zero, -1),
    np.heaviside: lambda x, at_0: _step(at_0, 0)(x),
    np.maximum: _maximum,
    np.minimum: _minimum,
    np.greater: _compare(sp.Gt),
    np.greater_equal: _compare(sp.Ge),
    np.less: _compare(sp.Lt),
    np.less_equal: _compare(sp.Le),
    np.equal: _compare(sp.Eq),
    np.not_equal: _compare(sp.Ne),
    erf: sp.erf,
}

LOGIC: dict[np.ufunc, Callable] = {
    np.logical_not: sp.Not,
    np.logical_and: sp.And,
    np.logical_or: sp.Or,
    np.logical_xor: lambda x, y: sp.Or(sp.And(x, sp.Not(y)), sp.And(sp.Not(x), y)),
}

# What NumPy does on two booleans, as on z > 0 and z < 1: their sum is an "or", not 2.
_BOTH_CONDITIONS: dict[np.ufunc, Callable] = {
    np.add: sp.Or,
    np.multiply: sp.And,
    np.maximum: sp.Or,
    np.minimum: sp.And,
    np.invert: sp.Not,
    np.bitwise_and: sp.And,
    np.bitwise_or: sp.Or,
    np.bitwise_xor: LOGIC[np.logical_xor],
    np.not_equal: LOGIC[np.logical_xor],
    np.equal: lambda x, y: sp.Not(LOGIC[np.logical_xor](x, y)),
}

#: The functions of NumPy that run on symbols.
ELEMENTWISE = {*ARITHMETIC, *LOGIC, *_BOTH_CONDITIONS}


def apply(ufunc: np.ufunc, *entries: sp.Basic) -> sp.Basic:
    """A NumPy function of single entries, or a TypeError where NumPy refuses them too."""
    if ufunc in LOGIC:
        return LOGIC[ufunc](*map(condition, entries))
    if all(map(is_condition, entries)):
        if ufunc in _BOTH_CONDITIONS:
            return _BOTH_CONDITIONS[ufunc](*entries)
        if ufunc in (np.subtract, np.negative, np.positive):
            raise TypeError(f"np.{ufunc.__name__} does not take booleans; use ~ or ^")
    elif ufunc not in ARITHMETIC:
        raise TypeError(f"np.{ufunc.__name__} takes comparisons only, such as z > 0")
    return ARITHMETIC[ufunc](*map(number, entries))
