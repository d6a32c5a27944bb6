"""Checking a gradient by differences (§2.2): the step, the thresholds, and the article's code."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import check_gradient, numeric_gradient

# The thresholds of Q2.2.1-b to -d.
RIGHT, WRONG = 1e-7, 1e-4


def relative_error(numeric, analytic):
    """‖numeric − analytic‖ / (‖numeric‖ + ‖analytic‖), with 0/0 = 0 (E2.2.1-b)."""
    size = np.linalg.norm(numeric) + np.linalg.norm(analytic)
    return 0 if size == 0 else np.linalg.norm(numeric - analytic) / size


def article_check(f, x, analytic_grad, h=1e-7):
    """The article's gradient_check, line by line (C2.2.2-a)."""
    grad_numerical = np.zeros_like(x)
    it = np.nditer(x, flags=["multi_index"])
    while not it.finished:
        ix = it.multi_index
        x[ix] += h
        fxh_pos = f(x)
        x[ix] -= 2 * h
        fxh_neg = f(x)
        grad_numerical[ix] = (fxh_pos - fxh_neg) / (2 * h)
        x[ix] += h
        it.iternext()
    return relative_error(grad_numerical, analytic_grad)


def article_verdict(error):
    """What the article makes of an error; no band holds a NaN (Q2.2.1-b, -c, -d)."""
    if error < RIGHT:
        return "right"
    if error < WRONG:
        return "suspicious"
    return "wrong" if error >= WRONG else "none"


def squares(x):
    return (x**2).sum()


def exponentials(x):
    return np.exp(x).sum()


def relus(x):
    return ops.relu(x)[0].sum()


def large_loss(x):
    """A loss of 1000 at its least, in x = 0, with the gradient 2x."""
    return 1000 + squares(x)


def two_scales(x):
    """1e8 x0 + x1²: one steep parameter beside a gentle one. At (1, 1) the gradient is (1e8, 2)."""
    return 1e8 * x[0] + x[1] ** 2


def _typical_error(dtype: type, h: float, points: int = 500) -> float:
    """The root mean square of the relative error of central differences of eˣ over [0, 1]."""
    x = np.linspace(0, 1, points).astype(dtype)
    slope = (np.exp(x + dtype(h)) - np.exp(x - dtype(h))) / dtype(2 * h)
    return float(np.sqrt(((slope / np.exp(x.astype(np.float64)) - 1) ** 2).mean()))


@claim("E2.2.1-a", verdict="qualified", chapter=9)
def central_difference_is_right_to_second_order():
    """The error is h²f'''/6 + O(h⁴) for a smooth f; at a kink it is the mean of both slopes."""
    h, x = sp.symbols("h x", real=True)
    derivatives = sp.symbols("f0:7")

    def taylor(step):
        return sum(d * step**k / sp.factorial(k) for k, d in enumerate(derivatives))

    error = sp.expand((taylor(h) - taylor(-h)) / (2 * h) - derivatives[1])
    assert sp.expand(error - h**2 * derivatives[3] / 6 - h**4 * derivatives[5] / 120) == 0
    quotient = (sp.exp(x + h) - sp.exp(x - h)) / (2 * h)
    series = sp.series(quotient - sp.exp(x), h, 0, 4).removeO()
    assert sp.simplify(series - h**2 * sp.exp(x) / 6) == 0
    assert numeric_gradient(relus, np.zeros(1)) == 0.5
    return "error h²f'''/6 + h⁴f⁽⁵⁾/120 by Taylor; for eˣ, h²eˣ/6; relu at 0 gives 0.5"


@claim("Q2.2.1-a", verdict="qualified", chapter=9)
def the_best_step_depends_on_the_precision():
    """h = (3u|f|/|f'''|)^⅓ is best: near 7e-6 in float64 and 6e-3 in float32, not 1e-7."""
    u, f, third, h = sp.symbols("u f f3 h", positive=True)
    bound = u * f / h + h**2 * third / 6
    [best] = sp.solve(sp.diff(bound, h), h)
    assert sp.simplify(best - sp.cbrt(3 * u * f / third)) == 0
    assert sp.simplify(sp.diff(bound, h, 2).subs(h, best)).is_positive
    said = []
    for dtype in (np.float64, np.float32):
        predicted = (3 * float(np.finfo(dtype).eps) / 2) ** (1 / 3)  # eˣ has f = f'''
        steps = np.geomspace(1e-8, 1, 161)
        errors = [_typical_error(dtype, step) for step in steps]
        assert 1 / 2 < steps[np.argmin(errors)] / predicted < 2
        loss = _typical_error(dtype, 1e-7) / min(errors)
        assert loss > 20
        said.append(f"{dtype.__name__} {predicted:.1e}")
    assert _typical_error(np.float32, 1e-7) > 0.1
    return f"eˣ: {', '.join(said)}, met within a factor 2; 1e-7 is over 20 times worse in both"


@claim("E2.2.1-b", verdict="proved", chapter=9)
def relative_error_lies_between_0_and_1():
    """It lies in [0, 1] (by the triangle inequality) and does not change with the scale."""
    a, b, scale = sp.symbols("a b s", positive=True)  # the two norms
    cosine = sp.Symbol("c", real=True)  # of the angle between the gradients, in [−1, 1]
    gap = sp.sqrt(a**2 + b**2 - 2 * a * b * cosine)
    assert sp.expand((a + b) ** 2 - gap**2 - 2 * a * b * (1 + cosine)) == 0, "so gap ≤ a + b"
    error = gap / (a + b)
    larger = error.subs({a: scale * a, b: scale * b}, simultaneous=True)
    assert sp.simplify(larger - error) == 0
    v = np.arange(1.0, 4)
    assert [relative_error(v, w) for w in (v, 0 * v, -v)] == [0, 1, 1]
    assert relative_error(0 * v, 0 * v) == 0
    return "(a + b)² − ‖difference‖² = 2ab(1 + cos) ≥ 0; the scale cancels; 0/0 := 0"


@claim("Q2.2.1-b", verdict="qualified", chapter=9)
def a_small_relative_error_can_hide_a_wrong_component():
    """The norm is blind to small components: a 0 in place of a 2 passes beside one of 1e8."""
    x, wrong = np.ones(2), np.array([1e8, 0.0])
    error = article_check(two_scales, x.copy(), wrong)
    assert error < RIGHT
    report = check_gradient(two_scales, x, wrong)
    assert not report
    assert report.worst == 1
    assert check_gradient(two_scales, x, np.array([1e8, 2.0]))
    return "gradient (1e8, 0) for (1e8, 2): error below 1e-7; by components it fails at the second"


@claim("Q2.2.1-c", verdict="qualified", chapter=9)
def a_right_gradient_can_land_in_the_middle_band():
    """With a step too small, rounding alone makes an error between 1e-7 and 1e-4."""
    x = np.array([0.3, -0.7, 1.2])
    errors = [article_check(exponentials, x.copy(), np.exp(x), h) for h in (1e-11, 1e-5)]
    assert [article_verdict(e) for e in errors] == ["suspicious", "right"]
    assert check_gradient(exponentials, x, np.exp(x))
    return "the gradient of Σeˣ is called suspicious at h = 1e-11, and right at h = 1e-5"


@claim("Q2.2.1-d", verdict="qualified", chapter=9)
def a_right_gradient_can_look_wrong():
    """float32, a kink within the step, and a minimum of a large loss all give over 1e-4."""
    single = np.array([0.3, -0.7, 1.2], np.float32)
    kink, bottom = np.array([3e-8, 0.5]), np.array([1e-5, -2e-5])
    cases = (
        (exponentials, single, np.exp(single)),
        (relus, kink, np.ones(2)),
        (large_loss, bottom, 2 * bottom),
    )
    for f, x, grad in cases:
        assert article_check(f, x.copy(), grad) >= WRONG, f.__name__
        assert check_gradient(f, x, grad, step=1e-8 if f is relus else None), f.__name__
    return "right gradients at over 1e-4: float32, a ReLU 3e-8 from its kink, a loss of 1000 + x²"


@claim("C2.2.2-a", verdict="qualified", chapter=9)
def the_articles_code_harms_its_input_and_misses_a_nan():
    """Integers are overwritten, floats drift, NaN is in no band, a wrong shape is compared."""
    whole = np.array([1, 2, 3])
    assert article_check(squares, whole, 2.0 * np.array([1, 2, 3])) > 0.999
    assert whole.tolist() == [0, 1, 2]
    rng = np.random.default_rng(0)
    x = rng.random(2000)
    moved = x.copy()
    article_check(lambda _: 0.0, moved, x)
    drifted = int((moved != x).sum())
    assert drifted > 500
    point = np.array([1.0, 2.0, 3.0])
    unknown = np.array([2.0, np.nan, 6.0])
    assert article_verdict(article_check(squares, point.copy(), unknown)) == "none"
    assert article_check(squares, np.ones(3), np.full((3, 1), 2.0)) < RIGHT
    assert article_check(squares, np.array([1e10]), np.array([2e10])) == 1
    assert check_gradient(squares, np.array([1, 2, 3]), 2 * point)
    assert check_gradient(squares, x, 2 * x)
    assert check_gradient(squares, np.array([1e10]), np.array([2e10]))
    assert check_gradient(squares, point, unknown).worst == 1
    return f"[1 2 3] becomes [0 1 2]; {drifted} of 2000 floats drift; a NaN is in none of the bands"
