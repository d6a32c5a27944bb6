"""Exercises of chapter 11, schedules and regularization."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.exercises.compare import difference
from bpbook.exercises.core import exercise


def normal(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def cut_at_the_patience(metrics, rate, factor, patience):
    rates, best, bad = [], np.inf, 0
    for metric in metrics:
        best, bad = (metric, 0) if metric < best else (best, bad + 1)
        if bad >= patience:
            rate, bad = rate * factor, 0
        rates.append(rate)
    return rates


@exercise(
    "11.1",
    cases=lambda: [
        ([0.5] * 25, 1.0, 0.1, 10),
        (np.abs(normal(60, seed=1)).tolist(), 0.3, 0.5, 2),
        ([3.0, 2.0, 1.0, 0.5], 0.3, 0.5, 0),
    ],
    slip=cut_at_the_patience,
    hints=(
        "Keep two things: the best metric so far, and how many epochs in a row were not better.",
        "Patience 10 puts up with ten bad epochs. The eleventh one is cut, and the count restarts.",
    ),
)
def rates_on_plateau(metrics, rate, factor, patience):
    """The rate after each epoch's metric; better means smaller than the best, by any amount."""
    rates, best, bad = [], np.inf, 0
    for metric in metrics:
        best, bad = (metric, 0) if metric < best else (best, bad + 1)
        if bad > patience:  # exceeds, not reaches
            rate, bad = rate * factor, 0
        rates.append(rate)
    return rates


def kept_without_scale(a, mask, rate):
    return a * mask / (1 - rate), lambda dout: dout * mask


def proved_dropout(answer) -> str | None:
    """What is wrong with an op for dropout, or None."""
    from bpbook.proof import prove

    a, mask = normal(3, 4, seed=0), np.random.default_rng(1).random((3, 4)) > 0.25
    result = answer(a, mask, 0.25)
    if result is None or result is ...:
        return difference(result, 0.0)
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        return f"Return the pair (out, vjp), vjp a function; got a {type(result).__name__}."
    if wrong := difference(result[0], ops.dropout(a, mask, 0.25)[0]):
        return f"The output: {wrong}"
    proof = prove(answer, (2, 2), mask=np.array([[1, 0], [1, 1]]), rate=0.25)
    return None if proof else f"The output is right; its vjp is {proof}."


@exercise(
    "11.2",
    judge=proved_dropout,
    slip=kept_without_scale,
    hints=(
        "What is kept is divided by 1 − rate, so that the expectation is a.",
        "out is a times a constant, entry by entry. So is the way back, times the same constant.",
    ),
)
def dropout_op(a, mask, rate):
    """(out, vjp) for dropout of a by a mask of 0 and 1; vjp(dout) gives da."""
    kept = mask / (1 - rate)  # once drawn, a constant
    return a * kept, lambda dout: dout * kept


def penalty_with_the_masks_variance(w, a, y, rate):
    return (y - w @ a) ** 2 / 2 + rate * (1 - rate) / 2 * (w**2 * a**2).sum()


@exercise(
    "11.3",
    cases=lambda: [
        (normal(3, seed=0), normal(3, seed=1), 0.7, 0.5),
        (normal(8, seed=2), normal(8, seed=3), -1.0, 0.2),
    ],
    slip=penalty_with_the_masks_variance,
    hints=(
        "E[(y − z)²] = (y − E[z])² + Var z, with z = Σ w_j a_j m_j/(1 − p).",
        "m_j is 1 with probability 1 − p, so its variance is p(1 − p). What does m_j/(1 − p) have?",
    ),
)
def expected_loss_under_dropout(w, a, y, rate):
    """E[½(y − z)²] over the masks, for z = w · dropout(a) with w and a (n,): one number."""
    # Var(m/(1 − p)) = p(1 − p)/(1 − p)², and independent terms add their variances.
    penalty = rate / (1 - rate) * (w**2 * a**2).sum()
    return (y - w @ a) ** 2 / 2 + penalty / 2


def statistics_held_constant(dout, z_hat, gamma, sigma):
    return dout * gamma / sigma


@exercise(
    "11.4",
    cases=lambda: [batch_norm_case(4, 3, seed=0), batch_norm_case(7, 1, seed=1)],
    slip=statistics_held_constant,
    hints=(
        "First ẑ: dẑ = dout · γ. Then z reaches ẑ in three ways: itself, the mean, the variance.",
        "Moving a column changes nothing, and neither does stretching it: so take from "
        "dẑ its mean, and its part along ẑ.",
    ),
)
def batch_norm_backward(dout, z_hat, gamma, sigma):
    """∂L/∂z (m, n) of out = γ ẑ + β, ẑ = (z − mean)/σ; dout and ẑ are (m, n), γ and σ (n,)."""
    d = dout * gamma
    along = (d * z_hat).mean(axis=0)
    return (d - d.mean(axis=0) - z_hat * along) / sigma


def batch_norm_case(m: int, n: int, seed: int) -> tuple:
    z = normal(m, n, seed=seed)
    sigma = z.std(axis=0)
    z_hat = (z - z.mean(axis=0)) / sigma
    return normal(m, n, seed=seed + 5), z_hat, normal(n, seed=seed + 6), sigma


def shift_left_unscaled(W, b, gamma, beta, mean, variance):
    scale = gamma / np.sqrt(variance)
    return W * scale[:, None], b - mean + beta


@exercise(
    "11.5",
    cases=lambda: [layer_case(3, 2, seed=0), layer_case(4, 4, seed=1)],
    slip=shift_left_unscaled,
    hints=(
        "Write out γ (W a + b − mean)/σ + β for one unit. What multiplies a, and what is left?",
        "A unit is a row of W: scale rows by γ/σ, as scale[:, None] does.",
    ),
)
def fold_batch_norm(W, b, gamma, beta, mean, variance):
    """(W', b') such that a W'ᵀ + b' is a Wᵀ + b followed by batch norm in evaluation mode."""
    scale = gamma / np.sqrt(variance)  # with the running statistics everything is a constant
    return W * scale[:, None], (b - mean) * scale + beta


def layer_case(n_out: int, n_in: int, seed: int) -> tuple:
    vectors = normal(4, n_out, seed=seed + 1)
    return normal(n_out, n_in, seed=seed), *vectors, np.arange(1.0, n_out + 1)


def kernel_gradient_flipped(dz, x):
    return kernel_gradient(dz, x)[::-1, ::-1]


@exercise(
    "11.6",
    cases=lambda: [
        (normal(3, 3, seed=0), normal(5, 5, seed=1)),
        (normal(2, 4, seed=2), normal(3, 6, seed=3)),
    ],
    slip=kernel_gradient_flipped,
    hints=(
        "W[i, j] meets x[r + i, s + j] at every place (r, s) of the output. Paths add.",
        "So dW[i, j] = Σ dz ⊙ x[i : i + rows, j : j + columns], with dz of (rows, columns).",
    ),
)
def kernel_gradient(dz, x):
    """∂L/∂W for one channel, no padding: z[r, s] = Σ_ij W[i, j] x[r + i, s + j], dz = ∂L/∂z."""
    (rows, columns), (height, width) = dz.shape, x.shape
    dW = np.empty((height - rows + 1, width - columns + 1))
    for i, j in np.ndindex(*dW.shape):
        # The same weight serves at every place of the image, so its gradient sums over all.
        dW[i, j] = (dz * x[i : i + rows, j : j + columns]).sum()
    return dW
