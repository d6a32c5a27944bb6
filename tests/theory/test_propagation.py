"""`propagate` gives the true errors of every layer, and `predict` their sizes in wide layers."""

import itertools
import warnings

import numpy as np
import pytest

from bpbook import ops
from bpbook.nets import MLP, check_gradient
from bpbook.theory.propagation import predict, propagate, size
from bpbook.training.initializers import he_normal, lecun_normal, scaled


def normalize_rows(z):
    """Layer normalization with γ = 1 and β = 0."""
    out, vjp = ops.layer_norm(z, np.ones(z.shape[1]), np.zeros(z.shape[1]))
    return out, lambda d: vjp(d)[0]


def run(sizes, activation, *, init=lecun_normal, m=5, seed=0, **how):
    rng = np.random.default_rng(seed)
    weights = [init(rng, n_out, n_in) for n_in, n_out in itertools.pairwise(sizes)]
    X, da = rng.normal(size=(m, sizes[0])), rng.normal(size=(m, sizes[-1]))
    return X, weights, da, propagate(X, weights, activation, da, **how)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalize", [ops.identity, normalize_rows])
@pytest.mark.parametrize("activation", [ops.tanh, ops.relu, ops.gelu])
def test_delta_gives_the_gradient_of_every_weight(residual, normalize, activation):
    how = {"residual": residual, "normalize": normalize}
    X, weights, da, run_once = run((4, 4, 4, 4), activation, **how)
    before = (X, *run_once.a[:-1])
    grad = np.array([delta.T @ a for delta, a in zip(run_once.delta, before, strict=True)])

    def inner_product(Ws):
        return float((da * propagate(X, list(Ws), activation, da, **how).a[-1]).sum())

    report = check_gradient(inner_product, np.array(weights), grad, rtol=1e-7)
    assert report, report


def test_a_plain_stack_is_an_mlp_without_biases():
    X, weights, da, found = run((3, 5, 2, 4), ops.tanh)
    net = MLP((3, 5, 2, 4), activation=[ops.tanh] * 3, loss=ops.mse)
    net.theta = np.concatenate([np.r_[W.ravel(), np.zeros(len(W))] for W in weights])
    for (_, a), ours in zip(net.trace(X), found.a, strict=True):
        assert np.allclose(a, ours, rtol=1e-14)
    target = found.a[-1] - len(X) * da  # so that mse sends da back
    dW, _ = net.views(net.loss_and_grad(X, target)[1])
    for theirs, delta, a in zip(dW, found.delta, (X, *found.a[:-1]), strict=True):
        assert np.allclose(theirs, delta.T @ a, rtol=1e-12)


def test_size_is_the_root_mean_square_even_where_a_float32_square_overflows():
    assert size(np.array([[3.0, 4.0]])) == pytest.approx(np.sqrt(12.5))
    assert size(np.full(7, 1e30, np.float32)) == pytest.approx(1e30, rel=1e-6)
    assert size(np.full(7, 1e-30, np.float32)) == pytest.approx(1e-30, rel=1e-6)


@pytest.mark.parametrize("activation", [ops.relu, ops.identity, ops.tanh])
def test_overflow_is_shown_and_no_gradient_comes_out_of_it(activation):
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 1e13, (8, 8)).astype(np.float32) for _ in range(6)]
    X, da = (rng.normal(size=(5, 8)).astype(np.float32) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = propagate(X, weights, activation, da, residual=activation is ops.tanh)
    assert found.a[0].dtype == found.delta[0].dtype == np.float32
    if activation is ops.tanh:  # saturates: the values stay finite, and no gradient is left
        assert np.isfinite(found.activations).all()
        assert (found.gradients == 0).all()
    else:
        assert np.isfinite(found.activations).tolist() == [True, True] + [False] * 4
        assert np.isnan(found.gradients).all()


# The theory, beside a wide stack: 8 layers of 800 units. ReLU's sizes scatter by about √(5/n)/2 a
# layer; a factor of 1.1 wrong in one recursion is 1.1⁸ = 2.1 at the end.


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("activation", [ops.identity, ops.tanh, ops.sigmoid, ops.relu])
@pytest.mark.parametrize("gain", [0.7, 1.5])
def test_wide_stacks_do_what_theory_says(activation, gain, layer_norm, residual):
    normalize = normalize_rows if layer_norm else ops.identity
    how = {"init": scaled(lecun_normal, gain), "m": 30, "normalize": normalize}
    *_, found = run((800,) * 9, activation, residual=residual, **how)
    a, delta = predict(activation, [gain**2] * 8, residual=residual, layer_norm=layer_norm)
    assert np.allclose(found.activations, a, rtol=0.25)
    if not (residual and activation is ops.relu and not layer_norm):  # see `predict`
        assert np.allclose(found.gradients, delta, rtol=0.25)


def test_he_keeps_the_sizes_of_relu_and_residual_connections_add_up():
    a, delta = predict(ops.relu, [2.0] * 40)
    assert np.allclose(a, 1, rtol=1e-12)
    assert np.allclose(delta, np.sqrt(0.5), rtol=1e-12)
    a, delta = predict(ops.identity, [0.5] * 10, residual=True)
    assert np.allclose(a, 1.5 ** (np.arange(1, 11) / 2), rtol=1e-12)
    assert np.allclose(delta, 1.5 ** (np.arange(9, -1, -1) / 2), rtol=1e-12)


def test_zero_weights_send_nothing_back():
    *_, found = run((6, 6, 6), ops.tanh, init=scaled(he_normal, 0.0))
    assert (found.gradients > 0).tolist() == [False, True]
    a, delta = predict(ops.tanh, [0.0, 0.0])
    assert (a == 0).all()
    assert (delta > 0).tolist() == [False, True]
