"""The chain rule: a number goes through three functions, and their local slopes multiply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider
from bpbook.style import BLUE, INK, MUTED, VERMILLION

FUNCTIONS = ("identity", "square", "sin", "exp", "tanh", "relu")
WINDOW = 4.0  # the small pictures show −4 to 4 on both axes, so slopes look as steep as they are
REACH = 2.0  # x, the first input
# The whole may swing a thousand times faster than its parts, as sin(exp(exp(x))) does.
NEAR, FAR = np.linspace(-REACH, REACH, 2001), np.linspace(-WINDOW, WINDOW, 201)
NUDGE = 1e-5

# Across the figure: the middle of each small picture, and the numbers before, between and after.
MIDDLES = (0.195, 0.485, 0.775)
GAPS = (0.05, 0.34, 0.63, 0.925)
WIDTH, HEIGHT = 0.19, 0.285  # of a small picture; 7.2 × 0.19 = 4.8 × 0.285 inches: square
FACTS = (0.36, 0.29, 0.22)


@dataclass(frozen=True)
class Chain:
    """One number's way through the functions and back."""

    names: tuple[str, ...]
    values: tuple[float, ...]  # x = y_0, y_1, ..., y_n = z
    slopes: tuple[float, ...]  # f_k'(y_{k-1})
    slope: float  # of the whole: 1 pulled back through every step
    nudged: float  # the same, measured by moving x
    curves: tuple[np.ndarray, ...]  # each function on FAR, and last the whole on NEAR

    @property
    def formula(self) -> str:
        """The whole, as one writes it: exp(sin(x²))."""
        text = "x"
        for name in self.names:
            if name == "square":
                text = f"({text})²" if text.endswith("²") else f"{text}²"
            elif name != "identity":
                text = f"{name}({text})"
        return text


def compose(names: tuple[str, ...], x: np.ndarray) -> tuple[list, list]:
    """The values y_0, ..., y_n (arrays like x) and the vjp of each step."""
    values, vjps = [x], []
    for name in names:
        out, vjp = getattr(ops, name)(values[-1])
        values.append(out)
        vjps.append(vjp)
    return values, vjps


def number(value: float) -> str:
    """Three decimals; from a thousand on as 1.62e3, below a hundredth as 1.34e−3."""
    if not np.isfinite(value):
        return "undefined" if np.isnan(value) else "∞" if value > 0 else "−∞"
    value = round(float(value), 9) + 0.0  # no noise of rounding; adding 0.0 turns −0.0 into 0.0
    if value == 0 or 0.01 <= abs(value) < 1000:
        text = f"{value:.3f}"
    else:  # so that the slopes on show multiply to the one on show
        text = f"{value:.2e}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return text.replace("-", "−")


class ChainRule(Explorer):
    """Choose three functions and move x: the local slopes multiply to the slope of the whole."""

    title = "The chain rule"
    size = (7.2, 4.8)

    x = Slider(0.8, min=-REACH, max=REACH, step=0.01, label="x")
    first = Choice("square", FUNCTIONS, label="first function")
    second = Choice("sin", FUNCTIONS, label="second function")
    third = Choice("exp", FUNCTIONS, label="third function")

    @staticmethod
    def simulate(x: float, first: str, second: str, third: str) -> Chain:
        names = (first, second, third)
        with np.errstate(all="ignore"):
            values, vjps = compose(names, np.array(x))
            slope = np.array(1.0)
            for vjp in reversed(vjps):
                slope = vjp(slope)
            ends, _ = compose(names, np.array([x - NUDGE, x + NUDGE]))
            singles = [compose((name,), FAR)[0][-1] for name in names]
            return Chain(
                names=names,
                values=tuple(map(float, values)),
                slopes=tuple(float(vjp(1.0)) for vjp in vjps),
                slope=float(slope),
                nudged=float((ends[-1][1] - ends[-1][0]) / (2 * NUDGE)),
                curves=(*singles, compose(names, NEAR)[0][-1]),
            )

    @staticmethod
    def describe(data: Chain) -> str:
        start = f"x = {data.values[0]:.2f}".replace("-", "−")
        if not np.isfinite(data.values[-1]):
            step = int(np.argmin(np.isfinite(data.values)))
            return f"{start}: function {step}, {data.names[step - 1]}, overflows."
        product = " × ".join(map(number, data.slopes))
        return (
            f"{start}: {' → '.join(map(number, data.values))}; the slopes {product} multiply to "
            f"{number(data.slope)}, the slope of {data.formula}, and nudging x by 0.00001 measures "
            f"{number(data.nudged)}."
        )

    def build(self, figure: Figure) -> None:
        look = {"ha": "center", "va": "center", "size": 10}
        self._values = [figure.add_artist(Readout(x, 0.925, weight="bold", **look)) for x in GAPS]
        self._names = [figure.add_artist(Readout(x, 0.965, **look)) for x in MIDDLES]
        self._slopes = [figure.add_artist(Readout(x, 0.515, **look)) for x in MIDDLES]
        self._product = figure.add_artist(Readout(GAPS[3], 0.515, weight="bold", **look))
        for x in GAPS[1:3]:
            figure.text(x, 0.515, "×", ha="center", va="center", size=12)
        self._views = [self._build_step(figure, k) for k in range(3)]
        whole = figure.add_axes((0.09, 0.11, 0.47, 0.315), xlim=(-REACH, REACH), xlabel="x")
        self._views.append(View(whole, NEAR))
        self._facts = [figure.add_artist(Readout(0.60, y, va="center")) for y in FACTS]
        self._facts[0].set_weight("bold")

    def _build_step(self, figure: Figure, k: int) -> View:
        arrow = {"arrowstyle": "->", "color": MUTED}
        start, end = ((MIDDLES[k] + side * WIDTH, 0.925) for side in (-0.45, 0.45))
        fraction = "figure fraction"
        box = (MIDDLES[k] - WIDTH / 2, 0.595, WIDTH, HEIGHT)
        axes = figure.add_axes(box, xlim=(-WINDOW, WINDOW))
        axes.annotate("", end, start, xycoords=fraction, textcoords=fraction, arrowprops=arrow)
        return View(axes, FAR)

    def draw(self, data: Chain) -> None:
        for label, value in zip(self._values, data.values, strict=True):
            label.set_text(number(value))
        for label, name in zip(self._names, data.names, strict=True):
            label.set_text(name)
        for label, slope in zip(self._slopes, data.slopes, strict=True):
            label.set_text(f"slope {number(slope)}")
        self._product.set_text(f"= {number(data.slope)}")
        steps = zip(data.values, data.values[1:], data.slopes, strict=False)
        views = [*steps, (data.values[0], data.values[-1], data.slope)]
        for view, curve, (x, y, slope) in zip(self._views, data.curves, views, strict=True):
            view.show(curve, x, y, slope)
        facts = (
            data.formula,
            f"has slope {number(data.slope)}, the product;",
            f"nudging x by 0.00001 gives {number(data.nudged)}",
        )
        for label, text in zip(self._facts, facts, strict=True):
            label.set_text(text)


class View:
    """One curve with a point on it and the tangent there."""

    def __init__(self, axes: Axes, inputs: np.ndarray) -> None:
        axes.set(ylim=(-WINDOW, WINDOW))
        axes.set_yticks((-4, -2, 0, 2, 4), ("−4", "", "0", "", "4"))
        ticks = np.linspace(*axes.get_xlim(), 5)
        axes.set_xticks(ticks, [f"{t:.0f}".replace("-", "−") for t in ticks])
        axes.grid(True)
        self._inputs = inputs
        [self._curve] = axes.plot([], [], "-", color=BLUE, animated=True)
        [self._guides] = axes.plot([], [], ":", color=INK, lw=1, animated=True)
        [self._tangent] = axes.plot([], [], "--", color=VERMILLION, lw=1.8, animated=True)
        [self._point] = axes.plot([], [], "o", color=INK, clip_on=False, animated=True)

    def show(self, curve: np.ndarray, x: float, y: float, slope: float) -> None:
        """A point outside the window is drawn hollow at its edge, and an overflow likewise."""
        edge = self._inputs[-1]
        self._curve.set_data(self._inputs, np.clip(curve, -9 * WINDOW, 9 * WINDOW))
        at = np.clip(x, -edge, edge), np.clip(y, -WINDOW, WINDOW)
        self._point.set_data([at[0]], [at[1]])
        self._point.set_markerfacecolor(INK if at == (x, y) else "white")
        self._guides.set_data([at[0], at[0], -edge], [-WINDOW, at[1], at[1]])
        run = np.array([-0.6, 0.6]) * edge / np.hypot(1, slope)
        drawable = np.isfinite([x, y, slope]).all()
        self._tangent.set_data((x + run, y + slope * run) if drawable else ([], []))
