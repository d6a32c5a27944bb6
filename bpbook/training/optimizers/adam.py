"""Adam and its family: an average of gradients over the root of an average of their squares."""

from __future__ import annotations

import math

import numpy as np

from .adaptive import scaled_step
from .base import Optimizer, Setting, average


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1; E2.3.3-e to -h).

    m ← β₁ m + (1 − β₁) g,      m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²,     v̂ = v / (1 − β₂ᵗ)
    θ ← θ − η m̂ / (√v̂ + ε),     t = 1 at the first step

    PyTorch's `Adam` is the same. Its `weight_decay` too is added to the gradient, so it is divided
    by √v̂ like the rest; see `AdamW`.
    """

    vectors = ("m", "v")
    beta1 = Setting(below=1)
    beta2 = Setting(below=1)
    eps = Setting(positive=True)

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2, "eps": eps}
        super().__init__(**settings, weight_decay=weight_decay)

    def _rule(self, theta, g, s, m, v):
        average(m, g, self.beta1, s)
        average(v, np.multiply(g, g, out=s), self.beta2, s)
        self._adam_step(theta, m, v, 1 - self.beta1 ** self.state["t"], s)

    def _adam_step(self, theta, m, v, m_sum, s):
        """θ ← θ − η (m / m_sum) / (√v̂ + ε); both corrections are numbers, so they cost no pass:

        1 / (√(v/c) + ε) = √c / (√v + ε√c).
        """
        root = math.sqrt(1 - self.beta2 ** self.state["t"])
        scaled_step(theta, m, v, self.learning_rate * root / m_sum, self.eps * root, s)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    θ ← θ − η λ θ, then Adam's step, whose averages do not see λ θ.

    The paper multiplies λ θ by the schedule's factor only, not by η; PyTorch, and we, by η.
    """

    decoupled = True

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, eps=eps, weight_decay=weight_decay)


class AMSGrad(Adam):
    """Adam whose rate per parameter never rises (Reddi, Kale & Kumar 2018, algorithm 2).

    u ← max(u, v),   θ ← θ − η m̂ / (√û + ε)   with Adam's m and v, and û = u / (1 − β₂ᵗ)

    The paper has neither the two corrections nor ε; PyTorch's `amsgrad=True`, and we, keep them.
    """

    vectors = ("m", "v", "u")

    def _rule(self, theta, g, s, m, v, u):
        average(m, g, self.beta1, s)
        average(v, np.multiply(g, g, out=s), self.beta2, s)
        np.maximum(u, v, out=u)
        self._adam_step(theta, m, u, 1 - self.beta1 ** self.state["t"], s)


class Nadam(Adam):
    """Adam with Nesterov's look-ahead, after Dozat (2016), as PyTorch's `NAdam`.

    m and v as in Adam; with μₜ = β₁ (1 − ½ · 0.96^(ψt)) and Πₜ = μ₁ μ₂ ⋯ μₜ

    m̂ = μₜ₊₁ m / (1 − Πₜ₊₁) + (1 − μₜ) g / (1 − Πₜ)
    θ ← θ − η m̂ / (√v̂ + ε)

    ψ is `momentum_decay`; the state keeps the product Π as "mu_product". PyTorch keeps it in its
    default dtype, so in float32 when θ is float64.
    """

    momentum_decay = Setting()

    def __init__(
        self,
        learning_rate: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        eps: float = 1e-8,
        momentum_decay: float = 0.004,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum_decay = momentum_decay
        super().__init__(learning_rate, beta1, beta2, eps=eps, weight_decay=weight_decay)

    def mu(self, t: int) -> float:
        """The momentum μₜ of step t."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (self.momentum_decay * t))

    def _first_state(self):
        return super()._first_state() | {"mu_product": 1.0}

    def _advance(self):
        super()._advance()
        self.state["mu_product"] *= self.mu(self.state["t"])

    def _rule(self, theta, g, s, m, v):
        t, product = self.state["t"], self.state["mu_product"]
        mu, ahead = self.mu(t), self.mu(t + 1)
        average(m, g, self.beta1, s)
        average(v, np.multiply(g, g, out=s), self.beta2, s)
        self._adam_step(theta, g, v, (1 - product) / (1 - mu), s)
        if ahead:  # with β₁ = 0 the average has no weight
            self._adam_step(theta, m, v, (1 - product * ahead) / ahead, s)
