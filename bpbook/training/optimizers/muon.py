"""Muon: momentum whose matrices are orthogonalised before they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from bpbook.ops import _check

from .base import Optimizer, Setting, average

#: Jordan's (a, b, c): singular values reach about 0.7 to 1.2 in 5 iterations, and stay there.
QUINTIC = (3.4445, -4.7750, 2.0315)
#: The classical iteration, X ← (3X − X XᵀX)/2: slower, but it converges to U Vᵀ.
CUBIC = (1.5, -0.5, 0.0)


def newton_schulz(
    G: np.ndarray,
    coefficients: tuple[float, float, float] = QUINTIC,
    iterations: int = 5,
    eps: float = 1e-7,
) -> np.ndarray:
    """About U Vᵀ for a matrix G = U S Vᵀ (n, k): every singular value becomes about 1.

    X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, from X = G / max(‖G‖, eps): an odd polynomial of X acts on
    the singular values alone, s ← a s + b s³ + c s⁵, and leaves U and V as they are.
    """
    a, b, c = coefficients
    wide = G.shape[0] <= G.shape[1]  # the smaller of X Xᵀ and XᵀX is the cheaper
    X = (G if wide else G.T) / max(float(np.linalg.norm(G)), eps)
    for _ in range(iterations):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X if wide else X.T


class Muon(Optimizer):
    """Muon, "momentum orthogonalized by Newton–Schulz" (Jordan et al. 2024).

    B ← μ B + (1 − μ) G
    O = orthogonalize(μ B + (1 − μ) G)
    W ← W − η λ W − η √max(1, n_out/n_in) O

    views: as a net's `net.views`, flat vector -> its parameters as arrays that share its memory, in
    lists or dictionaries however nested. Every one is a matrix here: a kernel (n_out, ...) is
    reshaped to n_out rows, and a bias (n,) is one column, whose U Vᵀ is the column divided by its
    norm. (Jordan gives biases, and often the first and last matrix, to Adam.) Both callables are
    code, not state: `state_dict` leaves them out.

    PyTorch's `Muon` is the same, on matrices only, and rounds the iteration to bfloat16.
    """

    vectors = ("B",)
    decoupled = True
    momentum = Setting(below=1)

    def __init__(
        self,
        learning_rate: float,
        views: Callable[[np.ndarray], object],
        momentum: float = 0.95,
        *,
        orthogonalize: Callable[[np.ndarray], np.ndarray] = newton_schulz,
        weight_decay: float = 0.0,
    ) -> None:
        _check.function("views", views, "net.views")
        _check.function("orthogonalize", orthogonalize, "newton_schulz")
        self.views, self.orthogonalize = views, orthogonalize
        super().__init__(learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)

    def _rule(self, W, G, s, B):
        average(B, G, self.momentum, s)
        np.subtract(B, G, out=s)
        s *= self.momentum
        s += G  # μ B + (1 − μ) G
        n_out, n_in = W.shape
        W -= self.learning_rate * math.sqrt(max(1, n_out / n_in)) * self.orthogonalize(s)

    def _blocks(self, *flats: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """The same matrix of each flat vector, one after the other."""
        matrices = [[x.reshape(len(x), -1) for x in _leaves(self.views(v))] for v in flats]
        shapes = [W.shape for W in matrices[0]]
        if sum(map(math.prod, shapes)) != flats[0].size:
            raise ValueError(
                f"views gives {shapes} of a vector of {flats[0].size}; wanted all of it"
            )
        if not all(np.may_share_memory(W, flats[0]) for W in matrices[0]):
            raise ValueError(f"views gives copies of shapes {shapes}; a step would not move theta")
        return zip(*matrices, strict=True)


def _leaves(tree: object) -> Iterator[np.ndarray]:
    if isinstance(tree, np.ndarray):
        yield tree
    else:
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(branch)
