"""One training step of a small convolutional net, against PyTorch's eager mode, interleaved.

    python benchmarks/convolution.py [--optimizer Adam] [--rounds 30] [--json FILE]

float32, batch 64: convolution 3×3, batch normalization, relu and 2×2 max-pooling, twice, then a
dense layer and softmax with cross-entropy. Forward, backward and update. Times are medians over the
rounds, in which both take turns (see training_step.py). The ratio is what to read: bpbook's time
over PyTorch's, 2 at most is the aim.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from itertools import pairwise

import numpy as np
from training_step import RATE, Step, measure

# (pixels along a side, channels of the input and after each convolution)
CASES = [(8, (1, 8, 16)), (8, (1, 16, 32)), (28, (1, 8, 16)), (28, (1, 16, 32))]
BATCH, CLASSES, AIM = 64, 10, 2.0


def batch(side: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and one-hot targets, the same for both."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(BATCH, channels, side, side)).astype(np.float32)
    return X, np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, BATCH)]


def bpbook(side: int, channels: tuple[int, ...], update: str) -> Step:
    from bpbook import nets, ops, training

    layers: list[nets.layers.Layer] = []
    for c_in, c_out in pairwise(channels):
        layers += [nets.Conv2d(c_in, c_out, 3, padding=1), nets.BatchNorm(c_out)]
        layers += [nets.Activation(ops.relu), nets.MaxPool2d(2)]
    layers += [nets.Flatten(), nets.Dense(channels[-1] * (side // 4) ** 2, CLASSES)]
    net = nets.Sequential(layers, dtype=np.float32)
    optimizer = training.Adam() if update == "Adam" else training.SGD(RATE)
    X, Y = batch(side, channels[0])

    def step() -> None:
        _, grad = net.loss_and_grad(X, Y)
        optimizer.step(net.theta, grad)

    return step


def pytorch(side: int, channels: tuple[int, ...], update: str) -> Step:
    import torch

    layers: list[torch.nn.Module] = []
    for c_in, c_out in pairwise(channels):
        layers += [torch.nn.Conv2d(c_in, c_out, 3, padding=1), torch.nn.BatchNorm2d(c_out)]
        layers += [torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Flatten(), torch.nn.Linear(channels[-1] * (side // 4) ** 2, CLASSES)]
    net = torch.nn.Sequential(*layers)
    rule = torch.optim.Adam if update == "Adam" else torch.optim.SGD
    optimizer = rule(net.parameters(), **({} if update == "Adam" else {"lr": RATE}))
    X, Y = batch(side, channels[0])
    x, labels = torch.tensor(X), torch.tensor(Y.argmax(axis=1))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return step


PEERS = (bpbook, pytorch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", choices=("SGD", "Adam"), default="SGD", help="(default SGD)")
    parser.add_argument("--rounds", type=int, default=30, help="rounds per case (default 30)")
    parser.add_argument("--json", metavar="FILE", help="also write the medians to FILE")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("torch"):
        parser.error("PyTorch is not installed: pip install -e .[torch]")
    print(f"{arguments.optimizer}, batch {BATCH}, {os.cpu_count()} cores; aim: ratio <= {AIM}")
    print(f"{'images':>8} {'channels':>9} {'bpbook ms':>10} {'pytorch ms':>11} {'ratio':>6}")
    results = []
    for side, channels in CASES:
        steps = {make.__name__: make(side, channels, arguments.optimizer) for make in PEERS}
        seconds = measure(steps, arguments.rounds)
        ratio = seconds["bpbook"] / seconds["pytorch"]
        print(f"{f'{side}x{side}':>8} {'-'.join(map(str, channels)):>9}", end=" ")
        print(f"{seconds['bpbook'] * 1e3:>10.2f} {seconds['pytorch'] * 1e3:>11.2f}", end=" ")
        print(f"{ratio:>6.2f}   {'reached' if ratio <= AIM else 'MISSED'}", flush=True)
        results.append({"side": side, "channels": channels, "seconds": seconds})
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
