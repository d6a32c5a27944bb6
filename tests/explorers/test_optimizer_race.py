"""OptimizerRace: trails are the optimizers stepped by hand, stability limits are limits."""

import numpy as np
import pytest
import sympy as sp

from bpbook.explorers import OptimizerRace
from bpbook.explorers.race import FAR, LIMIT, OPTIMIZERS, Race, steepest_curvature
from bpbook.theory.landscapes import LANDSCAPES
from bpbook.training.optimizers import Adam, Momentum


def race(names, eta, mu=0.9, landscape="quadratic", steps=LIMIT, start=None):
    where = LANDSCAPES[landscape]
    run = Race(where, names, eta, mu, start or where.start)
    for _ in range(steps):
        run.step()
    return run


@pytest.mark.parametrize("landscape", LANDSCAPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_trail_is_the_optimizer_stepped_by_hand(name, landscape):
    run = race((*OPTIMIZERS,), 0.001, landscape=landscape, steps=50)
    (racer,) = (racer for racer in run.racers if racer.name == name)
    optimizer, where = OPTIMIZERS[name](0.001, 0.9), LANDSCAPES[landscape]
    theta = np.array(where.start)
    for point, loss in zip(racer.points[:51], racer.losses[:51], strict=True):
        value, vjp = where.op(theta)
        assert np.array_equal(point, theta)
        assert loss == value
        theta = optimizer.step(theta.copy(), vjp(1.0))


def test_momentum_reaches_the_optimizers_that_have_it():
    for name, make in OPTIMIZERS.items():
        settings = make(0.1, 0.25).settings
        assert settings["learning_rate"] == 0.1
        expected = None if name in ("SGD", "AdaGrad", "RMSProp") else 0.25
        assert settings.get("momentum", settings.get("beta1")) == expected
    assert isinstance(OPTIMIZERS["Adam"](0.1, 0.25), Adam)
    assert isinstance(OPTIMIZERS["Momentum"](0.1, 0.25), Momentum)


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_curvature_is_the_largest_eigenvalue_of_the_symbolic_hessian(landscape):
    x, y = sp.symbols("x y")
    c = (sp.Rational(3, 2), sp.Rational(9, 4), sp.Rational(21, 8))
    formula = {
        "quadratic": (x**2 + 10 * y**2) / 2,
        "ravine": (x + y) ** 2 / 4 + 25 * (x - y) ** 2,
        "rosenbrock": (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        "beale": sum((c[k] - x + x * y ** (k + 1)) ** 2 for k in range(3)),
        "saddle": (x**2 - y**2) / 2 + y**4 / 4,
        "plateau": 1 - sp.exp(-(x**2 + y**2) / 2),
    }[landscape]
    where = LANDSCAPES[landscape]
    at = dict(zip((x, y), map(sp.nsimplify, where.minimum), strict=True))
    hessian = np.array(sp.hessian(formula, (x, y)).subs(at), dtype=float)
    assert steepest_curvature(where) == pytest.approx(np.linalg.eigvalsh(hessian).max(), rel=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("landscape", ["quadratic", "ravine"])
def test_below_its_limit_a_rule_settles_and_above_it_diverges(landscape, mu):
    limits = race((), 0.1, mu, landscape).limits
    for name, limit in limits.items():
        (below,) = race((name,), 0.95 * limit, mu, landscape).racers
        (above,) = race((name,), 1.05 * limit, mu, landscape, start=(1.0, 1.5)).racers
        start, end = np.linalg.norm(below.points[0]), np.linalg.norm(below.at)
        assert below.diverged is None
        assert end < 1e-2 * start
        assert above.diverged is not None or np.linalg.norm(above.at) > 1e3


def test_who_diverges_stops_at_the_last_point_in_reach():
    run = race(("SGD", "Adam"), 0.5)
    sgd, adam = run.racers
    assert adam.diverged is None
    assert np.abs(sgd.points[: sgd.diverged]).max() < FAR
    assert np.isnan(sgd.points[sgd.diverged :]).all()
    # The eigenvalue 1 − ηλ = −4 carries y = 1.5 over 10⁶ in the tenth step: 1.5 · 4¹⁰ = 1.57 · 10⁶.
    assert sgd.diverged == 10


def test_a_race_ends_when_all_have_diverged_or_at_its_limit():
    assert race(("SGD",), 0.5).steps == 10
    assert race(("SGD", "Adam"), 0.5).steps == LIMIT
    assert race((), 0.5).finished


def test_sentence_says_who_stands_where_and_who_diverged():
    said = OptimizerRace(learning_rate=0.3, optimizers=("SGD", "Adam")).step(50).summary()
    assert "Step 50 on the quadratic landscape" in said
    assert "SGD diverged at step 20, Adam " in said
    assert "η = 0.3 is not below SGD's limit 2/λ_max = 0.2." in said
    assert "nobody runs" in OptimizerRace(optimizers=()).summary()


def test_a_rate_at_its_limit_is_unstable_whatever_the_rounding():
    """0.2 · 1.5 is 0.30000000000000004 in floats; a limit next to the rate has its digits."""
    explorer = OptimizerRace(learning_rate=0.3, momentum=0.5)
    explorer.png()
    assert explorer._limits[1].get_text() == "η < 0.3"
    assert explorer._verdicts[1].get_text() == "unstable"
    explorer.update(momentum=0.51)
    explorer.png()
    assert explorer._limits[1].get_text() == "η < 0.302"
    assert explorer._verdicts[1].get_text() == ""


def test_a_landscape_brings_its_start_unless_one_is_given():
    assert (OptimizerRace(landscape="beale").start_x, OptimizerRace().start_x) == (1, -4)
    assert OptimizerRace(landscape="beale", start_x=2.0).start_x == 2
    explorer = OptimizerRace()
    explorer.landscape = "rosenbrock"
    assert (explorer.start_x, explorer.start_y) == LANDSCAPES["rosenbrock"].start
    explorer.reset()
    assert (explorer.start_x, explorer.start_y) == LANDSCAPES["quadratic"].start


def test_each_decade_of_learning_rates_has_the_same_stops():
    rates = OptimizerRace.learning_rate.options
    for decade in (1e-4, 1e-3, 1e-2, 1e-1):
        within = [rate / decade for rate in rates if decade <= rate < 9.9 * decade]
        assert np.allclose(within, [1, 1.5, 2, 3, 5, 7], rtol=1e-12, atol=0)
    assert rates[-3:] == (1, 1.5, 2)


def test_a_start_outside_of_the_window_is_moved_to_its_edge():
    run = OptimizerRace(landscape="rosenbrock", start_x=5.0, start_y=-5.0).data
    assert run.start.tolist() == [2, -1]


def test_the_hand_moves_the_start_and_the_race_follows_to_the_same_step():
    explorer = OptimizerRace().step(40)
    explorer.hand("down", 2.0, -1.0)
    assert (explorer.start_x, explorer.start_y, explorer.data.steps) == (2, -1, 40)
    assert explorer.data.racers[0].points[0].tolist() == [2, -1]
    explorer.hand("up", 0.0, 0.0)
    assert explorer.start_x == 2
