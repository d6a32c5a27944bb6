"""The checker itself: it accepts right gradients, names the wrong component, and harms nothing."""

import numpy as np
import pytest

from bpbook.nets import check_gradient, numeric_gradient


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


def test_numeric_gradient_of_a_matrix_has_its_shape():
    A = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(numeric_gradient(lambda M: (M * A).sum(), A * 0 + 1), A, atol=1e-9)
