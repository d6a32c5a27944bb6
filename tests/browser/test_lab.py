"""The explorers in a real JupyterLab: keyboard, mouse, picture, sentence, no stranger."""

import shutil
import time
from pathlib import Path

import pytest
from browser import lab
from browser.lab import eventually, moved

pytestmark = pytest.mark.browser

CHAPTERS = Path(__file__).parents[2] / "chapters"
PAINTED = """image => {
    window.painted = 0;
    new MutationObserver(() => window.painted++).observe(image, {attributeFilter: ["src"]});
}"""


@pytest.mark.parametrize("chapter", ["03_backpropagation", "04_softmax_and_cross_entropy"])
def test_a_chapter_runs_and_its_explorer_answers(lab_server, page, chapter):
    notebooks, url = lab_server
    shutil.copy(CHAPTERS / f"{chapter}.ipynb", notebooks)
    lab.open_notebook(page, url, f"{chapter}.ipynb")
    assert lab.run_all(page) == []
    shown = lab.Shown.wait_for(page)
    index, key = shown.free_slider()
    assert moved(shown, lambda: shown.handle(index).press(key))
    assert moved(shown, lambda: shown.drag(index, 0.9 if key == "ArrowRight" else 0.1))
    assert lab.strangers(page.urls) == []


@pytest.mark.parametrize("explorer_page", ["GradientCost"], indirect=True)
def test_a_fast_drag_skips_stale_settings_and_ends_at_the_hand(explorer_page):
    shown = lab.Shown.wait_for(explorer_page)
    shown.picture.evaluate(PAINTED)
    moves = shown.drag(index=1, to=0.95, steps=120)
    released = time.monotonic()
    width = shown.handle(1).get_attribute("aria-valuetext")
    said = eventually(shown.said, lambda now: f"64–{width}–{width}–10" in now, patience=3)
    seconds = time.monotonic() - released
    assert f"64–{width}–{width}–10" in said
    assert int(width) > 700
    assert seconds < 1, f"the picture came {seconds:.2f} s after the hand had stopped"
    time.sleep(0.3)
    painted = explorer_page.evaluate("window.painted")
    assert 2 <= painted < moves, f"{painted} pictures for {moves} moves"
    assert shown.pixels() == _drawn_by_the_kernel(explorer_page, shown)


def _drawn_by_the_kernel(page, shown: lab.Shown) -> str:
    """The picture after Reset and the same setting again, as one step: no drag behind it."""
    width = shown.handle(1).get_attribute("aria-valuetext")
    assert moved(shown, lambda: shown.root.get_by_role("button", name="Reset").click())
    assert moved(shown, lambda: shown.type_readout(1, width))
    return shown.pixels()


@pytest.mark.parametrize("explorer_page", ["SoftmaxCrossEntropy"], indirect=True)
def test_keyboard_alone_reaches_every_control(explorer_page):
    shown = lab.Shown.wait_for(explorer_page)
    for index in range(shown.root.get_by_role("slider").count()):
        shown.handle(index).focus()
        assert moved(shown, lambda: explorer_page.keyboard.press("ArrowRight")), f"slider {index}"
    choose = shown.root.get_by_label("true class")
    assert moved(shown, lambda: choose.press("ArrowDown"))
    assert choose.input_value() == "eight"
    assert moved(shown, lambda: choose.press("t"))  # in the list "three"; to the notebook, nothing
    assert choose.input_value() == "three"
    choose.press("x")  # to the notebook: cut the cell
    assert explorer_page.locator(".jp-Notebook .jp-Cell").count() == 1
    assert shown.root.is_visible()
    reset = shown.root.get_by_role("button", name="Reset")
    assert moved(shown, lambda: reset.press("Enter"))
    assert "p = (0.659, 0.242, 0.099)" in shown.said()
    assert shown.picture.get_attribute("title") == "Softmax and cross-entropy"
    assert lab.strangers(explorer_page.urls) == []


@pytest.mark.parametrize("explorer_page", ["SoftmaxCrossEntropy"], indirect=True)
def test_no_step_is_lost_while_a_key_is_held(explorer_page):
    shown = lab.Shown.wait_for(explorer_page)
    shown.handle(0).focus()
    for _ in range(20):
        explorer_page.keyboard.press("ArrowRight")
    assert "z = (4.000, " in eventually(shown.said, lambda now: "z = (4.000, " in now)
    assert float(shown.handle(0).get_attribute("aria-valuenow")) == pytest.approx(4)


def test_a_stranger_is_recognised():
    """The check of requests can fail."""
    here = [
        "http://localhost:8888/lab",
        "ws://127.0.0.1:9/api",
        "blob:http://localhost/1",
        "data:,",
    ]
    assert lab.strangers(here) == []
    away = ["https://jupyterlab.github.io/assets/feed.xml", "http://localhost.example.org/"]
    assert lab.strangers([*here, *away]) == away
