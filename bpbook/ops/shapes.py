"""Moving entries about: each output entry is one input entry, so the vjp moves gradients back.

x: any shape. All raise ValueError when x is not an array of floats; NumPy's own errors name an axis
or a shape that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

import numpy as np

from bpbook.ops import _check
from bpbook.ops.arithmetic import unbroadcast

Out = tuple[np.ndarray, Callable]


def reshape(x: np.ndarray, shape: int | Sequence[int]) -> Out:
    """The same entries, in the same order, in another shape."""
    _check.floating("x", x)
    return x.reshape(shape), lambda d: d.reshape(x.shape)


def transpose(x: np.ndarray, axes: Sequence[int] | None = None) -> Out:
    """Axes in another order, by default reversed; the vjp brings them back."""
    _check.floating("x", x)
    out = np.transpose(x, axes)
    back = None if axes is None else np.argsort([a % x.ndim for a in axes])
    return out, lambda d: np.transpose(d, back)


def broadcast_to(x: np.ndarray, shape: Sequence[int]) -> Out:
    """Entries repeated as broadcasting does; the vjp sums over the repetitions."""
    _check.floating("x", x)
    return np.broadcast_to(x, shape), lambda d: unbroadcast(d, x.shape)


def cast(x: np.ndarray, dtype: np.dtype | type) -> Out:
    """The same numbers in another floating dtype; the gradient comes back in x's own.

    Raises ValueError for another kind of dtype: whole numbers have no derivative.
    """
    _check.floating("x", x)
    _check.floating_dtype(dtype)
    return x.astype(dtype), lambda d: d.astype(x.dtype)


def concatenate(*arrays: np.ndarray, axis: int = 0) -> Out:
    """Arrays one after the other along an axis; the vjp cuts them apart again."""
    for i, x in enumerate(arrays):
        _check.floating(f"arrays[{i}]", x)
    out = np.concatenate(arrays, axis=axis)
    cuts = np.cumsum([x.shape[axis] for x in arrays])[:-1]
    return out, lambda d: tuple(np.split(d, cuts, axis=axis))


def stack(*arrays: np.ndarray, axis: int = 0) -> Out:
    """Arrays of one shape along a new axis; the vjp takes them from it."""
    for i, x in enumerate(arrays):
        _check.floating(f"arrays[{i}]", x)
    out = np.stack(arrays, axis=axis)

    def vjp(d: np.ndarray) -> tuple[np.ndarray, ...]:
        first = np.moveaxis(d, axis, 0)
        return tuple(first[i] for i in range(len(arrays)))

    return out, vjp


def index(x: np.ndarray, key: object) -> Out:
    """x[key], for every key that NumPy takes; the vjp adds each gradient where its entry was."""
    _check.floating("x", x)
    return x[key], lambda d: scatter(d, key, x.shape)[0]


def scatter(d: np.ndarray, key: object, shape: Sequence[int]) -> Out:
    """Zeros of the given shape with ``d`` added at ``key``: the adjoint of :func:`index`."""
    if hasattr(d, "scatter"):  # an array of another kind, such as a tensor, does it itself
        return d.scatter(key, shape), lambda dout: dout[key]
    # np.asarray: on symbols too, items of a plain object array are added one by one.
    out = np.zeros(shape, getattr(d, "dtype", float))
    if _picks_each_once(key):
        out[key] = np.asarray(d)
    else:
        np.add.at(out, key, np.asarray(d))
    return out.view(type(d)) if isinstance(d, np.ndarray) else out, lambda dout: dout[key]


def _picks_each_once(key: object) -> bool:
    """Whether a key is numbers, slices, None and … alone, which name no entry twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(p is None or p is ... or isinstance(p, (slice, Integral)) for p in parts)
