"""Toy sets in the plane: every point, and the boundary that a network learns, can be drawn.

All are seeded: the same arguments give the same points. `rng` is a seed or a NumPy Generator.
Row i belongs to class i mod K, so the classes differ in size by at most one.
"""

import math

import numpy as np

from bpbook.ops import _check

from .dataset import TEST_EVERY, Dataset, split


def moons(n: int = 500, noise: float = 0.1, rng: int | np.random.Generator = 0) -> Dataset:
    """Draw two interleaved half circles of radius 1: X (m, 2), Y (m, 2).

    `n` counts all points, training and test; `noise` is the standard deviation of the Gaussian
    noise added to each coordinate.
    """
    rng, labels = _start(n, 2, noise, rng)
    angle = math.pi * rng.random(n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.array([1.0, 0.5]) - upper
    return _finish(np.where(labels[:, None] == 0, upper, lower), labels, noise, rng)


def spirals(
    n: int = 500,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.02,
    rng: int | np.random.Generator = 0,
) -> Dataset:
    """Draw `classes` spiral arms that wind `turns` times round the origin: X (m, 2), Y (m, K).

    Each arm runs from the centre to radius 1. `n` counts all points, training and test.
    """
    _check.positive("turns", turns)
    rng, labels = _start(n, classes, noise, rng)
    radius = np.sqrt(rng.random(n))  # an arm of radius r is about r² long: even spacing
    angle = 2 * math.pi * (turns * radius + labels / classes)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _finish(X, labels, noise, rng)


def blobs(
    n: int = 500, classes: int = 3, noise: float = 0.3, rng: int | np.random.Generator = 0
) -> Dataset:
    """Draw one round Gaussian cloud per class: X (m, 2), Y (m, K).

    The centres are spread evenly on the unit circle, and `noise` is the standard deviation of a
    cloud. `n` counts all points, training and test.
    """
    rng, labels = _start(n, classes, noise, rng)
    angle = 2 * math.pi * labels / classes
    return _finish(np.stack([np.cos(angle), np.sin(angle)], axis=1), labels, noise, rng)


def circles(n: int = 500, noise: float = 0.1, rng: int | np.random.Generator = 0) -> Dataset:
    """Draw a circle of radius 1/2 inside one of radius 1: X (m, 2), Y (m, 2).

    `n` counts all points, training and test.
    """
    rng, labels = _start(n, 2, noise, rng)
    angle = 2 * math.pi * rng.random(n)
    radius = np.where(labels == 0, 0.5, 1.0)[:, None]
    return _finish(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), labels, noise, rng)


def xor(n: int = 500, noise: float = 0.1, rng: int | np.random.Generator = 0) -> Dataset:
    """Draw points of the square [−1, 1]², class 1 where x and y differ in sign: X (m, 2), Y (m, 2).

    Without noise no point is closer to an axis than 0.1. `n` counts all points, training and test.
    """
    rng, labels = _start(n, 2, noise, rng)
    x, y = rng.uniform(0.1, 1, (2, n))
    side = rng.choice([-1, 1], n)
    other = np.where(labels == 0, side, -side)
    return _finish(np.stack([side * x, other * y], axis=1), labels, noise, rng)


def _start(n, classes, noise, rng) -> tuple[np.random.Generator, np.ndarray]:
    """Check the arguments; return the generator and the labels 0, 1, ..., K-1, 0, 1, ..."""
    _check.whole("classes", classes, least=2)
    _check.whole("n", n, least=TEST_EVERY * classes)
    _check.number("noise", noise)
    return np.random.default_rng(rng), np.arange(n) % classes


def _finish(X, labels, noise, rng) -> Dataset:
    return split(X + noise * rng.standard_normal(X.shape), labels, int(labels.max()) + 1)
