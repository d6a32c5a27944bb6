"""The first weights' distribution and gain, against the mean square of what they pass on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.gradient_flow import short
from bpbook.explorers.moving_axes import Histogram, SizePanel, bin_values
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider, Stops
from bpbook.style import BLUE, GREEN, MUTED, VERMILLION
from bpbook.theory.propagation import predict, propagate
from bpbook.training import initializers

ROWS = 64  # samples
WIDTHS = (4, 8, 16, 24, 48, 96)  # above 96, sixty orthogonal matrices take too long
ACTIVATIONS = {f.__name__: f for f in (ops.relu, ops.tanh, ops.sigmoid, ops.identity)}
#: Var(W) of each initializer: what the theory needs to know of it.
VARIANCES = {
    "lecun": lambda n_out, n_in: 1 / n_in,
    "xavier": lambda n_out, n_in: 2 / (n_in + n_out),
    "he": lambda n_out, n_in: 2 / n_in,
    "orthogonal": lambda n_out, n_in: 1 / max(n_out, n_in),
    "zeros": lambda n_out, n_in: 0.0,
}
INITIALIZERS = (
    *(f"{rule}_{kind}" for rule in ("lecun", "xavier", "he") for kind in ("normal", "uniform")),
    "orthogonal",
    "zeros",
)
SHAPES = ("alternate", "taper", "widen")


@dataclass(frozen=True)
class Start:
    """A network at its start. Mean squares by layer, (L,) each; measured, and as theory expects.

    The inputs, and the gradient sent in at the end, have mean square 1.
    """

    widths: tuple[int, ...]
    words: str
    forward: np.ndarray
    backward: np.ndarray
    expected: tuple[np.ndarray, np.ndarray]
    weights: tuple[np.ndarray, float]  # heights and limit of the histogram of the middle layer's

    @property
    def verdict(self) -> str:
        up, down = fate(self.forward[-1]), fate(self.backward[0])
        if up == down:
            return f"{up} both ways"
        return f"{up} up, but {down} down"


def fate(mean_square: float) -> str:
    """What has become of a signal that started with mean square 1."""
    if not np.isfinite(mean_square):
        return "overflows"
    if mean_square == 0:
        return "is 0"
    if mean_square < 0.01:
        return "vanishes"
    return "explodes" if mean_square > 100 else "survives"


class Initialization(Explorer):
    """Choose the weights' distribution and gain, and the widths; see what gets through."""

    title = "Initialization"
    size = (7.2, 4.6)

    depth = Slider(20, min=2, max=60, label="depth (layers)")
    gain = Slider(1.0, min=0.0, max=5.0, step=0.05, label="gain of the weights")
    initialization = Choice("xavier_normal", INITIALIZERS)
    activation = Choice("relu", tuple(ACTIVATIONS))
    wide = Stops(96, WIDTHS, label="wide layers")
    narrow = Stops(24, WIDTHS, label="narrow layers")
    shape = Choice("alternate", SHAPES, label="order of the widths")
    draw_number = Slider(0, min=0, max=20, label="number of the draw")

    @staticmethod
    def simulate(
        depth: int,
        gain: float,
        initialization: str,
        activation: str,
        wide: int,
        narrow: int,
        shape: str,
        draw_number: int,
    ) -> Start:
        widths = layer_widths(depth, wide, narrow, shape)
        plain, X, da = drawn(initialization, widths, draw_number)
        weights = [gain * W for W in plain]
        flow = propagate(X, weights, ACTIVATIONS[activation], da)
        a, delta = predict(ACTIVATIONS[activation], *factors(initialization, gain, widths))
        words = f"{depth} {activation} layers{said(widths)}, {initialization} × {gain:g}"
        return Start(
            widths,
            words,
            flow.activations**2,
            flow.gradients**2,
            (a**2, delta**2),
            bin_values(weights[depth // 2]),
        )

    @staticmethod
    def describe(data: Start) -> str:
        up, down = data.expected
        return (
            f"{data.words}: the signal {data.verdict}; of a mean square of 1, "
            f"{short(data.forward[-1])} reaches the last layer (theory {short(up[-1])}), and "
            f"{short(data.backward[0])} comes back to the first (theory {short(down[0])})."
        )

    def build(self, figure: Figure) -> None:
        grid = {"left": 0.095, "right": 0.985, "top": 0.8, "bottom": 0.125}
        axes = figure.subplots(2, 2, width_ratios=(2.1, 1), gridspec_kw=grid | {"hspace": 0.42})
        self._up = SizePanel(axes[0, 0], "Up: mean square of the outputs a", BLUE)
        self._down = SizePanel(axes[1, 0], "Down: mean square of the errors δ = ∂L/∂z", VERMILLION)
        axes[1, 0].set_xlabel("layer", labelpad=14)
        axes[0, 1].set_title("Weights, middle layer")
        self._bars = Histogram(axes[0, 1], GREEN)
        self._build_widths(axes[1, 1])
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper right", ncols=2)
        self._verdict = figure.add_artist(Readout(0.015, 0.945, weight="bold", size=10.5))
        self._words = figure.add_artist(Readout(0.015, 0.895, size=9))

    def _build_widths(self, axes: Axes) -> None:
        axes.set(title="Width, input to output", xlim=(0, 1), ylim=(0, 1.05 * WIDTHS[-1]))
        axes.set_xticks(())
        axes.set_yticks((0, 24, 48, 96))
        look = {"facecolor": MUTED, "fill": True, "animated": True}
        self._widths = axes.add_patch(StepPatch([0.0], [0.0, 1.0], **look))

    def draw(self, data: Start) -> None:
        up, down = data.expected
        middle = len(up) // 2 + 1
        self._up.show(data.forward, up, middle)
        self._down.show(data.backward, down, middle)
        self._bars.show(*data.weights)
        n = len(data.widths)
        self._widths.set_data(data.widths, np.linspace(0, 1, n + 1))
        self._verdict.set_text(f"The signal {data.verdict}")
        self._words.set_text(data.words)


def layer_widths(depth: int, wide: int, narrow: int, shape: str) -> tuple[int, ...]:
    """n_0, …, n_L: wide and narrow by turns, or from one to the other in equal ratios."""
    if shape == "alternate":
        return tuple(narrow if layer % 2 else wide for layer in range(depth + 1))
    ends = (wide, narrow) if shape == "taper" else (narrow, wide)
    return tuple(np.geomspace(*ends, depth + 1).round().astype(int).tolist())


@lru_cache(maxsize=4)  # a gain that moves keeps the draw
def drawn(
    initialization: str, widths: tuple[int, ...], number: int
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Weights of gain 1, and inputs and a gradient to send back, normal with mean square 1."""
    rng, init = np.random.default_rng(number), getattr(initializers, initialization)
    weights = [init(rng, n_out, n_in) for n_in, n_out in pairwise(widths)]
    X, da = (rng.normal(size=(ROWS, n)) for n in (widths[0], widths[-1]))
    return weights, X, da


def said(widths: tuple[int, ...]) -> str:
    """The widths in words."""
    first, second, *_, last = widths
    if len(set(widths)) == 1:
        return f" of {first} units"
    by_turns = widths[2] == first != second
    return (
        f" of {first} and {second} units by turns" if by_turns else f" from {first} to {last} units"
    )


def factors(
    initialization: str, gain: float, widths: tuple[int, ...]
) -> tuple[list[float], list[float]]:
    """n_in·Var(W) and n_out·Var(W) of each layer, (L,) each."""
    rule = VARIANCES[initialization.split("_")[0]]
    layers = [(n_in, n_out, gain**2 * rule(n_out, n_in)) for n_in, n_out in pairwise(widths)]
    return [n_in * v for n_in, _, v in layers], [n_out * v for _, n_out, v in layers]
