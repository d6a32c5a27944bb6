"""Learning-rate schedules overlaid, and what each of them does to the loss in a noisy valley."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Slider, Stops, Toggle
from bpbook.style import MUTED, SERIES, Series
from bpbook.training.schedules import (
    ReduceOnPlateau,
    Schedule,
    constant,
    cosine,
    exponential_decay,
    one_cycle,
    step_decay,
    warmup,
)

NAMES = ("constant", "step decay", "exponential", "cosine", "one cycle", "on plateau")
LOOKS = tuple(SERIES[i] for i in (2, 0, 3, 1, 4, 5))  # the constant rate is the dotted one

#: The valley ½ Σ λ x²: curvatures, squares of the start, variance of each entry of the gradient.
CURVATURES, START, VARIANCE = (1.0, 0.05), (1.0, 4.0), 0.1
LOSSES = (2e-3, 3.0)  # the axis; the start is at 0.6
EXPLODED = 1e3  # a run that was once above it is given up


@dataclass(frozen=True)
class Runs:
    """The schedules that are shown: their rates and expected losses, (n,) each, by name."""

    steps: int
    peak: float
    T_max: int
    rises: bool  # the cosine, after its lowest point
    rates: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]

    @property
    def last(self) -> dict[str, float]:
        """The loss at the end, NaN for a run that exploded on the way."""
        return {name: float(_alive(losses)[-1]) for name, losses in self.losses.items()}

    @property
    def best(self) -> str | None:
        """The schedule with the lowest loss at the end, None when all exploded."""
        last = {name: loss for name, loss in self.last.items() if np.isfinite(loss)}
        return min(last, key=last.get, default=None)


def descend(
    schedule: Schedule, steps: int, feed: Callable[[float], object] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(rates, losses) of ``steps`` steps of SGD in the valley; ``feed`` is told each loss.

    E[x²] ← (1 − ηλ)² E[x²] + η² σ², exactly, so no noise is drawn (chapter 11).
    """
    squares, rates, losses = list(START), [], []
    for t in range(steps):
        rate = schedule(t)
        squares = [
            (1 - rate * curvature) ** 2 * x2 + rate**2 * VARIANCE
            for curvature, x2 in zip(CURVATURES, squares, strict=True)
        ]
        loss = sum(c * x2 for c, x2 in zip(CURVATURES, squares, strict=True)) / 2
        rates.append(rate)
        losses.append(loss)
        if feed is not None:
            feed(loss)
    return np.array(rates), np.array(losses)


class Schedules(Explorer):
    """Overlay schedules, tick which ones to show, and see what each leaves of the loss."""

    title = "Learning-rate schedules"
    size = (7.2, 4.4)

    peak = Slider(0.5, min=0.02, max=2.5, step=0.02, label="largest rate η")
    steps = Slider(300, min=20, max=600, step=10, label="steps of the run")
    warm_up = Slider(0, min=0, max=200, step=5, label="warm-up steps")
    T_max = Slider(300, min=10, max=600, step=10, label="cosine: T_max")
    every = Slider(100, min=5, max=300, step=5, label="step decay: every")
    factor = Stops(0.1, (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0), label="factor of a cut")
    patience = Slider(10, min=0, max=100, label="on plateau: patience")
    constant = Toggle(True, label="show constant")
    step_decay = Toggle(True, label="show step decay")
    exponential = Toggle(False, label="show exponential")
    cosine = Toggle(True, label="show cosine")
    one_cycle = Toggle(True, label="show one cycle")
    on_plateau = Toggle(True, label="show on plateau")

    @staticmethod
    def simulate(
        peak: float,
        steps: int,
        warm_up: int,
        T_max: int,
        every: int,
        factor: float,
        patience: int,
        **shown: bool,
    ) -> Runs:
        plateau = ReduceOnPlateau(peak, factor, patience)
        schedules = {
            "constant": warmup(constant(peak), warm_up),
            "step decay": warmup(step_decay(peak, every, factor), warm_up),
            "exponential": warmup(exponential_decay(peak, factor ** (1 / every)), warm_up),
            "cosine": warmup(cosine(peak, T_max), warm_up),
            "one cycle": one_cycle(peak, steps),  # it has a warm-up of its own
            "on plateau": warmup(plateau, warm_up),
        }
        runs = {
            name: descend(schedule, steps, plateau.update if name == "on plateau" else None)
            for name, schedule in schedules.items()
            if shown[name.replace(" ", "_")]
        }
        rates, losses = ({name: run[i] for name, run in runs.items()} for i in (0, 1))
        rises = "cosine" in rates and warm_up + T_max < steps - 1
        return Runs(steps, peak, warm_up + T_max, rises, rates, losses)

    @staticmethod
    def describe(data: Runs) -> str:
        if not data.last:
            return f"No schedule is ticked; a run has {data.steps} steps."
        parts = ", ".join(f"{name} {_shown(loss)}" for name, loss in data.last.items())
        best = f"; lowest is {data.best}" if data.best and len(data.last) > 1 else ""
        rise = f"; the cosine rises again after step {data.T_max}" if data.rises else ""
        return (
            f"Expected loss after {data.steps} steps, η at most {data.peak:g}: {parts}{best}{rise}."
        )

    def build(self, figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        figure.subplots_adjust(left=0.085, right=0.745, top=0.93, bottom=0.115, hspace=0.25)
        above.set(title="The learning rate, as a share of the largest", ylim=(-0.04, 1.08))
        above.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), xticklabels=[])
        below.set(title="Expected loss of SGD in a noisy valley", ylim=LOSSES, yscale="log")
        below.set_xlabel("step", labelpad=15)
        for axes in (above, below):
            axes.grid(alpha=0.6)
        self._rates = [self._line(above, look) for look in LOOKS]
        self._losses = [self._line(below, look) for look in LOOKS]
        place = {"transform": below.get_xaxis_transform(), "size": 9, "va": "top", "ha": "center"}
        self._ticks = [below.add_artist(Readout(x, -0.06, **place)) for x in np.linspace(0, 1, 5)]
        handles = [above.plot([], [], color=k.color, linestyle=k.linestyle)[0] for k in LOOKS]
        above.legend(handles, NAMES, loc="upper left", bbox_to_anchor=(1.01, 1.05))
        figure.text(0.765, 0.43, "loss at the end", size=9, color=MUTED)
        rows = [0.38 - 0.05 * i for i in range(len(NAMES))]
        self._last = [figure.add_artist(Readout(0.765, y, size=9)) for y in rows]

    @staticmethod
    def _line(axes: Axes, look: Series):
        return axes.plot([], [], color=look.color, linestyle=look.linestyle, animated=True)[0]

    def draw(self, data: Runs) -> None:
        x = np.linspace(0, 1, data.steps)
        for row, name in enumerate(NAMES):
            there = name in data.rates
            self._rates[row].set_visible(there)
            self._losses[row].set_visible(there)
            if there:
                self._rates[row].set_data(x, data.rates[name] / data.peak)
                self._losses[row].set_data(x, _alive(data.losses[name]))
            said = f"{name}: {_shown(data.last[name])}" if there else ""
            self._last[row].set(text=said, weight="bold" if name == data.best else "normal")
        for tick, share in zip(self._ticks, (0, 0.25, 0.5, 0.75, 1), strict=True):
            tick.set_text(f"{share * data.steps:g}")


def _alive(losses: np.ndarray) -> np.ndarray:
    """The losses up to the first that is beyond EXPLODED, NaN from there on."""
    return np.where(np.maximum.accumulate(losses) < EXPLODED, losses, np.nan)


def _shown(loss: float) -> str:
    return f"{loss:.2g}" if np.isfinite(loss) else "exploded"
