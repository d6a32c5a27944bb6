"""A persistent figure that redraws only what moved.

The still part is drawn once and kept as pixels. A step copies those pixels back and draws the
artists made with ``animated=True`` on top (blitting). Matplotlib marks a figure stale when a still
artist changes; then, and only then, the still part is drawn anew.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from bpbook.style import book_style

CSS_PIXELS_PER_INCH = 100
PIXELS_PER_CSS_PIXEL = (
    1.0  # more is sharper on dense screens, and slower: 1.5 costs 4 to 10 ms a step
)


class Screen:
    """One Figure on an Agg canvas, filled by ``build(figure)``; size in inches, (width, height).

    ``backgrounds`` counts how often the still part was drawn.
    """

    def __init__(self, build: Callable[[Figure], None], size: tuple[float, float]) -> None:
        self.width, self.height = (round(side * CSS_PIXELS_PER_INCH) for side in size)
        self.backgrounds = 0
        # Not pyplot: its figures live in a global list, and a notebook would show them twice.
        self.figure = Figure(figsize=size, dpi=CSS_PIXELS_PER_INCH * PIXELS_PER_CSS_PIXEL)
        self._canvas = FigureCanvasAgg(self.figure)
        self._background = None
        with book_style():
            build(self.figure)
        moving = self.figure.findobj(lambda artist: artist.get_animated())
        self._moving = sorted(moving, key=lambda artist: artist.get_zorder())

    def png(self) -> bytes:
        """Draw, and encode the picture as PNG."""
        if self.figure.stale:
            self._draw_still_part()
        self._canvas.restore_region(self._background)
        renderer = self._canvas.get_renderer()
        for artist in self._moving:
            artist.draw(renderer)
        return encode_png(self._pixels())

    def _draw_still_part(self) -> None:
        with book_style():
            self._canvas.draw()
        self.figure.set_layout_engine("none")  # laid out once; axes must not jump under the hand
        self.figure.stale = False
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)
        self.backgrounds += 1

    def _pixels(self) -> np.ndarray:
        size = self._canvas.get_width_height(physical=True)
        rgba = Image.frombuffer("RGBA", size, self._canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
        return np.asarray(rgba.convert("RGB"))  # Pillow drops the fourth channel fastest


def encode_png(pixels: np.ndarray) -> bytes:
    """The pixels (height, width, 3), uint8, as PNG (https://www.w3.org/TR/png-3/).

    Four times as fast as Pillow at its lowest compression level, which tries five filters on each
    row: here every row goes out unfiltered.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
