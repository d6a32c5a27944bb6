"""SGD against its closed form, and in place."""

import tracemalloc

import numpy as np
import pytest

from bpbook.training import SGD
from bpbook.training.optimizers import BLOCK

SIZES = [0, 1, 5, BLOCK, BLOCK + 1, 2 * BLOCK + 7]


def test_on_a_quadratic_each_coordinate_decays_geometrically():
    """L = ½ Σ λ θ², so θ_t = (1 − ηλ)ᵗ θ_0; the last λ makes it oscillate and grow."""
    curvature, eta, steps = np.array([0.0, 1.0, 5.0, 10.0, 20.0, 21.0]), 0.1, 50
    theta, optimizer = np.ones(6), SGD(eta)
    for _ in range(steps):
        theta = optimizer.step(theta, curvature * theta)
    assert np.allclose(theta, (1 - eta * curvature) ** steps, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_a_step_is_theta_minus_eta_grad_bit_for_bit(n, dtype):
    rng = np.random.default_rng(n)
    theta, grad = rng.standard_normal((2, n)).astype(dtype)
    want, same_grad = theta - dtype(0.3) * grad, grad.copy()
    result = SGD(0.3).step(theta, grad)
    assert result is theta
    assert theta.dtype == dtype
    assert (theta == want).all()
    assert (grad == same_grad).all()


def test_one_optimizer_serves_vectors_of_several_sizes_and_dtypes():
    optimizer = SGD(0.5)
    for n, dtype in [(3, np.float64), (7, np.float32), (2, np.float64), (BLOCK + 3, np.float64)]:
        assert (optimizer.step(np.ones(n, dtype), np.ones(n, dtype)) == 0.5).all()


def test_a_long_step_allocates_nothing_after_the_first():
    theta, grad, optimizer = np.ones(20 * BLOCK), np.ones(20 * BLOCK), SGD(1e-3)
    optimizer.step(theta, grad)
    tracemalloc.start()
    try:
        optimizer.step(theta, grad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000  # a temporary would be 10 million bytes


def test_a_strided_view_is_updated_in_place():
    theta = np.ones(10)
    SGD(1.0).step(theta[::2], np.ones(5))
    assert theta.tolist() == [0, 1] * 5


def test_a_numpy_learning_rate_steps_like_a_python_one():
    """The product in float64, rounded to float32, would differ in some of the last bits."""
    grad = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    one, two = (SGD(eta).step(np.zeros_like(grad), grad) for eta in (np.float64(0.1), 0.1))
    assert one.dtype == np.float32
    assert (one == two).all()


@pytest.mark.parametrize("bad", [0, -0.1, float("nan"), float("inf"), "0.1", None, True, 1j])
def test_learning_rate_must_be_a_positive_finite_number(bad):
    with pytest.raises(ValueError, match="learning_rate must be a positive finite number, got"):
        SGD(bad)
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="learning_rate must be"):
        optimizer.learning_rate = bad
    assert optimizer.learning_rate == 0.1


@pytest.mark.parametrize(
    ("theta", "grad"),
    [
        (np.ones(3), np.ones(4)),
        (np.ones(3), np.ones((3, 1))),
        (np.ones((2, 2)), np.ones((2, 2))),
        (np.ones(3, np.float32), np.ones(3)),
        (np.ones(3, int), np.ones(3)),
    ],
)
def test_step_names_both_shapes_and_dtypes(theta, grad):
    before = theta.copy()
    with pytest.raises(ValueError, match="theta and grad must be vectors of one shape") as caught:
        SGD(0.1).step(theta, grad)
    assert str(grad.shape) in str(caught.value)
    assert str(theta.dtype) in str(caught.value)
    assert (theta == before).all()


def test_integers_are_refused():
    with pytest.raises(ValueError, match="theta must have a floating dtype, got int64"):
        SGD(0.1).step(np.ones(3, np.int64), np.ones(3, np.int64))


def test_repr():
    assert repr(SGD(0.1)) == "SGD(learning_rate=0.1)"
