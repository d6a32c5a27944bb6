"""A 2-2-2 network drawn as a graph, with a value and a gradient at every node and every weight.

Values are plain and blue, in a node or on an edge; gradients stand under them, bold, orange, and
beginning with ∂ or δ. So the two are told apart without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.text import Text

from bpbook.explorers.readout import Readout
from bpbook.style import BLUE, INK, MUTED

ORANGE = "#B34A00"  # vermillion, darkened until small text on white has a contrast of 5:1
YELLOW, PALE = "#FFE9A8", "#C4C4C4"
NODE_AREA = 1450  # in square points, a circle about 0.53 inches wide

COLUMNS = {"x": 0.5, "z₁": 2.95, "a₁": 4.3, "z₂": 6.75, "a₂": 8.1}
ROWS = (1.0, -1.0)
LOSS = (9.45, 0.0)
#: Group of edges, and the columns that it joins; the weights are the groups that cross over.
GROUPS = (("W₁", "x", "z₁"), ("σ₁", "z₁", "a₁"), ("W₂", "a₁", "z₂"), ("σ₂", "z₂", "a₂"))
#: What the gradient of a value is called.
GRADIENTS = {"z₁": "δ₁", "z₂": "δ₂"} | {
    name: f"∂L/∂{name}" for name in ("W₁", "b₁", "a₁", "W₂", "b₂", "a₂")
}


@dataclass(frozen=True)
class Edge:
    """An edge from unit ``start`` of one column to unit ``end`` of the next, with its ends."""

    group: str
    start: int
    end: int
    line: tuple[tuple[float, float], tuple[float, float]]

    def point(self, share: float) -> np.ndarray:
        """The point that lies ``share`` of the way along."""
        return np.array(self.line[0]) * (1 - share) + np.array(self.line[1]) * share

    @property
    def label_at(self) -> float:
        """The share of the way at which a weight's label stands, where no two labels meet."""
        return 0.42 if self.start == self.end else 0.31

    @property
    def pieces(self) -> list[list[np.ndarray]]:
        """The line, or for a weight its two parts, with a gap for the label between them."""
        if not self.group.startswith("W"):
            return [[self.point(0), self.point(1)]]
        gap = 0.15 if self.start == self.end else 0.12
        before, after = self.label_at - gap, self.label_at + gap
        return [[self.point(0), self.point(before)], [self.point(after), self.point(1)]]


@dataclass(frozen=True)
class Label:
    """The number ``values[name][index]`` and, under or beside it, its gradient."""

    name: str
    index: tuple[int, ...]
    digits: int
    value: Text
    gradient: Readout

    def show(self, values: Mapping[str, np.ndarray], known: Set[str]) -> None:
        slope = GRADIENTS.get(self.name, "")
        value = self._text(values, self.name, known, self.digits)
        gradient = self._text(values, slope, known, 3)
        self.value.set_text(f"b {value}" if self.name.startswith("b") else value)
        self.gradient.set_text(f"{slope[:1]} {gradient}" if gradient else "")

    def _text(self, values: Mapping, name: str, known: Set[str], digits: int) -> str:
        return number(values[name][self.index], digits) if name in known else ""


def number(x: float, digits: int = 3) -> str:
    """Rounded, with a true minus sign."""
    rounded = round(float(x), digits) + 0.0  # adding 0.0 turns −0.0 into 0.0
    return f"{rounded:.{digits}f}".replace("-", "−")


def edges() -> list[Edge]:
    """Every edge of the graph: full between layers, straight through an activation."""

    def place(column: str, unit: int) -> tuple[float, float]:
        return COLUMNS[column], ROWS[unit]

    inner = [
        Edge(group, j, i, (place(start, j), place(end, i)))
        for group, start, end in GROUPS
        for j in (0, 1)
        for i in (0, 1)
        if group.startswith("W") or i == j
    ]
    return inner + [Edge("loss", j, 0, (place("a₂", j), LOSS)) for j in (0, 1)]


class NetGraph:
    """The graph's artists on one Axes. ``show`` writes the numbers and lights what is at work."""

    def __init__(self, axes: Axes) -> None:
        axes.set(xlim=(0, 10), ylim=(-1.6, 1.75))
        axes.axis("off")
        self._axes, self._labels = axes, []
        self._nodes = [(c, (i,), (x, y)) for c, x in COLUMNS.items() for i, y in enumerate(ROWS)]
        self._nodes.append(("L", (), LOSS))
        pieces = [(edge.group, piece) for edge in edges() for piece in edge.pieces]
        self._groups = [group for group, _ in pieces]
        lines = LineCollection([piece for _, piece in pieces], animated=True, zorder=1)
        self._lines = axes.add_collection(lines)
        for edge in edges():
            if edge.group.startswith("W"):
                x, y = edge.point(edge.label_at)
                place = (x, y + 0.12), (x, y - 0.12), "center"
                self._label(edge.group, (edge.end, edge.start), 2, *place)
        places = np.array([place for *_, place in self._nodes])
        self._circles = axes.scatter(*places.T, s=NODE_AREA, animated=True, zorder=3)
        for name, index, place in self._nodes:
            self._node(name, index, *place)

    def show(self, values: Mapping[str, np.ndarray], known: Set[str], lit: Set[str]) -> None:
        """values: numbers by name. known: the names to write. lit: groups of edges and columns."""
        for label in self._labels:
            label.show(values, known)
        lines = [group in lit for group in self._groups]
        self._lines.set(linewidths=np.where(lines, 3.2, 1.2), colors=_either(lines, INK, PALE))
        nodes = [name in lit for name, *_ in self._nodes]
        self._circles.set(facecolors=_either(nodes, YELLOW, "white"))
        self._circles.set(
            linewidths=np.where(nodes, 2.6, 1.2), edgecolors=_either(nodes, INK, MUTED)
        )

    def _node(self, name: str, index: tuple[int, ...], x: float, y: float) -> None:
        """A node's name and number inside its circle, its gradient below, a bias above."""
        look = {"ha": "center", "va": "center", "size": 7.5, "color": MUTED, "zorder": 4}
        self._axes.add_artist(Readout(x, y + 0.15, name, **look))
        self._label(name, index, 3, (x, y - 0.05), (x, y - 0.44), "center")
        if name.startswith("z"):
            above = (x - 0.3, y + 0.48), (x + 0.45, y + 0.48)
            self._label(name.replace("z", "b"), index, 2, *above, "left")

    def _label(
        self, name: str, index: tuple, digits: int, at: tuple, below: tuple, ha: str
    ) -> None:
        look = {"ha": ha, "va": "center", "size": 8.5, "zorder": 5}
        # Weights and biases never change: as plain text they belong to the still part, drawn once.
        kind = Text if name[0] in "Wb" else Readout
        value = self._axes.add_artist(kind(*at, "", color=BLUE, **look))
        gradient = self._axes.add_artist(Readout(*below, "", color=ORANGE, weight="bold", **look))
        self._labels.append(Label(name, index, digits, value, gradient))


def _either(flags: list[bool], yes: str, no: str) -> list[str]:
    return [yes if flag else no for flag in flags]
