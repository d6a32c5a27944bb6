"""Gradient descent with the whole gradient, with one sample's and with a batch's (§2.3.1)."""

from __future__ import annotations

from itertools import combinations, permutations
from math import comb

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import MLP
from bpbook.training import SGD

ETA, LAMBDA, S = sp.symbols("eta lambda s", positive=True)


def _classifier(m: int = 8) -> tuple[MLP, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return MLP((3, 4, 2)), rng.normal(size=(m, 3)), np.eye(2)[rng.integers(2, size=m)]


@claim("E2.3.1-a", verdict="proved", chapter=10)
def descent_goes_the_steepest_way():
    """Of all directions of length 1, −∇L/‖∇L‖ lowers the loss fastest; SGD.step goes that way.

    ‖g‖²‖u‖² − ⟨g, u⟩² is a sum of squares, so ⟨g, u⟩ ≥ −‖g‖, with equality at u = −g/‖g‖.
    """
    g, u = sp.symbols("g1:5", real=True), sp.symbols("u1:5", real=True)
    inner = sum(a * b for a, b in zip(g, u, strict=True))
    pairs = [(g[i] * u[j] - g[j] * u[i]) ** 2 for i, j in combinations(range(4), 2)]
    product = sum(a**2 for a in g) * sum(a**2 for a in u)
    assert sp.expand(product - inner**2 - sum(pairs)) == 0
    net, X, Y = _classifier()
    loss, grad = net.loss_and_grad(X, Y)
    before = net.theta.copy()
    SGD(0.125).step(net.theta, grad)
    assert (net.theta == before - 0.125 * grad).all()
    assert net.loss(X, Y) < loss
    return "Lagrange's identity in 4 dimensions, exactly; SGD.step is θ − ηg to the last bit"


@claim("P2.3.1-a", verdict="qualified", chapter=10)
def stable_below_two_over_the_largest_curvature():
    """On a quadratic each coordinate is multiplied by 1 − ηλ, so it shrinks just for 0 < η < 2/λ.

    The memory is no part of it: the gradient of a batch is the sum of its pieces' gradients.
    """
    inside = sp.solve_univariate_inequality(sp.Abs(1 - ETA * 10) < 1, ETA, relational=False)
    assert inside == sp.Interval.open(0, sp.Rational(1, 5))
    ends = {}
    for factor in (1.9, 2.1):
        theta, optimizer = np.array([-4.0, 1.5]), SGD(factor / 10)  # 10 is the largest curvature
        for _ in range(200):
            optimizer.step(theta, ops.quadratic(theta)[1](1.0))
        ends[factor] = float(ops.quadratic(theta)[0])
    assert ends[1.9] < 1e-15
    assert ends[2.1] > 1e15
    net, X, Y = _classifier(200)
    whole = net.loss_and_grad(X, Y)[1]
    pieces = sum(net.loss_and_grad(X[i : i + 10], Y[i : i + 10])[1] / 20 for i in range(0, 200, 10))
    assert np.abs(pieces - whole).max() < 1e-15
    return "λ = 10: loss < 1e-15 at η = 1.9/λ, > 1e15 at 2.1/λ; 20 pieces give the same gradient"


@claim("E2.3.1-b", verdict="qualified", chapter=10)
def one_sample_is_right_on_average():
    """E[∇L_i] = ∇L when i is uniform and L is the mean over samples, not their sum."""
    net, X, Y = _classifier()
    each = np.array([net.loss_and_grad(X[[i]], Y[[i]])[1] for i in range(8)])
    mean_loss = net.loss_and_grad(X, Y)[1]
    assert np.abs(each.mean(axis=0) - mean_loss).max() < 1e-15
    assert np.abs(each.mean(axis=0) / (8 * mean_loss) - 1 / 8).max() < 1e-12
    tilted = np.average(each, axis=0, weights=range(1, 9))
    assert np.abs(tilted - mean_loss).max() > 0.01
    return "8 samples: mean of ∇L_i = ∇(mean loss) to 1e-15, 1/8 of ∇(summed loss)"


@claim("P2.3.1-b", verdict="proved", chapter=10)
def constant_steps_never_settle():
    """V ← (1 − ηλ)² V + η² s² has the fixed point η s²/(λ(2 − ηλ)) > 0; falling rates reach 0."""
    V = sp.Symbol("V")
    [fixed] = sp.solve((1 - ETA * LAMBDA) ** 2 * V + ETA**2 * S**2 - V, V)
    assert sp.simplify(fixed - ETA * S**2 / (LAMBDA * (2 - ETA * LAMBDA))) == 0
    rng, runs = np.random.default_rng(0), np.zeros(20_000)
    for _ in range(200):
        runs -= 0.1 * (runs + rng.normal(size=runs.size))
    wanted = float(fixed.subs({ETA: sp.Rational(1, 10), LAMBDA: 1, S: 1}))
    assert abs(runs.var() / wanted - 1) < 0.05
    for t in range(200):
        runs -= (runs + rng.normal(size=runs.size)) / (t + 10)
    assert runs.var() < wanted / 8
    return f"η = 0.1, λ = s = 1: theory {wanted:.4f}, 20,000 runs within 5 %; η = 1/(t+10): < 1/8"


@claim("P2.3.1-c", verdict="measured", chapter=10)
def noise_can_cross_a_barrier():
    """On x⁴/4 − x²/2 + 0.15 x, descent from 1 stays in the shallow well; most noisy runs leave it.

    One example, not a law: with a tenth of the noise none leaves.
    """
    rng = np.random.default_rng(0)

    def end(noise: float) -> np.ndarray:
        x = np.ones(1000)
        for _ in range(2000):
            x -= 0.05 * (x**3 - x + 0.15 + noise * rng.normal(size=x.size))
        return x

    quiet, loud, faint = end(0.0), end(2.0), end(0.2)
    assert (np.abs(quiet - quiet[0]) < 1e-12).all()
    assert quiet[0] > 0.9
    crossed = float((loud < 0).mean())
    assert crossed > 0.6
    assert (faint > 0).all()
    return f"of 1000 runs {crossed:.0%} end in the deeper well, without noise none"


@claim("E2.3.1-c", verdict="qualified", chapter=10)
def a_batch_is_right_on_average():
    """The mean over all batches of one size is the full gradient; a short last batch weighs more.

    In a given cut into 4 and 2 samples, the mean of the two batch gradients is not the gradient of
    the epoch; over all shuffles it is again.
    """
    g = sp.symbols("g1:7")
    full = sum(g) / 6
    batches = [sum(batch) / 4 for batch in combinations(g, 4)]
    assert len(batches) == comb(6, 4)
    assert sp.expand(sum(batches) / 15 - full) == 0
    cut = (sum(g[:4]) / 4 + sum(g[4:]) / 2) / 2
    assert sp.expand(cut).coeff(g[0]) == sp.Rational(1, 8)
    assert sp.expand(cut).coeff(g[5]) == sp.Rational(1, 4)
    orders = list(permutations(range(6)))
    weight_of_first = sum((1 if order.index(0) < 4 else 2) for order in orders) / len(orders) / 8
    assert abs(weight_of_first - 1 / 6) < 1e-12
    return "all 15 batches of 4 in 6: exactly the mean; cut 4 + 2: weights 1/8 and 1/4, not 1/6"
