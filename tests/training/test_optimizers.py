"""What all optimizers share, and each rule against its formula written plainly."""

import tracemalloc
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from bpbook.nets import MLP, Conv2d, Dense, Flatten, Sequential
from bpbook.training import (
    SGD,
    AdaGrad,
    Adam,
    Lion,
    Momentum,
    Muon,
    Nadam,
    Nesterov,
    RMSProp,
    optimizers,
)
from bpbook.training.optimizers import BLOCK, CUBIC, Optimizer, newton_schulz

SIZES = [0, 1, 5, BLOCK, BLOCK + 1, 2 * BLOCK + 7]
RULES = {c.__name__: c for c in vars(optimizers).values() if isinstance(c, type)}
del RULES["Optimizer"]
RULES["Muon"] = partial(Muon, views=lambda flat: [flat])
every_rule = pytest.mark.parametrize("make", RULES.values(), ids=RULES)


def steps(optimizer, theta, grads):
    return np.array([optimizer.step(theta, g).copy() for g in grads])


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


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
    used, fresh = SGD(0.1), SGD(0.1)
    used.step(np.ones(9), np.ones(9))
    grad = normal(9, dtype=np.float32)
    assert (used.step(grad.copy(), grad) == fresh.step(grad.copy(), grad)).all()  # bit for bit


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


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), "0.1", None, True, 1j])
def test_learning_rate_must_be_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match="learning_rate must be a finite number, at least 0, got"):
        SGD(bad)
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="learning_rate must be"):
        optimizer.learning_rate = bad
    assert optimizer.learning_rate == 0.1


@every_rule
def test_a_rate_of_0_where_a_schedule_may_end_leaves_theta(make):
    optimizer, theta = make(0.1), normal(7)
    optimizer.learning_rate = 0
    assert (optimizer.step(theta.copy(), normal(7, seed=1)) == theta).all()


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


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_every_rule_steps_in_place_and_keeps_the_dtype(make, dtype, decay):
    theta, grad = normal(7, dtype=dtype), normal(7, seed=1, dtype=dtype)
    before, same_grad, optimizer = theta.copy(), grad.copy(), make(0.01, weight_decay=decay)
    for t in range(3):
        assert optimizer.step(theta, grad) is theta
        assert optimizer.state["t"] == t + 1
    assert theta.dtype == dtype
    assert (grad == same_grad).all()
    assert (theta != before).all()
    vectors = [x for x in optimizer.state.values() if isinstance(x, np.ndarray)]
    assert all(x.dtype == dtype and x.shape == theta.shape for x in vectors)


@every_rule
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_float32_follows_float64(make, decay):
    theta, grads = normal(9), normal(20, 9, seed=1)
    double = steps(make(0.01, weight_decay=decay), theta.copy(), grads)
    single = steps(
        make(0.01, weight_decay=decay), theta.astype(np.float32), grads.astype(np.float32)
    )
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-4 if make is RULES["Muon"] else 1e-5)


@pytest.mark.parametrize("name", [n for n in RULES if n != "Muon"])
def test_a_long_vector_moves_as_its_pieces_do(name):
    """Blocks are an affair of the cache: no rule sees their borders. (Muon's borders are views.)"""
    n, cut = 2 * BLOCK + 7, 1000
    theta, grads = normal(n), normal(3, n, seed=1)
    whole = steps(RULES[name](0.01, weight_decay=0.1), theta.copy(), grads)[-1]
    for part in (slice(0, cut), slice(cut, BLOCK), slice(BLOCK, n)):
        piece = steps(RULES[name](0.01, weight_decay=0.1), theta[part].copy(), grads[:, part])[-1]
        assert (piece == whole[part]).all()


@pytest.mark.parametrize("name", [n for n in RULES if n != "Muon"])
def test_no_rule_allocates_after_the_first_step(name):
    theta, grad, optimizer = np.ones(20 * BLOCK), np.ones(20 * BLOCK), RULES[name](1e-3)
    optimizer.weight_decay = 0.1
    optimizer.step(theta, grad)
    tracemalloc.start()
    try:
        optimizer.step(theta, grad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000


@every_rule
def test_reset_forgets_and_a_saved_state_remembers(make):
    theta, grads = normal(6), normal(9, 6, seed=1)
    one, start = make(0.01), theta.copy()
    walked = steps(one, theta, grads[:5])
    saved = one.state_dict()
    rest = steps(one, theta, grads[5:])
    other = make(0.5, weight_decay=0.3)
    steps(other, theta.copy(), grads[:2])
    other.load_state_dict(saved)
    assert other.settings == one.settings
    assert (steps(other, walked[-1].copy(), grads[5:]) == rest).all()
    assert saved["state"]["t"] == 5, "a later step reached into the saved copy"
    one.reset()
    assert one.state["t"] == 0
    assert (steps(one, start, grads[:5]) == walked).all()


def test_a_saved_state_that_does_not_fit_is_refused_and_changes_nothing():
    optimizer, theta = Adam(0.1), np.ones(3)
    optimizer.step(theta, theta)
    good, before = optimizer.state_dict(), repr(optimizer.state_dict())
    bad = {
        "this is the state of SGD; wanted that of Adam": SGD(0.1).state_dict(),
        "settings has": good | {"settings": {"learning_rate": 1.0}},
        "beta1 must be": good | {"settings": good["settings"] | {"beta1": 1.0}},
        "state has": good | {"state": {"t": 1, "m": np.ones(3)}},
        "differ in shape or dtype": good | {"state": good["state"] | {"v": np.ones(2)}},
        "whole number of steps": good | {"state": good["state"] | {"t": -1}},
        "t must be a number": good | {"state": good["state"] | {"t": None}},
        "not floats": good
        | {"state": good["state"] | {"m": np.ones(3, int), "v": np.ones(3, int)}},
        r"state has \['t'\]": good | {"state": {"t": 1}},  # after a step there are averages
        "wanted what state_dict": None,
    }
    for message, saved in bad.items():
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(saved)
        assert repr(optimizer.state_dict()) == before
    fresh = Adam().state_dict()
    optimizer.load_state_dict(fresh)
    assert optimizer.state == {"t": 0}


def test_a_state_belongs_to_one_vector():
    optimizer = Momentum(0.1)
    optimizer.step(np.ones(3), np.ones(3))
    for other in (np.ones(4), np.ones(3, np.float32)):
        with pytest.raises(ValueError, match=r"the steps so far were on \(3,\) float64; reset"):
            optimizer.step(other, other)
    assert optimizer.state["t"] == 1
    optimizer.reset()
    optimizer.step(np.ones(4), np.ones(4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Momentum, 0.1, 1.0), "momentum must be a finite number, at least 0 and below 1"),
        (partial(Adam, beta2=-0.1), "beta2 must be a finite number, at least 0 and below 1"),
        (partial(Adam, eps=0), "eps must be a positive finite number, got 0"),
        (partial(RMSProp, gamma=float("nan")), "gamma must be"),
        (partial(SGD, 0.1, weight_decay=-1), "weight_decay must be a finite number, at least 0,"),
        (partial(Lion, beta1="0.9"), "beta1 must be"),
        (partial(Nadam, momentum_decay=float("inf")), "momentum_decay must be"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_nesterov_holds_the_look_ahead_point_of_the_two_line_recursion():
    """θ = φ + μ v, for v ← μ v + η ∇L(θ − μ v), θ ← θ − v (E2.3.2-d, -e)."""
    curvature, eta, mu = np.array([1.0, 30.0]), 0.03, 0.8
    theta, v, phi, optimizer = np.ones(2), np.zeros(2), np.ones(2), Nesterov(eta, mu)
    for _ in range(50):
        v = mu * v + eta * curvature * (theta - mu * v)
        theta = theta - v
        optimizer.step(phi, curvature * phi)
        np.testing.assert_allclose(phi + mu * optimizer.state["v"], theta, rtol=0, atol=1e-14)


def test_lion_is_the_paper_s_algorithm():
    theta, m, grads, eta, decay = normal(5), np.zeros(5), normal(50, 5, seed=1), 0.02, 0.1
    path = steps(Lion(eta, 0.8, 0.95, weight_decay=decay), theta.copy(), grads)
    for g, got in zip(grads, path, strict=True):
        c = 0.8 * m + (1 - 0.8) * g
        theta = theta - eta * (np.sign(c) + decay * theta)
        m = 0.95 * m + (1 - 0.95) * g
        np.testing.assert_allclose(got, theta, rtol=0, atol=1e-14)


@pytest.mark.parametrize("make", [Lion, optimizers.AdamW, RULES["Muon"]])
def test_decoupled_decay_is_in_no_average(make):
    theta, grads = normal(5), normal(4, 5, seed=1)
    decayed, free = make(0.01, weight_decay=0.5), make(0.01, weight_decay=0.0)
    steps(decayed, theta.copy(), grads)
    steps(free, theta.copy(), grads)
    for a, b in zip(decayed.state.values(), free.state.values(), strict=True):
        assert np.array_equal(a, b)


def test_the_first_steps_by_hand():
    """g = (3, −0.01): Adam's first step is η sign(g), RMSProp's η sign(g)/√(1 − γ).

    With an ε of 1 Adam's is η g/(|g| + 1), and so is AdaGrad's.
    """
    g = np.array([3.0, -0.01])
    for optimizer, want in (
        (SGD(0.1), -0.1 * g),
        (Momentum(0.1), -0.1 * g),
        (Nesterov(0.1, 0.9), -0.19 * g),
        (RMSProp(0.1, 0.75, eps=1e-30), -0.2 * np.sign(g)),
        (Adam(0.1, eps=1e-30), -0.1 * np.sign(g)),
        (Adam(0.1, eps=1), -0.1 * g / (abs(g) + 1)),
        (AdaGrad(0.1, eps=1), -0.1 * g / (abs(g) + 1)),
        (Lion(0.1), -0.1 * np.sign(g)),
    ):
        np.testing.assert_allclose(optimizer.step(np.zeros(2), g), want, rtol=1e-12)


def test_nadam_is_its_formula():
    eta, beta1, beta2, eps, psi = 0.1, 0.8, 0.9, 0.01, 2.0
    theta, grads = normal(4), normal(6, 4, seed=1)
    path = steps(Nadam(eta, beta1, beta2, eps=eps, momentum_decay=psi), theta.copy(), grads)
    mu = beta1 * (1 - 0.5 * 0.96 ** (psi * np.arange(1, 8)))  # μ₁, μ₂, …
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        m_hat = mu[t] * m / (1 - mu[: t + 1].prod()) + (1 - mu[t - 1]) * g / (1 - mu[:t].prod())
        theta = theta - eta * m_hat / (np.sqrt(v / (1 - beta2**t)) + eps)
        np.testing.assert_allclose(path[t - 1], theta, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (5, 1)])
def test_newton_schulz_keeps_the_singular_vectors_and_evens_out_the_values(shape):
    G = normal(*shape)
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    np.testing.assert_allclose(newton_schulz(G, CUBIC, 60), U @ Vt, rtol=0, atol=1e-12)
    quintic = U.T @ newton_schulz(G) @ Vt.T
    np.testing.assert_allclose(quintic, np.diag(np.diag(quintic)), rtol=0, atol=1e-12)
    assert np.diag(quintic).min() > 0.3
    assert np.diag(quintic).max() < 1.3
    assert newton_schulz(G.astype(np.float32)).dtype == np.float32
    assert not newton_schulz(np.zeros(shape)).any()


def test_muon_orthogonalizes_each_matrix_of_a_net_and_normalizes_each_bias():
    net = MLP((3, 4, 2))
    exact = partial(newton_schulz, coefficients=CUBIC, iterations=60)
    optimizer, before = Muon(0.1, net.views, orthogonalize=exact), net.theta.copy()
    optimizer.step(net.theta, normal(net.theta.size))
    dW, db = net.views((before - net.theta) / 0.1)
    for W in dW:
        values = np.linalg.svd(W / np.sqrt(max(1, len(W) / W.shape[1])), compute_uv=False)
        np.testing.assert_allclose(values, 1, rtol=1e-9)
    for b in db:
        assert np.sqrt((b**2).mean()) == pytest.approx(1)


def test_muon_refuses_views_that_leave_numbers_out():
    optimizer, theta = Muon(0.1, lambda flat: [flat[:4].reshape(2, 2)]), np.ones(5)
    with pytest.raises(ValueError, match=r"views gives \[\(2, 2\)\] of a vector of 5"):
        optimizer.step(theta, theta)
    assert optimizer.state["t"] == 0


def test_muon_refuses_what_is_no_function():
    with pytest.raises(ValueError, match=r"views is None; wanted a function, such as net\.views"):
        Muon(0.1, None)
    with pytest.raises(ValueError, match="orthogonalize is 5; wanted a function"):
        Muon(0.1, lambda flat: [flat], orthogonalize=5)


def test_muon_refuses_views_that_are_copies():
    optimizer, theta = Muon(0.1, lambda flat: [flat.reshape(2, 3).copy()]), np.ones(6)
    with pytest.raises(ValueError, match="copies"):
        optimizer.step(theta, theta)
    assert optimizer.state["t"] == 0


def test_muon_takes_the_views_of_a_sequential_net():
    net = Sequential([Conv2d(1, 2, 2), Flatten(), Dense(8, 3)])
    one, other = net.theta.copy(), net.theta.copy()
    grad = np.arange(len(one)) / 7 - 2
    Muon(0.1, net.views).step(one, grad)
    Muon(0.1, lambda flat: list(net.views(flat).values())).step(other, grad)
    np.testing.assert_array_equal(one, other)
    assert (one != net.theta).all()


@pytest.mark.parametrize(
    ("without_memory", "same_as"),
    [
        (Momentum(0.1, 0.0), SGD(0.1)),
        (Nesterov(0.1, 0.0), SGD(0.1)),
        (Nadam(0.1, 0.0, 0.9), Adam(0.1, 0.0, 0.9)),
        (Lion(0.1, 0.0, 0.0), RMSProp(0.1, 0.0, eps=1e-30)),
    ],
)
def test_with_a_decay_of_0_a_rule_has_no_memory(without_memory, same_as):
    theta, grads = normal(5), normal(20, 5, seed=1)
    path = steps(without_memory, theta.copy(), grads)
    np.testing.assert_allclose(path, steps(same_as, theta.copy(), grads), rtol=0, atol=1e-14)


@every_rule
def test_training_a_net_lowers_its_loss_step_by_step(make):
    """A small step against the gradient; the first of each rule is one, on the same batch."""
    net, X = MLP((4, 8, 3)), normal(30, 4)
    Y = np.eye(3)[np.random.default_rng(1).integers(3, size=30)]
    optimizer = Muon(1e-3, net.views) if make is RULES["Muon"] else make(1e-3)
    losses = []
    for _ in range(10):
        loss, grad = net.loss_and_grad(X, Y)
        losses.append(float(loss))
        optimizer.step(net.theta, grad)
    assert all(b < a for a, b in pairwise(losses))


@every_rule
def test_a_rule_is_under_15_lines(make):
    import inspect

    rule = (make.func if isinstance(make, partial) else make)._rule
    assert rule is not Optimizer._rule
    assert len(inspect.getsource(rule).splitlines()) < 15
