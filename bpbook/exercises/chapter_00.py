"""Warm-up exercises of chapter 0."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bpbook.exercises.core import exercise


def without_biases(sizes):
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))


@exercise(
    "0.1",
    cases=lambda: [((64, 64, 10),), ((2, 1),), ((784, 256, 128, 10),)],
    slip=without_biases,
    hints=(
        "A layer with n_in inputs and n_out units has an (n_out, n_in) matrix W. What else?",
        "Each unit has one bias too: n_out · n_in + n_out numbers. Sum over the layers.",
    ),
)
def number_of_parameters(sizes):
    """The number of weights and biases in a network with layers of the given sizes."""
    # pairwise((64, 64, 10)) gives (64, 64), (64, 10): the inputs and units of each layer.
    return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))


def without_the_transpose(a, W, b):
    return a @ W + b


def layers() -> list[tuple[np.ndarray, ...]]:
    """(a, W, b) of two layers; the first has a square W."""
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 3), (4, 2, 5)]
    return [(rng.normal(size=(m, i)), rng.normal(size=(n, i)), np.ones(n)) for m, i, n in shapes]


@exercise(
    "0.2",
    cases=layers,
    slip=without_the_transpose,
    hints=(
        "Row r of z belongs to row r of a. The matrix product must pair n_in with n_in.",
        "a is (m, n_in) and W.T is (n_in, n_out). NumPy adds b to every row by itself.",
    ),
)
def weighted_sums(a, W, b):
    """z of a layer for a batch a (m, n_in), with W (n_out, n_in) and b (n_out,)."""
    # One sample is W a + b with a as a column; as a row, the same numbers are a Wᵀ + b.
    return a @ W.T + b
