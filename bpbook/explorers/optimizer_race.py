"""Optimizers race from one start to the minimum of a landscape."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bpbook.explorers.live import Live
from bpbook.explorers.moving_axes import LogAxis
from bpbook.explorers.race import LIMIT, OPTIMIZERS, Race, Racer
from bpbook.explorers.readout import Readout, number
from bpbook.explorers.records import StepAxis
from bpbook.explorers.settings import Choice, Several, Slider, Stops
from bpbook.style import INK, MUTED, SERIES, VERMILLION
from bpbook.theory.landscapes import LANDSCAPES

RATES = tuple(
    float(f"{d}e{p}") for p in range(-4, 1) for d in (1, 1.5, 2, 3, 5, 7) if d * 10**p < 3
)
RATE_SPAN = (1e-4, 100)  # of the axis; its right end has words
SPANS = (100, 200, LIMIT)  # of the axis of steps, which grows
MARKERS = "osD^vPX<>hp"
LOSS_SPAN = (1e-16, 1e8)  # what is below or above stands on the edge
USUAL_LOSSES = np.array([1e-4, 1e4])  # the axis always holds them, and so seldom changes
MAP_POINTS = 120
RULES = ("SGD", "Momentum", "Nesterov")  # those with a known limit


def look(name: str) -> dict[str, Any]:
    """Colour, line and marker of an optimizer; no two share all three."""
    i = list(OPTIMIZERS).index(name)
    turn, place = divmod(i, len(SERIES))
    linestyle = SERIES[(place + 3 * turn) % len(SERIES)].linestyle
    return {"color": SERIES[place].color, "linestyle": linestyle, "marker": MARKERS[i]}


class OptimizerRace(Live):
    """Drag the start over the map, choose who runs, and see who arrives, who swings, who flies off.

    The learning rate is that of every optimizer; the momentum is μ of those that have one, and β₁
    of Adam, its family and Lion. A changed setting takes the race to the same step again.
    """

    title = "Optimizer race"
    size = (7.2, 5.4)
    replays = True

    optimizers = Several(("SGD", "Momentum", "RMSProp", "Adam"), tuple(OPTIMIZERS))
    learning_rate = Stops(0.1, RATES, label="learning rate η")
    momentum = Slider(0.9, min=0.0, max=0.99, step=0.01, label="momentum μ, β₁")
    start_x = Slider(-4.0, min=-5.0, max=5.0, step=0.05, label="start x")
    start_y = Slider(1.5, min=-5.0, max=5.0, step=0.05, label="start y")
    landscape = Choice("quadratic", tuple(LANDSCAPES))

    def __init__(self, **settings: Any) -> None:
        super().__init__(**_with_start(settings))

    def update(self, **settings: Any) -> None:
        """As every explorer's; a new landscape brings its own start, unless one is given."""
        super().update(**_with_start(settings))

    @staticmethod
    def simulate(
        optimizers: tuple[str, ...],
        learning_rate: float,
        momentum: float,
        start_x: float,
        start_y: float,
        landscape: str,
    ) -> Race:
        where = LANDSCAPES[landscape]
        return Race(where, optimizers, learning_rate, momentum, (start_x, start_y))

    @staticmethod
    def describe(data: Race) -> str:
        limit, eta = data.limits["SGD"], number(data.learning_rate)
        side = "is below" if data.stable("SGD") else "is not below"
        stability = f"η = {eta} {side} SGD's limit 2/λ_max = {number(limit, 3)}"
        standings = ", ".join(f"{r.name} {_standing(data, r)}" for r in data.racers)
        where = f"Step {data.steps} on the {data.landscape.name} landscape"
        return f"{where}, loss above the minimum: {standings or 'nobody runs'}; {stability}."

    def hand(self, phase: str, x: float, y: float) -> None:
        if phase != "up":
            self.update(start_x=x, start_y=y)

    def build(self, figure: Figure) -> None:
        self.hand_axes = self._map = figure.add_axes((0.06, 0.345, 0.52, 0.605))
        self._build_losses(figure.add_axes((0.675, 0.63, 0.305, 0.32)))
        self._build_standings(figure)
        self._build_stability(figure.add_axes((0.24, 0.1, 0.34, 0.13)))
        self._map_title = self._map.set_title("")
        self._still: list[Any] = []
        self._shown: str | None = None
        self._trails = {
            name: self._map.plot([], [], animated=True, linewidth=1.6, **_bare(name))[0]
            for name in OPTIMIZERS
        }
        self._heads = {
            name: self._map.plot([], [], animated=True, zorder=3, **_dot(name))[0]
            for name in OPTIMIZERS
        }
        ring = {"marker": "o", "markersize": 13, "markerfacecolor": "none", "markeredgewidth": 2}
        (self._start_ring,) = self._map.plot([], [], color=INK, animated=True, zorder=4, **ring)

    def _build_losses(self, axes: Axes) -> None:
        axes.set_title("Loss above the minimum")
        self._loss_axis, self._step_axis = LogAxis(axes), StepAxis(axes)
        self._losses = {
            name: axes.plot([], [], animated=True, linewidth=1.6, **_bare(name))[0]
            for name in OPTIMIZERS
        }

    def _build_standings(self, figure: Figure) -> None:
        text = {"transform": figure.transFigure, "va": "center", "size": 9.5}
        heading = Readout(0.635, 0.53, weight="bold", **text)
        self._step_label = figure.add_artist(heading)
        place = {"transform": figure.transFigure, "animated": True, "markevery": [1]}
        self._rows = {}
        for name in OPTIMIZERS:
            line = Line2D((0.635, 0.665, 0.695), [0] * 3, **place, **look(name))
            line.set(linewidth=1.6, markersize=6, markeredgecolor="white", markeredgewidth=0.5)
            row = (line, Readout(0.71, text=name, **text), Readout(0.985, ha="right", **text))
            self._rows[name] = tuple(figure.add_artist(artist) for artist in row)

    def _build_stability(self, axes: Axes) -> None:
        axes.set(xscale="log", xlim=RATE_SPAN, ylim=(2.6, -0.6), xlabel="learning rate η")
        axes.set_yticks(range(3), RULES)
        axes.tick_params(axis="y", length=0, pad=65)  # before each limit
        axes.set_title("Stable at the minimum: η in the bar", x=-0.67)  # above all three columns
        self._bars = axes.barh(range(3), [1] * 3, height=0.62, color="#C9DDEE", animated=True)
        (self._rate_line,) = axes.plot([1, 1], [2.6, -0.6], color=INK, animated=True)
        beside = {"transform": axes.get_yaxis_transform(), "va": "center", "size": 9, "ha": "right"}
        rows = range(3)
        self._limits = [axes.add_artist(Readout(-0.02, row, **beside)) for row in rows]
        beside |= {"color": VERMILLION}
        self._verdicts = [axes.add_artist(Readout(0.99, row, **beside)) for row in rows]

    def draw(self, data: Race) -> None:
        if self._shown != data.landscape.name:
            self._draw_map(data)
        floor = float(data.landscape.op(np.array(data.landscape.minimum))[0])
        heights = {r.name: np.clip(r.losses[: r.end] - floor, *LOSS_SPAN) for r in data.racers}
        self._loss_axis.fit(*heights.values(), USUAL_LOSSES)
        self._start_ring.set_data(*data.start[:, None])
        self._step_axis.fit(next(span for span in SPANS if data.steps <= span))
        self._step_label.set_text(f"At step {data.steps}")
        absent = dict.fromkeys(OPTIMIZERS)
        racers: dict[str, Racer | None] = {**absent, **{r.name: r for r in data.racers}}
        for name, racer in racers.items():
            points = racer.points[: racer.end] if racer else np.empty((0, 2))
            self._trails[name].set_data(*points.T)
            self._heads[name].set_data(*points[-1:].T)
            height = self._loss_axis.place(heights.get(name, np.empty(0)))
            self._losses[name].set_data(self._step_axis.place(np.arange(len(height))), height)
            for artist in self._rows[name]:
                artist.set_visible(racer is not None)
        self._draw_standings(data)
        self._draw_stability(data)

    def _draw_standings(self, data: Race) -> None:
        for i, racer in enumerate(data.racers):
            y = 0.48 - 0.0425 * i
            line, name, standing = self._rows[racer.name]
            line.set_ydata([y] * 3)
            name.set_y(y)
            lost = racer.diverged is not None
            text = f"diverged at {racer.diverged}" if lost else _standing(data, racer)
            standing.set(y=y, text=text, color=VERMILLION if lost else INK)

    def _draw_stability(self, data: Race) -> None:
        self._rate_line.set_xdata([data.learning_rate] * 2)
        for i, rule in enumerate(RULES):
            limit = data.limits[rule]
            self._bars[i].set(x=RATE_SPAN[0], width=limit - RATE_SPAN[0])
            self._limits[i].set_text(f"η < {number(limit, 3)}")
            self._verdicts[i].set_text("" if data.stable(rule) else "unstable")

    def _draw_map(self, data: Race) -> None:
        """The still part, anew for another landscape."""
        for artist in self._still:
            artist.remove()
        landscape, axes = data.landscape, self._map
        (x0, x1), (y0, y1) = landscape.window
        x, y = np.linspace(x0, x1, MAP_POINTS), np.linspace(y0, y1, MAP_POINTS)
        value = landscape.op(np.stack(np.meshgrid(x, y), axis=-1))[0]
        height = np.sqrt(value - value.min())  # contours closer together where it is low
        levels = np.linspace(0, height.max(), 15)
        filled = axes.contourf(x, y, height, levels=levels, cmap="Greys", vmax=3 * height.max())
        lines = axes.contour(x, y, height, levels=levels, colors=MUTED, linewidths=0.4)
        star = {"marker": "*", "markersize": 15, "color": "white", "markeredgecolor": INK}
        (minimum,) = axes.plot(*landscape.minimum, linestyle="", **star)
        self._still = [filled, lines, minimum]
        axes.set(xlim=(x0, x1), ylim=(y0, y1))
        self._map_title.set_text(f"The {landscape.name} landscape: drag the ring")
        self._shown = landscape.name


def _standing(data: Race, racer: Racer) -> str:
    if racer.diverged is not None:
        return f"diverged at step {racer.diverged}"
    floor = float(data.landscape.op(np.array(data.landscape.minimum))[0])
    return number(max(racer.loss - floor, 0.0))


def _bare(name: str) -> dict[str, Any]:
    return {**look(name), "marker": ""}


def _dot(name: str) -> dict[str, Any]:
    edge = {"markersize": 8, "markeredgecolor": "white", "markeredgewidth": 0.8}
    return {**look(name), "linestyle": "", **edge}


def _with_start(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the start of the landscape that they name, if any."""
    landscape = LANDSCAPES.get(settings.get("landscape"))
    if landscape is None:
        return settings
    return {**dict(zip(("start_x", "start_y"), landscape.start, strict=True)), **settings}
