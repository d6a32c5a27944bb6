"""Softmax with cross-entropy (§1.3.2), for any number K of classes and on the ops that train.

Here a_i is a share of softmax and y_i a target, both of the output layer, as in the article.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import MLP
from bpbook.proof import probabilities, prove, symbols
from bpbook.proof.zero import counterexample

I, J = sp.symbols("i j", integer=True, positive=True)  # noqa: E741
#: Any number of classes that has a class i: SymPy then knows 1 ≤ i ≤ K and collapses Σ_j δ_ij x_j.
K = I + sp.Symbol("r", integer=True, nonnegative=True)
IS_I = sp.KroneckerDelta(I, J)
a, y, z = map(sp.IndexedBase, "ayz")


def over_classes(term: sp.Expr) -> sp.Sum:
    """Σ_j of a term in j."""
    return sp.Sum(term, (J, 1, K))


def share(n: sp.Expr) -> sp.Expr:
    """Softmax's n-th output as the article writes it."""
    return sp.exp(z[n]) / over_classes(sp.exp(z[J]))


def vanishes(expr: sp.Expr) -> bool:
    """True when ``expr`` is shown to be 0 for every K and every class i of them."""
    return sp.simplify(expr.expand().doit()) == 0


LOSS = -over_classes(y[J] * sp.log(a[J]))
LOSS_OF_SCORES = -over_classes(y[J] * sp.log(share(J)))
OTHERS = over_classes((1 - IS_I) * y[J])  # Σ_{j≠i} y_j

# The four lines of the article's derivation, and the sum that they start from.
CHAIN = over_classes(-y[J] / a[J] * a[J] * (IS_I - a[I]))
SUBSTITUTED = -y[I] / a[I] * a[I] * (1 - a[I]) - over_classes(
    (1 - IS_I) * y[J] / a[J] * (-a[I] * a[J])
)
CANCELLED = -y[I] * (1 - a[I]) + a[I] * OTHERS
EXPANDED = -y[I] + y[I] * a[I] + a[I] * OTHERS
MERGED = -y[I] + a[I] * over_classes(y[J])


def entries_vanish(entries: object) -> bool:
    """True when every entry of an array of expressions is exactly 0, on each side of its kinks."""
    flat = np.ravel(np.asarray(entries, dtype=object))
    return all(counterexample(sp.sympify(e), sp.S.Zero) is None for e in flat)


@claim("E1.3.2-f", verdict="proved", chapter=4)
def softmax_shares_out_1():
    """a_i = e^(z_i)/Σ_j e^(z_j) are shares of 1, and a shift of all scores cancels, for every K."""
    assert vanishes(over_classes(share(J)) - 1)
    c = sp.Symbol("c", real=True)
    shifted = sp.exp(z[I] - c) / over_classes(sp.exp(z[J] - c))
    assert vanishes(shifted - share(I))
    scores = symbols("z", 2, 3)
    written = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    assert entries_vanish(ops.softmax(scores)[0] - written)
    return "Σ a_i = 1 and e^(z−c) gives the same shares, any K; ops.softmax equals it in 6 entries"


@claim("E1.3.2-g", verdict="proved", chapter=4)
def cross_entropy_is_minus_the_log_of_the_true_share():
    """L = −Σ y_i log a_i; for a one-hot y that is −log of the true class's share, for every K."""
    assert vanishes(over_classes(IS_I * sp.log(a[J])) - sp.log(a[I]))
    P, Y = probabilities("p", 1, 3), probabilities("y", 1, 3)
    assert entries_vanish(ops.cross_entropy(P, Y)[0] + (Y * np.log(P)).sum())
    loss = ops.cross_entropy(np.array([[0.5, 0.25, 0.25]]), np.array([[0.0, 1.0, 0.0]]))[0]
    assert abs(loss - np.log(4)) < 1e-12
    return "one-hot y leaves −log a_i for every K; ops.cross_entropy is −Σ y log a where y ≠ 0"


@claim("E1.3.2-h", verdict="proved", chapter=4)
def a_score_reaches_the_loss_through_every_share():
    """∂L/∂z_i = Σ_j ∂L/∂a_j ∂a_j/∂z_i, all K terms; the term j = i alone is not enough."""
    slopes = -y[J] / share(J) * sp.diff(share(J), z[I])
    direct = sp.diff(LOSS_OF_SCORES, z[I])
    assert vanishes(direct - over_classes(slopes))
    assert not vanishes(direct - over_classes(IS_I * slopes)), "the other shares do count"
    assert prove(ops.softmax, (1, 3)), "for any loss: the proof leaves every ∂L/∂a_j free"
    return "direct derivative = sum over all shares for every K; ops.softmax for any ∂L/∂a"


@claim("E1.3.2-i", verdict="proved", chapter=4)
def slope_of_cross_entropy_at_a_share():
    """∂L/∂a_j = −y_j/a_j, for every K."""
    assert vanishes(sp.diff(LOSS, a[I]) + y[I] / a[I])
    proof = prove(ops.cross_entropy, (2, 3), (2, 3))
    assert proof
    return f"∂L/∂a_i + y_i/a_i = 0 for every K; ops.cross_entropy in all {proof.entries} entries"


def _slope_of_share(j_is_i: bool) -> sp.Expr:
    slope = sp.diff(share(J), z[I]).doit()
    return slope.subs(J, I) if j_is_i else slope.subs(IS_I, 0)


@claim("E1.3.2-j", verdict="proved", chapter=4)
def diagonal_of_softmax():
    """∂a_i/∂z_i = a_i (1 − a_i), for every K; it lies between 0 and ¼."""
    assert vanishes(_slope_of_share(j_is_i=True) - share(I) * (1 - share(I)))
    s = sp.Symbol("s", real=True)
    assert sp.expand(s * (1 - s) + (s - sp.Rational(1, 2)) ** 2) == sp.Rational(1, 4)
    return "∂a_i/∂z_i − a_i(1 − a_i) = 0 for every K; a(1 − a) = ¼ − (a − ½)² ≤ ¼"


@claim("E1.3.2-k", verdict="proved", chapter=4)
def off_diagonal_of_softmax():
    """∂a_j/∂z_i = −a_i a_j for j ≠ i, for every K; so the Jacobian diag(a) − a aᵀ is symmetric.

    Its rows sum to 0: what one share gains, the others lose.
    """
    assert vanishes(_slope_of_share(j_is_i=False) + share(I) * share(J))
    assert vanishes(over_classes(sp.diff(share(J), z[I])))
    scores = symbols("z", 1, 3)
    p = ops.softmax(scores)[0][0]
    jacobian = np.array([[sp.diff(p_j, z_i) for z_i in scores[0]] for p_j in p])
    assert entries_vanish(jacobian - (np.diag(p) - np.outer(p, p)))
    return "∂a_j/∂z_i + a_i a_j = 0 for every K; Jacobian − (diag(a) − a aᵀ) = 0 in all 9 entries"


@claim("E1.3.2-l", verdict="proved", chapter=4)
def both_cases_substituted():
    """The chain rule's sum, split into j = i and j ≠ i, for every K."""
    assert vanishes(CHAIN - SUBSTITUTED)
    in_scores = SUBSTITUTED.replace(lambda e: e.func == sp.Indexed and e.base == a, _as_share)
    assert vanishes(sp.diff(LOSS_OF_SCORES, z[I]) - in_scores)
    return "Σ_j over both cases − ∂L/∂z_i = 0 for every K"


def _as_share(entry: sp.Indexed) -> sp.Expr:
    return share(entry.indices[0])


def _same(step: sp.Expr, before: sp.Expr) -> str:
    assert vanishes(step - before)
    return "equal to the line above it for every K"


@claim("E1.3.2-m", verdict="proved", chapter=4)
def shares_cancel():
    """−(y_i/a_i) a_i and (y_j/a_j) a_j lose their a: −y_i (1 − a_i) + a_i Σ_{j≠i} y_j."""
    return _same(CANCELLED, SUBSTITUTED)


@claim("E1.3.2-n", verdict="proved", chapter=4)
def product_is_expanded():
    """−y_i (1 − a_i) = −y_i + y_i a_i."""
    return _same(EXPANDED, CANCELLED)


@claim("E1.3.2-o", verdict="proved", chapter=4)
def sums_are_merged():
    """y_i a_i is the term j = i that a_i Σ_{j≠i} y_j lacks, so −y_i + a_i Σ_j y_j."""
    return _same(MERGED, EXPANDED)


@claim("Q1.3.2-a", verdict="proved", chapter=4)
def targets_sum_to_1():
    """Σ y_j = 1: true of one-hot labels and of smoothed ones; without it a_i − y_i is wrong."""
    smoothing = sp.Symbol("epsilon", positive=True)
    assert vanishes(over_classes(IS_I) - 1)
    assert vanishes(over_classes((1 - smoothing) * IS_I + smoothing / K) - 1)
    z_row = symbols("z", 1, 3)
    assert prove(ops.softmax_cross_entropy, z_row, probabilities("y", 1, 3))
    assert not prove(ops.softmax_cross_entropy, z_row, symbols("y", 1, 3))
    return "one-hot and smoothed y sum to 1 for every K; a − y is proved with Σ y = 1, not without"


@claim("E1.3.2-p", verdict="proved", chapter=4)
def gradient_is_share_minus_target():
    """∂L/∂z_i = a_i − y_i when Σ_j y_j = 1, for every K; before that it is a_i Σ_j y_j − y_i."""
    before = sp.diff(LOSS_OF_SCORES, z[I])
    assert vanishes(before - (share(I) * over_classes(y[J]) - y[I]))
    assert MERGED.subs(over_classes(y[J]), 1) == a[I] - y[I]
    return "∂L/∂z_i − (a_i Σ_j y_j − y_i) = 0 for every K, and Σ_j y_j = 1 leaves a_i − y_i"


@claim("E1.3.2-q", verdict="proved", chapter=4)
def vector_form():
    """δ = a − y, entry by entry, in the very function that trains: (p − Y)/m for a batch of m."""
    scores, Y = symbols("z", 2, 3), probabilities("y", 2, 3)
    gradient = ops.softmax_cross_entropy(scores, Y)[1]()
    assert entries_vanish(gradient - (ops.softmax(scores)[0] - Y) / 2)
    proof = prove(ops.softmax_cross_entropy, scores, Y)
    assert proof
    return f"{proof.entries} entries of vjp − derivative are exactly 0, and vjp = (p − Y)/m"


@claim("E1.3.2-e", verdict="proved", chapter=4)
def error_term_of_the_last_layer():
    """δ = a − y is what a network hands to its last layer: ∂L/∂b of one sample is a − y."""
    net = MLP((2, 3))
    theta, x, Y = symbols("theta", net.theta.size), symbols("x", 1, 2), probabilities("y", 1, 3)
    (W,), (b,) = net.views(theta)
    p, _ = ops.softmax(ops.affine(x, W, b)[0])
    _, vjp = net.op(theta, x, Y)
    _, (db,) = net.views(vjp())
    assert entries_vanish(db - (p - Y)[0])
    return "∂L/∂b of a 2-3 net on symbols − (a − y) = 0 in all 3 entries"
