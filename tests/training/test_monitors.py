"""The first number that is not finite is named: step, layer, place."""

import numpy as np
import pytest

from bpbook import data, ops
from bpbook.nets import MLP
from bpbook.training import SGD, first_non_finite, fit
from bpbook.training.monitors import all_finite

X = np.random.default_rng(0).standard_normal((12, 3))
Y = data.one_hot(np.arange(12) % 2, 2)


def net_of(*activation, dtype=np.float64):
    return MLP((3, 4, 5, 2), activation=activation or ops.tanh, rng=0, dtype=dtype)


def stopped(net, eta=0.1, X=X, Y=Y, **kwargs):
    """Fit, and expect one warning: ours."""
    with pytest.warns(RuntimeWarning, match="training stopped at step") as caught:
        history = fit(net, X, Y, SGD(eta), kwargs.pop("epochs", 1), 4, **kwargs)
    assert len(caught) == 1
    assert history.stopped in str(caught[0].message)
    return history


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("kind", ["W", "b"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_planted_value_is_named_with_its_layer(layer, kind, value):
    net = net_of()
    place = (1, 2) if kind == "W" else (1,)
    getattr(net, kind)[layer - 1][place] = value
    start = net.theta.copy()
    history = stopped(net)
    assert history.stopped.startswith(
        f"step 1 (epoch 1), layer {layer}: {kind}{layer}{list(place)} is {value}"
    )
    assert history.steps == 0
    assert np.array_equal(net.theta, start, equal_nan=True)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_value_planted_before_a_step_is_found_at_that_step(step):
    """Three batches an epoch. The steps before it are those of an undisturbed run."""
    net, twin = net_of(), net_of()

    def plant(done, loss, grad):
        if done == step - 1:
            net.W[1][2, 0] = np.nan

    if step == 1:
        plant(0, None, None)
    history = stopped(net, epochs=3, on_step=plant)
    assert history.stopped == f"step {step} (epoch {(step + 2) // 3}), layer 2: W2[2, 0] is nan"
    assert history.steps == step - 1
    assert history.epochs == (step - 1) // 3
    undisturbed = fit(twin, X, Y, SGD(0.1), 3, 4)
    assert history.loss == undisturbed.loss[: step - 1]


def test_an_overflow_in_the_forward_pass_names_z():
    net = net_of(ops.relu, ops.relu, ops.identity)
    for W in net.W:
        W[:] = np.abs(W) * 1e155
    assert first_non_finite(net, np.abs(X), Y).startswith("layer 2: z2[0, 0] is inf")


def cube(z):
    return z**3, lambda da: 3 * z**2 * da


def test_an_overflow_in_the_activation_names_a():
    net = net_of(cube, ops.tanh, ops.identity)
    net.W[0][:] *= 1e110
    history = stopped(net)
    assert "step 1 (epoch 1), layer 1: a1[0, 0] is" in history.stopped


def overflowing_vjp(z):
    """tanh, but its pullback overflows."""
    return np.tanh(z), lambda da: np.full_like(da, np.inf)


@pytest.mark.parametrize("layer", [1, 2])
def test_an_overflow_in_the_backward_pass_names_the_layer_nearest_the_loss(layer):
    activation = [ops.tanh, ops.tanh, ops.identity]
    activation[layer - 1] = overflowing_vjp
    net = net_of(*activation)
    start = net.theta.copy()
    history = stopped(net)
    assert f"layer {layer}: the gradient of W{layer}[0, 0] is" in history.stopped
    assert (net.theta == start).all()


def test_a_loss_that_is_not_finite_is_named():
    net = MLP((3, 2), activation=[ops.identity], loss=ops.mse, rng=0)
    net.W[0][:] = 1e200
    assert stopped(net).stopped == "step 1 (epoch 1), the loss is inf"


def test_an_update_that_overflows_is_taken_back():
    net = MLP((3, 2), activation=[ops.identity], loss=ops.mse, rng=0)
    start = net.theta.copy()
    history = stopped(net, eta=1e308, X=X * 100)
    assert history.stopped.startswith("step 1 (epoch 1), layer 1: W1[0, 0] is ")
    assert history.stopped.endswith("inf after the update")
    assert (net.theta == start).all()


def test_a_loss_that_refuses_nan_does_not_hide_the_layer():
    """cross_entropy raises ValueError for the NaN that layer 2 made."""
    net = MLP((3, 4, 2), activation=[ops.relu, ops.softmax], loss=ops.cross_entropy, rng=0)
    net.W[1][0, 0] = np.nan
    assert "layer 2: W2[0, 0] is nan" in stopped(net).stopped


def test_too_large_a_learning_rate_stops_with_finite_theta():
    """Deep in the run, in float32; the message says what the numbers say."""
    net = MLP((3, 8, 8, 2), activation=ops.relu, loss=ops.mse, rng=0, dtype=np.float32)
    history = stopped(net, eta=50.0, epochs=50)
    assert np.isfinite(net.theta).all()
    assert np.isfinite(history.loss).all()
    assert history.stopped.startswith(f"step {history.steps + 1} (epoch ")


def test_the_warning_points_to_the_caller():
    net = net_of()
    net.W[0][0, 0] = np.nan
    with pytest.warns(RuntimeWarning, match="theta is as it was before this step") as caught:
        fit(net, X, Y, SGD(0.1), 3, 4)
    assert caught[0].filename == __file__


class Plain:
    """No layers: only what `fit` needs."""

    def __init__(self, grad):
        self.theta, self.grad = np.ones(3), np.array(grad)

    def predict(self, X):
        return np.ones((len(X), 2))

    def loss_and_grad(self, X, Y):
        return 1.0, self.grad


def test_a_net_without_layers_is_served_as_well():
    net = Plain([0.0, np.inf, 0.0])
    assert stopped(net).stopped == "step 1 (epoch 1), the gradient[1] is inf"
    net = Plain([0.0, 10.0, 0.0])
    history = stopped(net, eta=1e308)
    assert history.stopped == "step 1 (epoch 1), theta is not finite after the update"
    assert (net.theta == 1).all()


def test_a_sound_step_has_nothing_to_name():
    assert first_non_finite(net_of(), X, Y) is None
    assert first_non_finite(net_of(), X) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_finite_is_not_fooled_by_an_overflowing_square(dtype):
    big = np.full(3, np.finfo(dtype).max)
    with np.errstate(over="ignore", invalid="ignore"):
        assert all_finite(big)
        assert all_finite(np.zeros(0, dtype))
        for bad in (np.inf, -np.inf, np.nan):
            assert not all_finite(np.array([1, bad, 2], dtype))
