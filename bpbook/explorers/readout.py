"""Text that changes at every step of an explorer, drawn ten times faster than Matplotlib's own.

Matplotlib lays a string out and rasterizes each glyph anew: 1 to 2 ms a string, most of a frame.
Here each character's outline is kept, and a string is one filled path.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

_SIZE = 100  # points at which outlines are kept
_CAP_HEIGHT = 73  # of DejaVu Sans at that size
_LEFT = {"left": 0.0, "center": -0.5, "right": -1.0}
_DOWN = {"top": -1.0, "center": -0.5, "baseline": 0.0, "bottom": 0.0}


class Readout(Text):
    """One line of plain text (no mathtext) that moves: it is always animated.

    Add it with ``axes.add_artist(Readout(x, y, ha="center"))``, and move it with
    ``readout.set(text=..., y=...)``.
    """

    def __init__(self, x: float = 0, y: float = 0, text: str = "", **look) -> None:
        super().__init__(x, y, text, animated=True, **look)

    def draw(self, renderer: RendererBase) -> None:
        if not self.get_visible() or not self.get_text():
            return
        font = self.get_fontproperties()
        path, width = outline(self.get_text(), font.get_weight())
        left, down = _LEFT[self.get_ha()] * width, _DOWN[self.get_va()] * _CAP_HEIGHT
        x, y = self.get_transform().transform(self.get_unitless_position())
        if not np.isfinite([x, y]).all():  # as Matplotlib's Text: nowhere to put it
            return
        scale = renderer.points_to_pixels(font.get_size_in_points()) / _SIZE
        place = Affine2D().translate(left, down).scale(scale).translate(x, round(y))
        gc = renderer.new_gc()
        gc.set_linewidth(0)
        renderer.draw_path(gc, path, place, to_rgba(self.get_color(), self.get_alpha()))
        gc.restore()


def number(x: float, digits: int = 2) -> str:
    """0.1, 5.6e−9, 3e12: so few digits that all machines agree on them."""
    text = f"{x:.{digits}g}".replace("-", "−")
    return text.replace("e−0", "e−").replace("e+0", "e").replace("e+", "e")


def outline(text: str, weight: str | int = "normal") -> tuple[Path, float]:
    """The text as one path, from the outlines of its characters, and its width, at 100 points."""
    vertices, codes, width = [np.empty((0, 2))], [np.empty(0, np.uint8)], 0.0
    for character in text:
        points, kinds, advance = _glyph(character, weight)
        vertices.append(points + np.array([width, 0]))
        codes.append(kinds)
        width += advance
    return Path(np.concatenate(vertices), np.concatenate(codes)), width


@cache
def _glyph(character: str, weight: str | int) -> tuple[np.ndarray, np.ndarray, float]:
    def path(text: str) -> TextPath:
        font = FontProperties(family="DejaVu Sans", weight=weight)
        return TextPath((0, 0), text.replace("$", r"\$"), size=_SIZE, prop=font)

    # A bar drawn behind the character tells how far the character moves the pen, and lets a space,
    # which has no outline, through TextPath.
    both, bar = path(character + "|"), path("|")
    end = len(both.vertices) - len(bar.vertices)
    advance = both.vertices[:, 0].max() - bar.vertices[:, 0].max()
    return both.vertices[:end], both.codes[:end], float(advance)
