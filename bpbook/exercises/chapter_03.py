"""Chapter 3, backpropagation: errors, gradients, a planted bug, and nets that are not a chain."""

from __future__ import annotations

import numpy as np

from bpbook.exercises.core import exercise


def _draw(*shapes: tuple[int, ...], seeds: int = 3) -> list[tuple[np.ndarray, ...]]:
    """Cases of normal random arrays, the same for everyone."""
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    return [tuple(rng.normal(size=shape) for shape in shapes) for rng in rngs]


def _error_without_slope(z, y):
    return 1 / (1 + np.exp(-z)) - y


@exercise(
    "3.1",
    slip=_error_without_slope,
    cases=lambda: _draw((3,), (3,)),
    hints=(
        "BP1: δ = Jᵀ ∂L/∂a, and J is diagonal here, so it is a product entry by entry.",
        "With a = σ(z): ∂L/∂a = a − y, and σ'(z) = a(1 − a).",
    ),
)
def error_at_the_output(z, y):
    """The error δ of a sigmoid output z (n,) under the loss ½‖σ(z) − y‖²."""
    a = 1 / (1 + np.exp(-z))
    return (a - y) * a * (1 - a)  # the slope of the loss in a, times the slope of a in z


def _sums_over_the_wrong_index(delta_next, W_next, a):
    return (delta_next @ W_next.T) * (1 - a**2)


@exercise(
    "3.2",
    slip=_sums_over_the_wrong_index,
    cases=lambda: [
        (delta, W, np.tanh(z))
        for delta, W, z in _draw((4, 3), (3, 3), (4, 3)) + _draw((5, 2), (2, 4), (5, 4))
    ],
    hints=(
        "For one sample, as a column: (Wᵀδ) ⊙ σ'(z). Which shape must the result have?",
        "Transpose it for rows: (Wᵀδ)ᵀ = δᵀW. And tanh' = 1 − a².",
    ),
)
def error_one_layer_back(delta_next, W_next, a):
    """BP2 for a batch: delta_next (m, n_out), W_next (n_out, n_in), a = tanh(z) (m, n_in)."""
    back = delta_next @ W_next  # row form of Wᵀδ: unit i collects Σ_k δ_k W_ki
    return back * (1 - a**2)


def _averages_again(delta, a):
    return delta.T @ a / len(a), delta.mean(axis=0)


@exercise(
    "3.3",
    slip=_averages_again,
    cases=lambda: _draw((6, 2), (6, 3)) + _draw((1, 4), (1, 2)),
    hints=(
        "Each row gives one outer product δ aᵀ; the batch's gradient is their sum.",
        "The sum of outer products over the rows is one matrix product. The 1/m is in δ already.",
    ),
)
def gradients_of_a_layer(delta, a):
    """(∂L/∂W, ∂L/∂b) of a layer from its errors (m, n_out) and inputs (m, n_in), 1/m in delta."""
    dW = delta.T @ a  # (n_out, m) @ (m, n_in): sums δ_i a_j over the samples
    db = delta.sum(axis=0)  # a bias is a weight whose input is always 1
    return dW, db


def _slope_at_the_wrong_place(W1, b1, W2, b2, x, y):
    z1 = W1 @ x + b1
    a1 = np.tanh(z1)
    delta2 = W2 @ a1 + b2 - y
    delta1 = (W2.T @ delta2) * (1 - z1**2)
    return np.outer(delta1, x), delta1, np.outer(delta2, a1), delta2


@exercise(
    "3.4",
    slip=_slope_at_the_wrong_place,
    cases=lambda: _draw((2, 2), (2,), (2, 2), (2,), (2,), (2,)),
    hints=(
        "The message says which of the four results is wrong. Results 3 and 4 need only δ2.",
        "Results 1 and 2 need δ1: compare its line with BP2, factor by factor.",
        "tanh'(z) = 1 − tanh²(z), which is 1 − a², not 1 − z². Near z = 0 the two nearly agree.",
    ),
)
def gradients_of_two_layers(W1, b1, W2, b2, x, y):
    """The gradients dW1, db1, dW2, db2 of ½‖W2 tanh(W1 x + b1) + b2 − y‖², for one sample."""
    a1 = np.tanh(W1 @ x + b1)
    delta2 = W2 @ a1 + b2 - y
    delta1 = (W2.T @ delta2) * (1 - a1**2)  # a1, the tanh, and not z1
    return np.outer(delta1, x), delta1, np.outer(delta2, a1), delta2


def _forgets_the_bypass(delta, W1, W2, x):
    a = np.tanh(W1 @ x)
    return W1.T @ ((W2.T @ delta) * (1 - a**2))


@exercise(
    "3.5",
    slip=_forgets_the_bypass,
    cases=lambda: _draw((3,), (4, 3), (3, 4), (3,)),
    hints=(
        "x reaches the output by two paths. How does a derivative treat two paths (chapter 1)?",
        "Add what comes back along each path; along the bypass it is δ itself, unchanged.",
    ),
)
def error_before_the_block(delta, W1, W2, x):
    """∂L/∂x of the block z = x + W2 tanh(W1 x), from delta = ∂L/∂z; x (n,), W1 (k, n), W2 (n, k).

    The identity path brings δ back whole. That is why very deep nets are built of such blocks.
    """
    a = np.tanh(W1 @ x)
    through = W1.T @ ((W2.T @ delta) * (1 - a**2))
    return delta + through


def _last_use_only(W, x, y):
    a1 = np.tanh(W @ x)
    return np.outer(W @ a1 - y, a1)


@exercise(
    "3.6",
    slip=_last_use_only,
    cases=lambda: _draw((3, 3), (3,), (3,)),
    hints=(
        "Pretend that the two layers had matrices of their own, and find both gradients.",
        "One change of W changes both layers at once, so the two gradients add up.",
    ),
)
def gradient_of_shared_weights(W, x, y):
    """∂L/∂W of L = ½‖W tanh(W x) − y‖²: one matrix, used in two layers; W (n, n)."""
    a1 = np.tanh(W @ x)
    delta2 = W @ a1 - y
    delta1 = (W.T @ delta2) * (1 - a1**2)
    return np.outer(delta2, a1) + np.outer(delta1, x)  # one term for each place where W is used


def _diagonal_only(delta_next, W_next, p):
    return (delta_next @ W_next) * p * (1 - p)


@exercise(
    "3.7",
    slip=_diagonal_only,
    cases=lambda: [
        (delta, W, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        for delta, W, z in _draw((4, 2), (2, 3), (4, 3))
    ],
    hints=(
        "Softmax is not elementwise, so BP2's ⊙ does not hold; its general form is Jᵀ(Wᵀδ).",
        "J = diag(p) − p pᵀ, so Jᵀg = p ⊙ g − p ⟨p, g⟩ with g = Wᵀδ.",
        "For a batch ⟨p, g⟩ is one number for each row: (p * g).sum(axis=1, keepdims=True).",
    ),
)
def error_of_hidden_softmax(delta_next, W_next, p):
    """BP2 where the hidden layer's activation is softmax: a batch of p (m, n_in), rows sum to 1.

    delta_next: (m, n_out), W_next: (n_out, n_in).
    """
    g = delta_next @ W_next  # ∂L/∂p
    return p * (g - (p * g).sum(axis=1, keepdims=True))  # Jᵀg without building J
