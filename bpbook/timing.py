"""Time calls against each other, on a machine that is never quite idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from bpbook.ops import _check


def fastest(calls: Sequence[Callable[[], object]], rounds: int = 15) -> np.ndarray:
    """The shortest time of each call, in seconds.

    Each round runs every call once, so that a slow moment of the machine strikes all alike. Other
    programs only ever add time, so the smallest of the ``rounds`` is the best estimate (the manual
    of Python's ``timeit`` says the same). Raises ValueError unless there is at least one round.
    """
    _check.whole("rounds", rounds)
    seconds = np.full(len(calls), np.inf)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return seconds
