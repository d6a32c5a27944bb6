"""One training step (forward, backward, update) of ``nets.MLP`` and its peers, interleaved.

    python benchmarks/training_step.py [--optimizer Adam] [--rounds 30] [--json FILE]

float32, relu, softmax with cross-entropy. "floor" is the bare matrix products of the step, into
preallocated arrays; "by_hand" is the whole step in plain NumPy, into arrays kept from step to step
and without a check: about the least that a NumPy program can take. The update is SGD, or with
``--optimizer Adam`` that of Adam, against PyTorch alone. A peer that is not installed is left out,
and said so. Times are medians over the rounds; in each round every peer runs once, in a shuffled
order, so that a slow spell of the machine hits all of them alike. The ratios are what to read:
"bpbook / floor" and "peer / bpbook".
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

CASES = [
    ((2, 16, 16, 2), 32),
    ((64, 32, 10), 32),
    ((64, 128, 64, 10), 64),
    ((784, 128, 10), 64),
    ((784, 256, 128, 10), 128),
    ((784, 1024, 1024, 10), 256),
]
RATE = 0.01
Step = Callable[[], object]


def batch(sizes: tuple[int, ...], m: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Inputs, one-hot targets and starting weights, the same for every peer."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, sizes[0])).astype(np.float32)
    Y = np.eye(sizes[-1], dtype=np.float32)[rng.integers(0, sizes[-1], m)]
    Ws = [rng.normal(0, i**-0.5, (o, i)).astype(np.float32) for i, o in pairwise(sizes)]
    return X, Y, Ws


def bpbook(sizes: tuple[int, ...], m: int, update: str = "SGD") -> Step:
    from bpbook import ops
    from bpbook.nets import MLP
    from bpbook.training import SGD, Adam

    X, Y, Ws = batch(sizes, m)
    net = MLP(sizes, ops.relu, dtype=np.float32)
    optimizer = Adam() if update == "Adam" else SGD(RATE)
    for W, start in zip(net.W, Ws, strict=True):
        W[:] = start

    def step() -> None:
        _, grad = net.loss_and_grad(X, Y)
        optimizer.step(net.theta, grad)

    return step


def floor(sizes: tuple[int, ...], m: int) -> Step:
    _, _, Ws = batch(sizes, m)
    a = [np.ones((m, n), np.float32) for n in sizes]
    out = [np.empty((m, n), np.float32) for n in sizes]
    dW = [np.empty_like(W) for W in Ws]

    def step() -> None:
        for l, W in enumerate(Ws):  # noqa: E741
            np.matmul(a[l], W.T, out=out[l + 1])
        for l in reversed(range(len(Ws))):  # noqa: E741
            np.matmul(a[l + 1].T, a[l], out=dW[l])
            if l > 0:
                np.matmul(a[l + 1], Ws[l], out=out[l])

    return step


def by_hand(sizes: tuple[int, ...], m: int) -> Step:
    """The step in plain NumPy: no check, and every array is kept from step to step."""
    X, Y, Ws = batch(sizes, m)
    ends = np.cumsum([0, *(W.size for W in Ws)])
    theta, grad, s = np.concatenate([W.ravel() for W in Ws]), *np.empty((2, ends[-1]), np.float32)
    places = [(slice(*ends[l : l + 2]), W.shape) for l, W in enumerate(Ws)]  # noqa: E741
    Ws, dW = ([x[place].reshape(shape) for place, shape in places] for x in (theta, grad))
    bs, db = ([np.zeros(n, np.float32) for n in sizes[1:]] for _ in range(2))
    a, delta, zero = ([np.zeros((m, n), np.float32) for n in sizes] for _ in range(3))
    mask = [np.empty((m, n), bool) for n in sizes]
    a[0], last = X, len(Ws)

    def step() -> None:
        for l, (W, b) in enumerate(zip(Ws, bs, strict=True), 1):  # noqa: E741
            z = np.matmul(a[l - 1], W.T, out=a[l])
            z += b
            if l < last:
                np.maximum(z, zero[l], out=z)
        z -= z.T.copy().max(axis=0)[:, None]
        z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
        _ = -(Y * z).sum() / m  # the loss
        np.subtract(np.exp(z, out=z), Y, out=delta[-1])
        d = np.divide(delta[-1], m, out=delta[-1])
        for l in reversed(range(last)):  # noqa: E741
            np.matmul(d.T, a[l], out=dW[l])
            d.sum(axis=0, out=db[l])
            if l > 0:
                d = np.matmul(d, Ws[l], out=delta[l])
                d *= np.greater(a[l], 0, out=mask[l])
        np.subtract(theta, np.multiply(grad, RATE, out=s), out=theta)
        for b, g in zip(bs, db, strict=True):
            b -= RATE * g

    return step


def pytorch(sizes: tuple[int, ...], m: int, update: str = "SGD") -> Step:
    import torch

    X, Y, Ws = batch(sizes, m)
    layers: list[torch.nn.Module] = []
    for W in Ws:
        layers += [torch.nn.Linear(W.shape[1], W.shape[0]), torch.nn.ReLU()]
        layers[-2].weight.data = torch.tensor(W)
        layers[-2].bias.data.zero_()
    net = torch.nn.Sequential(*layers[:-1])
    if update == "Adam":
        optimizer = torch.optim.Adam(net.parameters())
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    x, labels = torch.tensor(X), torch.tensor(Y.argmax(axis=1))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return step


def jax(sizes: tuple[int, ...], m: int) -> Step:
    import jax
    import jax.numpy as jnp

    X, Y, Ws = batch(sizes, m)
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def loss(params, x, y):
        for W, b in params[:-1]:
            x = jax.nn.relu(x @ W.T + b)
        W, b = params[-1]
        return -(y * jax.nn.log_softmax(x @ W.T + b)).sum() / len(x)

    @jax.jit
    def update(params, x, y):
        grads = jax.grad(loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - RATE * g, params, grads)

    params = [(jnp.asarray(W), jnp.zeros(len(W), jnp.float32)) for W in Ws]

    def step() -> None:
        nonlocal params
        params = jax.block_until_ready(update(params, x, y))

    return step


def autograd(sizes: tuple[int, ...], m: int) -> Step:
    import autograd.numpy as anp
    from autograd import grad
    from autograd.scipy.special import logsumexp

    X, Y, Ws = batch(sizes, m)
    params = [(W, np.zeros(len(W), np.float32)) for W in Ws]

    def loss(params):
        a = X
        for W, b in params[:-1]:
            a = anp.maximum(anp.dot(a, W.T) + b, 0)
        W, b = params[-1]
        z = anp.dot(a, W.T) + b
        return -anp.sum(Y * (z - logsumexp(z, axis=1, keepdims=True))) / m

    gradient = grad(loss)

    def step() -> None:
        for pair, grads in zip(params, gradient(params), strict=True):
            for p, g in zip(pair, grads, strict=True):
                p -= np.float32(RATE) * g

    return step


def mygrad(sizes: tuple[int, ...], m: int) -> Step:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    X, Y, Ws = batch(sizes, m)
    labels = Y.argmax(axis=1)
    params = [(mg.tensor(W), mg.tensor(np.zeros(len(W), np.float32))) for W in Ws]

    def step() -> None:
        a = X
        for W, b in params[:-1]:
            a = relu(mg.matmul(a, W.T) + b)
        W, b = params[-1]
        softmax_crossentropy(mg.matmul(a, W.T) + b, labels).backward()
        for pair in params:
            for p in pair:
                p.data -= np.float32(RATE) * p.grad
                p.null_grad()

    return step


OURS = {"bpbook": bpbook, "floor": floor}
PEERS = {"by_hand": by_hand, "pytorch": pytorch, "jax": jax, "autograd": autograd, "mygrad": mygrad}
ADAM = {make.__name__: partial(make, update="Adam") for make in (bpbook, pytorch)}
CONTESTS = {"SGD": OURS | PEERS, "Adam": OURS | ADAM}
MODULES = {"by_hand": "numpy", "pytorch": "torch"}


def measure(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median seconds of each step; a round shuffles the order, and short steps repeat in it."""
    rng, times = np.random.default_rng(0), {name: [] for name in steps}
    repeats = {}
    for name, step in steps.items():
        for _ in range(5):
            step()
        start = time.perf_counter()
        step()
        repeats[name] = max(1, min(200, int(0.01 / (time.perf_counter() - start))))
    for _ in range(rounds):
        for name in rng.permutation(list(steps)):
            start = time.perf_counter()
            for _ in range(repeats[name]):
                steps[name]()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", choices=("SGD", "Adam"), default="SGD", help="(default SGD)")
    parser.add_argument("--rounds", type=int, default=30, help="rounds per size (default 30)")
    parser.add_argument("--json", metavar="FILE", help="also write the medians to FILE")
    arguments = parser.parse_args()
    contest = CONTESTS[arguments.optimizer]
    missing = [
        n for n in set(contest) - set(OURS) if not importlib.util.find_spec(MODULES.get(n, n))
    ]
    contest = {name: make for name, make in contest.items() if name not in missing}
    peers = [name for name in contest if name not in OURS]
    print(f"{arguments.optimizer}, {os.cpu_count()} cores; ", end="")
    print(f"not installed: {', '.join(sorted(missing)) or 'none'}")
    print(f"{'sizes':>20} {'batch':>5} {'bpbook ms':>10} {'bpbook/floor':>13}", end="")
    print(*(f"{name + '/bpbook':>16}" for name in peers))
    results = []
    for sizes, m in CASES:
        steps = {name: make(sizes, m) for name, make in contest.items()}
        seconds = measure(steps, arguments.rounds)
        ours = seconds["bpbook"]
        print(f"{'-'.join(map(str, sizes)):>20} {m:>5} {ours * 1e3:>10.3f}", end=" ")
        print(f"{ours / seconds['floor']:>13.2f}", end="")
        print(*(f"{seconds[name] / ours:>16.2f}" for name in peers), flush=True)
        results.append({"sizes": sizes, "batch": m, "seconds": seconds})
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
