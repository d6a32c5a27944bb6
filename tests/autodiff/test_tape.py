"""Tensors: the two listings of the article, and every way in which a tape can be misused."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import bpbook.autodiff as torch
from bpbook import ops
from bpbook.autodiff import check_grads, grad, hvp, jvp, no_grad, tensor
from bpbook.autodiff import functional as F
from bpbook.claims.autograd import FUNCTION_LISTING, GRADIENT_LISTING, run
from bpbook.nets import MLP


def test_the_first_listing_of_the_article():
    assert run(GRADIENT_LISTING, torch)[1] == "x.grad: [ 5. 10.]\ny.grad: [2. 3.]\n"


LinearFunction = run(FUNCTION_LISTING, torch)[0]["LinearFunction"]


def leaves(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]


def gradients(out, *tensors):
    for t in tensors:
        t.zero_grad()
    out.backward()
    return [t.grad for t in tensors]


def test_the_second_listing_of_the_article_equals_affine():
    x, W, b = leaves((5, 3), (2, 3), (2,))
    ours = gradients((LinearFunction.apply(x, W, b) ** 2).sum(), x, W, b)
    theirs = gradients((F.affine(x, W, b) ** 2).sum(), x, W, b)
    for a, c in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-13)


def test_the_second_listing_asks_only_for_what_is_needed():
    x, W = tensor(np.ones((5, 3))), leaves((2, 3))[0]
    gradients(LinearFunction.apply(x, W, None).sum(), W)
    np.testing.assert_array_equal(W.grad, np.full((2, 3), 5.0))
    assert x.grad is None


def test_the_second_listing_to_second_order():
    """Its gradient has a gradient: PyTorch's gradcheck and gradgradcheck, in one call."""
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(5, 3)), rng.normal(size=(2, 3)), rng.normal(size=2)
    check_grads(lambda x, W, b: LinearFunction.apply(x, W, b) ** 2, x, W, b)
    loss = lambda W: (LinearFunction.apply(tensor(x), W, None) ** 2).sum()  # noqa: E731
    twice = grad(lambda W: (grad(loss)(W) ** 2).sum())(W)  # L = Σ(x Wᵀ)², ∇L = 2 W xᵀx
    np.testing.assert_allclose(twice.data, 8 * W @ x.T @ x @ x.T @ x, rtol=1e-12)
    np.testing.assert_allclose(hvp(loss)(W, W).data, 2 * W @ x.T @ x, rtol=1e-12)


def test_a_function_may_keep_what_it_needs_in_setup_context():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * grad_output

    (x,) = leaves((3,))
    np.testing.assert_allclose(gradients(Cube.apply(x).sum(), x)[0], 3 * x.data**2)
    check_grads(Cube.apply, x.numpy())


@pytest.mark.parametrize("flat", [np.round, np.argmax, lambda x: x > 0])
def test_a_function_may_return_what_numpy_gives_for_a_flat_function(flat):
    class StraightThrough(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return flat(x) * 1.0

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * np.ones(3)

    (x,) = leaves((3,))
    y = StraightThrough.apply(x)
    np.testing.assert_array_equal(y.data, flat(x.data))
    np.testing.assert_array_equal(gradients((y * 2.0).sum(), x)[0], [2, 2, 2])
    again = grad(lambda x: (grad(lambda x: (StraightThrough.apply(x) * x).sum())(x) ** 2).sum())
    assert again(x.numpy()).shape == (3,)


def test_a_function_cannot_change_its_callers_numbers():
    class Careless(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x += 1
            return x

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output

    (x,) = leaves((3,))
    before = x.numpy()
    with pytest.raises(ValueError, match="read-only"):
        Careless.apply(x)
    np.testing.assert_array_equal(x.data, before)


def test_a_wrong_function_of_the_readers_own_fails_its_check():
    class Slipped(LinearFunction):
        @staticmethod
        def backward(ctx, grad_output):
            input, weight, _ = ctx.saved_tensors
            return grad_output.mm(weight), grad_output.t().mm(input), 1.001 * grad_output.sum(0)

    rng = np.random.default_rng(0)
    shapes = (5, 3), (2, 3), (2,)
    with pytest.raises(AssertionError, match="derivatives disagree"):
        check_grads(Slipped.apply, *(rng.normal(size=s) for s in shapes), order=1)


def test_a_function_within_a_derivative_still_sees_the_tensors_outside():
    """d/dw of d/dx Σ LinearFunction(x, w)³ at level 0, through the inner derivative."""
    (w,) = leaves((2, 3))
    x = np.random.default_rng(1).normal(size=(5, 3))
    inner = grad(lambda x: (LinearFunction.apply(x, w, None) ** 3).sum())(x)
    (inner**2).sum().backward()
    got = w.grad
    w.zero_grad()
    (grad(lambda x: ((x @ w.T) ** 3).sum())(x) ** 2).sum().backward()
    np.testing.assert_allclose(got, w.grad, rtol=1e-12)


def test_a_wrong_function_of_the_readers_own_is_named():
    class Wrong(torch.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output

    (x,) = leaves((3,))
    with pytest.raises(ValueError, match=r"Wrong.backward gave argument 1 .*shape \(\).*\(3,\)"):
        Wrong.apply(x).backward()
    with pytest.raises(TypeError, match="got no tensor"):
        Wrong.apply(np.ones(3))
    Wrong.forward = staticmethod(lambda ctx, x: [x])
    with pytest.raises(TypeError, match="Wrong.forward returned list, no tensor"):
        Wrong.apply(x)


def test_a_tensor_used_twice_counts_twice():
    (a,) = leaves(())
    b = a + a
    c = b + b
    assert gradients(c, a) == [4.0]


def test_a_diamond_is_visited_once_per_tensor():
    """2⁶⁰ paths; each of the 60 sums is visited once."""
    (a,) = leaves(())
    calls, y = [], a
    for _ in range(60):
        y = y + y
        y.register_hook(calls.append)
    assert gradients(y, a) == [2.0**60]
    assert len(calls) == 60


def test_gradients_accumulate_until_zeroed():
    (x,) = leaves((3,))
    (2 * x).sum().backward()
    (3 * x).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 5.0))
    x.zero_grad()
    assert x.grad is None


def test_whole_numbers_count_as_floats_beside_a_tensor():
    (x,) = leaves((3,))
    k = tensor([1, 2, 3])
    for product in (k * x, x * k, np.array([1, 2, 3]) * x):
        np.testing.assert_array_equal(gradients(product.sum(), x)[0], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal((k * k).data, [1.0, 4.0, 9.0])


def test_two_leaves_never_share_one_gradient_array():
    x, y = leaves((3,), (3,))
    (x + y).backward(np.ones(3))
    x.grad[0] = 7
    assert y.grad[0] == 1


def test_a_graph_100_000_operations_deep():
    (x,) = leaves(())
    y = x
    for _ in range(100_000):
        y = y * 1.0
    assert gradients(y, x) == [1.0]
    y = x
    for _ in range(100_000):
        y = y + 0.0
    del y  # and one that is dropped without a backward


@pytest.mark.parametrize("keep", [False, True])
def test_memory_is_freed_on_the_way_back_unless_kept(keep):
    """In arrays of 800 kB: 10 are held, 3 at most are added on the way, and 1 is left, x.grad."""
    (x,) = leaves((1000, 100))
    gc.collect()
    gc.disable()  # nothing may wait for the collector: no node is part of a cycle
    tracemalloc.start()
    try:
        y = x
        for _ in range(10):
            y = np.tanh(y)
        loss = y.sum()
        del y
        held = tracemalloc.get_traced_memory()[0] / x.data.nbytes
        tracemalloc.reset_peak()
        loss.backward(retain_graph=keep)
        left, peak = (n / x.data.nbytes for n in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held == pytest.approx(10, abs=0.1)
    assert 10 <= peak <= 13.1
    assert left == pytest.approx(11 if keep else 1, abs=0.1)
    if keep:
        loss.backward()


def test_a_dropped_graph_is_freed_at_once():
    (x,) = leaves((1000,))
    gc.disable()
    try:
        y = np.tanh(x * 2.0)
        kept = weakref.ref(y.parents[0].value)
        del y
        assert kept() is None
    finally:
        gc.enable()


def test_what_a_node_of_one_number_weighs():
    """A scalar program is the tape's worst case: under 1 kB for each operation."""
    (x,) = leaves(())
    tracemalloc.start()
    try:
        y = x
        for _ in range(1000):
            y = y * y
        assert tracemalloc.get_traced_memory()[0] < 1000 * 1000
    finally:
        tracemalloc.stop()


def test_a_second_backward_needs_the_graph_kept():
    (x,) = leaves((3,))
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="freed.*retain_graph=True"):
        loss.backward()
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_allclose(x.grad, 6 * x.data)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.__iadd__(1),
        lambda t: t.__setitem__(0, 9.0),
        lambda t: np.multiply(t, 2, out=t),
        lambda t: t.reshape(3, 1).__setitem__(1, 9.0),
        lambda t: t.detach().__setitem__(1, 9.0),
    ],
)
def test_a_saved_tensor_changed_in_place_is_noticed(change):
    x, w = leaves((3,), (3,))
    loss = (x * w).sum()
    with no_grad():
        change(w)
    with pytest.raises(RuntimeError, match=r"argument of multiply.*\(3,\).*changed in place"):
        loss.backward()


@pytest.mark.parametrize(
    "write",
    [
        lambda t, x: t.__iadd__(x),
        lambda t, x: t.__setitem__(0, x[1]),
        lambda t, x: np.exp(x, out=t),
        lambda t, x: grad(lambda y: np.multiply(y, 2.0, out=t).sum())(np.ones(3)),
        lambda t, x: jvp(lambda y: t.__iadd__(y))(np.ones(3), np.ones(3)),
    ],
)
def test_a_write_that_would_lose_a_derivative_is_refused(write):
    (x,) = leaves((3,))
    with pytest.raises(RuntimeError, match="no_grad"):
        write(tensor(np.zeros(3)), x)


def test_a_saved_constant_tensor_changed_in_place_is_noticed():
    (w,) = leaves((3,))
    x = tensor([1.0, 2.0, 3.0])
    loss = (x * w).sum()
    x[0] = 5.0
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_result_changed_in_place_is_noticed():
    (x,) = leaves((3,))
    y = np.exp(x)
    with no_grad():
        y *= 2
    with pytest.raises(RuntimeError, match="result of exp.*changed in place"):
        y.sum().backward()


def test_a_change_before_use_is_no_error():
    (x,) = leaves((3,))
    with no_grad():
        x *= 2.0
    np.testing.assert_allclose(gradients((x * x).sum(), x)[0], 2 * x.data)


def test_a_plain_array_may_change_after_its_use():
    """It is no tensor, so nobody would notice: the tape keeps a copy."""
    (w,) = leaves((3,))
    x, keep, mask = np.arange(3.0), np.arange(2), np.array([True, False, True])
    loss = (x * w).sum() + w[keep].sum() + np.where(mask, w, 0.0).sum()
    x += 100
    keep[:] = 2
    mask[:] = True
    np.testing.assert_array_equal(gradients(loss, w)[0], [0 + 1 + 1, 1 + 1 + 0, 2 + 0 + 1])


def test_numbers_read_from_a_tensor_cannot_be_changed():
    (x,) = leaves((3,))
    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 1


def test_recording_refuses_to_change_in_place():
    (x,) = leaves((3,))
    with pytest.raises(RuntimeError, match="no_grad"):
        x += 1


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda x: tensor([1, 2], requires_grad=True), ValueError, "int64.*only floating"),
        (lambda x: (2 * x).backward(), RuntimeError, r"shape \(3,\).*sum"),
        (lambda x: (2 * x).backward(np.ones(2)), ValueError, r"\(2,\).*\(3,\)"),
        (lambda x: tensor([1.0]).backward(), RuntimeError, "depends on none"),
        (lambda x: tensor([1.0]).register_hook(print), RuntimeError, "does not require"),
        (lambda x: np.cumsum(x), TypeError, "cumsum has no derivative"),
        (lambda x: np.add.accumulate(x), TypeError, "add.accumulate has no derivative"),
        (lambda x: np.asarray(x), TypeError, "lose its derivative"),
        (lambda x: x.mm(x), ValueError, r"mm got shapes \(3,\) and \(3,\)"),
        (lambda x: x.reshape(1, 1, 3).t(), ValueError, r"t got shape \(1, 1, 3\)"),
        (
            lambda x: F.mse(tensor([[1.0]]), x.reshape(1, 3)[:, :1]).backward(),
            RuntimeError,
            "mse has no derivative for its argument 2",
        ),
    ],
)
def test_misuse_is_refused(act, error, message):
    (x,) = leaves((3,))
    with pytest.raises(error, match=message):
        act(x)


def test_a_cycle_is_refused():
    (x,) = leaves(())
    y = x * 2.0
    z = y * 3.0
    y.parents = (z, 2.0)  # no op can do this
    with pytest.raises(RuntimeError, match="cycle"):
        z.backward()


def test_hooks_see_the_complete_gradient_and_may_replace_it():
    (x,) = leaves((2,))
    seen = []
    y = x * 2.0
    hook = y.register_hook(lambda d: seen.append(d))
    halve = x.register_hook(lambda d: d / 2)
    np.testing.assert_array_equal(gradients((y + y).sum(), x)[0], [2, 2])
    np.testing.assert_array_equal(seen, [[2, 2]])
    halve.remove()
    hook.remove()
    hook.remove()
    np.testing.assert_array_equal(gradients((x * 2.0).sum(), x)[0], [2, 2])
    x.register_hook(lambda d: d[:1])
    with pytest.raises(ValueError, match=r"hook returned shape \(1,\)"):
        (x * 2.0).sum().backward()


def test_no_grad_and_detach_leave_the_tape():
    (x,) = leaves((2,))
    with no_grad():
        y = x * 2.0
    assert not y.requires_grad
    assert not (x.detach() * 2.0).requires_grad
    np.testing.assert_array_equal(gradients((x * x.detach()).sum(), x)[0], x.data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mlp_on_the_tape_equals_its_hand_written_gradient_to_the_bit(dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20, 6)).astype(dtype), np.eye(4, dtype=dtype)[rng.integers(4, size=20)]
    net = MLP((6, 8, 7, 4), ops.relu, rng=0, dtype=dtype)
    theta = tensor(net.theta, requires_grad=True)
    Ws, bs = net.views(theta)
    a = X
    for W, b in zip(Ws[:-1], bs[:-1], strict=True):
        a = F.relu(F.affine(a, W, b))
    loss = F.softmax_cross_entropy(F.affine(a, Ws[-1], bs[-1]), Y)
    loss.backward()
    want_loss, want = net.loss_and_grad(X, Y)
    assert loss.item() == want_loss
    np.testing.assert_array_equal(theta.grad, want)
    assert theta.grad.dtype == dtype
