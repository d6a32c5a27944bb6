"""Exercises of chapter 11, schedules and regularization."""

from __future__ import annotations

import numpy as np

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
        ([3.0, 2.0, 2.0, 2.0, 2.0], 1.0, 0.1, 1),
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


def without_the_variance(w, a, y, rate):
    return (w @ a - y) * a


@exercise(
    "11.2",
    cases=lambda: [
        (np.array([1.0, 0.0]), np.array([1.0, 2.0]), 0.0, 0.5),
        (normal(8, seed=2), normal(8, seed=3), -1.0, 0.2),
    ],
    slip=without_the_variance,
    hints=(
        "Take the mean first, then differentiate: the mean loss is ½(y − E[z])² + ½ Var z.",
        "Section 11.3 has both: E[z] = w · a, and Var z = p/(1 − p) Σ w_j² a_j².",
    ),
)
def expected_gradient_under_dropout(w, a, y, rate):
    """The mean over masks of ∂L/∂w, (n,), for L = ½(y − z)² and z = w · dropout(a)."""
    # The mean of the gradients is the gradient of the mean: the masks do not depend on w.
    return (w @ a - y) * a + rate / (1 - rate) * a**2 * w


def gamma_pulled_out(dout, z_hat, gamma, sigma):
    removed = dout.mean(axis=1, keepdims=True)
    along = (dout * z_hat).mean(axis=1, keepdims=True)
    return gamma * (dout - removed - z_hat * along) / sigma[:, None]


@exercise(
    "11.3",
    cases=lambda: [layer_norm_case(2, 3, seed=0), layer_norm_case(4, 4, seed=1)],
    slip=gamma_pulled_out,
    hints=(
        "First ẑ: dẑ = dout · γ. Then each row as batch normalization has each column.",
        "In batch norm one γ serves the whole column and may stand in front of the means. Here γ "
        "differs along the row that the means run over.",
    ),
)
def layer_norm_backward(dout, z_hat, gamma, sigma):
    """∂L/∂z (m, n) of out = γ ẑ + β, ẑ = (z − mean)/σ by rows; γ (n,), σ (m,)."""
    d = dout * gamma  # before the means: γ differs from one entry of a row to the next
    shift = d.mean(axis=1, keepdims=True)
    stretch = (d * z_hat).mean(axis=1, keepdims=True)
    return (d - shift - z_hat * stretch) / sigma[:, None]


def layer_norm_case(m: int, n: int, seed: int) -> tuple:
    z = normal(m, n, seed=seed)
    sigma = z.std(axis=1)
    z_hat = (z - z.mean(axis=1, keepdims=True)) / sigma[:, None]
    return normal(m, n, seed=seed + 5), z_hat, normal(n, seed=seed + 6), sigma


def shift_left_unscaled(W, b, gamma, beta, mean, variance):
    scale = gamma / np.sqrt(variance)
    return W * scale[:, None], b - mean + beta


@exercise(
    "11.4",
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


def matrix_of_the_turned_kernel(W, shape):
    return convolution_matrix(W[::-1, ::-1], shape)


@exercise(
    "11.5",
    cases=lambda: [
        (np.array([[1.0, 2.0]]), (1, 3)),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), (3, 4)),
        (normal(3, 2, seed=0), (4, 5)),
    ],
    slip=matrix_of_the_turned_kernel,
    hints=(
        "M has one row for each place (r, s) of the output, one column for each pixel of x.",
        "The row of (r, s), given the shape of x, is 0 but for the window at (r, s), where W is.",
    ),
)
def convolution_matrix(W, shape):
    """M, with M @ x.ravel() the convolution of an x of that shape with W, row by row."""
    (rows, columns), (height, width) = W.shape, shape
    places = height - rows + 1, width - columns + 1
    M = np.zeros((*places, height, width))
    for r, s in np.ndindex(places):
        M[r, s, r : r + rows, s : s + columns] = W  # the same weights in every row
    return M.reshape(places[0] * places[1], height * width)
