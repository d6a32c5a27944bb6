"""Products: the affine map of a layer, matrix products, and sums over indices in general."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check
from bpbook.ops.arithmetic import unbroadcast


def affine(a: np.ndarray, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Callable]:
    """z = a Wᵀ + b, one row per sample (E1.2.1-a, E2.1.1-a).

    a: (m, n_in), W: (n_out, n_in), b: (n_out,)  ->  z: (m, n_out)
    vjp: dz (m, n_out)  ->  da, dW, db (E1.3.3-d, E1.3.4-a, E1.3.4-b; summed over the rows)
    Raises ValueError when the shapes do not fit.
    """
    _check.affine(a, W, b)
    z = a @ W.T + b

    def vjp(dz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return dz @ W, dz.T @ a, dz.sum(axis=0)

    return z, vjp


def matmul(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Callable]:
    """a @ b, batched over leading axes as NumPy's; a vector is a row on the left, a column right.

    a: (..., m, k) or (k,), b: (..., k, n) or (k,). vjp: dout -> da = dout bᵀ, db = aᵀ dout.
    """
    _check.floating("a", a)
    _check.floating("b", b)
    out = a @ b
    rows = a if a.ndim > 1 else a[None, :]
    columns = b if b.ndim > 1 else b[:, None]

    def vjp(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d = d if b.ndim > 1 else np.expand_dims(d, -1)
        d = d if a.ndim > 1 else np.expand_dims(d, -2)
        da = unbroadcast(d @ np.swapaxes(columns, -1, -2), rows.shape)
        db = unbroadcast(np.swapaxes(rows, -1, -2) @ d, columns.shape)
        return da.reshape(a.shape), db.reshape(b.shape)

    return out, vjp


def einsum(*operands: np.ndarray, subscripts: str) -> tuple[np.ndarray, Callable]:
    """Σ of products by indices, np.einsum(subscripts, *operands), each index once per operand.

    The gradient of an operand is the sum of the others and dout over every index that is not its
    own. Raises ValueError for an ellipsis, an operand that repeats an index (a diagonal), or an
    index of two lengths, one of them 1, which np.einsum would stretch.
    """
    for i, x in enumerate(operands):
        _check.floating(f"operands[{i}]", x)
    inputs, output = _indices(subscripts, len(operands))
    _check_lengths(inputs, operands)
    out = np.einsum(f"{','.join(inputs)}->{output}", *operands)

    def gradient(d: np.ndarray, k: int) -> np.ndarray:
        others = [(inputs[j], x) for j, x in enumerate(operands) if j != k]
        known = output + "".join(indices for indices, _ in others)
        # An index of this operand alone was summed over: its gradient repeats along it.
        lone = [(i, n) for i, n in zip(inputs[k], operands[k].shape, strict=True) if i not in known]
        others += [(i, np.ones(n, operands[k].dtype)) for i, n in lone]
        left = ",".join([output, *(indices for indices, _ in others)])
        return np.einsum(f"{left}->{inputs[k]}", d, *(x for _, x in others))

    return out, lambda d: tuple(gradient(d, k) for k in range(len(operands)))


def _indices(subscripts: str, n: int) -> tuple[list[str], str]:
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != n or "." in subscripts or any(len(set(i)) < len(i) for i in inputs):
        raise ValueError(
            f"subscripts = {subscripts!r} for {n} operands; wanted one group of letters for each, "
            "no letter twice in a group, and no ellipsis"
        )
    once = sorted(i for i in set(left) - {","} if left.count(i) == 1)
    return inputs, output if arrow else "".join(once)


def _check_lengths(inputs: list[str], operands: tuple[np.ndarray, ...]) -> None:
    lengths: dict[str, int] = {}
    for k, (indices, x) in enumerate(zip(inputs, operands, strict=True)):
        if len(indices) != x.ndim:
            raise ValueError(
                f"operands[{k}] has shape {x.shape}; {indices!r} wants {len(indices)} axes"
            )
        for i, n in zip(indices, x.shape, strict=True):
            if lengths.setdefault(i, n) != n:
                raise ValueError(
                    f"operands[{k}] has shape {x.shape}; index {i} is {lengths[i]} long before"
                )
