"""What keeps gradients alive (§2.1.2): clipping, ReLU, residual connections; and sigmoid's ¼."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap, is_derivative, jacobian
from bpbook.claims.registry import claim
from bpbook.nets import MLP, numeric_gradient
from bpbook.nets.base import Op
from bpbook.proof import symbols
from bpbook.theory.propagation import propagate
from bpbook.training import clip_by_norm
from bpbook.training.initializers import Init, he_normal, lecun_normal, scaled


def stack(depth: int, n: int, activation: Op, init: Init, **how: bool) -> tuple:
    """(X, da, weights, what `propagate` gives) for 32 samples and ``depth`` layers of n units."""
    rng = np.random.default_rng(depth)
    X, da = rng.normal(size=(2, 32, n))
    weights = [init(rng, n, n) for _ in range(depth)]
    return X, da, weights, propagate(X, weights, activation, da, **how)


@claim("E2.1.2-e", verdict="proved", chapter=7)
def clipping_keeps_the_direction():
    """g if ‖g‖ ≤ τ, else (τ/‖g‖) g: the norm after is min(‖g‖, τ), the direction as before."""
    g, tau = sp.Matrix(sp.symbols("g1:4", real=True)), sp.Symbol("tau", positive=True)
    clipped = tau / g.norm() * g
    assert sp.simplify(clipped.norm() - tau) == 0
    assert sp.simplify(clipped.cross(g)) == sp.zeros(3, 1), "parallel; τ/‖g‖ > 0, so not reversed"
    rng = np.random.default_rng(0)
    for size in 10.0 ** np.arange(-3, 4):
        before = size * rng.normal(size=50)
        after = before.copy()
        norm = clip_by_norm(after, 1.0)
        assert np.isclose(np.linalg.norm(after), min(norm, 1.0), rtol=1e-12)
        assert gap(after / np.linalg.norm(after), before / norm) < 1e-12
    return "norm τ and direction proved for 3 entries; clip_by_norm does it for sizes 1e-3 to 1e3"


@claim("E2.1.2-g", verdict="proved", chapter=7)
def sigmoids_slope_is_at_most_a_quarter():
    """σ' = σ(1 − σ) ≤ ¼, met at x = 0 only: ¼ − s(1 − s) = (s − ½)²."""
    x, s = sp.symbols("x s", real=True)
    sigma = 1 / (1 + sp.exp(-x))
    assert sp.simplify(sigma.diff(x) - sigma * (1 - sigma)) == 0
    assert sp.expand(sp.Rational(1, 4) - s * (1 - s) - (s - sp.Rational(1, 2)) ** 2) == 0
    assert sp.solve(sp.Eq(sigma, sp.Rational(1, 2)), x) == [0]
    slope = ops.sigmoid(np.linspace(-40, 40, 8001))[1](np.ones(8001))
    assert slope.max() == slope[4000] == 0.25
    return "¼ − σ' is the square of σ − ½, which is 0 at x = 0 only"


@claim("Q2.1.2-g", verdict="refuted", chapter=7)
def a_sigmoid_net_loses_at_least_a_quarter_power():
    """(1/4)ᴸ⁻¹ is not the most that L sigmoid layers take away: it bounds what they leave."""
    bound = 0.25**9
    slopes = np.prod(ops.sigmoid(np.full(9, 5.0))[1](np.ones(9)))
    assert slopes < 1e-14 * bound, "saturated: far more is lost"
    for depth, gain in ((5, 1.0), (10, 1.0), (10, 4.0), (20, 0.5)):
        *_, weights, found = stack(depth, 100, ops.sigmoid, scaled(lecun_normal, gain))
        norms = np.prod([np.linalg.norm(W, 2) for W in weights[1:]])
        left = found.gradients[0] / found.gradients[-1]
        assert left <= 0.25 ** (depth - 1) * norms, "times the weights' norms, a bound"
        assert gain > 1 or left < 0.25 ** (depth - 1), "and here less than that is left"
    delta, z = 1.0, np.zeros(1)
    for _ in range(9):  # w = 8, b = −4 keeps z at 0, and makes each factor 8·¼
        a, vjp = ops.sigmoid(z)
        z, delta = 8 * a - 4, delta * 8 * vjp(np.ones(1)).item()
        assert z == 0
    assert delta == 512
    return "L = 10: (1/4)⁹ = 3.8e-06; at z = 5 slopes leave 2.5e-20; w = 8, b = −4: growth 512"


@claim("E2.1.2-h", verdict="qualified", chapter=7)
def relus_slope_at_zero_is_a_choice():
    """ReLU' is 1 for x > 0 and 0 for x < 0; at 0 there is none, and 0 is this book's convention."""
    x = sp.Symbol("x", real=True)
    relu = sp.Max(x, 0)
    assert sp.limit(relu / x, x, 0, "+") == 1, "the slope from the right"
    assert sp.limit(relu / x, x, 0, "-") == 0, "from the left"
    z = np.array([-2.0, -1e-300, 0.0, 1e-300, 3.0])
    assert ops.relu(z)[1](np.ones(5)).tolist() == [0, 0, 0, 1, 1]
    seen = numeric_gradient(lambda z: ops.relu(z)[0].sum(), np.zeros(1))
    assert seen == 0.5, "a central difference sees the mean"
    at_0 = ops.relu(np.zeros(1))[1](np.ones(1)).item()
    assert at_0 + at_0 == 0, "relu(z) − relu(−z) is z, of slope 1; the chain rule gives 0 at 0"
    return "slopes 1 and 0; at the kink the op gives 0, a central difference ½, relu(z)−relu(−z) 1"


@claim("Q2.1.2-h", verdict="qualified", chapter=7)
def relu_saturates_on_one_side():
    """Slope 1 holds where z > 0 only: half of the slopes are 0 at He's init, and units can die."""
    *_, found = stack(10, 200, ops.relu, he_normal)
    open_share = [(a > 0).mean() for a in found.a]
    assert all(0.35 < share < 0.65 for share in open_share)
    rng = np.random.default_rng(2)
    net = MLP((3, 4, 2), activation=ops.relu, rng=0)
    net.b[0][2] = -50.0
    X, Y = rng.normal(size=(60, 3)), np.eye(2)[rng.integers(2, size=60)]
    assert (net.trace(X)[0][1][:, 2] == 0).all()
    dW, db = net.views(net.loss_and_grad(X, Y)[1])
    assert not dW[0][2].any()
    assert db[0][2] == 0, "no sample moves it any more"
    assert dW[0][[0, 1, 3]].all()
    return (
        "He, 10 layers of 200: each between 35 and 65 % open; a unit with b = −50 gets gradient 0"
    )


@claim("E2.1.2-i", verdict="proved", chapter=7)
def a_residual_block_adds_to_its_input():
    """a⁽ˡ⁾ = a⁽ˡ⁻¹⁾ + F(a⁽ˡ⁻¹⁾): `propagate` does that, and a⁽ᴸ⁾ is the input plus every F."""
    X, W, V = symbols("x", 1, 2), symbols("W", 2, 2), symbols("V", 2, 2)
    once = X + np.tanh(X @ W.T)
    twice = once + np.tanh(once @ V.T)
    branches = np.tanh(X @ W.T) + np.tanh(once @ V.T)
    assert all(sp.expand(entry) == 0 for entry in (twice - X - branches).flat)
    X, _, weights, found = stack(6, 8, ops.tanh, lecun_normal, residual=True)
    before = (X, *found.a[:-1])
    branches = [np.tanh(a @ W.T) for a, W in zip(before, weights, strict=True)]
    assert gap(found.a[-1], X + sum(branches)) < 1e-12
    return "two blocks in symbols and six in numbers: a⁽ᴸ⁾ is where it began plus the sum of the Fs"


@claim("Q2.1.2-i", verdict="proved", chapter=7)
def a_residual_blocks_jacobian_is_identity_plus_f():
    """∂a⁽ˡ⁾/∂a⁽ˡ⁻¹⁾ = I + ∂F/∂a⁽ˡ⁻¹⁾, and `propagate` sends a gradient back through just that."""
    x, W = symbols("x", 1, 2), symbols("W", 2, 2)
    F = np.tanh(x @ W.T)
    D = 1 - F * F
    for k in range(2):
        row = np.array([[int(k == j) for j in range(2)]]) + D[0, k] * W[k : k + 1]
        assert is_derivative((x + F)[:, k], x, row)
    X, da, (W1, W2), found = stack(2, 5, ops.tanh, lecun_normal, residual=True)
    slope1, slope2 = (1 - np.tanh(a[0] @ W.T) ** 2 for a, W in ((X, W1), (found.a[0], W2)))
    J = np.eye(5) + np.diag(slope2) @ W2
    assert gap(found.delta[0][0], slope1 * (J.T @ da[0])) < 1e-12
    return "tanh block of 2 units, exactly; the second of two blocks of 5 sends back (I + J_F)ᵀ da"


@claim("Q2.1.2-j", verdict="qualified", chapter=7)
def the_direct_path_can_be_cancelled():
    """The identity is a path, no guarantee: F = −a gives gradient 0. σ_min(I + J) ≥ 1 − ‖J‖."""
    n = 3
    split = np.vstack([np.eye(n), -np.eye(n)])  # relu(a) and relu(−a)
    join = np.hstack([-np.eye(n), np.eye(n)])  # their difference, with the sign turned: −a
    a = np.random.default_rng(0).normal(size=(1, n))

    def block(a):
        f, vjp = ops.relu(a @ split.T)
        return a + f @ join.T, lambda d: d + vjp(d @ join) @ split

    assert gap(block(a)[0], np.zeros((1, n))) == 0
    assert gap(jacobian(block, a), np.zeros((n, n))) == 0
    rng = np.random.default_rng(1)
    for _ in range(500):
        J = rng.normal(size=(4, 4))
        J *= rng.uniform(0, 1) / np.linalg.norm(J, 2)
        least = np.linalg.svd(np.eye(4) + J, compute_uv=False)[-1]
        assert least >= 1 - np.linalg.norm(J, 2) - 1e-12
    J = np.diag([-0.9999, 2.0])
    assert np.linalg.norm(J, 2) == 2
    assert np.linalg.svd(np.eye(2) + J, compute_uv=False)[-1] < 1.1e-4
    return "ReLU branch that computes −a: gradient exactly 0; ‖J‖ < 1: σ_min ≥ 1 − ‖J‖ in 500 cases"
