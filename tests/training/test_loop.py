"""`fit` and `accuracy`: the mathematics of a mini-batch, determinism, and the digits."""

import io
import sys

import numpy as np
import pytest

from bpbook import data, ops
from bpbook.nets import MLP
from bpbook.training import SGD, History, accuracy, fit


@pytest.fixture(scope="module")
def moons():
    return data.moons(n=130)  # 104 training samples


def train(d, net=None, *, eta=0.1, epochs=3, batch_size=16, **kwargs):
    net = MLP((2, 6, 2), rng=0) if net is None else net
    return fit(net, d.X_train, d.Y_train, SGD(eta), epochs, batch_size, **kwargs)


class Recorder:
    """An optimizer that keeps each gradient and leaves theta as it is."""

    def __init__(self):
        self.grads = []

    def step(self, theta, grad):
        self.grads.append(grad.copy())
        return theta


def test_a_full_batch_step_is_theta_minus_eta_grad(moons):
    net = MLP((2, 6, 2), rng=0)
    start = net.theta.copy()
    loss, grad = net.loss_and_grad(moons.X_train, moons.Y_train)
    history = train(moons, net, eta=0.3, epochs=1, batch_size=104)
    assert np.allclose(net.theta, start - 0.3 * grad, rtol=1e-12, atol=1e-15)
    assert history.steps == 1
    assert np.isclose(history.loss[0], loss, rtol=1e-12)


def test_one_sample_is_enough():
    net, X, Y = MLP((2, 3), rng=0), np.ones((1, 2)), np.eye(3)[[1]]
    want = net.theta - 0.1 * net.loss_and_grad(X, Y)[1]
    history = fit(net, X, Y, SGD(0.1), 1, 16, validation=(X, Y))
    np.testing.assert_array_equal(net.theta, want)
    assert history.validation_accuracy == [accuracy(net, X, Y)]


@pytest.mark.parametrize("batch_size", [1, 16, 30, 103, 104, 500])
def test_batch_gradients_weighted_by_size_average_to_the_full_gradient(moons, batch_size):
    """Only if each sample is in exactly one batch of an epoch, the small last one included."""
    net, recorder = MLP((2, 6, 2), rng=0), Recorder()
    X, Y = moons.X_train, moons.Y_train
    history = fit(net, X, Y, recorder, epochs=1, batch_size=batch_size)
    sizes = [min(batch_size, 104 - i) for i in range(0, 104, batch_size)]
    loss, grad = net.loss_and_grad(X, Y)
    assert len(recorder.grads) == len(sizes)
    assert np.allclose(np.average(recorder.grads, axis=0, weights=sizes), grad, atol=1e-15)
    assert np.isclose(history.train_loss[0], loss, rtol=1e-12)


def test_each_epoch_shuffles_anew(moons):
    recorder = Recorder()
    fit(MLP((2, 6, 2)), moons.X_train, moons.Y_train, recorder, epochs=2, batch_size=52)
    first, _, again, _ = recorder.grads
    assert not np.allclose(first, again)


def test_the_same_seed_repeats_and_another_differs(moons):
    nets = [MLP((2, 6, 2), rng=0) for _ in range(3)]
    a, b, c = (train(moons, net, rng=rng) for net, rng in zip(nets, (7, 7, 8), strict=True))
    assert a == b
    assert (nets[0].theta == nets[1].theta).all()
    assert a.loss != c.loss
    assert train(moons, rng=np.random.default_rng(7)) == a


def test_history_counts_and_ends(moons):
    net = MLP((2, 6, 2), rng=0)
    history = train(moons, net, epochs=3, validation=(moons.X_test, moons.Y_test))
    assert (history.epochs, history.steps, history.stopped) == (3, 21, None)
    assert history.train_accuracy[-1] == accuracy(net, moons.X_train, moons.Y_train)
    assert history.validation_accuracy[-1] == accuracy(net, moons.X_test, moons.Y_test)
    assert len(history.train_accuracy) == len(history.validation_accuracy) == 3
    assert train(moons).validation_accuracy == []


def test_history_repr_is_one_short_line():
    history = History([2.0, 1.0], [1.5], [0.75], [0.5])
    assert repr(history) == (
        "History(epochs=1, steps=2, train_loss=1.5, train_accuracy=0.75, validation_accuracy=0.5)"
    )
    assert repr(History(stopped="step 1")) == "History(epochs=0, steps=0, stopped='step 1')"


def test_on_step_sees_each_step_and_its_gradient(moons):
    seen = []
    net = MLP((2, 6, 2), rng=0)
    thetas = [net.theta.copy()]

    def on_step(step, loss, grad):
        seen.append((step, loss))
        assert np.allclose(net.theta, thetas[-1] - 0.1 * grad, atol=1e-15)
        thetas.append(net.theta.copy())

    history = train(moons, net, epochs=1, on_step=on_step)
    assert seen == list(enumerate(history.loss, start=1))
    assert len(seen) == 7


def test_float32_stays_float32_and_follows_float64(moons):
    """Also from float64 data: `fit` converts them once, before the first batch."""
    seen = set()

    class Spy(MLP):
        def loss_and_grad(self, X, Y):
            loss, grad = super().loss_and_grad(X, Y)
            seen.update((X.dtype, Y.dtype, grad.dtype))
            return loss, grad

    net = Spy((2, 6, 2), rng=0, dtype=np.float32)
    single, double = train(moons, net), train(moons)
    assert seen == {net.theta.dtype} == {np.dtype(np.float32)}
    assert np.allclose(single.loss, double.loss, rtol=1e-4)
    assert single.loss != double.loss


def test_the_data_are_not_changed(moons):
    X, Y = moons.X_train.copy(), moons.Y_train.copy()
    train(moons)
    assert (X == moons.X_train).all()
    assert (Y == moons.Y_train).all()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "progress", "shown"),
    [
        (io.StringIO, None, False),
        (Terminal, None, True),
        (io.StringIO, True, True),
        (Terminal, False, False),
    ],
)
def test_the_progress_bar_shows_on_a_terminal_only(moons, monkeypatch, stream, progress, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    train(moons, progress=progress)
    assert ("21/21" in sys.stderr.getvalue()) == shown


def test_lists_are_data_too(moons):
    X, Y = moons.X_train[:20], moons.Y_train[:20]
    nets = [MLP((2, 4, 2), rng=0) for _ in range(2)]
    for net, A, B in ((nets[0], X, Y), (nets[1], X.tolist(), Y.tolist())):
        fit(net, A, B, SGD(0.1), 2, 8, validation=(A, B))
    np.testing.assert_array_equal(nets[0].theta, nets[1].theta)


def test_accuracy_by_hand():
    class Fixed:
        def predict(self, X):
            return X

    X = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [np.nan, np.nan]])
    Y = data.one_hot([0, 1, 0, 0], 2)
    assert accuracy(Fixed(), X, Y) == 0.5
    assert accuracy(Fixed(), X[:, :1], Y[:, :1]) == 0.5  # one output: 0.9, 0.4 are right
    assert accuracy(Fixed(), np.full((1, 1), 0.5), np.zeros((1, 1))) == 1  # ½ does not exceed ½


def test_accuracy_refuses_targets_of_another_width(moons):
    """One column is read as yes or no, and would be compared with the number of a class."""
    with pytest.raises(ValueError, match=r"Y has shape \(104, 1\); the net predicts 2 columns"):
        accuracy(MLP((2, 2)), moons.X_train, moons.Y_train[:, :1])
    with pytest.raises(ValueError, match="at least one, got shapes"):
        accuracy(MLP((2, 2)), np.ones((0, 2)), np.ones((0, 2)))


def test_accuracy_over_several_chunks_is_that_of_the_whole():
    d = data.blobs(n=12_000, noise=0.6)
    net = MLP((2, 3), rng=1)
    whole = net.predict(d.X_train).argmax(axis=1) == d.labels_train
    assert accuracy(net, d.X_train, d.Y_train) == whole.mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0; wanted a whole number, at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5; wanted a whole number, at least 1"),
        ({"X": np.ones(104)}, r"X and Y must be .*got shapes \(104,\) and \(104, 2\)"),
        ({"Y": np.ones((3, 2))}, r"got shapes \(104, 2\) and \(3, 2\)"),
        ({"X": np.ones((0, 2)), "Y": np.ones((0, 2))}, "at least one"),
        ({"X": np.full((104, 2), np.nan)}, "X must be finite in float64, row 0 is not"),
        ({"Y": np.full((104, 2), np.inf)}, "Y must be finite in float64, row 0 is not"),
        ({"validation": (np.ones((3, 2)), np.ones(3))}, "validation X and Y must be"),
        ({"validation": np.ones((3, 2))}, r"validation is a ndarray; wanted a pair \(X, Y\)"),
        ({"validation": (np.ones((3, 2)),)}, "validation is a tuple; wanted a pair"),
        (
            {"validation": (np.ones((3, 1)), np.ones((3, 2)))},
            r"validation X has shape \(3, 1\); X has 2 columns",
        ),
        (
            {"validation": (np.ones((3, 2)), np.ones((3, 1)))},
            r"validation Y has shape \(3, 1\); Y has 2 columns",
        ),
        ({"optimizer": SGD}, r"optimizer is <class .*; wanted one such as SGD\(0.1\)"),
        ({"optimizer": 0.1}, "optimizer is 0.1; wanted one"),
        ({"on_step": 1}, "on_step is 1; wanted a function"),
        ({"Y": np.ones((104, 2))}, "one-hot"),
    ],
)
def test_fit_refuses_early(moons, change, message):
    arguments = {"X": moons.X_train, "Y": moons.Y_train, "epochs": 1, "batch_size": 16}
    arguments["optimizer"] = SGD(0.1)
    net = MLP((2, 6, 2), rng=0)
    start = net.theta.copy()
    with pytest.raises(ValueError, match=message):
        fit(net, **{**arguments, **change})
    assert (net.theta == start).all()


def test_64_64_10_reaches_97_percent_on_the_digits():
    d = data.digits()
    net = MLP((64, 64, 10), activation=ops.relu, rng=0)
    fit(net, d.X_train, d.Y_train, SGD(1.0), epochs=30, batch_size=64)
    assert accuracy(net, d.X_test, d.Y_test) >= 0.97
