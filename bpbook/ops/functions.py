"""The elementary functions of calculus, entry by entry: z of any shape to a of z's shape.

vjp takes da to dz, both of z's shape. Outside a function's domain NumPy gives NaN or infinity, and
so do these. All raise ValueError when z is not an array of floats.
"""

from __future__ import annotations

import math

import numpy as np

from bpbook.ops import _check
from bpbook.ops.elementwise import Vjp, erf_like

LN2, LN10 = math.log(2), math.log(10)
ROOT_PI = math.sqrt(math.pi)


def cos(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = cos z, with derivative −sin z."""
    _check.floating("z", z)
    return np.cos(z), lambda da: -da * np.sin(z)


def tan(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = tan z, with derivative 1 + a²."""
    _check.floating("z", z)
    a = np.tan(z)
    return a, lambda da: da * (1 + a * a)


def arcsin(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = arcsin z, with derivative 1/√(1 − z²)."""
    _check.floating("z", z)
    return np.arcsin(z), lambda da: da / np.sqrt(1 - z * z)


def arccos(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = arccos z, with derivative −1/√(1 − z²)."""
    _check.floating("z", z)
    return np.arccos(z), lambda da: -da / np.sqrt(1 - z * z)


def arctan(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = arctan z, with derivative 1/(1 + z²)."""
    _check.floating("z", z)
    return np.arctan(z), lambda da: da / (1 + z * z)


def sinh(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = sinh z, with derivative cosh z."""
    _check.floating("z", z)
    return np.sinh(z), lambda da: da * np.cosh(z)


def cosh(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = cosh z, with derivative sinh z."""
    _check.floating("z", z)
    return np.cosh(z), lambda da: da * np.sinh(z)


def expm1(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = eᶻ − 1, exact for small z, with derivative a + 1."""
    _check.floating("z", z)
    a = np.expm1(z)
    return a, lambda da: da * (a + 1)


def exp2(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = 2ᶻ, with derivative a log 2."""
    _check.floating("z", z)
    a = np.exp2(z)
    return a, lambda da: da * a * LN2


def log(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = log z, natural, with derivative 1/z."""
    _check.floating("z", z)
    return np.log(z), lambda da: da / z


def log1p(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = log(1 + z), exact for small z, with derivative 1/(1 + z)."""
    _check.floating("z", z)
    return np.log1p(z), lambda da: da / (1 + z)


def log2(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = log₂ z, with derivative 1/(z log 2)."""
    _check.floating("z", z)
    return np.log2(z), lambda da: da / (z * LN2)


def log10(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = log₁₀ z, with derivative 1/(z log 10)."""
    _check.floating("z", z)
    return np.log10(z), lambda da: da / (z * LN10)


def sqrt(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = √z, with derivative 1/(2a)."""
    _check.floating("z", z)
    a = np.sqrt(z)
    return a, lambda da: da / (2 * a)


def reciprocal(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = 1/z, with derivative −a²."""
    _check.floating("z", z)
    a = np.reciprocal(z)
    return a, lambda da: -da * a * a


def absolute(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = |z|, with derivative −1, 0 or 1, the sign of z."""
    _check.floating("z", z)
    return np.absolute(z), lambda da: da * np.sign(z)


def negative(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = −z."""
    _check.floating("z", z)
    return -z, lambda da: -da


def erf(z: np.ndarray) -> tuple[np.ndarray, Vjp]:
    """a = erf z = 2/√π ∫₀ᶻ e^(−t²) dt, with derivative 2/√π e^(−z²)."""
    _check.floating("z", z)
    return erf_like(z), lambda da: da * (2 / ROOT_PI) * np.exp(-z * z)
