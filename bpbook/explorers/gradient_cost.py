"""What a gradient costs: multiply-adds forward, backward, and by finite differences."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Slider
from bpbook.nets.cost import Cost, multiply_adds
from bpbook.style import SERIES

BARS = (
    "forward pass\n$F$",
    "backward pass\n$B = 2F - n_0 n_1$",
    "forward differences\n$(W + 1)\\,F$",
    "central differences\n$2W\\,F$",
)
# The largest count on offer is near 1e16; its sixteen digits stand to the right of its bar.
AXIS = (1, 1e23)


@dataclass(frozen=True)
class Counts:
    """The layer sizes n_0, …, n_L, and what they cost."""

    sizes: tuple[int, ...]
    cost: Cost

    @property
    def ratio(self) -> float:
        """How many times dearer central differences are than backpropagation: 2WF / (F + B)."""
        return self.cost.central_difference / self.cost.gradient

    @property
    def bars(self) -> tuple[int, int, int, int]:
        cost = self.cost
        return cost.forward, cost.backward, cost.forward_difference, cost.central_difference

    @property
    def network(self) -> str:
        """64–64–10, or 64–(64 × 19)–10 when the hidden layers are many."""
        first, *hidden, last = self.sizes
        middle = hidden if len(hidden) <= 3 else [f"({hidden[0]} × {len(hidden)})"]
        return "–".join(map(str, [first, *middle, last]))


class GradientCost(Explorer):
    """Choose a network's depth and width; see what each way to its gradient costs."""

    title = "The cost of a gradient"
    size = (7.2, 3.4)

    depth = Slider(3, min=1, max=60, label="depth (layers)")
    width = Slider(64, min=1, max=1024, label="width (hidden units)")
    inputs = Slider(64, min=1, max=1024, label="inputs n₀")
    outputs = Slider(10, min=1, max=100, label="outputs")

    @staticmethod
    def simulate(depth: int, width: int, inputs: int, outputs: int) -> Counts:
        sizes = (inputs, *[width] * (depth - 1), outputs)
        return Counts(sizes, multiply_adds(sizes))

    @staticmethod
    def describe(data: Counts) -> str:
        c = data.cost
        return (
            f"{data.network} has W = {c.parameters:,} parameters; forward takes {c.forward:,} "
            f"multiply-adds and backward {c.backward:,}, {c.backward / c.forward:.2f} times as "
            f"many, while central differences take {c.central_difference:,}, {data.ratio:,.1f} "
            f"times as many as forward and backward together."
        )

    def build(self, figure: Figure) -> None:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.235, right=0.975, top=0.75, bottom=0.17)
        axes.set(xlim=AXIS, ylim=(3.5, -0.5), xscale="log", xlabel="multiply-adds for one sample")
        axes.set_yticks(range(4), BARS)
        axes.set_xticks([10.0**power for power in range(0, 21, 4)])
        axes.minorticks_off()
        axes.grid(axis="x")
        look = {"height": 0.62, "edgecolor": "white", "animated": True}
        self._bars = axes.barh(range(4), [1] * 4, left=1, **look)
        for bar, series in zip(self._bars, SERIES, strict=False):
            bar.set(facecolor=series.color, hatch=series.hatch)
        self._labels = [axes.add_artist(Readout(1, row, va="center")) for row in range(4)]
        figure.text(0.015, 0.925, "What does a gradient cost?", weight="bold", size=10.5)
        self._network = figure.add_artist(Readout(0.015, 0.85))
        self._verdict = figure.add_artist(Readout(0.015, 0.78))

    def draw(self, data: Counts) -> None:
        for bar, label, count in zip(self._bars, self._labels, data.bars, strict=True):
            bar.set_width(count - 1)  # from 1 to count: on a log axis a bar cannot start at 0
            label.set(x=count * 1.4, text=f"{count:,}")
        c = data.cost
        self._network.set_text(
            f"{data.network}: W = {c.parameters:,} parameters, F + B = {c.gradient:,}"
        )
        self._verdict.set_text(
            f"Central differences cost {data.ratio:,.1f} times F + B, "
            f"which is {data.ratio / c.parameters:.2f} W"
        )
