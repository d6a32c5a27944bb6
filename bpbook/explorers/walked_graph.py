"""A tensor's graph, walked forward and backward in steps: what is known at each, in words too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpbook.autodiff import Tensor
from bpbook.autodiff.draw import SYMBOLS, Place, layout
from bpbook.explorers.chain_rule import number

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Box:
    """A value of the graph: the lines of text in its box, and where the box is."""

    name: str
    made: str  # how it is computed from others
    value: str
    slope: str  # what has arrived of ∂f/∂value, or nothing yet
    lit: bool
    place: tuple[float, float]  # column, row

    @property
    def lines(self) -> tuple[str, str, str, str]:
        return self.name, self.made, self.value, self.slope


@dataclass(frozen=True)
class Arrow:
    """The columns and rows that it passes, (n, 2), and whether the step uses it, and which way."""

    places: np.ndarray
    lit: int  # 1 forward, −1 backward, 0 not


@dataclass(frozen=True)
class Walk:
    """The graph after ``step`` of ``last`` steps."""

    step: int
    last: int
    words: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    @property
    def direction(self) -> str:
        if self.step == 0:
            return "before the start"
        return "forward" if 2 * self.step < self.last else "backward"

    @property
    def columns(self) -> float:
        return 1 + max((box.place[0] for box in self.boxes), default=0)

    @property
    def rows(self) -> float:
        return 1 + max((arrow.places[:, 1].max() for arrow in self.arrows), default=0)


def operations(last: Tensor) -> list[Tensor]:
    """The tensors of the graph that ops made, in the order of their making."""
    places = (p.tensor for column in layout(last) for p in column)
    return sorted((t for t in places if t is not None and t.op), key=lambda t: t.index)


def walk(last: Tensor, variables: dict[str, Tensor], step: int) -> Walk:
    """The walk through the graph of ``last`` after so many steps, or at its end.

    Each of the n operations takes one step forward; one more gives the last value its slope 1;
    then each operation, in reverse order, hands its slope back to its inputs.
    """
    made = operations(last)
    n, end = len(made), 2 * len(made) + 1
    step = min(step, end)
    names = {t.index: name for name, t in variables.items()}
    names |= {t.index: f"v{k}".translate(SUBSCRIPTS) for k, t in enumerate(made, 1)}
    at, slopes, words = _state(made, names, step)
    pending = made[: n - max(step - n - 1, 0)]  # operations that have handed nothing back yet
    places = [p for column in layout(last) for p in column if p.tensor is not None]

    def box(place: Place) -> Box:
        t = place.tensor
        known = t.op is None or t in set(made[:step])
        slope = f"∂ {number(slopes[t.index])}" if t.index in slopes else ""
        more = slope and any(t in set(u.parents) for u in pending)
        return Box(
            name=names[t.index],
            made=_applied(t, lambda x: names[x.index]) if t.op else "",
            value=number(float(t)) if known else "",
            slope=f"{slope} + …" if more else slope,
            lit=t is at,
            place=(place.column, place.row),
        )

    way = 1 if step <= n else -1 if step > n + 1 else 0
    arrows = [Arrow(points, way * (end is at)) for place in places for points, end in _ways(place)]
    return Walk(step, end, words, tuple(map(box, places)), tuple(arrows))


def _ways(place: Place) -> list[tuple[np.ndarray, Tensor]]:
    """Each arrow out of a box: the points it goes through, bends included, and where it ends."""
    ways = []
    for following in place.after:
        points = [place, following]
        while points[-1].tensor is None:
            points += points[-1].after
        ways.append((np.array([[p.column, p.row] for p in points], float), points[-1].tensor))
    return ways


def _state(made: list[Tensor], names: dict, step: int) -> tuple[Tensor | None, dict, str]:
    """What the step works on, the slopes that have arrived by then, and the step in words."""
    n, slopes = len(made), {}
    if step == 0:
        return None, slopes, "x and y are given; the next step computes the first value"
    if step <= n:
        t = made[step - 1]
        return t, slopes, f"{names[t.index]} = {_applied(t, _digits)} = {_digits(t)}"
    slopes[made[-1].index] = 1.0
    if step == n + 1:
        return made[-1], slopes, f"f is {names[made[-1].index]} itself, so its slope is 1"
    for t in reversed(made[2 * n + 1 - step :]):
        words = _hand_back(t, slopes, names)
    if step == 2 * n + 1:
        ends = [f"∂f/∂{names[i]} = {number(d)}" for i, d in slopes.items() if names[i] in "xy"]
        words += f"; complete: {' and '.join(sorted(ends))}"
    return t, slopes, words


def _hand_back(t: Tensor, slopes: dict[int, float], names: dict[int, str]) -> str:
    """Send t's slope back to its inputs, add it to what is there, and say so."""
    with np.errstate(all="ignore"):
        local = t.vjp(np.ones(()))
    local, mine, said = local if isinstance(local, tuple) else (local,), slopes[t.index], []
    for x, slope in zip(t.parents, map(_float, local), strict=True):
        if isinstance(x, Tensor):
            share = mine * slope
            slopes[x.index] = slopes.get(x.index, 0.0) + share
            said.append(f"{names[x.index]} gets {number(mine)} × {number(slope)} = {number(share)}")
    return f"from {names[t.index]}, {' and '.join(said)}"


def _applied(t: Tensor, show: Callable[[Tensor], str]) -> str:
    """The operation, with its tensors as ``show`` has them: 2.000 × 0.500, or sin(v₁)."""
    args = [show(x) if isinstance(x, Tensor) else f"{x:.4g}".replace("-", "−") for x in t.parents]
    if len(args) == 2:
        return f" {SYMBOLS[t.op.__name__]} ".join(args)
    name = SYMBOLS.get(t.op.__name__, t.op.__name__).removesuffix("( )")
    return f"{name}({args[0]})"


def _digits(t: Tensor) -> str:
    return number(float(t))


def _float(x: object) -> float:
    return float("nan") if x is None else float(x)
