"""Arrays of SymPy expressions on which NumPy's functions do algebra."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import sympy as sp

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
    """A number or expression as an exact SymPy expression: no floating-point numbers are left."""
    if isinstance(x, (bool, np.bool_)):
        return sp.Integer(int(x))
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


def _indicator(relation: Callable) -> Callable:
    """1 where the relation holds and 0 where it does not, as NumPy's booleans act in a product."""

    def of(x: sp.Expr, y: sp.Expr) -> sp.Expr:
        holds = relation(x, y)
        if holds in (sp.true, sp.false):
            return sp.Integer(holds == sp.true)
        return sp.Piecewise((1, holds), (0, True))

    return of


def _maximum(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return sp.Piecewise((x, x > y), (y, True))


def _is_mask(x: sp.Expr) -> bool:
    """Whether x is a comparison; two of them added are a logical or, as NumPy's booleans are."""
    return isinstance(x, sp.Piecewise) and {value for value, _ in x.args} == {0, 1}


def _where(holds: sp.Expr, x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """x where ``holds`` is 1 and y where it is 0; the other side may be infinite there."""
    return (x if holds else y) if holds.is_number else holds * x + (1 - holds) * y


ELEMENTWISE: dict[np.ufunc, Callable] = {
    np.add: lambda x, y: x + y - x * y if _is_mask(x) and _is_mask(y) else x + y,
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
    np.sign: lambda x: sp.Piecewise((1, x > 0), (-1, x < 0), (0, True)),
    np.maximum: _maximum,
    np.minimum: lambda x, y: sp.Piecewise((x, x < y), (y, True)),
    np.greater: _indicator(sp.Gt),
    np.greater_equal: _indicator(sp.Ge),
    np.less: _indicator(sp.Lt),
    np.less_equal: _indicator(sp.Le),
    np.equal: _indicator(sp.Eq),
    np.not_equal: _indicator(sp.Ne),
    np.logical_not: lambda x: 1 - x,
    np.logical_and: lambda x, y: x * y,
    np.logical_or: lambda x, y: x + y - x * y,
    np.invert: lambda x: 1 - x,  # ~, & and | are for comparisons, which are 0 or 1
    np.bitwise_and: lambda x, y: x * y,
    np.bitwise_or: lambda x, y: x + y - x * y,
    np.heaviside: lambda x, at_0: sp.Piecewise((1, x > 0), (0, x < 0), (at_0, True)),
    erf: sp.erf,
}

# What NumPy computes with numbers only; its errors on symbols would name a cast or a loop.
_NUMERICAL = {
    getattr(np.linalg, name)
    for name in (
        *("norm", "vector_norm", "matrix_norm", "det", "slogdet", "inv", "pinv", "solve", "lstsq"),
        *("eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals", "qr", "cholesky"),
        *("cond", "matrix_rank"),
    )
}


class Symbols(np.ndarray):
    """A NumPy array of dtype object whose entries are SymPy expressions.

    Slicing, reshaping, ``@``, ``.sum`` and the functions in ``ELEMENTWISE`` act as on numbers and
    give a formula in every entry. A comparison gives 1 or 0 by case. A reduction by ``max`` gives a
    free symbol: an op may use it as a shift that cancels, which :func:`bpbook.proof.prove`
    verifies. A single entry, ``x[0, 0]``, is a SymPy expression.

    ``__array_ufunc__`` and ``__array_function__`` are NumPy's NEP 13 and NEP 18.
    """

    __array_priority__ = 20

    def __new__(cls, entries: object) -> Symbols:
        array = np.array(entries, dtype=object)
        return _map(exact, array)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if ufunc in (np.maximum, np.minimum) and method == "reduce":
            result = _free_shift(ufunc, inputs[0], **kwargs)
        elif ufunc.__name__ == "clip":  # a ufunc without a public name
            x, low, high = inputs
            result = np.minimum(np.maximum(x, low), high)
        elif method == "__call__" and ufunc in ELEMENTWISE:
            result = _map(ELEMENTWISE[ufunc], *inputs)
        elif ufunc is np.matmul or ufunc in ELEMENTWISE:
            plain = [np.asarray(_map(exact, x)) for x in inputs[: 1 if method != "__call__" else 2]]
            kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
            result = getattr(ufunc, method)(*plain, *inputs[len(plain) :], **kwargs)
        else:
            raise _no_symbolic_form(ufunc.__name__)
        return _into(out, np.asarray(result, dtype=object).view(Symbols))

    def __array_function__(self, func, types, args, kwargs):
        if func is np.where and len(args) == 3:
            return _map(_where, *args)
        if func in _NUMERICAL:
            raise _no_symbolic_form(f"linalg.{func.__name__}")
        result = super().__array_function__(func, types, args, kwargs)
        # einsum, outer and others forget the class, and trace and vdot the array.
        return np.asarray(result).view(Symbols) if _symbolic(result) else result


def _map(function: Callable, *arrays: object) -> Symbols:
    """Apply a function of scalars to every entry, with NumPy's broadcasting."""
    broadcast = np.broadcast(*(np.asarray(a, dtype=object) for a in arrays))
    values = np.empty(broadcast.shape, dtype=object)
    values.reshape(-1)[:] = [function(*(exact(x) for x in entry)) for entry in broadcast]
    return values.view(Symbols)


def _no_symbolic_form(name: str) -> TypeError:
    return TypeError(
        f"np.{name} has no symbolic form in bpbook.proof; "
        "write the op with the functions in bpbook.proof.symbols.ELEMENTWISE"
    )


def _symbolic(x: object) -> bool:
    return isinstance(x, sp.Basic) or (isinstance(x, np.ndarray) and x.dtype == object)


def _into(out: tuple | None, result: Symbols) -> Symbols:
    if out is None:
        return result
    out[0][...] = result
    return out[0]


def _free_shift(ufunc: np.ufunc, z: np.ndarray, axis=None, keepdims=False, **_) -> np.ndarray:
    """A free symbol for each maximum: a name for it, and nothing assumed of it."""
    sets = np.frompyfunc(lambda entry: frozenset([entry]), 1, 1)(np.asarray(z))
    over = np.bitwise_or.reduce(sets, axis=axis, keepdims=keepdims)  # the union of each group
    return np.frompyfunc(lambda entries: _shift(ufunc, entries), 1, 1)(over)


@functools.lru_cache(maxsize=10_000)
def _shift(ufunc: np.ufunc, entries: frozenset[sp.Expr]) -> sp.Dummy:
    """One symbol for the maximum of the same entries, whether the forward or the vjp takes it."""
    return sp.Dummy("c", real=True)


def symbols(name: str, *shape: int) -> Symbols:
    """Real symbols name_{ij}, in an array of the given shape; ``symbols("x")`` is one symbol.

    Raises ValueError when a length is not a whole number of at least 1.
    """
    if any(not isinstance(n, (int, np.integer)) or n < 1 for n in shape):
        raise ValueError(f"shape {shape} of {name}: each length must be a whole number, at least 1")
    entries = np.empty(shape, dtype=object)
    comma = "," if max(shape, default=0) > 9 else ""
    for index in np.ndindex(*shape):
        label = comma.join(str(i + 1) for i in index)
        entries[index] = sp.Symbol(f"{name}_{{{label}}}" if index else name, real=True)
    return entries.view(Symbols)


def probabilities(name: str, m: int, K: int) -> Symbols:
    """Symbols (m, K) whose rows sum to 1: the last entry of a row is 1 minus the others."""
    free = symbols(name, m, K)
    free[:, -1] = [1 - row[:-1].sum()[()] if K > 1 else sp.Integer(1) for row in free]
    return free
