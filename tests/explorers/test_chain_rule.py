"""ChainRule: the local slopes multiply to the slope of the whole, and the picture shows them."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook.explorers import ChainRule
from bpbook.explorers.chain_rule import FUNCTIONS, NEAR, number

function = st.sampled_from(FUNCTIONS)
BY_HAND = {
    "identity": (lambda y: y, lambda y: 1.0),
    "square": (lambda y: y**2, lambda y: 2 * y),
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "tanh": (np.tanh, lambda y: 1 - np.tanh(y) ** 2),
    "relu": (lambda y: max(y, 0.0), lambda y: float(y > 0)),
}


@settings(deadline=None, derandomize=True)
@given(st.floats(-2, 2), function, function, function)
def test_values_and_slopes_are_those_of_the_definitions(x, first, second, third):
    data = ChainRule.simulate(x, first, second, third)
    product, y = 1.0, x
    with np.errstate(all="ignore"):
        for k, name in enumerate((first, second, third)):
            f, slope = BY_HAND[name]
            assert data.slopes[k] == pytest.approx(slope(y), rel=1e-12, abs=1e-14)
            product, y = product * slope(y), f(y)
            assert data.values[k + 1] == pytest.approx(y, rel=1e-12, abs=1e-14)
    assert data.slope == pytest.approx(product, rel=1e-9, abs=1e-14, nan_ok=True)


@settings(deadline=None, derandomize=True)
@given(st.floats(-1, 1), *[st.sampled_from(["identity", "square", "sin", "tanh"])] * 3)
def test_a_nudge_measures_the_product(x, first, second, third):
    data = ChainRule.simulate(x, first, second, third)
    assert data.nudged == pytest.approx(data.slope, abs=1e-6)


def test_at_a_kink_the_nudge_sees_both_sides():
    data = ChainRule.simulate(0.0, "relu", "identity", "identity")
    assert (data.slope, data.nudged) == (0.0, pytest.approx(0.5))


def test_a_fast_wave_is_drawn_at_its_full_height():
    wave = ChainRule.simulate(0.8, "exp", "exp", "sin").curves[-1]
    for left in np.arange(1.2, 2.0, 0.1):
        part = wave[(left <= NEAR) & (left + 0.1 >= NEAR)]
        assert (part.min(), part.max()) == pytest.approx((-1, 1), abs=0.05)


def test_the_picture_is_drawn_from_the_numbers():
    explorer = ChainRule(x=0.8, first="sin", second="square", third="identity")
    explorer.png()
    assert [label.get_text() for label in explorer._values] == ["0.800", "0.717", "0.515", "0.515"]
    slopes = [label.get_text() for label in explorer._slopes]
    assert slopes == ["slope 0.697", "slope 1.435", "slope 1.000"]
    assert explorer._product.get_text() == "= 1.000"
    for view, slope in zip(
        explorer._views, (*explorer.data.slopes, explorer.data.slope), strict=True
    ):
        (x0, x1), (y0, y1) = view._tangent.get_data()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(slope)
        at_x = np.interp(view._point.get_xdata(), *view._curve.get_data())
        assert view._point.get_ydata() == pytest.approx(at_x, abs=2e-3)


def test_the_sentence_says_what_multiplies():
    sentence = ChainRule(x=0.8, first="sin", second="square", third="identity").summary()
    assert sentence.startswith("x = 0.80: 0.800 → 0.717 → 0.515 → 0.515; ")
    assert "0.697 × 1.435 × 1.000 multiply to 1.000, the slope of sin(x)²" in sentence


def test_overflow_is_said_and_drawn_at_the_edge():
    explorer = ChainRule(x=2, first="exp", second="exp", third="exp")
    assert explorer.summary() == "x = 2.00: function 3, exp, overflows."
    explorer.png()
    assert explorer._values[3].get_text() == "∞"
    assert explorer._views[2]._point.get_markerfacecolor() == "white"
    assert len(explorer._views[2]._tangent.get_xdata()) == 0


@pytest.mark.parametrize(
    ("names", "formula"),
    [
        (("identity", "identity", "identity"), "x"),
        (("square", "square", "sin"), "sin((x²)²)"),
        (("exp", "square", "relu"), "relu(exp(x)²)"),
    ],
)
def test_the_formula_reads_as_one_writes_it(names, formula):
    assert ChainRule.simulate(0.5, *names).formula == formula


def test_numbers_are_short():
    values = [-1e-12, 0.00134, 999.9, -1618.2, 3.1e43, np.inf, np.nan]
    assert [number(v) for v in values] == [
        "0.000",
        "1.34e−3",
        "999.900",
        "−1.62e3",
        "3.10e43",
        "∞",
        "undefined",
    ]


@pytest.mark.parametrize("x", [0.4, 0.8])
@pytest.mark.parametrize("names", [("exp", "square", "tanh"), ("exp", "tanh", "square")])
def test_the_slopes_that_are_said_multiply_to_the_one_that_is_said(names, x):
    """tanh has slopes of a thousandth and less here, which three decimals would not tell from 0."""
    said = ChainRule(x=x, **dict(zip(("first", "second", "third"), names, strict=True))).summary()
    slopes, product = re.search("slopes (.*) multiply to ([^,]*),", said.replace("−", "-")).groups()
    assert float(product) != 0
    assert np.prod([float(s) for s in slopes.split(" × ")]) == pytest.approx(float(product), 0.03)
