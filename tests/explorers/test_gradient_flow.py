"""GradientFlow: what it shows is what was measured, and its words fit the picture."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bpbook import ops
from bpbook.explorers import GradientFlow
from bpbook.explorers.gradient_flow import (
    ACTIVATIONS,
    VARIANCES,
    initial_weights,
    short,
    signals,
)
from bpbook.explorers.moving_axes import bin_values, power_of_ten, round_up
from bpbook.theory.propagation import propagate

DEFAULTS = GradientFlow().values


def simulate(**settings):
    return GradientFlow.simulate(**{**DEFAULTS, **settings})


def test_the_sizes_are_those_of_the_stack_it_names():
    data = simulate(depth=3, width=8, activation="tanh", gain=2)
    X, da = signals(8)
    weights = [2 * initial_weights("xavier_normal", 8, layer) for layer in (1, 2, 3)]
    found = propagate(X, weights, ops.tanh, da)
    assert np.array_equal(data.activations, found.activations)
    assert np.array_equal(data.gradients, found.gradients)
    assert data.reach == found.gradients[0] / found.gradients[2]
    assert "3 layers of 8 tanh units, xavier_normal × 2: arrives" in GradientFlow.describe(data)


def test_a_deeper_stack_keeps_the_layers_that_it_had():
    shallow, deep = simulate(depth=10), simulate(depth=40)
    assert np.array_equal(shallow.activations, deep.activations[:10])


@pytest.mark.parametrize("name", VARIANCES)
def test_weights_have_the_variance_that_the_theory_is_told(name):
    W = initial_weights(name, 256, 1)
    assert W.dtype == np.float32
    assert 256 * W.var() == pytest.approx(VARIANCES[name], rel=0.02)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("residual", "gain"), [(False, 1), (False, 3), (True, 1)])
@pytest.mark.parametrize("normalization", ["none", "layer", "batch"])
def test_theory_is_near_what_is_measured_or_not_drawn(activation, residual, gain, normalization):
    """Within a factor of 3 over 20 layers of 256 units; a wrong factor of 1.1 makes 7."""
    how = {"gain": gain, "residual": residual, "normalization": normalization}
    data = simulate(depth=20, width=256, activation=activation, **how)
    for measured, expected in zip((data.activations, data.gradients), data.expected, strict=True):
        if np.isfinite(expected).any():
            assert np.abs(np.log(measured / expected)).max() < np.log(3)
        else:
            assert "no theory" in GradientFlow.describe(data)
            assert normalization == "batch" or residual


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "vanishes: 5e-19 of the gradient reaches layer 1"),
        ({"activation": "identity", "initialization": "orthogonal"}, "arrives: 1 times"),
        ({"activation": "identity", "gain": 2}, "explodes: "),
        ({"activation": "relu", "gain": 20, "depth": 60}, "exploded at layer 33: the outputs"),
        ({"gain": 0.1, "depth": 60}, r"layers 1 to \d+ get a gradient of exactly 0"),
        ({"activation": "relu", "normalization": "batch"}, "explodes: "),
        ({"activation": "relu", "normalization": "layer"}, "arrives: "),
        ({"initialization": "zeros", "depth": 2}, "layer 1 gets a gradient of exactly 0"),
        (
            {"activation": "relu", "gain": 0.1, "depth": 60},
            "no layer gets any gradient, for the outputs are 0 from layer \\d+ on",
        ),
    ],
)
def test_the_verdict_in_words(settings, words):
    assert re.search(words, GradientFlow(**settings).summary())


def test_a_gradient_that_overflows_on_the_way_back_is_said_to():
    data = replace(simulate(depth=4), gradients=np.array([np.nan, np.inf, 1e30, 1.0]))
    assert data.verdict == "exploded at layer 2 on the way back: overflow"


def test_a_last_layer_of_dead_units_is_said_to_be_passed():
    data = replace(simulate(depth=3), gradients=np.array([0.25, 0.5, 0.0]))
    assert data.verdict == (
        "arrives: layer 3 gets a gradient of exactly 0, layer 1 gets one of size 0.25"
    )


def test_dots_and_line_stand_at_their_values_and_end_where_numbers_do():
    explorer = GradientFlow(activation="relu", gain=20, depth=60)
    explorer.png()
    up, axis = explorer._up, explorer._up._axis
    y = up._measured.get_ydata() * 4 * axis.step + axis.low
    assert np.allclose(10.0 ** y[:32], explorer.data.activations[:32], rtol=1e-9)
    assert np.isnan(y[32:]).all()
    y = up._theory.get_ydata() * 4 * axis.step + axis.low
    assert np.allclose(10.0**y, explorer.data.expected[0], rtol=1e-9)
    assert up._words.get_text() == "overflow"
    assert up._beyond.get_x() == pytest.approx(31.5 / 59)
    assert [label.get_text() for label in axis._labels] == [
        power_of_ten(axis.low + i * axis.step) for i in range(5)
    ]


def test_the_layer_of_the_histograms_is_the_last_when_there_are_fewer():
    assert simulate(depth=10, layer=60).layer == 10
    assert simulate(depth=10, layer=3).layer == 3


# The parts.


@pytest.mark.parametrize(
    ("low", "high", "step"), [(1, 1, 1), (2e-5, 0.3, 2), (3e-19, 1, 5), (1e-95, 1, 25)]
)
def test_the_log_axis_takes_the_smallest_step_that_holds_everything(low, high, step):
    explorer = GradientFlow()
    explorer.png()
    axis = explorer._up._axis
    axis.fit(np.array([low, np.nan, 0.0]), np.array([high, np.inf]))
    assert axis.step == step
    assert (axis.place(np.array([low, high])) >= 0).all()
    assert (axis.place(np.array([low, high])) <= 1).all()
    assert np.isnan(axis.place(np.array([0.0, np.nan, np.inf]))).all()


@pytest.mark.parametrize(("x", "limit"), [(0.3, 0.5), (1.0, 1.0), (1.01, 2.0), (7e-12, 1e-11)])
def test_limits_are_round(x, limit):
    assert round_up(x) == limit
    heights, found = bin_values(np.array([[x, -x, 0.0]]))
    assert found == limit
    assert heights.max() == 1
    assert np.count_nonzero(heights) == 3


def test_histograms_of_nothing_and_of_what_is_not_finite():
    heights, limit = bin_values(np.zeros(9))
    assert (limit, np.flatnonzero(heights).tolist()) == (0, [20])
    heights, limit = bin_values(np.array([1.0, np.nan]))
    assert np.isnan(limit)
    assert not heights.any()


def test_numbers_in_words():
    assert [short(x) for x in (0.0, 0.432, 3.4e-11, 12.3, 5e4, np.nan)] == [
        *("0", "0.43", "3e-11", "12", "5e+04", "overflow")
    ]
    assert power_of_ten(-20) == "10⁻²⁰"
    assert len({power_of_ten(k) for k in range(-9, 10)}) == 19


def test_words_on_the_first_layer_leave_the_numbers_of_the_axis_free():
    explorer = GradientFlow(depth=60, initialization="he_normal", gain=0.5)
    explorer.png()
    words = explorer._down._words
    assert words.get_text() == "exactly 0"
    assert words.get_window_extent().x0 > words.axes.bbox.x0
