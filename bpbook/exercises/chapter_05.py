"""Exercises of chapter 5, the cost of a gradient."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from bpbook.exercises.compare import NOTHING, difference
from bpbook.exercises.core import exercise


def weights_without_biases(sizes):
    products = sum(n_out * n_in for n_in, n_out in pairwise(sizes))
    return products, products


@exercise(
    "5.1",
    cases=lambda: [((2, 3, 1),), ((64, 64, 10),), ((784, 256, 128, 10),), ((5, 4),)],
    slip=weights_without_biases,
    hints=(
        "Layer l has a weight matrix of n_l·n_{l−1} entries and a bias of n_l entries.",
        "Only the weights multiply. itertools.pairwise(sizes) gives (n_{l−1}, n_l) for each layer.",
    ),
)
def size_and_work(sizes):
    """The pair (W, F) of a dense network: parameters, and multiply-adds of a forward pass."""
    layers = list(pairwise(sizes))
    # Each unit has one weight for each of its inputs, and one bias.
    W = sum(n_out * (n_in + 1) for n_in, n_out in layers)
    # A bias is added, never multiplied: it takes part in no multiply-add.
    F = sum(n_out * n_in for n_in, n_out in layers)
    return W, F


def as_if_backward_cost_one_forward(sizes):
    return float(sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes)))


@exercise(
    "5.2",
    cases=lambda: [((784, 256, 10),), ((100,) * 5,), ((9, 4),)],
    slip=as_if_backward_cost_one_forward,
    hints=(
        "Central differences: two forward passes for each of the W parameters.",
        "Backpropagation: F forward, and B = 2F − n_0·n_1 backward.",
    ),
)
def times_cheaper(sizes):
    """2WF / (F + B): multiply-adds of central differences against those of backpropagation."""
    W, F = size_and_work(sizes)  # exercise 5.1
    B = 2 * F - sizes[0] * sizes[1]  # the first layer passes no error on
    return 2 * W * F / (F + B)


def forgets_the_gradient(sizes, numbers):
    W, _ = size_and_work(sizes)
    return (numbers - W) // sum(sizes)


@exercise(
    "5.3",
    cases=lambda: [((784, 256, 10), 1_000_000), ((64, 64, 10), 20_000), ((4, 4), 48)],
    slip=forgets_the_gradient,
    hints=(
        "Three things must fit at once: the parameters, their gradient, the batch's activations.",
        "The first two take W numbers each; a sample takes Σ n_l, the input n_0 included.",
        "Whole samples only: // rounds down.",
    ),
)
def largest_batch(sizes, numbers):
    """The largest batch whose training step fits into memory for so many numbers."""
    W, _ = size_and_work(sizes)
    # W parameters and W derivatives stay, whatever the batch; the rest is for activations.
    return (numbers - 2 * W) // sum(sizes)


def power(c: float, p: float, noise: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Times c·Wᵖ at four W, times a factor near 1 (seeded by ``noise``, or none)."""
    W = np.array([1e3, 1e4, 1e5, 1e6])
    wobble = np.random.default_rng(noise).normal(0, 0.1 * bool(noise), 4)
    return W, c * W**p * np.exp(wobble)


def slope_without_logarithms(W, seconds):
    p, c = np.polyfit(W, seconds, 1)
    return p, c


@exercise(
    "5.4",
    cases=lambda: [power(2e-9, 1.0), power(3e-12, 2.0, noise=1), power(0.5, 0.7, noise=2)],
    slip=slope_without_logarithms,
    hints=(
        "Take logarithms: log t = log c + p·log W is a line in log W, with slope p.",
        "The slope of the least-squares line is Σ (x − x̄)(y − ȳ) / Σ (x − x̄)².",
        "The line passes through (x̄, ȳ): log c = ȳ − p·x̄.",
    ),
)
def power_law(W, seconds):
    """The pair (p, c) of the law seconds ≈ c·Wᵖ, the least-squares line of the logarithms."""
    x, y = np.log(W), np.log(seconds)
    dx, dy = x - x.mean(), y - y.mean()
    # Least squares: the derivative of Σ (dy − p dx)² for p is 0.
    p = (dx * dy).sum() / (dx * dx).sum()
    return p, np.exp(y.mean() - p * x.mean())


def judge_norms(answer: Callable) -> str | None:
    """What is wrong with the norms, or with the memory that they took."""
    rng = np.random.default_rng(5)
    for m, n_out, n_in in ((3, 4, 2), (4, 500, 1000)):
        delta, a = rng.normal(size=(m, n_out)), rng.normal(size=(m, n_in))
        tracemalloc.start()
        try:
            got = answer(delta, a)
            taken = tracemalloc.get_traced_memory()[1] / 8
        finally:
            tracemalloc.stop()
        if wrong := difference(got, gradient_norms(delta, a)):
            tried = f" Tried with delta {delta.shape}, a {a.shape}."
            return wrong if wrong == NOTHING else wrong + tried
    if taken > n_out * n_in / 2:
        return (
            f"The norms are right, but the memory for {taken:,.0f} numbers was in use at once: "
            f"a gradient δaᵀ of {n_out} × {n_in} was formed. Its factors are enough."
        )
    return None


def norms_of_formed_gradients(delta, a):
    return np.array([np.linalg.norm(np.outer(d, x)) for d, x in zip(delta, a, strict=True)])


@exercise(
    "5.5",
    judge=judge_norms,
    slip=norms_of_formed_gradients,
    hints=(
        "Entry (i, j) of δaᵀ is δ_i·a_j. Write the sum of its squares as a double sum.",
        "Σ_i Σ_j δ_i² a_j² = (Σ_i δ_i²)(Σ_j a_j²).",
    ),
)
def gradient_norms(delta, a):
    """‖∂L/∂W‖ of each sample of a batch, delta (m, n_out), a (m, n_in), without forming any."""
    # A sample's gradient is δaᵀ, and ‖δaᵀ‖² = Σ_ij (δ_i a_j)² = ‖δ‖²‖a‖².
    return np.sqrt((delta**2).sum(axis=1) * (a**2).sum(axis=1))
