"""Early, named errors for the ops, and for what stands on them.

Symbols pass: they are a subclass of NumPy's array, of dtype object, and stand for every value. An
array of objects that is not of a subclass is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

Pair = int | tuple[int, int]


def _stands_for_every_value(x: np.ndarray) -> bool:
    """Symbols, and arrays of another kind (tensors, traced ones), have no numbers to check."""
    return x.dtype.kind == "O" or not isinstance(x, np.ndarray)


def _symbolic(x: np.ndarray) -> bool:
    return x.dtype.kind == "O" and type(x) is not np.ndarray


def floating(name: str, x: object) -> None:
    """Raise ``ValueError`` unless ``x`` is an array that can carry a derivative."""
    try:
        kind = x.dtype.kind
    except AttributeError:
        got = type(x).__name__
        wanted = f"a NumPy array, as np.array({name}) gives"
        raise ValueError(f"{name} is a {got}; wanted {wanted}") from None
    if kind not in "fc" and not _symbolic(x):
        hint = f"{name}.astype(float)" if kind in "iub" else "an array of floats"
        dtype = x.dtype
        raise ValueError(f"{name} has dtype {dtype}; derivatives need a floating dtype: use {hint}")


def affine(a: np.ndarray, W: np.ndarray, b: np.ndarray) -> None:
    """Shapes (m, n_in), (n_out, n_in), (n_out,), or an error that names both sides."""
    try:  # the usual case at one look, for every layer of every step comes by here
        floats = a.dtype.kind == W.dtype.kind == b.dtype.kind == "f"
        fits = a.ndim == 2 and b.ndim == 1 and W.shape == (len(b), a.shape[1])
    except AttributeError:  # one of them is no array
        floats = fits = False
    if floats and fits:
        return
    for name, x, ndim, want in (
        ("a", a, 2, "(m, n_in), one row per sample"),
        ("W", W, 2, "(n_out, n_in)"),
        ("b", b, 1, "(n_out,)"),
    ):
        floating(name, x)
        if x.ndim != ndim:
            raise ValueError(f"{name} has shape {x.shape}; wanted {want}")
    if W.shape[1] != a.shape[1]:
        raise ValueError(
            f"W has shape {W.shape}; a has {a.shape[1]} columns, so W must be "
            f"(n_out, {a.shape[1]}); a has shape {a.shape}"
        )
    if b.shape != W.shape[:1]:
        raise ValueError(
            f"b has shape {b.shape}; W has {W.shape[0]} rows, so b must be "
            f"({W.shape[0]},); W has shape {W.shape}"
        )


def batch(name: str, x: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """A batch of outputs and its targets: both (m, n), m and n at least 1, targets finite.

    Returns the targets in the outputs' dtype, so that integer labels keep float32 outputs float32.
    """
    floating(name, x)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {x.shape}; wanted (m, n), one row per sample, not empty"
        )
    shape, dtype = getattr(Y, "shape", None), getattr(Y, "dtype", None)
    if shape != x.shape:
        got = f"shape {shape}" if shape is not None else f"type {type(Y).__name__}"
        hint = ", one-hot: np.eye(n)[labels]" if shape is not None and len(shape) == 1 else ""
        raise ValueError(f"Y has {got}; {name} has shape {x.shape}, and Y must have the same{hint}")
    if dtype.kind not in "fiub" and not _symbolic(Y):
        raise ValueError(f"Y has dtype {dtype}; targets must be real numbers")
    if dtype.kind == "f" and isinstance(Y, np.ndarray) and not np.isfinite(Y).all():
        row = int(np.argmin(np.isfinite(Y).all(axis=1)))
        raise ValueError(f"Y has a value that is not finite, in row {row}: {Y[row]}")
    return Y.astype(x.dtype, copy=False) if x.dtype.kind == "f" and dtype.kind != "O" else Y


def one_hot(Y: np.ndarray) -> None:
    """Each row has a single 1 and otherwise 0."""
    if _stands_for_every_value(Y):
        return
    # m entries that are not 0, and each row sums to 1: so each row has one, and it is 1.
    # A product adds up short rows sooner than sum does, and whole numbers exactly.
    sums = Y @ np.ones(Y.shape[1], Y.dtype)
    if np.count_nonzero(Y) != len(Y) or not (sums == 1).all():
        ones = Y == 1
        good = (ones | (Y == 0)).all(axis=1) & (ones.sum(axis=1) == 1)
        row = int(np.argmin(good))
        raise ValueError(
            f"Y has shape {Y.shape}, but its row {row} is not one-hot: {Y[row]}; "
            "wanted one 1 and otherwise 0, as np.eye(K)[labels] gives"
        )


def between_0_and_1(name: str, x: np.ndarray) -> None:
    """Every entry is a probability."""
    if _stands_for_every_value(x) or ((np.real(x) >= 0).all() and (np.real(x) <= 1).all()):
        return
    raise ValueError(
        f"{name} has shape {x.shape} and entries outside [0, 1] "
        f"(smallest {x.min()}, largest {x.max()}); wanted probabilities"
    )


def features(z: np.ndarray, **vectors: np.ndarray) -> None:
    """z: (..., n), n and the other lengths at least 1, and vectors of shape (n,)."""
    floating("z", z)
    if z.ndim == 0 or 0 in z.shape:
        raise ValueError(f"z has shape {z.shape}; wanted (..., n), not empty")
    _vectors(z, -1, vectors)


def channels(z: np.ndarray, **vectors: np.ndarray) -> None:
    """z: (m, n) or (m, c, h, w), not empty, and vectors of one entry per column or channel."""
    floating("z", z)
    if z.ndim not in (2, 4) or 0 in z.shape:
        raise ValueError(
            f"z has shape {z.shape}; wanted (m, n), one row per sample, or (m, c, h, w), images "
            "of c channels; not empty"
        )
    _vectors(z, 1, vectors)


def _vectors(z: np.ndarray, axis: int, vectors: dict[str, np.ndarray]) -> None:
    n = z.shape[axis]
    for name, x in vectors.items():
        floating(name, x)
        if x.shape != (n,):
            raise ValueError(f"{name} has shape {x.shape}; z has shape {z.shape}, so wanted ({n},)")


def rate(value: float) -> None:
    """A probability of being dropped, less than 1."""
    if not (is_number(value) and 0 <= value < 1):
        raise ValueError(f"rate is {value!r}; wanted a probability in [0, 1)")


def images(name: str, x: np.ndarray) -> None:
    """A batch of images (m, c, h, w), not empty."""
    floating(name, x)
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {x.shape}; wanted (m, c, h, w), m images of c channels, not empty"
        )


def convolution(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> None:
    """Shapes (m, c_in, h, w), (c_out, c_in, kh, kw), (c_out,), or an error that names both."""
    images("x", x)
    floating("W", W)
    floating("b", b)
    if W.ndim != 4 or 0 in W.shape or W.shape[1] != x.shape[1]:
        raise ValueError(
            f"W has shape {W.shape}; x has {x.shape[1]} channels, so W must be "
            f"(c_out, {x.shape[1]}, kh, kw); x has shape {x.shape}"
        )
    if b.shape != W.shape[:1]:
        raise ValueError(
            f"b has shape {b.shape}; W has {W.shape[0]} channels of output, so b must be "
            f"({W.shape[0]},); W has shape {W.shape}"
        )


def pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    """One whole number for each direction, of one or two given."""
    both = value if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(is_whole(n, least) for n in both):
        raise ValueError(
            f"{name} is {value!r}; wanted a whole number, at least {least}, or a pair of them"
        )
    return int(both[0]), int(both[1])


def is_whole(value: object, least: int) -> bool:
    """Whether it is an integer of any kind, not below ``least``; a bool is none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> bool:
    """Whether it is a finite real number of any kind; a bool is none."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def as_python(value: object) -> object:
    """A NumPy number as Python's, which leaves float32 arrays float32; others as they are."""
    return value.item() if isinstance(value, np.generic) else value


def whole(name: str, value: object, least: int = 1) -> None:
    """An integer of any kind, not below ``least``."""
    if not is_whole(value, least):
        raise ValueError(f"{name} is {value!r}; wanted a whole number, at least {least}")


def number(name: str, value: object, least: float = 0, most: float = math.inf) -> None:
    """A finite number from ``least`` to ``most``."""
    if not (is_number(value) and least <= value <= most):
        top = f" to {most:g}" if most < math.inf else " or more"
        raise ValueError(f"{name} is {value!r}; wanted a finite number, {least:g}{top}")


def positive(name: str, value: object) -> None:
    """A finite number above 0."""
    if not (is_number(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; wanted a positive finite number")


def floating_dtype(dtype: object) -> np.dtype:
    """As a NumPy dtype, when it is a floating one."""
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"dtype is {np.dtype(dtype)}; wanted a floating dtype such as float32")
    return np.dtype(dtype)


def function(name: str, value: object, example: str) -> None:
    """Something to call."""
    if not callable(value):
        raise ValueError(f"{name} is {value!r}; wanted a function, such as {example}")
