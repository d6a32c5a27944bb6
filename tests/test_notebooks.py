"""The committed chapters keep the rules that nbval cannot check, and each rule can fail."""

import copy
import functools
import json
import subprocess
import sys
from pathlib import Path

import notebook_rules as rules
import pytest

from bpbook import chapters

FOLDER = chapters.folder()
CHAPTERS = chapters.notebooks(FOLDER)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_notebook_in_the_folder_is_a_chapter():
    assert sorted(FOLDER.glob("*.ipynb")) == CHAPTERS


def test_there_are_chapters_numbered_from_00_without_a_gap():
    numbers = [int(path.name[:2]) for path in CHAPTERS if path.name[2] == "_"]
    assert numbers
    assert numbers == list(range(len(numbers)))
    companions = {int(path.name[:2]) for path in CHAPTERS if path.name[2] != "_"}
    assert companions <= set(numbers)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_the_rule(path, rule):
    if rule is rules.cells_are_small and path.name.startswith("00"):
        rule = functools.partial(rule, least=6)  # the welcome is a short chapter
    assert rule(read(path)) == []


def test_no_helper_is_defined_in_two_chapters():
    assert rules.shared_helpers({path.stem: read(path) for path in CHAPTERS}) == []


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_finds_nothing_in_the_chapters(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(FOLDER)]
    done = subprocess.run(ruff, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


# --- every rule finds the fault that it is there for ------------------------------------------


def sound() -> dict:
    """A small notebook in which every rule finds nothing."""
    picture = {
        "output_type": "display_data",
        "data": {"image/png": "iVBORw0KGgo=", "text/plain": "7 points, y from 0 to 1"},
        "metadata": {"image/png": {"alt": "a line"}},
    }
    prose = {
        "cell_type": "markdown",
        "id": "a",
        "metadata": {},
        "source": "# 3 · Title\n\n**Why?**",
    }
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "execution_count": number,
            "source": [f"x = {number}\n", "x"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1/2/3 of 10\n"]}],
        }
        for number in range(1, 17)
    ]
    cells[4]["outputs"] = [picture]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {"cells": [prose, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def changed(place: list, value: object):
    """A change to a notebook: the entry at `place` (keys and indices) becomes `value`."""

    def change(notebook: dict) -> None:
        *way, last = place
        target = functools.reduce(lambda node, key: node[key], way, notebook)
        target[last] = value

    return change


def output(**fields) -> list[dict]:
    return [{"output_type": "display_data", "metadata": {}, **fields}]


CODE = ["cells", 1]
ERROR = [{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
FAULTS = [
    (rules.counts_are_sequential, [*CODE, "execution_count"], None),
    (rules.counts_are_sequential, [*CODE, "execution_count"], 2),
    (rules.pictures_have_words, ["cells", 5, "outputs", 0, "data", "text/plain"], "<Figure at 1>"),
    (rules.pictures_have_words, ["cells", 5, "outputs", 0, "data"], {"image/png": "iVBO"}),
    (rules.pictures_have_alt_text, ["cells", 5, "outputs", 0, "metadata"], {}),
    (
        rules.pictures_have_alt_text,
        ["cells", 5, "outputs", 0, "metadata", "image/png"],
        {"alt": " "},
    ),
    (rules.pictures_have_alt_text, ["cells", 0, "source"], "![](graph.png)"),
    (rules.pictures_have_alt_text, ["cells", 0, "source"], '<img src="graph.png" alt="">'),
    (rules.runs_alike_everywhere, [*CODE, "source"], "plot();"),
    (rules.runs_alike_everywhere, [*CODE, "source"], "interact(draw, depth=3)"),
    (rules.runs_alike_everywhere, [*CODE, "source"], "with widgets.Output():\n    draw()"),
    (rules.runs_alike_everywhere, [*CODE, "source"], "display.clear_output(wait=True)"),
    (rules.runs_alike_everywhere, [*CODE, "source"], "%matplotlib inline"),
    (rules.runs_alike_everywhere, [*CODE, "source"], "\n"),
    (rules.nothing_is_exempt, [*CODE, "source"], "# NBVAL_IGNORE_OUTPUT\nx"),
    (rules.nothing_is_exempt, [*CODE, "source"], "#NBVAL_RAISES_EXCEPTION\nx"),
    (rules.nothing_is_exempt, [*CODE, "metadata", "tags"], ["nbval-skip"]),
    (rules.nothing_is_exempt, [*CODE, "outputs"], ERROR),
    (rules.nothing_is_exempt, [*CODE, "metadata", "tags"], ["raises-exception"]),
    (rules.stores_only_results, [*CODE, "outputs", 0, "name"], "stderr"),
    (rules.stores_only_results, [*CODE, "outputs"], output(data={rules.WIDGET_VIEW: {}})),
    (rules.stores_only_results, ["metadata", "widgets"], {}),
    (rules.stores_only_results, [*CODE, "outputs", 0, "text"], "wrote /home/ann/plot.png"),
    (rules.stores_only_results, [*CODE, "outputs", 0, "text"], r"C:\Users\ann\plot.png"),
    (
        rules.stores_only_results,
        [*CODE, "outputs"],
        output(data={"text/plain": "<f at 0x7f12abcd>"}),
    ),
    (rules.metadata_is_minimal, ["metadata", "language_info", "version"], "3.11.7"),
    (rules.metadata_is_minimal, ["metadata", "kernelspec", "name"], "my-venv"),
    (rules.metadata_is_minimal, [*CODE, "metadata"], {"execution": {}}),
    (rules.ids_are_unique, [*CODE, "id"], "a"),
    (rules.ids_are_unique, [*CODE, "id"], None),
    (rules.cells_are_small, [*CODE, "source"], "x\n" * 21),
    (rules.cells_are_small, ["cells"], []),
    (
        rules.opens_with_a_question,
        ["cells", 0, "source"],
        "# 3 · Title\n\nThis chapter derives.\n\nWhy?",
    ),
    (rules.opens_with_a_question, ["cells", 0, "cell_type"], "code"),
]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rule_finds_nothing_in_a_sound_notebook(rule):
    assert rule(sound()) == []


@pytest.mark.parametrize(
    ("rule", "place", "value"), FAULTS, ids=[f"{n}-{f[0].__name__}" for n, f in enumerate(FAULTS)]
)
def test_rule_finds_a_planted_fault(rule, place, value):
    notebook = sound()
    changed(place, copy.deepcopy(value))(notebook)
    assert rule(notebook)


def test_every_rule_has_a_planted_fault():
    assert {rule for rule, _, _ in FAULTS} == set(rules.RULES)


def test_too_long_a_median_cell_is_found():
    notebook = sound()
    for cell in rules.code_cells(notebook):
        cell["source"] = "x\n" * 7
    assert rules.cells_are_small(notebook)


def test_too_many_cells_are_found():
    notebook = sound()
    notebook["cells"] *= 2
    assert rules.cells_are_small(notebook)


def test_an_error_shown_on_purpose_is_allowed_with_its_tag_and_reason():
    notebook = sound()
    cell = notebook["cells"][1]
    cell |= {"source": "# Labels must be one-hot.\nloss(3)", "outputs": ERROR}
    cell["metadata"] = {"tags": ["raises-exception"]}
    assert rules.nothing_is_exempt(notebook) == []


def test_a_helper_defined_in_two_notebooks_is_found():
    first, second = sound(), sound()
    first["cells"][1]["source"] = second["cells"][2]["source"] = "def nudge(x):\n    return x"
    assert rules.shared_helpers({"one": first, "two": sound()}) == []
    assert rules.shared_helpers({"one": first, "two": second}) == [
        "nudge is defined in ['one', 'two']"
    ]
