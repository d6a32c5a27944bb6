"""Gradient descent, with and without a velocity. Each step costs two to four passes over theta."""

from __future__ import annotations

import numpy as np

from .base import Optimizer, Setting


class SGD(Optimizer):
    """Gradient descent, stochastic when the gradient is a mini-batch's (E2.3.1-a, -b, -c).

    θ ← θ − η g
    """

    def __init__(self, learning_rate: float, *, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay)

    def _rule(self, theta, g, s):
        theta -= np.multiply(g, self.learning_rate, out=s)


class Momentum(Optimizer):
    """The heavy ball (Polyak 1964; E2.3.2-a, -b).

    v ← μ v + η g
    θ ← θ − v

    PyTorch keeps η outside, v ← μ v + g and θ ← θ − η v: the same steps as long as η stays the
    same. When η changes, here the old velocity keeps the rate at which it was gathered.
    """

    vectors = ("v",)
    momentum = Setting(below=1)

    def __init__(
        self, learning_rate: float, momentum: float = 0.9, *, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)

    def _rule(self, theta, g, s, v):
        v *= self.momentum
        v += np.multiply(g, self.learning_rate, out=s)
        theta -= v


class Nesterov(Momentum):
    """Nesterov's accelerated gradient (Nesterov 1983; E2.3.2-d, -e, as Sutskever et al. 2013).

    v ← μ v + η ∇L(θ − μ v)
    θ ← θ − v

    Its gradient is taken ahead, at θ − μ v. So that `step` needs one gradient only, the vector it
    moves *is* that point: with φ = θ − μ v the two lines become

    v ← μ v + η ∇L(φ)
    φ ← φ − μ v − η ∇L(φ)

    and φ is what you hold and differentiate; θ = φ + μ v. PyTorch's `nesterov=True` is this rule,
    with η outside of v as in `Momentum`.
    """

    def _rule(self, theta, g, s, v):
        np.multiply(g, self.learning_rate, out=s)
        v *= self.momentum
        v += s
        theta -= s
        theta -= np.multiply(v, self.momentum, out=s)
