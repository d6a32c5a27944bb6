"""One JupyterLab and one Chromium for the browser tests, and evidence of each failure."""

import os
import re
from pathlib import Path

import pytest
from browser import lab

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"


@pytest.fixture(scope="session")
def chromium():
    """A browser. Without one the tests are skipped, but in CI they fail."""
    reason = lab.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI must run the browser tests, but {reason}")
    if reason:
        pytest.skip(reason)
    with lab.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def lab_server(chromium, tmp_path_factory):
    """(its folder of notebooks, its URL); made after the browser, so that a skip starts nothing."""
    folder = tmp_path_factory.mktemp("lab")
    with lab.jupyterlab(folder) as url:
        yield folder / "notebooks", url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.stash.setdefault(_REPORTS, {})[report.when] = report
    return report


_REPORTS = pytest.StashKey[dict]()


@pytest.fixture
def page(chromium, request):
    """A fresh page. ``page.urls`` lists what it asked for; all of it must be on this machine."""
    context = chromium.new_context(viewport={"width": 1200, "height": 1000})
    context.set_default_timeout(60_000)
    fresh = context.new_page()
    fresh.urls = []
    fresh.on("request", lambda asked: fresh.urls.append(asked.url))
    fresh.on("websocket", lambda socket: fresh.urls.append(socket.url))
    yield fresh
    if request.node.stash[_REPORTS]["call"].failed:
        _keep(fresh, request.node.name)
    context.close()


def _keep(page, test: str) -> None:
    name = re.sub(r"\W+", "-", test).strip("-")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
    (ARTIFACTS / f"{name}.html").write_text(page.content(), encoding="utf-8")
