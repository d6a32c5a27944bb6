"""Softmax and cross-entropy: three scores, their shares, and which way the loss pushes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider, Stops
from bpbook.style import BLUE, INK, MUTED, ORANGE, SKY, VERMILLION

CLASSES = ("three", "five", "eight")
PRECISIONS = (np.float32, np.float64)
OFFSETS = (0, 10, 20, 50, 80, 85, 88, 90, 100, 200, 500, 700, 705, 710, 1000, 2000, 5000, 10000)
#: log10 of the largest finite number of each precision: 38.5 and 308.3.
LIMITS = tuple(float(np.log10(np.finfo(dtype).max)) for dtype in PRECISIONS)
POWERS = (-50, 400)  # of ten, on the axis of Σ e^z


@dataclass(frozen=True)
class Scores:
    """What three scores give. The arrays have shape (3,), and z is what softmax takes."""

    z: np.ndarray  # (score + offset) / T
    p: np.ndarray
    push: np.ndarray  # p − y, the gradient of the loss for z
    loss: float
    true: int
    unshifted: tuple[np.ndarray, ...]  # e^z / Σ e^z as written, in each precision

    @property
    def power(self) -> float:
        """log10 of Σ e^z."""
        return float(np.logaddexp.reduce(self.z) / np.log(10))

    @property
    def fits(self) -> tuple[bool, ...]:
        """Whether Σ e^z is finite in each precision, so that the shares add up to 1."""
        return tuple(bool(np.isclose(p.sum(), 1)) for p in self.unshifted)


def unshifted_softmax(z: np.ndarray) -> np.ndarray:
    """e^z / Σ e^z as written (E1.3.2-f), with no shift: NaN where e^z overflows. z: (K,)."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return e / e.sum()


def _numbers(*values: float) -> str:
    # Adding 0.0 to the rounded value turns -0.0 into 0.0.
    text = ", ".join(f"{np.round(float(value), 3) + 0.0:.3f}" for value in values)
    return text.replace("-", "−")


class SoftmaxCrossEntropy(Explorer):
    """Move three scores; see p, p − y and the loss, and where Σ e^z overflows without the shift."""

    title = "Softmax and cross-entropy"
    size = (7.2, 4.3)

    three = Slider(2.0, min=-10.0, max=10.0, step=0.1, label="score of “three”")
    five = Slider(1.0, min=-10.0, max=10.0, step=0.1, label="score of “five”")
    eight = Slider(0.1, min=-10.0, max=10.0, step=0.1, label="score of “eight”")
    true_class = Choice("five", CLASSES, label="true class")
    temperature = Stops(1, (0.1, 0.2, 0.5, 1, 2, 5, 10), label="temperature T")
    offset = Stops(0, OFFSETS, label="add to all scores")

    @staticmethod
    def simulate(
        three: float, five: float, eight: float, true_class: str, temperature: float, offset: float
    ) -> Scores:
        z = (np.array([three, five, eight]) + offset) / temperature
        true = CLASSES.index(true_class)
        p, _ = ops.softmax(z)
        loss, vjp = ops.softmax_cross_entropy(z[None], np.eye(3)[true][None])
        unshifted = tuple(unshifted_softmax(z.astype(dtype)) for dtype in PRECISIONS)
        return Scores(z, p, vjp()[0], float(loss), true, unshifted)

    @staticmethod
    def describe(data: Scores) -> str:
        verdicts = (
            f"{np.dtype(dtype).name} gives ({_numbers(*p)}){'' if fits else ', as Σ e^z is ∞,'}"
            for dtype, p, fits in zip(PRECISIONS, data.unshifted, data.fits, strict=True)
        )
        return (
            f"z = ({_numbers(*data.z)}) gives p = ({_numbers(*data.p)}); the true class is "
            f"“{CLASSES[data.true]}”, so the loss is {_numbers(data.loss)} and "
            f"p − y = ({_numbers(*data.push)}); without the shift "
            f"{' and '.join(verdicts).rstrip(',')}."
        )

    def build(self, figure: Figure) -> None:
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.75, 1))
        share, push = top.subplots(1, 2)
        top.subplots_adjust(left=0.06, right=0.985, top=0.87, bottom=0.12, wspace=0.2)
        reach = bottom.subplots()
        bottom.subplots_adjust(left=0.10, right=0.66, top=0.80, bottom=0.32)
        self._build_share(share)
        self._build_push(push)
        self._build_reach(reach)

    def _build_share(self, axes: Axes) -> None:
        axes.set(title="p: the share each score gets", ylim=(0, 1.3), xlim=(-0.6, 2.6))
        axes.set_xticks(range(3), CLASSES)
        axes.set_yticks((0, 0.5, 1))
        self._shares = axes.bar(range(3), [0] * 3, width=0.62, color=SKY, animated=True)
        dashed = {"fill": False, "edgecolor": INK, "linestyle": "--", "linewidth": 1.3}
        self._target = axes.add_patch(Rectangle((0, 0), 0.78, 1, animated=True, **dashed))
        self._share_labels = [axes.add_artist(Readout(x, ha="center")) for x in range(3)]
        corner = {"transform": axes.transAxes, "ha": "right", "va": "top"}
        self._loss = axes.add_artist(Readout(1, 0.99, weight="bold", **corner))

    def _build_push(self, axes: Axes) -> None:
        axes.set(title="p − y: gradient at softmax's inputs", ylim=(-1.3, 1.3), xlim=(-0.6, 2.6))
        axes.set_xticks(range(3), CLASSES)
        axes.set_yticks((-1, 0, 1), ("−1", "0", "1"))
        axes.axhline(0, color=MUTED, linewidth=1)
        self._pushes = axes.bar(range(3), [0] * 3, width=0.62, animated=True)
        self._push_labels = [axes.add_artist(Readout(x, ha="center")) for x in range(3)]

    def _build_reach(self, axes: Axes) -> None:
        axes.set(title="Without the shift: does $\\Sigma\\, e^z$ fit?", xlim=POWERS)
        axes.set_yticks((0, 1), [np.dtype(dtype).name for dtype in PRECISIONS])
        ticks = range(0, 401, 100)
        axes.set_xticks(ticks, [f"$10^{{{power}}}$" for power in ticks])
        axes.set(xlabel="$\\Sigma\\, e^z$", ylim=(1.5, -0.5))
        for row, limit in enumerate(LIMITS):
            self._mark_overflow(axes, row, limit)
        self._reaches = axes.barh((0, 1), [0, 0], height=0.3, animated=True)
        right = axes.get_yaxis_transform()
        axes.text(1.04, -0.72, "$e^z / \\Sigma\\, e^z$ then gives p =", transform=right)
        look = {"transform": right, "va": "center"}
        self._verdicts = [axes.add_artist(Readout(1.04, row, **look)) for row in (0, 1)]

    @staticmethod
    def _mark_overflow(axes: Axes, row: int, limit: float) -> None:
        beyond = Rectangle((limit, row - 0.4), POWERS[1] - limit, 0.8, facecolor="#EEEEEE")
        axes.add_patch(beyond)
        axes.vlines(limit, row - 0.4, row + 0.4, color=INK, linewidth=1.5)
        axes.text(limit + 5, row - 0.22, "overflow: ∞", color=MUTED, size=8, va="center")

    def draw(self, data: Scores) -> None:
        for bar, label, p in zip(self._shares, self._share_labels, data.p, strict=True):
            bar.set_height(p)
            label.set(y=p + 0.035, text=_numbers(p))
        self._target.set_x(data.true - 0.39)
        self._loss.set_text(f"loss = −log p = {_numbers(data.loss)}")
        for bar, label, push in zip(self._pushes, self._push_labels, data.push, strict=True):
            up = push >= 0
            bar.set(height=push, facecolor=ORANGE if up else BLUE, hatch="//" if up else "")
            label.set(y=push + (0.06 if up else -0.06), va="bottom" if up else "top")
            label.set_text(_numbers(push))
        self._draw_reach(data)

    def _draw_reach(self, data: Scores) -> None:
        for row, bar in enumerate(self._reaches):
            color = BLUE if data.fits[row] else VERMILLION
            bar.set(width=np.clip(data.power, *POWERS), facecolor=color)
            bar.set_y(row + 0.05)
            self._verdicts[row].set_text(_numbers(*data.unshifted[row]))
