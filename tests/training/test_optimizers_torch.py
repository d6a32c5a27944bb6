"""Every optimizer that PyTorch has against PyTorch itself: 100 steps, 1e-12 in float64."""

from functools import partial

import numpy as np
import pytest

from bpbook.nets import MLP
from bpbook.training import optimizers as ours

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")

N, STEPS = 12, 100
RNG = np.random.default_rng(0)
HESSIAN = (lambda A: A @ A.T / N + 0.1 * np.eye(N))(RNG.normal(size=(N, N)))
NOISE, START = RNG.normal(size=(STEPS, N)), RNG.normal(size=N)


@pytest.fixture(autouse=True)
def _double_precision():
    """NAdam keeps the product of its momenta in the default dtype, whatever theta's is."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradient(t, theta):
    """A noisy quadratic's, which depends on theta: an error in one step moves all later ones."""
    return HESSIAN @ theta + NOISE[t]


def steps(optimizer, gradient=gradient, rates=None, start=START):
    theta, path = start.copy(), []
    for t in range(STEPS):
        if rates is not None:
            optimizer.learning_rate = rates[t]
        path.append(optimizer.step(theta, gradient(t, theta)).copy())
    return np.array(path)


def torch_steps(make, gradient=gradient, rates=None, start=START):
    theta = torch.nn.Parameter(torch.tensor(start))
    optimizer, path = make([theta]), []
    for t in range(STEPS):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[t]
        theta.grad = torch.tensor(gradient(t, theta.detach().numpy()))
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


def same(path, other):
    scale = np.abs(other).max()
    assert scale > 0.1
    np.testing.assert_allclose(path, other, rtol=0, atol=1e-12 * scale)


T = torch.optim
PAIRS = {
    "SGD": (partial(ours.SGD, 0.05), partial(T.SGD, lr=0.05)),
    "Momentum": (partial(ours.Momentum, 0.05), partial(T.SGD, lr=0.05, momentum=0.9)),
    "Nesterov": (
        partial(ours.Nesterov, 0.05, 0.8),
        partial(T.SGD, lr=0.05, momentum=0.8, nesterov=True),
    ),
    "AdaGrad": (ours.AdaGrad, T.Adagrad),
    "AdaGrad, large eps": (
        partial(ours.AdaGrad, 0.2, eps=0.1),
        partial(T.Adagrad, lr=0.2, eps=0.1),
    ),
    "RMSProp": (ours.RMSProp, partial(T.RMSprop, alpha=0.9)),
    "Adam": (ours.Adam, T.Adam),
    "Adam, other settings": (
        partial(ours.Adam, 0.1, 0.7, 0.9, eps=0.01),
        partial(T.Adam, lr=0.1, betas=(0.7, 0.9), eps=0.01),
    ),
    "AdamW": (ours.AdamW, T.AdamW),
    "AMSGrad": (
        partial(ours.AMSGrad, 0.1, beta2=0.9),
        partial(T.Adam, lr=0.1, betas=(0.9, 0.9), amsgrad=True),
    ),
    "Nadam": (ours.Nadam, T.NAdam),
    "Nadam, other settings": (
        partial(ours.Nadam, 0.05, 0.8, 0.95, momentum_decay=0.2),
        partial(T.NAdam, lr=0.05, betas=(0.8, 0.95), momentum_decay=0.2),
    ),
}
pairs = pytest.mark.parametrize(("mine", "theirs"), PAIRS.values(), ids=PAIRS)


@pairs
def test_a_hundred_steps_agree(mine, theirs):
    same(steps(mine()), torch_steps(theirs))


@pairs
def test_a_hundred_steps_with_weight_decay_agree(mine, theirs):
    path = steps(mine(weight_decay=0.3))
    same(path, torch_steps(partial(theirs, weight_decay=0.3)))
    assert np.abs(path - steps(mine(weight_decay=0.0))).max() > 1e-3


RATES = 0.1 * 0.97 ** np.arange(STEPS)
WITHOUT_VELOCITY = {k: p for k, p in PAIRS.items() if k not in ("Momentum", "Nesterov")}


@pytest.mark.parametrize(("mine", "theirs"), WITHOUT_VELOCITY.values(), ids=WITHOUT_VELOCITY)
def test_a_changing_learning_rate_agrees(mine, theirs):
    same(steps(mine(), rates=RATES), torch_steps(theirs, rates=RATES))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_with_a_changing_rate_is_pytorch_at_rate_1_fed_eta_times_the_gradient(nesterov):
    """Ours has η inside the velocity, v ← μ v + η g, PyTorch outside: θ ← θ − η v."""
    optimizer = (ours.Nesterov if nesterov else ours.Momentum)(1.0)
    make = partial(T.SGD, momentum=0.9, nesterov=nesterov)
    path = steps(optimizer, rates=RATES)
    same(path, torch_steps(partial(make, lr=1.0), lambda t, x: RATES[t] * gradient(t, x)))
    assert np.abs(path - torch_steps(make, rates=RATES)).max() > 0.01


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop"])
def test_epsilon_inside_the_root_is_pytorch_with_another_epsilon_at_each_step(name):
    """√(G + ε) = √G + ε' with ε' = ε / (√(G + ε) + √G): from √ε at G = 0 down to ε / 2√G."""
    eps, rate, theta, G = 1e-2, 0.1, START[0], 0.0
    parameter = torch.nn.Parameter(torch.tensor(theta))
    theirs = getattr(T, name)([parameter], lr=rate)
    for noise in NOISE[:, 0]:
        g = theta + noise
        G = G + g**2 if name == "Adagrad" else 0.99 * G + 0.01 * g**2
        theta = theta - rate * g / np.sqrt(G + eps)
        theirs.param_groups[0]["eps"] = eps / (np.sqrt(G + eps) + np.sqrt(G))
        parameter.grad = torch.tensor(g)
        theirs.step()
        assert parameter.item() == pytest.approx(theta, rel=0, abs=1e-12)


def test_muon_agrees_on_every_matrix(monkeypatch):
    """PyTorch's code as it is, but for its rounding of the iteration to bfloat16."""
    if not hasattr(T, "Muon"):
        pytest.skip(f"PyTorch {torch.__version__} has no Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    start, shape = RNG.normal(size=20), {"tall": (5, 4), "wide": (4, 5), "column": (20, 1)}
    grads = RNG.normal(size=(STEPS, 20))
    for rows, columns in shape.values():
        optimizer = ours.Muon(0.02, lambda v, n=rows: [v.reshape(n, -1)], weight_decay=0.3)
        path = steps(optimizer, lambda t, x: grads[t], start=start)
        other = torch_steps(
            partial(T.Muon, lr=0.02, weight_decay=0.3),
            lambda t, x, n=rows: grads[t].reshape(n, -1),
            start=start.reshape(rows, columns),
        )
        same(path, other.reshape(STEPS, 20))


def test_a_net_trained_by_adam_ends_where_pytorch_ends():
    net, rng = MLP((4, 8, 3)), np.random.default_rng(1)
    X, labels = rng.normal(size=(32, 4)), rng.integers(3, size=32)
    twin = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    ).double()
    for layer, W, b in zip((twin[0], twin[2]), net.W, net.b, strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(W), torch.tensor(b)
    mine, theirs = ours.Adam(0.01), T.Adam(twin.parameters(), lr=0.01)
    for _ in range(STEPS):
        mine.step(net.theta, net.loss_and_grad(X, np.eye(3)[labels])[1])
        theirs.zero_grad()
        torch.nn.functional.cross_entropy(twin(torch.tensor(X)), torch.tensor(labels)).backward()
        theirs.step()
    end = np.concatenate([p.detach().numpy().ravel() for p in twin.parameters()])
    same(net.theta, end)
