"""Initialization: theory and measurement agree, and the products over the widths are exact."""

from itertools import pairwise

import numpy as np
import pytest

from bpbook.explorers import Initialization
from bpbook.explorers.initialization import (
    ACTIVATIONS,
    INITIALIZERS,
    VARIANCES,
    fate,
    layer_widths,
    said,
)
from bpbook.training import initializers


def simulate(**changes):
    return Initialization.simulate(**{**Initialization().values, **changes})


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize(("n_out", "n_in"), [(150, 300), (300, 150)])
def test_the_theory_is_told_the_variance_that_is_drawn(name, n_out, n_in):
    W = getattr(initializers, name)(np.random.default_rng(0), n_out, n_in)
    variance = VARIANCES[name.split("_")[0]](n_out, n_in)
    assert abs(np.mean(W * W) - variance) <= 5 * variance * np.sqrt(2 / W.size)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_theory_agrees_with_a_wide_network(activation, name):
    """Four layers of 96 and 48 units, the mean of eight draws: within a quarter in each layer."""
    settings = {"depth": 4, "narrow": 48, "activation": activation, "initialization": name}
    draws = [simulate(gain=1.2, draw_number=n, **settings) for n in range(8)]
    for n, direction in enumerate(("forward", "backward")):
        measured = np.mean([getattr(data, direction) for data in draws], axis=0)
        np.testing.assert_allclose(measured, draws[0].expected[n], rtol=1 / 4)


@pytest.mark.parametrize("shape", ["alternate", "taper", "widen"])
def test_a_linear_network_multiplies_by_the_widths_times_the_variance(shape):
    settings = {"depth": 7, "wide": 48, "narrow": 16, "shape": shape, "activation": "identity"}
    pairs = list(pairwise(layer_widths(7, 48, 16, shape)))
    for name in INITIALIZERS:
        up, down = simulate(initialization=name, gain=1.5, **settings).expected
        v = [1.5**2 * VARIANCES[name.split("_")[0]](n_out, n_in) for n_in, n_out in pairs]
        grow = [n_in * x for (n_in, _), x in zip(pairs, v, strict=True)]
        back = [n_out * x for (_, n_out), x in zip(pairs, v, strict=True)]
        np.testing.assert_allclose(up, np.cumprod(grow))
        np.testing.assert_allclose(down, np.cumprod([1, *back[:0:-1]])[::-1])


def test_between_two_widths_xavier_loses_both_ways_and_lecun_neither():
    """Xavier: 4r/(1 + r)² for each pair of layers (Q2.1.2-c). LeCun: 1 up; down, widths cancel."""
    settings = {"depth": 20, "wide": 96, "narrow": 24, "activation": "identity"}
    up, down = simulate(initialization="xavier_normal", **settings).expected
    assert up[-1] == pytest.approx((4 * 4 / 5**2) ** 10)
    assert down[1] == pytest.approx((4 * 4 / 5**2) ** 9)
    up, down = simulate(initialization="lecun_normal", **settings).expected
    assert up[-1] == pytest.approx(1)
    assert down[1] == pytest.approx(1)


def test_he_keeps_relu_alive_and_xavier_does_not():
    settings = {"depth": 30, "wide": 96, "narrow": 96, "activation": "relu"}
    assert simulate(initialization="he_normal", **settings).verdict == "survives both ways"
    assert simulate(initialization="xavier_normal", **settings).verdict == "vanishes both ways"
    assert (
        "explodes both ways"
        in Initialization(initialization="he_normal", gain=2.0, **settings).summary()
    )


def test_a_sigmoid_hides_on_the_way_up_what_is_lost_on_the_way_down():
    data = simulate(activation="sigmoid", initialization="lecun_normal")
    assert data.verdict == "survives up, but vanishes down"


@pytest.mark.parametrize("settings", [{"gain": 0.0}, {"initialization": "zeros"}])
def test_zero_weights_are_drawn_as_zero(settings):
    explorer = Initialization(**settings)
    explorer.png()
    assert explorer.data.verdict == "is 0 both ways"
    assert explorer._up._words.get_text() == "exactly 0"
    assert explorer._bars._words.get_text() == "all 0"


@pytest.mark.parametrize(
    ("mean_square", "word"),
    [(0, "is 0"), (0.009, "vanishes"), (0.01, "survives"), (100, "survives"), (101, "explodes")],
)
def test_fate(mean_square, word):
    assert fate(mean_square) == word
    assert fate(float("inf")) == fate(float("nan")) == "overflows"


def test_widths():
    assert layer_widths(4, 128, 32, "alternate") == (128, 32, 128, 32, 128)
    assert layer_widths(4, 128, 8, "taper") == (128, 64, 32, 16, 8)
    assert layer_widths(4, 128, 8, "widen") == (8, 16, 32, 64, 128)
    assert said((128, 32, 128)) == " of 128 and 32 units by turns"
    assert said((128, 64, 32)) == " from 128 to 32 units"
    assert said((8, 8, 8)) == " of 8 units"
    assert said(layer_widths(60, 8, 4, "taper")) == " from 8 to 4 units"  # the first four have 8


def test_the_picture_shows_the_layers_and_the_widths():
    explorer = Initialization(depth=6)
    explorer.png()
    assert len(explorer._up._measured.get_ydata()) == 6
    assert list(explorer._widths.get_data().values) == [96, 24, 96, 24, 96, 24, 96]
    explorer.update(draw_number=1)
    assert explorer.summary() != Initialization(depth=6).summary()
