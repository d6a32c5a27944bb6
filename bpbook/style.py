"""The book's colours and Matplotlib settings, shared by its plots and its explorers.

The colours are Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), which colour-blind
readers can tell apart. Colour never stands alone: :data:`SERIES` pairs each one with a line style,
a marker and a hatch, and its first four colours differ in luminance, so that a page printed in grey
still reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"

INK = "#222222"  # text and axes
MUTED = "#595959"  # secondary text: contrast 7:1 on white
GRID = "#D9D9D9"


@dataclass(frozen=True)
class Series:
    """How one line, or one set of bars, looks: four marks of identity, of which colour is one."""

    color: str
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str
    hatch: str


SERIES = (
    Series(BLUE, "-", "o", ""),
    Series(ORANGE, "--", "s", "//"),
    Series(BLACK, ":", "^", "xx"),
    Series(SKY, "-.", "D", "\\\\"),
    Series(VERMILLION, (0, (5, 1, 1, 1, 1, 1)), "v", ".."),
    Series(GREEN, (0, (8, 2)), "P", "||"),
    Series(PURPLE, (0, (1, 1)), "X", "--"),
)

RC = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so pictures are the same everywhere
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@contextmanager
def book_style() -> Iterator[None]:
    """Matplotlib's defaults with the book's on top, then the reader's own settings again."""
    import matplotlib.style
    from cycler import cycler

    lines = cycler(color=[s.color for s in SERIES], linestyle=[s.linestyle for s in SERIES])
    with matplotlib.style.context({**RC, "axes.prop_cycle": lines}, after_reset=True):
        yield
