"""Functions of each entry alone, so that the Jacobian is diagonal and the vjp a product.

The activations, and ``sin``, ``exp`` and ``square`` for chains (chapter 1).

All take z of any shape and return a of z's shape and dtype; vjp takes da, of that shape, to dz.
All raise ValueError when z is not an array of floats. At a kink the derivative is the left one:
relu'(0) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bpbook.ops import _check

Vjp = Callable[[np.ndarray], np.ndarray]

# NumPy has no erf. frompyfunc makes Python's own into a ufunc, exact to the last bits.
erf = np.frompyfunc(math.erf, 1, 1)
ROOT_2, ROOT_2PI = math.sqrt(2), math.sqrt(2 * math.pi)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ᶻ), as e^(−log(1 + e⁻ᶻ)): no overflow, and full relative precision for z << 0."""
    return np.exp(-np.logaddexp(0, -z))


def erf_like(z: np.ndarray) -> np.ndarray:
    """erf z in z's dtype; frompyfunc gives objects, and for a single number a Python float."""
    value = erf(z)
    return value.astype(z.dtype) if hasattr(value, "astype") else np.asarray(value, z.dtype)


def identity(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = z, the activation of a regression's output."""
    _check.floating("z", z)
    return z, lambda da: da


def square(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = z², with derivative 2z."""
    _check.floating("z", z)
    return z * z, lambda da: da * (2 * z)


def sin(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = sin z, with derivative cos z."""
    _check.floating("z", z)
    return np.sin(z), lambda da: da * np.cos(z)


def exp(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = eᶻ, which is its own derivative."""
    _check.floating("z", z)
    a = np.exp(z)
    return a, lambda da: da * a


def sigmoid(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = 1 / (1 + e⁻ᶻ), with derivative a(1 − a) ≤ ¼."""
    _check.floating("z", z)
    a = _sigmoid(z)
    return a, lambda da: da * a * (1 - a)


def tanh(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = tanh z, with derivative 1 − a²."""
    _check.floating("z", z)
    a = np.tanh(z)
    return a, lambda da: da * (1 - a * a)


def _zeros_like(z: np.ndarray) -> np.ndarray:
    """Zeros in z's memory order: with the number 0, or another order, np.maximum is slower.

    np.zeros gets memory that is clear already, where np.zeros_like clears it.
    """
    if type(z) is np.ndarray and z.flags.c_contiguous:
        return np.zeros(z.shape, z.dtype)
    return np.zeros_like(z)


def relu(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = max(z, 0), with derivative 1 for z > 0 and 0 for z ≤ 0."""
    _check.floating("z", z)
    a = np.maximum(z, _zeros_like(z))
    return a, lambda da: da * (a > 0)


def leaky_relu(z: np.ndarray, slope: float = 0.01) -> tuple[np.ndarray, Vjp]:
    """a = z for z > 0 and slope·z for z ≤ 0 (Maas et al. 2013)."""
    _check.floating("z", z)
    slope = _check.as_python(slope)
    return np.where(z > 0, z, slope * z), lambda da: np.where(z > 0, da, slope * da)


def elu(z: np.ndarray, alpha: float = 1.0) -> tuple[np.ndarray, Vjp]:
    """a = z for z > 0 and alpha(eᶻ − 1) for z ≤ 0 (Clevert et al. 2016)."""
    _check.floating("z", z)
    alpha = _check.as_python(alpha)
    below = alpha * np.expm1(np.minimum(z, 0))  # the minimum keeps the unused side from overflowing
    a = np.where(z > 0, z, below)
    return a, lambda da: np.where(z > 0, da, da * (below + alpha))


def softplus(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = log(1 + eᶻ), whose derivative is the sigmoid."""
    _check.floating("z", z)
    return np.logaddexp(0, z), lambda da: da * _sigmoid(z)


def gelu(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = z Φ(z), Φ the normal distribution function, exact (Hendrycks & Gimpel 2016)."""
    _check.floating("z", z)
    cdf = (1 + erf_like(z / ROOT_2)) / 2
    return z * cdf, lambda da: da * (cdf + z * np.exp(-z * z / 2) / ROOT_2PI)


def silu(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = z·sigmoid(z), also called swish."""
    _check.floating("z", z)
    s = _sigmoid(z)
    return z * s, lambda da: da * s * (1 + z * (1 - s))
