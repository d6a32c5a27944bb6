"""Learning-rate schedules and regularization (§3.3): what the article's code fragments do."""

from __future__ import annotations

import inspect
from fractions import Fraction
from itertools import product

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.indexed import I, J, collapse
from bpbook.claims.registry import claim
from bpbook.nets import Sequential
from bpbook.nets.layers import (
    Activation,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2d,
)
from bpbook.proof import prove, symbols
from bpbook.proof.zero import is_zero
from bpbook.training import SGD, Adam, AdamW
from bpbook.training.schedules import ReduceOnPlateau, cosine, step_decay

T = sp.Symbol("t", integer=True, nonnegative=True)
T_MAX = sp.Symbol("T_max", integer=True, positive=True)
ETA, ETA_MIN = sp.symbols("eta eta_min", positive=True)


@claim("C3.3.1-a", verdict="qualified", chapter=11)
def step_decay_is_a_power_of_the_factor():
    """StepLR multiplies by γ at each 30th epoch: η γ^⌊e/30⌋, if asked *before* each epoch's steps.

    The fragment needs an optimizer, and a loop that steps the schedule once an epoch, last.
    """
    factor, by_hand = Fraction(1, 10), []
    rate = Fraction(1)
    for epoch in range(121):
        rate *= factor if epoch and epoch % 30 == 0 else 1
        by_hand.append(rate)
    assert by_hand == [factor ** (epoch // 30) for epoch in range(121)]
    schedule = step_decay(1.0, every=30)
    found = [schedule(epoch) for epoch in range(121)]
    assert np.allclose(found, np.array(by_hand, float), rtol=1e-12, atol=0)
    late = [schedule(epoch + 1) for epoch in range(121)]  # stepped before the epoch, not after
    assert late[29] < found[29], "then epoch 29 has the rate of epoch 30 already"
    return "1, 0.1, 0.01, 0.001 from epochs 0, 30, 60, 90 on; exactly the product of the cuts"


def annealed(t: sp.Expr) -> sp.Expr:
    """The closed form of cosine annealing."""
    return ETA_MIN + (ETA - ETA_MIN) * (1 + sp.cos(sp.pi * t / T_MAX)) / 2


@claim("C3.3.1-b", verdict="qualified", chapter=11)
def cosine_annealing_rises_after_t_max():
    """From η to η_min at T_max = 100, and then up again: its period is 2 T_max.

    PyTorch's recursion over the rate before is the same function wherever it does not divide by 0.
    """
    assert sp.expand(annealed(T_MAX) - ETA_MIN) == 0
    assert sp.expand(annealed(0) - ETA) == 0
    assert sp.simplify(annealed(T_MAX + T) - annealed(T_MAX - T)) == 0, "a mirror at T_max"
    assert sp.simplify(annealed(T + 2 * T_MAX) - annealed(T)) == 0
    grow = (1 + sp.cos(sp.pi * (T + 1) / T_MAX)) / (1 + sp.cos(sp.pi * T / T_MAX))
    recursion = grow * (annealed(T) - ETA_MIN) + ETA_MIN
    assert sp.simplify(recursion - annealed(T + 1)) == 0
    schedule = cosine(1.0, T_max=100)
    found = [schedule(t) for t in (0, 50, 100, 150, 200)]
    assert np.allclose(found, [1, 0.5, 0, 0.5, 1], rtol=0, atol=1e-15)
    assert all(schedule(t + 1) > schedule(t) for t in range(100, 200))
    return "mirror at T_max, period 2 T_max, recursion = closed form, exactly; η(150) = 0.5 = η(50)"


@claim("C3.3.1-c", verdict="qualified", chapter=11)
def a_plateau_is_cut_one_epoch_after_the_patience():
    """patience = 10 cuts when bad epochs *exceed* 10; and the metric must be handed over.

    The first epoch is the best so far, so a metric that never moves is bad from the second on.
    """
    schedule = ReduceOnPlateau(1.0, patience=10)
    after = {call: schedule.update(0.5) for call in range(1, 24)}
    assert [after[call] for call in (1, 11)] == [1.0, 1.0]
    assert np.isclose(after[12], 0.1, rtol=1e-12)
    assert np.isclose(after[22], 0.1, rtol=1e-12)
    assert np.isclose(after[23], 0.01, rtol=1e-12)
    metric = inspect.signature(ReduceOnPlateau.update).parameters["metric"]
    assert metric.default is metric.empty, "update() alone is a TypeError"
    return (
        "constant metric: 1 up to call 11, 0.1 from call 12, 0.01 from call 23; no metric, no cut"
    )


def decayed(make, noise: np.ndarray, theta: float = 1.0) -> np.ndarray:
    """Where weights that start at ``theta`` end, for gradients of pure noise (steps, n)."""
    optimizer, w = make(), np.full(noise.shape[1], theta)
    for grad in noise:
        optimizer.step(w, grad)
    return w


@claim("C3.3.2-a", verdict="qualified", chapter=11)
def weight_decay_inside_adam_is_not_decay():
    """In SGD λθ in the gradient is a decay by 1 − ηλ. In Adam it is divided by √v̂ like the rest.

    Decoupled decay (AdamW, Loshchilov & Hutter 2019) shrinks every weight by the same share.
    """
    theta, g, eta, lam = sp.symbols("theta g eta lambda")
    assert sp.expand((theta - eta * (g + lam * theta)) - ((1 - eta * lam) * theta - eta * g)) == 0
    still = np.zeros((1, 1))
    moved = [
        1 - decayed(lambda make=make: make(1e-3, weight_decay=1e-4), still).item()
        for make in (SGD, Adam, AdamW)
    ]
    assert np.allclose(moved, [1e-7, 1e-3 / (1 + 1e-4), 1e-7], rtol=1e-8, atol=0)
    noise = np.random.default_rng(0).normal(0, [10, 0.01], (4000, 2))
    l2, decoupled, none = (
        decayed(lambda make=make, decay=decay: make(1e-3, weight_decay=decay), noise)
        for make, decay in ((Adam, 0.1), (AdamW, 0.1), (Adam, 0.0))
    )
    assert abs(l2[0] - none[0]) < 0.1, "where gradients are large, L2 hardly pulls"
    assert abs(l2[1]) < 0.01, "where they are small it takes everything"
    assert np.allclose(decoupled, (1 - 1e-4) ** 4000, atol=0.15), "a walk about the same share"
    return (
        f"no gradient, w = 1: Adam moves {moved[1]:.3e}, AdamW {moved[2]:.3e}; after 4000 noisy "
        f"steps Adam {l2[0]:.2f} and {abs(l2[1]):.2f}, AdamW {decoupled[0]:.2f} and "
        f"{decoupled[1]:.2f}"
    )


@claim("C3.3.2-b", verdict="qualified", chapter=11)
def dropout_keeps_the_mean_of_what_it_drops():
    """784-256-10 with dropout ½: kept values are doubled, so the mean over masks is the input.

    The net needs rows of 784 and gives logits. In evaluation mode it drops nothing; through a
    ReLU or a softmax behind the next layer, the mean is not kept.
    """
    net = Sequential([Dense(784, 256), Activation(ops.relu), Dropout(0.5), Dense(256, 10)])
    rng = np.random.default_rng(0)
    X, Y = rng.random((5, 784)), np.eye(10)[:5]
    assert net.theta.size == 784 * 256 + 256 + 256 * 10 + 10 == 203_530
    assert net.forward(X).shape == (5, 10)
    assert not np.allclose(net.forward(X).sum(axis=1), 1), "logits, no probabilities"
    assert _refuses(net, rng.random((5, 1, 28, 28)))
    assert (net.forward(X) == net.forward(X)).all(), "evaluation: no randomness"
    assert net.loss_and_grad(X, Y)[0] != net.loss_and_grad(X, Y)[0], "training: another mask"
    _mean_and_variance_over_all_masks()
    x, n = sp.IndexedBase("x"), sp.Symbol("n", integer=True, positive=True)  # x_j = w_j a_j
    p = sp.Symbol("p", positive=True)
    # E[m_i m_j]/(1 − p)² = 1 + δ_ij p/(1 − p): so E[z²] − (Σ x)² is the sum over δ alone.
    inner = sp.Sum(sp.KroneckerDelta(I, J) * p / (1 - p) * x[I] * x[J], (J, 1, n))
    assert sp.simplify(collapse(inner) - p / (1 - p) * x[I] ** 2) == 0
    mask = np.array([[1, 0, 1]])
    proof = prove(ops.dropout, (1, 3), mask=mask, rate=0.5)
    assert proof, proof
    out = ops.dropout(np.ones(10_000), rng.random(10_000) < 0.5, 0.5)[0]
    assert set(out) == {0.0, 2.0}
    return "203530 parameters; E = a and Var = p/(1−p) Σ w²a² for any n, and over all 2⁵ masks"


def _refuses(net: Sequential, X: np.ndarray) -> bool:
    try:
        net.forward(X)
    except ValueError:
        return True
    return False


def _mean_and_variance_over_all_masks() -> None:
    """Σ w_j a_j m_j/(1 − p) with p = ¼ over the 2⁵ masks, each with its probability, exactly."""
    p, terms = Fraction(1, 4), [Fraction(k, 3) for k in (2, -1, 5, 4, -7)]
    mean = square = Fraction(0)
    for mask in product((0, 1), repeat=5):
        weight = (1 - p) ** sum(mask) * p ** (5 - sum(mask))
        z = sum(t * m for t, m in zip(terms, mask, strict=True)) / (1 - p)
        mean, square = mean + weight * z, square + weight * z * z
    assert mean == sum(terms)
    assert square - mean**2 == p / (1 - p) * sum(t * t for t in terms)


def _block(c_in: int, c_out: int, bias: bool) -> list[Layer]:
    return [Conv2d(c_in, c_out, 3, padding=1, bias=bias), BatchNorm(c_out), Activation(ops.relu)]


@claim("C3.3.2-c", verdict="qualified", chapter=11)
def a_bias_before_batch_norm_does_nothing():
    """Two blocks 3→64→128 give features (m, 128, h, w), no answer: pooling and a head are missing.

    Batch normalization takes the mean away, and with it any bias before it: 192 parameters whose
    gradient is 0.
    """
    z, b = symbols("z", 3, 1), symbols("b", 1)
    gamma, beta, u = symbols("gamma", 1), symbols("beta", 1), symbols("u", 3, 1)
    shifted, vjp = ops.batch_norm(z + b, gamma, beta)
    assert all(is_zero(x) for x in (shifted - ops.batch_norm(z, gamma, beta)[0]).flat)
    assert is_zero(vjp(u)[0].sum()[()]), "∂L/∂b = Σ ∂L/∂z = 0"
    source = Sequential(_block(3, 64, True) + _block(64, 128, True))
    lean = Sequential(_block(3, 64, False) + _block(64, 128, False))
    assert source.theta.size == 76_032
    assert lean.theta.size == 76_032 - 192
    x = np.random.default_rng(0).normal(size=(2, 3, 16, 16))
    assert source.forward(x).shape == (2, 128, 16, 16)
    head = [MaxPool2d(), Flatten(), Dense(4 * 8 * 8, 2)]
    small = Sequential(_block(3, 3, True) + _block(3, 4, True) + head)
    _, grad = small.loss_and_grad(x, np.eye(2))
    parts = small.views(grad)
    size = {name: np.abs(parts[name]).max() for name in ("1.W", "1.b", "4.W", "4.b")}
    assert max(size["1.b"], size["4.b"]) < 1e-12 * min(size["1.W"], size["4.W"])
    return "shift and bias gradient exactly 0; 76032 parameters, 75840 without the biases"
