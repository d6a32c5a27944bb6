"""Arithmetic of two arrays that broadcast against each other as NumPy's do.

Each takes x and y, arrays of floats or plain numbers, to an array of their common shape; vjp takes
dout, of that shape, to (dx, dy). Where broadcasting repeated an entry, its gradient is the sum over
the repetitions. A plain number has no gradient: its place holds None. All raise ValueError for
arrays without a floating dtype.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check
from bpbook.ops.elementwise import _sigmoid

Binary = tuple[np.ndarray, Callable[[np.ndarray], tuple]]
Number = int | float


def unbroadcast(d: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum ``d`` over what broadcasting added to or stretched in ``shape``: the adjoint of it."""
    if d.shape == shape:
        return d
    added = d.ndim - len(shape)
    stretched = [added + i for i, n in enumerate(shape) if n == 1 != d.shape[added + i]]
    return d.sum(axis=(*range(added), *stretched)).reshape(shape)


def is_literal(x: object) -> bool:
    """A number as written in a program; NumPy's own scalars are arrays without axes."""
    return type(x) is float or type(x) is int


def _operands(x: np.ndarray | Number, y: np.ndarray | Number) -> None:
    if not is_literal(x):
        _check.floating("x", x)
    if not is_literal(y):
        _check.floating("y", y)


def add(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """x + y."""
    _operands(x, y)
    return x + y, lambda d: (
        None if is_literal(x) else unbroadcast(d, x.shape),
        None if is_literal(y) else unbroadcast(d, y.shape),
    )


def subtract(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """x − y."""
    _operands(x, y)
    return x - y, lambda d: (
        None if is_literal(x) else unbroadcast(d, x.shape),
        None if is_literal(y) else unbroadcast(-d, y.shape),
    )


def multiply(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """x ⊙ y."""
    _operands(x, y)
    return x * y, lambda d: (
        None if is_literal(x) else unbroadcast(d * y, x.shape),
        None if is_literal(y) else unbroadcast(d * x, y.shape),
    )


def divide(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """x / y, with ∂/∂y = −x/y²."""
    _operands(x, y)
    out = x / y
    return out, lambda d: (
        None if is_literal(x) else unbroadcast(d / y, x.shape),
        None if is_literal(y) else unbroadcast(-d * out / y, y.shape),
    )


def power(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """x ** y, with ∂/∂x = y x^(y−1) and ∂/∂y = xʸ log x (0 where x is 0, NaN where x < 0)."""
    _operands(x, y)
    out = x**y

    def dx(d: np.ndarray) -> np.ndarray:
        if is_literal(y):
            return d * (y * x ** (y - 1)) if y else d * 0
        # x⁰ is 1, also at x = 0, where 0 · 0⁻¹ would be NaN.
        less = np.where(x == 0, np.where(y == 0, 1.0, y - 1), y - 1)
        return d * (y * x**less)

    def dy(d: np.ndarray) -> np.ndarray:
        return d * out * _check.as_python(np.log(np.where(x == 0, 1.0, x)))

    return out, lambda d: (
        None if is_literal(x) else unbroadcast(dx(d), x.shape),
        None if is_literal(y) else unbroadcast(dy(d), y.shape),
    )


def maximum(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """The larger entry. Where both are equal the gradient is y's, so maximum(z, 0) is relu."""
    _operands(x, y)
    return np.maximum(x, y), lambda d: (
        None if is_literal(x) else unbroadcast(d * (x > y), x.shape),
        None if is_literal(y) else unbroadcast(d * (x <= y), y.shape),
    )


def minimum(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """The smaller entry. Where both are equal the gradient is y's."""
    _operands(x, y)
    return np.minimum(x, y), lambda d: (
        None if is_literal(x) else unbroadcast(d * (x < y), x.shape),
        None if is_literal(y) else unbroadcast(d * (x >= y), y.shape),
    )


def logaddexp(x: np.ndarray | Number, y: np.ndarray | Number) -> Binary:
    """log(eˣ + eʸ), without overflow; ∂/∂x is the sigmoid of x − y, and ∂/∂y that of y − x."""
    _operands(x, y)
    return np.logaddexp(x, y), lambda d: (
        None if is_literal(x) else unbroadcast(d * _sigmoid(x - y), x.shape),
        None if is_literal(y) else unbroadcast(d * _sigmoid(y - x), y.shape),
    )


def where(x: np.ndarray | Number, y: np.ndarray | Number, condition: np.ndarray) -> Binary:
    """x where the condition holds and y where it does not; the condition is a constant."""
    _operands(x, y)
    return np.where(condition, x, y), lambda d: (
        None if is_literal(x) else unbroadcast(np.where(condition, d, 0.0), x.shape),
        None if is_literal(y) else unbroadcast(np.where(condition, 0.0, d), y.shape),
    )
