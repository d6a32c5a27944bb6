"""How soon an explorer answers, and how fast a live one runs: ``python benchmarks/explorers.py``.

Kernel time is one step of simulate, draw and encode, with a slider moved by one; of a live explorer
it is also one frame of a run. Frames a second are painted frames: those whose picture the page has
decoded and that a frame of the page has shown. Key to paint is measured in the page of a real
JupyterLab in headless Chromium, from the key event to the first frame after the new picture is
decoded. The bare round trip is the same for a slider whose value is shown as text.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from nbformat import v4

from bpbook.explorers import ALL, Explorer
from bpbook.explorers.live import Live
from bpbook.explorers.settings import Slider

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import lab

KERNEL_MEDIAN, PAINT_P95 = 30, 100  # milliseconds to reach
FRAMES = 20  # a second, to reach
BARE_NAME = "bare round trip"

BARE = """import ipywidgets
knob, echo = ipywidgets.IntSlider(50, description="echo"), ipywidgets.HTML()
def answer(change):
    echo.value = f'<p role="status">{change["new"]}</p>'
answer({"new": 50})
knob.observe(answer, "value")
ipywidgets.VBox([knob, echo])"""

# Resolves with the milliseconds from the key event to the frame that shows the answer.
WATCH = """target => {
    window.answered = new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error("no answer within 5 s")), 5000);
        let pressed;
        document.addEventListener("keydown", e => { pressed = e.timeStamp; },
                                  {capture: true, once: true});
        const seen = new MutationObserver(async () => {
            seen.disconnect();
            if (target.decode) await target.decode();
            requestAnimationFrame(() => {  // a message posted in a frame arrives after its paint
                const painted = new MessageChannel();
                painted.port1.onmessage = () => {
                    clearTimeout(late);
                    resolve(performance.now() - pressed);
                };
                painted.port2.postMessage(0);
            });
        });
        seen.observe(target, {attributeFilter: ["src"], childList: true, subtree: true});
    });
}"""


# Counts the pictures that were decoded and then in the page when it painted.
COUNT = """image => {
    window.painted = 0;
    const count = async () => {
        const shown = image.src;
        await image.decode().catch(() => {});
        requestAnimationFrame(() => { if (image.src === shown) window.painted++; });
    };
    new MutationObserver(count).observe(image, {attributeFilter: ["src"]});
}"""


def kernel_times(kind: type[Explorer], steps: int) -> list[float]:
    """Milliseconds of each step, a slider going up and down by one from the default settings."""
    explorer = kind()
    name, setting = next((n, s) for n, s in kind.settings.items() if isinstance(s, Slider))
    start = explorer.values[name]
    sign = 1 if start < setting.max else -1
    explorer.png()
    times = []
    for step in range(steps):
        begin = time.perf_counter()
        explorer.update(**{name: start + sign * setting.step * (1 - step % 2)})
        explorer.png()
        explorer.summary()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def frame_times(kind: type[Live], frames: int) -> list[float]:
    """Milliseconds of each frame of a run at default settings."""
    explorer = kind()
    explorer.png()
    times = []
    for _ in range(frames):
        if explorer.data.finished:
            explorer.restart()
        begin = time.perf_counter()
        explorer.step(explorer.steps_per_frame)
        explorer.png()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def paint_times(
    kinds: list[type[Explorer]], presses: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Milliseconds from key press to paint: the bare round trip and each explorer.

    Each explorer is on a page of its own, as in its chapter, and takes turns there with the bare
    round trip. Also, of each live explorer, the painted frames a second while it plays.
    """
    times: dict[str, list[float]] = {BARE_NAME: []}
    rates: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        lab.jupyterlab(Path(folder)) as url,
        lab.browser() as browser,
    ):
        for kind in kinds:
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            page.set_default_timeout(60_000)
            lab.open_notebook(page, url, _write_notebook(Path(folder) / "notebooks", kind))
            if errors := lab.run_all(page):
                raise RuntimeError("\n".join(errors))
            bare, times[kind.__name__] = _take_turns(page, presses)
            times[BARE_NAME] += bare
            if issubclass(kind, Live):
                rates[kind.__name__] = _frame_rate(page, seconds)
            page.close()
    return times, rates


def _frame_rate(page, seconds: float) -> float:
    shown = lab.Shown.wait_for(page, index=1)  # the bare round trip is first
    shown.press("Play")
    page.wait_for_timeout(500)
    shown.picture.evaluate(COUNT)
    begin = time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    painted, elapsed = page.evaluate("window.painted"), time.perf_counter() - begin
    shown.press("Pause")
    return painted / elapsed


def _write_notebook(folder: Path, kind: type[Explorer]) -> str:
    name = f"{kind.__name__}.ipynb"
    show = f"import bpbook.explorers\nbpbook.explorers.{kind.__name__}()"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [v4.new_code_cell(source) for source in (BARE, show)]
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / name)
    return name


def _take_turns(page, presses: int) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    pause, warm = random.Random(0), 5
    for _ in range(4):  # turns, so that a busy moment of the machine meets both
        for place, found in enumerate(times):
            found += _presses(page, place, warm + presses // 4, pause)[warm:]
    return times


def _presses(page, place: int, count: int, pause: random.Random) -> list[float]:
    panel = page.locator(".jp-OutputArea-output .widget-vbox", has=page.get_by_role("status"))
    shown = panel.nth(place)
    shown.scroll_into_view_if_needed()
    pictures = shown.locator("img.widget-image")
    target = pictures.first if pictures.count() else shown.locator(".widget-html-content").first
    shown.get_by_role("slider").first.focus()
    times = []
    for key in itertools.islice(itertools.cycle(("ArrowRight", "ArrowLeft")), count):
        target.evaluate(WATCH)
        page.keyboard.press(key)
        times.append(page.evaluate("window.answered"))
        page.wait_for_timeout(pause.uniform(20, 80))  # a steady beat would lock on to the frames
    return times


def report(
    title: str, times: dict[str, list[float]], q: float, limit: float, bare: str = ""
) -> None:
    print(f"{title:<36}{'median':>9}{'p95':>9}   ms")
    for name, found in times.items():
        median, p95 = np.percentile(found, [50, 95])
        reached = np.percentile(found, q) <= limit
        verdict = "" if name == bare else f"   {'reached' if reached else 'MISSED'}"
        print(f"  {name:<34}{median:9.1f}{p95:9.1f}{verdict}")


def report_rates(rates: dict[str, float]) -> None:
    print(f"{f'painted frames a second, >= {FRAMES}':<36}{'':>9}{'steps a frame':>16}")
    for name, rate in rates.items():
        (kind,) = (kind for kind in ALL if kind.__name__ == name)
        verdict = "reached" if rate >= FRAMES else "MISSED"
        print(f"  {name:<34}{rate:9.1f}{kind.steps_per_frame.default:>16}   {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [kind.__name__ for kind in ALL]
    parser.add_argument("only", nargs="*", metavar="NAME", help="explorers to measure (all)")
    parser.add_argument("--steps", type=int, default=200, help="steps of kernel time (200)")
    parser.add_argument("--presses", type=int, default=100, help="key presses (100)")
    parser.add_argument("--seconds", type=float, default=5, help="of play, for the rate (5)")
    options = parser.parse_args()
    if unknown := sorted(set(options.only) - set(names)):
        parser.error(f"no explorer is called {', '.join(unknown)}; there are {', '.join(names)}")
    kinds = [kind for kind in ALL if kind.__name__ in (options.only or names)]
    kernel = {kind.__name__: kernel_times(kind, options.steps) for kind in kinds}
    live = [kind for kind in kinds if issubclass(kind, Live)]
    kernel |= {f"{k.__name__}, a frame of a run": frame_times(k, options.steps) for k in live}
    report(f"kernel step, median <= {KERNEL_MEDIAN}", kernel, 50, KERNEL_MEDIAN)
    if reason := lab.missing():
        print(f"key to paint and frame rate: not measured, {reason}")
        return
    paint, rates = paint_times(kinds, options.presses, options.seconds)
    report(f"key to paint, p95 <= {PAINT_P95}", paint, 95, PAINT_P95, BARE_NAME)
    if rates:
        report_rates(rates)


if __name__ == "__main__":
    main()
