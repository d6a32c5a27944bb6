"""A batch on its way up a deep stack of layers, and a gradient on its way down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.moving_axes import Histogram, SizePanel, bin_values
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider, Stops, Toggle
from bpbook.nets.base import Op
from bpbook.style import BLUE, MUTED, VERMILLION
from bpbook.theory.propagation import predict, propagate
from bpbook.training import initializers

ROWS = 64  # samples in the batch
WIDTHS = (4, 8, 16, 32, 64, 128, 256)
GAINS = (0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 2, 3, 4, 5, 10, 20)
ACTIVATIONS = {
    f.__name__: f
    for f in (ops.sigmoid, ops.tanh, ops.relu, ops.leaky_relu, ops.gelu, ops.silu, ops.identity)
}
#: Their outputs have a mean that residual connections add up; the theory of δ leaves it out.
ONE_SIDED = ("relu", "leaky_relu", "gelu", "silu")
#: n·Var(W) of a square matrix, which is what the theory needs to know of an initializer.
VARIANCES = {
    "xavier_normal": 1.0,
    "xavier_uniform": 1.0,
    "he_normal": 2.0,
    "he_uniform": 2.0,
    "orthogonal": 1.0,
    "zeros": 0.0,
}


def without_parameters(norm: Callable) -> Op:
    """A normalization with γ = 1 and β = 0, as a function of z alone."""

    def op(z: np.ndarray) -> tuple[np.ndarray, Callable]:
        n = z.shape[1]
        out, vjp = norm(z, np.ones(n, z.dtype), np.zeros(n, z.dtype))
        return out, lambda d: vjp(d)[0]

    return op


NORMALIZATIONS = {
    "none": ops.identity,
    "layer": without_parameters(ops.layer_norm),
    "batch": without_parameters(ops.batch_norm),
}


def short(x: float) -> str:
    """0.43, 7e-19, 0 or overflow: as many digits as all machines agree on."""
    if not np.isfinite(x):
        return "overflow"
    return f"{x:.2g}" if x == 0 or 0.01 <= x < 1000 else f"{x:.0e}"


@dataclass(frozen=True)
class Flow:
    """Sizes (root mean squares) by layer, (L,) each, and the histograms of one layer.

    expected: the theory's sizes of a and δ, NaN where it does not apply; why: which theory, or why
    there is none. bars: heights and limit of the histogram of a and of δ.
    """

    stack: str  # the network in words
    activations: np.ndarray
    gradients: np.ndarray
    expected: tuple[np.ndarray, np.ndarray]
    why: str
    layer: int
    bars: tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]

    @property
    def depth(self) -> int:
        return len(self.gradients)

    @property
    def reach(self) -> float:
        """The size of δ⁽¹⁾ as a multiple of that of δ⁽ᴸ⁾."""
        return float(self.gradients[0] / self.gradients[-1])

    @property
    def forecast(self) -> str:
        """The reach that the theory expects."""
        first, last = self.expected[1][[0, -1]]
        return f"theory expects {short(first / last)}" if last > 0 else self.why

    @property
    def ranges(self) -> str:
        """How far the outputs and the errors of the chosen layer spread."""
        a, delta = (f"±{limit:g}" if limit == limit else "overflow" for _, limit in self.bars)
        return f"outputs {a} and errors {delta}"

    @property
    def verdict(self) -> str:
        forward, back = np.isfinite(self.activations), np.isfinite(self.gradients)
        if not forward.all():
            return f"exploded at layer {forward.argmin() + 1}: the outputs overflow"
        if not back.all():
            return f"exploded at layer {self.depth - back[::-1].argmin()} on the way back: overflow"
        if self.gradients[0] == 0:
            return f"vanishes: {self._silence}"
        if self.gradients[-1] == 0:  # residual connections lead past a layer of dead units
            got = f"layer 1 gets one of size {short(self.gradients[0])}"
            return f"arrives: layer {self.depth} gets a gradient of exactly 0, {got}"
        if self.reach < 0.01:
            return f"vanishes: {short(self.reach)} of the gradient reaches layer 1"
        if self.reach > 100:
            return f"explodes: {short(self.reach)} times the gradient reaches layer 1"
        return f"arrives: {short(self.reach)} times the gradient reaches layer 1"

    @property
    def _silence(self) -> str:
        """Which layers get a gradient of exactly 0, when the first one does."""
        if not self.gradients.any():
            if self.activations.all():
                return "no layer gets any gradient"
            first = int(np.argmin(self.activations != 0)) + 1
            return f"no layer gets any gradient, for the outputs are 0 from layer {first} on"
        last = int(np.argmax(self.gradients > 0))
        layers = f"layers 1 to {last} get" if last > 1 else "layer 1 gets"
        return f"{layers} a gradient of exactly 0"


class GradientFlow(Explorer):
    """Choose a deep network at its start; see which layers a batch and a gradient reach."""

    title = "Gradient flow"
    size = (7.2, 4.6)

    depth = Slider(30, min=2, max=60, label="depth (layers)")
    width = Stops(128, WIDTHS, label="width (units)")
    activation = Choice("sigmoid", tuple(ACTIVATIONS))
    initialization = Choice("xavier_normal", tuple(VARIANCES))
    gain = Stops(1, GAINS, label="gain of the weights")
    layer = Slider(15, min=1, max=60, label="layer to look into")
    residual = Toggle(False, label="residual connections")
    normalization = Choice("none", tuple(NORMALIZATIONS))

    @staticmethod
    def simulate(
        depth: int,
        width: int,
        activation: str,
        initialization: str,
        gain: float,
        layer: int,
        residual: bool,
        normalization: str,
    ) -> Flow:
        X, da = signals(width)
        weights = [
            np.float32(gain) * initial_weights(initialization, width, number)
            for number in range(1, depth + 1)
        ]
        how = {"residual": residual, "normalize": NORMALIZATIONS[normalization]}
        flow = propagate(X, weights, ACTIVATIONS[activation], da, **how)
        variance = VARIANCES[initialization] * gain**2
        expected, why = theory(depth, activation, variance, residual, normalization)
        shown = min(layer, depth)
        bars = tuple(bin_values(x[shown - 1]) for x in (flow.a, flow.delta))
        stack = f"{depth} layers of {width} {activation} units, {initialization} × {gain:g}"
        stack += ", residual" if residual else ""
        stack += f", {normalization} normalization" if normalization != "none" else ""
        return Flow(stack, flow.activations, flow.gradients, expected, why, shown, bars)

    @staticmethod
    def describe(data: Flow) -> str:
        first, last = map(short, data.activations[[0, -1]])
        return (
            f"{data.stack}: {data.verdict}; {data.forecast}; the size of the outputs goes from "
            f"{first} to {last}; layer {data.layer} has {data.ranges}."
        )

    def build(self, figure: Figure) -> None:
        grid = {"left": 0.095, "right": 0.985, "top": 0.8, "bottom": 0.125}
        axes = figure.subplots(2, 2, width_ratios=(2.1, 1), gridspec_kw=grid | {"hspace": 0.42})
        self._up = SizePanel(axes[0, 0], "Up: size of the outputs a", BLUE)
        self._down = SizePanel(axes[1, 0], "Down: size of the errors δ = ∂L/∂z", VERMILLION)
        axes[1, 0].set_xlabel("layer", labelpad=14)
        self._bars = Histogram(axes[0, 1], BLUE), Histogram(axes[1, 1], VERMILLION)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper right", ncols=2)
        self._layers = [a.add_artist(Readout(0, 1.08, transform=a.transAxes)) for a in axes[:, 1]]
        self._verdict = figure.add_artist(Readout(0.015, 0.945, weight="bold", size=10.5))
        self._stack = figure.add_artist(Readout(0.015, 0.895, size=9))
        self._why = figure.add_artist(Readout(0.015, 0.02, size=8.5, color=MUTED))

    def draw(self, data: Flow) -> None:
        a, delta = data.expected
        self._up.show(data.activations, a, data.layer)
        self._down.show(data.gradients, delta, data.layer)
        for bars, shown, label, name in zip(
            self._bars, data.bars, self._layers, ("Outputs", "Errors"), strict=True
        ):
            bars.show(*shown)
            label.set_text(f"{name} of layer {data.layer}")
        self._verdict.set_text(data.verdict.capitalize())
        self._stack.set_text(data.stack)
        self._why.set_text(data.why)


@lru_cache(maxsize=len(WIDTHS))
def signals(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and the gradient that arrives at the last layer: normal, of size 1, float32."""
    X, da = np.random.default_rng(width).normal(size=(2, ROWS, width)).astype(np.float32)
    return X, da


@lru_cache(maxsize=120)
def initial_weights(name: str, width: int, layer: int) -> np.ndarray:
    """W (width, width) of a layer, float32; a stack made deeper keeps the layers that it had."""
    rng = np.random.default_rng((width, layer))
    return getattr(initializers, name)(rng, width, width).astype(np.float32)


def theory(
    depth: int, activation: str, variance: float, residual: bool, normalization: str
) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """The sizes that mean-field theory expects, NaN where it does not apply, and why that is."""
    nothing, by_row = np.full(depth, np.nan), normalization == "layer"
    if normalization == "batch":
        return (nothing, nothing), "no theory here: batch normalization couples the samples"
    if by_row and variance == 0:
        return (nothing, nothing), "no theory here: a row of zeros has no size to divide by"
    how = {"residual": residual, "layer_norm": by_row}
    a, delta = predict(ACTIVATIONS[activation], [variance] * depth, **how)
    if residual and activation in ONE_SIDED and not by_row:
        return (a, nothing), f"no theory of δ here: residual {activation} adds up a mean"
    return (a, delta), "theory: mean field, for very wide layers"
