"""The step of a difference: too large and the formula errs, too small and rounding does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout, number
from bpbook.explorers.settings import Choice, Slider, Stops
from bpbook.style import GRID, INK, MUTED, SERIES, VERMILLION


def exp_sin_square(z: np.ndarray) -> tuple[np.ndarray, ops.elementwise.Vjp]:
    """exp(sin(z²)), the chain of chapter 1."""
    a, square_vjp = ops.square(z)
    b, sin_vjp = ops.sin(a)
    c, exp_vjp = ops.exp(b)
    return c, lambda dc: square_vjp(sin_vjp(exp_vjp(dc)))


FUNCTIONS = {
    "exp(x)": ops.exp,
    "sin(x)": ops.sin,
    "tanh(x)": ops.tanh,
    "x²": ops.square,
    "relu(x)": ops.relu,
    "exp(sin(x²))": exp_sin_square,
}
FORMULAS = ("forward difference", "central difference", "complex step")
PRECISIONS = {"float32": np.float32, "float64": np.float64}
EXPONENTS = np.arange(-200, 1) / 10  # of the steps on the curves: ten in each decade
STEPS = 10.0**EXPONENTS
NEIGHBOURS = 7  # steps over which the noise of rounding is averaged: 0.6 decades
FLOOR = 1e-17  # where an error of 0 is drawn
THRESHOLDS = ((1e-7, "right"), (1e-4, "suspicious"), (np.inf, "wrong"))  # Q2.2.1-b, -c, -d


@dataclass(frozen=True)
class Differences:
    """Errors of the three formulas against the step, by E2.2.1-b: |D − f'|/(|D| + |f'|).

    curves: of each formula, at STEPS. h, error: the chosen step, and its error by the chosen
    formula; NaN when x + h rounds to x. typical: the same, averaged over neighbouring steps.
    least: the least typical error on the curve, met at the step measured. predicted: the step at
    which the error bound is least; infinite when the formula is exact, NaN at a kink.
    """

    title: str
    formula: str
    curves: dict[str, np.ndarray]
    h: float
    error: float
    typical: float
    least: float
    measured: float
    predicted: float
    kink: str  # where the step meets one

    @property
    def verdict(self) -> str:
        if np.isnan(self.error):
            return "is lost: x + h rounds to x"
        if self.kink:
            return self.kink
        if self.typical <= 4 * self.least:
            return "is as good as any" if self.formula == "complex step" else "is near the best"
        if self.h < self.predicted:
            return "is too small: rounding dominates"
        return "is too large: the formula's own error dominates"

    @property
    def called(self) -> str:
        """What the usual thresholds make of this derivative, which is right."""
        return next(name for limit, name in THRESHOLDS if not self.error >= limit)

    @property
    def agreement(self) -> str:
        """How far the measured best step lies from a predicted one."""
        what = "limit" if self.formula == "complex step" else "step"
        near = 1 / 3 < self.measured / self.predicted < 3
        where = "within a factor of 3 of" if near else "more than a factor of 3 from"
        return f", {where} the measured {what}"


def quotients(op, x: np.floating, h: np.ndarray, offset: float) -> dict[str, np.ndarray]:
    """The slope of op + offset at x by each formula, for steps h; in x's own precision.

    The differences are divided by the distance really moved: (x + h) − x, after rounding.
    """

    def f(z: np.ndarray) -> np.ndarray:
        return op(z)[0] + x.dtype.type(offset)

    h = h.astype(x.dtype)
    up, down, still = x + h, x - h, x + 0 * h
    # 0/0, where x + h rounds to x; overflow, where exp(sin(z²)) is far from the real line.
    with np.errstate(invalid="ignore", over="ignore"):
        sideways = f(still + 1j * h).imag / h
        return {
            "forward difference": (f(up) - f(still)) / (up - still),
            "central difference": (f(up) - f(down)) / (up - down),
            "complex step": np.where(np.isfinite(sideways), sideways, np.finfo(x.dtype).max),
        }


def derivatives(op, x: float) -> tuple[float, float, float]:
    """f', f'' and f''' at x: the op's vjp, its complex step, and a difference of that."""

    def second(at: float) -> float:
        return float(op(np.array(at + 1e-100j))[1](1.0).imag / 1e-100)

    k = 1e-4 * max(1.0, abs(x))
    third = (second(x + k) - second(x - k)) / (2 * k)
    return float(op(np.array(x))[1](1.0)), second(x), third


def best_step(formula: str, u: float, f: float, slopes: tuple[float, float, float]) -> float:
    """Where the error bound is least; for the complex step, below which it is under a rounding."""
    first, second, third = (abs(s) for s in slopes)
    with np.errstate(divide="ignore", invalid="ignore"):
        if formula == "forward difference" and second:
            best = 2 * np.sqrt(np.float64(u * abs(f)) / second)
        elif formula == "forward difference":  # an odd function at 0 errs by h²f'''/6
            best = np.cbrt(np.float64(6 * u * abs(f)) / third)
        elif formula == "central difference":
            best = np.cbrt(np.float64(3 * u * abs(f)) / third)
        else:
            best = np.sqrt(np.float64(6 * u * first) / third)
    return float(np.nan_to_num(best, nan=np.inf, posinf=np.inf))


def errors(slope: np.ndarray, true: float) -> np.ndarray:
    """|D − f'|/(|D| + |f'|) (E2.2.1-b), with 0/0 = 0; NaN stays."""
    gap, size = np.abs(slope - true), np.abs(slope) + abs(true)
    return np.where(size == 0, 0.0, gap / np.where(size == 0, 1.0, size))


def smooth(error: np.ndarray, u: float) -> np.ndarray:
    """The root mean square over neighbouring steps; a lost step counts as 1, luck as 4u."""
    square = np.maximum(np.nan_to_num(error, nan=1.0), 4 * u) ** 2
    edges = np.pad(square, NEIGHBOURS // 2, mode="edge")
    return np.sqrt(np.convolve(edges, np.full(NEIGHBOURS, 1 / NEIGHBOURS), mode="valid"))


class StepSize(Explorer):
    """Choose a function, a point, a precision and a step; see what the difference gets wrong."""

    title = "The step of a difference"
    size = (7.2, 4.3)

    exponent = Slider(-7.0, min=-20.0, max=0.0, step=0.1, label="step: log₁₀ h")
    function = Choice("exp(x)", tuple(FUNCTIONS))
    x = Slider(2.0, min=-5.0, max=5.0, step=0.1, label="point x")
    offset = Stops(0, (0, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000), label="add to f")
    formula = Choice("central difference", FORMULAS)
    precision = Choice("float64", tuple(PRECISIONS))

    @staticmethod
    def simulate(
        exponent: float, function: str, x: float, offset: float, formula: str, precision: str
    ) -> Differences:
        op, dtype = FUNCTIONS[function], PRECISIONS[precision]
        at, h, u = dtype(x), 10.0**exponent, float(np.finfo(dtype).eps) / 2
        f, slopes, bent = float(op(at)[0]) + offset, derivatives(op, float(at)), op is ops.relu
        found = quotients(op, at, np.append(STEPS, h), offset)
        curves = {name: errors(slope.astype(float), slopes[0]) for name, slope in found.items()}
        *curve, error = curves[formula]
        typical = smooth(np.array(curve), u)
        # The largest of equals; the complex step's errors lie on a level, with some noise.
        level = typical.min() * (1.5 if formula == "complex step" else 1)
        best = np.flatnonzero(typical <= level)[-1]
        added = f" + {offset:,}" if offset else ""
        return Differences(
            title=f"{function}{added} at x = {number(x)} in {precision}",
            formula=formula,
            curves={name: curve[:-1] for name, curve in curves.items()},
            h=h,
            error=float(error),
            typical=float(typical[np.abs(EXPONENTS - exponent).argmin()]),
            least=float(typical[best]),
            measured=float(STEPS[best]),
            predicted=np.nan if bent and at == 0 else best_step(formula, u, f, slopes),
            kink=_meets(at, h, formula) if bent else "",
        )

    @staticmethod
    def describe(data: Differences) -> str:
        # Powers of ten only: the last digits of exp, and so the noise, differ between machines.
        size = number(10.0 ** np.ceil(np.log10(data.typical)))
        judged = (
            f"errors around it are typically at most {size}, "
            f"and the usual thresholds call this one “{data.called}”"
        )
        return (
            f"{data.formula.capitalize()} of {data.title}: the step {number(data.h)} {data.verdict}"
            f"{'' if np.isnan(data.error) else f'; {judged}'}; {_best(data)}"
            f"{data.agreement if 0 < data.predicted < np.inf else ''}."
        )

    def build(self, figure: Figure) -> None:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.095, right=0.86, top=0.77, bottom=0.125)
        axes.set(xscale="log", yscale="log", xlim=(1e-20, 1), ylim=(FLOOR / 2, 3))
        axes.set(xlabel="step h", ylabel="error  |D − f′| / (|D| + |f′|)")
        ticks = [10.0**power for power in (-16, -12, -8, -4, 0)]
        axes.set_yticks([FLOOR, *ticks], ["0", *(f"$10^{{{p}}}$" for p in (-16, -12, -8, -4, 0))])
        axes.set_xticks([10.0**power for power in range(-20, 1, 4)])
        axes.minorticks_off()
        for limit, _ in THRESHOLDS[:2]:
            axes.axhline(limit, color=GRID, linewidth=1.2)
        for height, name in ((1e-12, "right"), (10**-5.5, "suspicious"), (10**-1.8, "wrong")):
            place = {"transform": axes.get_yaxis_transform(), "va": "center", "color": MUTED}
            axes.text(1.015, height, f"“{name}”", size=9, **place)
        self._curves = {}
        for name, look in zip(FORMULAS, (SERIES[1], SERIES[0], SERIES[2]), strict=True):
            style = {"color": look.color, "linestyle": look.linestyle, "label": name}
            (self._curves[name],) = axes.plot(STEPS, STEPS, animated=True, **style)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 0.06))
        mark = {"animated": True, "zorder": 4, "clip_on": False}
        (self._predicted,) = axes.plot([1, 1], [FLOOR / 2, 3], color=INK, lw=1.2, ls="--", **mark)
        (self._measured,) = axes.plot([1], [1], "v", color=INK, ms=9, **mark)
        (self._chosen,) = axes.plot([1], [1], "o", mfc="none", mec=VERMILLION, mew=2.5, **mark)
        self._chosen.set_markersize(12)
        self._words = [figure.add_artist(Readout(0.015, y)) for y in (0.94, 0.885, 0.83)]
        self._words[0].set_weight("bold")

    def draw(self, data: Differences) -> None:
        lost = np.isnan(data.error)
        for name, line in self._curves.items():
            line.set_ydata(np.maximum(data.curves[name], FLOOR))
            line.set_linewidth(2.4 if name == data.formula else 1)
        self._predicted.set_xdata([data.predicted] * 2)
        self._predicted.set_visible(0 < data.predicted < np.inf)
        self._measured.set_data([data.measured], [10 * data.least])
        self._chosen.set_data([data.h], [np.fmax(data.error, FLOOR)])
        self._chosen.set_visible(not lost)
        verdict, colon, why = data.verdict.partition(":")
        judged = "" if lost else f"; error {number(data.error)}, “{data.called}”"
        self._words[0].set_text(f"{data.title}: this step {verdict}")
        self._words[1].set_text(f"○ {data.formula}, h = {number(data.h)}{colon}{why}{judged}")
        self._words[2].set_text(f"▼ measured best step {number(data.measured)}; – – {_best(data)}")


def _meets(x: np.floating, h: float, formula: str) -> str:
    """How the points that the formula compares lie about a kink at 0; nothing when it is apart."""
    low = float(x) - (h if formula == "central difference" else 0)
    if formula != "complex step" and low < 0 < float(x) + h:
        return "straddles the kink at 0"
    return "" if x else "starts at the kink at 0"


def _best(data: Differences) -> str:
    if np.isnan(data.predicted):
        return "f has no slope at its kink, and there is no best step"
    if data.predicted == 0:
        return "f is 0 here, and no step is too small"
    if data.predicted == np.inf:
        return "the formula is exact near x, and has no best step"
    if data.formula == "complex step":
        return f"every step below {number(data.predicted)} is predicted to be as good"
    return f"the predicted best step is {number(data.predicted)}"
