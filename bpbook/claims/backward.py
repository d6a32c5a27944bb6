"""The error term and the output layer (§1.3.1, §1.3.2): δ = ∂L/∂z, and BP1."""

from __future__ import annotations

import functools

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.indexed import N_OUT, I, J, K, collapse
from bpbook.claims.registry import claim
from bpbook.nets import MLP, check_gradient, numeric_gradient
from bpbook.proof import Symbols, prove, symbols
from bpbook.proof.zero import is_zero

Z, Y = np.array([[2.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])


@functools.cache
def symbolic_net() -> tuple[MLP, Symbols, Symbols, Symbols]:
    """A 2-3-2 tanh net with squared error, and (theta, loss, gradient) in symbols, one sample."""
    net = MLP((2, 3, 2), loss=ops.mse)
    theta = symbols("theta", net.theta.size)
    loss, vjp = net.op(theta, symbols("x", 1, 2), symbols("y", 1, 2))
    return net, theta, loss, vjp()


def is_derivative(loss: np.ndarray, x: np.ndarray, gradient: np.ndarray) -> bool:
    """True when ``gradient`` is SymPy's derivative of ``loss`` for x, exactly, in each entry."""
    expr = np.asarray(loss, dtype=object).item()
    pairs = zip(x.flat, np.asarray(gradient).flat, strict=True)
    return x.shape == gradient.shape and all(is_zero(sp.diff(expr, s) - g) for s, g in pairs)


def jacobian(op, z: np.ndarray) -> np.ndarray:
    """∂a/∂z (n, n) of an op on one row z (1, n): row k is the vjp of the unit vector e_k."""
    vjp = op(z)[1]
    return np.vstack([vjp(e[None]) for e in np.eye(z.size)])


def gap(x: np.ndarray, y: np.ndarray) -> float:
    """The largest difference of two arrays of one shape."""
    assert np.shape(x) == np.shape(y), f"shapes {np.shape(x)} and {np.shape(y)}"
    return float(np.abs(np.asarray(x) - y).max())


def written(x: np.ndarray) -> str:
    """A vector in one line, four decimals."""
    return "(" + ", ".join(f"{round(float(v), 4) + 0.0:.4f}" for v in np.ravel(x)) + ")"


@claim("E1.3.1-a", verdict="proved", chapter=3)
def weight_gradients_have_the_shape_of_the_weights():
    """The MLP gives ∂L/∂W for every weight matrix, in W's own shape, and it is the derivative."""
    net, theta, loss, grad = symbolic_net()
    for W, dW in zip(net.views(theta)[0], net.views(grad)[0], strict=True):
        assert is_derivative(loss, W, dW), f"∂L/∂W for W of shape {W.shape}"
    rng = np.random.default_rng(3)
    big = MLP((5, 7, 4, 3), rng=rng)
    X, Y = rng.normal(size=(6, 5)), np.eye(3)[rng.integers(3, size=6)]

    def loss_at(theta):
        return big.op(theta, X, Y)[0]

    report = check_gradient(loss_at, big.theta, big.loss_and_grad(X, Y)[1], big.names)
    assert report, report
    return "proved for the 12 weights of 2-3-2; 5-7-4-3 agrees with differences in all 89 entries"


@claim("E1.3.1-b", verdict="proved", chapter=3)
def bias_gradients_have_the_shape_of_the_biases():
    """The MLP gives ∂L/∂b for every bias vector, in b's own shape, and it is the derivative."""
    net, theta, loss, grad = symbolic_net()
    for b, db in zip(net.views(theta)[1], net.views(grad)[1], strict=True):
        assert is_derivative(loss, b, db), f"∂L/∂b for b of shape {b.shape}"
    return "the 5 bias gradients of 2-3-2 minus SymPy's derivatives are exactly 0"


@claim("E1.3.1-c", verdict="proved", chapter=3)
def the_error_term_is_the_slope_of_the_loss_in_z():
    """δ = ∂L/∂z, with z taken as free; a net carries it as ∂L/∂b, since b shifts z one for one."""
    net, theta, _, grad = symbolic_net()
    (W1, W2), (b1, b2) = net.views(theta)
    x, y, free = symbols("x", 1, 2), symbols("y", 1, 2), symbols("z", 1, 3)
    tail = ops.mse(ops.affine(np.tanh(free), W2, b2)[0], y)[0][()]
    here = dict(zip(free.flat, ops.affine(x, W1, b1)[0].flat, strict=True))
    delta = [sp.diff(tail, z).xreplace(here) for z in free.flat]
    assert all(is_zero(d - g) for d, g in zip(delta, net.views(grad)[1][0], strict=True))
    return "∂L/∂z⁽¹⁾ with z⁽¹⁾ free is the net's ∂L/∂b⁽¹⁾ in all 3 entries, exactly"


@claim("E1.3.2-a", verdict="qualified", chapter=3)
def output_error_is_the_transposed_jacobian_times_the_gradient():
    """δ = Jᵀ ∂L/∂a with J = ∂a/∂z; entry by entry it is a product only when J is diagonal."""
    p, _ = ops.softmax(Z)
    J, g = jacobian(ops.softmax, Z), (p - Y)[0]
    assert (g * J).shape == (3, 3), "⊙ with the Jacobian broadcasts to a matrix: no error vector"
    nudged = numeric_gradient(lambda z: ops.mse(ops.softmax(z)[0], Y)[0], Z)[0]
    assert gap(J.T @ g, nudged) < 1e-9
    assert gap(J @ g, J.T @ g) < 1e-15, "softmax's Jacobian is symmetric"
    sums = np.tril(np.ones((3, 3)))  # a_k = z_1 + … + z_k, whose Jacobian is not
    nudged_sums = numeric_gradient(lambda z: ops.mse(z @ sums.T, Y)[0], Z)[0]
    assert gap(sums.T @ (sums @ Z[0] - Y[0]), nudged_sums) < 1e-8
    assert gap(sums @ (sums @ Z[0] - Y[0]), nudged_sums) > 1, "without the transpose"
    slope = sp.IndexedBase("s")  # σ'(z_k): an elementwise σ has ∂a_k/∂z_i = δ_ki σ'(z_k)
    column = sp.Sum(sp.KroneckerDelta(K, I) * slope[K] * sp.IndexedBase("g")[K], (K, 1, N_OUT))
    assert collapse(column) == sp.IndexedBase("g")[I] * slope[I]
    return f"softmax: ⊙ gives shape (3, 3), Jᵀg = {written(J.T @ g)} as measured; J diagonal: ⊙"


@claim("E1.3.2-b", verdict="proved", chapter=3)
def squared_error_has_gradient_a_minus_y():
    """∂/∂a of ½‖a − y‖² is a − y, for any number of outputs."""
    a, y = sp.IndexedBase("a"), sp.IndexedBase("y")
    loss = sp.Sum((a[J] - y[J]) ** 2, (J, 1, N_OUT)) / 2
    assert sp.expand(collapse(sp.diff(loss, a[I])) - (a[I] - y[I])) == 0
    proof = prove(ops.mse, (1, 3), (1, 3))
    assert proof, proof
    return "indexed sum for every n; ops.mse proved on (1, 3)"


@claim("E1.3.2-c", verdict="qualified", chapter=3)
def derivative_of_an_activation_is_a_matrix():
    """∂a/∂z is diag(σ'(z)) for an elementwise σ, and diag(a) − a aᵀ, a full matrix, for softmax."""
    z = symbols("z", 1, 3)
    a = np.tanh(z)
    J = sp.Matrix(list(a.flat)).jacobian(list(z.flat))
    assert sp.simplify(J - sp.diag(*(1 - v**2 for v in a.flat))) == sp.zeros(3)
    assert np.count_nonzero(jacobian(ops.sigmoid, Z)) == 3
    full, p = jacobian(ops.softmax, Z), ops.softmax(Z)[0][0]
    assert gap(full, np.diag(p) - np.outer(p, p)) < 1e-15
    assert np.count_nonzero(full) == 9
    return "tanh: diag(1 − a²), proved; sigmoid has 3 nonzero entries of 9, softmax 9 of 9"


@claim("E1.3.2-d", verdict="qualified", chapter=3)
def output_error_of_squared_loss():
    """δ = (a − y) ⊙ σ'(z) for an elementwise σ; with softmax it is Jᵀ(a − y) instead."""

    def by_entries(a, y):  # σ' = a(1 − a) for a sigmoid; softmax's diagonal looks the same
        return (a - y) * a * (1 - a)

    z, y = symbols("z", 1, 3), symbols("y", 1, 3)
    a, _ = ops.sigmoid(z)
    assert is_derivative(ops.mse(a, y)[0], z, by_entries(a, y))
    p, _ = ops.softmax(Z)
    formula = by_entries(p, Y)
    true = numeric_gradient(lambda z: ops.mse(ops.softmax(z)[0], Y)[0], Z)
    assert gap(formula, true) > 0.1
    assert gap((p - Y) @ jacobian(ops.softmax, Z), true) < 1e-9
    return f"sigmoid: proved; softmax at z = (2, 1, 0): true {written(true)}, ⊙ {written(formula)}"
