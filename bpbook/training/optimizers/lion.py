"""Lion: every parameter moves by the same amount, up or down."""

from __future__ import annotations

import numpy as np

from .base import Optimizer, Setting, average


class Lion(Optimizer):
    """Lion, "evolved sign momentum" (Chen et al. 2023, algorithm 2); PyTorch has none.

    c = β₁ m + (1 − β₁) g
    θ ← θ − η sign(c) − η λ θ
    m ← β₂ m + (1 − β₂) g

    Every parameter moves by η (by nothing where c = 0), so η is set 3 to 10 times smaller than for
    Adam. Weight decay is decoupled.
    """

    vectors = ("m",)
    decoupled = True
    beta1 = Setting(below=1)
    beta2 = Setting(below=1)

    def __init__(
        self,
        learning_rate: float = 0.0001,
        beta1: float = 0.9,
        beta2: float = 0.99,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2}
        super().__init__(**settings, weight_decay=weight_decay)

    def _rule(self, theta, g, s, m):
        np.subtract(g, m, out=s)
        s *= 1 - self.beta1
        s += m  # c = m + (1 − β₁)(g − m)
        np.sign(s, out=s)
        s *= self.learning_rate
        theta -= s
        average(m, g, self.beta2, s)
