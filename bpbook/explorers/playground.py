"""A network learns while you watch, and while you change what it learns from and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bpbook import data as datasets
from bpbook import ops
from bpbook.data import Dataset
from bpbook.data.dataset import split
from bpbook.explorers.base import button
from bpbook.explorers.live import Live
from bpbook.explorers.moving_axes import LogAxis
from bpbook.explorers.readout import Readout
from bpbook.explorers.records import StepAxis
from bpbook.explorers.settings import Choice, Points, Slider, Stops
from bpbook.explorers.training_run import GRADIENTS, TEST_LOSS, TRAIN_LOSS, TrainingRun
from bpbook.nets import MLP
from bpbook.style import BLUE, INK, MUTED, ORANGE, SERIES, VERMILLION
from bpbook.training import initializers, optimizers

OWN = "own points"
SAMPLES = 250  # a fifth of them for the test
REACH = 2.0  # of the map, in both directions
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

PIXELS = 50  # a side of the map at which the net is asked
_SIDE = (np.arange(PIXELS) + 0.5) / PIXELS * 2 * REACH - REACH
GRID = np.stack(np.meshgrid(_SIDE, _SIDE), axis=-1).reshape(-1, 2)
COLORS = np.array([[int(s.color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for s in SERIES[:3]])
GREY = 0.85
# What the axes always hold, so that they seldom change while a run goes on.
USUAL_LOSSES, USUAL_SLOPES = np.array([1e-3, 10]), np.array([1e-4, 1])


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


def surface(net: MLP) -> np.ndarray:
    """The colour of each pixel of the map: its class's, the paler the less sure; grey where NaN.

    (PIXELS, PIXELS, 3), the first row at the bottom.
    """
    with np.errstate(all="ignore"):
        p = net.predict(GRID)
    K = p.shape[1]
    sure = (p.max(axis=1, keepdims=True) - 1 / K) / (1 - 1 / K)
    rgb = 1 - 0.6 * sure * (1 - p @ COLORS[:K])
    return np.where(np.isfinite(rgb), rgb, GREY).reshape(PIXELS, PIXELS, 3)


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
    noise = Slider(0.15, min=0.0, max=0.5, step=0.01)
    depth = Slider(4, min=1, max=8, label="depth (layers)")
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
            return f"Exploded at step {data.steps}, {data.exploded}: a smaller η or gain may help."
        if data.finished:
            return "No points yet: click on the map to add one, and on a point to change its class."
        row = data.record.rows[-1]
        first, last = row[GRADIENTS], row[-1]
        slopes = f"the gradient norm is {_number(first)} in layer 1"
        if data.net.depth > 1:
            slopes += f" and {_number(last)} in layer {data.net.depth}"
        test = ""
        if len(data.dataset.X_test):
            right = f"{100 * data.accuracy:.0f} % of the test points right"
            test = f", test loss {_number(row[TEST_LOSS])}, {right}"
        loss = f"training loss {_number(row[TRAIN_LOSS])}"
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
        self.hand_axes = figure.add_axes((0.05, 0.08, 0.455, 0.84))
        self._build_map(self.hand_axes)
        loss = figure.add_axes((0.595, 0.6, 0.385, 0.32))
        slope = figure.add_axes((0.595, 0.08, 0.385, 0.32))
        loss.set_title("Loss")
        slope.set_title("Gradient norm")
        self._loss_axis, self._slope_axis = LogAxis(loss), LogAxis(slope)
        self._step_axes = StepAxis(loss), StepAxis(slope)
        self._losses = [
            loss.plot(
                [], [], color=color, linestyle=line, linewidth=1.6, label=name, animated=True
            )[0]
            for name, color, line in (("training", BLUE, "-"), ("test", ORANGE, "--"))
        ]
        thin = {"color": MUTED, "linestyle": "-", "linewidth": 0.7, "animated": True}
        between = [slope.plot([], [], **thin)[0] for _ in range(Playground.depth.max - 2)]
        (last,) = slope.plot([], [], color=ORANGE, linestyle="--", linewidth=1.6, animated=True)
        (first,) = slope.plot([], [], color=BLUE, linestyle="-", linewidth=1.6, animated=True)
        self._slopes = first, between, last
        beside = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.99), "ncols": 2}
        style = {"handlelength": 2, "columnspacing": 1, "borderaxespad": 0, "fontsize": 8.5}
        loss.legend(**beside, **style)
        slope.legend([first, last], ["layer 1", "last"], **beside, **style)

    def _build_map(self, axes: Axes) -> None:
        axes.set(
            xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=range(-2, 3), yticks=range(-2, 3)
        )
        axes.set_title("What the network says of each point")
        blank = np.ones((PIXELS, PIXELS, 3))
        place = {"extent": (-REACH, REACH, -REACH, REACH), "origin": "lower", "aspect": "auto"}
        self._surface = axes.imshow(blank, interpolation="bilinear", animated=True, **place)
        looks = [(look, filled) for look in SERIES[:3] for filled in (True, False)]
        self._dots = [
            axes.plot(
                [],
                [],
                look.marker,
                color=look.color,
                animated=True,
                markersize=5,
                markerfacecolor=look.color if filled else "none",
                markeredgecolor="white" if filled else look.color,
                markeredgewidth=0.6 if filled else 1.3,
            )[0]
            for look, filled in looks
        ]
        box = {"facecolor": "white", "edgecolor": VERMILLION, "linewidth": 1.5, "alpha": 0.92}
        self._box = axes.add_patch(
            Rectangle((-1.92, -0.3), 3.84, 0.6, animated=True, zorder=5, **box)
        )
        middle = {"ha": "center", "va": "center", "weight": "bold", "size": 9.5, "zorder": 6}
        self._words = axes.add_artist(Readout(0, 0, **middle))

    def draw(self, data: TrainingRun) -> None:
        self._surface.set_data(surface(data.net))
        for i, dots in enumerate(self._dots):
            k, test = divmod(i, 2)
            X, Y = (
                (data.dataset.X_test, data.dataset.Y_test)
                if test
                else (data.dataset.X_train, data.dataset.Y_train)
            )
            dots.set_data(*X[Y[:, k] == 1].T if k < Y.shape[1] else ([], []))
        words = (
            f"Exploded at step {data.steps}, {data.exploded.split(':')[0]}" if data.exploded else ""
        )
        if data.finished and not words:
            words = "Click to add a point"
        self._box.set(visible=bool(words), edgecolor=VERMILLION if data.exploded else MUTED)
        self._words.set(text=words, color=VERMILLION if data.exploded else INK)
        self._draw_record(data)

    def _draw_record(self, data: TrainingRun) -> None:
        record, columns = data.record, data.record.rows.T
        for axis in self._step_axes:
            axis.fit(record.span)
        x = self._step_axes[0].place(record.steps)
        losses, slopes = columns[:GRADIENTS], columns[GRADIENTS:]
        self._loss_axis.fit(*losses, USUAL_LOSSES)
        self._slope_axis.fit(*slopes, USUAL_SLOPES)
        for line, column in zip(self._losses, losses, strict=True):
            line.set_data(x, self._loss_axis.place(column))
        first, between, last = self._slopes
        heights = [self._slope_axis.place(column) for column in slopes]
        first.set_data(x, heights[0])
        last.set_data(x, heights[-1])
        last.set_visible(len(heights) > 1)
        for i, line in enumerate(between, start=1):
            inside = i < len(heights) - 1
            line.set_data(*((x, heights[i]) if inside else ([], [])))

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


def _number(x: float) -> str:
    return f"{x:.2g}".replace("-", "−").replace("e−0", "e−").replace("e+0", "e")
