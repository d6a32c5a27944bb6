"""The landscapes of `bpbook.ops.landscapes`: where to start, what to show, where the minimum is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpbook import ops

Point = tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """A loss of two parameters.

    op: points (..., 2) -> (value (...), vjp). start: a point to start from that shows what is hard
    about it. minimum: the point of least value (of the saddle's two, the one on the start's side).
    window: (x from, x to), (y from, y to), a part of the plane with both in it.
    """

    name: str
    op: Callable
    start: Point
    minimum: Point
    window: tuple[Point, Point]


LANDSCAPES = {
    one.name: one
    for one in (
        Landscape("quadratic", ops.quadratic, (-4.0, 1.5), (0.0, 0.0), ((-5, 5), (-3, 3))),
        Landscape("ravine", ops.ravine, (-3.0, -2.0), (0.0, 0.0), ((-4, 4), (-3, 3))),
        Landscape("rosenbrock", ops.rosenbrock, (-1.2, 1.0), (1.0, 1.0), ((-2, 2), (-1, 3))),
        Landscape("beale", ops.beale, (1.0, 1.0), (3.0, 0.5), ((-1, 4), (-1.5, 2))),
        Landscape("saddle", ops.saddle, (-1.5, 0.001), (0.0, 1.0), ((-2, 2), (-1.5, 1.5))),
        Landscape("plateau", ops.plateau, (4.0, 3.0), (0.0, 0.0), ((-5, 5), (-4, 4))),
    )
}


def walk(optimizer, op: Callable, start: Point, steps: int) -> np.ndarray:
    """The points (steps + 1, n) that an optimizer visits on the op of one point, from `start`."""
    theta = np.array(start, float)
    path = [theta.copy()]
    for _ in range(steps):
        path.append(optimizer.step(theta, op(theta)[1](1.0)).copy())
    return np.array(path)
