"""The settings of an explorer, declared in its class: ``depth = Slider(10, min=2, max=60)``.

A setting is a descriptor. It checks a value, stores it in its explorer, and makes the control that
the hand moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from operator import index
from typing import Any, ClassVar

import ipywidgets
import traitlets

from bpbook.ops import _check

_STYLE = {"description_width": "11em"}
# Two in a row are as wide as a picture; in a narrow window one is as wide as the page, margins off.
_LAYOUT = {"width": "27em", "max_width": "calc(100% - 4px)", "flex": "0 0 auto"}


class Setting:
    """One named value of an explorer, with its default, its label, and what it accepts."""

    wanted = "a value"
    name = ""
    needs: ClassVar[dict[str, Any]] = {}  # other settings without which it changes nothing

    def __init__(self, default: Any, label: str | None = None) -> None:
        self.default, self._label = default, label

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.default = self.check(self.default)

    def __get__(self, explorer: Any, owner: type | None = None) -> Any:
        return self if explorer is None else explorer.values[self.name]

    def __set__(self, explorer: Any, value: Any) -> None:
        explorer.update(**{self.name: value})

    @property
    def label(self) -> str:
        return self._label or self.name.replace("_", " ")

    def check(self, value: Any) -> Any:
        """The value as it is stored; ValueError that names the setting if it does not fit."""
        raise NotImplementedError

    def extremes(self) -> list[Any]:
        """Values at the ends of what it offers, for the tests."""
        raise NotImplementedError

    def control(self, value: Any) -> ipywidgets.DOMWidget | None:
        """The widget that shows and changes the value; None when only the picture does."""
        raise NotImplementedError

    def _refuse(self, value: Any) -> ValueError:
        return ValueError(f"{self.name} = {value!r}; wanted {self.wanted}")

    def _look(self, **more: Any) -> dict[str, Any]:
        layout = ipywidgets.Layout(**_LAYOUT)
        return {"description": self.label, "style": _STYLE, "layout": layout, **more}


class Slider(Setting):
    """A number from min to max; whole when the default, the limits and the step all are."""

    def __init__(
        self, default: float, *, min: float, max: float, step: float = 1, label: str | None = None
    ) -> None:
        super().__init__(default, label)
        self.min, self.max, self.step = min, max, step
        self.whole = all(isinstance(v, Integral) for v in (default, min, max, step))
        self.wanted = f"a {'whole ' if self.whole else ''}number from {min} to {max}"

    def check(self, value: Any) -> float:
        fits = _check.is_whole(value, self.min) if self.whole else _check.is_number(value)
        if not (fits and self.min <= value <= self.max):
            raise self._refuse(value)
        # A float slider sends 0.30000000000000004 for 0.3; twelve digits keep the repr short.
        return int(value) if self.whole else float(f"{float(value):.12g}")

    def extremes(self) -> list[float]:
        return [self.min, self.max]

    def control(self, value: float) -> ipywidgets.DOMWidget:
        limits = {"min": self.min, "max": self.max, "step": self.step}
        make = ipywidgets.IntSlider if self.whole else ipywidgets.FloatSlider
        return make(value=value, **limits, **self._look(continuous_update=True))


class Choice(Setting):
    """One of a few values, in a drop-down list."""

    def __init__(self, default: Any, options: Sequence[Any], label: str | None = None) -> None:
        super().__init__(default, label)
        self.options = tuple(options)
        self.wanted = f"one of {', '.join(map(repr, self.options))}"

    def check(self, value: Any) -> Any:
        for option in self.options:
            if type(value) is not bool and value == option:
                return option
        raise self._refuse(value)

    def extremes(self) -> list[Any]:
        return list(self.options)

    def control(self, value: Any) -> ipywidgets.DOMWidget:
        return ipywidgets.Dropdown(value=value, options=self.options, **self._look())


class Stops(Choice):
    """A slider over listed values, for a range that is not even: 0, 1, 10, 100."""

    def control(self, value: Any) -> ipywidgets.DOMWidget:
        options = [(f"{option:g}", option) for option in self.options]
        return ipywidgets.SelectionSlider(
            value=value, options=options, **self._look(continuous_update=True)
        )


class Toggle(Setting):
    """Yes or no, a check box."""

    wanted = "True or False"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self._refuse(value)
        return value

    def extremes(self) -> list[bool]:
        return [False, True]

    def control(self, value: bool) -> ipywidgets.DOMWidget:
        return ipywidgets.Checkbox(value=value, **self._look(indent=False))


class Several(Setting):
    """Any of a few names, in the order of the options: a row of check boxes."""

    def __init__(
        self, default: Sequence[str], options: Sequence[str], label: str | None = None
    ) -> None:
        super().__init__(default, label)
        self.options = tuple(options)
        self.wanted = f"any of {', '.join(map(repr, self.options))}, as a tuple"

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._refuse(value)
        if any(name not in self.options for name in value):
            raise self._refuse(value)
        return tuple(name for name in self.options if name in value)

    def extremes(self) -> list[tuple[str, ...]]:
        return [(), self.options]

    def control(self, value: tuple[str, ...]) -> ipywidgets.DOMWidget:
        return _CheckBoxes(self.options, value, self.label)


class _CheckBoxes(ipywidgets.Box):
    """A check box for each option; ``value`` holds the names of those that are checked."""

    value = traitlets.Tuple()
    description = traitlets.Unicode()

    def __init__(self, options: Sequence[str], value: tuple[str, ...], label: str) -> None:
        slim = ipywidgets.Layout(width="auto", margin="0 1.2em 0 0")
        self._boxes = {
            name: ipywidgets.Checkbox(name in value, description=name, indent=False, layout=slim)
            for name in options
        }
        layout = ipywidgets.Layout(flex_flow="row wrap", flex="0 0 100%")
        children = [ipywidgets.Label(f"{label}:", layout=slim), *self._boxes.values()]
        super().__init__(children, layout=layout, value=value, description=label)
        for box in self._boxes.values():
            box.observe(self._gather, names="value")

    def _gather(self, _: Any) -> None:
        self.value = tuple(name for name, box in self._boxes.items() if box.value)

    @traitlets.observe("value")
    def _scatter(self, change: Any) -> None:
        with self.hold_trait_notifications():
            for name, box in self._boxes.items():
                box.value = name in change["new"]


class Text(Setting):
    """A line of text that the reader types; what it means, and whether it does, simulate says.

    examples: lines that the explorer can read, for the tests.
    """

    wanted = "a string"

    def __init__(
        self, default: str, examples: Sequence[str] = (), label: str | None = None
    ) -> None:
        super().__init__(default, label)
        self.examples = tuple(examples)

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._refuse(value)
        return " ".join(value.split())  # one line, and no blanks that nobody sees

    def extremes(self) -> list[str]:
        return ["", *self.examples]

    def control(self, value: str) -> ipywidgets.DOMWidget:
        return ipywidgets.Text(value=value, **self._look(continuous_update=True))


class Points(Setting):
    """Points (x, y, class) that the reader puts on the picture; no control shows them."""

    def __init__(
        self, reach: float, classes: int, most: int, needs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(())
        self.needs = needs or {}
        self.reach, self.classes, self.most = reach, classes, most
        self.wanted = (
            f"at most {most} points (x, y, class), x and y from {-reach:g} to {reach:g} "
            f"and class from 0 to {classes - 1}"
        )

    def check(self, value: Any) -> tuple[tuple[float, float, int], ...]:
        try:
            points = tuple((float(x), float(y), index(label)) for x, y, label in value)
        except (TypeError, ValueError):
            raise self._refuse(value) from None
        fits = all(
            abs(x) <= self.reach and abs(y) <= self.reach and label in range(self.classes)
            for x, y, label in points
        )
        if not fits or len(points) > self.most:
            raise self._refuse(value)
        return tuple((round(x, 3), round(y, 3), label) for x, y, label in points)

    def extremes(self) -> list[tuple[tuple[float, float, int], ...]]:
        corners = [(x, y) for x in (-self.reach, self.reach) for y in (-self.reach, self.reach)]
        return [(), tuple((x, y, i % self.classes) for i, (x, y) in enumerate(corners))]

    def control(self, value: Any) -> None:
        return None
