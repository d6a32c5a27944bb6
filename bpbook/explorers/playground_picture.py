"""The picture of :class:`Playground`: the map, and the curves of the run."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from bpbook.explorers.moving_axes import LogAxis
from bpbook.explorers.readout import Readout
from bpbook.explorers.records import StepAxis
from bpbook.explorers.training_run import GRADIENTS, TrainingRun
from bpbook.nets import MLP
from bpbook.style import BLUE, MUTED, ORANGE, SERIES, VERMILLION

REACH = 2.0  # of the map, in both directions
MOST_LAYERS = 8
PIXELS = 50  # a side of the map at which the net is asked
_SIDE = (np.arange(PIXELS) + 0.5) / PIXELS * 2 * REACH - REACH
GRID = np.stack(np.meshgrid(_SIDE, _SIDE), axis=-1).reshape(-1, 2)
COLORS = np.array([[int(s.color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for s in SERIES[:3]])
GREY = 0.85
# What the axes always hold, so that they seldom change while a run goes on.
USUAL_LOSSES, USUAL_SLOPES = np.array([1e-3, 10]), np.array([1e-4, 1])


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


class Shades(Artist):
    """Colours (n, n, 3) from 0 to 1 spread over the whole of the axes, the first row at the bottom.

    Matplotlib's own image costs 5 ms more a frame: it asks for each pixel whether it is masked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.set_animated(True)
        self.colors = np.ones((1, 1, 3))

    def draw(self, renderer: RendererBase) -> None:
        box = self.axes.bbox
        size = round(box.x1) - round(box.x0), round(box.y1) - round(box.y0)
        small = Image.fromarray((255 * self.colors).astype(np.uint8))
        wide = np.array(small.resize(size, Image.Resampling.BILINEAR).convert("RGBA"))
        renderer.draw_image(renderer.new_gc(), round(box.x0), round(box.y0), wide)


class Picture:
    """The artists of one figure. ``map`` are the axes of the plane that the points lie in."""

    def __init__(self, figure: Figure) -> None:
        self.map = figure.add_axes((0.05, 0.08, 0.455, 0.84))
        self._build_map(self.map)
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
        between = [slope.plot([], [], **thin)[0] for _ in range(MOST_LAYERS - 2)]
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
        self._surface = axes.add_artist(Shades())
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
        """Show the run where it stands."""
        points = data.dataset
        halves = (points.X_train, points.Y_train), (points.X_test, points.Y_test)
        for i, dots in enumerate(self._dots):
            k, test = divmod(i, 2)
            X, Y = halves[test]
            dots.set_data(*X[Y[:, k : k + 1].any(axis=1)].T)
        self._surface.colors = surface(data.net)
        words, color = "Click to add a point" if data.waiting else "", MUTED
        if data.exploded:
            words, color = (
                f"Exploded at step {data.steps}, {data.exploded.split(':')[0]}",
                VERMILLION,
            )
        self._box.set(visible=bool(words), edgecolor=color)
        self._words.set(text=words, color=color)
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
