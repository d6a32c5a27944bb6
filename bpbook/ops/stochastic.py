"""Randomness in a network. The random numbers are an argument, so that the op itself is pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.ops import _check


def dropout(a: np.ndarray, mask: np.ndarray, rate: float) -> tuple[np.ndarray, Callable]:
    """out = a ⊙ mask / (1 − rate): what is kept grows, so that the mean over masks is a.

    a: any shape; mask: a's shape, 1 (kept) or 0 (dropped), from :func:`dropout_mask`, a constant;
    rate: the probability of being dropped, 0 ≤ rate < 1. vjp: dout -> da, through the same mask.
    This is inverted dropout, PyTorch's; Srivastava et al. (2014) scale at test time instead.
    Evaluation leaves a as it is. Raises ValueError when the mask's shape is not a's, or for a rate
    outside [0, 1).
    """
    _check.floating("a", a)
    _check.rate(rate)
    rate = _check.as_python(rate)
    if np.shape(mask) != a.shape:
        raise ValueError(f"mask has shape {np.shape(mask)}; a has shape {a.shape}, wanted the same")
    return a * mask / (1 - rate), lambda d: d * mask / (1 - rate)


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float) -> np.ndarray:
    """Draw a mask for :func:`dropout`: booleans, each False with probability ``rate``."""
    _check.rate(rate)
    return rng.random(shape, dtype=np.float32) >= np.float32(rate)
