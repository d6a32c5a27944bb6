"""Exercises of chapter 7, vanishing and exploding gradients."""

from __future__ import annotations

import itertools

import numpy as np

from bpbook.exercises.compare import difference, missing
from bpbook.exercises.core import exercise


def chain(sizes: tuple[int, ...], seed: int) -> tuple[list, list, np.ndarray]:
    """Weights W⁽²⁾ … W⁽ᴸ⁾, slopes of layers 1 … L−1, and the error of layer L."""
    rng = np.random.default_rng(seed)
    Ws = [rng.normal(size=(n_out, n_in)) for n_in, n_out in itertools.pairwise(sizes)]
    return Ws, [rng.random(n) for n in sizes[:-1]], rng.normal(size=sizes[-1])


def small_chain() -> tuple[list, list, np.ndarray]:
    """A chain of square matrices to follow by hand."""
    Ws = [np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [3.0, 1.0]])]
    return Ws, [np.array([1.0, 0.5]), np.array([0.5, 1.0])], np.array([1.0, 2.0])


def in_ascending_order(Ws, slopes, delta):
    for W, slope in zip(Ws, slopes, strict=True):
        delta = (W.T @ delta) * slope
    return delta


@exercise(
    "7.1",
    cases=lambda: [small_chain(), chain((2, 4, 3, 5), 1)],
    slip=in_ascending_order,
    hints=(
        "BP2 takes the error of one layer to the layer before it. Which layer is the last error's?",
        "Go through reversed(Ws) and reversed(slopes) together.",
    ),
)
def first_error(Ws, slopes, delta):
    """δ⁽¹⁾ from W⁽²⁾ … W⁽ᴸ⁾, the slopes σ'(z) of layers 1 … L−1, and delta = δ⁽ᴸ⁾."""
    # The product descends: the factor of layer L meets δ⁽ᴸ⁾ first.
    for W, slope in zip(reversed(Ws), reversed(slopes), strict=True):
        delta = (W.T @ delta) * slope
    return delta


def last_singular_value_of_any_matrix(W, slope):
    s = np.linalg.svd(W, compute_uv=False)
    return s[-1] * slope.min(), s[0] * slope.max()


@exercise(
    "7.2",
    cases=lambda: [
        (Ws[0], slopes[0])
        for Ws, slopes, _ in (chain((3, 3), 0), chain((5, 2), 1), chain((2, 5), 2))
    ],
    slip=last_singular_value_of_any_matrix,
    hints=(
        "np.linalg.svd(W, compute_uv=False) gives the singular values, largest first. "
        "The slopes stretch by at least the smallest of them and at most the largest.",
        "Wᵀ takes 5 errors to 2 when W has 5 rows and 2 columns. Can errors cancel there?",
    ),
)
def stretch_of_a_layer(W, slope):
    """(least, most) that ‖diag(slope) Wᵀ δ‖ / ‖δ‖ can be, bounded factor by factor, for any δ."""
    s = np.linalg.svd(W, compute_uv=False)
    rows, columns = W.shape
    # More errors than units to receive them: some combination of errors arrives as 0.
    least = 0.0 if rows > columns else s[-1]
    return least * slope.min(), s[0] * slope.max()


def four_at_every_z(z):
    return 4.0, z - 4.0 / (1 + np.exp(-z))


@exercise(
    "7.3",
    cases=lambda: [(0.0,), (1.0,), (-3.0,)],
    slip=four_at_every_z,
    hints=(
        "One layer multiplies the gradient by w·σ'(z). It must be 1, at this z.",
        "σ' = σ(1 − σ) gives w. The next layer's z is w·σ(z) + b, and it must be z again.",
    ),
)
def steady_sigmoid(z):
    """(w, b) of a chain of single sigmoid units, z_next = w·σ(z) + b, that keeps z and δ as is."""
    s = 1 / (1 + np.exp(-z))
    w = 1 / (s * (1 - s))  # 4 at z = 0, and more wherever the unit is saturated
    return w, z - w * s


def closed_for_some_sample(X, W, b):
    return int((X @ W.T + b <= 0).any(axis=0).sum())


def layers_of_relu() -> list[tuple]:
    rng = np.random.default_rng(4)
    X, W = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))
    W[0] = 0  # z = 0 for every sample: dead, by the convention that relu'(0) = 0
    return [(X, W, np.array([0, -50, 1.0, -50, -50, 0])), (X[:1], W, np.zeros(6))]


@exercise(
    "7.4",
    cases=layers_of_relu,
    slip=closed_for_some_sample,
    hints=(
        "A unit learns from every sample for which it is open. When does it learn from none?",
        "z = X @ W.T + b has one row per sample: a dead unit's column has no positive entry.",
    ),
)
def count_dead_units(X, W, b):
    """How many ReLU units get no gradient from any sample of X (m, n_in); W (n_out, n_in)."""
    z = X @ W.T + b
    return int((z <= 0).all(axis=0).sum())  # slope 0 at z = 0 too, by this book's convention


def each_by_its_own_norm(grads, limit):
    return tuple(g * min(1, limit / np.linalg.norm(g)) for g in grads)


def gradients(scale: float) -> tuple[tuple, float]:
    rng = np.random.default_rng(5)
    return (scale * rng.normal(size=(3, 2)), scale * rng.normal(size=3)), 1.0


@exercise(
    "7.5",
    cases=lambda: [gradients(5.0), gradients(0.4), gradients(0.01)],
    slip=each_by_its_own_norm,
    hints=(
        "The gradient is one vector, cut into arrays. One vector has one norm.",
        "‖g‖² is the sum of the squared norms of the arrays; all are scaled by the same factor.",
    ),
)
def clip_together(grads, limit):
    """The tuple of arrays ``grads``, as one gradient, clipped to the norm ``limit``."""
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    # One factor for all: clipped one by one, the arrays would turn the direction of the step.
    factor = min(1, limit / norm)
    return tuple(g * factor for g in grads)


def right_for_positive_a_only(n):
    return np.eye(n), -np.eye(n)


def cancels(answer) -> str | None:
    """What is wrong with a pair (W1, W2) for which a + W2 relu(W1 a) should be 0, or None."""
    for n in (1, 3):
        pair = answer(n)
        if wrong := missing(pair):
            return wrong
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            return f"Return the pair (W1, W2); the result is of type {type(pair).__name__}."
        W1, W2 = (np.asarray(W, dtype=float) for W in pair)
        if W1.shape[1:] != (n,) or W2.shape != (n, len(W1)):
            wanted = f"wanted (h, {n}) and ({n}, h) for n = {n}"
            return f"The shapes are {W1.shape} and {W2.shape}; {wanted}."
        a = np.random.default_rng(n).normal(size=(n, 8))
        if wrong := difference(W2 @ np.maximum(W1 @ a, 0), -a):
            return f"For some a the branch does not give −a. {wrong}"
    return None


@exercise(
    "7.6",
    judge=cancels,
    slip=right_for_positive_a_only,
    hints=(
        "ReLU drops what is negative. relu(−a) has kept just that.",
        "a = relu(a) − relu(−a): use 2n hidden units, W1 with the rows of I and of −I.",
    ),
)
def cancelling_branch(n):
    """(W1, W2) such that the residual block a + W2 relu(W1 a) gives 0 for every a of n entries."""
    eye = np.eye(n)
    W1 = np.vstack([eye, -eye])  # the hidden units hold relu(a) and relu(−a)
    W2 = np.hstack([-eye, eye])  # −relu(a) + relu(−a) = −a
    return W1, W2
