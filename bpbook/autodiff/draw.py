"""The graph behind a tensor as a picture: values, and beneath each its gradient.

Time runs from left to right. A box is a tensor: what it is called or the op that made it, its
number or shape, and the slope ∂ of the last tensor with respect to it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bpbook.autodiff.box import plain
from bpbook.autodiff.tape import Tensor
from bpbook.autodiff.walk import sweep

SYMBOLS = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "power": "^",
    "matmul": "@",
    "negative": "−( )",
    "index": "[ ]",
}
WIDTH, HEIGHT = 104, 58  # of a box
ACROSS, DOWN = 150, 78  # from box to box
EDGE = 16
INK, MUTED, GRADIENT, LEAF, RESULT = "#222222", "#595959", "#A13D00", "#DDECF5", "#FFFFFF"


@dataclass(frozen=True)
class Drawing:
    """A picture in SVG with its description in words; Jupyter shows the one and reads the other."""

    svg: str
    description: str

    def __repr__(self) -> str:
        return self.description

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        data = {"image/svg+xml": self.svg, "text/plain": self.description}
        return data, {"image/svg+xml": {"alt": self.description}}


@dataclass(eq=False)
class Place:
    """A box, or a bend of a long arrow (tensor None), in its column and row."""

    column: int
    tensor: Tensor | None = None
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)
    row: float = 0.0

    @property
    def x(self) -> float:
        return EDGE + self.column * ACROSS

    @property
    def y(self) -> float:
        return EDGE + self.row * DOWN


def draw(last: Tensor, **names: Tensor) -> Drawing:
    """The graph that made ``last``, for up to about 40 tensors: ``draw(loss, x=x, w=w)``.

    names: what the boxes of tensors are called; the others show their op. The gradients are there
    when ``last`` is a single number that requires one. Call it before ``backward``, which frees the
    tape. Raises ValueError when ``last`` is no tensor, or was made by nothing.
    """
    if not isinstance(last, Tensor) or last.op is None:
        raise ValueError("draw needs a tensor that ops made from others, with requires_grad")
    for name, t in names.items():
        if not isinstance(t, Tensor):
            raise ValueError(f"{name} is a {type(t).__name__}; only tensors stand in the graph")
    gradients: dict[int, Any] = {}
    if last.size == 1:
        seed = np.ones(last.shape, last.dtype)

        def record(t: Tensor, d: Any) -> None:
            gradients[t.index] = d

        for leaf, d in sweep(last, seed, retain_graph=True, visit=record):
            record(leaf, d)
    titles = {t.index: name for name, t in names.items()}
    columns = layout(last)
    boxes = [p for column in columns for p in column if p.tensor is not None]
    width = 2 * EDGE + (len(columns) - 1) * ACROSS + WIDTH
    height = 2 * EDGE + max(p.row for column in columns for p in column) * DOWN + HEIGHT
    parts = [_arrow(p, q) for column in columns for p in column for q in p.after]
    parts += [_box(p, titles, gradients, p.tensor is last) for p in boxes]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" style="max-width:100%;height:auto" role="img" '
        f'font-family="DejaVu Sans, Arial, sans-serif" font-size="13">{"".join(parts)}</svg>'
    )
    return Drawing(svg, _described(boxes, titles, gradients))


def layout(last: Tensor) -> list[list[Place]]:
    """The columns of the graph that made ``last``, each from top to bottom, with few crossings."""
    columns = _columns(_tensors(last))
    _order(columns)
    return columns


def _tensors(last: Tensor) -> list[Tensor]:
    """All that ``last`` was made from, the oldest first."""
    found, waiting = {last.index: last}, [last]
    while waiting:
        for x in _parents(waiting.pop()):
            if x.index not in found:
                found[x.index] = x
                waiting.append(x)
    return [found[i] for i in sorted(found)]


def _parents(t: Tensor) -> list[Tensor]:
    return [x for x in t.parents if isinstance(x, Tensor) and x.level == t.level]


def _columns(tensors: list[Tensor]) -> list[list[Place]]:
    """A column for each step; arrows over several columns get a bend in those between."""
    column: dict[int, int] = {}
    for t in tensors:
        column[t.index] = max((column[x.index] + 1 for x in _parents(t)), default=0)
    for t in reversed(tensors):  # a leaf stands just before the first that uses it
        uses = [column[u.index] for u in tensors if t in set(_parents(u))]
        if not _parents(t) and uses:
            column[t.index] = min(uses) - 1
    places = {t.index: Place(column[t.index], t) for t in tensors}
    columns: list[list[Place]] = [[] for _ in range(max(column.values()) + 1)]
    for t in tensors:
        columns[column[t.index]].append(places[t.index])
    for t in tensors:
        for x in dict.fromkeys(_parents(t)):
            at = places[x.index]
            for c in range(at.column + 1, column[t.index]):
                bend = Place(c)
                columns[c].append(bend)
                _join(at, bend)
                at = bend
            _join(at, places[t.index])
    return columns


def _join(p: Place, q: Place) -> None:
    p.after.append(q)
    q.before.append(p)


def _order(columns: list[list[Place]]) -> None:
    """Sort each column by where its neighbours are, back and forth, so that few arrows cross."""
    tallest = max(map(len, columns))
    for column in columns:
        _spread(column, tallest)
    for turn in range(6):
        for column in columns if turn % 2 == 0 else reversed(columns):
            column.sort(key=_mean_row_before if turn % 2 == 0 else _mean_row_after)
            _spread(column, tallest)


def _mean_row_before(p: Place) -> float:
    return float(np.mean([q.row for q in p.before])) if p.before else p.row


def _mean_row_after(p: Place) -> float:
    return float(np.mean([q.row for q in p.after])) if p.after else p.row


def _spread(column: list[Place], tallest: int) -> None:
    top = (tallest - len(column)) / 2
    for i, place in enumerate(column):
        place.row = top + i


def _arrow(p: Place, q: Place) -> str:
    x0 = p.x + (WIDTH if p.tensor is not None else WIDTH / 2)
    x1 = q.x + (0 if q.tensor is not None else WIDTH / 2)
    y0, y1, middle = p.y + HEIGHT / 2, q.y + HEIGHT / 2, (x0 + x1) / 2
    curve = f"M{x0:g} {y0:g}C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
    line = f'<path d="{curve}" fill="none" stroke="{MUTED}" stroke-width="1.3"/>'
    if q.tensor is None:
        return line
    head = f"M{x1 - 7:g} {y1 - 4:g}L{x1:g} {y1:g}L{x1 - 7:g} {y1 + 4:g}"
    return f'{line}<path d="{head}" fill="none" stroke="{MUTED}" stroke-width="1.3"/>'


def _box(p: Place, titles: dict, gradients: dict, is_last: bool) -> str:
    t, middle = p.tensor, p.x + WIDTH / 2
    look = f'fill="{RESULT if t.op else LEAF}" stroke="{INK}" stroke-width="{2 if is_last else 1}"'
    rows = [
        (18, INK, "bold", _title(t, titles)),
        (34, INK, "normal", _shown(t.value)),
        (50, GRADIENT, "normal", f"∂ {_shown(gradients[t.index])}" if t.index in gradients else ""),
    ]
    words = "".join(
        f'<text x="{middle:g}" y="{p.y + y:g}" text-anchor="middle" fill="{color}" '
        f'font-weight="{weight}">{html.escape(text)}</text>'
        for y, color, weight, text in rows
        if text
    )
    return f'<rect x="{p.x:g}" y="{p.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" {look}/>{words}'


def _title(t: Tensor, titles: dict) -> str:
    made = "" if t.op is None else " ".join(_operation(t))
    if t.index in titles:
        return f"{titles[t.index]} = {made}" if made else titles[t.index]
    return made or "leaf"


def _operation(t: Tensor) -> Iterator[str]:
    """The op, with the plain numbers among its arguments where they stand: "2 −", "^ 3"."""
    name = SYMBOLS.get(t.op.__name__, t.op.__name__)
    numbers = [None if isinstance(x, Tensor) or np.size(x) > 1 else _shown(x) for x in t.parents]
    if numbers and numbers[0] is not None:
        yield numbers[0]
    yield name
    yield from (n for n in numbers[1:] if n is not None)


def _shown(x: Any) -> str:
    x = np.asarray(plain(x))
    if x.size == 1:
        return f"{x.item():.4g}".replace("-", "−")
    return "×".join(map(str, x.shape)) + (" numbers" if x.ndim == 1 else "")


def _described(boxes: list[Place], titles: dict, gradients: dict) -> str:
    said = []
    for p in sorted(boxes, key=lambda p: p.tensor.index):
        text = f"{_title(p.tensor, titles)}: {_shown(p.tensor.value)}"
        if p.tensor.index in gradients:
            text += f" (slope {_shown(gradients[p.tensor.index])})"
        said.append(text)
    return f"A graph of {len(boxes)} tensors, in the order of their making: {'; '.join(said)}."
