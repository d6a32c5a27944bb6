"""Optimizers side by side on a landscape: the simulation behind :class:`OptimizerRace`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.theory.landscapes import Landscape
from bpbook.training import optimizers
from bpbook.training.optimizers import Optimizer

LIMIT = 500  # steps
FAR = 1e6  # a coordinate beyond it, or not finite, is diverged

Maker = Callable[[float, float], Optimizer]


def _muon(learning_rate: float, momentum: float) -> Optimizer:
    # The point as one column: orthogonalised it has length 0.7, which Muon takes √2 times.
    return optimizers.Muon(learning_rate, lambda flat: [flat], momentum)


#: (learning rate, momentum μ or Adam's and Lion's β₁) -> optimizer; the rest as it comes.
OPTIMIZERS: dict[str, Maker] = {
    "SGD": lambda eta, mu: optimizers.SGD(eta),
    "Momentum": optimizers.Momentum,
    "Nesterov": optimizers.Nesterov,
    "AdaGrad": lambda eta, mu: optimizers.AdaGrad(eta),
    "RMSProp": lambda eta, mu: optimizers.RMSProp(eta),
    "Adam": optimizers.Adam,
    "AdamW": optimizers.AdamW,
    "AMSGrad": optimizers.AMSGrad,
    "Nadam": optimizers.Nadam,
    "Lion": optimizers.Lion,
    "Muon": _muon,
}


class Racer:
    """One optimizer on its way. points: (LIMIT + 1, 2) and losses: (LIMIT + 1,), NaN from ``end``.

    end: how many points it has. diverged: the step at which it went out of sight, or None.
    """

    def __init__(self, name: str, optimizer: Optimizer, start: np.ndarray) -> None:
        self.name, self.optimizer = name, optimizer
        self.points = np.full((LIMIT + 1, 2), np.nan)
        self.losses = np.full(LIMIT + 1, np.nan)
        self.points[0] = start
        self.end = 1
        self.diverged: int | None = None

    @property
    def at(self) -> np.ndarray:
        return self.points[self.end - 1]

    @property
    def loss(self) -> float:
        return float(self.losses[self.end - 1])

    def step(self, grad: np.ndarray) -> None:
        theta = self.optimizer.step(self.at.copy(), grad)
        if np.abs(theta).max() < FAR:  # False for NaN
            self.points[self.end] = theta
            self.end += 1
        else:
            self.diverged = self.end


class Race:
    """Chosen optimizers from one start, in step. start: (2,), moved into the landscape's window."""

    def __init__(
        self,
        landscape: Landscape,
        names: tuple[str, ...],
        learning_rate: float,
        momentum: float,
        start: tuple[float, float],
    ) -> None:
        self.landscape, self.learning_rate, self.momentum = landscape, learning_rate, momentum
        self.start = np.clip(start, *np.transpose(landscape.window)) + 0.0
        self.curvature = steepest_curvature(landscape)
        makers = {name: OPTIMIZERS[name](learning_rate, momentum) for name in names}
        self.racers = [Racer(name, made, self.start) for name, made in makers.items()]
        self.steps = 0
        self._measure()

    @property
    def running(self) -> list[Racer]:
        return [racer for racer in self.racers if racer.diverged is None]

    @property
    def finished(self) -> bool:
        return self.steps == LIMIT or not self.running

    @property
    def limits(self) -> dict[str, float]:
        """The learning rate up to which a rule can settle in the minimum, by name.

        On a quadratic of curvature λ the rule is linear, and its roots stay inside the unit circle
        for η < 2/λ (SGD), 2(1 + μ)/λ (momentum) and 2(1 + μ)/(λ(1 + 2μ)) (Nesterov).
        """
        mu, unit = self.momentum, 2 / self.curvature
        return {
            "SGD": unit,
            "Momentum": unit * (1 + mu),
            "Nesterov": unit * (1 + mu) / (1 + 2 * mu),
        }

    def stable(self, rule: str) -> bool:
        """Whether the learning rate is below the rule's limit, not at it but for rounding."""
        return self.learning_rate < (1 - 1e-9) * self.limits[rule]

    def step(self) -> None:
        if self.finished:
            return
        with np.errstate(all="ignore"):
            for racer, grad in zip(self.running, self._slopes, strict=True):
                racer.step(grad)
        self.steps += 1
        self._measure()

    def _measure(self) -> None:
        """The loss where each one is now, and the gradient for its next step."""
        if not self.running:
            return
        with np.errstate(all="ignore"):
            values, vjp = self.landscape.op(np.array([racer.at for racer in self.running]))
            self._slopes = vjp(np.ones(len(values)))
        for racer, value in zip(self.running, values, strict=True):
            racer.losses[racer.end - 1] = value


def steepest_curvature(landscape: Landscape) -> float:
    """The largest eigenvalue of the Hessian at the minimum.

    By complex step: Im ∇L(x + ih eⱼ)/h is column j of the Hessian up to h², with no difference
    that could cancel.
    """
    h = 1e-20
    at = np.array(landscape.minimum) + 1j * h * np.eye(2)
    gradients = landscape.op(at)[1](np.ones(2))
    return float(np.linalg.eigvalsh(gradients.imag / h).max())
