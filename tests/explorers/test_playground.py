"""Playground: its steps are fit's, its curves the net's, and what explodes says so."""

import warnings

import numpy as np
import pytest

from bpbook.explorers import Playground
from bpbook.explorers.playground import INITS, OPTIMIZERS, OWN, load
from bpbook.explorers.playground_picture import GREY, PIXELS, surface
from bpbook.explorers.training_run import GRADIENTS, TEST_LOSS, TRAIN_LOSS
from bpbook.training import accuracy, fit

EXPLODING = {"activation": "identity", "learning_rate": 3}


def fresh(**settings):
    """Net, data and optimizer of a playground at step 0."""
    run = Playground(**settings).data
    return run.net, run.dataset, run.optimizer, run.batch_size


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_a_step_of_fit(optimizer):
    settings = {"optimizer": optimizer, "l2": 0.01, "batch_size": 50, "seed": 3}
    run = Playground(**settings).step(12).data
    net, data, rule, batch_size = fresh(**settings)
    fit(net, data.X_train, data.Y_train, rule, epochs=3, batch_size=batch_size, rng=3)
    assert np.array_equal(run.net.theta, net.theta)
    assert (run.steps, run.epoch) == (12, 3)


def test_l1_is_the_subgradient_added_before_the_optimizer():
    run = Playground(l1=0.03, optimizer="Momentum").step(20).data
    net, data, rule, batch_size = fresh(optimizer="Momentum")

    def penalize(grad):
        grad += 0.03 * np.sign(net.theta)

    fit(net, data.X_train, data.Y_train, rule, 2, batch_size, clip=penalize)
    assert np.array_equal(run.net.theta, net.theta)


def test_an_explosion_is_where_fit_stops():
    run = Playground(**EXPLODING).step(1000).data
    net, data, rule, batch_size = fresh(**EXPLODING)
    with pytest.warns(RuntimeWarning, match="training stopped"):
        history = fit(net, data.X_train, data.Y_train, rule, 100, batch_size)
    assert f"step {run.steps} (epoch {run.epoch}), {run.exploded}" == history.stopped
    assert np.array_equal(run.net.theta, net.theta)


def test_an_exploded_run_says_so_stays_and_can_be_started_again():
    explorer = Playground(**EXPLODING).step(1000)
    step = explorer.data.steps
    assert step < 50
    assert explorer.summary().startswith(f"Exploded at step {step}, layer ")
    assert explorer.step(5).data.steps == step
    explorer.learning_rate = 0.01
    explorer.play()
    assert (explorer.data.steps, explorer.data.exploded) == (0, None)
    assert explorer.step(100).summary().startswith("Step 100, epoch 10: training loss 0.")


def test_the_record_holds_the_losses_and_the_gradient_of_each_layer():
    run = Playground(depth=3).step(7).data
    net, data = run.net, run.dataset
    loss, grad = net.loss_and_grad(data.X_train, data.Y_train)
    row = run.record.rows[7]
    assert row[TRAIN_LOSS] == loss
    assert row[TEST_LOSS] == net.loss(data.X_test, data.Y_test)
    layers = zip(*net.views(grad), strict=True)
    norms = [np.linalg.norm(np.concatenate([W.ravel(), b])) for W, b in layers]
    assert row[GRADIENTS:] == pytest.approx(norms, rel=1e-14)
    assert np.linalg.norm(row[GRADIENTS:]) == pytest.approx(np.linalg.norm(grad), rel=1e-14)
    assert run.accuracy == accuracy(net, data.X_test, data.Y_test)


def test_the_same_settings_and_steps_give_the_same_run_however_they_are_taken():
    one, two = Playground(seed=4).step(60), Playground(seed=4)
    for _ in range(12):
        two.step(5)
    assert np.array_equal(one.data.net.theta, two.data.net.theta)
    assert np.array_equal(one.data.record.rows, two.data.record.rows)
    assert not np.array_equal(one.data.net.theta, Playground(seed=5).step(60).data.net.theta)


def test_a_live_setting_keeps_the_net_and_reaches_the_next_step():
    explorer = Playground().step(10)
    theta = explorer.data.net.theta.copy()
    explorer.update(learning_rate=0.3, l2=0.1, l1=1e-4, batch_size=200)
    run = explorer.data
    assert np.array_equal(run.net.theta, theta)
    optimizer = run.optimizer
    assert (optimizer.learning_rate, optimizer.weight_decay, run.l1) == (0.3, 0.1, 1e-4)
    epoch = run.epoch
    explorer.step(2)
    assert run.epoch == epoch + 2  # one batch an epoch
    explorer.depth = 3
    assert explorer.data.steps == 0


def test_gain_scales_the_first_weights_of_every_initializer():
    for name in INITS:
        plain, triple = (Playground(initialization=name, gain=g).data.net for g in (1, 3))
        assert np.allclose(triple.theta, 3 * plain.theta)


@pytest.mark.parametrize("data_set", ["moons", "spirals", "blobs", "circles", "xor"])
def test_every_data_set_can_be_learned(data_set):
    explorer = Playground(data_set=data_set, noise=0.05, optimizer="Adam", learning_rate=0.01)
    assert explorer.step(600).data.accuracy > 0.9


def test_zeros_learn_nothing_but_the_last_bias():
    run = Playground(initialization="zeros").step(5).data
    assert (run.record.rows[:, GRADIENTS:-1] == 0).all()


# Own points.


def test_a_click_adds_a_point_turns_it_and_takes_it_away():
    explorer = Playground(data_set=OWN)
    assert explorer.summary().startswith("No points yet")
    explorer.hand("down", 0.5, 0.5)
    explorer.hand("up", 0.5, 0.5)
    explorer.hand("down", -1.0, 1.0)
    assert explorer.points == ((0.5, 0.5, 0), (-1.0, 1.0, 0))
    explorer.hand("down", 0.52, 0.49)
    assert explorer.points == ((0.5, 0.5, 1), (-1.0, 1.0, 0))
    explorer.hand("down", 0.52, 0.49)
    assert explorer.points == ((-1.0, 1.0, 0),)
    explorer.clear()
    assert explorer.points == ()


def test_without_points_it_plays_and_waits_for_the_first():
    explorer = Playground(data_set=OWN).step(3)
    assert (explorer.data.steps, explorer.data.finished) == (0, False)
    explorer.points = [(0, 0, 1)]
    assert explorer.step(3).data.steps == 3


def test_own_points_join_the_run_under_way():
    explorer = Playground(data_set=OWN, points=[(-1, 0, 0), (1, 0, 1)]).step(100)
    theta = explorer.data.net.theta.copy()
    explorer.hand("down", 0.0, 1.5)
    assert np.array_equal(explorer.data.net.theta, theta)
    assert len(explorer.data.dataset.X_train) == 3
    assert explorer.step(200).data.steps == 300
    assert ".step(" not in repr(explorer)


def test_every_fifth_own_point_of_a_class_is_for_the_test():
    points = tuple((i / 10, 0.0, 0) for i in range(10))
    dataset = load(OWN, 0.0, 0, points)
    assert dataset.X_test[:, 0].tolist() == [0.4, 0.9]
    assert (len(dataset.X_train), dataset.Y_train.shape[1]) == (8, 2)


def test_a_click_on_another_data_set_changes_nothing():
    explorer = Playground().step(3)
    explorer.hand("down", 0.0, 0.0)
    assert explorer.points == ()
    assert explorer.data.steps == 3


# The map.


def test_the_map_shows_the_class_of_each_place_and_how_sure_the_net_is():
    net = Playground(data_set="xor", optimizer="Adam", learning_rate=0.03).step(800).data.net
    colors = surface(net)
    middle_left, top_right = colors[PIXELS // 4, 3 * PIXELS // 4], colors[-10, -10]
    assert middle_left[0] > middle_left[2]  # below right: orange, class 1
    assert top_right[2] > top_right[0]  # above right: blue, class 0
    unsure = surface(Playground(initialization="zeros").data.net)
    assert np.array_equal(unsure, np.ones((PIXELS, PIXELS, 3)))


def test_the_map_of_an_overflowing_net_is_grey_and_silent():
    net = Playground(activation="identity").data.net
    net.theta = np.full(net.theta.size, 1e200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (surface(net) == GREY).any()
