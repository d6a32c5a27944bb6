"""A batch in matrix form (§2.1.1): forward, errors and gradients, for any number of samples m."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap
from bpbook.claims.indexed import N_IN, N_OUT, I, J, K, R, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP, numeric_gradient
from bpbook.proof import symbols
from bpbook.proof.zero import is_zero

# Every size is a symbol, the batch's too, so that one proof holds for all.
M, S = sp.Symbol("m", integer=True, positive=True), sp.Symbol("s", integer=True)
A, Z = (sp.MatrixSymbol(name, M, N_IN) for name in "AZ")
DELTA = sp.MatrixSymbol("Delta", M, N_OUT)
W, B = sp.MatrixSymbol("W", N_OUT, N_IN), sp.MatrixSymbol("b", N_OUT, 1)
ONES = sp.OneMatrix(M, 1)
UNITS, SAMPLES = (I, 0, N_OUT - 1), (S, 0, M - 1)

#: A layer as a matrix, A Wᵀ + 1 bᵀ; and its entry for sample s and unit i, as a sum over inputs.
LAYER = A * W.T + ONES * B.T
ENTRY = sp.Sum(A[S, J] * W[I, J], (J, 0, N_IN - 1)) + B[I, 0]


def slope(layer: sp.MatrixExpr, of: sp.MatrixSymbol) -> sp.MatrixExpr:
    """The derivative of ⟨Δ, layer⟩ by ``of``, from SymPy's matrix calculus.

    A loss with slope Δ in a layer's output has this slope in what the layer is made of.
    """
    return sp.Trace(DELTA.T * layer).diff(of)


def slope_by_sums(entry: sp.Expr, of: sp.Expr, *order: tuple) -> sp.Expr:
    """The same for one component ``of``, Σ_s Σ_i Δ_si ∂entry/∂of, with no matrix calculus.

    order: the two sums, UNITS and SAMPLES, the one over which ``of`` has an index first.
    """
    return collapse(sp.Sum(DELTA[S, I] * collapse(sp.diff(entry, of)), *order))


def same(x: sp.Expr, y: sp.Expr) -> bool:
    """True when two expressions agree up to the name of the index they sum over."""
    return sp.factor_terms(x).dummy_eq(sp.factor_terms(y))


def _batch(sizes: tuple[int, ...], m: int = 6) -> tuple[MLP, np.ndarray, np.ndarray]:
    """A tanh net under half the squared error, and a batch (X, Y) of m samples."""
    rng = np.random.default_rng(6)
    net = MLP(sizes, loss=ops.mse, rng=rng)
    return net, rng.normal(size=(m, sizes[0])), rng.normal(size=(m, sizes[-1]))


def _errors(net: MLP, X: np.ndarray, Y: np.ndarray) -> list[np.ndarray]:
    """Δ of each layer: row s is δᵀ of sample s under its own loss, with no 1/m in it."""
    hidden, output = [a for _, a in net.trace(X)[:-1]], net.forward(X)
    deltas = [output - Y]
    for W, a in zip(net.W[:0:-1], hidden[::-1], strict=True):
        deltas.insert(0, (deltas[0] @ W) * (1 - a**2))
    return deltas


def _nudged(net: MLP, X: np.ndarray, Y: np.ndarray) -> tuple[list, list]:
    """∂L/∂W and ∂L/∂b of each layer for the mean loss, by central differences."""
    return net.views(numeric_gradient(lambda theta: net.op(theta, X, Y)[0], net.theta))


def _off(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


@claim("Q2.1.1-a", verdict="proved", chapter=6)
def shapes_of_a_batch():
    """X is (m, n_0), A⁽ˡ⁾ is (m, n_l) and 1_m is (m, 1); with these A Wᵀ + 1 bᵀ is (m, n_out)."""
    assert (A.shape, ONES.shape, LAYER.shape) == ((M, N_IN), (M, 1), (M, N_OUT))
    for m in (1, 6):
        net, X, _ = _batch((4, 3, 2), m)
        assert [x.shape for x in (X, *(a for _, a in net.trace(X)))] == [(m, 4), (m, 3), (m, 2)]
    return "A Wᵀ + 1 bᵀ is (m, n_out) for symbolic m; 4-3-2 gives (m, 4), (m, 3), (m, 2)"


@claim("E2.1.1-a", verdict="proved", chapter=6)
def a_batch_is_one_affine_map():
    """Z = A Wᵀ + 1 bᵀ: row s is (W a_s + b)ᵀ, for any m; `ops.affine` computes it."""
    assert same(LAYER[S, I], ENTRY)
    a, w, b = symbols("a", 3, 2), symbols("W", 2, 2), symbols("b", 2)
    one_by_one = np.concatenate([ops.affine(a[[s]], w, b)[0] for s in range(3)])
    assert all(is_zero(x) for x in (ops.affine(a, w, b)[0] - one_by_one).flat)
    return "entry (s, i) is Σ_j W_ij a_sj + b_i for every m; ops.affine proved on 3 rows"


@claim("E2.1.1-b", verdict="proved", chapter=6)
def an_activation_acts_on_each_row_alone():
    """A = σ(Z): row s of A is σ of row s of Z; for softmax too, which mixes a row's entries."""
    z = symbols("z", 3, 2)
    for op in (ops.tanh, ops.sigmoid, ops.relu):
        alone = np.concatenate([op(z[[s]])[0] for s in range(3)])
        assert all(is_zero(x) for x in (op(z)[0] - alone).flat), op.__name__
    rows = np.random.default_rng(6).normal(size=(7, 4))
    alone = np.concatenate([ops.softmax(rows[[s]])[0] for s in range(7)])
    assert gap(ops.softmax(rows)[0], alone) < 1e-15
    assert gap(np.exp(rows) / np.exp(rows).sum(axis=0), alone) > 0.1, "the sum is over the columns"
    return "tanh, sigmoid, relu proved on 3 rows; softmax of 7 rows is 7 times softmax of one"


@claim("E2.1.1-c", verdict="refuted", chapter=6)
def errors_go_back_through_W_and_not_its_transpose():
    """Δ⁽ˡ⁾ = (Δ⁽ˡ⁺¹⁾ W⁽ˡ⁺¹⁾) ⊙ σ'(Z⁽ˡ⁾), from Δ⁽ᴸ⁾ with the rows δᵀ; with Wᵀ it fails."""
    assert slope(LAYER, A) == DELTA * W
    sigma = sp.Function("sigma")
    back = slope(Z.applyfunc(sigma) * W.T, Z)[R, K]
    assert same(back, (DELTA * W)[R, K] * sp.diff(sigma(Z[R, K]), Z[R, K]))
    entry = sp.Sum(sigma(Z[S, J]) * W[I, J], (J, 0, N_IN - 1))
    assert same(back, slope_by_sums(entry, Z[R, K], SAMPLES, UNITS))

    net, X, Y = _batch((4, 3, 2))
    try:
        _errors(net, X, Y)[1] @ net.W[1].T
    except ValueError:
        pass
    else:
        raise AssertionError("(m, 2) times (3, 2) has no product")
    net, X, Y = _batch((4, 3, 3))
    (first, last), a = _errors(net, X, Y), net.trace(X)[0][1]
    want = _nudged(net, X, Y)[0][0]
    printed = (last @ net.W[1].T) * (1 - a**2)
    right, wrong = (_off(delta.T @ X / len(X), want) for delta in (first, printed))
    assert right < 1e-8 < 0.3 < wrong
    return f"(Δ W) ⊙ σ' proved for every m; Wᵀ: no product for 4-3-2, {wrong:.0%} off for 4-3-3"


@claim("E2.1.1-d", verdict="refuted", chapter=6)
def weight_gradient_of_a_batch_is_delta_transposed_times_inputs():
    """∂L/∂W = (1/m) Δᵀ A, of W's shape; Aᵀ Δ belongs to a W stored as (n_in, n_out)."""
    assert slope(LAYER, W) == DELTA.T * A
    assert same((DELTA.T * A)[K, R], slope_by_sums(ENTRY, W[K, R], UNITS, SAMPLES))
    stored = sp.MatrixSymbol("V", N_IN, N_OUT)  # the other layout, A V + 1 bᵀ
    assert slope(A * stored, stored) == A.T * DELTA
    assert slope(A * stored, A) == DELTA * stored.T

    net, X, Y = _batch((4, 4, 2))
    delta, want = _errors(net, X, Y)[0], _nudged(net, X, Y)[0][0]
    right, wrong = (_off(dW / len(X), want) for dW in (delta.T @ X, X.T @ delta))
    assert right < 1e-8 < 0.5 < wrong
    assert _off(_errors(net, X[:1], Y[:1])[0].T @ X[:1], _nudged(net, X[:1], Y[:1])[0][0]) < 1e-8
    return f"Δᵀ A proved for every m; Aᵀ Δ is its transpose, {wrong:.0%} off where both fit (4×4)"


@claim("E2.1.1-e", verdict="refuted", chapter=6)
def bias_gradient_of_a_batch_is_a_column():
    """∂L/∂b = (1/m) Δᵀ 1, b's shape, if L is the mean loss and Δ holds the samples' own errors."""
    assert slope(LAYER, B) == DELTA.T * ONES
    assert slope(LAYER, B).shape == B.shape != (ONES.T * DELTA).shape
    assert same((DELTA.T * ONES)[K, 0], slope_by_sums(ENTRY, B[K, 0], UNITS, SAMPLES))

    net, X, Y = _batch((4, 3, 2))
    delta, want, m = _errors(net, X, Y)[0], _nudged(net, X, Y)[1][0], len(X)
    row = np.ones((1, m)) @ delta / m
    assert (net.b[0][:, None] - row).shape == (3, 3), "a column minus a row makes a matrix"
    assert _off(delta.T @ np.ones(m) / m, want) < 1e-8
    of_the_sum = numeric_gradient(lambda theta: m * net.op(theta, X, Y)[0], net.theta)
    assert _off(delta.T @ np.ones(m), net.views(of_the_sum)[1][0]) < 1e-8
    of_the_mean = ops.mse(net.forward(X), Y)[1]()  # its rows hold the 1/m already
    assert _off(m * (of_the_mean.T @ np.ones(m) / m), _nudged(net, X, Y)[1][1]) < 1e-8
    return f"Δᵀ 1 proved for every m; a row makes a column b (3, 3); 1/m twice is off by {m}"
