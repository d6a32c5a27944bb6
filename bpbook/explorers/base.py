"""The base of every explorer: it wires simulate, draw and the controls, once.

A subclass declares its settings as descriptors and writes four methods::

    class Decay(Explorer):
        title = "Decay"
        rate = Slider(0.5, min=0.1, max=2.0, step=0.1)

        @staticmethod
        def simulate(rate): ...           # pure NumPy -> a small frozen dataclass
        @staticmethod
        def describe(data): ...           # -> one sentence
        def build(self, figure): ...      # make every artist; animated=True for those that move
        def draw(self, data): ...         # move them

Explorers that run in time, or take the hand on their picture, are in
:mod:`bpbook.explorers.live`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ClassVar

import ipywidgets
import traitlets
from matplotlib.figure import Figure

from bpbook.explorers.screen import Screen
from bpbook.explorers.settings import Setting
from bpbook.explorers.words import Words

# JupyterLab delivers slider moves on a thread of their own (a subshell of ipykernel 7), while a
# cell may set explorer.depth on the main one; and Matplotlib's fonts are not safe on two threads.
# So one lock for all explorers.
LOCK = threading.RLock()


class _NamedImage(ipywidgets.Image):
    """An image with an accessible name.

    ipywidgets has no alt text; screen readers fall back to the tooltip, and the page's code for
    tooltips fails on a widget that has no description.
    """

    description = traitlets.Unicode("").tag(sync=True)


def button(label: str, icon: str, act: Callable[[], object], tip: str = "") -> ipywidgets.Button:
    """A button that acts when it is pressed."""
    made = ipywidgets.Button(description=label, icon=icon, tooltip=tip)
    made.on_click(lambda _: act())
    return made


class Explorer:
    """A picture that answers its controls. Keywords are the settings that it starts with.

    Attributes that name a setting read and drive it: ``explorer.depth = 40``. ``repr(explorer)``
    is the line of code that makes this state again. Raises TypeError for an unknown setting, and
    ValueError for a value that a setting does not offer.
    """

    title: ClassVar[str] = ""
    size: ClassVar[tuple[float, float]] = (7.2, 3.6)  # inches of 100 CSS pixels
    settings: ClassVar[dict[str, Setting]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: s for name, s in vars(cls).items() if isinstance(s, Setting)}
        cls.settings = {**cls.settings, **own}

    def __init__(self, **settings: Any) -> None:
        defaults = {name: setting.default for name, setting in self.settings.items()}
        self.values = {**defaults, **self._checked(settings)}
        self._start = dict(self.values)
        self._controls: dict[str, ipywidgets.DOMWidget] = {}
        self._data: Any = None

    # What a subclass writes.

    @staticmethod
    def simulate(**settings: Any) -> Any:
        """Compute what the picture shows; pure, and total over every setting on offer."""
        raise NotImplementedError

    @staticmethod
    def describe(data: Any) -> str:
        """Say in one sentence what the picture shows, rounded so that all machines agree."""
        raise NotImplementedError

    def build(self, figure: Figure) -> None:
        """Make the artists, once; those that move with ``animated=True``."""
        raise NotImplementedError

    def draw(self, data: Any) -> None:
        """Move the artists to where ``data`` says."""
        raise NotImplementedError

    # What a reader uses.

    @property
    def data(self) -> Any:
        """What :meth:`simulate` gives for the present settings."""
        with LOCK:
            if self._data is None:
                self._data = self.simulate(**self.values)
            return self._data

    def summary(self) -> str:
        """One sentence that says what the picture shows."""
        with LOCK:
            return self.describe(self.data)

    def update(self, **settings: Any) -> None:
        """Change several settings and draw once. Raises as the constructor does."""
        checked = self._checked(settings)
        with LOCK:
            changed = {name: v for name, v in checked.items() if v != self.values[name]}
            if changed:
                self.values = {**self.values, **changed}
                self._take_up(changed)
                self._refresh()

    def reset(self) -> None:
        """Go back to the settings that it was made with."""
        self.update(**self._start)

    def png(self) -> bytes:
        """The picture."""
        with LOCK:
            screen = self._screen  # made first: its build makes the artists that draw moves
            self.draw(self.data)
            return screen.png()

    def __repr__(self) -> str:
        keywords = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{type(self).__name__}({keywords})"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and for a page without a kernel the picture and the sentence."""
        view = self.widget._repr_mimebundle_() or {}
        bundle = {**view, "image/png": self.png(), "text/plain": self.summary()}
        size = {"width": self._screen.width, "height": self._screen.height}
        return bundle, {"image/png": {"alt": self.summary(), **size}}

    # How it is wired.

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        for name in settings:
            if name not in self.settings:
                known = ", ".join(self.settings)
                raise TypeError(f"{type(self).__name__} has no setting {name!r}; it has {known}")
        return {name: self.settings[name].check(value) for name, value in settings.items()}

    def _take_up(self, changed: dict[str, Any]) -> None:
        """Make the data follow settings that have changed."""
        self._data = None

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self.build, self.size)

    @cached_property
    def widget(self) -> ipywidgets.VBox:
        """Controls, picture and sentence, made when the explorer is first shown."""
        with LOCK:
            made = {name: s.control(self.values[name]) for name, s in self.settings.items()}
            self._controls = {
                name: control for name, control in made.items() if control is not None
            }
            for name, control in self._controls.items():
                control.observe(partial(self._hand, name), names="value")
            wrap = ipywidgets.Layout(flex_flow="row wrap", max_width=f"{self._screen.width}px")
            controls = ipywidgets.Box([*self._controls.values(), *self._buttons()], layout=wrap)
            return ipywidgets.VBox([controls, self._picture, self._sentence])

    def _hand(self, name: str, change: Any) -> None:
        self.update(**{name: change["new"]})

    def _buttons(self) -> list[ipywidgets.DOMWidget]:
        """What stands after the controls."""
        return [button("Reset", "undo", self.reset)]

    @cached_property
    def _picture(self) -> ipywidgets.DOMWidget:
        """The picture on the page, whose ``value`` is its PNG."""
        width, height = str(self._screen.width), str(self._screen.height)
        # A margin would make a picture as wide as the page stick out of it.
        look = {"width": f"{width}px", "max_width": "100%", "height": "auto", "margin": "0"}
        # With its size known, a new picture does not make the page lay itself out again.
        size = {"width": width, "height": height, "layout": look}
        return _NamedImage(value=self.png(), format="png", tooltip=self.title, **size)

    @cached_property
    def _sentence(self) -> Words:
        words = Words(layout={"max_width": f"{self._screen.width}px", "margin": "2px"})
        words.say(*self._spoken())
        return words

    def _spoken(self) -> tuple[str, str]:
        """The sentence, and how a screen reader tells it (see :class:`Words`)."""
        return self.summary(), "polite"

    def _refresh(self) -> None:
        """Send the new state to the page; nothing to do while the explorer is not shown.

        Stale moves of a fast drag never arrive here: the page keeps one message per control under
        way, merges what follows into one pending state, and sends that when the kernel is idle.
        """
        if not self._controls:
            return
        for name, control in self._controls.items():
            # Only a control that shows another value is set: to send the hand's own move back, or
            # 0.3 for its 0.30000000000000004, would undo what the hand did in the meantime.
            if self.settings[name].check(control.value) != self.values[name]:
                control.value = self.values[name]
        self._show()

    def _show(self) -> None:
        self._picture.value = self.png()
        self._sentence.say(*self._spoken())
