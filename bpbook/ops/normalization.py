"""Normalization: mean 0 and variance 1, over the batch or over a row, then a learned affine map."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bpbook.ops import _check

Op = tuple[np.ndarray, Callable]
Observer = Callable[[np.ndarray, np.ndarray], object]


def batch_norm(
    z: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    eps: float = 1e-5,
    observe: Observer | None = None,
) -> Op:
    """out = γ ẑ + β with ẑ = (z − mean)/s, s = √(variance + eps), statistics of the batch.

    z: (m, n), statistics per column, or (m, c, h, w), per channel; gamma, beta: (n,) or (c,). The
    statistics depend on every sample, and the vjp goes through them (Ioffe & Szegedy 2015, §3):
    dout -> dγ = Σ dout ẑ, dβ = Σ dout and dz = (γ/s)(dout − dβ/N − ẑ dγ/N), N values per channel.

    observe: called with the mean and the variance that :func:`batch_statistics` gives, to make
    running averages of. Raises ValueError when the shapes do not fit, or N is 1.
    """
    _check.channels(z, gamma=gamma, beta=beta)
    axes = _all_but_channels(z)
    N, centered, mean, variance = _moments(z, axes)
    if N < 2:
        raise ValueError(
            f"z has shape {z.shape}: 1 value per channel, which is its own mean; batch statistics "
            "need at least 2"
        )
    if observe is not None:
        observe(mean.reshape(-1), variance.reshape(-1))
    gamma, s = _along_channels(gamma, z), np.sqrt(variance + _check.as_python(eps))
    z_hat = centered / s

    def vjp(d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dgamma = (d * z_hat).sum(axis=axes, keepdims=True)
        dbeta = d.sum(axis=axes, keepdims=True)
        dz = (gamma / s) * (d - dbeta / N - z_hat * (dgamma / N))
        return dz, dgamma.reshape(-1), dbeta.reshape(-1)

    return gamma * z_hat + _along_channels(beta, z), vjp


def batch_statistics(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (divided by the count N, not N − 1) of each column or channel.

    z: (m, n) or (m, c, h, w)  ->  mean, variance: (n,) or (c,).
    """
    _check.channels(z)
    *_, mean, variance = _moments(z, _all_but_channels(z))
    return mean.reshape(-1), variance.reshape(-1)


def batch_norm_inference(
    z: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    eps: float = 1e-5,
) -> Op:
    """The same with statistics that are given, for evaluation: an affine map of each channel.

    A sample's output no longer depends on the others. mean, variance: (n,) or (c,), constants.
    vjp: dout -> dz = (γ/s) dout, dγ, dβ.
    """
    _check.channels(z, gamma=gamma, beta=beta, mean=mean, variance=variance)
    axes = _all_but_channels(z)
    gamma, variance = _along_channels(gamma, z), _along_channels(variance, z)
    s = np.sqrt(variance + _check.as_python(eps))
    z_hat = (z - _along_channels(mean, z)) / s

    def vjp(d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (gamma / s) * d, (d * z_hat).sum(axis=axes), d.sum(axis=axes)

    return gamma * z_hat + _along_channels(beta, z), vjp


def layer_norm(z: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5) -> Op:
    """out = γ ⊙ ẑ + β with ẑ = (z − mean)/s, s = √(variance + eps), statistics of each row.

    z: (..., n), a row is the last axis; gamma, beta: (n,). It needs no batch, so training and
    evaluation are the same map (Ba, Kiros & Hinton 2016). vjp: dout -> dz, dγ = Σ dout ẑ,
    dβ = Σ dout, with dẑ = γ ⊙ dout and dz = (dẑ − mean(dẑ) − ẑ mean(dẑ ẑ))/s. Raises ValueError
    when the shapes do not fit.
    """
    _check.features(z, gamma=gamma, beta=beta)
    row, rows = (z.ndim - 1,), tuple(range(z.ndim - 1))
    n, centered, _, variance = _moments(z, row)
    s = np.sqrt(variance + _check.as_python(eps))
    z_hat = centered / s

    def vjp(d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dz_hat = gamma * d
        mean = dz_hat.sum(axis=row, keepdims=True) / n
        along = (dz_hat * z_hat).sum(axis=row, keepdims=True) / n
        return (dz_hat - mean - z_hat * along) / s, (d * z_hat).sum(axis=rows), d.sum(axis=rows)

    return gamma * z_hat + beta, vjp


def _moments(z: np.ndarray, axes: tuple[int, ...]) -> tuple:
    """How many entries share a mean, z − mean, the mean and the variance; axes kept."""
    n = math.prod(z.shape[i] for i in axes)
    mean = z.sum(axis=axes, keepdims=True) / n
    centered = z - mean
    return n, centered, mean, (centered * centered).sum(axis=axes, keepdims=True) / n


def _all_but_channels(z: np.ndarray) -> tuple[int, ...]:
    return (0, *range(2, z.ndim))


def _along_channels(values: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(c,) as (c,) or (c, 1, 1), which broadcasts along the channels of z."""
    return values.reshape((-1,) + (1,) * (z.ndim - 2))
