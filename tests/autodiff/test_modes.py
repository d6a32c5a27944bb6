"""Both modes, to second order, on every op: against differences, each other, and PyTorch."""

import numpy as np
import pytest
from ops.test_oracles import CASES

from bpbook import ops
from bpbook.autodiff import (
    Dual,
    check_grads,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    lift,
    value_and_grad,
    vjp,
)
from bpbook.autodiff import functional as F
from bpbook.nets import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4))


@pytest.mark.parametrize("name", CASES)
def test_every_op_in_both_modes_to_second_order(name):
    op, arguments = CASES[name]
    check_grads(lift(op), *arguments, rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_a_planted_wrong_derivative_is_found(order):
    """2.001 for 2.0, in the gradient or only in the gradient's own derivative."""

    def square(z):
        def vjp(d):
            return d * (2.001 if order == 1 else 2.0) * (z if order == 1 else _slipped(z))

        return z * z, vjp

    with pytest.raises(AssertionError, match="derivatives disagree"):
        check_grads(lift(square), X)


def _slipped(z):
    """z, whose derivative comes out as 1.001."""
    return lift(lambda x: (x * 1.0, lambda d: d * 1.001))(z)


FUNCTIONS = {
    "fancy index": lambda x: x[[0, 2, 0], 1:] * x[0, 0],
    "mask": lambda x: x[X > 0] ** 2,
    "ellipsis": lambda x: x[..., None, 1] * 3.0,
    "where": lambda x: np.where(X > 0, x, np.exp(x)),
    "clip": lambda x: np.clip(x, -0.5, 0.5) * x,
    "stack": lambda x: np.stack([x[0], x[1] * 2], axis=-1) @ x[:2],
    "concatenate": lambda x: np.concatenate([x, x * x], axis=1).reshape(-1, 2),
    "batched matmul": lambda x: x[None] @ np.swapaxes(np.stack([x, 2 * x]), 1, 2),
    "vector matmul": lambda x: (x[0] @ x.T) @ x,
    "einsum": lambda x: np.einsum("ij,kj,l->ik", x, x, x[0]),
    "reductions": lambda x: x.mean(axis=0) * x.max(axis=0) - np.min(x) + np.sum(x, axis=(0, 1)),
    "variance": lambda x: np.std(x, axis=1, keepdims=True) + x.var(),
    "axes": lambda x: np.moveaxis(x[None], 0, 2).squeeze(2).T.ravel()[::2],
    "broadcasting": lambda x: x[:, None, :] / (2 + np.tanh(x[None])) - 3.0 / (4 + np.cos(x)),
    "powers": lambda x: x**2 + x**3.0 + 2.0**x + (x * x + 1) ** x[0] + x**0,
    "outer and dot": lambda x: np.outer(x[0], x[1]) * np.dot(x[0], x[1]) + np.dot(2.0, x[0]),
    "split": lambda x: sum(part.sum() ** 2 for part in np.split(x, 2, axis=1)),
    "kinks": lambda x: np.maximum(x, 0.1) + np.minimum(x, x[::-1]) + np.absolute(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_and_indexing(name):
    check_grads(FUNCTIONS[name], X, rtol=1e-5)
    np.testing.assert_array_equal(F.identity(X), X)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, 0, 1)])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "var", "std"])
def test_reductions_along_every_kind_of_axis(name, axis, keepdims):
    x = np.random.default_rng(3).normal(size=(2, 3, 4))

    def f(x):
        return getattr(np, name)(np.sin(x), axis=axis, keepdims=keepdims)

    assert jvp(f)(x, x)[1].shape == f(x).shape
    np.testing.assert_allclose(jvp(f)(x, x)[0], f(x), rtol=1e-14)
    check_grads(f, x, rtol=1e-5)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4,), (4,)),
        ((4,), (4, 3)),
        ((2, 4), (4,)),
        ((5, 2, 4), (4,)),
        ((4,), (5, 4, 3)),
        ((5, 2, 4), (4, 3)),
        ((2, 4), (5, 4, 3)),
        ((5, 1, 2, 4), (6, 4, 3)),
    ],
)
def test_matmul_of_vectors_matrices_and_batches(left, right):
    a, b = (np.random.default_rng(k).normal(size=s) for k, s in enumerate((left, right)))
    check_grads(lambda a, b: np.tanh(a @ b), a, b, rtol=1e-5)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 4)]),  # an implied output
        ("ij->j", [(2, 3)]),  # an index of one operand alone, summed
        ("ij->ji", [(2, 3)]),
        ("bij,bjk->bik", [(5, 2, 3), (5, 3, 2)]),
        ("i,j->ij", [(2,), (3,)]),
        ("ij,ij->", [(2, 3), (2, 3)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ],
)
def test_einsum(subscripts, shapes):
    arrays = [np.random.default_rng(k).normal(size=s) for k, s in enumerate(shapes)]
    check_grads(lambda *xs: np.sin(np.einsum(subscripts, *xs)), *arrays, rtol=1e-5)


def test_dual_numbers_are_what_jvp_makes():
    seen = []
    jvp(lambda x: seen.append(x) or x)(X, X)
    assert isinstance(seen[0], Dual)


def test_nested_derivatives_keep_their_levels_apart():
    """d/dx x · d/dy (x y) = d/dx x² = 2x; without levels it comes out as x + 1, or 3x."""

    def outer(x):
        return x * grad(lambda y: x * y)(np.array(1.0))

    def outer_forward(x):
        return x * jvp(lambda y: x * y)(np.array(1.0), np.array(1.0))[1]

    three = np.array(3.0)
    assert grad(outer)(three) == 6
    assert grad(outer_forward)(three) == 6
    assert jvp(outer)(three, np.array(1.0)) == (9, 6)
    assert jvp(outer_forward)(three, np.array(1.0)) == (9, 6)


def test_high_orders_of_the_sine_by_any_mixture():
    x, one = np.array(0.7), np.array(1.0)
    reverse = forward = np.sin
    for order in range(1, 6):
        reverse = grad(reverse)
        forward = (lambda f: lambda x: jvp(f)(x, one)[1])(forward)
        want = [np.sin, np.cos][order % 2](x) * (1, 1, -1, -1)[order % 4]
        assert reverse(x) == pytest.approx(want, rel=1e-14)
        assert forward(x) == pytest.approx(want, rel=1e-14)


def test_hessian_and_its_products():
    """f = Σ x³ + x₀ x₁: H = diag(6x) with 1 at (0, 1) and (1, 0)."""
    x, v = np.array([1.0, -2.0, 3.0]), np.array([1.0, 2.0, 3.0])

    def f(x):
        return (x**3).sum() + x[0] * x[1]

    want = np.diag(6 * x)
    want[0, 1] = want[1, 0] = 1
    np.testing.assert_allclose(hessian(f)(x), want, rtol=1e-14)
    np.testing.assert_allclose(hvp(f)(x, v), want @ v, rtol=1e-14)
    np.testing.assert_allclose(jacobian(grad(f))(x), want, rtol=1e-14)


@pytest.mark.parametrize("rows", [2, 9])  # fewer outputs than inputs, and more
def test_jacobian_by_whichever_mode_is_cheaper(rows):
    A, x = RNG.normal(size=(rows, 4)), RNG.normal(size=4)
    want = A * np.cos(x)
    np.testing.assert_allclose(jacobian(lambda x: A @ np.sin(x))(x), want, rtol=1e-13)


def test_hessian_vector_product_of_the_mlp_by_dual_numbers_on_its_own_backward_pass():
    net = MLP((4, 5, 3), ops.tanh, rng=0)
    Y, v = np.eye(3)[[0, 2, 1]], np.random.default_rng(1).normal(size=net.theta.size)

    def gradient(theta):
        return net.op(theta, X, Y)[1]()

    h = 1e-5
    numeric = (gradient(net.theta + h * v) - gradient(net.theta - h * v)) / (2 * h)
    product = jvp(gradient)(net.theta, v)[1]
    np.testing.assert_allclose(product, numeric, atol=1e-8)
    Hu = jvp(gradient)(net.theta, v[::-1].copy())[1]
    assert v @ Hu == pytest.approx(v[::-1] @ product, rel=1e-10), "a Hessian is symmetric"


def test_pytrees_go_in_and_come_out():
    params = {"W": X, "more": [np.ones(4), (np.array(2.0),)]}

    def f(p):
        return (p["W"] @ p["more"][0]).sum() * p["more"][1][0]

    value, gradient = value_and_grad(f)(params)
    assert value == pytest.approx(2 * X.sum())
    np.testing.assert_allclose(gradient["W"], np.full((3, 4), 2.0))
    np.testing.assert_allclose(gradient["more"][0], 2 * X.sum(axis=0))
    assert gradient["more"][1][0] == pytest.approx(X.sum())
    np.testing.assert_allclose(hvp(f)(params, params)["W"], np.full((3, 4), 4.0))
    assert jvp(f)(params, params)[1] == pytest.approx(6 * X.sum())


def test_argnums():
    def f(x, y, z):
        return (x * y * y).sum() + z.sum()

    x, y, z = X[0], X[1], X[2]
    np.testing.assert_allclose(grad(f, 1)(x, y, z), 2 * x * y)
    gx, gz = grad(f, (0, -1))(x, y, z)
    np.testing.assert_allclose(gx, y * y)
    np.testing.assert_array_equal(gz, np.ones(4))
    with pytest.raises(ValueError, match="argnums = 3.*called with 3"):
        grad(f, 3)(x, y, z)


def test_a_pullback_serves_more_than_once():
    value, pullback = vjp(np.sin)(X)
    np.testing.assert_array_equal(value, np.sin(X))
    np.testing.assert_allclose(pullback(np.ones_like(X)), np.cos(X))
    np.testing.assert_allclose(pullback(2 * np.ones_like(X)), 2 * np.cos(X))


def test_what_does_not_depend_on_x_has_gradient_0():
    np.testing.assert_array_equal(grad(lambda x, y: y.sum())(X, X), np.zeros_like(X))
    np.testing.assert_array_equal(jvp(lambda x: X)(X, X)[1], np.zeros_like(X))
    np.testing.assert_array_equal(grad(lambda x: np.sum(x > 0) * 1.0 + 0 * x[0, 0])(X), 0 * X)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: grad(np.sin)(X), r"shape \(3, 4\).*single number"),
        (lambda: grad(np.sum)(np.arange(3)), "int64.*floats"),
        (lambda: jvp(np.sin)(X, X[0]), r"\(4,\).*\(3, 4\)"),
        (lambda: vjp(np.sin)(X)[1](X[0]), r"\(4,\).*\(3, 4\)"),
        (lambda: F.einsum(X, X, subscripts="ii,jk->k"), "no letter twice"),
    ],
)
def test_misuse_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_float32_stays_float32_in_both_modes():
    x = X.astype(np.float32)
    f = lambda x: (np.tanh(x * 0.5) ** 2 / (1 + x * x)).mean()  # noqa: E731
    value, gradient = value_and_grad(f)(x)
    assert (value.dtype, gradient.dtype, jvp(f)(x, x)[1].dtype) == (np.float32,) * 3
