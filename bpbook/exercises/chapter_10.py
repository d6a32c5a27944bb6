"""Exercises of chapter 10, optimizers."""

from __future__ import annotations

import numpy as np

from bpbook.exercises.compare import NOTHING, difference
from bpbook.exercises.core import exercise


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def curvature(n: int, seed: int) -> np.ndarray:
    """A symmetric matrix with positive eigenvalues."""
    A = normal(n, n, seed=seed)
    return A @ A.T + 0.1 * np.eye(n)


def limit_from_the_diagonal(A):
    return 2 / A.diagonal().max()


@exercise(
    "10.1",
    cases=lambda: [(np.diag([1.0, 10.0]),), (curvature(3, 0),), (curvature(6, 1),)],
    slip=limit_from_the_diagonal,
    hints=(
        "A step multiplies θ by the matrix 1 − ηA. Which of its eigenvalues leaves (−1, 1) first?",
        "np.linalg.eigvalsh(A) gives the curvatures; the largest decides.",
    ),
)
def largest_stable_rate(A):
    """The η below which gradient descent on L = ½ θᵀAθ converges, for A symmetric, positive."""
    # In the basis of eigenvectors each coordinate has its own factor 1 − ηλ. The diagonal of A
    # holds the curvatures along the axes, and the steepest direction need not be an axis.
    return 2 / np.linalg.eigvalsh(A).max()


def oldest_gradient_first(grads, eta, mu):
    weights = mu ** np.arange(len(grads))
    return eta * weights @ grads


@exercise(
    "10.2",
    cases=lambda: [(normal(1, 3), 0.1, 0.9), (normal(5, 2, seed=1), 0.5, 0.8)],
    slip=oldest_gradient_first,
    hints=(
        "Unroll: v_t = η (g_{t−1} + μ g_{t−2} + μ² g_{t−3} + …). Which row has the weight 1?",
        "The last one. The weights are μ^{t−1}, …, μ, 1, from the first row to the last.",
    ),
)
def velocity_after(grads, eta, mu):
    """v_t from v_0 = 0, for gradients g_0, …, g_{t−1} in the rows of (t, n), without a loop."""
    # Row k has been in the velocity for t − 1 − k steps since, and each multiplied it by μ.
    weights = mu ** np.arange(len(grads) - 1, -1, -1)
    return eta * weights @ grads


def damping_as_if_the_root_were_all(eta, curvature):
    return 1 - np.sqrt(eta * curvature)


@exercise(
    "10.3",
    cases=lambda: [(0.1, 1.0), (0.01, 25.0), (0.5, 0.02)],
    slip=damping_as_if_the_root_were_all,
    hints=(
        "At the edge between gliding and swinging the two eigenvalues are equal.",
        "(1 + μ − ηλ)² = 4μ. With r = √μ it is (1 − r)² = ηλ.",
    ),
)
def critical_momentum(eta, curvature):
    """The μ in [0, 1) at which momentum on λθ²/2 just does not swing, for 0 < ηλ < 1."""
    # det = μ and trace = 1 + μ − ηλ; a double eigenvalue needs trace² = 4 det.
    return (1 - np.sqrt(eta * curvature)) ** 2


def rate_for_small_steps(spread, curvature, noise):
    return 2 * curvature * spread**2 / noise**2


@exercise(
    "10.4",
    cases=lambda: [(0.1, 1.0, 1.0), (0.5, 4.0, 2.0), (0.01, 0.3, 5.0)],
    slip=rate_for_small_steps,
    hints=(
        "Set the stationary variance, η s²/(λ(2 − ηλ)), equal to spread².",
        "Multiply by λ(2 − ηλ) and collect η. It is a linear equation.",
    ),
)
def rate_for_a_spread(spread, curvature, noise):
    """The η at which SGD on λθ²/2, gradient noise N(0, s²), settles to this standard deviation."""
    # η s² = λ(2 − ηλ)V gives η(s² + λ²V) = 2λV. For small V this is the usual 2λV/s².
    V = spread**2
    return 2 * curvature * V / (noise**2 + curvature**2 * V)


def adam_with_epsilon_inside(m, v, g, t, eta=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return m, v, -eta * m_hat / np.sqrt(v_hat + eps)


def adam_cases() -> list[tuple]:
    first = np.zeros(2), np.zeros(2), np.array([1e-6, -3.0]), 1
    return [first, (normal(3), normal(3, seed=1) ** 2, normal(3, seed=2), 7)]


@exercise(
    "10.5",
    cases=adam_cases,
    slip=adam_with_epsilon_inside,
    hints=(
        "Four lines: both averages, both corrections (with t = 1 at the first step), the quotient.",
        "The denominator is √v̂ + ε: the root first, then ε.",
    ),
)
def adam_step(m, v, g, t, eta=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    """(m, v, change of θ) of Adam's step number t, from the averages before it and the gradient."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    # Inside the root, ε = 1e-8 would outweigh every gradient below 1e-4.
    return m, v, -eta * m_hat / (np.sqrt(v_hat) + eps)


def divided_by_its_norm(G):
    return G / np.linalg.norm(G)


def orthogonal(answer) -> str | None:
    """What is wrong with an orthogonalised matrix, or None."""
    for shape in ((3, 3), (2, 5), (5, 2)):
        G = normal(*shape, seed=shape[0])
        got = answer(G.copy())
        wrong = difference(got, orthogonalized(G), 1e-6)
        if wrong == NOTHING:
            return wrong
        if wrong:
            return f"{wrong}{said_by_singular_values(got, shape)}"
    return None


def said_by_singular_values(got, shape: tuple[int, int]) -> str:
    """How far the singular values of a wrong answer are from 1, as far as it is a matrix."""
    if np.shape(got) != shape:
        return ""
    if not np.isfinite(got).all():
        return " The powers of G grew: start from a matrix whose singular values are at most 1."
    values = np.linalg.svd(got, compute_uv=False)
    if np.allclose(values, 1, atol=1e-6):
        return " Its singular values are 1, but its U and V are not those of G."
    said = ", ".join(f"{x:.3g}" for x in values)
    return f" For a G of shape {shape} its singular values are {said}; wanted 1."


@exercise(
    "10.6",
    judge=orthogonal,
    slip=divided_by_its_norm,
    hints=(
        "Start from X = G/‖G‖, so that every singular value is at most 1. What does "
        "X ← (3X − X XᵀX)/2 do to a singular value s?",
        "s ← (3s − s³)/2 has the fixed point 1. A small s grows by 1.5 each time: 40 rounds do.",
    ),
)
def orthogonalized(G):
    """U Vᵀ for a matrix G = U S Vᵀ of full rank, by products of matrices alone."""
    X = G / np.linalg.norm(G)  # the iteration needs singular values below √3
    for _ in range(40):
        X = (3 * X - X @ X.T @ X) / 2  # each singular value s ← (3s − s³)/2
    return X
