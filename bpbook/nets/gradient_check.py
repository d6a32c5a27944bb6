"""Compare a gradient with central differences, component by component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GradientReport:
    """What :func:`check_gradient` found.

    analytic, numeric: the two gradients, flat. error: |analytic − numeric| as a fraction of what is
    allowed (above 1, or NaN, is a failure). names: of the components. worst: the index of the
    largest error.
    """

    analytic: np.ndarray
    numeric: np.ndarray
    error: np.ndarray
    names: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return bool((self.error <= 1).all())

    @property
    def worst(self) -> int:
        return int(np.argmax(np.where(np.isnan(self.error), np.inf, self.error)))

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        n, bad = len(self.error), int((~(self.error <= 1)).sum())
        if self.ok:
            return f"gradient agrees with central differences in all {n} components"
        i = self.worst
        return (
            f"gradient is wrong in {bad} of {n} components; worst is {self.names[i]}: "
            f"given {self.analytic[i]:.6g}, central difference {self.numeric[i]:.6g}"
        )

    __repr__ = __str__


def check_gradient(
    f: Callable[[np.ndarray], float],
    theta: np.ndarray,
    grad: np.ndarray,
    names: Sequence[str] | None = None,
    rtol: float | None = None,
) -> GradientReport:
    """Check ``grad`` against (f(θ + h e_i) − f(θ − h e_i)) / 2h for each component i.

    f: takes an array like theta to a number. theta: any shape; integers are read as float64,
    float32 stays float32; it is never modified. names: one per component (default θ[i]). rtol: the
    relative difference allowed besides what rounding explains (default 50·u^(2/3), u the unit of
    the dtype).

    The step is h = u^(1/3)·max(1, |θ_i|), where the rounding error u|f|/h and the error of the
    formula, of order h², balance (chapter 9). Allowed is rtol·max(|given|, |numeric|, h) +
    4u·max|f|/h. A NaN fails. Raises ValueError when grad or names do not match theta.
    """
    point = _float_copy(theta)
    analytic = np.array(grad, dtype=np.float64)
    if analytic.shape != point.shape:
        raise ValueError(f"grad has shape {analytic.shape}; theta has shape {point.shape}")
    if names is None:
        names = [f"theta{list(i) or ''}" for i in np.ndindex(*point.shape)]
    if len(names) != point.size:
        raise ValueError(f"names has {len(names)} entries; theta has {point.size} components")
    u = float(np.finfo(point.dtype).eps)
    rtol = 50 * u ** (2 / 3) if rtol is None else rtol
    numeric, error = np.empty(point.size), np.empty(point.size)
    for i, given in enumerate(analytic.flat):
        numeric[i], h, scale = _central_difference(f, point, i)
        allowed = rtol * max(abs(given), abs(numeric[i]), h) + 4 * u * scale / h
        error[i] = abs(given - numeric[i]) / allowed
    return GradientReport(analytic.ravel(), numeric, error, tuple(names))


def numeric_gradient(f: Callable[[np.ndarray], float], theta: np.ndarray) -> np.ndarray:
    """Nudge each component up and down and look at f: central differences, of theta's shape."""
    point = _float_copy(theta)
    slopes = [_central_difference(f, point, i)[0] for i in range(point.size)]
    return np.array(slopes).reshape(point.shape)


def _float_copy(theta: np.ndarray) -> np.ndarray:
    theta = np.asarray(theta)
    return theta.astype(theta.dtype if theta.dtype.kind == "f" else np.float64)


def _central_difference(f: Callable, point: np.ndarray, i: int) -> tuple[float, float, float]:
    """The difference quotient at component i, the step taken, and the larger |f|."""
    at = point.flat[i]
    up, down = point.copy(), point.copy()
    h = float(np.finfo(point.dtype).eps) ** (1 / 3) * max(1.0, abs(float(at)))
    up.flat[i], down.flat[i] = at + h, at - h
    width = float(up.flat[i]) - float(down.flat[i])  # what was added, after rounding
    f_up, f_down = float(f(up)), float(f(down))
    return (f_up - f_down) / width, width / 2, max(abs(f_up), abs(f_down))
