"""Small text tables for the chapters."""

from __future__ import annotations

import numpy as np


def table(*, digits: int = 3, **rows: object) -> None:
    """Print one row for each keyword: its name, then its numbers, floats with ``digits`` decimals.

    A value may be a number, a string, or a sequence or array of them (read in order, row by row).
    Raises ValueError when nothing is given.
    """
    if not rows:
        raise ValueError("table() got no rows; wanted keywords such as table(score=z)")
    cells = {
        name.replace("_", " "): [
            _cell(x, digits) for x in np.ravel(np.asarray(values, dtype=object))
        ]
        for name, values in rows.items()
    }
    left = max(map(len, cells))
    width = max((len(c) for row in cells.values() for c in row), default=0)
    for name, row in cells.items():
        print(f"{name:<{left}}", *(f"{c:>{width}}" for c in row), sep="  ")


def _cell(x: object, digits: int) -> str:
    if isinstance(x, (float, np.floating)):
        rounded = f"{x:.{digits}f}"
        return rounded.lstrip("-") if float(rounded) == 0 else rounded  # no −0.000
    return str(x)
