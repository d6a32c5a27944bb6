"""The chain rule, §1.1 of the article.

Where a function f is differentiable at y, and only there, f(y + k) = f(y) + φ(k)·k with a φ that is
continuous at 0; then φ(0) = f'(y) (Carathéodory's form of the derivative). With it the chain rule
is algebra, and SymPy need not be asked to use the rule that is to be proved.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import numeric_gradient

x, h = sp.symbols("x h", real=True)


@claim("E1.1.1-a", verdict="proved", chapter=1)
def slopes_of_two_functions_multiply():
    """dz/dx = dz/dy · dy/dx for z = f(g(x)), y = g(x), f and g differentiable."""
    z, y = sp.symbols("z y", real=True)
    phi, gamma = sp.Function("phi"), sp.Function("gamma")
    k = gamma(h) * h  # g(x + h) = y + γ(h) h, and f(y + k) = z + φ(k) k
    quotient = sp.cancel((z + phi(k) * k - z) / h)
    assert quotient == phi(h * gamma(h)) * gamma(h)
    assert quotient.subs(h, 0) == phi(0) * gamma(0)

    f, g = sp.Function("f"), sp.Function("g")
    slope_of_f = sp.diff(f(y), y).subs(y, g(x))
    assert sp.simplify(sp.diff(f(g(x)), x) - slope_of_f * sp.diff(g(x), x)) == 0
    return "the quotient is φ(hγ(h))·γ(h), at h = 0 φ(0)·γ(0); SymPy, abstract f and g: 0"


@claim("E1.1.1-b", verdict="qualified", chapter=1)
def slopes_of_n_functions_multiply():
    """dz/dx = f_n'(y_{n-1}) ··· f_1'(y_0) with y_0 = x, y_k = f_k(y_{k-1}) and z = y_n.

    n functions have n slopes. The formula writes n + 1 factors, so its first one, dz/dy_n, must be
    read as 1. Read as the slope of f_n at y_n it is one slope too many.
    """
    f1, f2, f3, step, before = map(sp.Function, ("f1", "f2", "f3", "f", "Y"))
    y = [x, f1(x), f2(f1(x))]
    slopes = [_slope(f, at) for f, at in zip((f1, f2, f3), y, strict=True)]
    assert sp.simplify(sp.diff(f3(y[2]), x) - sp.prod(slopes)) == 0
    # For every n, by induction: Y is the composition of the first n, its slope the product so far.
    one_more = _slope(step, before(x)) * sp.diff(before(x), x)
    assert sp.simplify(sp.diff(step(before(x)), x) - one_more) == 0

    value, slope = np.array(0.8), 1.0
    for op in (ops.square, ops.sin, ops.exp):
        value, vjp = op(value)
        slope = vjp(slope)
    misread = slope * np.exp(value)
    true = numeric_gradient(lambda t: np.exp(np.sin(t**2)), np.array(0.8))
    assert np.isclose(slope, true, rtol=1e-8)
    assert not np.isclose(misread, true, rtol=0.5)
    return f"n = 3 and the step to n + 1: 0; exp(sin(x²)) at 0.8: {slope:.3f}, not {misread:.2f}"


def _slope(f: sp.Function, at: sp.Expr) -> sp.Expr:
    """f'(at)."""
    y = sp.Dummy("y")
    return sp.diff(f(y), y).subs(y, at)


@claim("E1.1.2-a", verdict="qualified", chapter=1)
def paths_add_where_f_is_totally_differentiable():
    """∂z/∂x = ∂z/∂u · ∂u/∂x + ∂z/∂v · ∂v/∂x for z = f(u, v), f totally differentiable at (u, v).

    That both partial derivatives of f exist is not enough: f = u²v/(u² + v²), f(0, 0) = 0, has
    both equal to 0 at the origin, yet along u = v = x it is x/2.
    """
    # Totally differentiable: f(u + p, v + q) = f(u, v) + A(p, q) p + B(p, q) q, A, B continuous.
    A, B, alpha, beta = map(sp.Function, ("A", "B", "alpha", "beta"))
    p, q = alpha(h) * h, beta(h) * h  # the changes of u and v when x changes by h
    quotient = sp.cancel((A(p, q) * p + B(p, q) * q) / h)
    paths = A(0, 0) * alpha(0) + B(0, 0) * beta(0)
    assert sp.expand(quotient.subs(h, 0) - paths) == 0

    u, v = sp.symbols("u v", real=True)
    f = u**2 * v / (u**2 + v**2)
    f_u = sp.limit((f.subs({u: h, v: 0}) - 0) / h, h, 0)
    f_v = sp.limit((f.subs({u: 0, v: h}) - 0) / h, h, 0)
    formula = f_u * 1 + f_v * 1
    true = sp.diff(sp.cancel(f.subs({u: x, v: x})), x)
    assert (formula, true) == (0, sp.Rational(1, 2))
    return f"differentiable f: 0; u²v/(u² + v²): slope {true}, the formula gives {formula}"


@claim("E1.1.2-b", verdict="qualified", chapter=1)
def jacobians_multiply_in_the_order_of_the_layout():
    """∂z/∂x = ∂z/∂y ∂y/∂x in numerator layout, J_ij = ∂z_i/∂x_j.

    In denominator layout, the transpose, the order reverses: ∂y/∂x ∂z/∂y. The wrong order does not
    fit, or, where all are square, fits and gives another matrix.
    """
    _entries_are_row_times_column()
    a, b, p, q, r = sp.symbols("a b p q r", real=True)
    y = sp.Matrix([a * b, sp.sin(a), a + b**2])
    z = sp.Matrix([p * q + r * sp.exp(q)])
    here = dict(zip((p, q, r), y, strict=True))
    dz_dy, dy_dx = z.jacobian([p, q, r]).subs(here), y.jacobian([a, b])
    dz_dx = z.subs(here).jacobian([a, b])
    assert sp.simplify(dz_dy * dy_dx - dz_dx) == sp.zeros(1, 2)
    assert sp.simplify(dy_dx.T * dz_dy.T - dz_dx.T) == sp.zeros(2, 1)
    assert dz_dy.T.cols != dy_dx.T.rows  # (3, 1) times (2, 3): the wrong order does not fit

    square_z, square_y = sp.Matrix([[1, 2], [0, 1]]), sp.Matrix([[1, 0], [3, 1]])
    right, wrong = (square_z * square_y).T, square_z.T * square_y.T
    assert right != wrong
    off = max(abs(entry) for entry in right - wrong)
    return f"entry (i, l) is Σ_k Z_ik Y_kl for any sizes; denominator layout, same order: {off} off"


def _entries_are_row_times_column() -> None:
    """(∂z/∂x)_il = Σ_k (∂z/∂y)_ik (∂y/∂x)_kl for any sizes, with indexed sums."""
    i, j, k, l = sp.symbols("i j k l", integer=True, positive=True)  # noqa: E741
    m, n = sp.symbols("m n", integer=True, positive=True)
    Z, Y, dx = map(sp.IndexedBase, ("Z", "Y", "dx"))
    dy_k = sp.Sum(Y[k, j] * dx[j], (j, 1, n))  # the best linear maps, of any size
    dz_i = sp.Sum(Z[i, k] * dy_k, (k, 1, m))
    entry = dz_i.diff(dx[l]).doit().xreplace({sp.Le(l, n): sp.true})
    assert entry == sp.Sum(Z[i, k] * Y[k, l], (k, 1, m))  # row i of Z times column l of Y
