"""A small network as a graph, run forward and then backward one operation at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.net_graph import ORANGE, NetGraph, number
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider
from bpbook.style import BLUE, MUTED

ACTIVATIONS = {f.__name__: f for f in (ops.tanh, ops.sigmoid, ops.relu, ops.identity)}
W1, B1 = np.array([[0.5, -0.3], [0.8, 0.2]]), np.array([0.1, -0.1])
W2, B2 = np.array([[0.7, -0.4], [0.5, 0.9]]), np.array([0.0, 0.2])

#: One row per operation: the quantity that it gives, its formula, and the formula in words.
STEPS = (
    ("z₁", "W₁x + b₁", "Each hidden unit weighs the inputs and adds its bias"),
    ("a₁", "σ(z₁)", "Each hidden unit bends its sum"),
    ("z₂", "W₂a₁ + b₂", "Each output unit weighs the hidden units and adds its bias"),
    ("a₂", "σ(z₂)", "Each output unit bends its sum"),
    ("L", "½‖a₂ − y‖²", "Half the squared distance from the target"),
    ("∂L/∂a₂", "a₂ − y", "How far each output is from its target"),
    ("δ₂", "∂L/∂a₂ ⊙ σ'(z₂)", "BP1: what arrives at an output, times the unit's own slope"),
    ("∂L/∂W₂", "δ₂ a₁ᵀ", "BP3: a weight's gradient is error at its end × value at its start"),
    ("∂L/∂b₂", "δ₂", "BP4: a bias moves z one for one, so its gradient is the error"),
    ("∂L/∂a₁", "W₂ᵀ δ₂", "Each hidden unit sums the errors that come back along its edges"),
    ("δ₁", "(W₂ᵀδ₂) ⊙ σ'(z₁)", "BP2: what came back, times the unit's own slope"),
    ("∂L/∂W₁", "δ₁ xᵀ", "BP3: error at the edge's end × value at its start"),
    ("∂L/∂b₁", "δ₁", "BP4: the error itself; every gradient is known now"),
)
FORWARD = 5  # the first five operations run forward
#: The edges and nodes that each operation works on; none before the first.
LIT = (
    set(),
    {"W₁", "z₁"},
    {"σ₁", "a₁"},
    {"W₂", "z₂"},
    {"σ₂", "a₂"},
    {"loss", "L"},
    {"loss", "a₂"},
    {"σ₂", "z₂"},
    {"W₂", "a₁", "z₂"},
    {"z₂"},
    {"W₂", "a₁"},
    {"σ₁", "z₁"},
    {"W₁", "x", "z₁"},
    {"z₁"},
)


@dataclass(frozen=True)
class Trace:
    """Every number of one forward and one backward pass, by name, and the step reached."""

    step: int
    activation: str
    values: dict[str, np.ndarray]

    @property
    def direction(self) -> str:
        if self.step == 0:
            return "before the start"
        return "forward" if self.step <= FORWARD else "backward"

    @property
    def known(self) -> set[str]:
        """The names computed so far, with the inputs and parameters."""
        return {"x", "y", "W₁", "b₁", "W₂", "b₂"} | {name for name, *_ in STEPS[: self.step]}

    @property
    def words(self) -> str:
        """The present operation in words."""
        return STEPS[self.step - 1][2] if self.step else "Press the right arrow key"

    @property
    def operation(self) -> str:
        """The present operation with its result: δ₂ = ∂L/∂a₂ ⊙ σ'(z₂) = (0.031, −0.120)."""
        if self.step == 0:
            return f"inputs, target and parameters are given, and σ is {self.activation}"
        name, formula, _ = STEPS[self.step - 1]
        return f"{name} = {formula} = {_shown(self.values[name])}"


def _shown(x: np.ndarray) -> str:
    """A number, (a vector), or the rows of a matrix: (a, b; c, d)."""
    if np.ndim(x) == 0:
        return number(x)
    return f"({'; '.join(', '.join(map(number, row)) for row in np.atleast_2d(x))})"


class BackpropTrace(Explorer):
    """Step through one forward and one backward pass of a 2-2-2 net, with every number shown."""

    title = "Backpropagation, one operation at a time"
    size = (7.2, 4.5)

    step = Slider(0, min=0, max=len(STEPS), label="step (arrow keys)")
    x1 = Slider(1.0, min=-2.0, max=2.0, step=0.1, label="input x, top")
    x2 = Slider(-0.5, min=-2.0, max=2.0, step=0.1, label="input x, bottom")
    y1 = Slider(1.0, min=-1.0, max=1.0, step=0.1, label="target y, top")
    y2 = Slider(0.0, min=-1.0, max=1.0, step=0.1, label="target y, bottom")
    activation = Choice("tanh", tuple(ACTIVATIONS), label="activation σ")

    @staticmethod
    def simulate(step: int, x1: float, x2: float, y1: float, y2: float, activation: str) -> Trace:
        x, y, sigma = np.array([[x1, x2]]), np.array([[y1, y2]]), ACTIVATIONS[activation]
        z1, affine1 = ops.affine(x, W1, B1)
        a1, bend1 = sigma(z1)
        z2, affine2 = ops.affine(a1, W2, B2)
        a2, bend2 = sigma(z2)
        loss, loss_vjp = ops.mse(a2, y)
        da2 = loss_vjp()
        delta2 = bend2(da2)
        da1, dW2, db2 = affine2(delta2)
        delta1 = bend1(da1)
        _, dW1, db1 = affine1(delta1)
        values = {"x": x[0], "y": y[0], "W₁": W1, "b₁": B1, "W₂": W2, "b₂": B2}
        found = (z1[0], a1[0], z2[0], a2[0], loss)
        found += (da2[0], delta2[0], dW2, db2, da1[0], delta1[0], dW1, db1)
        return Trace(
            step, activation, values | dict(zip((s[0] for s in STEPS), found, strict=True))
        )

    @staticmethod
    def describe(data: Trace) -> str:
        start = f"Step {data.step} of {len(STEPS)}, {data.direction}: {data.operation}."
        return f"{start} {data.words}." if data.step else start

    def build(self, figure: Figure) -> None:
        self._graph = NetGraph(figure.add_axes((0.005, 0.145, 0.99, 0.765)))
        self._header = figure.add_artist(Readout(0.015, 0.938, weight="bold", size=10.5))
        look = {"ha": "right", "size": 8.5}
        figure.text(0.64, 0.94, "plain: value", color=BLUE, **look)
        look |= {"color": ORANGE, "weight": "bold"}
        figure.text(0.985, 0.94, "bold, ∂ or δ: slope of the loss", **look)
        below_the_loss = {"ha": "center", "size": 8, "color": MUTED}
        figure.text(0.94, 0.395, "target y", **below_the_loss)
        self._target = figure.add_artist(Readout(0.94, 0.36, **below_the_loss))
        self._operation = figure.add_artist(Readout(0.015, 0.085, weight="bold", size=10))
        self._words = figure.add_artist(Readout(0.015, 0.03, size=9))

    def draw(self, data: Trace) -> None:
        self._graph.show(data.values, data.known, LIT[data.step])
        arrow = {"forward": " →", "backward": " ←"}.get(data.direction, "")
        self._header.set_text(
            f"Step {data.step} of {len(STEPS)}: {data.direction}{arrow}  (σ = {data.activation})"
        )
        self._operation.set_text(data.operation)
        self._target.set_text(f"({', '.join(number(v, 1) for v in data.values['y'])})")
        self._words.set_text(data.words)
