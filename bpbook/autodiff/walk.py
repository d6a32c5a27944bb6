"""The walk back over a tape, and what it checks on the way.

Of a tensor only its place on the tape counts here: ``parents``, what it was made from; ``op`` and
``vjp``, by which; ``index``, when; ``written``, when its numbers were last changed in place.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from bpbook.autodiff.box import is_foreign

if TYPE_CHECKING:
    from bpbook.autodiff.tape import Tensor

# Numbers tensors and in-place writes in the order of their making. A tensor is made after all that
# it depends on, so this order is a topological one.
CLOCK = itertools.count(1)


class _Writes:
    """When any tensor was last changed in place; younger tensors need no closer look."""

    last = 0


_WRITES = _Writes()


def owner(t: Tensor) -> Tensor:
    """The tensor whose memory t's numbers are in."""
    return t if t.root is None else t.root


def note_write(t: Tensor) -> None:
    """Note that t's memory is changed in place now."""
    owner(t).written = _WRITES.last = next(CLOCK)


def sweep(
    last: Tensor,
    seed: Any,
    retain_graph: bool,
    visit: Callable[[Tensor, Any], object] | None = None,
) -> list[tuple[Tensor, Any]]:
    """Walk the tape backward from ``last``, and return the leaves with their gradients.

    ``visit`` is for a look at the graph: it is called with every tensor that an op made, and its
    gradient once that is complete; the reader's hooks are then not called.

    A tensor's gradient is complete when all that were made from it, and so after it, have been
    visited: the youngest of those waiting is always next. No recursion, so depth is no limit.
    """
    kind, waiting = type(last), {last.index: [last, seed]}
    youngest = [] if last.op is None else [-last.index]
    while youngest:
        t, d = waiting.pop(-heappop(youngest))
        if visit is not None:
            visit(t, d)
        elif t.hooks:
            d = _hooked(t, d)
        for x, dx in zip(t.parents, _pulled_back(t, d), strict=False):
            if type(x) is not kind or not x.requires_grad or x.level != t.level:
                continue
            if x.index in waiting:
                waiting[x.index][1] = waiting[x.index][1] + dx
            else:
                waiting[x.index] = [x, dx]
                if x.op is not None:
                    if x.index >= t.index:
                        raise RuntimeError("the tape has a cycle: a tensor made after its use")
                    heappush(youngest, -x.index)
        if not retain_graph:
            t.vjp, t.parents = _freed, ()
    # What still waits are the leaves, which nothing is pulled back from.
    return [(t, _hooked(t, d) if t.hooks and visit is None else d) for t, d in waiting.values()]


def _pulled_back(t: Tensor, d: Any) -> tuple:
    """What t's gradient d sends to its parents, in their order; the last may get nothing."""
    shares = t.vjp(d)
    if type(shares) is not tuple:
        shares = (shares,)
    if t.index < _WRITES.last:
        _refuse_changed(t)
    if len(shares) < len(t.parents):
        _refuse_missing(t, len(shares))
    return shares


def _refuse_missing(t: Tensor, given: int) -> None:
    """Raise RuntimeError when an argument that the vjp does not answer for needs a gradient."""
    for k, x in enumerate(t.parents[given:], given + 1):
        if type(x) is type(t) and x.requires_grad:
            raise RuntimeError(f"{_name(t.op)} has no derivative for its argument {k}")


def _refuse_changed(t: Tensor) -> None:
    """Raise RuntimeError when numbers that t's derivative may need changed after it was made."""
    for x in t.parents:
        if type(x) is type(t) and owner(x).written > t.index:
            raise RuntimeError(
                f"an argument of {_name(t.op)}, of shape {x.shape}, was changed in place after it "
                "was used, so its gradient may be wrong; change a copy, or call backward first"
            )
    if owner(t).written > t.index:
        raise RuntimeError(
            f"the result of {_name(t.op)}, of shape {t.shape}, was changed in place, and its "
            "derivative may need it as it was; change a copy"
        )


def _hooked(t: Tensor, d: Any) -> Any:
    for hook in list(t.hooks.values()):
        new = hook(read_only(d))
        if new is not None:
            new = new if is_foreign(new) else np.asarray(new)
            if np.shape(new) != t.shape:
                raise ValueError(
                    f"a hook returned shape {np.shape(new)}; the gradient has shape {t.shape}"
                )
            d = new
    return d


def read_only(d: Any) -> Any:
    """A view to look at: a gradient's memory may be another's too, and an input is the caller's."""
    if isinstance(d, np.ndarray):
        d = d.view()
        d.flags.writeable = False
    return d


def _freed(d: Any) -> Any:
    raise RuntimeError(
        "the tape was freed by an earlier backward; for a second one, call the first with "
        "retain_graph=True"
    )


def _name(op: Callable) -> str:
    return getattr(op, "__name__", "an op")
