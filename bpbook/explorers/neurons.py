"""Three hidden neurons and their sum: how weights, biases and the activation bend a function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bpbook import ops
from bpbook.explorers.base import Explorer
from bpbook.explorers.readout import Readout
from bpbook.explorers.settings import Choice, Slider
from bpbook.style import BLUE, INK, MUTED, ORANGE, VERMILLION

ACTIVATIONS = {
    op.__name__: op
    for op in (
        ops.relu,
        ops.leaky_relu,
        ops.tanh,
        ops.sigmoid,
        ops.elu,
        ops.softplus,
        ops.gelu,
        ops.silu,
        ops.identity,
    )
}
X = np.linspace(-3, 3, 601)
REACH = 4.0  # of the axis of f
SUBSCRIPTS = "₁₂₃"
LOOKS = ((BLUE, "-"), (ORANGE, "--"), (VERMILLION, "-."))


@dataclass(frozen=True)
class Function:
    """f(x) = Σ v_i σ(w_i x + b_i) over ``X``.

    terms: (3, 601), v_i σ(w_i x + b_i). f, slope: (601,). zeros: where z_i = 0, NaN if nowhere.
    bends: x -> the change of f' there, for the corners of f, from left to right.
    """

    activation: str
    terms: np.ndarray
    f: np.ndarray
    slope: np.ndarray
    zeros: np.ndarray
    bends: dict[float, float]

    @property
    def straight(self) -> bool:
        """True when σ is made of straight pieces, and f has no corner."""
        return not self.bends and (self.activation == "identity" or corner(self.activation) > 0)

    @property
    def heights(self) -> np.ndarray:
        """f at its corners."""
        return np.interp(list(self.bends), X, self.f)


def corner(activation: str) -> float:
    """How much σ' jumps at z = 0: 1 for relu, 0.99 for leaky relu, 0 for a smooth activation."""
    tiny = np.array([-1e-12, 1e-12])
    left, right = ACTIVATIONS[activation](tiny)[1](np.ones(2))
    return round(float(right - left), 9)


def has_zero(w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether w x + b is 0 somewhere; beyond a million counts as nowhere."""
    return (w != 0) & (abs(b) <= 1e6 * abs(w))


def find_bends(activation: str, w: np.ndarray, b: np.ndarray, v: np.ndarray) -> dict[float, float]:
    """The corners of f: at x = −b/w the slope changes by v|w| times the jump of σ'.

    Neurons with one corner in common add up there, and may cancel; w = 0 makes no corner.
    """
    changes: dict[float, float] = {}
    for w_i, b_i, v_i in zip(w, b, v, strict=True):
        if has_zero(w_i, b_i):
            x = round(float(-b_i / w_i), 9) + 0.0  # adding 0.0 turns −0.0 into 0.0
            changes[x] = changes.get(x, 0.0) + float(v_i * abs(w_i)) * corner(activation)
    return {x: changes[x] for x in sorted(changes) if abs(changes[x]) > 1e-9}


def _number(x: float, sign: str = "") -> str:
    text = f"{x:{sign}.1f}" if abs(x * 10 - round(x * 10)) < 1e-6 else f"{x:{sign}.2f}"
    return text.replace("-", "−")


class Neurons(Explorer):
    """Bend a function of one input with three hidden neurons; see each one's part and the slope."""

    title = "Three neurons bend a line"
    size = (7.2, 3.9)

    # In this order two columns of controls pair each w with its b.
    w1 = Slider(1.0, min=-3.0, max=3.0, step=0.1, label="w₁")
    b1 = Slider(1.0, min=-3.0, max=3.0, step=0.1, label="b₁")
    w2 = Slider(2.0, min=-3.0, max=3.0, step=0.1, label="w₂")
    b2 = Slider(-1.0, min=-3.0, max=3.0, step=0.1, label="b₂")
    w3 = Slider(1.0, min=-3.0, max=3.0, step=0.1, label="w₃")
    b3 = Slider(-2.0, min=-3.0, max=3.0, step=0.1, label="b₃")
    v1 = Slider(1.0, min=-3.0, max=3.0, step=0.1, label="v₁")
    v2 = Slider(-1.0, min=-3.0, max=3.0, step=0.1, label="v₂")
    v3 = Slider(1.5, min=-3.0, max=3.0, step=0.1, label="v₃")
    activation = Choice("relu", tuple(ACTIVATIONS), label="activation σ")

    @staticmethod
    def simulate(activation: str, **weights: float) -> Function:
        w, b, v = (np.array([weights[f"{name}{i}"] for i in (1, 2, 3)]) for name in "wbv")
        z, back_to_x = ops.affine(X[:, None], w[:, None], b)
        a, back_to_z = ACTIVATIONS[activation](z)
        dx, _, _ = back_to_x(back_to_z(np.broadcast_to(v, a.shape)))  # ∂f/∂x, since ∂f/∂a = v
        near = has_zero(w, b)
        zeros = np.where(near, -b / np.where(near, w, 1), np.nan) + 0.0
        bends = find_bends(activation, w, b, v)
        return Function(activation, (a * v).T, a @ v, dx[:, 0], zeros, bends)

    @staticmethod
    def describe(data: Function) -> str:
        who = f"3 {data.activation} neurons"
        if data.bends:
            where = ", ".join(_number(x) for x in data.bends)
            change = ", ".join(_number(d, "+") for d in data.bends.values())
            return f"{who}: the function bends at x = {where}, where its slope changes by {change}."
        if data.straight:
            slope = (data.f[-1] - data.f[0]) / (X[-1] - X[0])
            return f"{who}: a straight line, of slope {_number(slope)}."
        centres = ", ".join(_number(x) for x in np.sort(data.zeros[np.isfinite(data.zeros)]))
        where = f"at x = {centres}" if centres else "nowhere"
        return f"{who}: a smooth function, with z = 0 {where}."

    def build(self, figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        figure.subplots_adjust(left=0.075, right=0.82, top=0.925, bottom=0.125, hspace=0.3)
        top.set(title="f(x) = v₁a₁ + v₂a₂ + v₃a₃, with a = σ(w x + b)", ylim=(-REACH, REACH))
        bottom.set(
            title="Its slope f′(x)", xlabel="input x", xlim=(X[0], X[-1]), ylim=(-REACH, REACH)
        )
        bottom.set_yticks((-3, 0, 3), ("−3", "0", "3"))
        for axes in (top, bottom):
            axes.axhline(0, color=MUTED, linewidth=0.8)
        self._build_function(top)
        (self._slope,) = bottom.plot(X, X, color=INK, linestyle="-", animated=True)
        top.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), handlelength=2.6)

    def _build_function(self, axes: Axes) -> None:
        thin = [
            axes.plot(X, X, color=color, linestyle=style, linewidth=1.3, animated=True)[0]
            for color, style in LOOKS
        ]
        self._terms = thin
        (self._sum,) = axes.plot(X, X, color=INK, linestyle="-", linewidth=3, animated=True)
        dots = {"marker": "o", "markersize": 8, "markerfacecolor": "white", "markeredgewidth": 2}
        (self._dots,) = axes.plot([], [], color=INK, linestyle="", animated=True, **dots)
        for i, line in enumerate(thin):
            line.set_label(f"v{SUBSCRIPTS[i]}a{SUBSCRIPTS[i]}")
        self._sum.set_label("f, the sum")
        self._dots.set_label("corner")
        ticks = {"marker": "|", "markersize": 9, "markeredgewidth": 1.6, "linestyle": ""}
        self._zeros = [
            axes.plot([], [], color=color, animated=True, **ticks)[0] for color, _ in LOOKS
        ]
        rows = [-REACH + 0.35 + 0.55 * i for i in (2, 1, 0)]  # one row each: labels never overlap
        self._names = [axes.add_artist(Readout(y=y, va="center", size=8)) for y in rows]

    def draw(self, data: Function) -> None:
        for line, term in zip(self._terms, data.terms, strict=True):
            line.set_ydata(term)
        self._sum.set_ydata(data.f)
        self._slope.set_ydata(data.slope)
        self._dots.set_data(list(data.bends), data.heights)
        for i, x in enumerate(data.zeros):
            tick, name = self._zeros[i], self._names[i]
            tick.set_data([x], [name.get_position()[1]])
            inside, left = bool(abs(x) <= X[-1]), bool(x < 1)  # False for NaN, too
            name.set(x=x + (0.08 if left else -0.08), ha="left" if left else "right")
            name.set_text(f"z{SUBSCRIPTS[i]} = 0 at {_number(x)}" if inside else "")
