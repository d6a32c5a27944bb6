"""Convolution and pooling of images: windows that slide, all of them handled at once.

Images are (m, c, h, w), as PyTorch's. Inside, the batch is the last axis, so that one row of one
window position is a long run of memory, and a convolution one matrix product; what is returned is
a view of that, (m, c, h, w) again, which costs nothing to turn back in the next layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bpbook.ops import _check
from bpbook.ops.shapes import scatter

Op = tuple[np.ndarray, Callable]
Key = tuple[slice, ...]
Pair = _check.Pair


def conv2d(x: np.ndarray, W: np.ndarray, b: np.ndarray, stride: Pair = 1, padding: Pair = 0) -> Op:
    """z[s, o, y, x] = b[o] + Σ_{c,i,j} W[o, c, i, j] x[s, c, y·stride + i, x·stride + j].

    A cross-correlation, as in PyTorch. x: (m, c_in, h, w), padded with zeros on each side; W:
    (c_out, c_in, kh, kw); b: (c_out,)  ->  z: (m, c_out, h', w') with h' = ⌊(h + 2 padding − kh) /
    stride⌋ + 1. stride, padding: one number, or one for each direction. vjp: dz -> dx, dW, db.

    Every window is a column of one matrix, and the convolution its product with W (Chellapilla,
    Puri & Simard 2006): kh·kw times the memory of x. Raises ValueError when the shapes do not fit.
    """
    stride, padding = _check.pair("stride", stride, 1), _check.pair("padding", padding, 0)
    _check.convolution(x, W, b)
    (m, c_in, *size), (c_out, _, *kernel) = x.shape, W.shape
    padded = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    keys, (rows, columns) = _windows(padded, kernel, stride)
    inside = (slice(None), *(slice(p, p + n) for n, p in zip(size, padding, strict=True)))

    image, _ = scatter(np.transpose(x, (1, 2, 3, 0)), inside, (c_in, *padded, m))
    patches = np.stack([image[key] for key in keys]).reshape(-1, rows * columns * m)
    W_flat = np.transpose(W, (0, 2, 3, 1)).reshape(c_out, -1)
    z = (W_flat @ patches + b.reshape(-1, 1)).reshape(c_out, rows, columns, m)

    def vjp(dz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dz = np.transpose(dz, (1, 2, 3, 0)).reshape(c_out, -1)
        dW = (dz @ patches.T).reshape(c_out, *kernel, c_in)
        entries = np.split(W_flat.T, len(keys))  # of one place in the window each
        parts = ((W_k @ dz).reshape(c_in, rows, columns, m) for W_k in entries)
        dimage = _add_up(parts, keys, image.shape)
        return np.transpose(dimage[inside], (3, 0, 1, 2)), np.transpose(dW, (0, 3, 1, 2)), dz.sum(1)

    return np.transpose(z, (3, 0, 1, 2)), vjp


def max_pool2d(x: np.ndarray, size: Pair = 2, stride: Pair | None = None) -> Op:
    """The largest entry of each window: (m, c, h, w) -> (m, c, ⌊(h − size)/stride⌋ + 1, …).

    size, stride: one number, or one for each direction; stride is the size by default, and rows and
    columns that fill no window are dropped. vjp: dout -> dx, to the largest entry alone; of equal
    ones to the first, row by row, as in PyTorch: a subgradient. Raises ValueError when no window
    fits.
    """
    size = _check.pair("size", size, 1)
    stride = size if stride is None else _check.pair("stride", stride, 1)
    _check.images("x", x)
    m, c, *shape = x.shape
    keys, _ = _windows(shape, size, stride)
    image = np.transpose(x, (1, 2, 3, 0))
    best, larger = image[keys[0]], []  # the largest so far, as the window is gone through
    for key in keys[1:]:
        larger.append(image[key] > best)
        best = np.maximum(best, image[key])

    def vjp(d: np.ndarray) -> np.ndarray:
        d, parts = np.transpose(d, (1, 2, 3, 0)), []
        for took_over in reversed(larger):
            parts.append(d * took_over)
            d = d - parts[-1]
        dimage = _add_up([d, *reversed(parts)], keys, (c, *shape, m))
        return np.transpose(dimage, (3, 0, 1, 2))

    return np.transpose(best, (3, 0, 1, 2)), vjp


def _windows(
    shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> tuple[list[Key], tuple[int, int]]:
    """For each place in a window, the slice of all windows' entries there; and their number.

    The slices are of an array (c, h, w, m), row by row of the window.
    """
    if any(k > n for k, n in zip(kernel, shape, strict=True)):
        raise ValueError(
            f"a window of {tuple(kernel)} does not fit in an image of {tuple(shape)}, padding "
            "included"
        )
    counts = [(n - k) // s + 1 for n, k, s in zip(shape, kernel, stride, strict=True)]
    spans = [(s * (count - 1) + 1, s) for count, s in zip(counts, stride, strict=True)]
    (height, down), (width, right) = spans
    keys = [
        (slice(None), slice(i, i + height, down), slice(j, j + width, right))
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return keys, (counts[0], counts[1])


def _add_up(parts: Iterable[np.ndarray], keys: list[Key], shape: tuple[int, ...]) -> np.ndarray:
    """Zeros of a shape, with each part added at its key: the adjoint of taking the slices."""
    total = None
    for part, key in zip(parts, keys, strict=True):
        if total is None:
            total, _ = scatter(part, key, shape)
        elif isinstance(total, np.ndarray):
            total[key] += part  # a fresh array, so this changes no argument
        else:
            total = total + scatter(part, key, shape)[0]
    return total
