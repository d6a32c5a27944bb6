"""The variance of the first weights (§2.1.2): Xavier's and He's."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.indexed import N_IN, N_OUT, J, K, collapse
from bpbook.claims.registry import claim
from bpbook.theory import slope_factor, variance_map
from bpbook.training import initializers

V = sp.Symbol("v", positive=True)
A = sp.IndexedBase("a")


def mean_square_of_a_sum(n: sp.Expr) -> sp.Expr:
    """E[(Σ_j w_j a_j)²] for independent w_j of mean 0 and variance v: E[w_j w_k] = v δ_jk."""
    over_k = sp.Sum(V * sp.KroneckerDelta(J, K) * A[J] * A[K], (K, 1, n))
    return sp.Sum(collapse(over_k), (J, 1, n))


@claim("Q2.1.2-c", verdict="qualified", chapter=8)
def xavier_is_a_compromise_between_two_directions():
    """Forward a layer multiplies the mean square by n_in v, backward by n_out v; with Xavier's v
    these are 2n_in/(n_in + n_out) and 2n_out/(n_in + n_out), both 1 only for n_in = n_out; and
    a bent activation such as tanh shrinks it besides.
    """
    forward = mean_square_of_a_sum(N_IN)
    assert forward == sp.Sum(V * A[J] ** 2, (J, 1, N_IN))
    xavier = 2 / (N_IN + N_OUT)
    both = sp.solve([N_IN * xavier - 1, N_OUT * xavier - 1], [N_OUT], dict=True)
    assert both == [{N_OUT: N_IN}]
    loss = 1 - N_IN * xavier * N_OUT * xavier
    assert sp.simplify(loss - ((N_IN - N_OUT) / (N_IN + N_OUT)) ** 2) == 0
    rng = np.random.default_rng(8)
    W = initializers.xavier_normal(rng, 100, 1000)
    up = np.mean((rng.normal(size=(400, 1000)) @ W.T) ** 2)
    down = np.mean((rng.normal(size=(400, 100)) @ W) ** 2)
    assert abs(up / (2000 / 1100) - 1) < 0.05
    assert abs(down / (200 / 1100) - 1) < 0.05
    q = 1.0
    for _ in range(10):
        q = variance_map(ops.tanh, q, 1.0)
    assert q < 0.06, "tanh shrinks the mean square even where n_in = n_out"
    return (
        f"proved for all widths; 1000 to 100: {up:.2f} up, {down:.2f} down; 10 tanh layers: {q:.2f}"
    )


@claim("Q2.1.2-d", verdict="proved", chapter=8)
def he_makes_up_for_the_half_that_relu_drops():
    """E[relu(z)²] = q/2 and E[relu'(z)²] = 1/2 for z normal with mean 0 and variance q, so
    v = 2/n_in keeps the mean square forward; with n_out it is kept backward.
    """
    q, z = sp.symbols("q z", positive=True)
    density = sp.exp(-z * z / (2 * q)) / sp.sqrt(2 * sp.pi * q)
    kept = sp.integrate(z * z * density, (z, 0, sp.oo))  # relu is z there, and 0 below
    slope = sp.integrate(density, (z, 0, sp.oo))  # relu' is 1 there, and 0 below
    assert sp.simplify(kept - q / 2) == 0
    assert sp.simplify(slope - sp.Rational(1, 2)) == 0
    assert sp.solve(N_IN * V * kept - q, V) == [2 / N_IN]
    assert abs(variance_map(ops.relu, 3.0, 2.0) - 3.0) < 1e-12
    assert abs(slope_factor(ops.relu, 3.0, 2.0) - 1.0) < 1e-12
    a, rng = np.random.default_rng(8).normal(size=(100, 300)), np.random.default_rng(9)
    for _ in range(12):
        a = ops.relu(a @ initializers.he_normal(rng, 300, 300).T)[0]
    assert 0.3 < np.mean(a * a) < 3, "after 12 layers Xavier would have left 1/4096"
    return f"both integrals are exact; the mean square after 12 ReLU layers is {np.mean(a * a):.1f}"
