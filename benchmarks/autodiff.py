"""The gradient of one program: by hand, by the tape, by the static graph and by the peers.

    python benchmarks/autodiff.py [--rounds 30] [--json FILE]

Cases: nets of 8×8 layers (tanh, sum of squares, float64) and those of training_step.py (relu,
cross-entropy, float32), a chain of elementwise functions on 10⁶ numbers, and a loop of 10⁴
operations on one number. Every contender computes all gradients at each call, and before the clock
starts they must agree. Times are medians over interleaved rounds, read as ratios to the gradient
written by hand in NumPy (for the single number in plain Python). A peer that is not installed is
left out, and said so. Last come the milliseconds that ``import bpbook.autodiff`` adds to NumPy's.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from types import SimpleNamespace

import numpy as np
from training_step import CASES, MODULES, measure

Step = Callable[[], list]


@dataclass
class Case:
    """One program: ``loss(f, X, targets, *params)``, f holding a library's own functions."""

    name: str
    loss: Callable
    by_hand: Callable[[], Step]
    params: list[np.ndarray]
    X: np.ndarray = field(default_factory=lambda: np.zeros(0))
    Y: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))

    @property
    def labels(self) -> np.ndarray:
        """The classes, as numbers."""
        return self.Y.argmax(axis=1)


# --- the programs and their gradients by hand -----------------------------------------------------


def net(sizes: tuple[int, ...], m: int, classifies: bool = True) -> Case:
    """Layers with relu and cross-entropy in float32, or with tanh and Σ a² in float64."""
    rng, dtype = np.random.default_rng(0), np.float32 if classifies else np.float64
    X = rng.normal(size=(m, sizes[0])).astype(dtype)
    Y = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], m)]
    pairs = ((rng.normal(0, i**-0.5, (o, i)), np.zeros(o)) for i, o in pairwise(sizes))
    params = [x.astype(dtype) for x in chain(*pairs)]

    def loss(f, X, targets, *params):
        a, last = X, len(params) - 2
        for l in range(0, len(params), 2):  # noqa: E741
            a = f.affine(a, params[l], params[l + 1])
            if not classifies:
                a = f.tanh(a)
            elif l < last:
                a = f.relu(a)
        return f.cross_entropy(a, targets) if classifies else f.square(a).sum()

    write = classifier_by_hand if classifies else tanh_net_by_hand
    name = "-".join(map(str, sizes)) if classifies else f"{len(sizes) - 1} layers 8×8 tanh"
    step = partial(write, X, Y, params[::2], params[1::2])
    return Case(f"{name}, {m}", loss, step, params, X, Y)


def tanh_net_by_hand(X, Y, Ws, bs) -> Step:
    def step():
        a = [X]
        for W, b in zip(Ws, bs, strict=True):
            a.append(np.tanh(a[-1] @ W.T + b))
        (a[-1] * a[-1]).sum()
        d, grads = 2 * a[-1], []
        for l in reversed(range(len(Ws))):  # noqa: E741
            d = d * (1 - a[l + 1] * a[l + 1])
            grads += [d.sum(axis=0), d.T @ a[l]]
            if l > 0:
                d = d @ Ws[l]
        return grads[::-1]

    return step


def classifier_by_hand(X, Y, Ws, bs) -> Step:
    def step():
        a = [X]
        for W, b in zip(Ws[:-1], bs[:-1], strict=True):
            a.append(np.maximum(a[-1] @ W.T + b, 0))
        z = a[-1] @ Ws[-1].T + bs[-1]
        z -= z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        -(Y * log_p).sum() / len(X)
        d, grads = (np.exp(log_p) - Y) / len(X), []
        for l in reversed(range(len(Ws))):  # noqa: E741
            grads += [d.sum(axis=0), d.T @ a[l]]
            if l > 0:
                d = (d @ Ws[l]) * (a[l] > 0)
        return grads[::-1]

    return step


def elementwise() -> Case:
    """A chain of elementwise functions on a million numbers, then their sum."""

    def loss(f, X, targets, x):
        y = x
        for _ in range(6):
            y = f.tanh(y) + 0.5 * f.sqrt(y * y + 1.0)
        return y.sum()

    x = np.random.default_rng(0).normal(size=1_000_000)
    return Case("chain on 10⁶ numbers", loss, partial(chain_by_hand, x), [x])


def chain_by_hand(x: np.ndarray) -> Step:
    def step():
        kept, y = [], x
        for _ in range(6):
            t, r = np.tanh(y), np.sqrt(y * y + 1.0)
            kept.append((y, t, r))
            y = t + 0.5 * r
        y.sum()
        d = np.ones_like(x)
        for y, t, r in reversed(kept):
            d = d * (1 - t * t + 0.5 * y / r)
        return [d]

    return step


def scalar() -> Case:
    """10⁴ operations on one number: y² + ¼ creeps to ½, and the slope does not underflow."""

    def loss(f, X, targets, x):
        y = x
        for _ in range(5_000):
            y = y * y + 0.25
        return y

    return Case("loop of 10⁴ operations", loss, partial(loop_by_hand, 0.1), [np.array(0.1)])


def loop_by_hand(x: float) -> Step:
    def step():
        kept, y, d = [], x, 1.0
        for _ in range(5_000):
            kept.append(y)
            y = y * y + 0.25
        for y in reversed(kept):
            d = d * 2 * y
        return [d]

    return step


# --- the contenders -------------------------------------------------------------------------------


def by_hand(case: Case) -> Step:
    return case.by_hand()


def _functions() -> SimpleNamespace:
    from bpbook.autodiff import functional as F

    names = {name: getattr(F, name) for name in ("affine", "tanh", "relu", "sqrt", "square")}
    return SimpleNamespace(**names, cross_entropy=F.softmax_cross_entropy)


def tape(case: Case) -> Step:
    from bpbook.autodiff import tensor

    f, params = _functions(), [tensor(x, requires_grad=True) for x in case.params]

    def step():
        for t in params:
            t.grad = None
        case.loss(f, case.X, case.Y, *params).backward()
        return [t.grad for t in params]

    return step


def static(case: Case) -> Step:
    from bpbook.autodiff import static, value_and_grad

    f = _functions()
    gradient = value_and_grad(lambda params: case.loss(f, case.X, case.Y, *params))
    compiled = static.compile(gradient, case.params)
    return lambda: compiled(case.params)[1]


def pytorch(case: Case) -> Step:
    import torch
    from torch.nn.functional import cross_entropy, linear

    f = SimpleNamespace(
        affine=linear,
        tanh=torch.tanh,
        relu=torch.relu,
        sqrt=torch.sqrt,
        square=torch.square,
        cross_entropy=cross_entropy,
    )
    X, labels = torch.tensor(case.X), torch.tensor(case.labels)
    params = [torch.tensor(x, requires_grad=True) for x in case.params]

    def step():
        for t in params:
            t.grad = None
        case.loss(f, X, labels, *params).backward()
        return [t.grad.numpy() for t in params]

    return step


def autograd(case: Case) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    def cross_entropy(z, Y):
        return -anp.sum(Y * (z - logsumexp(z, axis=1, keepdims=True))) / len(Y)

    f = SimpleNamespace(
        affine=lambda a, W, b: anp.dot(a, W.T) + b,
        tanh=anp.tanh,
        relu=lambda z: anp.maximum(z, 0),
        sqrt=anp.sqrt,
        square=anp.square,
        cross_entropy=cross_entropy,
    )
    gradient = value_and_grad(lambda params: case.loss(f, case.X, case.Y, *params))
    params = [x[()] for x in case.params]
    return lambda: gradient(params)[1]


def mygrad(case: Case) -> Step:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    f = SimpleNamespace(
        affine=lambda a, W, b: mg.matmul(a, W.T) + b,
        tanh=mg.tanh,
        relu=relu,
        sqrt=mg.sqrt,
        square=mg.square,
        cross_entropy=softmax_crossentropy,
    )
    labels, params = case.labels, [mg.tensor(x) for x in case.params]

    def step():
        case.loss(f, case.X, labels, *params).backward()
        return [t.grad for t in params]

    return step


def micrograd(case: Case) -> Step:
    from micrograd.engine import Value

    sys.setrecursionlimit(100_000)  # it sorts its graph by recursion

    def step():
        x = Value(case.params[0].item())
        case.loss(None, None, None, x).backward()
        return [x.grad]

    return step


CONTENDERS = [by_hand, tape, static, pytorch, autograd, mygrad, micrograd]
OURS = {"by_hand", "tape", "static"}


# --- the contest ----------------------------------------------------------------------------------


@contextmanager
def no_collector() -> Iterator[None]:
    """Python's cyclic garbage collector off, as timeit has it.

    It runs after so many new objects, and walks over all that live, a whole imported library's too:
    its time would be charged to whoever happens to allocate.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def agree(steps: dict[str, Step]) -> None:
    """Raise AssertionError unless every contender has the gradients written by hand."""
    wanted = steps["by_hand"]()
    for name, step in steps.items():
        for got, want in zip(step(), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-3, atol=1e-5, err_msg=name)


def import_cost() -> float:
    """Milliseconds that ``import bpbook.autodiff`` adds to NumPy's, the median of 5 runs."""
    command = [sys.executable, "-X", "importtime", "-c", "import numpy; import bpbook.autodiff"]
    costs = []
    for _ in range(5):
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        rows = [line.split("|")[1:] for line in lines.splitlines()[1:]]
        ours = [int(total) for total, name in rows if name.startswith(" bpbook")]  # not indented
        costs.append(sum(ours) / 1e3)
    return statistics.median(costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="rounds per case (default 30)")
    parser.add_argument("--json", metavar="FILE", help="also write the medians to FILE")
    arguments = parser.parse_args()
    peers = [f.__name__ for f in CONTENDERS if f.__name__ not in OURS]
    missing = [n for n in peers if not importlib.util.find_spec(MODULES.get(n, n))]
    chosen = [f for f in CONTENDERS if f.__name__ not in missing]
    nets = [net((8,) * (depth + 1), 8, classifies=False) for depth in (10, 50)]
    cases = [*nets, *(net(sizes, m) for sizes, m in CASES), elementwise(), scalar()]
    print(f"{os.cpu_count()} cores; not installed: {', '.join(missing) or 'none'}")
    print("ratios to the gradient by hand:")
    print(f"{'case':>26} {'by hand ms':>10}", *(f"{f.__name__:>10}" for f in chosen[1:]))
    results = []
    for case in cases:
        makers = [f for f in chosen if f is not micrograd or case.name.startswith("loop")]
        steps = {f.__name__: f(case) for f in makers}
        agree(steps)
        with no_collector():
            seconds = measure(steps, arguments.rounds)
        ours = seconds["by_hand"]
        ratios = (seconds.get(f.__name__, np.nan) / ours for f in chosen[1:])
        cells = (f"{'' if np.isnan(r) else format(r, '.2f'):>10}" for r in ratios)
        print(f"{case.name:>26} {ours * 1e3:>10.3f}", *cells, flush=True)
        results.append({"case": case.name, "seconds": seconds})
    print(f"import bpbook.autodiff adds {import_cost():.0f} ms to NumPy's")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
