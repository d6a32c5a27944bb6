"""The picture of a live explorer on the page: it paints frames and reports the hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets


class Stage(anywidget.AnyWidget):
    """A picture whose page asks for frames while ``playing``, and tells where the hand is.

    value: the PNG; a new one raises ``frame``. region: left, top, right, bottom of the part that
    takes the hand, as fractions of the picture from its top left corner; all 0 for none.
    on_frame(): asked when the page is ready for one more. on_hand(phase, x, y): phase "down",
    "move" or "up", and fractions of the picture.

    The frames are pulled: the kernel holds no loop that could outlive the page, and none is drawn
    that nobody paints. What a page asks twice, or late, is not drawn: each question names the frame
    that it follows.
    """

    _esm = Path(__file__).with_name("stage.js")

    value = traitlets.Bytes().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    answer = traitlets.Unicode().tag(sync=True)  # the question that was answered last
    playing = traitlets.Bool(False).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    region = traitlets.List(traitlets.Float(), [0.0] * 4).tag(sync=True)

    def __init__(
        self,
        on_frame: Callable[[], object],
        on_hand: Callable[[str, float, float], object],
        **state: Any,
    ) -> None:
        super().__init__(**state)
        self._on_frame, self._on_hand = on_frame, on_hand
        self._question = ""
        self.on_msg(self._heard)

    def show(self, png: bytes) -> None:
        """Send a new picture, and in the same message the answer to the question under way.

        A message of its own for the answer would come 40 ms later: the server's socket holds a
        second small packet until the page has acknowledged the first (Nagle's algorithm).
        """
        with self.hold_sync():
            self.value, self.answer = png, self._question
            self.frame += 1

    def _heard(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        self._question = message["question"]
        try:
            if message["kind"] == "hand":
                for event in message["events"]:
                    self._on_hand(*event)
            elif self.playing and message["after"] == self.frame:
                self._on_frame()
        finally:
            self.answer = self._question
