"""Dropout: its mean, its mask, PyTorch's gradient under the same mask, and bad input."""

import numpy as np
import pytest

from bpbook import ops
from bpbook.ops.stochastic import dropout_mask


def test_the_mean_over_all_masks_is_the_input():
    """Weighted by its probability, every mask of three units: the expectation, exactly."""
    a, rate = np.array([[1.0, -2.0, 3.0]]), 0.25
    total = 0
    for bits in np.ndindex(2, 2, 2):
        mask = np.array([bits])
        probability = np.prod(np.where(mask, 1 - rate, rate))
        total = total + probability * ops.dropout(a, mask, rate)[0]
    np.testing.assert_allclose(total, a, rtol=1e-14)


def test_a_mask_drops_its_share_and_repeats_with_its_seed():
    draw = [dropout_mask(np.random.default_rng(s), (400, 500), 0.3) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert (draw[0] != draw[2]).any()
    # 200,000 draws: the share's standard deviation is 0.001
    assert abs((~draw[0]).mean() - 0.3) < 0.004
    assert dropout_mask(np.random.default_rng(0), (100,), 0.0).all()


@pytest.mark.parametrize("rate", [0, 0.25, 0.5])
def test_of_the_draws_below_1_exactly_the_share_below_the_rate_is_dropped(rate):
    class Evenly:
        def random(self, shape, dtype):
            return np.arange(8, dtype=dtype).reshape(shape) / 8

    assert dropout_mask(Evenly(), (2, 4), rate).mean() == 1 - rate


def test_gradient_equals_pytorch_s_under_the_same_mask():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    a = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    dropped = torch.nn.functional.dropout(a, 0.4)
    d = torch.randn(6, 5, dtype=torch.float64)
    dropped.backward(d)
    out, vjp = ops.dropout(a.detach().numpy(), (dropped != 0).numpy(), 0.4)
    np.testing.assert_allclose(out, dropped.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(vjp(d.numpy()), a.grad.numpy(), rtol=1e-12)


def test_bad_input_is_named():
    a = np.ones((2, 3))
    for rate in (1, -0.1, np.nan):
        with pytest.raises(ValueError, match="rate is"):
            ops.dropout(a, a, rate)
        with pytest.raises(ValueError, match="rate is"):
            dropout_mask(np.random.default_rng(0), (2,), rate)
    with pytest.raises(ValueError, match=r"mask has shape \(3,\); a has shape \(2, 3\)"):
        ops.dropout(a, np.ones(3), 0.5)
