"""Every optimizer on every landscape: what theory, or the rule itself, says it must do there."""

import math
from functools import partial

import numpy as np
import pytest

from bpbook.theory.landscapes import LANDSCAPES, walk
from bpbook.training import optimizers

MU = 0.9
RULES = {
    name: getattr(optimizers, name)
    for name in ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "AdamW", "AMSGrad")
} | {
    "Nadam": optimizers.Nadam,
    "Lion": optimizers.Lion,
    "Muon": partial(optimizers.Muon, views=lambda flat: [flat[None]]),  # the point as a 1×2 matrix
}
PLAIN = ("SGD", "Momentum", "Nesterov")  # linear in the gradient
NORMALIZED = tuple(rule for rule in RULES if rule not in PLAIN)
HOVER = ("RMSProp", "Lion", "Muon")  # a step's length does not shrink with the gradient

# Of each landscape: rule -> (learning rate, steps by which it is at the minimum and stays there).
ARRIVALS = {
    "quadratic": {
        "SGD": (0.1, 65),
        "Momentum": (0.1, 125),
        "Nesterov": (0.1, 60),
        "AdaGrad": (1.0, 40),
        "RMSProp": (0.01, 490),
        "Adam": (0.1, 120),
        "AdamW": (0.1, 115),
        "AMSGrad": (0.1, 120),
        "Nadam": (0.1, 110),
        "Lion": (0.01, 790),
        "Muon": (0.01, 880),
    },
    "ravine": {
        "SGD": (0.01, 660),
        "Momentum": (0.01, 130),
        "Nesterov": (0.01, 105),
        "AdaGrad": (1.0, 500),
        "RMSProp": (0.01, 510),
        "Adam": (0.1, 410),
        "AdamW": (0.1, 390),
        "AMSGrad": (0.1, 430),
        "Nadam": (0.05, 770),
        "Lion": (0.01, 750),
        "Muon": (0.01, 760),
    },
    "rosenbrock": {
        "SGD": (0.0015, 8300),
        "Momentum": (0.001, 1170),
        "Nesterov": (0.001, 1210),
        "AdaGrad": (1.0, 7300),
        "RMSProp": (0.003, 6500),
        "Adam": (0.05, 1650),
        "AdamW": (0.05, 3100),
        "AMSGrad": (0.3, 730),
        "Nadam": (0.01, 7000),
        "Lion": (0.001, 4200),
        "Muon": (0.003, 1900),
    },
    "beale": {
        "SGD": (0.02, 670),
        "Momentum": (0.02, 110),
        "Nesterov": (0.01, 165),
        "AdaGrad": (0.5, 275),
        "RMSProp": (0.01, 320),
        "Adam": (0.1, 190),
        "AdamW": (0.1, 570),
        "AMSGrad": (0.1, 195),
        "Nadam": (0.05, 400),
        "Lion": (0.003, 1600),
        "Muon": (0.01, 560),
    },
    "saddle": {
        "SGD": (0.1, 100),
        "Momentum": (0.1, 115),
        "Nesterov": (0.1, 55),
        "AdaGrad": (0.5, 25),
        "RMSProp": (0.01, 195),
        "Adam": (0.1, 110),
        "AdamW": (0.1, 95),
        "AMSGrad": (0.1, 95),
        "Nadam": (0.05, 90),
        "Lion": (0.01, 420),
        "Muon": (0.01, 490),
    },
    "plateau": {
        "AdaGrad": (0.5, 20),
        "RMSProp": (0.01, 490),
        "Adam": (0.1, 130),
        "AdamW": (0.1, 130),
        "AMSGrad": (0.1, 130),
        "Nadam": (0.02, 135),
        "Lion": (0.01, 670),
        "Muon": (0.01, 900),
    },
}
everywhere = pytest.mark.parametrize("name", LANDSCAPES)
every_rule = pytest.mark.parametrize("rule", RULES)


def slope(name, xy):
    return LANDSCAPES[name].op(xy)[1](1.0)


def scaled(name, c):
    """The op of c times a landscape, as far as a walk needs it."""
    return lambda xy: (None, lambda dvalue: c * slope(name, xy))


def hessian(name, xy=(0.0, 0.0), h=1e-6):
    xy, steps = np.array(xy), h * np.eye(2)
    return np.array([(slope(name, xy + s) - slope(name, xy - s)) / (2 * h) for s in steps])


def distances(path, point):
    return np.linalg.norm(path - np.array(point), axis=1)


def nearness(name, rule, rate):
    """How near the minimum is near enough.

    A normalized step keeps its length, so the hovering rules come as near as 3η. AdamW, which pulls
    towards (0, 0), creeps up to a minimum elsewhere.
    """
    if rule == "AdamW" and name in ("rosenbrock", "beale"):
        return 0.06
    return 3 * rate if rule in HOVER else 0.01


@everywhere
def test_the_minimum_is_one_and_the_window_shows_the_walk(name):
    one = LANDSCAPES[name]
    lowest, start = one.op(np.array(one.minimum))[0], one.op(np.array(one.start))[0]
    assert np.abs(slope(name, np.array(one.minimum))).max() < 1e-12
    assert np.linalg.eigvalsh(hessian(name, one.minimum)).min() > 0.1
    (x0, x1), (y0, y1) = one.window
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 101), np.linspace(y0, y1, 101)), axis=-1)
    assert one.op(grid)[0].min() >= lowest
    assert start > lowest
    for x, y in (one.start, one.minimum):
        assert x0 < x < x1
        assert y0 < y < y1


ARRIVE = [(name, rule) for name, rules in ARRIVALS.items() for rule in rules]


@pytest.mark.parametrize(("name", "rule"), ARRIVE, ids=map("-".join, ARRIVE))
def test_it_comes_to_the_minimum_in_so_many_steps_and_stays(name, rule):
    """Not in half as many either, so the number of steps says something."""
    one, (rate, steps) = LANDSCAPES[name], ARRIVALS[name][rule]
    path = walk(RULES[rule](rate), LANDSCAPES[name].op, one.start, steps + steps // 4)
    away = np.flatnonzero(distances(path, one.minimum) > nearness(name, rule, rate))
    assert steps / 2 < away[-1] + 1 <= steps


@pytest.mark.parametrize("rule", PLAIN)
def test_on_the_plateau_a_plain_rule_crawls(rule):
    """At radius r the slope is r e^(−r²/2), falling with r; a step is at most η/(1 − μ) times it.

    While r ≥ 4.8 that is 2.4e-4 a step, so 500 steps from r = 5 end before r = 4.88.
    """
    rate, steps, gain = 0.5, 500, 1 if rule == "SGD" else 1 / (1 - MU)
    path = walk(RULES[rule](rate), LANDSCAPES["plateau"].op, LANDSCAPES["plateau"].start, steps)
    bound = steps * rate * gain * 4.8 * math.exp(-(4.8**2) / 2)
    assert bound < 0.2
    moved = distances(path, path[0])
    assert 0 < moved[-1] <= bound
    normalized = walk(
        RULES["Adam"](rate / 5), LANDSCAPES["plateau"].op, LANDSCAPES["plateau"].start, 60
    )
    assert distances(normalized, (0, 0))[-1] < 1


@every_rule
def test_on_the_ridge_of_the_saddle_it_stays_and_ends_on_the_saddle_point(rule):
    """With y = 0 the slope along y is exactly 0, and so is every step along it."""
    rate = ARRIVALS["saddle"][rule][0]
    path = walk(RULES[rule](rate), LANDSCAPES["saddle"].op, (-1.5, 0.0), 600)
    assert (path[:, 1] == 0).all()
    assert np.abs(path[-1, 0]) < nearness("saddle", rule, rate)


@every_rule
def test_beside_the_ridge_the_sign_of_y_decides_between_the_two_minima(rule):
    rate, steps = ARRIVALS["saddle"][rule]
    above, below = (
        walk(RULES[rule](rate), LANDSCAPES["saddle"].op, (-1.5, y), steps) for y in (1e-3, -1e-3)
    )
    assert np.array_equal(above * [1, -1], below)
    assert above[-1, 1] == pytest.approx(1, abs=0.03)


def steps_to_leave(rule, y):
    path = walk(RULES[rule](0.1), LANDSCAPES["saddle"].op, (0.0, y), 700)
    return int(np.argmax(np.abs(path[:, 1]) > 0.1))


@pytest.mark.parametrize("rule", PLAIN)
def test_a_plain_rule_leaves_the_ridge_by_a_constant_factor_a_step(rule):
    """Near the ridge the slope is −y: a linear recursion, so 10⁶ times nearer costs ln 10⁶/ln r."""
    eta, mu = 0.1, 0.0 if rule == "SGD" else MU
    middle, last = (1 + mu) * (1 + eta), mu * (1 + eta)
    if rule == "Momentum":
        middle, last = 1 + mu + eta, mu
    r = max(np.roots([1, -middle, last]))
    cost = steps_to_leave(rule, 1e-9) - steps_to_leave(rule, 1e-3)
    assert cost == pytest.approx(math.log(1e6) / math.log(r), abs=1)


@pytest.mark.parametrize("rule", NORMALIZED)
def test_a_normalized_rule_leaves_the_ridge_in_as_many_steps_from_anywhere(rule):
    near, nearer = steps_to_leave(rule, 1e-3), steps_to_leave(rule, 1e-6)
    assert 0 < nearer <= near + 2 <= 25


STABLE_BELOW = {  # times 1/λ_max; by the Jury conditions for the 2×2 iteration
    "SGD": 2,
    "Momentum": 2 * (1 + MU),
    "Nesterov": 2 * (1 + MU) / (1 + 2 * MU),
}


@pytest.mark.parametrize("rule", PLAIN)
@pytest.mark.parametrize("name", ["quadratic", "ravine"])
def test_a_plain_rule_is_stable_below_its_limit_and_diverges_above(name, rule):
    limit = STABLE_BELOW[rule] / np.linalg.eigvalsh(hessian(name)).max()
    start = LANDSCAPES[name].start
    below = walk(RULES[rule](0.98 * limit), LANDSCAPES[name].op, start, 3000)
    above = walk(RULES[rule](1.02 * limit), LANDSCAPES[name].op, start, 1000)
    assert distances(below, (0, 0))[-1] < 1e-3
    assert distances(above, (0, 0))[-1] > 1e3


@pytest.mark.parametrize("rule", PLAIN)
@pytest.mark.parametrize("name", ["quadratic", "ravine"])
def test_a_plain_rule_shrinks_the_distance_by_the_spectral_radius(name, rule):
    curvatures = np.linalg.eigvalsh(hessian(name))
    eta = 1 / curvatures.max()

    def radius(curvature):
        left = 1 - eta * curvature
        middle, last = (1 + MU) * left, MU * left
        if rule == "SGD":
            middle, last = left, 0
        elif rule == "Momentum":
            middle, last = left + MU, MU
        return np.abs(np.roots([1, -middle, last])).max()

    path = walk(RULES[rule](eta), LANDSCAPES[name].op, LANDSCAPES[name].start, 400)
    far = distances(path, (0, 0))
    # Complex roots turn as they shrink: compare the largest distances of two spans of 50 steps.
    measured = (far[350:].max() / far[100:151].max()) ** (1 / 250)
    assert measured == pytest.approx(max(map(radius, curvatures)), abs=2e-3)


@everywhere
@pytest.mark.parametrize("rule", NORMALIZED)
def test_a_normalized_rule_does_not_see_the_scale_of_the_loss(name, rule):
    """1024 times the loss: the same walk, bit for bit, for a power of two rounds nothing."""
    tiny = {} if rule in ("Lion", "Muon") else {"eps": 1e-30}
    start, rate = LANDSCAPES[name].start, 0.01
    walks = [walk(RULES[rule](rate, **tiny), scaled(name, c), start, 60) for c in (1.0, 1024.0)]
    assert np.array_equal(*walks)
    assert distances(walks[0], start)[-1] > 5 * rate


@everywhere
@pytest.mark.parametrize("rule", PLAIN)
def test_for_a_plain_rule_the_scale_of_the_loss_is_part_of_the_learning_rate(name, rule):
    start, rate = LANDSCAPES[name].start, 1e-6
    path = walk(RULES[rule](rate), scaled(name, 1024), start, 60)
    assert np.array_equal(path, walk(RULES[rule](1024 * rate), LANDSCAPES[name].op, start, 60))


@everywhere
@every_rule
def test_only_a_rule_without_coordinates_turns_with_the_landscape(name, rule):
    """Muon divides by one norm for the whole matrix; AdaGrad, Adam, Lion by one per coordinate."""
    c, s = math.cos(0.5), math.sin(0.5)
    turn, start = np.array([[c, -s], [s, c]]), np.array(LANDSCAPES[name].start)
    rate = 1e-3

    def turned_op(xy):
        return None, lambda dvalue: turn @ slope(name, turn.T @ xy)

    path = walk(RULES[rule](rate), LANDSCAPES[name].op, start, 30)
    turned = walk(RULES[rule](rate), turned_op, turn @ start, 30)
    apart = np.abs(turned @ turn - path).max() / np.abs(path - start).max()
    if rule in (*PLAIN, "Muon"):
        assert apart < 1e-7  # rounding, against a walk of a few thousandths on the plateau
    else:
        assert apart > 0.01


def test_adam_leaves_the_minimum_again_and_amsgrad_does_not():
    """At rest √v fades, so Adam's η/√v grows until the ravine's walls throw it out; u never fades.

    The limit is η λ/√v = 2(1 + β₁)/(1 − β₁) = 38 (Cohen et al. 2022).
    """
    start = LANDSCAPES["ravine"].start
    runs = (walk(RULES[r](0.1), LANDSCAPES["ravine"].op, start, 5500) for r in ("Adam", "AMSGrad"))
    adam, amsgrad = (distances(path, (0, 0)) for path in runs)
    assert adam[2000:5000].max() < 1e-6
    assert adam[5000:].max() > 0.01
    assert amsgrad[2000:].max() < 1e-6


@pytest.mark.parametrize("name", ["rosenbrock", "beale"])
def test_adamw_comes_late_and_from_the_side_of_the_origin(name):
    """The pull −ηλθ does not fade with the gradient as Adam's own step does."""
    one, rate = LANDSCAPES[name], ARRIVALS[name]["AdamW"][0]
    decayed, free = (
        walk(RULES["AdamW"](rate, weight_decay=decay), LANDSCAPES[name].op, one.start, 2500)[-1]
        for decay in (0.01, 0.0)
    )
    assert distances(free[None], one.minimum)[0] < 1e-3
    assert np.linalg.norm(decayed) < np.linalg.norm(one.minimum) - 0.005
