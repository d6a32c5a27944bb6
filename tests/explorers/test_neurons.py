"""Neurons: its corners, slopes and sum are those of the function that it draws."""

import numpy as np
import pytest

from bpbook import ops
from bpbook.explorers import Neurons
from bpbook.explorers.neurons import ACTIVATIONS, X, corner, find_bends
from bpbook.nets import MLP


def net(explorer):
    """The same function as a multilayer perceptron 1-3-1."""
    net = MLP((1, 3, 1), activation=ACTIVATIONS[explorer.activation], loss=ops.mse)
    for i in range(3):
        net.W[0][i, 0], net.b[0][i], net.W[1][0, i] = (
            explorer.values[f"{k}{i + 1}"] for k in "wbv"
        )
    return net


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_draws_the_function_of_a_1_3_1_network(activation):
    explorer = Neurons(activation=activation, w1=-0.7, b3=2.3)
    want = net(explorer).forward(X[:, None])[:, 0]
    np.testing.assert_allclose(explorer.data.f, want, rtol=0, atol=1e-12)
    np.testing.assert_allclose(explorer.data.terms.sum(axis=0), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_its_slope_is_the_derivative(activation):
    explorer = Neurons(activation=activation, w1=-0.7, b3=2.3)
    f, h = net(explorer).forward, 1e-6
    measured = ((f(X[:, None] + h) - f(X[:, None] - h)) / (2 * h))[:, 0]
    smooth = ~np.isclose(X[:, None], explorer.data.zeros).any(axis=1)
    np.testing.assert_allclose(explorer.data.slope[smooth], measured[smooth], rtol=0, atol=1e-8)


def test_corners_lie_at_minus_b_over_w_and_change_the_slope_by_v_times_the_size_of_w():
    w, b, v = np.array([1.0, 2.0, -2.0]), np.array([1.0, -1.0, 4.0]), np.array([1.0, -1.0, 0.5])
    assert find_bends("relu", w, b, v) == {-1.0: 1.0, 0.5: -2.0, 2.0: 1.0}
    assert find_bends("leaky_relu", w, b, v) == pytest.approx({-1.0: 0.99, 0.5: -1.98, 2.0: 0.99})
    assert find_bends("tanh", w, b, v) == {}


def test_the_slope_jumps_by_what_the_sentence_says():
    data = Neurons(w1=-1.5, b1=-1.2, v3=2.0).data
    for x, change in data.bends.items():
        before, after = np.interp([x - 0.02, x + 0.02], X, data.slope)
        assert after - before == pytest.approx(change)


def test_corners_at_one_place_add_up_and_may_cancel():
    one = np.ones(3)
    assert find_bends("relu", one, -one, np.array([1.0, 2.0, 0.0])) == {1.0: 3.0}
    assert find_bends("relu", one, -one, np.array([1.0, 1.0, -2.0])) == {}
    assert find_bends("relu", 0 * one, one, one) == {}


def test_only_relu_and_leaky_relu_have_a_corner():
    assert {name: corner(name) for name in ACTIVATIONS if corner(name)} == {
        "relu": 1.0,
        "leaky_relu": 0.99,
    }


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "3 relu neurons: the function bends at x = −1.0, 0.5, 2.0, "
             "where its slope changes by +1.0, −2.0, +1.5."),
        ({"v2": 0.0, "b3": -1.0}, "3 relu neurons: the function bends at x = −1.0, 1.0, "
                                  "where its slope changes by +1.0, +1.5."),
        ({"w1": 0.0, "v2": 0.0, "v3": 0.0}, "3 relu neurons: a straight line, of slope 0.0."),
        ({"activation": "identity"}, "3 identity neurons: a straight line, of slope 0.5."),
        ({"activation": "tanh"}, "3 tanh neurons: a smooth function, "
                                 "with z = 0 at x = −1.0, 0.5, 2.0."),
        ({"activation": "tanh", "w1": 0.0, "w2": 0.0, "w3": 0.0},
         "3 tanh neurons: a smooth function, with z = 0 nowhere."),
    ],
)  # fmt: skip
def test_the_sentence(settings, sentence):
    assert Neurons(**settings).summary() == sentence


def test_the_picture_moves_with_a_weight_and_its_still_part_does_not():
    explorer = Neurons()
    before = explorer.png()
    explorer.b2 = 0.5
    assert explorer.png() != before
    explorer.reset()
    assert explorer.png() == before
    assert explorer._screen.backgrounds == 1


def test_marks_stand_at_the_corners_and_vanish_where_there_is_none():
    explorer = Neurons(w3=0.0)
    explorer.png()
    x, y = explorer._dots.get_data()
    assert list(x) == [-1.0, 0.5]
    np.testing.assert_allclose(y, [0.0, 1.5], atol=1e-9)
    assert [name.get_text() for name in explorer._names] == ["z₁ = 0 at −1.0", "z₂ = 0 at 0.5", ""]


@pytest.mark.filterwarnings("error")
def test_a_weight_that_is_almost_zero_has_its_zero_nowhere():
    shown = Neurons(w1=2e-308, b1=-3.0, w2=0.0, w3=0.0, activation="tanh")
    assert shown.png()
    assert "z = 0 nowhere" in shown.summary()
    assert "bends at x = 0.5" in Neurons(w1=2e-308, w3=0.0).summary()
