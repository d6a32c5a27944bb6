"""Schedules: their laws, what `fit` does with them, and PyTorch's, step by step, to 1e-12."""

import itertools
import math
import warnings

import numpy as np
import pytest

from bpbook import data
from bpbook.nets import MLP
from bpbook.training import SGD, fit
from bpbook.training.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    exponential_decay,
    one_cycle,
    step_decay,
    warm_restarts,
    warmup,
)

STEPS = 250


def rates(schedule, steps=STEPS):
    return np.array([schedule(t) for t in range(steps)])


# Their laws.


def test_step_decay_by_hand():
    """C3.3.1-a: 1, 0.1, 0.01, 0.001 at epochs 0, 30, 60, 90, and flat in between."""
    schedule = step_decay(1.0, every=30)
    assert [schedule(t) for t in (0, 29, 30, 59, 60, 90)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.001], rel=1e-12
    )


def test_exponential_decay_meets_step_decay_where_it_cuts():
    smooth, stairs = exponential_decay(0.3, 0.1 ** (1 / 30)), step_decay(0.3, every=30)
    assert [smooth(t) for t in (0, 30, 60)] == pytest.approx([stairs(t) for t in (0, 30, 60)])
    assert all(smooth(t) <= stairs(t) * (1 + 1e-12) for t in range(100))


def test_cosine_falls_to_t_max_and_then_rises():
    """C3.3.1-b."""
    schedule = cosine(1.0, T_max=100)
    assert [schedule(t) for t in (0, 50, 100, 150, 200)] == pytest.approx([1, 0.5, 0, 0.5, 1])
    assert (np.diff(rates(schedule, 101)) < 0).all()
    assert (np.diff([schedule(t) for t in range(100, 201)]) > 0).all()
    assert cosine(1.0, T_max=7, lowest=0.2)(7) == pytest.approx(0.2)


def test_warm_restarts_fall_again_and_again():
    schedule = warm_restarts(1.0, period=10, lowest=0.1)
    assert [schedule(t) for t in (0, 10, 20)] == [1, 1, 1]
    assert schedule(9) == cosine(1.0, 10, 0.1)(9) == schedule(19)


def test_one_cycle_rises_to_the_peak_falls_and_stays():
    schedule = one_cycle(2.0, total=101, rise=31 / 101)
    assert schedule(0) == pytest.approx(2 / 25)
    assert schedule(30) == pytest.approx(2)
    assert schedule(100) == schedule(5000) == pytest.approx(2 / 25 / 1e4)
    assert np.argmax(rates(schedule)) == 30


@pytest.mark.parametrize("rise", [0, 0.001, 0.5, 0.999, 1])
@pytest.mark.parametrize("total", [2, 3, 50])
def test_one_cycle_holds_for_any_share_of_rise(rise, total):
    values = rates(one_cycle(1.0, total, rise), total)
    assert ((values >= 0) & (values <= 1)).all()
    assert values.argmax() == round(max(rise * total - 1, 0)) or 0 < rise < 1


def test_warmup_is_a_straight_line_and_then_the_schedule():
    schedule = warmup(step_decay(1.0, every=10), steps=5, start=0.5)
    assert [schedule(t) for t in range(6)] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert schedule(14) == 1
    assert schedule(15) == pytest.approx(0.1)
    assert warmup(constant(0.3), steps=0)(0) == 0.3


def test_plateau_cuts_when_bad_epochs_exceed_the_patience():
    """C3.3.1-c: a constant metric with patience 10 cuts at call 12, for call 1 is the best."""
    schedule = ReduceOnPlateau(1.0)
    after = [schedule.update(0.5) for _ in range(23)]
    assert after[:11] == [1.0] * 11
    assert after[11:22] == pytest.approx([0.1] * 11)
    assert after[22] == schedule(99) == pytest.approx(0.01)


def test_plateau_counts_an_improvement_only_beyond_the_threshold():
    schedule = ReduceOnPlateau(1.0, patience=0, threshold=0.1)
    assert [schedule.update(x) for x in (1.0, 0.89, 0.81)] == pytest.approx([1, 1, 0.1])
    assert schedule.best == 0.89


@pytest.mark.parametrize("first", [math.nan, math.inf])
def test_plateau_recovers_from_a_first_epoch_without_a_number(first):
    schedule = ReduceOnPlateau(1.0, patience=1)
    assert [schedule.update(x) for x in (first, 3.0, 2.0, 1.0)] == [1.0] * 4
    assert schedule.best == 1.0
    assert [schedule.update(math.nan) for _ in range(2)] == pytest.approx([1, 0.1])


def test_plateau_with_a_negative_metric_does_cut():
    schedule = ReduceOnPlateau(1.0, patience=3)
    assert [schedule.update(-5.0) for _ in range(5)][-1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constant(-0.1), "learning_rate is -0.1; wanted a finite number, 0 or more"),
        (lambda: constant(math.nan), "learning_rate is nan"),
        (lambda: step_decay(0.1, every=0), "every is 0; wanted a whole number, at least 1"),
        (
            lambda: step_decay(0.1, every=30, factor=2),
            "factor is 2; wanted a finite number, 0 to 1",
        ),
        (lambda: exponential_decay(0.1, 1.1), "factor is 1.1"),
        (lambda: cosine(0.1, T_max=10.5), "T_max is 10.5"),
        (
            lambda: cosine(0.1, T_max=10, lowest=0.2),
            "lowest is 0.2; wanted a finite number, 0 to 0",
        ),
        (lambda: warm_restarts(0.1, period=0), "period is 0"),
        (lambda: warmup(0.1, steps=5), "schedule is 0.1; wanted a function, such as constant"),
        (lambda: one_cycle(0.1, total=1), "total is 1; wanted a whole number, at least 2"),
        (lambda: one_cycle(0.1, total=9, rise=1.5), "rise is 1.5"),
        (lambda: warmup(constant(1), steps=-1), "steps is -1"),
        (lambda: ReduceOnPlateau("0.1"), "learning_rate is '0.1'"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), "patience is -1"),
        (lambda: ReduceOnPlateau(0.1, lowest=1.0), "lowest is 1.0"),
    ],
)
def test_numbers_that_make_no_schedule_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# In the training loop.


class Watched(SGD):
    """SGD that keeps the rate of each step."""

    def __init__(self):
        super().__init__(9.0)
        self.used = []

    def step(self, theta, grad):
        self.used.append(self.learning_rate)
        return super().step(theta, grad)


def train(schedule, epochs=3, **more):
    moons = data.moons(n=130)  # 104 training samples: 7 steps of 16 an epoch
    optimizer, net = Watched(), MLP((2, 6, 2), rng=0)
    history = fit(
        net, moons.X_train, moons.Y_train, optimizer, epochs, 16, schedule=schedule, **more
    )
    assert history.learning_rate == optimizer.used
    return history, net


def test_fit_sets_the_rate_of_each_step():
    schedule = warmup(cosine(0.5, T_max=10), steps=4)
    history, _ = train(schedule)
    assert history.learning_rate == list(rates(schedule, 21))


def test_fit_with_a_constant_schedule_is_fit_with_that_rate():
    moons = data.moons(n=130)
    plain = MLP((2, 6, 2), rng=0)
    history = fit(plain, moons.X_train, moons.Y_train, SGD(0.3), 3, 16)
    assert history.learning_rate == []
    assert (train(constant(0.3))[1].theta == plain.theta).all()


def test_fit_feeds_the_plateau_once_an_epoch_with_the_validation_loss():
    moons, fed = data.moons(n=130), []

    class Spy(ReduceOnPlateau):
        def update(self, metric):
            fed.append(metric)
            return super().update(1.0)  # never better: a cut after each epoch but the first

    history, net = train(Spy(0.4, factor=0.5, patience=0), validation=(moons.X_test, moons.Y_test))
    assert fed[-1] == net.loss(moons.X_test, moons.Y_test)
    assert history.learning_rate == [0.4] * 14 + [0.2] * 7
    fed.clear()
    history, _ = train(Spy(0.4, patience=9))
    assert fed == history.train_loss


def test_fit_feeds_the_plateau_within_a_warmup():
    """A threshold of 1 asks for a loss below 0: each epoch but the first halves the rate."""
    plateau = ReduceOnPlateau(0.4, factor=0.5, patience=0, threshold=1)
    history, _ = train(warmup(plateau, steps=7, start=0.5))
    assert plateau.best == history.train_loss[0]
    assert history.learning_rate[:7] == pytest.approx([0.4 * (0.5 + k / 14) for k in range(7)])
    assert history.learning_rate[7:] == [0.4] * 7 + [0.2] * 7


def test_fit_refuses_a_number_for_a_schedule():
    with pytest.raises(ValueError, match=r"schedule is 0\.1; .* such as constant\(0\.1\)"):
        train(0.1)


# PyTorch.


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")


def optimizer_of(torch, rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def torch_rates(optimizer, scheduler, metrics=None, steps=STEPS):
    found = []
    for t in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t < steps - 1:
            scheduler.step(*(() if metrics is None else (metrics[t],)))
    return np.array(found)


def schedulers(torch):
    """By name: our schedule, and PyTorch's scheduler of an optimizer with lr = 0.7."""
    lr = torch.optim.lr_scheduler
    return {
        "StepLR": (step_decay(0.7, 30, 0.3), lambda o: lr.StepLR(o, 30, 0.3)),
        "ExponentialLR": (exponential_decay(0.7, 0.95), lambda o: lr.ExponentialLR(o, 0.95)),
        "CosineAnnealingLR": (cosine(0.7, 40), lambda o: lr.CosineAnnealingLR(o, 40)),
        "CosineAnnealingLR, odd T_max": (
            cosine(0.7, 33, 0.05),
            lambda o: lr.CosineAnnealingLR(o, 33, eta_min=0.05),
        ),
        "CosineAnnealingWarmRestarts": (
            warm_restarts(0.7, 30, 0.1),
            lambda o: lr.CosineAnnealingWarmRestarts(o, 30, eta_min=0.1),
        ),
        "OneCycleLR": (
            one_cycle(0.7, STEPS),
            lambda o: lr.OneCycleLR(o, 0.7, STEPS, cycle_momentum=False),
        ),
        "OneCycleLR, other shape": (
            one_cycle(0.7, STEPS, 0.123, start_divisor=7, end_divisor=50),
            lambda o: lr.OneCycleLR(
                o,
                0.7,
                STEPS,
                pct_start=0.123,
                div_factor=7,
                final_div_factor=50,
                cycle_momentum=False,
            ),
        ),
        "LinearLR": (
            warmup(constant(0.7), 20, start=0.2),
            lambda o: lr.LinearLR(o, start_factor=0.2, total_iters=20),
        ),
        "LinearLR, then StepLR": (
            warmup(step_decay(0.7, 30), 20, start=0.2),
            lambda o: lr.SequentialLR(
                o, [lr.LinearLR(o, 0.2, total_iters=20), lr.StepLR(o, 30)], milestones=[20]
            ),
        ),
    }


NAMES = [
    "StepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "CosineAnnealingLR, odd T_max",
    "CosineAnnealingWarmRestarts",
    "OneCycleLR",
    "OneCycleLR, other shape",
    "LinearLR",
    "LinearLR, then StepLR",
]


@pytest.mark.parametrize("name", NAMES)
def test_schedule_agrees_with_pytorchs(torch, name):
    """CosineAnnealingLR steps by its recursion here, through T_max six times."""
    ours, make = schedulers(torch)[name]
    optimizer = optimizer_of(torch, 0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR passes an epoch that PyTorch deprecates
        theirs = torch_rates(optimizer, make(optimizer))
    np.testing.assert_allclose(rates(ours), theirs, rtol=0, atol=0.7e-12)


def test_cosine_is_the_closed_form_that_pytorchs_recursion_stands_for(torch):
    optimizer = optimizer_of(torch, 0.7)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40, eta_min=0.1)
    closed = []
    for t in range(STEPS):
        scheduler.last_epoch = t
        closed.append(scheduler._get_closed_form_lr()[0])
    np.testing.assert_allclose(rates(cosine(0.7, 40, 0.1)), closed, rtol=0, atol=0.7e-14)


@pytest.mark.parametrize(
    ("patience", "cooldown", "threshold", "lowest"),
    list(itertools.product((0, 3, 10), (0, 4), (1e-4, 0.05), (0.0, 0.01))),
)
def test_plateau_agrees_with_pytorchs(torch, patience, cooldown, threshold, lowest):
    rng = np.random.default_rng(patience + 7 * cooldown)
    metrics = np.exp(-np.linspace(0, 2, STEPS) + 0.1 * rng.standard_normal(STEPS))
    optimizer = optimizer_of(torch, 0.7)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.6, patience=patience, threshold=threshold, cooldown=cooldown,
        min_lr=lowest, eps=0,
    )  # fmt: skip
    theirs = torch_rates(optimizer, scheduler, metrics)
    ours = ReduceOnPlateau(0.7, 0.6, patience, threshold, cooldown, lowest)
    found = [ours(0)] + [ours.update(m) for m in metrics[:-1]]
    assert len(set(theirs)) > 3
    np.testing.assert_allclose(found, theirs, rtol=1e-12, atol=0)


def test_pytorchs_plateau_never_cuts_a_negative_metric(torch):
    """Why ours moves the mark by |best|: theirs takes an equal metric below 0 for a better one."""
    optimizer = optimizer_of(torch, 0.7)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
    assert set(torch_rates(optimizer, scheduler, metrics=[-5.0] * STEPS)) == {0.7}
