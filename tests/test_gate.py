"""The gate itself: one character changed in a stored output makes the notebook run fail.

Each chapter is cut after its first cell whose text nbval compares, one character of that text is
changed, and all copies run in one pytest with the project's own configuration. Exactly the changed
cells must fail, for the reason that was planted, and the cells before them must pass.
"""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from notebook_rules import code_cells, text

from bpbook import chapters

CONFIGURATION = Path(__file__).parent.parent / "pyproject.toml"


def other_character(words: str) -> str:
    """`words` with its last digit, or else its last letter, replaced by another one."""
    digits = [i for i, c in enumerate(words) if c in "0123456789"]
    letters = [i for i, c in enumerate(words) if c.isalpha()]
    at = (digits or letters)[-1]
    new = str((int(words[at]) + 1) % 10) if digits else "x" if words[at] != "x" else "y"
    return words[:at] + new + words[at + 1 :]


def compared_text(cell: dict) -> tuple[dict, str] | None:
    """The first place in the cell's outputs with a text that nbval compares."""
    for output in cell["outputs"]:
        places = [(output, "text"), (output.get("data", {}), "text/plain")]
        for place, key in places:
            if any(c.isalnum() for c in text(place.get(key, ""))):
                return place, key
    return None


def corrupt(notebook: dict) -> int:
    """Cut the notebook after its first compared cell and change that text; the cell's number."""
    cells = code_cells(notebook)
    number = next(n for n, cell in enumerate(cells) if compared_text(cell))
    place, key = compared_text(cells[number])
    place[key] = other_character(text(place[key]))
    notebook["cells"] = cells[: number + 1]
    return number


def run_gate(folder: Path) -> dict[tuple[str, str], str | None]:
    """Run pytest on `folder` as the project does; each cell's failure, or None where it passed."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-c", CONFIGURATION, f"--rootdir={folder}"]
    command += ["-n0", "-p", "no:cacheprovider", f"--junitxml={report}", folder]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    clean["PYTHONIOENCODING"] = "utf-8"  # a pipe of Windows is in another encoding
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    results = {}
    for case in ET.parse(report).iter("testcase"):
        failure = next((e for e in case if e.tag in ("failure", "error")), None)
        file = case.get("classname").split(".")[0]
        results[file, case.get("name")] = None if failure is None else failure.text
    return results


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """The planted (chapter, cell) pairs, and what the gate said about every cell."""
    folder = tmp_path_factory.mktemp("gate")
    chapters.copy(chapters.folder(), folder)
    planted = set()
    for path in chapters.notebooks(folder):
        if chapters.lacks(path):
            path.unlink()
            continue
        notebook = json.loads(path.read_text(encoding="utf-8"))
        planted.add((path.stem, f"Cell {corrupt(notebook)}"))
        path.write_text(json.dumps(notebook), encoding="utf-8")
    checkpoints = folder / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "00_welcome-checkpoint.ipynb").write_text("{}", encoding="utf-8")
    return planted, run_gate(folder)


def test_a_changed_character_fails_in_every_chapter_and_nothing_else_does(gate):
    planted, results = gate
    assert planted
    assert {cell for cell, failure in results.items() if failure} == planted


def test_the_failure_shows_that_outputs_disagree(gate):
    planted, results = gate
    assert all("mismatch" in results[cell] for cell in planted)


def test_checkpoints_that_an_editor_left_are_not_collected(gate):
    _, results = gate
    assert not [file for file, _ in results if "checkpoint" in file]


def test_a_sound_notebook_passes_the_gate(tmp_path):
    printed = [{"output_type": "stream", "name": "stdout", "text": "3\n"}]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1}
    cell |= {"source": "print(1 + 2)", "outputs": printed}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "sound.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert run_gate(tmp_path) == {("sound", "Cell 0"): None}


SKIPS = """
import pytest

@pytest.mark.skip
def test_marked():
    pass

def test_calls():
    pytest.skip()

@pytest.mark.skip("no screen here")
def test_says_why():
    pass
"""


def test_a_skip_without_a_reason_fails(tmp_path):
    shutil.copy(CONFIGURATION.with_name("conftest.py"), tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPS, encoding="utf-8")
    results = run_gate(tmp_path)
    assert {name for (_, name), failure in results.items() if failure} == {
        "test_marked",
        "test_calls",
    }
    assert len(results) == 3


@pytest.mark.parametrize(
    ("words", "changed"), [("True 12", "True 13"), ("a9", "a0"), ("fax", "fay"), ("ok", "ox")]
)
def test_exactly_one_character_is_changed(words, changed):
    assert other_character(words) == changed
