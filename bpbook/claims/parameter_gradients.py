"""From errors to the parameters' gradients (§1.3.4), and the four steps as a whole (§1.4.1)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap, is_derivative, written
from bpbook.claims.indexed import N_IN, N_OUT, I, J, K, R, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP, numeric_gradient
from bpbook.proof import prove, symbols
from bpbook.proof.zero import is_zero

W, a, b, delta = map(sp.IndexedBase, ("W", "a", "b", "delta"))

#: z_i of a layer of any width; and the part of the loss's differential that passes through it.
Z_I = sp.Sum(W[I, J] * a[J], (J, 1, N_IN)) + b[I]


def _through_z(parameter: sp.Indexed) -> sp.Expr:
    """∂L/∂parameter = Σ_i δ_i ∂z_i/∂parameter, for every width."""
    return collapse(sp.Sum(delta[I] * collapse(sp.diff(Z_I, parameter)), (I, 1, N_OUT)))


def _layer() -> tuple:
    """Symbols δ (1, 2), a (1, 3), W (2, 3), b (2,), and the loss ⟨δ, z⟩, whose slope in z is δ."""
    d, x, M, c = symbols("delta", 1, 2), symbols("a", 1, 3), symbols("W", 2, 3), symbols("b", 2)
    return d, x, M, c, (d * ops.affine(x, M, c)[0]).sum()


@claim("E1.3.4-a", verdict="proved", chapter=3)
@claim("E1.4.1-c", verdict="proved", chapter=3)
def weight_gradient_is_an_outer_product():
    """∂L/∂W = δ aᵀ, of W's shape, for every width."""
    assert sp.expand(_through_z(W[K, R]) - delta[K] * a[R]) == 0
    d, x, M, _, loss = _layer()
    assert is_derivative(loss, M, d.T @ x)
    assert prove(ops.affine, (1, 3), (2, 3), (2,))
    return "∂L/∂W_kr = δ_k a_r for every width (indexed sum); 6 entries of δ aᵀ proved on symbols"


@claim("E1.3.4-b", verdict="proved", chapter=3)
@claim("E1.4.1-d", verdict="proved", chapter=3)
def bias_gradient_is_the_error_term():
    """∂L/∂b = δ, for every width."""
    assert _through_z(b[K]) == delta[K]
    d, _, _, c, loss = _layer()
    assert is_derivative(loss, c, d[0])
    return "∂L/∂b_k = δ_k for every width (indexed sum); proved on symbols for two units"


@claim("E1.3.4-c", verdict="proved", chapter=3)
def a_layer_is_affine():
    """z = W a + b, entry by entry z_i = Σ_j W_ij a_j + b_i; ops.affine on one row is that."""
    _, x, M, c, _ = _layer()
    z, _ = ops.affine(x, M, c)
    column = sp.Matrix(np.asarray(M)) * sp.Matrix(x.flat) + sp.Matrix(np.asarray(c))
    assert [sp.expand(v) for v in z.flat] == [sp.expand(v) for v in column]
    sums = [sum(M[i, j] * x[0, j] for j in range(3)) + c[i] for i in range(2)]
    assert [sp.expand(v) for v in z.flat] == [sp.expand(v) for v in sums]
    return "ops.affine on a row (1, 3) equals W a + b on the column, 2 entries, exactly"


@claim("E1.3.4-d", verdict="qualified", chapter=3)
def one_weight_moves_one_unit():
    """∂z/∂W_ij = a_j e_i, a vector: ∂z_k/∂W_ij is a_j where k = i, and 0 elsewhere."""
    assert collapse(sp.diff(Z_I, W[K, R])) == sp.KroneckerDelta(I, K) * a[R]
    _, x, M, c, _ = _layer()
    z = sp.Matrix(ops.affine(x, M, c)[0].flat)
    assert z.diff(M[0, 1]) == sp.Matrix([x[0, 1], 0])
    assert z.diff(M[1, 1]) == sp.Matrix([0, x[0, 1]])
    return "∂z_i/∂W_kr = δ_ik a_r for every width; two units: ∂z/∂W_12 = (a_2, 0), not a_2"


@claim("E1.3.4-e", verdict="qualified", chapter=3)
def one_bias_moves_one_unit():
    """∂z/∂b_i = e_i, a vector: 1 for unit i, and 0 elsewhere."""
    assert collapse(sp.diff(Z_I, b[K])) == sp.KroneckerDelta(I, K)
    _, x, M, c, _ = _layer()
    z = sp.Matrix(ops.affine(x, M, c)[0].flat)
    assert z.jacobian(list(c)) == sp.eye(2)
    return "∂z_i/∂b_k = δ_ik for every width; two units: ∂z/∂b_1 = (1, 0), not 1"


@claim("E1.3.4-f", verdict="proved", chapter=3)
def weight_gradient_by_component():
    """∂L/∂W_ij = δ_i a_j: of Σ_k δ_k ∂z_k/∂W_ij only the term k = i is left."""
    _, x, M, c, _ = _layer()
    f = sp.Function("L")
    z = list(ops.affine(x, M, c)[0].flat)
    u = sp.symbols("u1 u2", real=True)
    for i, j in np.ndindex(2, 3):
        whole = sp.diff(f(*z), M[i, j]).doit()
        delta_i = sp.Subs(sp.diff(f(*u), u[i]), u, z).doit()
        assert sp.expand(whole - delta_i * x[0, j]) == 0, f"W[{i}, {j}]"
    return "for a loss of any form L(z_1, z_2): all 6 derivatives are δ_i a_j, exactly"


@claim("Q1.4.1-a", verdict="proved", chapter=3)
def forward_pass_layer_by_layer():
    """Step 1: z⁽ˡ⁾ = W⁽ˡ⁾a⁽ˡ⁻¹⁾ + b⁽ˡ⁾, a⁽ˡ⁾ = σ(z⁽ˡ⁾) for l = 1 … L is what the MLP computes."""
    net = MLP((2, 3, 3, 1), activation=(ops.tanh, ops.sigmoid, ops.identity), loss=ops.mse)
    theta, x, y = symbols("theta", net.theta.size), symbols("x", 1, 2), symbols("y", 1, 1)
    column = sp.Matrix(x.flat)
    squash = (sp.tanh, lambda v: 1 / (1 + sp.exp(-v)), lambda v: v)
    for W, b, f in zip(*net.views(theta), squash, strict=True):
        column = (sp.Matrix(np.asarray(W)) * column + sp.Matrix(np.asarray(b))).applyfunc(f)
    difference = net.op(theta, x, y)[0][()] - (column[0] - y[0, 0]) ** 2 / 2
    assert is_zero(difference)
    assert [W.shape for W in net.W] == [(n, k) for k, n in pairwise(net.sizes)]
    return "2-3-3-1 with tanh, sigmoid, identity: the class's loss minus the formula's is exactly 0"


@claim("E1.4.1-a", verdict="refuted", chapter=3)
def hadamard_form_of_the_output_error_fails_for_softmax():
    """Step 2 is δ = Jᵀ ∂L/∂a; ∂L/∂a ⊙ σ'(z) holds for elementwise outputs only."""
    z, y = np.array([[2.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    p, vjp = ops.softmax(z)
    to_p = ops.cross_entropy(p, y)[1]()
    slipped, true = to_p * p * (1 - p), vjp(to_p)
    assert gap(true, p - y) < 1e-15
    assert gap(true, numeric_gradient(lambda z: ops.softmax_cross_entropy(z, y)[0], z)) < 1e-9
    error = float(np.linalg.norm(slipped - true) / np.linalg.norm(true))
    assert abs(error - 0.6643) < 1e-4
    assert slipped[0, 0] == slipped[0, 2] == 0, "the wrong classes get no push at all"
    s, t = symbols("z", 1, 3), symbols("y", 1, 3)
    a, _ = ops.sigmoid(s)
    assert is_derivative(ops.mse(a, t)[0], s, (a - t) * a * (1 - a))
    wrong = f"step 2 {written(slipped)}, truth {written(true)}"
    return f"{wrong}: {error:.0%} off; for a sigmoid the step is proved"
