"""Clipping: the norm after is min(norm, limit), the direction stays, and ``fit`` uses it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bpbook import data, ops
from bpbook.nets import MLP
from bpbook.training import SGD, clip_by_norm, clip_by_value, fit

entries = st.floats(-1e6, 1e6, width=32)
vectors = hnp.arrays(np.float64, st.integers(1, 20), elements=entries)
limits = st.floats(1e-6, 1e6)


@given(vectors, limits)
def test_norm_after_is_the_smaller_of_norm_and_limit_and_the_direction_stays(grad, limit):
    clipped = grad.copy()
    norm = clip_by_norm(clipped, limit)
    assert norm == pytest.approx(np.linalg.norm(grad), rel=1e-12)
    assert np.linalg.norm(clipped) == pytest.approx(min(norm, limit), rel=1e-12)
    assert np.allclose(clipped * norm, grad * min(norm, limit), rtol=1e-12, atol=0)


@given(vectors, limits)
def test_by_value_cuts_each_entry(grad, limit):
    clipped = grad.copy()
    norm = clip_by_value(clipped, limit)
    assert norm == pytest.approx(np.linalg.norm(grad), rel=1e-12)
    assert (clipped == np.minimum(np.maximum(grad, -limit), limit)).all()


def test_at_the_limit_and_at_zero_nothing_changes():
    grad = np.array([3.0, 4.0])
    assert clip_by_norm(grad, 5.0) == 5
    assert (grad == [3, 4]).all()
    assert clip_by_norm(np.zeros(3), 1.0) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.3, 1e-3])
def test_a_norm_whose_square_overflows_or_underflows_is_right(dtype, share):
    for size in (np.finfo(dtype).max * share, np.finfo(dtype).tiny / share):
        grad = np.array([0.6, -0.8], dtype) * dtype(size)
        limit = size / 2
        assert clip_by_norm(grad, limit) == pytest.approx(size, rel=1e-6)
        assert grad.dtype == dtype
        assert grad / dtype(limit) == pytest.approx([0.6, -0.8], rel=1e-6)


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize(
    ("grad", "limit", "message"),
    [
        (np.ones(2), 0.0, "limit is 0.0; wanted a positive finite number"),
        (np.ones(2), np.nan, "limit is nan"),
        (np.ones(2), np.inf, "limit is inf"),
        (np.ones(2, int), 1.0, "grad has dtype int64"),
        (np.array([1.0, np.nan, np.inf]), 1.0, r"shape \(3,\), and its entry 1 is nan"),
        (np.array([1.0, 2.0, -np.inf]), 1.0, "its entry 2 is -inf"),
    ],
)
def test_bad_input_is_refused_and_the_gradient_left_alone(clip, grad, limit, message):
    before = grad.copy()
    with pytest.raises(ValueError, match=message):
        clip(grad, limit)
    assert np.array_equal(grad, before, equal_nan=grad.dtype.kind == "f")


@given(vectors, limits)
def test_agrees_with_pytorch(grad, limit):
    torch = pytest.importorskip("torch")
    parts = [torch.zeros(p.shape, dtype=torch.float64) for p in (grad[:1], grad[1:])]
    for parameter, part in zip(parts, (grad[:1], grad[1:]), strict=True):
        parameter.grad = torch.from_numpy(part.copy())
    theirs = torch.nn.utils.clip_grad_norm_(parts, limit).item()
    ours = grad.copy()
    assert clip_by_norm(ours, limit) == pytest.approx(theirs, rel=1e-12)
    # PyTorch scales by limit / (norm + 1e-6), one factor for all parameters together.
    shrunk = min(1, limit / (theirs + 1e-6)) / min(1, limit / theirs) if theirs else 1
    assert np.allclose(torch.cat([p.grad for p in parts]), ours * shrunk, rtol=1e-12, atol=0)


# In the training loop.


def steps(clip):
    d, net, seen = data.moons(n=130), MLP((2, 6, 2), rng=0), []
    before = net.theta.copy()

    def on_step(step, loss, grad):
        seen.append((np.linalg.norm(grad), (before - net.theta) / 0.5 - grad))
        before[:] = net.theta

    fit(net, d.X_train, d.Y_train, SGD(0.5), 2, 16, clip=clip, on_step=on_step)
    return seen


def test_fit_steps_with_the_clipped_gradient():
    norms = []
    seen = steps(lambda grad: norms.append(clip_by_norm(grad, 0.1)))
    assert len(norms) == len(seen) == 14
    assert max(norms) > 0.1  # else nothing was clipped
    for norm, (after, unexplained) in zip(norms, seen, strict=True):
        assert after == pytest.approx(min(norm, 0.1), rel=1e-12)
        assert np.abs(unexplained).max() < 1e-14


def test_fit_without_clip_is_fit_with_a_limit_never_met():
    without = [norm for norm, _ in steps(None)]
    assert without == [norm for norm, _ in steps(lambda grad: clip_by_norm(grad, 1e9))]


def test_fit_refuses_a_clip_that_is_no_function():
    d = data.moons(n=130)
    with pytest.raises(ValueError, match=r"clip is 1.0; wanted a function, such as lambda g: clip"):
        fit(MLP((2, 6, 2)), d.X_train, d.Y_train, SGD(0.1), 1, 16, clip=1.0)


def test_a_gradient_that_is_not_finite_stops_the_run_as_it_does_without_clip():
    X, Y = np.full((4, 2), 1e200), np.ones((4, 1))
    net = MLP((2, 3, 1), activation=ops.relu, loss=ops.mse, rng=0)
    for clip in (None, lambda grad: clip_by_norm(grad, 1.0)):
        with np.errstate(over="ignore"), pytest.warns(RuntimeWarning, match="step 1"):
            assert fit(net, X, Y, SGD(0.1), 1, 4, clip=clip).steps == 0


def test_a_long_float16_gradient_is_not_wiped_out():
    grad = np.ones(70_000, np.float16)
    assert clip_by_norm(grad, 100.0) == pytest.approx(70_000**0.5)
    np.testing.assert_allclose(grad, 100 / 70_000**0.5, rtol=1e-3)
