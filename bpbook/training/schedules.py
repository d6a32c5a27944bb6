"""Learning-rate schedules: each is a function from the step, 0 for the first, to the rate.

``fit(..., schedule=cosine(0.1, T_max=500))`` sets the optimizer's rate before each step. A step is
one update of theta, not an epoch; for a schedule in epochs multiply by the steps of an epoch. Every
maker raises ValueError for a number that makes no schedule.

`ReduceOnPlateau` is the one that has to be told how training goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from bpbook.ops import _check

Schedule = Callable[[int], float]


def constant(learning_rate: float) -> Schedule:
    """The same rate at every step."""
    _check.number("learning_rate", learning_rate)
    return lambda step: learning_rate


def step_decay(learning_rate: float, every: int, factor: float = 0.1) -> Schedule:
    """η · factor^⌊t / every⌋, PyTorch's `StepLR` (C3.3.1-a)."""
    _check.number("learning_rate", learning_rate)
    _check.whole("every", every)
    _check.number("factor", factor, 0, 1)
    return lambda step: learning_rate * factor ** (step // every)


def exponential_decay(learning_rate: float, factor: float) -> Schedule:
    """η · factorᵗ. With factor 0.1^(1/30) it meets the step decay by 0.1 every 30 steps."""
    _check.number("learning_rate", learning_rate)
    _check.number("factor", factor, 0, 1)
    return lambda step: learning_rate * factor**step


def cosine(learning_rate: float, T_max: int, lowest: float = 0.0) -> Schedule:
    """η_min + ½ (η − η_min)(1 + cos(πt / T_max)), PyTorch's `CosineAnnealingLR` (C3.3.1-b).

    It is lowest at T_max and then *rises*, back to η at 2 T_max: let T_max be the whole run.
    PyTorch computes it from the rate before, by a ratio, and differs by rounding only.
    """
    _check.number("learning_rate", learning_rate)
    _check.whole("T_max", T_max)
    _check.number("lowest", lowest, 0, learning_rate)
    return lambda step: _between(learning_rate, lowest, step / T_max)


def warm_restarts(learning_rate: float, period: int, lowest: float = 0.0) -> Schedule:
    """The falling half of a cosine, begun anew every `period` steps (Loshchilov & Hutter 2017)."""
    _check.whole("period", period)
    falling = cosine(learning_rate, period, lowest)
    return lambda step: falling(step % period)


def one_cycle(
    peak: float,
    total: int,
    rise: float = 0.3,
    *,
    start_divisor: float = 25.0,
    end_divisor: float = 1e4,
) -> Schedule:
    """Up and down once: half a cosine from peak/25 to `peak`, another to peak/25/10⁴.

    The idea is Smith and Topin's (2019), whose rise and fall are straight lines.
    rise: the share of the `total` steps on the way up. The numbers and the two cosines are those of
    PyTorch's `OneCycleLR`. After `total` steps the rate stays where it is.
    """
    _check.number("peak", peak)
    _check.whole("total", total, least=2)
    _check.number("rise", rise, 0, 1)
    _check.number("start_divisor", start_divisor, 1)
    _check.number("end_divisor", end_divisor, 1)
    start, last = peak / start_divisor, total - 1
    top = max(rise * total - 1, 0)  # the step of the peak, a fraction: so PyTorch has it

    def rate(step: int) -> float:
        step = min(step, last)
        if step <= top:
            return _between(start, peak, step / top if top else 1.0)
        return _between(peak, start / end_divisor, (step - top) / (last - top))

    return rate


def warmup(schedule: Schedule, steps: int, start: float = 0.1) -> Schedule:
    """Rise in a straight line from start · schedule(0) for `steps` steps; then the schedule begins.

    Gradual warm-up (Goyal et al. 2017). PyTorch's `LinearLR`, then `SequentialLR`. A schedule that
    has to be told how training goes is told from the first epoch on, by the result's `update`.
    """
    _check.function("schedule", schedule, f"constant({schedule!r})")
    _check.whole("steps", steps, least=0)
    _check.number("start", start, 0, 1)

    def rate(step: int) -> float:
        if step < steps:
            return schedule(0) * (start + (1 - start) * step / steps)
        return schedule(step - steps)

    if hasattr(schedule, "update"):  # so that `fit` feeds a `ReduceOnPlateau` within
        rate.update = schedule.update
    return rate


@dataclass
class ReduceOnPlateau:
    """Cut the rate when a metric, the lower the better, has stopped falling (C3.3.1-c).

    `update(metric)`, once an epoch, counts the epochs that are not better than the best so far by
    the share `threshold`. When the count *exceeds* `patience`, the rate is multiplied by `factor`,
    not below `lowest`, and the count starts anew; after a cut `cooldown` epochs are not counted.

    For metrics above 0 it is PyTorch's `ReduceLROnPlateau`. Below 0, its mark for "better",
    best · (1 − threshold), lies *above* the best, so it never cuts; ours is
    best − threshold·|best|.
    """

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    lowest: float = 0.0
    best: float = field(default=math.inf, init=False)
    bad: int = field(default=0, init=False)  # epochs without an improvement
    rest: int = field(default=0, init=False)  # epochs of cooldown left

    def __post_init__(self) -> None:
        _check.number("learning_rate", self.learning_rate)
        _check.number("factor", self.factor, 0, 1)
        _check.whole("patience", self.patience, least=0)
        _check.number("threshold", self.threshold, 0, 1)
        _check.whole("cooldown", self.cooldown, least=0)
        _check.number("lowest", self.lowest, 0, self.learning_rate)

    def __call__(self, step: int) -> float:
        """The present rate: it too is a schedule, one that moves when it is told."""
        return self.learning_rate

    def update(self, metric: float) -> float:
        """Take note of one epoch's metric, and return the rate from here on. NaN is no progress."""
        mark = self.best - self.threshold * abs(self.best) if self.best < math.inf else math.inf
        better = metric < mark
        self.best = metric if better else self.best
        self.bad = 0 if better else self.bad + 1
        if self.rest > 0:
            self.rest, self.bad = self.rest - 1, 0
        if self.bad > self.patience:
            self.learning_rate = max(self.learning_rate * self.factor, self.lowest)
            self.rest, self.bad = self.cooldown, 0
        return self.learning_rate


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` at share 0 to `end` at share 1."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
