"""A rate for each parameter: AdaGrad, RMSProp and Adam (§2.3.3)."""

from __future__ import annotations

import inspect
import math

import numpy as np
import sympy as sp

from bpbook.claims.indexed import I
from bpbook.claims.registry import claim
from bpbook.claims.welcome import bibliography, prose
from bpbook.training import AdaGrad, Adam, RMSProp

T = sp.Symbol("t", integer=True, positive=True)
BETA = sp.Symbol("beta", positive=True)


def steps(optimizer, grads: np.ndarray) -> np.ndarray:
    """What each gradient of (steps, n) takes away from θ."""
    theta = np.zeros(grads.shape[1])
    moved = []
    for g in grads:
        before = theta.copy()
        moved.append(before - optimizer.step(theta, g))
    return np.array(moved)


def average_of_constants(beta: sp.Symbol, t: sp.Symbol) -> sp.Expr:
    """(1 − β) Σ_{i=1}^{t} β^{t−i}: what an average that starts at 0 makes of ones, for any t."""
    # Reversed, k = t − i, it is a geometric sum; SymPy's result has a branch for β = 1.
    total = sp.summation(beta**I, (I, 0, t - 1))
    return sp.simplify((1 - beta) * total.args[-1][0])


@claim("E2.3.3-a", verdict="qualified", chapter=10)
def adagrad_squares_entry_by_entry():
    """G adds the square of each entry, from 0; the squared norm would tie the rates together."""
    g = np.array([[3.0, 0.1]])
    each = steps(AdaGrad(1.0), g)[0]
    assert np.allclose(each, [1, 1], rtol=1e-8)
    norm = g[0] / np.linalg.norm(g)
    assert np.allclose(norm, [0.9994, 0.0333], atol=5e-5)
    optimizer = AdaGrad(1.0)
    steps(optimizer, np.array([[3.0, 0.1], [4.0, 0.2]]))
    assert np.allclose(optimizer.state["G"], [25.0, 0.05])
    return "g = (3, 0.1): steps (1, 1) by entries; by the norm (0.9994, 0.0333)"


@claim("E2.3.3-b", verdict="qualified", chapter=10)
def epsilon_inside_the_root_is_a_floor_of_its_root():
    """√(G + ε) is never below √ε: ε = 1e-8 acts like 1e-4. √G + ε is the usual form."""
    G, eps = sp.symbols("G epsilon", nonnegative=True)
    floor = sp.sqrt(G + eps) - sp.sqrt(eps)
    assert sp.simplify(floor * (sp.sqrt(G + eps) + sp.sqrt(eps)) - G) == 0  # so floor ≥ 0
    g = 1e-6
    inside, outside = g / math.sqrt(g * g + 1e-8), g / (math.sqrt(g * g) + 1e-8)
    assert abs(inside - 0.0099995) < 1e-7
    assert abs(outside - 1 / 1.01) < 1e-12
    assert np.allclose(steps(AdaGrad(1.0, eps=1e-8), np.array([[g]])), outside, rtol=1e-12)
    return "g = 1e-6, ε = 1e-8: first step 0.0100 η inside the root, 0.9901 η outside"


@claim("Q2.3.3-a", verdict="qualified", chapter=10)
def it_is_the_squares_that_count_not_how_often():
    """1000 updates of 0.01 leave the rate at 3.16 η, 10 updates of 5 at 0.063 η."""
    often, seldom = AdaGrad(1.0), AdaGrad(1.0)
    steps(often, np.full((1000, 1), 0.01))
    steps(seldom, np.full((10, 1), 5.0))
    rates = [1 / math.sqrt(o.state["G"][0]) for o in (often, seldom)]
    assert np.allclose(rates, [10**0.5, 250**-0.5], rtol=1e-12)
    return f"1000 small updates: {rates[0]:.4f} η; 10 large ones: {rates[1]:.4f} η"


@claim("Q2.3.3-b", verdict="proved", chapter=10)
def adagrad_s_rate_never_rises():
    """G grows by g² ≥ 0, so η/√G never rises; with constant gradients the step is η/√t."""
    G = sp.Symbol("G", positive=True)
    assert sp.diff(1 / sp.sqrt(G), G).is_negative
    assert sp.limit(1 / sp.sqrt(T), T, sp.oo) == 0
    moved = steps(AdaGrad(1.0), np.full((1000, 1), 0.3))[:, 0]
    assert np.allclose(moved, np.arange(1, 1001) ** -0.5, rtol=1e-8)
    return "∂(1/√G)/∂G < 0; constant gradient: step 1000 is η/√1000 = 0.0316 η"


@claim("E2.3.3-c", verdict="qualified", chapter=10)
def rmsprop_starts_with_a_large_step():
    """From G = 0 the weights add up to 1 − γᵗ, not 1, so the first step is η/√(1 − γ)."""
    assert sp.simplify(average_of_constants(BETA, T) - (1 - BETA**T)) == 0
    first = [steps(RMSProp(1.0, gamma), np.array([[0.2]]))[0, 0] for gamma in (0.9, 0.99)]
    assert np.allclose(first, [10**0.5, 10], rtol=1e-6)
    return f"first step {first[0]:.4f} η for γ = 0.9, {first[1]:.4f} η for 0.99"


@claim("E2.3.3-d", verdict="qualified", chapter=10)
def rmsprop_with_epsilon_outside():
    """As for AdaGrad: a steady gradient of 1e-6 moves by η with √G + ε, by η/100 with √(G + ε)."""
    g = 1e-6
    settled = steps(RMSProp(1.0), np.full((400, 1), g))[-1, 0]
    assert abs(settled - 1 / 1.01) < 1e-6
    inside = g / math.sqrt(g * g + 1e-8)
    assert abs(inside - 0.01) < 1e-5
    return "ε = 1e-8, settled step: 0.9901 η outside the root, 0.0100 η inside"


@claim("Q2.3.3-c", verdict="measured", chapter=10)
def rmsprop_s_rate_does_not_fade():
    """After 1000 equal gradients AdaGrad's step is 0.0316 η, RMSProp's is η."""
    grads = np.full((1000, 1), 0.3)
    faded, kept = steps(AdaGrad(1.0), grads)[-1, 0], steps(RMSProp(1.0), grads)[-1, 0]
    assert abs(faded - 1000**-0.5) < 1e-8
    assert abs(kept - 1) < 1e-6
    return f"step 1000: AdaGrad {faded:.4f} η, RMSProp {kept:.4f} η"


@claim("E2.3.3-e", verdict="qualified", chapter=10)
@claim("E2.3.3-f", verdict="qualified", chapter=10)
def adam_s_averages_must_start_at_zero():
    """m_t = (1 − β) Σ β^{t−i} g_i needs m_0 = 0; any other start is blown up by the correction."""
    m0, g = sp.symbols("m_0 g")
    first = BETA * m0 + (1 - BETA) * g
    corrected = sp.expand(sp.simplify(first / (1 - BETA)))
    assert sp.simplify(corrected - (g + m0 * BETA / (1 - BETA))) == 0
    at = {m0: 1, g: 2, BETA: sp.Rational(9, 10)}
    assert corrected.subs(at) == 11
    assert corrected.subs({m0: 1, g: 4, BETA: sp.Rational(999, 1000)}) == 1003
    optimizer = Adam()
    steps(optimizer, np.array([[2.0]]))
    assert abs(optimizer.state["m"][0] - 0.2) < 1e-15
    assert abs(optimizer.state["v"][0] - 0.004) < 1e-15
    return "m_0 = 1, g = 2: corrected 11 instead of 2; v_0 = 1, g² = 4: 1003 instead of 4"


@claim("E2.3.3-g", verdict="qualified", chapter=10)
def the_correction_is_exact_for_a_stationary_mean():
    """E[m_t] = (1 − βᵗ) E[g] for every t = 1, 2, …: divided by 1 − βᵗ it is unbiased.

    At t = 0 the divisor is 0. When the mean drifts, as g_t = t, the average lags.
    """
    mean = sp.Symbol("E_g")
    expected = average_of_constants(BETA, T) * mean  # E[g_i] is the same for every i
    assert sp.simplify(expected / (1 - BETA**T) - mean) == 0
    assert (1 - BETA**T).subs(T, 0) == 0
    drift = sum(0.1 * 0.9 ** (10 - i) * i for i in range(1, 11)) / (1 - 0.9**10)
    assert abs(drift - 6.3534) < 1e-4
    rng = np.random.default_rng(0)
    m = np.zeros(200_000)
    for _ in range(3):
        m = 0.9 * m + 0.1 * rng.normal(1.0, 1.0, m.size)
    assert abs(m.mean() - (1 - 0.9**3)) < 0.002
    return (
        f"for any t, by the geometric sum; 3 steps: mean of m is 0.271; g_t = t: {drift:.4f} at 10"
    )


@claim("E2.3.3-h", verdict="proved", chapter=10)
def adam_s_update():
    """The class folds both corrections into two numbers; it is the formula, for any m, v and t.

    The first step is η g/(|g| + ε), about η sign(g).
    """
    m, v, eta, eps, b, c = sp.symbols("m v eta epsilon b c", positive=True)  # b, c: 1 − βᵗ
    formula = eta * (m / b) / (sp.sqrt(v / c) + eps)
    folded = (eta * sp.sqrt(c) / b) * m / (sp.sqrt(v) + eps * sp.sqrt(c))
    assert sp.simplify(formula - folded) == 0
    grads = np.random.default_rng(0).normal(size=(50, 3))
    moved, m, v = steps(Adam(0.01), grads), np.zeros(3), np.zeros(3)
    for t, (g, got) in enumerate(zip(grads, moved, strict=True), 1):
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
        want = 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert np.abs(got - want).max() < 1e-15
    assert np.allclose(moved[0], 0.01 * np.sign(grads[0]), rtol=1e-6)
    return "folded form proved; 50 steps agree with the formula to 1e-15; first step η sign(g)"


@claim("Q2.3.3-d", verdict="cited", chapter=10)
@claim("Q2.3.3-e", verdict="cited", chapter=10)
@claim("Q2.3.3-f", verdict="cited", chapter=10)
def adam_s_defaults():
    """Kingma & Ba (2015), algorithm 1: β₁ = 0.9, β₂ = 0.999, ε = 1e-8, and α = 0.001."""
    paper = bibliography()["Kingma2015"]
    assert (paper["author"], paper["year"]) == ("Kingma, Diederik P. and Ba, Jimmy", "2015")
    assert "[Kingma2015]" in prose("10")
    defaults = {k: p.default for k, p in inspect.signature(Adam).parameters.items()}
    assert [defaults[k] for k in ("beta1", "beta2", "eps", "learning_rate")] == [
        0.9,
        0.999,
        1e-8,
        1e-3,
    ]
    return (
        "Kingma & Ba (2015), cited; training.Adam's defaults: memories of about 10 and 1000 steps"
    )
