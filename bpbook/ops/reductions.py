"""Reductions along axes, as NumPy's: axis None means all, keepdims keeps an axis of length 1.

x: any shape. All raise ValueError when x is not an array of floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from bpbook.ops import _check

Axis = int | Sequence[int] | None
Out = tuple[np.ndarray, Callable]


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def _kept(d: np.ndarray, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """d with the reduced axes back, of length 1, so that it broadcasts against x."""
    return np.reshape(d, [1 if i in axes else n for i, n in enumerate(x.shape)])


def sum(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> Out:
    """Σ x; every entry's derivative is 1."""
    _check.floating("x", x)
    axes = _axes(axis, x.ndim)
    out = x.sum(axis=axes, keepdims=keepdims)
    return out, lambda d: np.broadcast_to(_kept(d, x, axes), x.shape)


def mean(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> Out:
    """The mean of n entries; every entry's derivative is 1/n."""
    _check.floating("x", x)
    axes = _axes(axis, x.ndim)
    n = math.prod(x.shape[i] for i in axes)
    out = x.sum(axis=axes, keepdims=keepdims) / n
    return out, lambda d: np.broadcast_to(_kept(d, x, axes) / n, x.shape)


def max(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> Out:
    """The largest entry; it takes the whole gradient, and equal ones share it."""
    return _extreme(x, axis, keepdims, np.maximum)


def min(x: np.ndarray, axis: Axis = None, keepdims: bool = False) -> Out:
    """The smallest entry; it takes the whole gradient, and equal ones share it."""
    return _extreme(x, axis, keepdims, np.minimum)


def _extreme(x: np.ndarray, axis: Axis, keepdims: bool, larger: np.ufunc) -> Out:
    _check.floating("x", x)
    axes = _axes(axis, x.ndim)
    kept = x
    for i in axes:
        kept = _fold(kept, i, larger)
    lengths = [n for i, n in enumerate(x.shape) if i not in axes]
    out = kept if keepdims else kept.reshape(lengths)

    def vjp(d: np.ndarray) -> np.ndarray:
        winners = (x == kept) * 1.0
        return (_kept(d, x, axes) * winners / winners.sum(axis=axes, keepdims=True)).astype(x.dtype)

    return out, vjp


def _fold(x: np.ndarray, axis: int, larger: np.ufunc) -> np.ndarray:
    """Halve the axis until one is left, pair by pair: unlike ``max``, symbols keep their cases."""
    if x.shape[axis] == 0:
        raise ValueError(f"x has shape {x.shape}; axis {axis} is empty and has no extreme")
    x = np.moveaxis(x, axis, 0)
    while len(x) > 1:
        half = len(x) // 2
        rest = x[2 * half :]
        x = larger(x[:half], x[half : 2 * half])
        if len(rest):
            x = np.concatenate([x, rest])
    return np.moveaxis(x, 0, axis)
