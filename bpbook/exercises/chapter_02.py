"""Exercises of chapter 2, the forward pass and losses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook.exercises.compare import difference, missing
from bpbook.exercises.core import exercise


def layer_arguments(m: int, n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m)
    return rng.normal(size=(m, n_in)), rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)


def bias_after_the_activation(X, W, b):
    return np.tanh(X @ W.T) + b


@exercise(
    "2.1",
    cases=lambda: [layer_arguments(4, 3, 2), layer_arguments(1, 2, 5)],
    slip=bias_after_the_activation,
    hints=(
        "For one sample, a column, z = W a + b. What is the same line for samples in rows?",
        "X Wᵀ has shape (m, n_out); b, of shape (n_out,), is added to each of its rows.",
    ),
)
def tanh_layer(X, W, b):
    """The activations a (m, n_out) of a tanh layer for X (m, n_in), W (n_out, n_in), b (n_out,)."""
    # A row of X Wᵀ is (W x)ᵀ. NumPy adds b to every row, and tanh acts on every entry alone.
    return np.tanh(X @ W.T + b)


def merge_arguments(n0: int, n1: int, n2: int) -> tuple[np.ndarray, ...]:
    _, W1, b1 = layer_arguments(n0 + 1, n0, n1)
    _, W2, b2 = layer_arguments(n0 + 2, n1, n2)
    return W1, b1, W2, b2


def first_bias_lost(W1, b1, W2, b2):
    return W2 @ W1, b2


@exercise(
    "2.2",
    cases=lambda: [merge_arguments(3, 4, 2), merge_arguments(2, 2, 2)],
    slip=first_bias_lost,
    hints=(
        "Put z = W1 x + b1 into W2 z + b2 and sort the terms: which contain x?",
        "The new bias is the output for x = 0.",
    ),
)
def merge(W1, b1, W2, b2):
    """The (W, b) with W x + b = W2 (W1 x + b1) + b2 for every x: two layers without activation."""
    # W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2): the first bias passes through W2, too.
    return W2 @ W1, W2 @ b1 + b2


def sign_lost(w, b):
    return np.sort(b / w)


@exercise(
    "2.3",
    cases=lambda: [
        (np.array([1.0, 2.0, 1.0]), np.array([1.0, -1.0, -2.0])),
        (np.array([-0.5, 4.0, 0.25, 3.0]), np.array([1.0, 1.0, 1.0, 0.0])),
    ],
    slip=sign_lost,
    hints=(
        "relu(z) has its corner where z = 0.",
        "Solve w x + b = 0 for x, for every neuron, and sort.",
    ),
)
def corners(w, b):
    """Where f(x) = Σ v_i relu(w_i x + b_i) can bend, in rising order; w, b (n,), no w_i is 0."""
    # The corner of relu is at z = 0, that is at w x + b = 0.
    return np.sort(-b / w)


def factor_upside_down(eta, n):
    return eta * n / 2


@exercise(
    "2.4",
    cases=lambda: [(0.1, 10), (0.5, 1), (1.0, 3)],
    slip=factor_upside_down,
    hints=(
        "One step is −(learning rate)·gradient. Write the gradient of both losses.",
        "The mean of squares has gradient 2(a − y)/n, half the sum of squares has a − y.",
    ),
)
def same_steps(eta, n):
    """The learning rate with which ½‖a − y‖² makes the steps that eta makes with the mean square.

    The mean square is (1/n) Σ (a_i − y_i)², over n outputs.
    """
    # eta · 2(a − y)/n = rate · (a − y)
    return 2 * eta / n


def label_cases() -> list[tuple[np.ndarray]]:
    rng = np.random.default_rng(6)
    return [
        (np.eye(2)[[0, 0, 0, 1]],),
        (np.eye(4)[rng.integers(4, size=60)],),
        (np.eye(10)[[3, 3, 7]],),
    ]


def log_of_the_number_of_classes(Y):
    return np.log(Y.shape[1])


@exercise(
    "2.5",
    cases=label_cases,
    slip=log_of_the_number_of_classes,
    hints=(
        "With the same p for each sample the mean loss is −Σ_i q_i log p_i: q_i is how often "
        "class i occurs. Which p makes it smallest?",
        "p = q. A class that never occurs has q_i = 0, and 0·log 0 is 0.",
    ),
)
def best_constant_loss(Y):
    """The smallest mean cross-entropy that one fixed p for all samples can reach; Y (m, K) one-hot.

    It is the baseline of a network that has not looked at its input.
    """
    # With a Lagrange multiplier for Σ p_i = 1: q_i / p_i is the same for all i, hence p = q.
    q = Y.mean(axis=0)
    q = q[q > 0]  # the terms 0·log 0 are 0
    return -(q * np.log(q)).sum()


def mean_forgotten_in_the_gradient(z, Y):
    loss, _ = poisson_loss(z, Y)
    return loss, lambda dloss=1.0: dloss * (np.exp(z) - Y)


def judge_poisson(answer: Callable) -> str | None:
    """Compare the loss, then let SymPy prove that the vjp is its derivative."""
    from bpbook.proof import prove

    z = np.random.default_rng(26).uniform(0.5, 2, size=(3, 2))
    Y = np.array([[0.0, 2.0], [1.0, 5.0], [3.0, 0.0]])
    got, want = answer(z, Y), poisson_loss(z, Y)
    if wrong := missing(got):
        return wrong
    if not (isinstance(got, tuple) and len(got) == 2 and callable(got[1])):
        return "Wanted a pair (loss, vjp), vjp a function."
    wrong = difference(got[0], want[0])
    if wrong:
        return f"The loss: {wrong} (z is 0.5 to 2, three rows of two counts.)"
    proof = prove(answer, (2, 2), (2, 2))
    return None if proof else f"The loss is right. The gradient: {proof}"


@exercise(
    "2.6",
    judge=judge_poisson,
    slip=mean_forgotten_in_the_gradient,
    hints=(
        "Take −log of λʸ e^(−λ) / y! and put λ = eᶻ. Which term does not depend on z?",
        "Per count the loss is eᶻ − y z. Sum over a row, take the mean over the m rows.",
        "The gradient is (eᶻ − y)/m: prediction minus target once more.",
    ),
)
def poisson_loss(z, Y):
    """The op (loss, vjp) for counts Y (m, n): −log of the Poisson probability with rate λ = eᶻ.

    Leave out log y!, which does not depend on z. Sum over a row, mean over the m rows.
    """
    # −log(λʸ e^(−λ) / y!) = λ − y log λ + log y!, and log λ = z. Its derivative in z is eᶻ − y.
    m, rate = len(z), np.exp(z)
    return (rate - Y * z).sum() / m, lambda dloss=1.0: dloss * (rate - Y) / m
