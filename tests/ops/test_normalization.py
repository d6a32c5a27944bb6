"""Batch and layer normalization: against PyTorch, their definition, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook import ops
from bpbook.ops.normalization import batch_statistics

shapes = st.one_of(
    st.tuples(st.integers(2, 6), st.integers(1, 5)),
    st.tuples(st.integers(2, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
)
cases = given(shape=shapes, eps=st.sampled_from([1e-5, 1e-3, 0.5]), seed=st.integers(0, 10**6))


def arguments(shape, seed, features=1):
    rng = np.random.default_rng(seed)
    n = shape[features]
    return rng.normal(3, 2, shape), rng.normal(size=n), rng.normal(size=n), rng.normal(size=shape)


def compare(theirs, op, z, gamma, beta, d):
    """The output and all three gradients, to 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    inputs = [torch.tensor(x, requires_grad=True) for x in (z, gamma, beta)]
    expected = theirs(torch.nn.functional, *inputs)
    expected.backward(torch.tensor(d))
    out, vjp = op(z, gamma, beta)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-10, atol=1e-10)
    for x, ours in zip(inputs, vjp(d), strict=True):
        np.testing.assert_allclose(ours, x.grad.numpy(), rtol=1e-9, atol=1e-10)


@settings(max_examples=40, deadline=None)
@cases
def test_batch_norm_equals_pytorch(shape, eps, seed):
    z, gamma, beta, d = arguments(shape, seed)
    compare(
        lambda F, z, g, b: F.batch_norm(z, None, None, g, b, training=True, eps=eps),
        lambda z, g, b: ops.batch_norm(z, g, b, eps),
        *(z, gamma, beta, d),
    )


@settings(max_examples=25, deadline=None)
@cases
def test_batch_norm_inference_equals_pytorch(shape, eps, seed):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    z, gamma, beta, d = arguments(shape, seed)
    mean, variance = batch_statistics(np.random.default_rng(1).normal(size=z.shape) + z)
    fixed = torch.tensor(mean), torch.tensor(variance)
    compare(
        lambda F, z, g, b: F.batch_norm(z, *fixed, g, b, training=False, eps=eps),
        lambda z, g, b: ops.batch_norm_inference(z, g, b, mean, variance, eps),
        *(z, gamma, beta, d),
    )


@settings(max_examples=25, deadline=None)
@cases
def test_layer_norm_equals_pytorch(shape, eps, seed):
    z, gamma, beta, d = arguments(shape, seed, features=-1)
    compare(
        lambda F, z, g, b: F.layer_norm(z, shape[-1:], g, b, eps),
        lambda z, g, b: ops.layer_norm(z, g, b, eps),
        *(z, gamma, beta, d),
    )


def test_statistics_are_those_of_each_channel():
    z = np.random.default_rng(0).normal(size=(5, 3, 2, 4))
    mean, variance = batch_statistics(z)
    np.testing.assert_allclose(mean, z.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(variance, z.var(axis=(0, 2, 3)), rtol=1e-12)
    seen = []
    ops.batch_norm(z, np.ones(3), np.zeros(3), observe=lambda *found: seen.extend(found))
    np.testing.assert_array_equal(seen, [mean, variance])


def test_inference_with_the_batch_s_own_statistics_is_the_training_output():
    z = np.random.default_rng(0).normal(size=(5, 3))
    gamma, beta = np.array([1.0, 2, 3]), np.array([0.0, 1, 2])
    out, _ = ops.batch_norm(z, gamma, beta)
    fixed, _ = ops.batch_norm_inference(z, gamma, beta, *batch_statistics(z))
    np.testing.assert_allclose(out, fixed, rtol=1e-12, atol=1e-14)


def test_a_bias_before_batch_norm_changes_nothing_and_has_no_gradient():
    z = np.random.default_rng(0).normal(size=(6, 3))
    gamma, beta, bias = np.array([1.0, 2, 3]), np.zeros(3), np.array([5.0, -7, 9])
    out, vjp = ops.batch_norm(z, gamma, beta)
    np.testing.assert_allclose(ops.batch_norm(z + bias, gamma, beta)[0], out, atol=1e-13)
    d = np.random.default_rng(1).normal(size=z.shape)
    np.testing.assert_allclose(vjp(d)[0].sum(axis=0), 0, atol=1e-13)


def test_eps_is_added_to_the_variance_and_is_a_hundred_thousandth():
    z, one, zero = np.array([[1.0, -1], [-1, 1]]), np.ones(2), np.zeros(2)  # variance 1
    for out, _ in (
        ops.batch_norm(z, one, zero),
        ops.layer_norm(z, one, zero),
        ops.batch_norm_inference(z, one, zero, zero, one),
    ):
        np.testing.assert_allclose(out, z / np.sqrt(1.00001), rtol=1e-15)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3), (5, 4, 2, 3)])
def test_layer_norm_is_of_each_row_alone_in_a_stack_of_any_shape(shape):
    z, one, zero = np.random.default_rng(0).normal(size=shape), np.ones(3), np.zeros(3)
    expected = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(ops.layer_norm(z, one, zero)[0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("op", [ops.batch_norm, ops.layer_norm])
def test_constant_input_gives_beta_and_finite_gradients(op):
    z, gamma, beta = np.full((4, 3), 7.0), np.ones(3), np.arange(3.0)
    out, vjp = op(z, gamma, beta)
    np.testing.assert_array_equal(out, np.tile(beta, (4, 1)))
    assert all(np.isfinite(g).all() for g in vjp(np.ones((4, 3))))


def test_bad_input_is_named():
    z, one = np.ones((4, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"gamma has shape \(2,\); z has shape \(4, 3\)"):
        ops.batch_norm(z, np.ones(2), one)
    with pytest.raises(ValueError, match=r"z has shape \(1, 3\): 1 value per channel"):
        ops.batch_norm(z[:1], one, one)
    with pytest.raises(ValueError, match=r"z has shape \(4, 3, 2\); wanted \(m, n\)"):
        ops.batch_norm(np.ones((4, 3, 2)), one, one)
    with pytest.raises(ValueError, match="z has dtype int64"):
        ops.layer_norm(np.ones((4, 3), int), one, one)
    with pytest.raises(ValueError, match=r"z has shape \(4, 0\)"):
        ops.layer_norm(np.ones((4, 0)), one[:0], one[:0])
    with pytest.raises(ValueError, match=r"z has shape \(\); wanted \(\.\.\., n\), not empty"):
        ops.layer_norm(np.array(1.0), one, one)
    with pytest.raises(ValueError, match=r"z has shape \(4, 3, 2\); wanted \(m, n\)"):
        batch_statistics(np.ones((4, 3, 2)))
    with pytest.raises(ValueError, match=r"z has shape \(0, 3\); .* not empty"):
        batch_statistics(z[:0])


@pytest.mark.parametrize(
    ("op", "names"),
    [
        (ops.batch_norm, ["gamma", "beta"]),
        (ops.layer_norm, ["gamma", "beta"]),
        (ops.batch_norm_inference, ["gamma", "beta", "mean", "variance"]),
    ],
)
def test_a_vector_of_another_length_is_named_and_not_stretched(op, names):
    for name in names:
        vectors = {other: np.ones(1 if other == name else 3) for other in names}
        with pytest.raises(ValueError, match=rf"{name} has shape \(1,\).*wanted \(3,\)"):
            op(np.ones((4, 3)), **vectors)
