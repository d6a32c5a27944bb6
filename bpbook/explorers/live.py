"""Explorers that run in time: play, pause, step, and a hand on the picture.

``simulate(**settings)`` of a live explorer gives a :class:`Run` at step 0, and ``draw`` and
``describe`` show the run wherever it stands. The page pulls: it asks for the next frame when it is
about to paint the last one (see :class:`~bpbook.explorers.stage.Stage`).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import ipywidgets
from matplotlib.axes import Axes

from bpbook.explorers.base import LOCK, Explorer, button
from bpbook.explorers.settings import Stops
from bpbook.explorers.stage import Stage

WORDS_EVERY = 10  # frames; more often, nobody could read them


class Run(Protocol):
    """A simulation under way: the same settings and number of steps always give the same state."""

    steps: int
    finished: bool  # no step changes it any more

    def step(self) -> None:
        """Go one step; nothing happens, and nothing raises, when it is finished."""


class Live(Explorer):
    """An explorer whose data is a :class:`Run`. ``explorer.step(100)`` takes it 100 steps on.

    A changed setting starts a new run, which catches up to the step of the old one when ``replays``
    is set; the settings named in ``live`` are handed to the run under way instead, as
    ``run.retune(name=value)``. Axes named by ``self.hand_axes`` in ``build`` take the hand.
    """

    live: ClassVar[tuple[str, ...]] = ()
    replays: ClassVar[bool] = False
    hand_axes: Axes | None = None

    steps_per_frame = Stops(1, (1, 2, 5, 10, 20), label="steps per frame")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.settings["steps_per_frame"] = cls.settings.pop("steps_per_frame")  # beside the buttons

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._playing = self._retuned = False
        self._frames = 0
        self._failure = ""

    # What a subclass writes, if its picture takes the hand.

    def hand(self, phase: str, x: float, y: float) -> None:
        """Answer the hand at (x, y) on ``hand_axes``; phase is "down", "move" or "up"."""

    # What a reader uses.

    @property
    def data(self) -> Any:
        """The run."""
        with LOCK:
            if self._data is None:
                self._data = self._new_run()
            return self._data

    @property
    def playing(self) -> bool:
        """Whether a page that shows it gets frames."""
        return self._playing

    def step(self, steps: int = 1) -> Self:
        """Pause, and go some steps on."""
        with LOCK:
            self._playing, self._failure = False, ""
            self._advance(steps)
            self._refresh()
        return self

    def play(self) -> None:
        """Run as long as a page shows it. A finished run starts again."""
        with LOCK:
            if self.data.finished:
                self._start_again()
            self._playing, self._failure = True, ""
            self._refresh()

    def pause(self) -> None:
        """Stop where it is."""
        with LOCK:
            self._playing = False
            self._refresh()

    def restart(self) -> None:
        """Go back to step 0 with the present settings."""
        with LOCK:
            self._start_again()
            self._refresh()

    def reset(self) -> None:
        """Pause, and go back to step 0 of the settings that it was made with."""
        with LOCK:
            self._playing = False
            self.values = dict(self._start)
            self.restart()

    def __repr__(self) -> str:
        """The line that makes this state again; without the steps when some had other settings."""
        steps = self._data.steps if self._data is not None and not self._retuned else 0
        return super().__repr__() + (f".step({steps})" if steps else "")

    # How it is wired.

    def _new_run(self) -> Run:
        return self.simulate(**{n: v for n, v in self.values.items() if n != "steps_per_frame"})

    def _start_again(self) -> None:
        self._data, self._retuned, self._failure = None, False, ""

    def _take_up(self, changed: dict[str, Any]) -> None:
        changed = {name: v for name, v in changed.items() if name != "steps_per_frame"}
        if self._data is None or not changed:
            return
        if set(changed) <= set(self.live):
            self._data.retune(**self._tuning(changed))
            self._retuned = self._retuned or self._data.steps > 0
            return
        steps = self._data.steps if self.replays else 0
        self._start_again()
        self._advance(steps)

    def _tuning(self, changed: dict[str, Any]) -> dict[str, Any]:
        """What changed settings are for ``run.retune``."""
        return changed

    def _advance(self, steps: int) -> None:
        for _ in range(steps):
            if self.data.finished:
                break
            self.data.step()

    def _next_frame(self) -> None:
        with LOCK:
            try:
                self._advance(self.steps_per_frame)
                self._playing = not self.data.finished
                self._frames += 1
                self._show(words=not self._playing or self._frames % WORDS_EVERY == 0)
            except Exception as error:  # shown to the reader, and raised for the log
                self._playing = False
                self._failure = f"Stopped by an error, {type(error).__name__}: {error}"
                self._show_state()
                raise

    def _show(self, words: bool = True) -> None:
        self._picture.show(self.png())
        if words:
            self._show_state()

    def _show_state(self) -> None:
        self._picture.playing = self._playing
        self._sentence.say(*self._spoken())
        # Last, so that a button that says "Play" has the final words beside it.
        self._play_button.description, self._play_button.icon = self._face()

    def _on_hand(self, phase: str, x: float, y: float) -> None:
        with LOCK:
            box = self.hand_axes.bbox
            # A hand that leaves the axes stays on their edge.
            width, height = self._screen.figure.bbox.size
            x = min(max(x * width, box.x0), box.x1)
            y = min(max((1 - y) * height, box.y0), box.y1)
            point = self.hand_axes.transData.inverted().transform((x, y))
            self.hand(phase, *(round(float(value), 6) for value in point))  # 2, not 2.0000000000004

    @cached_property
    def _picture(self) -> Stage:
        png, screen = self.png(), self._screen
        layout = ipywidgets.Layout(width=f"{screen.width}px", max_width="100%")
        state = {"width": screen.width, "height": screen.height, "name": self.title}
        if self.hand_axes is not None:
            box = self.hand_axes.get_position()
            state["region"] = [box.x0, 1 - box.y1, box.x1, 1 - box.y0]
        state |= {"value": png, "layout": layout, "playing": self._playing}
        return Stage(self._next_frame, self._on_hand, **state)

    def _buttons(self) -> list[ipywidgets.DOMWidget]:
        self._play_button = button(*self._face(), self._toggle)
        row = [
            self._play_button,
            button("Step", "step-forward", self.step, "Pause, and go one step"),
            button("Restart", "refresh", self.restart, "Step 0 again, with these settings"),
            button("Reset", "undo", self.reset, "Step 0 again, with the settings at the start"),
        ]
        for each in row:
            each.layout.width = "6.7em"
        return [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"})]

    def _face(self) -> tuple[str, str]:
        """What the first button says and shows."""
        return ("Pause", "pause") if self._playing else ("Play", "play")

    def _toggle(self) -> None:
        (self.pause if self._playing else self.play)()

    def _spoken(self) -> tuple[str, str]:
        if self._failure:
            return self._failure, "assertive"
        # While it plays, a screen reader must not read on and on.
        return self.summary(), "off" if self._playing else "polite"
