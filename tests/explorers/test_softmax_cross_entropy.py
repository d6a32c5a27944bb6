"""SoftmaxCrossEntropy: what it draws is the mathematics, and what overflows is what overflows."""

import matplotlib.colors
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook.explorers import SoftmaxCrossEntropy
from bpbook.explorers.softmax_cross_entropy import CLASSES, LIMITS, unshifted_softmax
from bpbook.style import BLUE, VERMILLION

score = st.floats(-10, 10)
simulate = SoftmaxCrossEntropy.simulate


def start(**changes):
    return {**SoftmaxCrossEntropy().values, **changes}


@settings(deadline=None, derandomize=True)
@given(score, score, score, st.sampled_from(CLASSES), st.sampled_from([0.5, 1, 2, 5, 10]))
def test_the_push_is_the_slope_of_the_loss(three, five, eight, true_class, temperature):
    """p − y at each logit, against a central difference of the loss (E1.3.2-p)."""
    scores = {"three": three, "five": five, "eight": eight}
    at = start(**scores, true_class=true_class, temperature=temperature)
    h = 1e-4
    for k, name in enumerate(CLASSES):
        up = simulate(**{**at, name: scores[name] + h * temperature}).loss
        down = simulate(**{**at, name: scores[name] - h * temperature}).loss
        assert simulate(**at).push[k] == pytest.approx((up - down) / (2 * h), abs=1e-6)


def test_bars_have_the_heights_of_the_data():
    explorer = SoftmaxCrossEntropy()
    explorer.png()
    assert [bar.get_height() for bar in explorer._shares] == pytest.approx(
        [0.659, 0.242, 0.099], abs=5e-4
    )
    assert [bar.get_height() for bar in explorer._pushes] == pytest.approx(
        [0.659, -0.758, 0.099], abs=5e-4
    )
    assert [label.get_text() for label in explorer._share_labels] == ["0.659", "0.242", "0.099"]
    assert [label.get_text() for label in explorer._push_labels] == ["0.659", "−0.758", "0.099"]
    assert explorer._loss.get_text() == "loss = −log p = 1.417"


@pytest.mark.parametrize("true_class", CLASSES)
def test_the_target_stands_at_the_true_class(true_class):
    explorer = SoftmaxCrossEntropy(true_class=true_class)
    explorer.png()
    middle = explorer._target.get_x() + explorer._target.get_width() / 2
    assert middle == pytest.approx(CLASSES.index(true_class))


def test_each_precision_has_its_own_verdict():
    explorer = SoftmaxCrossEntropy(offset=100)
    explorer.png()
    verdicts = [verdict.get_text() for verdict in explorer._verdicts]
    assert verdicts == ["nan, nan, nan", "0.659, 0.242, 0.099"]


def test_softmax_takes_the_scores_with_what_is_added_divided_by_the_temperature():
    data = simulate(**start(offset=10, temperature=2))
    assert data.z == pytest.approx([6.0, 5.5, 5.05])


@pytest.mark.parametrize(
    ("offset", "single", "double"),
    [(0, True, True), (85, True, True), (88, False, True), (705, False, True), (710, False, False)],
)
def test_where_the_exponential_stops_fitting(offset, single, double):
    data = simulate(**start(offset=offset))
    with np.errstate(over="ignore"):
        fits = [bool(np.isfinite(np.exp(data.z.astype(t))).all()) for t in (np.float32, np.float64)]
    assert [data.power <= limit for limit in LIMITS] == fits == [single, double]
    assert list(data.fits) == fits


def test_exponentials_that_fit_one_by_one_may_have_a_sum_that_does_not():
    """Add 88 to our five's scores, 0.7 the largest: e^88.7 is a float32, and p = (0, 0, 0)."""
    explorer = SoftmaxCrossEntropy(three=0.7, five=-0.8, eight=-0.2, offset=88)
    data = simulate(**explorer.values)
    assert np.isfinite(np.exp(data.z.astype(np.float32))).all()
    assert np.array_equal(data.unshifted[0], [0, 0, 0])
    assert LIMITS[0] < data.power < LIMITS[1]
    assert data.fits == (False, True)
    assert "float32 gives (0.000, 0.000, 0.000), as Σ e^z is ∞, and float64 gives (0.614" in (
        explorer.summary()
    )
    explorer.png()
    colors = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in explorer._reaches]
    assert colors == [VERMILLION.lower(), BLUE.lower()]


@pytest.mark.parametrize("offset", [10, 1000, 10000])
def test_an_offset_changes_neither_p_nor_the_loss(offset):
    still, moved = simulate(**start()), simulate(**start(offset=offset))
    assert moved.p == pytest.approx(still.p, rel=1e-9)
    assert moved.loss == pytest.approx(still.loss, rel=1e-9)


def test_one_overflowing_score_gives_nan_there_and_zero_elsewhere():
    assert np.array_equal(unshifted_softmax(np.array([800.0, 1.0, 0.0])), [np.nan, 0, 0], True)


def test_the_sentence_says_nan_where_the_unshifted_form_does():
    assert (
        "float32 gives (nan, nan, nan), as Σ e^z is ∞, and float64 gives (0.659, 0.242, 0.099)"
        in (SoftmaxCrossEntropy(offset=100).summary())
    )
