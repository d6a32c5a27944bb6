"""Schedules: the rates drawn are those of the schedules, the loss is the expectation of SGD's."""

import numpy as np
import pytest

from bpbook.explorers import Schedules
from bpbook.explorers.schedules import CURVATURES, NAMES, START, VARIANCE, descend
from bpbook.training.schedules import ReduceOnPlateau, constant, cosine, one_cycle, warmup

TICKS = {name.replace(" ", "_"): True for name in NAMES}


def simulate(**settings):
    return Schedules.simulate(**{**Schedules().values, **settings})


def test_the_loss_is_the_mean_over_many_runs_of_sgd():
    rng, runs, steps = np.random.default_rng(0), 40_000, 30
    schedule = cosine(0.6, T_max=20)
    x = np.ones((runs, 2)) * np.sqrt(START)
    for t in range(steps):
        grad = CURVATURES * x + np.sqrt(VARIANCE) * rng.standard_normal(x.shape)
        x = x - schedule(t) * grad
    measured = (CURVATURES * x**2).sum(axis=1) / 2
    _, losses = descend(schedule, steps)
    error = measured.std() / np.sqrt(runs)
    assert abs(measured.mean() - losses[-1]) < 4 * error
    assert error < 0.01 * losses[-1]


def test_a_constant_rate_ends_on_its_noise_floor():
    """Σ ½ η σ² / (2 − ηλ): E[x²] = (1 − ηλ)² E[x²] + η² σ² solved for E[x²]."""
    _, losses = descend(constant(0.5), 2000)
    floor = sum(0.5 * VARIANCE / (2 - 0.5 * c) for c in CURVATURES) / 2
    assert losses[-1] == pytest.approx(floor, rel=1e-9)


def test_rates_are_those_of_the_schedules():
    data = simulate(peak=0.8, steps=200, warm_up=40, T_max=100, **TICKS)
    assert tuple(data.rates) == NAMES
    wanted = warmup(cosine(0.8, 100), 40)
    assert data.rates["cosine"].tolist() == [wanted(t) for t in range(200)]
    assert data.rates["one cycle"].tolist() == [one_cycle(0.8, 200)(t) for t in range(200)]
    cuts = np.flatnonzero(np.diff(data.rates["step decay"]) < 0) + 1
    assert cuts.tolist() == [140]


def test_the_plateau_is_fed_the_loss_that_is_drawn():
    data = simulate(patience=5)
    plateau, rates = ReduceOnPlateau(0.5, 0.1, 5), []
    for loss in data.losses["on plateau"]:
        rates.append(plateau(0))
        plateau.update(loss)
    assert data.rates["on plateau"].tolist() == rates
    assert len(set(rates)) > 1


def test_too_large_a_rate_is_shown_as_exploded():
    explorer = Schedules(peak=2.5, one_cycle=False, cosine=False)
    assert "constant exploded" in explorer.summary()
    explorer.png()
    drawn = explorer._losses[NAMES.index("constant")].get_ydata()
    assert np.isfinite(drawn[0])
    assert np.isnan(drawn[-1])
    everything = Schedules(peak=2.5, factor=1.0)
    assert "lowest" not in everything.summary()


def test_what_is_not_ticked_is_not_drawn():
    explorer = Schedules(**{name: False for name in TICKS})
    explorer.png()
    assert not any(line.get_visible() for line in explorer._rates + explorer._losses)
    assert explorer.summary() == "No schedule is ticked; a run has 300 steps."
    explorer.update(cosine=True)
    explorer.png()
    assert [line.get_visible() for line in explorer._rates] == [name == "cosine" for name in NAMES]


@pytest.mark.parametrize(("T_max", "rises"), [(100, True), (270, True), (290, False), (600, False)])
def test_the_sentence_says_when_the_cosine_rises(T_max, rises):
    summary = Schedules(T_max=T_max, warm_up=10).summary()
    assert (f"the cosine rises again after step {T_max + 10}" in summary) == rises
    assert "rises" not in Schedules(T_max=100, cosine=False).summary()
