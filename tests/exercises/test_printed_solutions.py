"""Solutions that a reader prints and pastes into the chapter run there, and are right."""

import ast
import json
import re

import pytest

from bpbook import chapters
from bpbook.exercises import exercises, solution

CHAPTERS = [chapter for chapter in range(25) if exercises(chapter)]


def code(chapter: int) -> str:
    notebook = chapters.find(str(chapter), chapters.folder())
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def imported(chapter: int) -> dict[str, object]:
    """The names that a chapter's imports bind."""
    body = ast.parse(code(chapter)).body
    nodes = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
    names: dict[str, object] = {}
    exec(compile(ast.Module(nodes, []), f"chapter {chapter}", "exec"), names)
    return names


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_solution_can_be_pasted_over_its_stub(chapter):
    """solution() prints a function of the stub's own name: run in its place, it is checked."""
    stubs = re.findall(r'check\("([\d.]+)", (\w+)\)', code(chapter))
    assert dict(stubs) == {e.id: e.solution.__name__ for e in exercises(chapter)}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_printed_solutions_run_where_they_are_pasted(chapter, capsys):
    names = imported(chapter)
    for exercise in exercises(chapter):  # a later solution may call an earlier one
        solution(exercise.id)
        exec(capsys.readouterr().out, names)
        feedback = exercise.check(names[exercise.solution.__name__])
        assert feedback, feedback
