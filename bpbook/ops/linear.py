"""The affine map of a layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check


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
