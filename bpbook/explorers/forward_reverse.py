"""Forward mode against reverse mode: the price of a whole Jacobian, counted and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bpbook.autodiff import functional as F
from bpbook.autodiff import jvp, lift, vjp
from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Slider
from bpbook.style import INK, MUTED, SERIES
from bpbook.timing import fastest

HIDDEN = 64
MOST = 256  # inputs, and outputs
SIDE = 0.30  # the Jacobian's longer side, as a share of the figure's width
THIN = 0.016  # its shorter side is drawn at least so long
COUNTS, TIMES = (1e2, 1e11), (1e-3, 1e5)  # of the bars' axes; the numbers stand beside the bars


@dataclass(frozen=True)
class Costs:
    """What a whole Jacobian (m, n) costs in both modes: forward first, then reverse."""

    n: int
    m: int
    multiply_adds: tuple[int, int]
    milliseconds: tuple[float, float]

    @property
    def verdict(self) -> str:
        forward, reverse = self.multiply_adds
        if forward == reverse:
            return "both modes cost the same"
        dear = "forward" if forward > reverse else "reverse"
        ratio = max(self.multiply_adds) / min(self.multiply_adds)
        return f"{dear} mode costs {ratio:.1f} times as much"


def program(A: np.ndarray, B: np.ndarray) -> Callable:
    """x (n,) -> B tanh(A x) (m,), for A (hidden, n) and B (m, hidden), which stay as they are."""
    first, second = lift(_times(A)), lift(_times(B))
    return lambda x: second(F.tanh(first(x)))


def _times(A: np.ndarray) -> Callable:
    """x -> A x as an op of x alone: nobody asks for the slope of A."""
    return lambda x: (A @ x, lambda d: A.T @ d)


def by_columns(f: Callable, x: np.ndarray) -> np.ndarray:
    """The Jacobian of f by forward mode: a sweep for each input gives a column."""
    return np.stack([jvp(f)(x, e)[1] for e in np.eye(len(x))], axis=1)


def by_rows(f: Callable, x: np.ndarray) -> np.ndarray:
    """The Jacobian of f by reverse mode: a sweep for each output gives a row."""
    value, pullback = vjp(f)(x)
    return np.stack([pullback(e) for e in np.eye(len(value))])


def count(n: int, m: int) -> tuple[int, int]:
    """Multiply-adds of both modes. One evaluation of the program takes F = hidden (n + m).

    A dual number carries value and slope, so each of the n sweeps takes 2F. Reverse mode evaluates
    the program once, and each of its m sweeps takes F.
    """
    evaluation = HIDDEN * (n + m)
    return 2 * n * evaluation, (1 + m) * evaluation


@cache
def measure(n: int, m: int) -> tuple[float, float]:
    """Milliseconds of both modes on this machine; measured once, so that a picture stays."""
    rng = np.random.default_rng(0)
    f = program(rng.normal(size=(HIDDEN, n)) / n, rng.normal(size=(m, HIDDEN)))
    x = rng.normal(size=n)
    forward, reverse = fastest([lambda: by_columns(f, x), lambda: by_rows(f, x)], rounds=3)
    return 1e3 * forward, 1e3 * reverse


class ForwardReverse(Explorer):
    """Choose the numbers of inputs and outputs; see which mode finds the Jacobian for less."""

    title = "Forward mode or reverse mode"
    size = (7.2, 3.9)

    n = Slider(16, min=1, max=MOST, label="inputs n")
    m = Slider(4, min=1, max=MOST, label="outputs m")

    @staticmethod
    def simulate(n: int, m: int) -> Costs:
        return Costs(n, m, count(n, m), measure(n, m))

    @staticmethod
    def describe(data: Costs) -> str:
        # No milliseconds here: the words are the same on every machine.
        forward, reverse = data.multiply_adds
        return (
            f"{_number(data.n, 'input')}, {_number(data.m, 'output')}: forward mode takes "
            f"{_number(data.n, 'sweep')} and {forward:,} multiply-adds, reverse mode "
            f"{_number(data.m, 'sweep')} and {reverse:,}; {data.verdict}."
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """As every explorer's; its picture shows timings, so a refresh keeps the stored one."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        metadata["image/png"]["measured"] = True
        return data, metadata

    def build(self, figure: Figure) -> None:
        self._verdict = figure.add_artist(Readout(0.015, 0.935, weight="bold", size=10.5))
        figure.text(0.015, 0.86, "the Jacobian ∂y/∂x, m rows by n columns", size=9, color=MUTED)
        self._matrix = figure.add_artist(Rectangle((0, 0), 0, 0, fc="#EEEEEE", ec=INK))
        self._column = figure.add_artist(_strip(0))
        self._row = figure.add_artist(_strip(1))
        for patch in (self._matrix, self._column, self._row):
            patch.set_animated(True)
        self._sweeps = [figure.add_artist(Readout(0.075, y, size=9)) for y in (0.115, 0.05)]
        for mode, y in enumerate((0.115, 0.05)):
            key = _strip(mode)
            key.set_bounds(0.015, y - 0.012, 0.045, 0.04)
            figure.add_artist(key)
        bounds = (0.56, 0.56, 0.42, 0.2), (0.56, 0.17, 0.42, 0.2)
        titles = "multiply-adds, counted", "milliseconds, measured here"
        self._bars, self._labels = [], []
        for box, title, limits in zip(bounds, titles, (COUNTS, TIMES), strict=True):
            axes = figure.add_axes(box, xlim=limits, ylim=(1.55, -0.55), xscale="log", title=title)
            axes.set_yticks((0, 1), ("forward", "reverse"))
            axes.set_xticks([10.0**p for p in range(*np.log10(limits).round().astype(int), 3)])
            axes.minorticks_off()
            self._bars += axes.barh((0, 1), (1, 1), left=limits[0], height=0.66, animated=True)
            self._labels += [axes.add_artist(Readout(1, mode, va="center")) for mode in (0, 1)]
        for k, bar in enumerate(self._bars):
            bar.set(fc=SERIES[k % 2].color, hatch=SERIES[k % 2].hatch, ec="white")

    def draw(self, data: Costs) -> None:
        self._verdict.set_text(data.verdict[0].upper() + data.verdict[1:])
        self._draw_matrix(data)
        words = (
            f"forward: {_number(data.n, 'sweep')}, a column each",
            f"reverse: {_number(data.m, 'sweep')}, a row each",
        )
        for label, text in zip(self._sweeps, words, strict=True):
            label.set_text(text)
        starts = [COUNTS[0]] * 2 + [TIMES[0]] * 2
        texts = [f"{x:,}" for x in data.multiply_adds] + [f"{x:.2g}" for x in data.milliseconds]
        heights = [*data.multiply_adds, *data.milliseconds]
        for k, (start, height) in enumerate(zip(starts, heights, strict=True)):
            self._bars[k].set_width(max(height - start, 0))
            self._labels[k].set(x=max(height, start) * 1.5, text=texts[k])

    def _draw_matrix(self, data: Costs) -> None:
        """In proportion, its longer side always the same; one column and one row stand out."""
        unit = SIDE / max(data.n, data.m)
        aspect = self.size[0] / self.size[1]
        width, height = max(unit * data.n, THIN), max(unit * data.m, THIN) * aspect
        left, top = 0.2 - width / 2, 0.51 + height / 2
        self._matrix.set_bounds(left, top - height, width, height)
        across, down = max(unit, THIN / 2), max(unit, THIN / 2) * aspect
        self._column.set_bounds(left, top - height, min(across, width), height)
        self._row.set_bounds(left, top - min(down, height), width, min(down, height))


def _strip(mode: int) -> Rectangle:
    look = SERIES[mode]
    return Rectangle((0, 0), 0, 0, fc=look.color, hatch=look.hatch, ec="white", lw=0)


def _number(k: int, noun: str) -> str:
    return f"{k} {noun}{'s' * (k != 1)}"
