"""Softmax and its relatives, along the last axis, with the shift that keeps eᶻ from overflowing.

The shift c = max(z) cancels from every result, so it is treated as a constant; the proof on symbols
leaves c free and shows that nothing depends on it. All raise ValueError when z is not an array of
floats with at least one entry in its last axis.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check

Vjp = Callable[[np.ndarray], np.ndarray]

# NumPy's max takes a row at a time, and over rows as short as this the start of each costs more
# than a transposed copy, in which a few long rows are compared with one another.
SHORT = 64


def _shift(z: np.ndarray) -> np.ndarray:
    _check.floating("z", z)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(f"z has shape {z.shape}; wanted (..., K) with K at least 1")
    if type(z) is np.ndarray and z.shape[-1] <= SHORT:
        return z.T.copy().max(axis=0).T[..., None]
    return z.max(axis=-1, keepdims=True)


def softmax(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """p_i = e^(z_i) / Σ_j e^(z_j) (E1.3.2-f).

    z: (..., K)  ->  p: (..., K). vjp: dp  ->  dz = p ⊙ (dp − ⟨dp, p⟩): the Jacobian
    diag(p) − p pᵀ is full (E1.3.2-j, E1.3.2-k), so each score moves every probability.
    """
    e = np.exp(z - _shift(z))
    p = e / e.sum(axis=-1, keepdims=True)
    return p, lambda dp: p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def log_softmax(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """log p_i = z_i − log Σ_j e^(z_j), finite where p itself underflows to 0.

    z: (..., K)  ->  (..., K). vjp: d  ->  d − p Σ_j d_j.
    """
    shifted = z - _shift(z)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p, lambda d: d - np.exp(log_p) * d.sum(axis=-1, keepdims=True)


def logsumexp(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """s = log Σ_j e^(z_j), a smooth maximum.

    z: (..., K)  ->  s: (...). vjp: ds (...)  ->  ds · softmax(z).
    """
    c = _shift(z)
    s = c + np.log(np.exp(z - c).sum(axis=-1, keepdims=True))
    return s[..., 0], lambda ds: np.exp(z - s) * np.expand_dims(ds, -1)
