"""The checker itself: it accepts right gradients, names the wrong component, and harms nothing."""

from functools import partial

import numpy as np
import pytest

from bpbook import ops
from bpbook.nets import MLP, check_directions, check_gradient, complex_step, numeric_gradient


def bowl(x):
    return (x**3).sum() / 3 + x[0] * x[-1]


def slope(x):
    g = x**2
    g[0] += x[-1]
    g[-1] += x[0]
    return g


X = np.array([0.3, -2.0, 5.0, 1e-3])


def test_right_gradient_passes_and_theta_is_untouched():
    x = X.copy()
    assert check_gradient(bowl, x, slope(X))
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("factor", [-1, 0, 1.0001, 2])
def test_wrong_component_is_named(factor):
    grad = slope(X)
    grad[2] *= factor
    report = check_gradient(bowl, X, grad, names=["a", "b", "c", "d"])
    assert not report.ok
    assert report.worst == 2
    assert "worst is c" in str(report)
    assert (report.error > 1).sum() == 1


def test_float32_and_integer_points():
    single = X.astype(np.float32)
    assert check_gradient(bowl, single, slope(single))
    wrong = slope(single) * np.float32(1.05)
    assert not check_gradient(bowl, single, wrong)
    whole = np.array([1, -2, 3])
    assert check_gradient(bowl, whole, slope(whole.astype(float)))
    np.testing.assert_array_equal(whole, [1, -2, 3])


def test_nan_is_a_failure():
    grad = slope(X)
    grad[1] = np.nan
    assert check_gradient(bowl, X, grad).worst == 1
    assert not check_gradient(lambda x: np.nan, X, slope(X))


def test_large_and_tiny_scales():
    for scale in (1e-6, 1.0, 1e6):
        assert check_gradient(lambda x, s=scale: s * bowl(x), X, scale * slope(X))
        assert not check_gradient(lambda x, s=scale: s * bowl(x), X, 1.001 * scale * slope(X))


def test_shapes_must_match():
    with pytest.raises(ValueError, match=r"grad has shape \(3,\); theta has shape \(4,\)"):
        check_gradient(bowl, X, np.zeros(3))
    with pytest.raises(ValueError, match="names has 1 entries"):
        check_gradient(bowl, X, slope(X), names=["a"])


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match="theta has dtype complex128; wanted real numbers"):
        check_gradient(bowl, X + 1j, slope(X))
    with pytest.raises(ValueError, match="grad has dtype complex128"):
        check_gradient(bowl, X, slope(X) + 1j)
    with pytest.raises(ValueError, match="an argument has dtype complex128"):
        check_directions(ops.tanh, X + 1j)


def test_numeric_gradient_of_a_matrix_has_its_shape():
    A = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(numeric_gradient(lambda M: (M * A).sum(), A * 0 + 1), A, atol=1e-9)


def test_a_kink_inside_the_step_is_a_false_alarm_that_a_smaller_step_avoids():
    near, grad = np.array([1e-6]), np.array([1.0])

    def relu_sum(x):
        return ops.relu(x)[0].sum()

    assert not check_gradient(relu_sum, near, grad)
    assert check_gradient(relu_sum, near, grad, step=1e-7)
    assert not check_gradient(relu_sum, near, 1.01 * grad, step=1e-7)


@pytest.mark.parametrize(
    ("f", "slope", "at"),
    [
        (lambda x: x**3, lambda x: 3 * x**2, 0.0),
        (lambda x: x**3, lambda x: 3 * x**2, 1e-3),
        (lambda x: np.tanh(30 * x), lambda x: 30 / np.cosh(30 * x) ** 2, 0.05),
        (np.exp, np.exp, 20.0),
        (np.log, lambda x: 1 / x, 0.02),
    ],
)
def test_the_error_of_the_formula_is_no_error_of_the_gradient(f, slope, at):
    """h²|f‴|/6 alone is above what is allowed there; the formula of fourth order has no such error.

    (x³ at 0 has slope 0, and its central difference is h².)
    """
    x = np.array([at])
    assert abs(numeric_gradient(lambda x: f(x).sum(), x) - slope(x)) > 1.9e-9 * slope(x)
    assert check_gradient(lambda x: f(x).sum(), x, slope(x))
    assert not check_gradient(lambda x: f(x).sum(), x, 1.0001 * slope(x) + 1e-9)


def test_what_is_no_step_or_no_number_is_refused():
    """A step that moves nothing would find every gradient right, or divide by zero."""
    for step in (0, -1e-6, np.nan):
        with pytest.raises(ValueError, match=f"step is {step}; wanted a positive finite number"):
            check_gradient(bowl, X, slope(X), step=step)
        with pytest.raises(ValueError, match=f"step is {step}; wanted"):
            check_directions(ops.tanh, X, step=step)
    with pytest.raises(ValueError, match="step is 1e-20, too small to move component 0 of theta"):
        check_gradient(bowl, X, slope(X), step=1e-20)
    with pytest.raises(ValueError, match="step is 1e-30, too small to move the arguments"):
        check_directions(ops.tanh, X, step=1e-30)
    with pytest.raises(ValueError, match="rtol is 0; wanted a positive finite number"):
        check_gradient(bowl, X, slope(X), rtol=0)
    for f in (lambda x: x**2, lambda x: (x.sum(), x), lambda x: None):
        with pytest.raises(ValueError, match="f returned .*; wanted one number"):
            check_gradient(f, X, slope(X))


@pytest.mark.parametrize("rtol", [None, 0.5])
@pytest.mark.parametrize("given", [2.75, 3.25])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_error_is_the_gap_as_a_fraction_of_what_is_allowed(dtype, given, rtol):
    """On a line of slope 3, central differences are exact: so the gap is 1/4."""
    u, at = float(np.finfo(dtype).eps), 2.0
    h = at * u ** (1 / 3)
    relative = 50 * u ** (2 / 3) if rtol is None else rtol
    allowed = relative * max(given, 3) + 4 * u * 3 * (at + h) / h
    report = check_gradient(
        lambda x: 3 * float(x[0]), np.array([at], dtype), np.array([given]), rtol=rtol
    )
    assert report.error[0] == pytest.approx(0.25 / allowed, rel=2e-3)


@pytest.mark.parametrize(("times", "ok"), [(0.9, True), (1.1, False)])
def test_near_0_a_gradient_counts_as_if_it_were_h(times, ok):
    u = float(np.finfo(float).eps)
    given = times * 50 * u ** (2 / 3) * u ** (1 / 3)
    assert check_gradient(lambda x: 0.0, np.zeros(1), np.array([given])).ok is ok


# The complex step.


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-15), (np.float32, 1e-6)])
def test_complex_step_is_exact_to_rounding(dtype, rtol):
    x = X.astype(dtype)
    kept = x.copy()
    np.testing.assert_allclose(complex_step(bowl, x), slope(x), rtol=rtol)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(complex_step(lambda M: (M * M).sum(), np.eye(2)), 2 * np.eye(2))


def test_complex_step_notices_a_function_that_drops_the_imaginary_part():
    with pytest.raises(TypeError, match="f returned the real number"):
        complex_step(lambda x: np.abs(x).sum(), X)


def test_at_a_kink_the_complex_step_gives_the_slope_of_one_side():
    for at, want in ((-1.0, 0), (0.0, 1), (1.0, 1)):
        assert complex_step(lambda x: ops.relu(x)[0].sum(), np.array([at])) == want


# Random directions.

RNG = np.random.default_rng(3)
A, W, B = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=4)


def wrong_affine(a, W, b, factors):
    z, vjp = ops.affine(a, W, b)
    return z, lambda dz: tuple(f * g for f, g in zip(factors, vjp(dz), strict=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_vjp_passes_and_arguments_are_untouched(dtype):
    arguments = [x.astype(dtype) for x in (A, W, B)]
    kept = [x.copy() for x in arguments]
    report = check_directions(ops.affine, *arguments, directions=20)
    assert report, report
    assert len(report.error) == 20
    for x, y in zip(arguments, kept, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("argument", [0, 1, 2])
@pytest.mark.parametrize("factor", [0, -1, 1 + 1e-6, np.nan])
def test_one_wrong_argument_is_found(argument, factor):
    factors = [1.0] * 3
    factors[argument] = factor
    report = check_directions(partial(wrong_affine, factors=factors), A, W, B)
    assert not report.ok
    assert "vjp is wrong in 3 of 3 random directions" in str(report)


def test_the_estimate_of_the_error_is_near_the_true_one():
    """(0.9 Jᵀ) differs from Jᵀ by 10 % in each argument, so by 10 % in all."""
    report = check_directions(partial(wrong_affine, factors=(0.9, 0.9, 0.9)), A, W, B)
    assert report.relative_error == pytest.approx(0.1, rel=1e-6)
    one = partial(wrong_affine, factors=(1, 1, 0))
    # ‖J‖²: of each row of a it is ‖W‖², of each row of W it is ‖A‖², of b one 1 for each entry.
    norms = np.array([5 * (W**2).sum(), 4 * (A**2).sum(), 20.0])
    report = check_directions(one, A, W, B, directions=2000)
    assert report.relative_error == pytest.approx(np.sqrt(norms[2] / norms.sum()), rel=0.05)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_large_and_tiny_outputs_and_arguments(scale):
    def op(x, factor=1.0):
        out, vjp = ops.square(x)
        return scale * out, lambda u: factor * vjp(scale * u)

    for size in (1, 1e4):
        assert check_directions(op, size * X)
        assert not check_directions(partial(op, factor=1.0001), size * X)


def test_the_rounding_of_the_points_is_no_error_of_the_vjp():
    """In float32, 1 + 1e-5 has two digits of its 1e-5: v is what the points really moved by."""
    x = 1 + np.random.default_rng(0).normal(0, 1e-5, 10_000).astype(np.float32)
    assert check_directions(lambda x: (x - np.float32(1), lambda u: u), x, step=1e-3)


def test_a_zero_jacobian_is_right_when_the_vjp_is_zero():
    assert check_directions(ops.relu, -np.ones(5))
    assert not check_directions(lambda x: (ops.relu(x)[0], lambda u: u), -np.ones(5))


def test_fifteen_evaluations_find_biases_wrong_by_one_percent_among_50890_parameters():
    net, rng = MLP((784, 64, 10), rng=0), np.random.default_rng(0)
    X, Y = rng.random((8, 784)), np.eye(10)[rng.integers(10, size=8)]
    calls = []

    def right(theta):
        calls.append(1)
        return net.op(theta, X, Y)

    def wrong(theta):
        loss, vjp = net.op(theta, X, Y)

        def backward(dloss):
            grad = vjp(dloss)
            net.views(grad)[1][0][:] *= 1.01  # the biases of layer 1: 64 of 50,890 components
            return grad

        return loss, backward

    assert check_directions(right, net.theta)
    assert len(calls) == 15
    assert not check_directions(wrong, net.theta)


def test_entries_near_a_kink_need_a_small_step():
    near = 1e-5 * np.array([-3.0, -1.0, 2.0, 4.0])
    assert not check_directions(ops.relu, near)
    assert check_directions(ops.relu, near, step=1e-7)
    assert not check_directions(lambda x: (ops.relu(x)[0], lambda u: u), near, step=1e-7)


def test_directions_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="directions is 0; wanted a whole number, at least 1"):
        check_directions(ops.tanh, X, directions=0)
    with pytest.raises(ValueError, match=r"vjp returned shapes \[\(2,\)\]; the arguments have"):
        check_directions(lambda x: (x, lambda u: u[:2]), X)
    with pytest.raises(ValueError, match="vjp returned shapes"):
        check_directions(lambda W: ops.affine(A, W, B), W)
