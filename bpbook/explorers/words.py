"""The sentence of an explorer on the page, which screen readers follow."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class Words(anywidget.AnyWidget):
    """A line of text in a live region, which also names the sliders beside it for screen readers.

    value: the text. live: how a screen reader tells a change, as ARIA's ``aria-live`` has it: off,
    polite or assertive.
    """

    _esm = Path(__file__).with_name("words.js")

    value = traitlets.Unicode().tag(sync=True)
    live = traitlets.Enum(("off", "polite", "assertive"), "polite").tag(sync=True)

    def say(self, text: str, live: str = "polite") -> None:
        """Change the text."""
        with self.hold_sync():
            self.live, self.value = live, text
