"""Vanishing and exploding gradients (§2.1.2): the product of Jacobians, and what bounds it."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap, is_derivative
from bpbook.claims.indexed import N_IN, I, J, K, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP
from bpbook.proof import symbols
from bpbook.training.initializers import lecun_normal

Chain = tuple[list[np.ndarray], list[np.ndarray], np.ndarray]


def backward(chain: Chain) -> np.ndarray:
    """δ⁽¹⁾ from (W⁽²⁾…W⁽ᴸ⁾, slopes σ'(z⁽¹⁾)…σ'(z⁽ᴸ⁻¹⁾), δ⁽ᴸ⁾), by BP2."""
    Ws, slopes, delta = chain
    for W, slope in zip(reversed(Ws), reversed(slopes), strict=True):
        delta = (W.T @ delta) * slope
    return delta


def ratio(chain: Chain) -> float:
    """‖δ⁽¹⁾‖ / ‖δ⁽ᴸ⁾‖."""
    return float(np.linalg.norm(backward(chain)) / np.linalg.norm(chain[2]))


def upper(chain: Chain, norm: object = 2) -> float:
    """The product over the layers of ‖W‖ max|σ'|."""
    return float(np.prod([np.linalg.norm(W, norm) * np.abs(s).max() for W, s in _pairs(chain)]))


def lower(chain: Chain) -> float:
    """The product of σ_min(Wᵀ) min|σ'|, where σ_min(Wᵀ) is 0 if W has more rows than columns."""
    return float(np.prod([least_stretch(W) * np.abs(s).min() for W, s in _pairs(chain)]))


def least_stretch(W: np.ndarray) -> float:
    """The smallest ‖Wᵀδ‖ / ‖δ‖."""
    return 0.0 if W.shape[0] > W.shape[1] else float(np.linalg.svd(W, compute_uv=False)[-1])


def _pairs(chain: Chain):
    return zip(chain[0], chain[1], strict=True)


@functools.cache
def random_chains(count: int = 400) -> list[Chain]:
    """Chains of 1 to 6 layers, widths 1 to 6, weights of very different sizes, slopes in (0, 1]."""
    rng, chains = np.random.default_rng(7), []
    for _ in range(count):
        sizes = rng.integers(1, 7, size=rng.integers(2, 8))
        Ws = [
            rng.normal(0, 10.0 ** rng.uniform(-1, 1), (n_out, n_in))
            for n_in, n_out in itertools.pairwise(sizes)
        ]
        slopes = [1 - rng.random(n) for n in sizes[:-1]]
        chains.append((Ws, slopes, rng.normal(size=sizes[-1])))
    return chains


def repeated(W: np.ndarray, layers: int, delta: np.ndarray) -> Chain:
    """One matrix in every layer, identity activations."""
    return [W] * layers, [np.ones(len(W))] * layers, delta


def one_unit(weights: list[float], slopes: list[float]) -> Chain:
    """Layers of one unit: δ is multiplied by each weight and each slope."""
    return [np.array([[w]]) for w in weights], [np.array([s]) for s in slopes], np.ones(1)


def gaussian(n: int, layers: int, seed: int) -> Chain:
    """Weights N(0, 1/n) in every layer, identity activations."""
    rng = np.random.default_rng(seed)
    Ws = [lecun_normal(rng, n, n) for _ in range(layers)]
    return Ws, [np.ones(n)] * layers, rng.normal(size=n)


@claim("E2.1.2-a", verdict="refuted", chapter=7)
def the_product_descends_and_ends_with_the_input():
    """δ⁽¹⁾ᵀ = δ⁽ᴸ⁾ᵀ J⁽ᴸ⁾ ⋯ J⁽²⁾ and then ∂L/∂W⁽¹⁾ = δ⁽¹⁾xᵀ; ascending order does not fit."""
    net = MLP((4, 3, 2, 5), loss=ops.mse, rng=0)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1, 4)), rng.normal(size=(1, 5))
    dW, _ = net.views(net.loss_and_grad(x, y)[1])
    (z1, _), (z2, _), (z3, _) = net.trace(x)
    delta = (z3 - y)[0]
    J2, J3 = (W @ np.diag(1 - np.tanh(z[0]) ** 2) for W, z in ((net.W[1], z1), (net.W[2], z2)))
    row = delta @ J3 @ J2
    assert row.shape == (3,), "what the article calls ∂L/∂W⁽¹⁾ is δ⁽¹⁾"
    assert gap(np.outer(row, x[0]), dW[0]) < 1e-12
    try:
        delta @ J2 @ J3
    except ValueError:
        fits = False
    else:
        fits = True
    assert not fits, "widths 3, 2, 5 in ascending order"
    A, B, d = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    assert np.linalg.norm(d @ A @ B - d @ B @ A) > 0.1 * np.linalg.norm(d @ B @ A)
    return "4-3-2-5: the product has shape (3,), times xᵀ it is ∂L/∂W⁽¹⁾; ascending: ValueError"


@claim("E2.1.2-b", verdict="proved", chapter=7)
def one_layers_jacobian():
    """∂z⁽ˡ⁾/∂z⁽ˡ⁻¹⁾ = W⁽ˡ⁾ diag(σ'(z⁽ˡ⁻¹⁾)), for any widths and any elementwise σ."""
    z, W, sigma = sp.IndexedBase("z"), sp.IndexedBase("W"), sp.Function("σ")
    z_next = sp.Sum(W[I, K] * sigma(z[K]), (K, 1, N_IN))  # and b_i, which does not depend on z
    assert collapse(sp.diff(z_next, z[J])) == W[I, J] * sigma(z[J]).diff(z[J])
    before, weights = symbols("z", 1, 3), symbols("W", 2, 3)
    after = np.tanh(before) @ weights.T
    for i in range(2):
        row = weights[i] * (1 - np.tanh(before) ** 2)
        assert is_derivative(after[:, i], before, row)
    return "entry (i, j) is W_ij σ'(z_j) for every n; W diag(1 − tanh²) for 3 to 2 units, exactly"


@claim("E2.1.2-c", verdict="qualified", chapter=7)
def one_step_shrinks_by_the_norms_at_least():
    """‖δ⁽ˡ⁾‖ ≤ ‖δ⁽ˡ⁺¹⁾‖ ‖W⁽ˡ⁺¹⁾‖ max|σ'|: spectral or Frobenius norm; the ∞-norm needs ‖Wᵀ‖."""
    W, delta = sp.Matrix(3, 2, sp.symbols("W1:4(1:3)", real=True)), sp.symbols("d1:4", real=True)
    d = sp.Matrix(delta)
    room = sum(x**2 for x in W) * d.dot(d) - (W.T * d).dot(W.T * d)
    squares = sum(
        (W[i, c] * d[k] - W[k, c] * d[i]) ** 2 for c in range(2) for i in range(3) for k in range(i)
    )
    assert sp.expand(room - squares) == 0, "Frobenius: ‖W‖²‖δ‖² − ‖Wᵀδ‖² is a sum of squares"
    v, m, s = sp.IndexedBase("v"), sp.Symbol("m"), sp.IndexedBase("s")
    assert sp.factor((m * v[I]) ** 2 - (s[I] * v[I]) ** 2) == v[I] ** 2 * (m - s[I]) * (m + s[I])
    rng = np.random.default_rng(5)
    steps = [
        ([W], [slope], rng.normal(size=len(W)))
        for chain in random_chains()
        for W, slope in _pairs(chain)
    ]
    tight = max(ratio(c) / upper(c) for c in steps)
    assert tight <= 1 + 1e-12
    top = repeated(np.diag([3.0, 1.0]), 1, np.array([1.0, 0.0]))
    assert ratio(top) == upper(top) == 3, "the bound is met"
    W, delta = np.array([[1.0, 0.0], [1.0, 0.0]]), np.ones(2)
    inf = np.inf
    assert np.linalg.norm(W.T @ delta, inf) == 2 > np.linalg.norm(W, inf) * 1
    assert np.linalg.norm(W.T, inf) == 2
    return f"Frobenius proved, spectral holds in {len(steps)} steps and is met; ∞-norm: 2 > 1"


@claim("E2.1.2-f", verdict="qualified", chapter=7)
def the_product_of_norms_is_an_upper_bound():
    """‖δ⁽¹⁾‖ ≤ ‖δ⁽ᴸ⁾‖ ∏ ‖W⁽ˡ⁾‖ max|σ'⁽ˡ⁻¹⁾|, whatever the factors are."""
    chains = random_chains()
    assert all(ratio(c) <= upper(c) * (1 + 1e-9) for c in chains)
    assert all(upper(c) <= upper(c, "fro") * (1 + 1e-9) for c in chains)
    large = [c for c in chains if upper(c) > 1]
    assert len(large) > 100, "also where no factor says that anything vanishes"
    W, ones = np.array([[1.0, 0.0], [1.0, 0.0]]), np.ones(2)
    assert np.linalg.norm(W.T @ ones, np.inf) > np.linalg.norm(W, np.inf), "not with the ∞-norm"
    return f"holds in {len(chains)} random chains, {len(large)} of them with a product above 1"


@claim("E2.1.2-d", verdict="refuted", chapter=7)
def the_product_of_norms_is_no_lower_bound():
    """‖δ⁽¹⁾‖ ≥ ‖δ⁽ᴸ⁾‖ ∏ ‖W‖ max|σ'| fails; it holds with σ_min(Wᵀ) min|σ'| in each factor."""
    stretch = repeated(np.diag([2.0, 0.1]), 10, np.array([0.0, 1.0]))
    assert upper(stretch) == 1024
    assert np.isclose(ratio(stretch), 1e-10)
    wide = gaussian(64, 19, seed=0)
    assert ratio(wide) * 1e4 < upper(wide)
    chains = random_chains()
    assert all(lower(c) * (1 - 1e-9) <= ratio(c) for c in chains), "the corrected bound"
    useful = sum(lower(c) > 0 for c in chains)
    assert useful > 50
    lost = [np.array([[1.0], [1.0]])], [np.ones(1)], np.array([1.0, -1.0])  # from 1 unit to 2
    assert ratio(lost) == lower(lost) == 0, "two errors cancel on their way into one unit"
    return (
        "W = diag(2, 0.1), 10 layers: 1e-10, not ≥ 1024; with σ_min it holds in "
        f"{len(chains)} chains, in {useful} with a bound above 0"
    )


@claim("Q2.1.2-a", verdict="qualified", chapter=7)
def most_factors_above_one_do_not_explode():
    """‖W⁽ˡ⁾‖ max|σ'⁽ˡ⁻¹⁾| > 1 in most layers: the product may be small. Mind the index of σ'."""
    shrinks = one_unit([1.1] * 9 + [0.01], [1] * 10)
    assert np.isclose(ratio(shrinks), upper(shrinks))
    assert ratio(shrinks) < 0.024
    # Three layers: ‖W⁽²⁾‖ and ‖W⁽³⁾‖, and the slopes of layers 1, 2 and 3.
    weights, slopes = [8.0, 0.8], [0.025, 0.5, 2.0]
    same_layer = [w * slope for w, slope in zip(weights, slopes[1:], strict=True)]
    assert min(same_layer) > 1
    assert np.isclose(ratio(one_unit(weights, slopes[:2])), 0.08)
    return (
        "nine factors 1.1 and one 0.01: 0.0236; σ' of the wrong layer: 4 and 1.6, true product 0.08"
    )


@claim("Q2.1.2-b", verdict="refuted", chapter=7)
def a_large_product_of_norms_does_not_make_the_gradient_grow():
    """∏ ‖W‖ max|σ'| ≫ 1 is necessary for growth (E2.1.2-f) and not sufficient."""
    wide = gaussian(64, 40, seed=1)
    assert upper(wide) > 1e10
    assert 0.01 < ratio(wide) < 100
    narrow = repeated(np.diag([2.0, 0.5]), 40, np.array([0.0, 1.0]))
    assert upper(narrow) == 2.0**40
    assert ratio(narrow) == 0.5**40
    growing = [c for c in random_chains() if ratio(c) > 1]
    assert growing
    assert all(upper(c) > 1 - 1e-9 for c in growing), "necessary"
    return "64 × 64 Gaussian, 40 layers: product above 1e10, ratio near 1; diag(2, ½): 2⁻⁴⁰"


@claim("Q2.1.2-e", verdict="qualified", chapter=7)
def most_factors_below_one_do_not_vanish():
    """‖W⁽ˡ⁾‖ max|σ'⁽ˡ⁻¹⁾| < 1 in most layers: one large factor can outweigh them all."""
    chain = one_unit([0.9] * 9 + [10.0], [1] * 10)
    assert np.isclose(ratio(chain), upper(chain))
    assert ratio(chain) > 3.8
    return "nine factors 0.9 and one 10: the gradient grows by 3.87"


@claim("Q2.1.2-f", verdict="qualified", chapter=7)
def a_small_product_is_exponential_only_with_factors_below_a_fixed_q():
    """∏ ≪ 1 bounds the gradient; it decays exponentially if every factor is below one q < 1."""
    L, l = sp.symbols("L l", integer=True, positive=True)  # noqa: E741
    assert sp.simplify(sp.product(1 - 1 / (l + 1), (l, 2, L)) - 2 / (L + 1)) == 0
    slow = 2 / (L + 1)
    assert sp.limit(slow, L, sp.oo) == 0
    assert sp.limit(L * slow, L, sp.oo) == 2, "a power law, slower than any qᴸ"
    assert sp.limit(L * sp.Rational(99, 100) ** L, L, sp.oo) == 0
    q = sp.Symbol("q", positive=True)
    assert sp.simplify(sp.product(q, (l, 2, L)) - q ** (L - 1)) == 0
    return "factors 1 − 1/(l+1) multiply to 2/(L+1): small, yet a power law; factors ≤ q: qᴸ⁻¹"
