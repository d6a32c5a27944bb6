"""Exercises of chapter 8, initialization."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bpbook import ops
from bpbook.exercises.core import exercise
from bpbook.theory import slope_factor, variance_map


def bound_as_wide_as_the_deviation(rng, n_out, n_in, variance):
    bound = variance**0.5
    return rng.uniform(-bound, bound, (n_out, n_in))


@exercise(
    "8.1",
    cases=lambda: [
        (np.random.default_rng(0), 3, 4, 1.0),
        (np.random.default_rng(1), 2, 5, 0.4),
    ],
    slip=bound_as_wide_as_the_deviation,
    hints=(
        "What is E[w²] for w uniform between −b and b? Integrate w² over the interval.",
        "∫ w²/(2b) dw from −b to b is b²/3. Set it equal to the variance.",
    ),
)
def uniform_weights(rng, n_out, n_in, variance):
    """W (n_out, n_in), uniform about 0 with the given variance, from one rng.uniform call."""
    bound = (3 * variance) ** 0.5  # b²/3 = variance
    return rng.uniform(-bound, bound, (n_out, n_in))


def variance_as_if_the_slope_added_up(slope, n_in):
    return 2 / ((1 + slope) * n_in)


@exercise(
    "8.2",
    cases=lambda: [(0.0, 64), (0.01, 64), (0.5, 10), (1.0, 300)],
    slip=variance_as_if_the_slope_added_up,
    hints=(
        "Split E[a²] into the half with z > 0 and the half with z < 0.",
        "Above 0 the op gives q/2. Below, a = slope·z, so its square gives slope²·q/2.",
    ),
)
def leaky_variance(slope, n_in):
    """Var(W) that keeps the mean square forward, for leaky ReLU with this slope below 0."""
    return 2 / ((1 + slope**2) * n_in)  # E[a²] = q/2 + slope² q/2


def factors_with_both_sums_over_the_inputs(widths):
    product = np.prod([2 * n_in / (n_in + n_out) for n_in, n_out in pairwise(widths)])
    return product, product


@exercise(
    "8.3",
    cases=lambda: [([1000, 100],), ([50, 50, 50],), ([400, 40, 400, 40],), ([64, 32, 16, 10],)],
    slip=factors_with_both_sums_over_the_inputs,
    hints=(
        "One layer first: n_in·v on the way up, n_out·v on the way down. The factors multiply.",
        "itertools.pairwise(widths) gives (n_in, n_out) of every layer.",
    ),
)
def xavier_factors(widths):
    """For a linear network n_0, …, n_L with Xavier's variance, what the mean square of a is
    multiplied by from input to output, and that of ∂L/∂a from output to input."""
    layers = list(pairwise(widths))
    up = np.prod([2 * n_in / (n_in + n_out) for n_in, n_out in layers])
    down = np.prod([2 * n_out / (n_in + n_out) for n_in, n_out in layers])
    return up, down


def half_of_everything(q):
    return 0.0, q / 2


@exercise(
    "8.4",
    cases=lambda: [(1.0,), (0.3,), (25.0,)],
    slip=half_of_everything,
    hints=(
        "The mean is ∫ z p(z) dz over z > 0, p the normal density. It is not 0.",
        "The mean is √(q/2π). The mean square is q/2. Variance is mean square less mean squared.",
    ),
)
def relu_mean_and_variance(q):
    """The mean and the variance (not the mean square) of relu(z), z normal with variance q."""
    mean = np.sqrt(q / (2 * np.pi))
    return mean, q / 2 - mean**2


def scale_without_the_fixed_point(weight_variance, bias_variance):
    return -1 / np.log(slope_factor(ops.tanh, 1.0, weight_variance))


@exercise(
    "8.5",
    cases=lambda: [(1.2, 0.05), (1.5, 0.05), (0.5, 0.2)],
    slip=scale_without_the_fixed_point,
    rtol=1e-4,  # how near q comes to its fixed point is the reader's choice
    hints=(
        "χ needs the q that the layers settle at. Apply variance_map until q no longer moves.",
        "A difference shrinks by χ per layer, χⁿ = e^(n log χ). After how many is that 1/e?",
    ),
)
def depth_scale(weight_variance, bias_variance):
    """How many tanh layers shrink the mean squared difference of two near inputs to 1/e."""
    q = 1.0
    for _ in range(1000):
        q = variance_map(ops.tanh, q, weight_variance, bias_variance)
    return -1 / np.log(slope_factor(ops.tanh, q, weight_variance))


def batch(m, widths, seed):
    rng = np.random.default_rng(seed)
    shapes = [(n_out, n_in) for n_in, n_out in pairwise(widths)]
    return [rng.normal(0, 0.3, shape) for shape in shapes], rng.normal(size=(m, widths[0]))


def divided_by_the_mean_square(weights, X):
    a, result = X, []
    for W in weights:
        z = a @ W.T
        result.append(W / np.mean(z * z))
        a = np.tanh(a @ result[-1].T)
    return tuple(result)


@exercise(
    "8.6",
    cases=lambda: [batch(50, (6, 5, 4), 0), batch(30, (3, 8, 8, 2), 1)],
    slip=divided_by_the_mean_square,
    hints=(
        "Go up layer by layer. z = a Wᵀ doubles when W does, so one division per layer is enough.",
        "Divide W by √mean(z²), and compute the next a with the divided W.",
    ),
)
def measured_start(weights, X):
    """Weights scaled so that z has mean square 1 in each layer of a tanh net on the batch X;
    one matrix for each of the given ones, as a tuple."""
    a, result = X, []
    for W in weights:
        z = a @ W.T
        size = np.sqrt(np.mean(z * z))
        result.append(W / size)
        a = np.tanh(z / size)
    return tuple(result)
