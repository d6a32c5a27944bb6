"""The forward pass and the losses (§1.2): layers, their shapes, squared error, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.indexed import N_IN, N_OUT, I, J, K, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP
from bpbook.proof import prove, symbols
from bpbook.proof.zero import is_zero

ELEMENTWISE = (
    ops.identity,
    ops.sigmoid,
    ops.tanh,
    ops.relu,
    ops.leaky_relu,
    ops.elu,
    ops.softplus,
    ops.gelu,
    ops.silu,
)


def all_zero(entries: object) -> bool:
    """True when every entry is exactly 0."""
    return all(is_zero(sp.sympify(e)) for e in np.ravel(np.asarray(entries, dtype=object)))


def refusal(op: Callable, *arguments: np.ndarray) -> str:
    """The message with which the op refuses its arguments; empty when it accepts them."""
    try:
        op(*arguments)
    except ValueError as error:
        return str(error)
    return ""


@claim("E1.2.1-a", verdict="proved", chapter=2)
def layer_is_an_affine_map():
    """z = W a + b for a column a; a row of a Wᵀ + b is the same; its Jacobian is W, for any n."""
    a, W, b = symbols("a", 4, 3), symbols("W", 2, 3), symbols("b", 2)
    columns = sp.Matrix(W) * sp.Matrix(a).T + sp.Matrix(b) * sp.ones(1, 4)
    assert all_zero(ops.affine(a, W, b)[0] - np.array(columns.T)), "rows and columns differ"
    w, x, bias = sp.IndexedBase("w"), sp.IndexedBase("x"), sp.IndexedBase("b")
    z_i = sp.Sum(w[I, J] * x[J], (J, 1, N_IN)) + bias[I]
    assert collapse(sp.diff(z_i, x[K])) == w[I, K], "an affine map has a constant Jacobian"
    return "W a + b is the row of a Wᵀ + b in all 8 entries; ∂z_i/∂a_k = W_ik for any n"


@claim("E1.2.1-b", verdict="proved", chapter=2)
def an_activation_keeps_the_shape_and_acts_entry_by_entry_except_softmax():
    """a = σ(z) has z's shape. Its Jacobian is diagonal for the elementwise σ, not for softmax."""
    z = symbols("z", 1, 3)
    for activation in ELEMENTWISE:
        a = activation(z)[0]
        assert a.shape == z.shape, activation.__name__
        pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
        assert all(sp.diff(a[0, i], z[0, j]) == 0 for i, j in pairs), activation.__name__
        assert sp.diff(a[0, 0], z[0, 0]) != 0, activation.__name__
    p = ops.softmax(z)[0]
    assert is_zero(sp.diff(p[0, 0], z[0, 1]) + p[0, 0] * p[0, 1]), "∂p₁/∂z₂ ≠ −p₁p₂"
    return f"{len(ELEMENTWISE)} activations have a diagonal Jacobian; softmax has ∂p₁/∂z₂ = −p₁p₂"


@claim("Q1.2.1-a", verdict="proved", chapter=2)
def shapes_of_a_layer():
    """W (n_out, n_in) takes a (n_in) to z (n_out); b and a of the layer share z's shape."""
    W, a = sp.MatrixSymbol("W", N_OUT, N_IN), sp.MatrixSymbol("a", N_IN, 1)
    assert (W * a + sp.MatrixSymbol("b", N_OUT, 1)).shape == (N_OUT, 1)
    rng = np.random.default_rng(2)
    for sizes in rng.integers(1, 9, size=(20, 4)):
        net = MLP(sizes, rng=rng)
        assert [x.shape for x in net.W] == [(n, k) for k, n in pairwise(sizes)]
        assert [x.shape for x in net.b] == [(n,) for n in sizes[1:]]
        assert net.theta.size == sum(n * (k + 1) for k, n in pairwise(sizes))
    message = refusal(ops.affine, np.ones((1, 3)), np.ones((3, 2)), np.ones(2))
    assert "(3, 2)" in message, message
    return "W a + b is (n_out, 1) for symbolic n; 20 random nets agree; a transposed W is refused"


@claim("E1.2.1-c", verdict="proved", chapter=2)
def input_is_layer_0():
    """With a⁽⁰⁾ = x the recursion gives the net, and ∂L/∂W⁽¹⁾ = δ⁽¹⁾ xᵀ is no special case."""
    x, y = symbols("x", 1, 2), symbols("y", 1, 1)
    W, b = (symbols("V", 2, 2), symbols("W", 1, 2)), (symbols("c", 2), symbols("b", 1))
    a = [x]
    for l in range(2):  # noqa: E741
        a.append(np.tanh(ops.affine(a[l], W[l], b[l])[0]))
    loss = ops.mse(a[2], y)[0][()]
    delta = [sp.diff(loss, c) for c in b[0]]  # b shifts z one for one, so ∂L/∂b = δ
    gaps = [sp.diff(loss, W[0][i, j]) - delta[i] * a[0][0, j] for i, j in np.ndindex(2, 2)]
    assert all_zero(gaps), "∂L/∂W⁽¹⁾ is not δ⁽¹⁾xᵀ"
    net = MLP((3, 4, 2), rng=0)
    net.theta += 0.1  # the biases start at 0, where a slip in them would not show
    X = np.random.default_rng(1).normal(size=(5, 3))
    composed = np.tanh(X @ net.W[0].T + net.b[0]) @ net.W[1].T + net.b[1]
    assert np.abs(net.forward(X) - composed).max() < 1e-12
    return "unrolled from a⁽⁰⁾ = x, ∂L/∂W⁽¹⁾ − δ⁽¹⁾xᵀ is exactly 0 in all 4 entries of a 2-2-1 net"


@claim("E1.2.1-d", verdict="proved", chapter=2)
def output_is_the_last_layer():
    """ŷ = a⁽ᴸ⁾, activation included: cross-entropy of it is the loss that the logits z⁽ᴸ⁾ give."""

    def on_probabilities(z: np.ndarray, Y: ops.OneHot):
        return ops.cross_entropy(ops.softmax(z)[0], Y)[0], ops.softmax_cross_entropy(z, Y)[1]

    assert prove(on_probabilities, (1, 2), (1, 2)), "losses on a⁽ᴸ⁾ and on z⁽ᴸ⁾ differ"
    net = MLP((5, 4, 3), rng=0)
    net.theta += 0.1
    X = np.random.default_rng(0).normal(size=(6, 5))
    last = ops.softmax(ops.affine(np.tanh(X @ net.W[0].T + net.b[0]), net.W[1], net.b[1])[0])[0]
    assert np.abs(net.predict(X) - last).max() < 1e-12
    assert np.abs(net.forward(X) - last).max() > 0.1, "z of the last layer is not its a"
    return "MLP.predict is a⁽ᴸ⁾ on 6 samples; the losses on a⁽ᴸ⁾ and on z⁽ᴸ⁾ agree, exactly, for δ"


@claim("E1.2.2-a", verdict="qualified", chapter=2)
def squared_error_is_half_a_sum():
    """½‖a − y‖² is half a sum, with gradient a − y; the mean of squares has gradient 2(a − y)/n.

    Their ratio is n/2. Up to a constant it is −log of a Gaussian likelihood of variance 1.
    """
    a, y = sp.IndexedBase("a"), sp.IndexedBase("y")
    squares = sp.Sum((a[J] - y[J]) ** 2, (J, 1, N_OUT))
    half, mean = (collapse(sp.diff(c * squares, a[K])) for c in (sp.Rational(1, 2), 1 / N_OUT))
    assert sp.expand(half - (a[K] - y[K])) == 0
    assert sp.simplify(half / mean - N_OUT / 2) == 0
    mu, t = sp.symbols("mu t", real=True)
    density = sp.exp(-((t - mu) ** 2) / 2) / sp.sqrt(2 * sp.pi)
    assert sp.simplify(sp.diff(-sp.log(density) - (t - mu) ** 2 / 2, mu)) == 0
    given, wanted = np.array([[0.2, 0.7, 0.9]]), np.array([[0.0, 1.0, 1.0]])
    loss, average = ops.mse(given, wanted)[0], ((given - wanted) ** 2).mean()
    assert np.allclose((loss, average), (0.07, 0.14 / 3), rtol=0, atol=1e-12), (loss, average)
    return f"½ sum {loss:.4f}, mean {average:.4f}; gradients differ by n/2, proved for any n"


def _honest_answer_is_best_for_any_number_of_classes() -> None:
    """−Σ t_j log a_j, with Σ a_j held at 1 by a multiplier λ, is least at a_j = t_j/λ: at a = t."""
    t, a, multiplier = sp.IndexedBase("t"), sp.IndexedBase("a"), sp.Symbol("lambda")
    terms = -t[J] * sp.log(a[J]) + multiplier * a[J]
    slope = collapse(sp.diff(sp.Sum(terms, (J, 1, N_OUT)), a[K]))
    assert sp.solve(slope, a[K]) == [t[K] / multiplier]


@claim("E1.2.2-b", verdict="qualified", chapter=2)
def cross_entropy_needs_probabilities_that_sum_to_1():
    """−Σ y_i log a_i is −log of a categorical likelihood when Σ a_i = 1, with 0·log 0 := 0.

    On its own it pushes every a_i up: one sigmoid with y = 0 pays nothing. Sigmoids need
    −Σ [y_i log a_i + (1 − y_i) log(1 − a_i)], the likelihood of independent yes-or-no answers.
    """
    z, y = np.array([[5.0]]), np.array([[0.0]])
    a = ops.sigmoid(z)[0]
    article, binary = -(y * np.log(a)).sum(), ops.sigmoid_binary_cross_entropy(z, y)[0]
    assert article == 0, article
    assert abs(binary - 5.0067) < 5e-5, binary
    p, q = sp.symbols("p q", positive=True)
    assert sp.limit(p * sp.log(p), p, 0) == 0
    assert ops.cross_entropy(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]))[0] == 0
    share = sp.Symbol("t", positive=True)  # how often the answer is yes
    expected = -share * sp.log(q) - (1 - share) * sp.log(1 - q)
    assert sp.solve(sp.diff(expected, q), q) == [share], "the honest answer is the best one"
    assert sp.solve(sp.diff(-share * sp.log(q), q), q) == [], "the formula alone: never enough"
    _honest_answer_is_best_for_any_number_of_classes()
    assert prove(ops.softmax_cross_entropy, (1, 3), (1, 3))
    assert prove(ops.sigmoid_binary_cross_entropy, (1, 3), (1, 3))
    return f"one sigmoid, y = 0, a = {a.item():.4f}: the formula gives 0, binary CE {binary:.4f}"
