"""Drive a real JupyterLab in headless Chromium; shared by the browser tests and the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_ARGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


def chromium() -> str | None:
    """The path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def missing() -> str | None:
    """Why the browser tests cannot run here, or None when they can."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return (
        None if chromium() else f"no Chromium on the PATH (looked for {', '.join(CHROMIUM_NAMES)})"
    )


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serve folder/notebooks with JupyterLab; yields its URL, which ends in ``?token=…``.

    Its settings, kernels and logs live in the folder too, so that the reader's own stay untouched.
    """
    home, root = folder / "jupyter", folder / "notebooks"
    root.mkdir(parents=True, exist_ok=True)
    runtime = home / "runtime"
    with open(folder / "jupyterlab.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(
            _command(root), env=_environment(home), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield _address(server, runtime, folder / "jupyterlab.log")
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(15)
            server.kill()


def _command(root: Path) -> list[str]:
    options = {
        "ServerApp.root_dir": root,
        "ServerApp.port": _free_port(),
        "ServerApp.port_retries": 50,  # another process may take the port first
        "ServerApp.allow_root": True,
        "ServerApp.open_browser": False,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "LabApp.expose_app_in_browser": True,  # window.jupyterapp, to wait for "run all cells"
    }
    return [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]


def _environment(home: Path) -> dict[str, str]:
    config = home / "config" / "labconfig"
    config.mkdir(parents=True)
    # The news extension asks the network; the page must not.
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    page = json.dumps({"disabledExtensions": disabled})
    (config / "page_config.json").write_text(page, encoding="utf-8")
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    jupyter = {f"JUPYTER_{p}": str(home / p.removesuffix("_DIR").lower()) for p in places}
    lab = {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    lab["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    return {**os.environ, **jupyter, **lab, "IPYTHONDIR": str(home / "ipython")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _address(server: subprocess.Popen, runtime: Path, log: Path, patience: float = 60) -> str:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text(encoding='utf-8')}")
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):  # not written yet, or not listening yet
                state = json.loads(file.read_text(encoding="utf-8"))
                urllib.request.urlopen(f"{state['url']}api?token={state['token']}", timeout=5)
                return f"{state['url']}lab?token={state['token']}"
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer in {patience} s:\n{log.read_text('utf-8')}")


@contextlib.contextmanager
def browser() -> Iterator:
    """A headless Chromium (a Playwright browser)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        engine = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGS))
        try:
            yield engine
        finally:
            engine.close()


def strangers(urls: list[str]) -> list[str]:
    """Those requested URLs that leave the machine."""
    network = [url for url in urls if urlsplit(url).scheme not in ("blob", "data", "about")]
    return [url for url in network if urlsplit(url).hostname not in LOCAL_HOSTS]


def open_notebook(page, url: str, name: str) -> None:
    """Open a notebook in single-document mode and wait for its kernel."""
    page.goto(url.replace("/lab?", f"/doc/tree/{name}?"))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    # The toolbar says "idle" before there is a kernel, and to run then opens a dialog.
    page.evaluate(
        """async () => {
            const context = window.jupyterapp.shell.currentWidget.sessionContext;
            await context.ready;
            await context.session.kernel.info;
        }"""
    )


def run_all(page) -> list[str]:
    """Run every cell, wait until the last has run, and return the errors that the page shows."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    return page.locator('.jp-OutputArea-output[data-mime-type$="error"]').all_inner_texts()


class Shown:
    """One explorer on a page: its controls, picture and sentence."""

    def __init__(self, page, root) -> None:
        self.page, self.root = page, root
        self.picture = root.locator("img.widget-image").first
        self.sentence = root.locator('[role="status"]').first

    @classmethod
    def wait_for(cls, page, index: int = 0, patience: float = 60) -> Shown:
        """The index-th explorer of the page, once its picture is painted."""
        found = page.locator(".widget-vbox", has=page.locator('[role="status"]')).nth(index)
        found.wait_for(timeout=1000 * patience)
        found.scroll_into_view_if_needed()
        found.locator("img.widget-image").first.wait_for(timeout=1000 * patience)
        return cls(page, found)

    def handle(self, index: int = 0):
        """The handle of the index-th slider."""
        return self.root.get_by_role("slider").nth(index)

    def pixels(self) -> str:
        """The painted picture, as a data URL of its pixels."""
        return self.picture.evaluate(
            """async image => {
                // Rejected when a newer picture takes its place.
                while (!await image.decode().then(() => true, () => false));
                const canvas = document.createElement("canvas");
                canvas.width = image.naturalWidth;
                canvas.height = image.naturalHeight;
                canvas.getContext("2d").drawImage(image, 0, 0);
                return canvas.toDataURL();
            }"""
        )

    def said(self) -> str:
        return self.sentence.inner_text()

    def press(self, button: str) -> None:
        """Click a button."""
        self.root.get_by_role("button", name=button).click()

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a point of the picture is, given in fractions from its top left."""
        box = self.picture.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def free_slider(self) -> tuple[int, str]:
        """The first slider, and the key that moves it away from the nearer end of its range."""
        read = "e => ['valuemin', 'valuenow', 'valuemax'].map(k => +e.getAttribute('aria-' + k))"
        low, now, high = self.handle(0).evaluate(read)
        return 0, "ArrowRight" if now - low <= high - now else "ArrowLeft"

    def drag(self, index: int, to: float, steps: int = 30) -> int:
        """Drag a slider's handle to a fraction of its track; returns how often the mouse moved."""
        self.handle(index).scroll_into_view_if_needed()
        start = self.handle(index).bounding_box()
        track = self.handle(index).locator("xpath=ancestor::*[contains(@class, 'noUi-target')]")
        span = track.bounding_box()
        mouse = self.page.mouse
        y = start["y"] + start["height"] / 2
        mouse.move(start["x"] + start["width"] / 2, y)
        mouse.down()
        mouse.move(span["x"] + to * span["width"], y, steps=steps)
        mouse.up()
        return steps

    def type_readout(self, index: int, value: str) -> None:
        """Type a value into the index-th slider's readout."""
        readout = self.root.locator(".widget-readout").nth(index)
        readout.fill(value)
        readout.press("Enter")


def eventually(read, wanted, patience: float = 5.0):
    """Read until it is as wanted; the last reading, wanted or not."""
    deadline = time.monotonic() + patience
    while not wanted(value := read()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


def moved(shown: Shown, act) -> bool:
    """Whether both picture and sentence change after the act."""
    picture, sentence = shown.pixels(), shown.said()
    act()
    new_sentence = eventually(shown.said, lambda now: now != sentence)
    new_picture = eventually(shown.pixels, lambda now: now != picture)
    return new_sentence != sentence and new_picture != picture
