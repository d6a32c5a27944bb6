"""Explorers from Part II on in a real JupyterLab: by keyboard, by mouse, and while they run."""

import re
import time
from functools import partial

import pytest
from browser import lab
from browser.lab import Shown, eventually, moved

from bpbook import explorers
from bpbook.explorers.live import Live
from bpbook.explorers.settings import Choice, Slider, Stops

pytestmark = pytest.mark.browser

LATER = explorers.ALL[explorers.ALL.index(explorers.GradientFlow) :]
STILL = [kind.__name__ for kind in LATER if not issubclass(kind, Live)]

FITS = """root => [root, ...root.querySelectorAll(".widget-box")]
    .every(box => box.scrollWidth <= box.clientWidth)"""
BUSY = """seconds => {
    const end = performance.now() + 1000 * seconds;
    while (performance.now() < end);
}"""


def answers_key_and_mouse(shown: Shown, name: str) -> None:
    """Each slider tells what it is, and the sentence stays one node while its text changes."""
    for slider in getattr(explorers, name).settings.values():
        if isinstance(slider, (Slider, Stops)):
            handle = shown.root.get_by_role("slider", name=slider.label, exact=True)
            number = shown.root.get_by_role("textbox", name=slider.label, exact=True)
            assert handle.get_attribute("aria-valuetext") == number.inner_text()
            # In Notebook 7 its arrow keys would go to the notebook.
            assert handle.get_attribute("data-lm-suppress-shortcuts") == "true"
        if type(slider) is Choice:
            listed = shown.root.get_by_label(slider.label, exact=True)
            assert listed.get_attribute("data-lm-suppress-shortcuts") == "true"
    region = shown.sentence.element_handle()
    index, key = shown.free_slider()
    assert moved(shown, lambda: shown.handle(index).press(key)), name
    assert moved(shown, lambda: shown.drag(index, 0.8 if key == "ArrowRight" else 0.2)), name
    reset = shown.root.get_by_role("button", name="Reset")
    assert moved(shown, lambda: reset.press("Enter")), name
    assert region.evaluate("node => node.isConnected"), name


def step(shown: Shown) -> int:
    """The step that the sentence says."""
    return int(re.search(r"[Ss]tep (\d+)", shown.said())[1])


def plays_pauses_and_steps(shown: Shown) -> None:
    shown.press("Play")
    assert eventually(lambda: step(shown), lambda now: now > 0) > 0
    shown.press("Pause")
    shown.root.get_by_role("button", name="Play").wait_for()  # comes after the final words
    stopped, picture = step(shown), shown.pixels()
    time.sleep(0.3)
    assert (step(shown), shown.pixels()) == (stopped, picture)
    assert moved(shown, lambda: shown.press("Step"))
    assert step(shown) == stopped + 1
    assert moved(shown, lambda: shown.root.get_by_role("button", name="Restart").press("Enter"))
    assert step(shown) == 0


def holds_no_frames_for_a_busy_page(shown: Shown, steps_a_frame: int) -> None:
    shown.press("Play")
    shown.page.evaluate(BUSY, 1.0)
    shown.press("Pause")
    shown.root.get_by_role("button", name="Play").wait_for()
    assert step(shown) < 15 * steps_a_frame  # at 20 frames a second and more there would be 20


def fraction(kind: type[Live], x: float, y: float) -> tuple[float, float]:
    """Where (x, y) on the axes that take the hand is in the picture, from its top left."""
    explorer = kind()
    explorer.png()
    right, up = explorer.hand_axes.transData.transform((x, y))
    width, height = explorer._screen.figure.bbox.size
    return right / width, 1 - up / height


def value(shown: Shown, label: str) -> float:
    """What the slider of that label says."""
    slider = shown.root.get_by_role("slider", name=label, exact=True)
    return float(slider.get_attribute("aria-valuenow"))


@pytest.mark.parametrize("explorer_page", [STILL], indirect=True, ids=["still"])
def test_each_answers_key_and_mouse(explorer_page):
    for index, name in enumerate(STILL):
        answers_key_and_mouse(Shown.wait_for(explorer_page, index), name)
    for width in (700, 450):  # no part has a scroll bar of its own, in a small window or enlarged
        explorer_page.set_viewport_size({"width": width, "height": 1000})
        for index, name in enumerate(STILL):
            shown = Shown.wait_for(explorer_page, index)
            assert eventually(partial(shown.root.evaluate, FITS), bool), (name, width)
    assert lab.strangers(explorer_page.urls) == []


@pytest.mark.parametrize("explorer_page", ["OptimizerRace"], indirect=True)
def test_the_race_runs_and_its_start_is_dragged(explorer_page):
    shown = Shown.wait_for(explorer_page)
    answers_key_and_mouse(shown, "OptimizerRace")
    plays_pauses_and_steps(shown)
    holds_no_frames_for_a_busy_page(shown, steps_a_frame=1)

    start, end = fraction(explorers.OptimizerRace, -4, 1.5), fraction(explorers.OptimizerRace, 2, 1)
    mouse, before = explorer_page.mouse, step(shown)
    mouse.move(*shown.spot(*start))
    mouse.down()
    mouse.move(*shown.spot(*end), steps=20)
    mouse.up()
    assert eventually(lambda: value(shown, "start x"), lambda x: x > 1.9) == pytest.approx(
        2, abs=0.05
    )
    assert value(shown, "start y") == pytest.approx(1, abs=0.05)
    assert step(shown) == before

    shown.picture.focus()
    assert moved(shown, lambda: [explorer_page.keyboard.press(k) for k in ("ArrowUp", "Enter")])
    assert eventually(lambda: value(shown, "start x"), lambda x: x < 1) == pytest.approx(
        0, abs=0.05
    )
    adam = shown.root.get_by_label("Adam", exact=True)
    assert moved(shown, lambda: adam.press("Space"))
    assert "Adam" not in shown.said()
    assert lab.strangers(explorer_page.urls) == []


@pytest.mark.parametrize("explorer_page", ["Playground"], indirect=True)
def test_the_playground_runs_and_takes_own_points(explorer_page):
    shown = Shown.wait_for(explorer_page)
    answers_key_and_mouse(shown, "Playground")
    plays_pauses_and_steps(shown)
    holds_no_frames_for_a_busy_page(shown, steps_a_frame=5)

    choose = shown.root.get_by_label("data set")
    assert moved(shown, lambda: choose.select_option("own points"))
    assert "No points yet" in shown.said()
    click = explorer_page.mouse.click
    assert moved(shown, lambda: click(*shown.spot(*fraction(explorers.Playground, -1, 0))))
    for x, y in [(1, 0), (1, 0)]:  # the second click changes its class
        picture = shown.pixels()
        click(*shown.spot(*fraction(explorers.Playground, x, y)))
        eventually(shown.pixels, lambda now, picture=picture: now != picture)
    shown.press("Play")
    first = eventually(lambda: step(shown), lambda now: now > 0)
    shown.root.get_by_label("activation").select_option("identity")  # while it plays: a new run
    assert eventually(lambda: step(shown), lambda now: 0 < now != first) > 0

    # The cell again: the old explorer plays on, but no page asks for its frames.
    asked = []
    for socket in explorer_page.sockets:
        socket.on("framesent", lambda message: asked.append(b'"kind":"frame"' in message))
    explorer_page.wait_for_timeout(500)
    assert any(asked)
    assert lab.run_all(explorer_page) == []
    again = eventually(lambda: Shown.wait_for(explorer_page).said(), lambda now: "Step 0" in now)
    assert "Step 0, epoch 0" in again
    asked.clear()
    explorer_page.wait_for_timeout(500)
    assert not any(asked)
    assert lab.strangers(explorer_page.urls) == []
