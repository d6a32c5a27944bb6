"""What every explorer keeps: total over its settings, one figure, driven from both sides."""

import io
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from bpbook.explorers import ALL, Explorer
from bpbook.explorers.live import Live
from bpbook.explorers.readout import Readout
from bpbook.explorers.screen import PIXELS_PER_CSS_PIXEL, encode_png
from bpbook.explorers.settings import Choice, Points, Several, Slider, Stops, Text, Toggle

every = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
unhurried = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@dataclass(frozen=True)
class Level:
    value: float


class Gauge(Explorer):
    """A small explorer with one setting of each kind; counts what it is asked to do."""

    title = "Gauge"
    size = (2.0, 1.0)
    depth = Slider(10, min=2, max=60, label="depth (layers)")
    rate = Slider(0.5, min=0.1, max=2.0, step=0.1)
    shape = Choice("flat", ("flat", "round"))
    factor = Stops(1, (1, 10, 100))
    logarithmic = Toggle(False)
    note = Text("", examples=("a b",))
    draws = 0

    @staticmethod
    def simulate(depth, rate, shape, factor, logarithmic, note):
        return Level(depth * rate * factor)

    @staticmethod
    def describe(data):
        return f"The level is {data.value:.1f}."

    def build(self, figure):
        axes = figure.subplots()
        (self._line,) = axes.plot([0, 1], [0, 0], animated=True)
        axes.set_ylim(0, 120)

    def draw(self, data):
        self.draws += 1
        self._line.set_ydata([0, data.value])


def pixels(explorer: Explorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(explorer.png())))


def anything(kind: type[Explorer]) -> st.SearchStrategy[dict]:
    """Settings of an explorer, with the ends of every range likely."""

    def one(setting):
        if isinstance(setting, Slider):
            number = st.integers if setting.whole else st.floats
            inside = number(setting.min, setting.max)
            return st.sampled_from(setting.extremes()) | inside
        if isinstance(setting, Several):
            return st.sets(st.sampled_from(setting.options)).map(sorted)
        if isinstance(setting, Text):
            return st.sampled_from(setting.extremes()) | st.text(max_size=200)
        if isinstance(setting, Points):
            along = st.floats(-setting.reach, setting.reach)
            return st.lists(st.tuples(along, along, st.integers(0, setting.classes - 1)))
        return st.sampled_from(setting.extremes())

    return st.fixed_dictionaries({name: one(setting) for name, setting in kind.settings.items()})


# Every explorer, over every setting.


@cache
def reused(kind: type[Explorer]) -> Explorer:
    """One explorer for many examples: making a figure takes far longer than moving it."""
    return kind()


@every
@unhurried
@given(data=st.data())
def test_survives_any_setting_without_a_warning(kind, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # between two libraries, not ours
        explorer, values = reused(kind), data.draw(anything(kind))
        begin = time.process_time()
        explorer.update(**values)
        if isinstance(explorer, Live):
            explorer.step(explorer.steps_per_frame)
        assert explorer.png()
        assert "\n" not in explorer.summary()
        assert explorer.summary().endswith(".")
        assert time.process_time() - begin < 1, "a reader would think that it hangs"


@every
@pytest.mark.parametrize("end", [0, -1])
def test_moving_the_artists_leaves_the_picture_of_a_fresh_explorer(kind, end):
    extreme = {name: setting.extremes()[end] for name, setting in kind.settings.items()}
    moved, fresh = reused(kind), kind(**extreme)
    assert np.array_equal(pixels(settled(moved, extreme)), pixels(settled(fresh, extreme)))
    default = kind().values
    assert np.array_equal(pixels(settled(moved, default)), pixels(settled(kind(), default)))


def settled(explorer: Explorer, values: dict) -> Explorer:
    """The explorer with these settings; a live one some steps after its start."""
    explorer.update(**values)
    if isinstance(explorer, Live):
        explorer.restart()
        explorer.step(30)
    return explorer


@every
@unhurried
@given(data=st.data())
def test_repr_is_the_line_that_makes_the_state_again(kind, data):
    explorer = settled(kind(), data.draw(anything(kind)))
    again = eval(repr(explorer), {kind.__name__: kind})
    assert again.values == explorer.values
    assert again.summary() == explorer.summary()


@every
def test_a_setting_moves_the_picture_or_the_sentence(kind):
    explorer = reused(kind)
    for name, setting in kind.settings.items():
        start, seen = kind(**setting.needs).values, set()
        for value in setting.extremes():
            settled(explorer, {**start, name: value})
            if isinstance(explorer, Live):
                paint_frame(explorer)
            seen.add((explorer.summary(), explorer.png()))
            if len(seen) > 1:
                break
        assert len(seen) > 1, f"{name} changes nothing"


def paint_frame(explorer: Live) -> None:
    """What happens when a page asks for one frame of an explorer that plays."""
    stage = explorer.widget.children[1]
    explorer.play()
    question = {"kind": "frame", "after": stage.frame, "question": "1"}
    stage._handle_custom_msg(question, [])
    explorer.pause()


@every
def test_the_still_part_is_drawn_once_while_a_default_slider_moves(kind):
    explorer = kind()
    explorer.png()
    name, setting = next((n, s) for n, s in kind.settings.items() if isinstance(s, Slider))
    for value in setting.extremes():
        explorer.update(**{name: value})
        explorer.png()
        if isinstance(explorer, Live):
            explorer.step(5)
            explorer.png()
    assert explorer._screen.backgrounds == 1


@every
def test_bundle_holds_widget_picture_and_sentence(kind):
    data, metadata = kind()._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert data["text/plain"] == metadata["image/png"]["alt"] == kind().summary()
    assert picture.width == PIXELS_PER_CSS_PIXEL * metadata["image/png"]["width"]


@every
def test_controls_are_labelled_and_follow_the_hand_at_once(kind):
    explorer = kind()
    assert explorer.widget
    for name, control in explorer._controls.items():
        assert control.description == kind.settings[name].label
        assert getattr(control, "continuous_update", True)


@every
def test_the_readers_matplotlib_settings_do_not_reach_the_picture(kind):
    with rc_context({"axes.facecolor": "black", "font.size": 30, "text.color": "red"}):
        inside = kind().png()
    assert inside == kind().png()


# The settings.


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("depth", 61, "a whole number from 2 to 60"),
        ("depth", 2.5, "a whole number from 2 to 60"),
        ("depth", True, "a whole number from 2 to 60"),
        ("rate", float("nan"), "a number from 0.1 to 2.0"),
        ("rate", "fast", "a number from 0.1 to 2.0"),
        ("shape", "square", "one of 'flat', 'round'"),
        ("factor", 2, "one of 1, 10, 100"),
        ("logarithmic", 1, "True or False"),
        ("note", 3, "a string"),
    ],
)
def test_a_value_out_of_range_names_setting_value_and_range(name, value, wanted):
    gauge = Gauge()
    with pytest.raises(ValueError, match=name) as error:
        setattr(gauge, name, value)
    assert str(error.value) == f"{name} = {value!r}; wanted {wanted}"
    assert gauge.values == Gauge().values


def test_an_unknown_setting_lists_those_that_exist():
    with pytest.raises(TypeError, match="no setting 'dept'; it has depth, rate, shape, factor"):
        Gauge(dept=3)
    with pytest.raises(TypeError, match="no setting 'dept'"):
        Gauge().update(dept=3)


def test_attributes_read_and_drive():
    gauge = Gauge(depth=np.int64(4), rate=0.1 + 0.2)
    assert (gauge.depth, gauge.rate) == (4, 0.3)
    gauge.depth = 40
    assert gauge.summary() == "The level is 12.0."
    gauge.note = " two\n words "
    assert gauge.note == "two words"
    assert repr(gauge) == (
        "Gauge(depth=40, rate=0.3, shape='flat', factor=1, logarithmic=False, note='two words')"
    )


# The wiring.


def test_nothing_is_drawn_before_it_is_shown_and_one_update_draws_once():
    gauge = Gauge()
    gauge.update(depth=3, rate=1.0)
    assert gauge.draws == 0
    assert gauge.widget
    shown = gauge.draws
    gauge.update(depth=5, rate=0.2, factor=10)
    assert gauge.draws == shown + 1
    gauge.update(depth=5)
    assert gauge.draws == shown + 1


def test_a_control_moves_picture_and_sentence():
    gauge = Gauge()
    assert gauge.widget
    before = bytes(gauge._picture.value)
    gauge._controls["depth"].value = 60
    assert gauge.depth == 60
    assert bytes(gauge._picture.value) == gauge.png() != before
    assert gauge._sentence.value == "The level is 30.0."
    assert gauge._sentence.live == "polite"


def test_code_moves_the_controls_and_reset_goes_back_to_the_start():
    gauge = Gauge(depth=20)
    assert gauge.widget
    gauge.update(depth=30, shape="round", logarithmic=True)
    assert {name: c.value for name, c in gauge._controls.items()} == gauge.values
    reset = gauge.widget.children[0].children[-1]
    reset.click()
    assert gauge.values == Gauge(depth=20).values
    assert gauge._controls["depth"].value == 20


def test_a_hand_and_a_cell_may_move_it_at_the_same_time():
    """JupyterLab handles slider moves on another thread than cells."""
    inside, failures = [], []

    class Slow(Gauge):
        def draw(self, data):
            inside.append(threading.get_ident())
            time.sleep(0.001)  # lets the other thread in, if nothing keeps it out
            super().draw(data)
            if set(inside) != {threading.get_ident()}:
                failures.append("two threads drew at once")
            inside.pop()

    gauge = Slow()
    assert gauge.widget

    def hand():
        try:
            for value in range(2, 61):
                gauge._controls["depth"].value = value
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=hand)
    thread.start()
    for step in range(1, 21):
        gauge.rate = step / 10
    thread.join(timeout=60)
    assert not failures
    assert (gauge.depth, gauge.rate) == (60, 2.0)
    assert bytes(gauge._picture.value) == Gauge(depth=60, rate=2.0).png()


def test_a_change_of_the_still_part_is_seen():
    gauge = Gauge()
    before = gauge.png()
    gauge._screen.figure.axes[0].set_title("new")
    assert gauge.png() != before
    assert gauge._screen.backgrounds == 2


def test_importing_the_package_loads_no_widgets():
    code = (
        "import bpbook, sys; print([m for m in ('ipywidgets', 'matplotlib') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# Its two shortcuts, against the libraries that they stand in for.


def test_png_is_read_back_exactly():
    noise = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(encode_png(noise)))
    image.load()
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), noise)


@pytest.mark.parametrize("ha", ["left", "center", "right"])
@pytest.mark.parametrize("text", ["0.659, −0.758", "1024–(1024 × 59)–100", "W = 8,970 $"])
def test_readout_stands_where_matplotlib_would_put_the_text(ha, text):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def ink(make):
        figure = Figure(figsize=(4, 1), dpi=150)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        artist = make(figure)
        artist.draw(canvas.get_renderer())
        dark = np.asarray(canvas.buffer_rgba())[..., :3].min(axis=2) < 128
        rows, columns = np.nonzero(dark)
        return np.array([rows.min(), rows.max(), columns.min(), columns.max()])

    place = {"ha": ha, "va": "baseline", "size": 12}
    ours = ink(lambda figure: figure.add_artist(Readout(0.5, 0.5, text, **place)))
    theirs = ink(lambda figure: figure.text(0.5, 0.5, text.replace("$", r"\$"), **place))
    assert np.abs(ours - theirs).max() <= 3
