"""The mean-field maps against closed forms, a 30-digit integral, and a wide random layer."""

import numpy as np
import pytest
from mpmath import mp

from bpbook import ops
from bpbook.theory import correlation_map, slope_factor, variance_map

Q = np.array([1e-8, 0.3, 1.0, 40.0, 1e6])
C = np.array([-1.0, -0.9, 0.0, 0.3, 0.99, 1 - 1e-9, 1.0])
SMOOTH = [ops.tanh, ops.sigmoid, ops.softplus, ops.silu, ops.gelu, ops.sin]
ALL = [*SMOOTH, ops.relu, ops.leaky_relu, ops.elu, ops.identity]


def precise(f, q):
    """E[f(√q x)] for x standard normal, to 20 digits, by mpmath's adaptive quadrature."""
    with mp.workdps(20):
        parts = [-12, -4, -1, 0, 1, 4, 12]
        return float(mp.quad(lambda x: f(mp.sqrt(q) * x) * mp.npdf(x), parts))


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, 1.0])
def test_relu_and_its_kin_halve_the_mean_square(slope):
    """E[φ(z)²] = q(1 + slope²)/2, and E[φ'²] = (1 + slope²)/2: ReLU, leaky ReLU, identity."""

    def activation(z):
        return ops.leaky_relu(z, slope)

    half = (1 + slope**2) / 2
    np.testing.assert_allclose(variance_map(activation, Q, 1.7, 0.3), 1.7 * half * Q + 0.3, 1e-13)
    np.testing.assert_allclose(slope_factor(activation, Q, 1.7), np.full(5, 1.7 * half), 1e-13)


def test_relu_turns_correlation_by_the_arc_cosine_kernel():
    """Cho & Saul (2009), degree 1, normalised; without a bias it depends neither on q nor on σ²."""
    kernel = (np.sqrt(1 - C**2) + (np.pi - np.arccos(C)) * C) / np.pi
    for q in Q:
        np.testing.assert_allclose(correlation_map(ops.relu, C, q, 2.0), kernel, 0, 1e-13)


def test_a_linear_layer_keeps_the_correlation():
    np.testing.assert_allclose(correlation_map(ops.identity, C, 3.0, 0.7), C, 0, 1e-13)


def test_sine_has_closed_forms():
    """E[sin²] = (1 − e^(−2q))/2, E[cos²] = (1 + e^(−2q))/2, E[sin sin] = e^(−q) sinh(qc)."""
    q = np.array([0.01, 1.0, 2.0])[:, None]
    square = (1 - np.exp(-2 * q)) / 2
    np.testing.assert_allclose(variance_map(ops.sin, q, 1.0), square, 1e-12)
    np.testing.assert_allclose(slope_factor(ops.sin, q, 1.0), 1 - square, 1e-12)
    want = np.exp(-q) * np.sinh(q * C) / square
    np.testing.assert_allclose(correlation_map(ops.sin, C, q, 1.0), want, 0, 1e-11)


@pytest.mark.parametrize("q", [0.25, 1.5, 9])
def test_tanh_agrees_with_precise_integrals(q):
    assert variance_map(ops.tanh, q, 1.0) == pytest.approx(
        precise(lambda z: mp.tanh(z) ** 2, q), rel=1e-12
    )
    assert slope_factor(ops.tanh, q, 1.0) == pytest.approx(
        precise(lambda z: (1 - mp.tanh(z) ** 2) ** 2, q), rel=1e-12
    )


def test_a_steep_tanh_tends_to_the_sign():
    """E[tanh²] → 1, E[tanh'²] → (4/3)/√(2πq), and the correlation → (2/π) asin c."""
    q = 1e6
    assert 1 - variance_map(ops.tanh, q, 1.0) == pytest.approx(2 / np.sqrt(2 * np.pi * q), rel=1e-5)
    assert slope_factor(ops.tanh, q, 1.0) == pytest.approx(4 / 3 / np.sqrt(2 * np.pi * q), rel=1e-5)
    inner = C[1:-2]
    sign = 2 / np.pi * np.arcsin(inner)
    np.testing.assert_allclose(correlation_map(ops.tanh, inner, q, 1.0), sign, 0, 2e-3)


@pytest.mark.parametrize("activation", ALL, ids=lambda op: op.__name__)
def test_maps_agree_with_a_random_layer(activation):
    """200,000 draws of z at two inputs; five standard errors."""
    rng, n, q, c = np.random.default_rng(3), 200_000, 1.3, 0.6
    x, y = rng.normal(size=(2, n)) * np.sqrt(q)
    z = np.stack([x, c * x + np.sqrt(1 - c * c) * y])
    a, vjp = activation(z)

    def agree(samples, value):
        assert abs(samples.mean() - value) < 5 * samples.std() / np.sqrt(n) + 1e-12

    mean_square = variance_map(activation, q, 1.0)
    agree(a[0] ** 2, mean_square)
    agree(vjp(np.ones_like(z))[0] ** 2, slope_factor(activation, q, 1.0))
    agree(a[0] * a[1], correlation_map(activation, c, q, 1.0) * mean_square)


@pytest.mark.parametrize("activation", ALL, ids=lambda op: op.__name__)
def test_equal_inputs_stay_equal_and_chi_is_the_slope_there(activation):
    """C(1) = 1, and C'(1) = χ q / variance_map(q); ReLU's curvature is infinite there."""
    q, h = 0.8, 1e-8
    one, near = correlation_map(activation, np.array([1.0, 1 - h]), q, 1.4, 0.1)
    assert one == pytest.approx(1, abs=1e-13)
    slope = slope_factor(activation, q, 1.4) * q / variance_map(activation, q, 1.4, 0.1)
    assert (one - near) / h == pytest.approx(slope, abs=2e-4)


@pytest.mark.parametrize("activation", ALL, ids=lambda op: op.__name__)
def test_the_map_can_be_iterated(activation):
    """Each result is a correlation, whatever the rounding: the next call takes it."""
    q, c = np.linspace(0.1, 3, 8), np.ones(8)
    for _ in range(2):
        c = correlation_map(activation, c, q, 1.0)
    assert (abs(c) <= 1).all()


def test_numbers_and_arrays_broadcast():
    both = variance_map(ops.tanh, Q[:, None], np.array([1.0, 2.0]), 0.1)
    assert both.shape == (5, 2)
    assert both[2, 1] == variance_map(ops.tanh, 1.0, 2.0, 0.1)
    assert slope_factor(ops.tanh, Q, 2.0).shape == (5,)
    grid = correlation_map(ops.tanh, C[:, None], Q[1:3], np.array([1.0, 2.0]))
    assert grid.shape == (7, 2)
    assert grid[3, 1] == pytest.approx(correlation_map(ops.tanh, 0.3, 1.0, 2.0), rel=1e-14)


def test_what_is_no_variance_or_correlation_is_refused():
    with pytest.raises(ValueError, match="q is -1.0; a variance is at least 0"):
        variance_map(ops.tanh, -1.0, 1.0)
    with pytest.raises(ValueError, match="q is nan"):
        slope_factor(ops.tanh, float("nan"), 1.0)
    with pytest.raises(ValueError, match="weight_variance is -2"):
        slope_factor(ops.tanh, 1.0, -2)
    with pytest.raises(ValueError, match="bias_variance is -0.1"):
        correlation_map(ops.tanh, 0.5, 1.0, 1.0, -0.1)
    with pytest.raises(ValueError, match="c is 1.1; a correlation lies between -1 and 1"):
        correlation_map(ops.tanh, 1.1, 1.0, 1.0)
