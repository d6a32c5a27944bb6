"""Each initializer draws what its definition says, and what PyTorch's draws where it has one."""

import numpy as np
import pytest

from bpbook.nets import MLP
from bpbook.training import initializers

VARIANCES = {
    "lecun": lambda n_out, n_in: 1 / n_in,
    "xavier": lambda n_out, n_in: 2 / (n_in + n_out),
    "he": lambda n_out, n_in: 2 / n_in,
}
RANDOM = [f"{name}_{shape}" for name in VARIANCES for shape in ("normal", "uniform")]
EVERY = [*RANDOM, "orthogonal", "zeros"]
SHAPES = [(300, 400), (400, 300), (1, 7), (7, 1)]


class Recorder:
    """Stands in for a Generator: keeps what was asked for."""

    def normal(self, mean, deviation, size):
        self.asked = ("normal", mean, deviation, size)

    def uniform(self, low, high, size):
        self.asked = ("uniform", low, high, size)


def asked(name, n_out, n_in):
    recorder = Recorder()
    getattr(initializers, name)(recorder, n_out, n_in)
    return recorder.asked


@pytest.mark.parametrize(("n_out", "n_in"), SHAPES)
@pytest.mark.parametrize("name", RANDOM)
def test_the_variance_asked_for_is_that_of_the_definition(name, n_out, n_in):
    rule, shape = name.split("_")
    variance = VARIANCES[rule](n_out, n_in)
    kind, first, second, size = asked(name, n_out, n_in)
    assert (kind, size) == (shape, (n_out, n_in))
    if shape == "normal":
        assert first == 0
        assert second**2 == pytest.approx(variance, rel=1e-15)
    else:
        assert first == -second
        assert (second - first) ** 2 / 12 == pytest.approx(variance, rel=1e-15)


@pytest.mark.parametrize("name", RANDOM)
def test_the_weights_drawn_have_that_variance_and_mean_zero(name):
    """Five standard errors: Var of the sample variance is at most 2v²/N for these two."""
    n_out, n_in = 300, 400
    W = getattr(initializers, name)(np.random.default_rng(1), n_out, n_in)
    v = VARIANCES[name.split("_")[0]](n_out, n_in)
    assert W.shape == (n_out, n_in)
    assert abs(W.mean()) < 5 * np.sqrt(v / W.size)
    assert abs(W.var() / v - 1) < 5 * np.sqrt(2 / W.size)
    if name.endswith("uniform"):
        assert np.abs(W).max() <= np.sqrt(3 * v)


@pytest.mark.parametrize(("n_out", "n_in"), [(5, 5), (8, 3), (3, 8), (1, 4), (4, 1)])
def test_orthogonal_is_orthogonal_to_rounding(n_out, n_in):
    W = initializers.orthogonal(np.random.default_rng(2), n_out, n_in)
    assert W.shape == (n_out, n_in)
    small = W.T @ W if n_out >= n_in else W @ W.T
    np.testing.assert_allclose(small, np.eye(min(n_out, n_in)), rtol=0, atol=1e-15 * 8)


def test_orthogonal_favours_no_sign():
    """For 1×1, the orthogonal matrices are 1 and −1; both must come, equally often."""
    rng = np.random.default_rng(0)
    draws = np.array([initializers.orthogonal(rng, 1, 1)[0, 0] for _ in range(400)])
    assert set(draws) == {-1.0, 1.0}
    assert abs(draws.mean()) < 5 / np.sqrt(400)


def test_orthogonal_favours_no_direction():
    """Each entry of a random rotation in the plane has mean 0 and variance ½."""
    rng = np.random.default_rng(0)
    draws = np.array([initializers.orthogonal(rng, 2, 2) for _ in range(2000)])
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=5 * np.sqrt(0.5 / 2000))
    np.testing.assert_allclose((draws**2).mean(axis=0), 0.5, atol=5 * np.sqrt(0.125 / 2000))


def test_zeros_are_zeros():
    assert not initializers.zeros(np.random.default_rng(0), 3, 4).any()


def test_scaled_multiplies_the_same_draw():
    plain = initializers.he_uniform(np.random.default_rng(5), 4, 3)
    twice = initializers.scaled(initializers.he_uniform, 2.0)(np.random.default_rng(5), 4, 3)
    assert (twice == 2 * plain).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_net_takes_it_and_repeats_itself(name):
    nets = [MLP((6, 5, 3), init=getattr(initializers, name), rng=4) for _ in range(2)]
    assert (nets[0].theta == nets[1].theta).all()
    assert nets[0].W[0].any() == (name != "zeros")
    assert not any(b.any() for b in nets[0].b)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    ("shape", "message"), [((0, 3), "n_out is 0"), ((3, -1), "n_in is -1"), ((2.0, 3), "n_out is")]
)
def test_a_width_below_one_is_refused(name, shape, message):
    with pytest.raises(ValueError, match=f"{message}.*wanted a whole number, at least 1"):
        getattr(initializers, name)(np.random.default_rng(0), *shape)


@pytest.mark.parametrize("gain", [float("nan"), float("inf"), "2", None])
def test_a_gain_that_is_no_finite_number_is_refused(gain):
    with pytest.raises(ValueError, match="gain is"):
        initializers.scaled(initializers.zeros, gain)


TORCH = {  # our name: PyTorch's, and its arguments for the same definition
    "lecun_normal": ("kaiming_normal_", {"nonlinearity": "linear"}),
    "lecun_uniform": ("kaiming_uniform_", {"nonlinearity": "linear"}),
    "xavier_normal": ("xavier_normal_", {}),
    "xavier_uniform": ("xavier_uniform_", {}),
    "he_normal": ("kaiming_normal_", {"nonlinearity": "relu"}),
    "he_uniform": ("kaiming_uniform_", {"nonlinearity": "relu"}),
}


@pytest.mark.parametrize(("n_out", "n_in"), SHAPES)
@pytest.mark.parametrize("name", RANDOM)
def test_pytorch_asks_for_the_same_distribution(monkeypatch, name, n_out, n_in):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    calls = []

    def record(kind):
        return lambda tensor, first, second, **_: calls.append((kind, first, second))

    for kind in ("normal", "uniform"):
        monkeypatch.setattr(torch.Tensor, f"{kind}_", record(kind))
    function, arguments = TORCH[name]
    getattr(torch.nn.init, function)(torch.empty(n_out, n_in), **arguments)
    [(kind, *theirs)] = calls
    ours_kind, *ours, _ = asked(name, n_out, n_in)
    assert ours_kind == kind
    assert ours == pytest.approx(theirs, rel=1e-14)
