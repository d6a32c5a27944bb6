"""The error of a hidden layer (§1.3.3, step 3 of §1.4.1): BP2, and the order of its factors."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap, is_derivative, jacobian, written
from bpbook.claims.indexed import N_IN, N_OUT, I, J, K, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP, check_gradient, numeric_gradient
from bpbook.proof import symbols

z, W, b, delta = map(sp.IndexedBase, ("z", "W", "b", "delta"))
sigma = sp.Function("sigma")

Z = np.array([[0.5, -1.0]])  # z⁽ˡ⁾ of a layer with two units
NEXT_W = np.array([[0.7, -0.4], [0.5, 0.9]])  # W⁽ˡ⁺¹⁾
NEXT_DELTA = np.array([0.3, -0.2])  # δ⁽ˡ⁺¹⁾, the loss's slopes in z⁽ˡ⁺¹⁾


def _measured() -> np.ndarray:
    """δ⁽ˡ⁾ by nudging z⁽ˡ⁾: the loss changes as ⟨δ⁽ˡ⁺¹⁾, z⁽ˡ⁺¹⁾⟩ does."""
    return numeric_gradient(lambda z: NEXT_DELTA @ NEXT_W @ np.tanh(z[0]), Z)[0]


@claim("E1.3.3-a", verdict="qualified", chapter=3)
def the_three_factors_multiply_as_rows():
    """δ⁽ˡ⁾ᵀ = δ⁽ˡ⁺¹⁾ᵀ W diag(σ'): in this order of Jacobians δ is a row, and W not transposed."""
    D = jacobian(ops.tanh, Z)
    row, slipped = NEXT_DELTA @ NEXT_W @ D, NEXT_DELTA @ NEXT_W.T @ D
    assert gap(row, _measured()) < 1e-9
    assert gap(D @ NEXT_W.T @ NEXT_DELTA, row) < 1e-15, "as a column: reversed, and transposed"
    assert gap(slipped, row) > 0.1
    narrow = np.ones((2, 3))  # three units into two: δ (2,) @ Wᵀ (3, 2) has no meaning
    try:
        NEXT_DELTA @ narrow.T
    except ValueError:
        return (
            f"row {written(row)}, as measured; with Wᵀ {written(slipped)}; 3 → 2 units: no product"
        )
    raise AssertionError("a (2,) row times a (3, 2) matrix should not multiply")


@claim("E1.3.3-b", verdict="refuted", chapter=3)
def the_jacobian_of_an_affine_map_is_w_itself():
    """∂z/∂a = W, row i for z_i (numerator layout, as in 1.1.2); Wᵀ only in denominator layout."""
    a = sp.IndexedBase("a")
    z_i = sp.Sum(W[I, J] * a[J], (J, 1, N_IN)) + b[I]
    assert collapse(sp.diff(z_i, a[K])) == W[I, K], "for every width"
    x, M, c = symbols("a", 1, 3), symbols("W", 2, 3), symbols("b", 2)
    out = sp.Matrix(list(ops.affine(x, M, c)[0].flat)).jacobian(list(x.flat))
    assert out == sp.Matrix(np.asarray(M))
    assert out.shape != M.T.shape, "two outputs, three inputs: the transpose has another shape"
    square = sp.Matrix(np.asarray(symbols("W", 2, 2)))
    assert square != square.T, "and on a square layer other entries"
    return "∂z_i/∂a_k = W_ik for all widths (indexed sum), and SymPy's Jacobian of ops.affine is W"


@claim("E1.3.3-c", verdict="qualified", chapter=3)
def the_slopes_stand_on_a_diagonal():
    """In the product of 1.3.3, ∂a/∂z is diag(σ'(z)); as a plain vector it would give one number."""
    slopes = 1 - np.tanh(Z[0]) ** 2
    row = NEXT_DELTA @ NEXT_W
    assert np.ndim(row @ slopes) == 0, "a row times a vector is a number, not an error term"
    assert gap(row @ np.diag(slopes), row * slopes) < 1e-15
    assert gap(row @ np.diag(slopes), _measured()) < 1e-9
    i, k = sp.Symbol("i", integer=True), sp.Symbol("k", integer=True)
    entry = sp.Sum(delta[k] * sp.KroneckerDelta(k, i) * sigma(z[k]).diff(z[k]), (k, 1, N_IN))
    assert collapse(entry) == delta[i] * sigma(z[i]).diff(z[i]), "row · diag is ⊙, for every width"
    return f"a vector gives the number {row @ slopes:.4f}; diag gives {written(row * slopes)}"


def _recursion_for_every_width() -> None:
    """Σ_k δ_k ∂z_k/∂z_i = σ'(z_i) Σ_k W_ki δ_k, with widths n_in and n_out left as symbols."""
    z_next = sp.Sum(W[K, J] * sigma(z[J]), (J, 1, N_IN)) + b[K]
    term = delta[K] * collapse(sp.diff(z_next, z[I]))
    slope = sigma(z[I]).diff(z[I])
    assert sp.Sum(term / slope, (K, 1, N_OUT)) == sp.Sum(delta[K] * W[K, I], (K, 1, N_OUT))


def _recursion_on_symbols() -> None:
    """The same for three units into two, through ops.affine and ops.tanh."""
    s, M, c, d = symbols("z", 1, 3), symbols("W", 2, 3), symbols("b", 2), symbols("delta", 1, 2)
    a, _ = ops.tanh(s)
    loss = (d * ops.affine(a, M, c)[0]).sum()
    assert is_derivative(loss, s, (d @ M) * (1 - a * a))


@claim("E1.3.3-d", verdict="qualified", chapter=3)
@claim("E1.4.1-b", verdict="qualified", chapter=3)
def error_recursion():
    """δ⁽ˡ⁾ = (Wᵀδ⁽ˡ⁺¹⁾) ⊙ σ'(z⁽ˡ⁾) for an elementwise σ; in general Jᵀ(Wᵀδ⁽ˡ⁺¹⁾), J = ∂a/∂z.

    For every width by an indexed sum; for every depth by applying it layer by layer. With a softmax
    between the layers the product entry by entry is wrong, and Jᵀ right.
    """
    _recursion_for_every_width()
    _recursion_on_symbols()
    net = MLP((2, 3, 2), activation=(ops.softmax, ops.identity), loss=ops.mse, rng=4)
    X, Y = np.array([[1.0, -2.0]]), np.array([[1.0, 3.0]])
    _, grad = net.loss_and_grad(X, Y)
    assert check_gradient(lambda t: net.op(t, X, Y)[0], net.theta, grad, net.names)
    (scores, p), (out, _) = net.trace(X)
    back, true = (out - Y) @ net.W[1], net.views(grad)[1][0]
    formula = back * p * (1 - p)
    assert gap(formula[0], true) > 0.01
    assert gap((back @ jacobian(ops.softmax, scores))[0], true) < 1e-14, "Jᵀ(Wᵀδ), as a row"
    return f"proved for every width; hidden softmax: true δ {written(true)}, ⊙ {written(formula)}"
