"""Arrays of SymPy expressions on which NumPy's functions do algebra."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import sympy as sp

from bpbook.proof.functions import (
    ELEMENTWISE,
    LOGIC,
    apply,
    condition,
    exact,
    is_condition,
    number,
    where,
)

# What NumPy computes with numbers only; its errors on symbols would name a cast or a loop.
_NUMERICAL = {
    getattr(np.linalg, name): f"linalg.{name}"
    for name in (
        *("norm", "vector_norm", "matrix_norm", "det", "slogdet", "inv", "pinv", "solve", "lstsq"),
        *("eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals", "qr", "cholesky"),
        *("cond", "matrix_rank"),
    )
}
# What orders or picks entries by their values, which symbols do not have.
_NUMERICAL |= {
    getattr(np, name): name
    for name in (
        *("nonzero", "flatnonzero", "argwhere", "count_nonzero", "where", "select", "piecewise"),
        *("sort", "argsort", "argmax", "argmin", "partition", "argpartition", "median", "unique"),
        *("round", "around", "isclose", "allclose", "searchsorted", "digitize", "nan_to_num"),
        *("extract", "place", "putmask", "compress", "choose"),
    )
}


class Symbols(np.ndarray):
    """A NumPy array of dtype object whose entries are SymPy expressions.

    Slicing, reshaping, ``@``, ``.sum`` and the functions in ``ELEMENTWISE`` act as on numbers and
    give a formula in every entry. A comparison gives a condition, which is 1 or 0 in arithmetic and
    has no truth value, so that an ``if`` on data is refused. A reduction by ``max`` gives a free
    symbol: an op may use it as a shift that cancels, which :func:`bpbook.proof.prove` verifies. A
    single entry, ``x[0, 0]``, is a SymPy expression.

    ``__array_ufunc__`` and ``__array_function__`` are NumPy's NEP 13 and NEP 18.
    """

    __array_priority__ = 20

    def __new__(cls, entries: object) -> Symbols:
        return _map(number, np.array(entries, dtype=object))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, where=True, **kwargs):
        if method == "at":
            array, key, *values = inputs
            return ufunc.at(array.view(np.ndarray), key, *map(_plain, values))
        if method == "outer":
            x, y = map(np.asarray, inputs)
            inputs, method = (_map(exact, x[(..., *[None] * y.ndim)]), y), "__call__"
        if method == "reduce" and where is not True and ufunc in (np.add, np.multiply):
            inputs, where = (np.where(where, inputs[0], ufunc.identity),), True
        if method == "reduce" and ufunc in (np.maximum, np.minimum):
            result = _free_shift(ufunc, inputs[0], where=where, **kwargs)
        elif method == "reduce" and ufunc in (np.logical_and, np.logical_or):
            fold = LOGIC[ufunc]  # of conditions, of which equal ones count once
            result = _over_each_group(lambda some: fold(*map(condition, some)), *inputs, **kwargs)
        elif ufunc.__name__ == "clip":  # a ufunc without a public name
            x, low, high = inputs
            result = np.minimum(np.maximum(x, low), high)
        elif method == "__call__" and ufunc in ELEMENTWISE:
            result = _map(lambda *entries: apply(ufunc, *entries), *inputs)
        elif method in ("accumulate", "reduceat") and ufunc not in (np.add, np.multiply):
            raise _no_symbolic_form(f"{ufunc.__name__}.{method}")
        elif ufunc is np.matmul or ufunc in ELEMENTWISE:
            plain = [_plain(x) for x in inputs[: 1 if method != "__call__" else 2]]
            kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
            kwargs |= {"where": where} if where is not True else {}
            result = getattr(ufunc, method)(*plain, *inputs[len(plain) :], **kwargs)
        else:
            raise _no_symbolic_form(ufunc.__name__)
        if method == "__call__" and where is not True:
            result = _elsewhere(ufunc, where, result, out)
        return _into(out, np.asarray(result, dtype=object).view(Symbols))

    def __array_function__(self, func, types, args, kwargs):
        if func is np.where and len(args) == 3:
            return _map(where, *args)
        if func in _NUMERICAL:
            raise _no_symbolic_form(_NUMERICAL[func])
        result = super().__array_function__(func, types, args, kwargs)
        # einsum, outer and others forget the class, and trace and vdot the array.
        return np.asarray(result).view(Symbols) if _symbolic(result) else result

    def __bool__(self) -> bool:
        if self.size == 1 and condition(self.reshape(-1)[0]) not in (sp.true, sp.false):
            raise TypeError("symbols have no truth value: write np.where, not a branch on data")
        return super().__bool__()

    def __setitem__(self, key: object, value: object) -> None:
        if isinstance(key, Symbols):  # x[x < 0] = 0
            if key.shape != self.shape or np.ndim(value):
                raise TypeError("a mask of symbols takes one value, and has the array's shape")
            key, value = ..., np.where(key, value, self)
        super().__setitem__(key, value)

    def __getitem__(self, key: object) -> Symbols:
        if isinstance(key, Symbols):
            raise TypeError("a mask of symbols picks no entries: write np.where, or x * (x > 0)")
        return super().__getitem__(key)

    def astype(self, dtype: object, *_: object, **__: object) -> Symbols:
        """The same entries: floats are exact here, and booleans become 1 and 0, or the reverse."""
        kind = np.dtype(dtype).kind
        if kind in "iu" and not all(is_condition(x) or x.is_integer for x in self.flat):
            raise _no_symbolic_form("ndarray.astype(int)")
        return _map(condition if kind == "b" else number, self)

    def nonzero(self) -> tuple:
        raise _no_symbolic_form("nonzero")


class Shift(sp.Dummy):
    """A free symbol for the maximum or minimum (its ``ufunc``) of its ``entries``."""


def _map(function: Callable, *arrays: object) -> Symbols:
    """Apply a function of scalars to every entry, with NumPy's broadcasting."""
    broadcast = np.broadcast(*(np.asarray(a, dtype=object) for a in arrays))
    values = np.empty(broadcast.shape, dtype=object)
    values.reshape(-1)[:] = [function(*(exact(x) for x in entry)) for entry in broadcast]
    return values.view(Symbols)


def _plain(x: object) -> np.ndarray:
    """Numbers in an array that Python's own operators act on."""
    return np.asarray(_map(number, x))


def _no_symbolic_form(name: str) -> TypeError:
    return TypeError(
        f"np.{name} has no symbolic form in bpbook.proof; "
        "write the op with the functions in bpbook.proof.functions.ELEMENTWISE"
    )


def _symbolic(x: object) -> bool:
    return isinstance(x, sp.Basic) or (isinstance(x, np.ndarray) and x.dtype == object)


def _into(out: tuple | None, result: Symbols) -> Symbols:
    if out is None:
        return result
    out[0][...] = result
    return out[0]


def _elsewhere(ufunc: np.ufunc, holds: object, result: np.ndarray, out: tuple | None) -> Symbols:
    """The result where it is wanted, and what ``out`` held where it is not."""
    if out is None:
        raise TypeError(f"np.{ufunc.__name__} with where and without out leaves entries undefined")
    return _map(where, holds, result, out[0])


def _free_shift(
    ufunc: np.ufunc,
    z: np.ndarray,
    axis: object = None,
    keepdims: bool = False,
    initial: object = np._NoValue,
    where: object = True,
    **_: object,  # dtype and out
) -> np.ndarray:
    """A free symbol for each maximum: a name for it, and nothing assumed of it."""
    if where is not True or initial not in (None, np._NoValue):
        raise TypeError(f"np.{ufunc.__name__} of symbols takes neither initial nor where")
    return _over_each_group(lambda entries: _shift(ufunc, entries), z, axis, keepdims)


def _over_each_group(
    function: Callable, z: np.ndarray, axis: object = None, keepdims: bool = False, **_: object
) -> np.ndarray:
    """A function of the set of entries that a reduction takes together."""
    sets = np.frompyfunc(lambda entry: frozenset([entry]), 1, 1)(np.asarray(z))
    union = np.bitwise_or.reduce(sets, axis=axis, keepdims=keepdims)
    return np.frompyfunc(function, 1, 1)(union)


@functools.lru_cache(maxsize=10_000)
def _shift(ufunc: np.ufunc, entries: frozenset[sp.Expr]) -> Shift:
    """One symbol for the maximum of the same entries, whether the forward or the vjp takes it."""
    shift = Shift("c", real=True)
    shift.ufunc, shift.entries = ufunc, entries
    return shift


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
