"""A formula of the reader's own as a graph, walked forward and backward one operation at a time."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import ipywidgets
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from bpbook.autodiff import Tensor, tensor
from bpbook.explorers.base import Explorer
from bpbook.explorers.formula import FormulaError, evaluate
from bpbook.explorers.net_graph import ORANGE, YELLOW
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Slider, Text
from bpbook.explorers.walked_graph import Arrow, Box, Walk, operations, walk
from bpbook.style import BLUE, INK, MUTED

MOST = 12  # operations; more would not be legible
LEAF = "#DDECF5"
WIDTH, HEIGHT = 720, 290  # of the graph's part of the picture, in its pixels
ACROSS, DOWN = 150, 96  # from box to box, where there is room
LINES = (-0.36, -0.12, 0.13, 0.37)  # of text in a box, as shares of its height
CHARACTER = 0.9  # width of a bold character by its size in points, in pixels: 0.65 em
ALONG = np.linspace(0, 1, 12)
BEND = ALONG**2 * (3 - 2 * ALONG)


@dataclass(frozen=True)
class Shown:
    """The walk through a formula's graph; for a text that is no formula, what is wrong with it."""

    title: str
    walk: Walk
    error: str = ""


class GraphWalk(Explorer):
    """Type a formula in x and y; step through its graph, values forward, slopes backward."""

    title = "A formula as a graph"
    size = (7.2, 4.2)

    expression = Text(
        "sin(x*y) + x**2",
        ("x + (", "exp(exp(exp(x)))/log(-y) - 1", "+".join(f"sin({k}*x)" for k in "1357") + "*y"),
        label="formula in x and y",
    )
    step = Slider(0, min=0, max=2 * MOST + 1, label="step (arrow keys)")
    x = Slider(2.0, min=-3.0, max=3.0, step=0.1)
    y = Slider(0.5, min=-3.0, max=3.0, step=0.1)

    @staticmethod
    def simulate(expression: str, step: int, x: float, y: float) -> Shown:
        title = f"{expression} at " + f"x = {x:g}, y = {y:g}".replace("-", "−")
        variables = {"x": tensor(x, requires_grad=True), "y": tensor(y, requires_grad=True)}
        try:
            last = evaluate(expression, **variables)
            if not isinstance(last, Tensor) or last.op is None:
                raise FormulaError("there is no operation on x or y in it: write x*y, or sin(x)")
            if (n := len(operations(last))) > MOST:
                raise FormulaError(f"it has {n} operations; wanted at most {MOST}")
        except FormulaError as error:
            return Shown(title, Walk(0, 0, str(error), (), ()), str(error))
        return Shown(title, walk(last, variables, step))

    @staticmethod
    def describe(data: Shown) -> str:
        if data.error:
            return f"No graph: {data.error}."
        w = data.walk
        return f"{data.title}, step {w.step} of {w.last}, {w.direction}: {w.words}."

    def build(self, figure: Figure) -> None:
        axes = figure.add_axes((0, 0.165, 1, HEIGHT / 420), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        axes.axis("off")
        self._lines = axes.add_collection(LineCollection([], animated=True, zorder=1))
        self._boxes = PolyCollection([], edgecolors=INK, animated=True, zorder=2)
        axes.add_collection(self._boxes)
        looks = (
            {"weight": "bold"},
            {"color": MUTED},
            {"color": BLUE},
            {"color": ORANGE, "weight": "bold"},
        )
        self._labels = [
            [axes.add_artist(Readout(ha="center", va="center", **look)) for look in looks]
            for _ in range(MOST + 2)
        ]
        self._header = figure.add_artist(Readout(0.015, 0.945, weight="bold", size=10.5))
        figure.text(0.015, 0.895, "blue: value", color=BLUE, size=8.5)
        figure.text(0.125, 0.895, "bold, ∂: slope of f", color=ORANGE, size=8.5, weight="bold")
        note = "+ …: more is to come"
        figure.text(0.325, 0.895, note, color=MUTED, size=8.5)
        self._words = [figure.add_artist(Readout(0.015, y, size=9.5)) for y in (0.1, 0.045)]

    def draw(self, data: Shown) -> None:
        w = data.walk
        state = f"Step {w.step} of {w.last}: {w.direction}"
        self._header.set_text("No graph" if data.error else state)
        for label, line in zip(self._words, [*textwrap.wrap(w.words, 96), "", ""], strict=False):
            label.set_text(line)
        # From box to box, across and down: as far as all of them fit.
        spacing = np.array([min(ACROSS, WIDTH / w.columns), min(DOWN, HEIGHT / w.rows)])
        origin = (np.array([WIDTH, HEIGHT]) - spacing * (w.columns - 1, w.rows - 1)) / 2
        half = spacing * (0.36, 0.39)
        self._draw_boxes(w.boxes, origin, spacing, half)
        self._draw_arrows(w.arrows, origin, spacing, half[0])

    def _draw_boxes(self, boxes: tuple[Box, ...], origin, spacing, half) -> None:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        centers = [origin + spacing * box.place for box in boxes]
        self._boxes.set_verts([center + corners for center in centers])
        fills = [YELLOW if b.lit else "white" if b.made else LEAF for b in boxes]
        self._boxes.set(facecolors=fills, linewidths=[2.4 if b.lit else 1.0 for b in boxes])
        for labels in self._labels[len(boxes) :]:
            for label in labels:
                label.set_text("")
        for labels, box, (x, y) in zip(self._labels, boxes, centers, strict=False):
            for label, text, share in zip(labels, box.lines, LINES, strict=True):
                fits = 2 * half[0] / CHARACTER / max(len(text), 1)
                label.set(x=x, y=y + share * 2 * half[1], text=text)
                label.set_fontsize(min(9.5, 0.34 * half[1], fits))

    def _draw_arrows(self, arrows: tuple[Arrow, ...], origin, spacing, half: float) -> None:
        pieces, lit = [], []
        for arrow in arrows:
            pieces += _curve(origin + spacing * arrow.places, half, arrow.lit < 0)
            lit += [arrow.lit] * 2
        self._lines.set_segments(pieces)
        colors = {-1: ORANGE, 0: MUTED, 1: INK}
        self._lines.set(
            colors=[colors[k] for k in lit], linewidths=[2.6 if k else 1.2 for k in lit]
        )

    # The slider for the step ends where the walk through this formula's graph ends.

    @cached_property
    def widget(self) -> ipywidgets.VBox:
        page = super().widget
        self._fit_slider()
        return page

    def _refresh(self) -> None:
        if self._controls:
            self._fit_slider()  # first, for a slider clips the step that it is set to
        super()._refresh()

    def _show(self) -> None:
        self._fit_slider()
        super()._show()

    def _fit_slider(self) -> None:
        slider = self._controls["step"]
        slider.max = max(self.data.walk.last, self.step, slider.value, 1)


def _curve(places: np.ndarray, half: float, backward: bool) -> list[np.ndarray]:
    """A smooth line from the right of the first box to the left of the last, and its head."""
    places = places.copy()
    places[0, 0] += half
    places[-1, 0] -= half
    pieces = [
        np.column_stack([a[0] + (b[0] - a[0]) * ALONG, a[1] + (b[1] - a[1]) * BEND])
        for a, b in pairwise(places)
    ]
    line = np.concatenate(pieces)
    tip, back = (line[0], 6) if backward else (line[-1], -6)
    return [line, tip + np.array([[back, -3.5], [0, 0], [back, 3.5]])]
