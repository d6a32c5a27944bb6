"""StepSize: the curves are the errors of the formulas, and the predictions are met."""

import re
import warnings

import numpy as np
import pytest
import sympy as sp

from bpbook.explorers import StepSize
from bpbook.explorers.step_size import (
    FORMULAS,
    FUNCTIONS,
    NEIGHBOURS,
    PRECISIONS,
    STEPS,
    best_step,
    derivatives,
    quotients,
)
from bpbook.proof import Symbols

SMOOTH = [name for name in FUNCTIONS if name != "relu(x)"]
forward, central, complex_step = FORMULAS


def simulate(**changes):
    return StepSize.simulate(**{**StepSize().values, **changes})


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("at", [-1.3, 0.0, 0.4, 2.0])
def test_derivatives_are_those_of_sympy(name, at):
    x = sp.Symbol("x", real=True)
    f = FUNCTIONS[name](Symbols(x))[0][()]
    want = [float(sp.diff(f, x, order).subs(x, sp.Rational(str(at)))) for order in (1, 2, 3)]
    assert derivatives(FUNCTIONS[name], at) == pytest.approx(want, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("formula", [forward, central])
def test_the_predicted_step_is_where_the_bound_is_least(formula):
    u, f, slopes = 1e-16, 3.0, (1.0, 2.0, 5.0)
    h = np.geomspace(1e-10, 1e-2, 100_001)
    rounding, curve = {
        forward: (2 * u * f / h, h * slopes[1] / 2),
        central: (u * f / h, h**2 * slopes[2] / 6),
    }[formula]
    least = h[np.argmin(rounding + curve)]
    assert best_step(formula, u, f, slopes) == pytest.approx(least, rel=1e-3)


def test_the_complex_step_is_predicted_good_until_its_error_is_one_rounding():
    u, slopes = 1e-16, (3.0, 2.0, 5.0)
    h = best_step(complex_step, u, 7.0, slopes)
    assert h**2 * slopes[2] / 6 / (u * slopes[0]) == pytest.approx(1)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("formula", [forward, central])
@pytest.mark.parametrize("name", ["exp(x)", "tanh(x)", "exp(sin(x²))"])
@pytest.mark.parametrize("x", [-1.4, 0.5, 1.0])
def test_the_measured_optimum_is_where_it_is_predicted(name, x, formula, precision):
    data = simulate(function=name, x=x, formula=formula, precision=precision)
    assert 1 / 4 < data.measured / data.predicted < 4


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounding_and_truncation_bound_the_central_error(precision):
    """u|f|/h + h²f'''/6, both over 2|f'| as E2.2.1-b has it; for eˣ all three are equal."""
    data = simulate(x=0.0, precision=precision)
    u = float(np.finfo(PRECISIONS[precision]).eps) / 2
    bound = (u / STEPS + STEPS**2 / 6) / 2
    inside = (STEPS > 20 * u) & (STEPS < 0.3)
    ratio = data.curves[central][inside] / bound[inside]
    assert ratio.max() < 4  # exp rounds to within two units or so
    assert ratio[-10:] == pytest.approx(1, abs=0.1)


def test_the_complex_step_is_exact_below_its_step():
    for precision, dtype in PRECISIONS.items():
        for name in SMOOTH:
            data = simulate(function=name, x=0.7, formula=complex_step, precision=precision)
            below = STEPS < data.predicted / 3
            assert data.curves[complex_step][below].max() < 8 * np.finfo(dtype).eps


def test_a_larger_constant_in_f_moves_the_best_step_by_its_cube_root():
    small, large = (simulate(x=0.0, offset=o) for o in (0, 1_000_000))
    assert large.predicted / small.predicted == pytest.approx(1_000_001 ** (1 / 3))
    assert 30 < large.measured / small.measured < 300


@pytest.mark.parametrize(
    ("changes", "verdict", "called"),
    [
        ({}, "is too small: rounding dominates", "right"),
        ({"exponent": -5.2}, "is near the best", "right"),
        ({"exponent": -1.0}, "is too large: the formula's own error dominates", "wrong"),
        ({"precision": "float32"}, "is too small: rounding dominates", "wrong"),
        ({"precision": "float32", "exponent": -2.4}, "is near the best", "suspicious"),
        ({"formula": complex_step, "exponent": -18.0}, "is as good as any", "right"),
        ({"function": "relu(x)", "x": 0.1, "exponent": -0.5}, "straddles the kink at 0", "wrong"),
        ({"function": "relu(x)", "x": 0.1, "exponent": -2.0}, "is near the best", "right"),
        ({"function": "relu(x)", "x": -0.1, "exponent": -2.0}, "is near the best", "right"),
    ],
)
def test_verdicts(changes, verdict, called):
    data = simulate(**changes)
    assert (data.verdict, data.called) == (verdict, called)
    assert verdict in StepSize(**changes).summary()


def test_a_step_lost_in_x_is_nan_and_said_to_be_lost():
    explorer = StepSize(exponent=-18.0)
    assert np.isnan(explorer.data.error)
    assert "is lost: x + h rounds to x" in explorer.summary()
    lost = quotients(FUNCTIONS["exp(x)"], np.float64(1.0), np.array([1e-18]), 0)
    assert [bool(np.isnan(lost[name])) for name in FORMULAS] == [True, True, False]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_complex_step_that_overflows_is_wrong_not_lost(precision):
    """At x = 4 and h = 1 the real part of sin((4 + i)²) is 969, and exp(969) is no float."""
    with warnings.catch_warnings(action="error"):
        data = simulate(
            function="exp(sin(x²))", x=4.0, exponent=0.0, formula=complex_step, precision=precision
        )
    assert data.error == 1
    assert data.called == "wrong"


def test_at_the_kink_of_relu_each_formula_gives_its_own_slope():
    found = quotients(FUNCTIONS["relu(x)"], np.float64(0.0), np.array([1e-3]), 0)
    assert [found[name].item() for name in FORMULAS] == [1.0, 0.5, 1.0]


def test_a_formula_without_an_optimum_says_so():
    assert "exact near x" in StepSize(function="x²").summary()
    assert "f is 0 here" in StepSize(function="sin(x)", x=0.0).summary()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("x", [-5.0, -2.5, 0.3, 3.0, 4.0])
def test_noise_among_good_complex_steps_does_not_hide_the_largest_of_them(x, precision):
    data = simulate(function="tanh(x)", x=x, formula=complex_step, precision=precision)
    assert data.measured > data.predicted / 3


@pytest.mark.parametrize(
    ("formula", "meets"),
    [(forward, "starts at"), (central, "straddles"), (complex_step, "starts at")],
)
def test_at_its_kink_relu_has_no_best_step(formula, meets):
    said = StepSize(function="relu(x)", x=0.0, formula=formula).summary()
    assert f"{meets} the kink at 0" in said
    assert "no best step" in said
    assert "exact" not in said


@pytest.mark.parametrize("offset", [1, 100])
def test_the_forward_difference_of_an_odd_function_at_0_is_not_exact(offset):
    """There f'' is 0, and the next term of the error sets the best step."""
    data = simulate(function="tanh(x)", x=0.0, formula=forward, offset=offset)
    u = float(np.finfo(float).eps) / 2
    assert data.predicted == pytest.approx(
        np.cbrt(6 * u * offset / 2)
    )  # the third derivative is −2
    assert 1 / 4 < data.measured / data.predicted < 4
    far = simulate(function="tanh(x)", x=0.0, formula=forward, exponent=0.0)
    assert far.verdict == "is too large: the formula's own error dominates"


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_error_that_is_said_is_one_that_the_curve_has(function, formula):
    how = {"function": function, "formula": formula, "offset": 100, "precision": "float32"}
    for exponent in range(-20, 1):
        data = simulate(**how, exponent=exponent)
        said = re.search("typically at most ([^,]*),", StepSize.describe(data))
        assert bool(said) != np.isnan(data.error)
        if said:
            bound = float(said[1].replace("−", "-"))
            assert bound / 10 < data.typical <= bound * (1 + 1e-12)
            assert data.error <= np.sqrt(NEIGHBOURS) * bound


def test_the_sentence_says_whether_the_prediction_is_met():
    assert "within a factor of 3 of the measured step." in StepSize().summary()
    flat = StepSize(x=-5.0, offset=1_000_000, precision="float32", formula=forward)
    assert not 1 / 3 < flat.data.measured / flat.data.predicted < 3  # 1e6 swallows exp(-5)
    assert "more than a factor of 3 from the measured step." in flat.summary()


def test_the_marks_stand_where_the_data_says():
    explorer = StepSize(formula=forward)
    explorer.png()
    data = explorer.data
    assert explorer._chosen.get_xydata().tolist() == [[data.h, data.error]]
    assert explorer._predicted.get_xdata() == [data.predicted] * 2
    assert explorer._measured.get_xdata() == [data.measured]
    assert [line.get_linewidth() > 2 for line in explorer._curves.values()] == [True, False, False]
    np.testing.assert_array_equal(
        explorer._curves[central].get_ydata()[150:], data.curves[central][150:]
    )


@pytest.mark.parametrize("exponent", [-20.0, -8.0, -3.0, -1.0])
@pytest.mark.parametrize("formula", FORMULAS)
def test_the_longest_words_stay_in_the_picture(formula, exponent):
    where = {"function": "exp(sin(x²))", "x": -4.9, "offset": 1_000_000, "precision": "float32"}
    explorer = StepSize(**where, formula=formula, exponent=exponent)
    explorer.png()
    for words in explorer._words:
        assert words.get_window_extent().x1 < explorer._screen.width, words.get_text()
