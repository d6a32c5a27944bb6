"""How figures look: the Okabe–Ito colours, ordered so that neighbours differ in grey as well."""

from __future__ import annotations

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, BLACK = COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")
DIVERGING = "RdBu_r"

RC = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "font.family": "DejaVu Sans",  # Matplotlib ships it, so pictures agree on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}


def line(i: int) -> dict[str, object]:
    """Colour and dashes of the i-th curve."""
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": DASHES[i % len(DASHES)],
        "linewidth": 1.8,
        "markersize": 5,
    }


def bar(i: int) -> dict[str, object]:
    """Colour and hatching of the i-th group of bars."""
    return {
        "color": COLORS[i % len(COLORS)],
        "hatch": HATCHES[i % len(HATCHES)],
        "edgecolor": "0.2",
        "linewidth": 0.6,
    }
