"""Compare a gradient with differences: component by component, or along random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bpbook.ops import _check

# h f'(0) ≈ Σ weight·f(kh) over k = ±1: exact for polynomials of degree 2.
CENTRAL = {-1: -1 / 2, 1: 1 / 2}
# h f'(0) ≈ Σ weight·f(kh) over k = ±1, ±2: exact for polynomials of degree 4.
FOURTH_ORDER = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}


@dataclass(frozen=True)
class _Report:
    """error: of each thing compared, as a fraction of what is allowed; above 1, or NaN, fails."""

    error: np.ndarray

    @property
    def ok(self) -> bool:
        return bool((self.error <= 1).all())

    @property
    def worst(self) -> int:
        """The index of the largest error."""
        return int(np.argmax(np.where(np.isnan(self.error), np.inf, self.error)))

    def __bool__(self) -> bool:
        return self.ok

    def _count(self) -> str:
        return f"{int((~(self.error <= 1)).sum())} of {len(self.error)}"


@dataclass(frozen=True, repr=False)
class GradientReport(_Report):
    """What :func:`check_gradient` found.

    error: |analytic − numeric| as a fraction of what is allowed (above 1, or NaN, is a failure).
    analytic, numeric: the two gradients, flat. names: of the components.
    """

    analytic: np.ndarray
    numeric: np.ndarray
    names: tuple[str, ...]

    def __repr__(self) -> str:
        if self.ok:
            n = len(self.error)
            return f"gradient agrees with central differences in all {n} components"
        i = self.worst
        return (
            f"gradient is wrong in {self._count()} components; worst is {self.names[i]}: "
            f"given {self.analytic[i]:.6g}, central difference {self.numeric[i]:.6g}"
        )


@dataclass(frozen=True, repr=False)
class DirectionReport(_Report):
    """What :func:`check_directions` found.

    error: |⟨u, Jv⟩ − ⟨Jᵀu, v⟩| as a fraction of what is allowed, for each direction. forward:
    ⟨u, Jv⟩, by differences; reverse: ⟨Jᵀu, v⟩, by the vjp.
    """

    forward: np.ndarray
    reverse: np.ndarray

    @property
    def relative_error(self) -> float:
        """An estimate of ‖Jacobian of the vjp − J‖ / ‖J‖ (Frobenius), from the few directions."""
        gap, size = (float((x**2).mean()) for x in (self.forward - self.reverse, self.forward))
        return float(np.sqrt(gap / size)) if size else float(gap > 0)

    def __repr__(self) -> str:
        if self.ok:
            return f"⟨u, Jv⟩ = ⟨Jᵀu, v⟩ in all {len(self.error)} random directions"
        i = self.worst
        return (
            f"vjp is wrong in {self._count()} random directions, by about "
            f"{self.relative_error:.1g} of its size; worst: ⟨u, Jv⟩ is {self.forward[i]:.6g}, "
            f"⟨Jᵀu, v⟩ is {self.reverse[i]:.6g}"
        )


def check_gradient(
    f: Callable[[np.ndarray], float],
    theta: np.ndarray,
    grad: np.ndarray,
    names: Sequence[str] | None = None,
    rtol: float | None = None,
    step: float | None = None,
) -> GradientReport:
    """Check ``grad`` against (f(θ + h e_i) − f(θ − h e_i)) / 2h for each component i.

    f: takes an array like theta to a number. theta: any shape; integers are read as float64,
    float32 stays float32; it is never modified. names: one per component (default θ[i]). rtol: the
    relative difference allowed besides what rounding explains. step: h is this times max(1, |θ_i|);
    a smaller one straddles fewer kinks.

    With u the gap between 1 and the next number of theta's dtype, rtol is 50·u^(2/3) by default and
    step u^(1/3), where the rounding error of f over h and the error of the formula, of order h²,
    balance (chapter 9). Allowed is rtol·max(|given|, |numeric|, h) + 4u·max|f|/h. A component that
    fails is measured once more by the formula of fourth order, with points at ±h and ±2h: where f
    bends much, as tanh(30 x) does, or is small, as x³ near 0, the fault was the formula's. A NaN
    fails.
    Raises ValueError when grad or names do not match theta, theta or grad is complex, f returns no
    number, rtol or step is not positive, or step is too small to move θ_i.
    """
    point = _float_copy(theta)
    analytic = _float_copy(grad, "grad").astype(np.float64)
    if analytic.shape != point.shape:
        raise ValueError(f"grad has shape {analytic.shape}; theta has shape {point.shape}")
    if names is None:
        names = [f"theta{list(i) or ''}" for i in np.ndindex(*point.shape)]
    if len(names) != point.size:
        raise ValueError(f"names has {len(names)} entries; theta has {point.size} components")
    u = _unit(point)
    rtol = _positive("rtol", rtol, 50 * u ** (2 / 3))

    def compare(i: int, given: float, weights: dict[int, float]) -> tuple[float, float]:
        numeric, h, scale = _difference(f, point, i, weights, step)
        allowed = rtol * max(abs(given), abs(numeric), h) + 4 * u * scale / h
        return numeric, abs(given - numeric) / allowed

    numeric, error = np.empty(point.size), np.empty(point.size)
    for i, given in enumerate(analytic.flat):
        numeric[i], error[i] = compare(i, given, CENTRAL)
        if not error[i] <= 1 and (finer := compare(i, given, FOURTH_ORDER))[1] <= 1:
            numeric[i], error[i] = finer
    return GradientReport(error, analytic.ravel(), numeric, tuple(names))


def numeric_gradient(f: Callable[[np.ndarray], float], theta: np.ndarray) -> np.ndarray:
    """Nudge each component up and down and look at f: central differences, of theta's shape."""
    point = _float_copy(theta)
    slopes = [_difference(f, point, i)[0] for i in range(point.size)]
    return np.array(slopes).reshape(point.shape)


def complex_step(f: Callable[[np.ndarray], complex], theta: np.ndarray) -> np.ndarray:
    """Im f(θ + ih e_i) / h for each component i: the gradient, exact to rounding.

    Nothing is subtracted, so nothing cancels, and h can be so small that the error of the formula,
    of order h², is lost in rounding (Squire & Trapp 1998); h² is here the smallest normal number.
    f must be analytic near theta and written for complex numbers: no absolute value, norm,
    conjugate or ``.real``; a comparison must look at real parts, as ``np.maximum`` does. Raises
    TypeError when f returns a real number, for it has then dropped the imaginary part.
    """
    point = _float_copy(theta)
    h = np.sqrt(np.finfo(point.dtype).tiny)
    slopes = np.empty(point.size)
    for i in range(point.size):
        moved = point.astype(np.result_type(point.dtype, np.complex64))
        moved.flat[i] += 1j * h
        value = f(moved)
        if not np.iscomplexobj(value):
            raise TypeError(f"f returned the real number {value} for a complex theta")
        slopes[i] = np.imag(value) / h
    return slopes.reshape(point.shape)


def check_directions(
    op: Callable[..., tuple[np.ndarray, Callable]],
    *arguments: np.ndarray,
    rng: np.random.Generator | int = 0,
    directions: int = 3,
    rtol: float | None = None,
    step: float | None = None,
) -> DirectionReport:
    """Check an op's vjp by ⟨u, Jv⟩ = ⟨Jᵀu, v⟩ for random u and v, however many numbers it takes.

    op: takes ``arguments`` to (out, vjp), as those of ``bpbook.ops`` and ``MLP.op`` do; vjp(u) is
    compared for every argument, so bind the others before (``lambda W: affine(a, W, b)``). A
    direction takes 5 evaluations of op and one of vjp. Integers are read as float64.

    Jv is a difference of fourth order along a v of norm about 1 (more where an argument's entries
    are larger), with steps h and 2h. By default h is u^(1/5); take 1e-7 for a net of ReLUs in
    float64, or the steps straddle kinks. Allowed is rtol (default as in :func:`check_gradient`)
    times what ⟨Jᵀu, v⟩ is typically, and 4u Σ|u out|/h for rounding. An error in few entries shows
    only if it is that large beside the *whole* Jacobian. A NaN fails. Raises ValueError when vjp's
    results do not match the arguments, an argument is complex, ``directions`` is under 1, rtol or
    step is not positive, or step is too small to move anything.
    """
    _check.whole("directions", directions)
    points, rng = [_float_copy(x, "an argument") for x in arguments], np.random.default_rng(rng)
    rows = [_one_direction(op, points, rng, rtol, step) for _ in range(directions)]
    return DirectionReport(*np.array(rows).T)


def _one_direction(
    op: Callable,
    points: list[np.ndarray],
    rng: np.random.Generator,
    rtol: float | None,
    step: float | None,
) -> tuple[float, float, float]:
    """(error, ⟨u, Jv⟩, ⟨Jᵀu, v⟩) for one random u and v."""
    out, vjp = op(*points)
    unit = _unit(np.asarray(out))
    h = _positive("step", step, unit ** (1 / 5))
    seed = rng.normal(size=np.shape(out)).astype(np.asarray(out).dtype)
    moves = _direction(points, rng)
    forward, v = 0.0, [0.0] * len(points)
    for k, weight in FOURTH_ORDER.items():
        moved = [(x + k * h * d).astype(x.dtype) for x, d in zip(points, moves, strict=True)]
        forward += weight / h * _inner(seed, op(*moved)[0])
        # The same difference of the points themselves: the v that was really taken, after rounding.
        v = [
            vi + weight / h * (y - x.astype(np.float64))
            for vi, x, y in zip(v, points, moved, strict=True)
        ]
    if step is not None and not any(map(np.any, v)):
        raise ValueError(f"step is {step!r}, too small to move the arguments")
    products = [g * vi for g, vi in zip(_gradients(vjp, seed, points), v, strict=True)]
    reverse = float(sum(p.sum() for p in products))
    typical = float(np.sqrt(sum((p**2).sum() for p in products)))
    rtol = _positive("rtol", rtol, 50 * unit ** (2 / 3))
    allowed = rtol * max(abs(forward), typical, h) + 4 * unit / h * _inner(abs(seed), abs(out))
    return abs(forward - reverse) / allowed, forward, reverse


def _direction(points: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Normal numbers, of norm about 1 in all for points of the size of 1."""
    n = sum(x.size for x in points)
    sizes = [max(1.0, float(np.sqrt((x.astype(np.float64) ** 2).mean()))) for x in points]
    return [rng.normal(size=x.shape) * s / n**0.5 for x, s in zip(points, sizes, strict=True)]


def _gradients(vjp: Callable, seed: np.ndarray, points: list[np.ndarray]) -> list[np.ndarray]:
    grads = vjp(seed)
    grads = list(grads) if isinstance(grads, tuple) else [grads]
    got, wanted = [np.shape(g) for g in grads], [x.shape for x in points]
    if got != wanted:
        raise ValueError(f"vjp returned shapes {got}; the arguments have shapes {wanted}")
    return grads


def _inner(x: np.ndarray, y: np.ndarray) -> float:
    return float((np.asarray(x, np.float64) * y).sum())


def _unit(x: np.ndarray) -> float:
    return float(np.finfo(x.dtype).eps)


def _positive(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    _check.positive(name, value)
    return value


def _float_copy(theta: np.ndarray, name: str = "theta") -> np.ndarray:
    theta = np.asarray(theta)
    if theta.dtype.kind == "c":
        raise ValueError(f"{name} has dtype {theta.dtype}; wanted real numbers")
    return theta.astype(theta.dtype if theta.dtype.kind == "f" else np.float64)


def _difference(
    f: Callable,
    point: np.ndarray,
    i: int,
    weights: dict[int, float] = CENTRAL,
    step: float | None = None,
) -> tuple[float, float, float]:
    """The difference quotient at component i, the step taken, and the largest |f|."""
    at = float(point.flat[i])
    h = _positive("step", step, _unit(point) ** (1 / 3)) * max(1.0, abs(at))
    rise, run, largest = 0.0, 0.0, 0.0
    for k, weight in weights.items():
        moved = point.copy()
        moved.flat[i] = at + k * h
        run += weight * float(moved.flat[i])  # what was added, after rounding
        value = _number(f(moved))
        rise, largest = rise + weight * value, max(largest, abs(value))
    if run == 0:
        raise ValueError(f"step is {step!r}, too small to move component {i} of theta, {at!r}")
    return rise / run, run, largest


def _number(value: object) -> float:
    try:
        return float(value)
    except TypeError:
        kind = type(value).__name__
        raise ValueError(f"f returned {kind} {value}; wanted one number") from None
