"""The memory of a gradient, and how far its time can be lowered (sections 1.4.2, 6.5.1, 7)."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import MLP, numeric_gradient
from bpbook.nets.counted import Counted
from bpbook.training import SGD

READER = (784, 256, 10)  # reads a digit of 28 by 28 pixels


def _stored(sizes: tuple[int, ...], m: int) -> tuple[int, int]:
    """How many numbers a batch of m makes the net keep (a⁽⁰⁾ … a⁽ᴸ⁾), and its parameters."""
    net, X = MLP(sizes, dtype=np.float32), np.zeros((m, sizes[0]), np.float32)
    return X.size + sum(a.size for _, a in net.trace(X)), net.theta.size


@claim("E1.4.2-d", verdict="qualified", chapter=5)
def memory_of_activations():
    """The activations of a batch of m are m Σ_{l=0}^{L} n_l numbers, which can outnumber W."""
    for sizes in (READER, (7, 3, 5, 2)):
        for m in (1, 10, 1024):
            assert _stored(sizes, m)[0] == m * sum(sizes)
    activations, parameters = _stored(READER, 1024)
    assert round(activations / parameters, 3) == 5.283
    return "784-256-10, batch of 1024: activations are 5.283 times the parameters"


@claim("E1.4.2-e", verdict="measured", chapter=5)
def memory_of_parameters():
    """The parameters are W numbers: one flat vector, and every W and b is a view into it."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = tuple(int(k) for k in rng.integers(1, 40, rng.integers(2, 6)))
        net = MLP(sizes, dtype=np.float32)
        parameters = sum(a * (b + 1) for a, b in zip(sizes[1:], sizes, strict=False))
        assert net.theta.nbytes == 4 * parameters
        assert all(np.shares_memory(x, net.theta) for x in (*net.W, *net.b))
    return "20 random nets in float32: 4 W bytes, and no copy"


@claim("E1.4.2-f", verdict="qualified", chapter=5)
def memory_in_all():
    """W + m Σ n_l numbers for a batch of m, and W more for the gradient."""
    activations, parameters = _stored(READER, 4096)
    assert round((parameters + activations) / (parameters + sum(READER)), 2) == 22.02
    net = MLP((7, 3, 2))
    _, grad = net.loss_and_grad(np.ones((1, 7)), np.array([[1.0, 0.0]]))
    assert grad.size == net.theta.size
    assert not np.shares_memory(grad, net.theta)
    return "784-256-10, batch of 4096: 22.02 times W + sum n_l; the gradient is W more"


@claim("Q6.5.1-a", verdict="qualified", chapter=5)
def lower_bound():
    """Ω(W) holds where W dense numbers must be written; sparse and factored gradients cost less."""
    rng = np.random.default_rng(0)
    net = MLP((6, 5, 3), rng=1)
    _, grad = net.loss_and_grad(rng.normal(size=(4, 6)), np.eye(3)[[0, 1, 2, 0]])
    assert np.count_nonzero(grad) == grad.size, "a dense gradient: W numbers to write"

    table, word, target = rng.normal(size=(1000, 16)), 417, np.zeros((1, 16))
    one_hot = np.eye(1000)[[word]]
    dense = one_hot.T @ ops.mse(one_hot @ table, target)[1]()  # 16,000 products, as matrices
    sparse = ops.mse(table[[word]], target)[1]()  # looked up: the other rows are never read
    assert np.array_equal(np.flatnonzero(dense.any(axis=1)), [word])
    assert np.array_equal(dense[word], sparse[0])

    delta, a = Counted(rng.normal(size=256)), rng.normal(size=784)
    factored = (delta @ delta) * float(Counted(a) @ a)
    assert np.isclose(factored, (np.outer(delta, a) ** 2).sum())
    assert delta.multiply_adds == 256
    return f"embedding 1000 x 16: {sparse.size} of {dense.size} numbers; |delta a^T| from factors"


@claim("P7-b", verdict="qualified", chapter=5)
def dear_and_not_impossible():
    """Multilayer nets can be trained without backpropagation; it made that cheap, by order W."""
    X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    net, optimizer, passes = MLP((2, 4, 1), loss=ops.mse, rng=1), SGD(0.5), []

    def loss(theta):
        passes.append(1)
        return net.op(theta, X, Y)[0]

    assert net.loss(X, Y) > 0.1
    for _ in range(160):
        optimizer.step(net.theta, numeric_gradient(loss, net.theta))
    assert net.loss(X, Y) < 1e-4
    assert np.array_equal(net.predict(X).round(), Y)
    assert len(passes) == 160 * 2 * 17
    return f"XOR, 17 parameters, {len(passes)} forward passes: loss below 1e-4"
