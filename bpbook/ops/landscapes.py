"""Losses of two parameters, to watch an optimizer walk on.

Each takes points xy (..., 2) and returns (value (...), vjp); vjp(1.0) is the gradient (..., 2). All
raise ValueError when xy is not an array of floats with 2 columns. Where they are interesting to
start from, and where their minima lie: :mod:`bpbook.theory.landscapes`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check

Value = tuple[np.ndarray, Callable[..., np.ndarray]]


def _coordinates(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _check.floating("xy", xy)
    if xy.shape[-1:] != (2,):
        raise ValueError(f"xy has shape {xy.shape}; wanted (..., 2), a point in each row")
    return xy[..., 0], xy[..., 1]


def _slopes(along_x: np.ndarray, along_y: np.ndarray) -> Callable[..., np.ndarray]:
    """The vjp of a value with these partial derivatives."""

    def vjp(dvalue: np.ndarray | float = 1.0) -> np.ndarray:
        return np.stack([dvalue * along_x, dvalue * along_y], axis=-1)

    return vjp


def quadratic(xy: np.ndarray) -> Value:
    """A bowl, (x² + 10 y²)/2: curvature 1 along x and 10 along y."""
    x, y = _coordinates(xy)
    return (x * x + 10 * y * y) / 2, _slopes(x, 10 * y)


def ravine(xy: np.ndarray) -> Value:
    """A narrow valley, (x + y)²/4 + 25 (x − y)²: curvature 1 along the diagonal, 100 across it."""
    x, y = _coordinates(xy)
    along, across = x + y, x - y
    value = along * along / 4 + 25 * across * across
    return value, _slopes(along / 2 + 50 * across, along / 2 - 50 * across)


def rosenbrock(xy: np.ndarray) -> Value:
    """A bent valley, (1 − x)² + 100 (y − x²)², with its floor on y = x² (Rosenbrock 1960)."""
    x, y = _coordinates(xy)
    left, off = 1 - x, y - x * x
    return left * left + 100 * off * off, _slopes(-2 * left - 400 * x * off, 200 * off)


def beale(xy: np.ndarray) -> Value:
    """Σ_k (c_k − x + x yᵏ)² for k = 1, 2, 3, c = (1.5, 2.25, 2.625): flat here, steep there.

    Beale (1958), as number 5 of Moré, Garbow & Hillstrom (1981).
    """
    x, y = _coordinates(xy)
    y2, y3 = y * y, y * y * y
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y2, 2.625 - x + x * y3
    along_x = 2 * (a * (y - 1) + b * (y2 - 1) + c * (y3 - 1))
    along_y = 2 * x * (a + 2 * b * y + 3 * c * y2)
    return a * a + b * b + c * c, _slopes(along_x, along_y)


def saddle(xy: np.ndarray) -> Value:
    """x²/2 − y²/2 + y⁴/4: a saddle point at the origin, between minima at (0, −1) and (0, 1)."""
    x, y = _coordinates(xy)
    y2 = y * y
    return (x * x - y2) / 2 + y2 * y2 / 4, _slopes(x, y * (y2 - 1))


def plateau(xy: np.ndarray) -> Value:
    """1 − e^(−(x² + y²)/2): a hole in a plain whose slope fades faster than any power."""
    x, y = _coordinates(xy)
    depth = np.exp(-(x * x + y * y) / 2)
    return 1 - depth, _slopes(x * depth, y * depth)
