"""Axes whose limits follow the data without a redraw of the still part: their labels move too.

The axes themselves always run from 0 to 1 (or −1 to 1); what is drawn on them is scaled to that.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle, StepPatch

from bpbook.explorers.readout import Readout
from bpbook.style import INK, MUTED

STEPS = 4  # between the lowest and the highest line of a log axis
DECADES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100)  # that a step may span
BINS = 41
TICKS = 5
BEYOND = {"facecolor": "#EEEEEE", "edgecolor": "#C4C4C4", "hatch": "//", "linewidth": 0}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """10⁻¹², in plain characters."""
    return "10" + str(exponent).translate(_RAISED)


class LogAxis:
    """A vertical log axis on ``axes``, labelled at the left."""

    def __init__(self, axes: Axes) -> None:
        axes.set(ylim=(-0.04, 1.04))
        places = np.linspace(0, 1, STEPS + 1)
        axes.set_yticks(places, [""] * len(places))
        axes.grid(axis="y")
        look = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center", "size": 9}
        self._labels = [axes.add_artist(Readout(-0.03, y, **look)) for y in places]
        self.low, self.step = 0, 1

    def fit(self, *curves: np.ndarray) -> None:
        """Choose whole decades that hold every positive finite number of the curves."""
        values = np.concatenate(curves)
        values = values[np.isfinite(values) & (values > 0)]
        ends = np.log10([values.min(), values.max()]) if values.size else np.zeros(2)
        for self.step in DECADES:
            self.low = math.floor(ends[0] / self.step) * self.step
            if ends[1] <= self.low + STEPS * self.step:
                break
        for i, label in enumerate(self._labels):
            label.set_text(power_of_ten(self.low + i * self.step))

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where the values stand, 0 to 1; NaN for 0 and for what is not finite."""
        with np.errstate(divide="ignore", invalid="ignore"):
            y = (np.log10(values) - self.low) / (STEPS * self.step)
        return np.where(np.isfinite(y), y, np.nan)


class SizePanel:
    """Sizes by layer on a log axis: measured, and as the theory expects; and where they end."""

    def __init__(self, axes: Axes, title: str, color: str) -> None:
        axes.set_title(title)
        axes.set(xlim=(-0.03, 1.03), xticks=())
        self._axis = LogAxis(axes)
        self._beyond = axes.add_patch(Rectangle((0, -0.04), 0, 1.08, animated=True, **BEYOND))
        look = {"color": MUTED, "linewidth": 1, "linestyle": ":", "animated": True}
        (self._layer,) = axes.plot([0, 0], [-0.04, 1.04], **look)
        look = {"marker": "o", "markersize": 3.5, "linewidth": 1.5, "animated": True}
        (self._measured,) = axes.plot([], [], color=color, label="measured", **look)
        look = {"color": INK, "linestyle": "--", "linewidth": 1.3, "animated": True}
        (self._theory,) = axes.plot([], [], label="theory", **look)
        look = {"ha": "center", "va": "center", "size": 9, "weight": "bold"}
        self._words = axes.add_artist(Readout(0, 0.5, **look))
        look = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top", "size": 9}
        self._ticks = [axes.add_artist(Readout(0, -0.06, **look)) for _ in range(TICKS)]

    def show(self, sizes: np.ndarray, expected: np.ndarray, layer: int) -> None:
        self._axis.fit(sizes, expected)
        place = np.linspace(0, 1, len(sizes))
        self._measured.set_data(place, self._axis.place(sizes))
        self._theory.set_data(place, self._axis.place(expected))
        self._layer.set_xdata([place[layer - 1]] * 2)
        layers = np.unique(np.linspace(1, len(sizes), TICKS).round().astype(int))
        for tick, number in zip(self._ticks, layers, strict=False):
            tick.set(x=place[number - 1], text=str(number))
        for tick in self._ticks[len(layers) :]:
            tick.set_text("")
        self._mark(sizes, place)

    def _mark(self, sizes: np.ndarray, place: np.ndarray) -> None:
        """Shade the layers whose size is not finite, or else those where it is 0."""
        bad, word = ~np.isfinite(sizes), "overflow"
        if not bad.any():
            bad, word = sizes == 0, "exactly 0"
        ends = place[bad][[0, -1]] if bad.any() else np.zeros(2)
        half = bool(bad.any()) * (place[1] - place[0]) / 2
        left, right = max(ends[0] - half, -0.03), min(ends[1] + half, 1.03)
        self._beyond.set(x=left, width=right - left)
        middle = min(max((left + right) / 2, 0.1), 0.9)  # no word over the numbers of the axis
        self._words.set(x=middle, text=word if bad.any() else "")


class Histogram:
    """The distribution of an array on an axis from −limit to limit, its highest bar 1."""

    def __init__(self, axes: Axes, color: str) -> None:
        axes.set(xlim=(-1.02, 1.02), ylim=(0, 1.25), yticks=())
        axes.set_xticks((-1, 0, 1), ("", "0", ""))
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=":")
        edges = np.linspace(-1, 1, BINS + 1)
        look = {"facecolor": color, "fill": True, "animated": True}
        self._bars = axes.add_patch(StepPatch(np.zeros(BINS), edges, **look))
        look = {"transform": axes.get_xaxis_transform(), "va": "top", "size": 9}
        self._ends = [
            axes.add_artist(Readout(x, -0.075, ha=ha, **look))
            for x, ha in ((-1, "left"), (1, "right"))
        ]
        look = {"transform": axes.transAxes, "ha": "center", "va": "center", "weight": "bold"}
        self._words = axes.add_artist(Readout(0.5, 0.85, **look))

    def show(self, heights: np.ndarray, limit: float) -> None:
        """What :func:`bin_values` gives."""
        self._bars.set_data(heights)
        for sign, label in zip(("−", ""), self._ends, strict=True):
            label.set_text(f"{sign}{limit:g}".replace("e-", "e−") if limit > 0 else "")
        words = "" if limit > 0 else "all 0" if limit == 0 else "not finite"
        self._words.set_text(words)


def bin_values(x: np.ndarray) -> tuple[np.ndarray, float]:
    """The heights (BINS,), highest 1, and the limit: 1, 2 or 5 times a power of ten, not under |x|.

    The limit is 0 when every entry is. When one is not finite it is NaN, and the heights are 0.
    """
    x = np.asarray(x, dtype=np.float64).ravel()
    peak = float(np.abs(x).max())
    if not math.isfinite(peak):
        return np.zeros(BINS), math.nan
    limit = round_up(peak) if peak else 0.0
    counts, _ = np.histogram(x / (limit or 1), BINS, (-1, 1))
    return counts / counts.max(), limit


def round_up(x: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least x > 0."""
    exponent = math.floor(math.log10(x))
    candidates = [float(f"{digit}e{exponent}") for digit in (1, 2, 5, 10)]
    return next(c for c in candidates if c >= x * (1 - 1e-12))
