"""Exercises of chapter 4, softmax and cross-entropy."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.exercises.compare import difference, missing
from bpbook.exercises.core import exercise


def scores(m: int, K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (m, K))


def one_hot(m: int, K: int, seed: int) -> np.ndarray:
    return np.eye(K)[np.random.default_rng(seed).integers(K, size=m)]


def softmax_as_written(z):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(z)
        return e / e.sum(axis=-1, keepdims=True)


@exercise(
    "4.1",
    cases=lambda: [(scores(2, 3, 0),), (np.array([[1e4, 9_999.0, -1e4], [0.0, 0.0, -800.0]]),)],
    slip=softmax_as_written,
    hints=(
        "np.exp overflows at 710. Subtract something from every score of a row first.",
        "Subtract the row's largest score: z.max(axis=-1, keepdims=True).",
    ),
)
def stable_softmax(z):
    """Softmax of each row of z (m, K), for scores as large as 10,000."""
    # After the shift the largest exponential of a row is 1; the shift cancels in the ratio.
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def backward_by_the_diagonal(p, dp):
    return dp * p * (1 - p)


@exercise(
    "4.2",
    cases=lambda: [
        (ops.softmax(scores(m, K, seed))[0], scores(m, K, seed + 9))
        for seed, (m, K) in enumerate([(1, 3), (4, 5)])
    ],
    slip=backward_by_the_diagonal,
    hints=(
        "For one row, ∂L/∂z = Jᵀ dp with J = diag(p) − p pᵀ. Multiply out before you compute.",
        "diag(p) dp is p * dp, and p (pᵀ dp) is p times one number per row.",
    ),
)
def softmax_backward(p, dp):
    """∂L/∂z for probabilities p and dp = ∂L/∂p, both (m, K), without building a Jacobian."""
    # (diag(p) − p pᵀ) dp = p ⊙ dp − p ⟨p, dp⟩: K numbers per row, where J has K².
    weighted = (p * dp).sum(axis=-1, keepdims=True)
    return p * (dp - weighted)


def mean_over_rows_forgotten(z, Y, s):
    K = z.shape[1]
    return ops.softmax(z)[0] - ((1 - s) * Y + s / K)


@exercise(
    "4.3",
    cases=lambda: [
        (scores(1, 3, 0), one_hot(1, 3, 0), 0.1),
        (scores(4, 5, 1), one_hot(4, 5, 1), 0.3),
    ],
    slip=mean_over_rows_forgotten,
    hints=(
        "Do the smoothed targets of a row sum to 1? Then the chapter's result holds for them.",
        "The gradient of one row's loss is p minus its target. The loss is the mean over m rows.",
    ),
)
def smoothed_gradient(z, Y, s):
    """The gradient for z (m, K) of the mean cross-entropy with targets (1 − s)·Y + s/K."""
    m, K = z.shape
    target = (1 - s) * Y + s / K  # each row sums to (1 − s) + s = 1, so p − target is right
    p, _ = ops.softmax(z)
    return (p - target) / m


def temperature_slope_with_one_T_too_few(z, Y, T):
    p, _ = ops.softmax(z / T)
    return -((p - Y) * z).sum() / (T * len(z))


@exercise(
    "4.4",
    cases=lambda: [
        (scores(1, 3, 0), one_hot(1, 3, 0), 2.0),
        (scores(4, 5, 1), one_hot(4, 5, 1), 0.5),
    ],
    slip=temperature_slope_with_one_T_too_few,
    hints=(
        "Call w = z/T. You know ∂L/∂w. How does each entry of w change with T?",
        "∂w/∂T = −z/T². T reaches the loss through every entry of w, so sum over all of them.",
    ),
)
def temperature_slope(z, Y, T):
    """∂L/∂T, one number, for L the mean cross-entropy of softmax(z/T) against one-hot Y."""
    p, _ = ops.softmax(z / T)
    slope_at_w = (p - Y) / len(z)  # w = z/T is what the loss takes
    # T moves every entry of w, by −z/T² each: the chain rule sums over all of them.
    return (slope_at_w * (-z / T**2)).sum()


def squared_error_entry_by_entry(z, Y):
    p, _ = ops.softmax(z)
    loss, slope_at_p = ops.mse(p, Y)
    return loss, lambda dloss=1.0: slope_at_p(dloss) * p * (1 - p)


def proved_squared_error(answer) -> str | None:
    """What is wrong with an op for squared error after softmax, or None."""
    from bpbook.proof import prove

    z, Y = scores(4, 3, 0), one_hot(4, 3, 0)
    result = answer(z, Y)
    if wrong := missing(result):
        return wrong
    if not (isinstance(result, tuple) and len(result) == 2):
        return f"Return the pair (loss, vjp); got a {type(result).__name__}."
    if not callable(result[1]):
        kind = type(result[1]).__name__
        return f"Return the pair (loss, vjp), vjp a function of dloss; yours is a {kind}."
    if wrong := difference(result[0], softmax_squared_error(z, Y)[0]):
        return f"The loss: {wrong}"
    proof = prove(answer, (2, 3), (2, 3))
    return None if proof else f"The loss is right; its vjp is {proof} (u is dloss)."


@exercise(
    "4.5",
    judge=proved_squared_error,
    slip=squared_error_entry_by_entry,
    hints=(
        "Chain two ops: p, softmax_vjp = ops.softmax(z), then ops.mse(p, Y).",
        "Backwards in reverse order: mse's vjp takes dloss, softmax's takes what that returns.",
    ),
)
def softmax_squared_error(z, Y):
    """(loss, vjp) for the loss (1/m) Σ ½‖softmax(z) − y‖², vjp(dloss) its gradient for z."""
    p, softmax_vjp = ops.softmax(z)
    loss, mse_vjp = ops.mse(p, Y)
    # The whole Jacobian of softmax acts here: no 1/p waits in mse's slope to cancel it.
    return loss, lambda dloss=1.0: softmax_vjp(mse_vjp(dloss))
