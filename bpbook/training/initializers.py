"""Initial weights: each initializer is a function (rng, n_out, n_in) -> W, as `MLP` takes it.

W: (n_out, n_in), float64, with independent entries of mean 0 (but for `zeros` and `orthogonal`).
rng: a `numpy.random.Generator`. All raise ValueError for a width below 1. The names say the
variance of an entry, then its distribution:

    lecun   1/n_in             LeCun, Bottou, Orr & Müller (1998), §4.6
    xavier  2/(n_in + n_out)   Glorot & Bengio (2010), equations 12 and 16 (Q2.1.2-c)
    he      2/n_in             He, Zhang, Ren & Sun (2015), equation 10 (Q2.1.2-d)

A uniform distribution on ±√(3v) has variance v.
"""

from __future__ import annotations

import numpy as np

# A net needs one initializer for its default, and `nets` must not import `training`.
from bpbook.nets.base import Init, check_widths, lecun_normal
from bpbook.ops import _check

__all__ = [
    "Init",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "scaled",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def zeros(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Zeros: for biases. As weights they keep all units of a layer equal for ever."""
    check_widths(n_out, n_in)
    return np.zeros((n_out, n_in))


def lecun_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Uniform, variance 1/n_in: keeps the variance of a linear layer on the way forward."""
    check_widths(n_out, n_in)
    return _uniform(rng, n_out, n_in, 1 / n_in)


def xavier_normal(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Normal, variance 2/(n_in + n_out): between 1/n_in (forward) and 1/n_out (backward)."""
    check_widths(n_out, n_in)
    return _normal(rng, n_out, n_in, 2 / (n_in + n_out))


def xavier_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Uniform, variance 2/(n_in + n_out): the normalized initialization of Glorot & Bengio."""
    check_widths(n_out, n_in)
    return _uniform(rng, n_out, n_in, 2 / (n_in + n_out))


def he_normal(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Normal, variance 2/n_in: makes up for the half of the mean square that ReLU drops."""
    check_widths(n_out, n_in)
    return _normal(rng, n_out, n_in, 2 / n_in)


def he_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Uniform, variance 2/n_in."""
    check_widths(n_out, n_in)
    return _uniform(rng, n_out, n_in, 2 / n_in)


def orthogonal(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Orthonormal columns (n_out ≥ n_in) or rows, every direction equally likely.

    Saxe, McClelland & Ganguli (2014). A square one keeps every length, not only the mean one.
    """
    check_widths(n_out, n_in)
    tall = rng.standard_normal((max(n_out, n_in), min(n_out, n_in)))
    Q, R = np.linalg.qr(tall)
    Q *= np.where(np.diag(R) < 0, -1, 1)  # QR's choice of signs would favour some directions
    return Q if n_out >= n_in else Q.T


def scaled(init: Init, gain: float) -> Init:
    """``init`` with every weight times ``gain``, so with gain² times the variance.

    Raises ValueError for a gain that is no finite number.
    """
    _check.function("init", init, "he_normal")
    if not _check.is_number(gain):
        raise ValueError(f"gain is {gain!r}; wanted a finite number")

    def scaled_init(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
        return gain * init(rng, n_out, n_in)

    return scaled_init


def _normal(rng: np.random.Generator, n_out: int, n_in: int, variance: float) -> np.ndarray:
    return rng.normal(0, variance**0.5, (n_out, n_in))


def _uniform(rng: np.random.Generator, n_out: int, n_in: int, variance: float) -> np.ndarray:
    bound = (3 * variance) ** 0.5
    return rng.uniform(-bound, bound, (n_out, n_in))
