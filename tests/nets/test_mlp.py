"""The whole gradient of random networks, against differences and PyTorch; and the net's manners."""

import copy
import pickle
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook import ops
from bpbook.nets import MLP, check_gradient

SMOOTH = [ops.identity, ops.sigmoid, ops.tanh, ops.softplus, ops.gelu, ops.silu, ops.softmax]
KINKED = [ops.relu, ops.leaky_relu, ops.elu]
LOSSES = [ops.mse, ops.softmax_cross_entropy, ops.sigmoid_binary_cross_entropy]


def random_net(**arguments):
    """A net whose biases are not 0 either: behind a dead unit a zero bias sits on relu's kink."""
    net = MLP(**arguments)
    net.theta = net.theta + np.random.default_rng(arguments["rng"]).normal(0, 0.3, net.theta.shape)
    return net


architectures = st.builds(
    random_net,
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    activation=st.sampled_from(SMOOTH + KINKED),
    loss=st.sampled_from(LOSSES),
    rng=st.integers(0, 10**6),
)


def batch(net, m, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, net.sizes[0])), np.eye(net.sizes[-1])[
        rng.integers(0, net.sizes[-1], m)
    ]


def loss_at(net, X, Y):
    def f(theta):
        before = net.theta.copy()
        net.theta = theta
        loss = net.loss(X, Y)
        net.theta = before
        return loss

    return f


@settings(max_examples=40, deadline=None)
@given(net=architectures, m=st.integers(1, 4))
def test_whole_gradient_of_a_random_network(net, m):
    X, Y = batch(net, m)
    loss, grad = net.loss_and_grad(X, Y)
    assert loss == pytest.approx(net.loss(X, Y))
    report = check_gradient(loss_at(net, X, Y), net.theta, grad, net.names, rtol=1e-6)
    assert report, report


@settings(max_examples=25, deadline=None)
@given(net=architectures, m=st.integers(1, 4))
def test_equals_pytorch(net, m):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    theirs = {
        ops.identity: lambda z: z,
        ops.softmax: lambda z: torch.softmax(z, -1),
        ops.softplus: torch.nn.functional.softplus,
        ops.gelu: torch.nn.functional.gelu,
        ops.silu: torch.nn.functional.silu,
        ops.leaky_relu: torch.nn.functional.leaky_relu,
        ops.elu: torch.nn.functional.elu,
        **{op: getattr(torch, op.__name__) for op in (ops.sigmoid, ops.tanh, ops.relu)},
    }
    losses = {
        ops.mse: lambda z, Y: ((z - Y) ** 2).sum() / (2 * m),
        ops.softmax_cross_entropy: torch.nn.functional.cross_entropy,
        ops.sigmoid_binary_cross_entropy: lambda z, Y: (
            torch.nn.functional.binary_cross_entropy_with_logits(z, Y, reduction="sum") / m
        ),
    }
    X, Y = batch(net, m)
    theta = torch.tensor(net.theta, requires_grad=True)
    a, start = torch.tensor(X), 0
    for (n_in, n_out), activation in zip(pairwise(net.sizes), net.activations, strict=True):
        W = theta[start : start + n_in * n_out].reshape(n_out, n_in)
        b = theta[start + n_in * n_out : start + (n_in + 1) * n_out]
        a, start = theirs[activation](a @ W.T + b), start + (n_in + 1) * n_out
    expected = losses[net.loss_op](a, torch.tensor(Y))
    expected.backward()
    loss, grad = net.loss_and_grad(X, Y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grad, theta.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_hand_written_vjps_give_the_same_gradient():
    """The unrolled backward pass equals the chain of ``ops.affine``'s own vjps, bit for bit."""
    net = MLP((4, 3, 2), ops.tanh, rng=1)
    X, Y = batch(net, 5)
    z1, affine1 = ops.affine(X, net.W[0], net.b[0])
    a1, tanh = ops.tanh(z1)
    z2, affine2 = ops.affine(a1, net.W[1], net.b[1])
    _, loss = ops.softmax_cross_entropy(z2, Y)
    da1, dW2, db2 = affine2(loss())
    _, dW1, db1 = affine1(tanh(da1))
    by_hand = np.concatenate([g.ravel() for g in (dW1, db1, dW2, db2)])
    np.testing.assert_array_equal(net.loss_and_grad(X, Y)[1], by_hand)


def test_gradient_of_a_batch_is_the_mean_over_its_samples():
    net = MLP((3, 4, 2), rng=2)
    X, Y = batch(net, 6)
    alone = [net.loss_and_grad(X[i : i + 1], Y[i : i + 1])[1] for i in range(6)]
    np.testing.assert_allclose(net.loss_and_grad(X, Y)[1], np.mean(alone, axis=0), rtol=1e-12)


def test_views_share_memory_with_theta():
    net = MLP((2, 3, 1))
    net.W[1][0, 2] = 7
    assert net.theta[net.names.index("W2[0, 2]")] == 7
    net.theta = np.arange(net.theta.size)
    assert net.b[1][0] == net.theta.size - 1 == 12
    assert len(net.names) == len(set(net.names)) == 13


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copied_net_learns_alone_and_predicts_with_what_it_learned(copied):
    """Copied views would stay as they were while theta learns."""
    net = MLP((2, 3, 2), rng=0)
    start, (X, Y) = net.theta.copy(), batch(net, 4)
    twin = copied(net)
    twin.theta -= twin.loss_and_grad(X, Y)[1]
    again = MLP((2, 3, 2), rng=1)
    again.theta = twin.theta
    np.testing.assert_array_equal(twin.forward(X), again.forward(X))
    assert twin.loss(X, Y) == twin.loss_and_grad(X, Y)[0] < net.loss(X, Y)
    np.testing.assert_array_equal(net.theta, start)


def test_parameters_live_in_theta_alone():
    """An array put in W's place would be seen by some methods and not by others."""
    net = MLP((2, 3, 1))
    with pytest.raises(TypeError):
        net.W[0] = np.ones((3, 2))
    with pytest.raises(AttributeError):
        net.b = [np.ones(3), np.ones(1)]


def test_float32_stays_float32():
    net = MLP((3, 4, 2), ops.relu, dtype=np.float32)
    loss, grad = net.loss_and_grad(*batch(net, 5))
    assert (loss.dtype, grad.dtype, net.predict(np.ones((1, 3))).dtype) == (np.float32,) * 3


def test_predict_gives_probabilities_where_the_loss_takes_logits():
    X = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(MLP((3, 5)).predict(X).sum(axis=1), 1)
    yes_no = MLP((3, 5), loss=ops.sigmoid_binary_cross_entropy).predict(X)
    assert ((yes_no > 0) & (yes_no < 1)).all()
    plain = MLP((3, 5), loss=ops.mse)
    np.testing.assert_array_equal(plain.predict(X), plain.forward(X))


def test_one_activation_per_layer():
    net = MLP((2, 3, 2), [ops.relu, ops.softmax], loss=ops.cross_entropy, rng=3)
    logits = MLP((2, 3, 2), ops.relu, rng=3)
    X, Y = batch(net, 4)
    np.testing.assert_allclose(net.loss_and_grad(X, Y)[1], logits.loss_and_grad(X, Y)[1], rtol=1e-9)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"sizes is \[3\]"):
        MLP([3])
    with pytest.raises(ValueError, match="sizes"):
        MLP([3, 0])
    with pytest.raises(ValueError, match="activation has 1 ops; this net has 2 layers"):
        MLP([3, 2, 1], [ops.tanh])
    for sizes in (3, None, (True, 2), (2.0, 3), "32", iter([3, 2])):
        with pytest.raises(ValueError, match="sizes is .*; wanted at least two whole numbers"):
            MLP(sizes)
    for activation in ("tanh", None):
        with pytest.raises(ValueError, match="activation is .*; wanted a function, such as"):
            MLP([3, 2, 1], activation)
    with pytest.raises(ValueError, match=r"activation\[1\] is None; wanted a function"):
        MLP([3, 2, 1], [ops.tanh, None])
    with pytest.raises(ValueError, match="loss is 'mse'; wanted a function"):
        MLP([3, 2], loss="mse")
    with pytest.raises(ValueError, match="init is 'he'; wanted a function"):
        MLP([3, 2], init="he")
    with pytest.raises(ValueError, match="dtype is int64"):
        MLP([3, 2], dtype=np.int64)
    with pytest.raises(ValueError, match=r"X has shape \(5, 2\); this net takes \(m, 3\)"):
        MLP([3, 2]).forward(np.ones((5, 2)))
    with pytest.raises(ValueError, match="theta has shape"):
        MLP([3, 2]).theta = np.zeros(3)


def test_repr_names_every_op():
    slanted = partial(ops.leaky_relu, slope=0.2)
    assert repr(MLP((2, 3, 1), slanted, ops.mse)) == (
        "MLP 2-3-1 (leaky_relu(slope=0.2), identity; mse)"
    )
