"""A network learns while you watch, and while you change what it learns from and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from bpbook import data as datasets
from bpbook import ops
from bpbook.data import Dataset
from bpbook.data.dataset import split
from bpbook.explorers.base import button
from bpbook.explorers.live import Live
from bpbook.explorers.playground_picture import MOST_LAYERS, REACH, Picture
from bpbook.explorers.readout import number
from bpbook.explorers.settings import Choice, Points, Slider, Stops
from bpbook.explorers.training_run import GRADIENTS, TEST_LOSS, TRAIN_LOSS, TrainingRun
from bpbook.nets import MLP
from bpbook.training import initializers, optimizers

OWN = "own points"
SAMPLES = 250  # a fifth of them for the test
NEAR = 0.08  # a click this close to a point is on it
CENTRES = {"moons": np.array([0.5, 0.25])}
DATA: dict[str, Callable[..., Dataset]] = {
    f.__name__: f
    for f in (datasets.moons, datasets.spirals, datasets.blobs, datasets.circles, datasets.xor)
}
ACTIVATIONS = {
    f.__name__: f
    for f in (ops.tanh, ops.relu, ops.leaky_relu, ops.sigmoid, ops.gelu, ops.silu, ops.identity)
}
INITS = {
    f.__name__: f
    for f in (
        initializers.xavier_normal,
        initializers.xavier_uniform,
        initializers.he_normal,
        initializers.he_uniform,
        initializers.lecun_normal,
        initializers.lecun_uniform,
        initializers.orthogonal,
        initializers.zeros,
    )
}
OPTIMIZERS = {
    f.__name__: f
    for f in (
        optimizers.SGD,
        optimizers.Momentum,
        optimizers.Nesterov,
        optimizers.AdaGrad,
        optimizers.RMSProp,
        optimizers.Adam,
        optimizers.AdamW,
        optimizers.AMSGrad,
        optimizers.Nadam,
        optimizers.Lion,
        optimizers.Muon,
    )
}
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
PENALTIES = (0, 1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)


def load(
    data: str, noise: float, seed: int, points: tuple[tuple[float, float, int], ...]
) -> Dataset:
    """The data set of that name with its middle at the origin, or the reader's own points."""
    if data == OWN:
        own = np.array(points).reshape(-1, 3)
        return split(own[:, :2], own[:, 2].astype(int), 2)
    found = DATA[data](n=SAMPLES, noise=noise, rng=seed)
    centre = CENTRES.get(data, 0.0)
    return Dataset(found.X_train - centre, found.Y_train, found.X_test - centre, found.Y_test)


class Playground(Live):
    """Train a small network on points in the plane, live.

    Learning rate, batch size, L1, L2 and own points change the run under way; every other setting
    starts a new one. With the data set "own points", a click on the map adds a point, a click on a
    point changes its class, and one more takes it away.
    """

    title = "Playground"
    size = (7.2, 3.9)
    live = ("learning_rate", "batch_size", "l1", "l2", "points")

    data_set = Choice("moons", (*DATA, OWN), label="data set")
    noise = Slider(0.15, min=0.0, max=0.5, step=0.05)
    depth = Slider(4, min=1, max=MOST_LAYERS, label="depth (layers)")
    width = Slider(16, min=1, max=32, label="width (units a layer)")
    activation = Choice("tanh", tuple(ACTIVATIONS))
    optimizer = Choice("SGD", tuple(OPTIMIZERS))
    initialization = Choice("xavier_normal", tuple(INITS))
    gain = Stops(1, (0.01, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10), label="gain")
    learning_rate = Stops(0.1, RATES, label="learning rate η")
    batch_size = Stops(20, (1, 2, 5, 10, 20, 50, 100, 200), label="batch size")
    l2 = Stops(0, PENALTIES, label="L2 (weight decay) λ")
    l1 = Stops(0, PENALTIES, label="L1 λ")
    seed = Slider(0, min=0, max=9)
    steps_per_frame = Stops(5, (1, 2, 5, 10, 20), label="steps per frame")
    points = Points(REACH, classes=2, most=SAMPLES, needs={"data_set": OWN})

    @staticmethod
    def simulate(
        data_set: str,
        noise: float,
        depth: int,
        width: int,
        activation: str,
        optimizer: str,
        initialization: str,
        gain: float,
        learning_rate: float,
        batch_size: int,
        l2: float,
        l1: float,
        seed: int,
        points: tuple[tuple[float, float, int], ...],
    ) -> TrainingRun:
        dataset = load(data_set, noise, seed, points)
        sizes = (2, *[width] * (depth - 1), dataset.Y_train.shape[1])
        init = initializers.scaled(INITS[initialization], gain)
        net = MLP(sizes, ACTIVATIONS[activation], init=init, rng=seed)
        shapes = {"views": net.views} if optimizer == "Muon" else {}
        rule = OPTIMIZERS[optimizer](learning_rate, weight_decay=l2, **shapes)
        return TrainingRun(net, dataset, rule, batch_size, l1=l1, rng=seed)

    @staticmethod
    def describe(data: TrainingRun) -> str:
        if data.exploded:
            return f"Exploded at step {data.steps}, {data.exploded}; a smaller η or gain may help."
        if data.waiting:
            return "No points yet: click on the map to add one, and on a point to change its class."
        row = data.measured()
        first, last = row[GRADIENTS], row[-1]
        slopes = f"the gradient norm is {number(first)} in layer 1"
        if data.net.depth > 1:
            slopes += f" and {number(last)} in layer {data.net.depth}"
        test = ""
        if len(data.dataset.X_test):
            right = f"{100 * data.accuracy:.0f} % of the test points right"
            test = f", test loss {number(row[TEST_LOSS], 3)}, {right}"
        loss = f"training loss {number(row[TRAIN_LOSS], 3)}"
        return f"Step {data.steps}, epoch {data.epoch}: {loss}{test}; {slopes}."

    def hand(self, phase: str, x: float, y: float) -> None:
        if phase != "down" or self.data_set != OWN:
            return
        near = [p for p in self.points if np.hypot(p[0] - x, p[1] - y) < NEAR]
        if not near:
            self.points = (*self.points, (x, y, 0))[-SAMPLES:]
            return
        hit = min(near, key=lambda p: np.hypot(p[0] - x, p[1] - y))
        turned = [(*hit[:2], 1)] if hit[2] == 0 else []
        self.points = [q for p in self.points for q in (turned if p is hit else [p])]

    def clear(self) -> None:
        """Take the reader's own points away."""
        self.points = ()

    def build(self, figure: Figure) -> None:
        self._parts = Picture(figure)
        self.hand_axes = self._parts.map

    def draw(self, data: TrainingRun) -> None:
        self._parts.draw(data)

    def _tuning(self, changed: dict[str, Any]) -> dict[str, Any]:
        if "points" not in changed:
            return changed
        others = {name: value for name, value in changed.items() if name != "points"}
        own = {"dataset": load(OWN, self.noise, self.seed, self.points)}
        return others | (own if self.data_set == OWN else {})

    def _buttons(self) -> list[ipywidgets.DOMWidget]:
        (row,) = super()._buttons()
        clear = button("Clear", "trash", self.clear, "Take your own points away")
        clear.layout.width = "6.7em"
        row.children += (clear,)
        return [row]
