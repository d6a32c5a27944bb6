"""What a run leaves behind, kept small enough to draw at every frame, and the axis it stands on."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from bpbook.explorers.readout import Readout

CAPACITY = 500


class Record:
    """Rows of numbers, one for each step 0, ``stride``, 2 ``stride``, …; at most CAPACITY + 1.

    A full record drops every second row and doubles its stride: it holds the whole run at half the
    detail, and which rows it has depends on the number of steps alone.
    """

    def __init__(self, columns: int) -> None:
        self._rows = np.empty((CAPACITY + 1, columns))
        self.count, self.stride = 0, 1

    @property
    def rows(self) -> np.ndarray:
        """(count, columns)."""
        return self._rows[: self.count]

    @property
    def steps(self) -> np.ndarray:
        """The step of each row, (count,)."""
        return self.stride * np.arange(self.count)

    @property
    def span(self) -> int:
        """The step at which it will be full."""
        return self.stride * CAPACITY

    def wants(self, step: int) -> bool:
        """Whether the row of this step, the next one, is kept."""
        return step == self.stride * self.count and self.count <= CAPACITY

    def add(self, row: np.ndarray) -> None:
        """Keep a row."""
        self._rows[self.count] = row
        self.count += 1
        if self.count > CAPACITY:
            kept = self._rows[: self.count : 2].copy()
            self.count, self.stride = len(kept), 2 * self.stride
            self._rows[: self.count] = kept


class StepAxis:
    """A horizontal axis of steps from 0 to a span that may grow: its labels move, it does not."""

    def __init__(self, axes: Axes) -> None:
        axes.set(xlim=(0, 1))
        places = (0, 0.5, 1)
        axes.set_xticks(places, [""] * 3)
        look = {"transform": axes.get_xaxis_transform(), "va": "top", "size": 9}
        self._labels = [
            axes.add_artist(Readout(x, -0.05, ha=ha, **look))
            for x, ha in zip(places, ("left", "center", "right"), strict=True)
        ]

    def fit(self, span: int) -> None:
        """Run from step 0 to this one."""
        self._span = span
        for part, label in zip((0, 0.5, 1), self._labels, strict=True):
            label.set_text(f"step {part * span:,.0f}" if part == 1 else f"{part * span:,.0f}")

    def place(self, steps: np.ndarray) -> np.ndarray:
        """Where the steps stand, 0 to 1."""
        return steps / self._span
