"""Convolution and max-pooling: against PyTorch, by hand, at ties, and the errors for bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook import ops
from bpbook.autodiff import jvp

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def torch_functional():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    return torch, torch.nn.functional


@settings(max_examples=60, deadline=None)
@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    kernel=PAIRS,
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    stride=PAIRS,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    batch_last=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_conv2d_equals_pytorch(channels, kernel, extra, stride, padding, batch_last, seed):
    torch, F = torch_functional()
    (m, c_in, c_out), rng = channels, np.random.default_rng(seed)
    size = [max(1, k + e - 2 * p) for k, e, p in zip(kernel, extra, padding, strict=True)]
    x, W = rng.normal(size=(m, c_in, *size)), rng.normal(size=(c_out, c_in, *kernel))
    if batch_last:  # the order in memory that the op itself returns
        x = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    b = rng.normal(size=c_out)
    inputs = [torch.tensor(v, requires_grad=True) for v in (x, W, b)]
    expected = F.conv2d(*inputs, stride=stride, padding=padding)
    d = rng.normal(size=expected.shape)
    expected.backward(torch.tensor(d))
    out, vjp = ops.conv2d(x, W, b, stride, padding)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-10, atol=1e-10)
    for given_, ours in zip(inputs, vjp(d), strict=True):
        np.testing.assert_allclose(ours, given_.grad.numpy(), rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(3, 7), st.integers(3, 7)),
    size=PAIRS,
    stride=st.none() | PAIRS,
    levels=st.sampled_from([2, 3, 1000]),
    seed=st.integers(0, 10**6),
)
def test_max_pool2d_equals_pytorch_at_ties_too(shape, size, stride, levels, seed):
    torch, F = torch_functional()
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, shape) / 7  # two or three values: nearly every window has a tie
    theirs = torch.tensor(x, requires_grad=True)
    expected = F.max_pool2d(theirs, size, stride)
    d = rng.normal(size=expected.shape)
    expected.backward(torch.tensor(d))
    out, vjp = ops.max_pool2d(x, size, stride)
    np.testing.assert_array_equal(out, expected.detach().numpy())
    np.testing.assert_allclose(vjp(d), theirs.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_strides_and_padding_by_the_definition():
    """z[y, x] = b + Σ W[i, j] x[y·stride + i, x·stride + j], entry by entry, x padded by zeros."""
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(1, 2, 4, 5)), rng.normal(size=(3, 2, 2, 3)), rng.normal(size=3)
    z, _ = ops.conv2d(x, W, b, stride=(3, 2), padding=(1, 2))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)))
    expected = np.empty((1, 3, 2, 4))
    for o, i, j in np.ndindex(3, 2, 4):
        window = padded[0, :, 3 * i : 3 * i + 2, 2 * j : 2 * j + 3]
        expected[0, o, i, j] = b[o] + (W[o] * window).sum()
    np.testing.assert_allclose(z, expected, rtol=1e-12)


def test_a_pool_s_stride_is_its_own():
    x = np.arange(20.0).reshape(1, 1, 4, 5)
    out, vjp = ops.max_pool2d(x, (2, 3), (1, 2))
    np.testing.assert_array_equal(out[0, 0], [[7, 9], [12, 14], [17, 19]])
    np.testing.assert_array_equal(vjp(out), np.where(np.isin(x, out), x, 0))


def test_windows_of_one_pixel_are_the_image():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    out, vjp = ops.max_pool2d(x, 1)
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(vjp(x), x)


def test_an_edge_detector_by_hand():
    image = np.array([[0.0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])[None, None]
    edges, _ = ops.conv2d(image, np.array([[[[-1.0, 1.0]]]]), np.zeros(1))
    np.testing.assert_array_equal(edges[0, 0], [[0, 1, 0]] * 3)


def test_a_kernel_as_large_as_the_image_is_an_affine_map():
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(5, 2, 3, 4)), rng.normal(size=(6, 2, 3, 4)), rng.normal(size=6)
    z, vjp = ops.conv2d(x, W, b)
    flat, flat_vjp = ops.affine(x.reshape(5, -1), W.reshape(6, -1), b)
    np.testing.assert_allclose(z[:, :, 0, 0], flat, rtol=1e-12)
    d = rng.normal(size=flat.shape)
    for ours, theirs in zip(vjp(d[:, :, None, None]), flat_vjp(d), strict=True):
        np.testing.assert_allclose(ours.ravel(), theirs.ravel(), rtol=1e-11, atol=1e-12)


def test_equal_entries_of_a_window_leave_the_gradient_to_the_first():
    _, vjp = ops.max_pool2d(np.ones((1, 1, 2, 4)))
    np.testing.assert_array_equal(vjp(np.full((1, 1, 1, 2), 3.0))[0, 0], [[3, 0, 3, 0], [0] * 4])


def test_a_nan_reaches_the_output():
    x = np.ones((1, 1, 2, 2))
    x[0, 0, 0, 1] = np.nan
    assert np.isnan(ops.max_pool2d(x)[0]).all()
    assert np.isnan(ops.conv2d(x, np.ones((1, 1, 2, 2)), np.zeros(1))[0]).all()


def test_rows_that_fill_no_window_are_dropped_and_get_no_gradient():
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    out, vjp = ops.max_pool2d(x)
    np.testing.assert_array_equal(out[0, 0], [[6, 8], [16, 18]])
    dx = vjp(np.ones_like(out))
    assert dx[0, 0, 4].sum() == dx[0, 0, :, 4].sum() == 0
    assert dx.sum() == 4


def test_dual_numbers_run_through_both_directions():
    """Forward mode over the op, and over its vjp, against differences."""
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(2, 1, 4, 4)), rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2)

    def gradient(W):
        z, conv = ops.conv2d(x, W, b, padding=1)
        a, tanh = ops.tanh(z)
        out, pool = ops.max_pool2d(a)
        return out, conv(tanh(pool(out)))[0]

    direction = rng.normal(size=W.shape)
    h = 1e-6
    (up, up_grad), (down, down_grad) = gradient(W + h * direction), gradient(W - h * direction)
    _, (slope, grad_slope) = jvp(gradient)(W, direction)
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(grad_slope, (up_grad - down_grad) / (2 * h), rtol=1e-6, atol=1e-8)


def test_bad_input_is_named():
    x, W, b = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3)), np.ones(4)
    with pytest.raises(ValueError, match=r"W has shape \(4, 2, 3, 3\); x has 3 channels"):
        ops.conv2d(x, np.ones((4, 2, 3, 3)), b)
    with pytest.raises(
        ValueError, match=r"W must be \(c_out, 3, kh, kw\); x has shape \(2, 3, 5, 5"
    ):
        ops.conv2d(x, np.ones((4, 3, 3)), b)
    with pytest.raises(ValueError, match=r"W has shape \(4, 3, 0, 3\)"):
        ops.conv2d(x, W[:, :, :0], b)
    with pytest.raises(ValueError, match=r"x has shape \(0, 3, 5, 5\); .* not empty"):
        ops.conv2d(x[:0], W, b)
    with pytest.raises(ValueError, match=r"W has 4 channels of output, so b must be \(4,\); W has"):
        ops.conv2d(x, W, np.ones(3))
    with pytest.raises(ValueError, match=r"x has shape \(2, 75\); wanted \(m, c, h, w\)"):
        ops.conv2d(x.reshape(2, -1), W, b)
    with pytest.raises(ValueError, match="x has dtype int64"):
        ops.max_pool2d(np.ones((1, 1, 2, 2), int))
    with pytest.raises(ValueError, match=r"\(3, 3\) does not fit in an image of \(2, 2\)"):
        ops.conv2d(x[:, :, :2, :2], W, b)
    with pytest.raises(ValueError, match=r"\(1, 6\) does not fit in an image of \(5, 5\)"):
        ops.max_pool2d(x, (1, 6))
    for bad in (0, 1.5, (1,), (1, 2, 3), "2"):
        with pytest.raises(ValueError, match="stride is"):
            ops.conv2d(x, W, b, stride=bad)
    with pytest.raises(ValueError, match="padding is -1; wanted a whole number, at least 0"):
        ops.conv2d(x, W, b, padding=-1)
    with pytest.raises(ValueError, match="size is 0"):
        ops.max_pool2d(x, 0)
