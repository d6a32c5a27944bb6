"""A rate of its own for each parameter, from the squares of its gradients: AdaGrad and RMSProp.

Squares, roots and quotients are entry by entry. Both divide by √G + ε, as Adam does and PyTorch.
With √(G + ε), as some texts print it, ε = 10⁻⁸ acts like 10⁻⁴ (E2.3.3-b, -d).
"""

from __future__ import annotations

import numpy as np

from .base import Optimizer, Setting, average


class AdaGrad(Optimizer):
    """AdaGrad (Duchi, Hazan & Singer 2011; E2.3.3-a, -b).

    G ← G + g²
    θ ← θ − η g / (√G + ε)
    """

    vectors = ("G",)
    eps = Setting(positive=True)

    def __init__(
        self, learning_rate: float = 0.01, *, eps: float = 1e-10, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate=learning_rate, eps=eps, weight_decay=weight_decay)

    def _rule(self, theta, g, s, G):
        G += np.multiply(g, g, out=s)
        scaled_step(theta, g, G, self.learning_rate, self.eps, s)


class RMSProp(Optimizer):
    """RMSProp (Hinton's lecture 6e, 2012; E2.3.3-c, -d).

    G ← γ G + (1 − γ) g²
    θ ← θ − η g / (√G + ε)

    G starts at 0 and nothing corrects for it, so the first step is η/√(1 − γ) in each parameter.
    The lecture has γ = 0.9; PyTorch's default is 0.99.
    """

    vectors = ("G",)
    gamma = Setting(below=1)
    eps = Setting(positive=True)

    def __init__(
        self,
        learning_rate: float = 0.01,
        gamma: float = 0.9,
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"learning_rate": learning_rate, "gamma": gamma, "eps": eps}
        super().__init__(**settings, weight_decay=weight_decay)

    def _rule(self, theta, g, s, G):
        average(G, np.multiply(g, g, out=s), self.gamma, s)
        scaled_step(theta, g, G, self.learning_rate, self.eps, s)


def scaled_step(theta, g, G, rate, eps, s):
    """θ ← θ − rate · g / (√G + ε), in place; s is scratch."""
    np.sqrt(G, out=s)
    s += eps
    np.divide(g, s, out=s)
    s *= rate
    theta -= s
