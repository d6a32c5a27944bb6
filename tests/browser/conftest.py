"""One JupyterLab and one Chromium for the browser tests, and evidence of each failure."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from browser import lab
from nbformat import v4

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
    """A fresh page. ``page.urls`` lists what it asked for; all of it must be on this machine.

    ``page.sockets`` lists its web sockets.
    """
    context = chromium.new_context(viewport={"width": 1200, "height": 1000})
    context.set_default_timeout(60_000)
    fresh = context.new_page()
    fresh.urls, fresh.sockets = [], []
    fresh.on("request", lambda asked: fresh.urls.append(asked.url))
    fresh.on("websocket", lambda socket: fresh.urls.append(socket.url))
    fresh.on("websocket", lambda socket: fresh.sockets.append(socket))
    yield fresh
    if request.node.stash[_REPORTS]["call"].failed:
        _keep(fresh, request.node.name)
    context.close()


@pytest.fixture
def explorer_page(lab_server, page, request):
    """A page that has run a notebook of one cell, which shows the explorers that the test names."""
    notebooks, url = lab_server
    kinds = [request.param] if isinstance(request.param, str) else request.param
    shows = [f"display(explorers.{kind}())" for kind in kinds]
    cell = v4.new_code_cell("\n".join(["from bpbook import explorers", *shows]))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    name = f"{kinds[0]}.ipynb"
    nbformat.write(notebook, notebooks / name)
    lab.open_notebook(page, url, name)
    assert lab.run_all(page) == []
    return page


def _keep(page, test: str) -> None:
    name = re.sub(r"\W+", "-", test).strip("-")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
    (ARTIFACTS / f"{name}.html").write_text(page.content(), encoding="utf-8")
