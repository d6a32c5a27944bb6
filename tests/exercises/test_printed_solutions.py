"""Solutions that a reader prints and pastes into the chapter run there, and are right."""

import ast
import json

import pytest

from bpbook import chapters
from bpbook.exercises import exercises, solution

CHAPTERS = [chapter for chapter in range(25) if exercises(chapter)]


def imported(chapter: int) -> dict[str, object]:
    """The names that a chapter's imports bind."""
    notebook = chapters.find(str(chapter), chapters.folder())
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    trees = [ast.parse("".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    nodes = [n for tree in trees for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names: dict[str, object] = {}
    exec(compile(ast.Module(nodes, []), notebook.name, "exec"), names)
    return names


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_printed_solutions_run_where_they_are_pasted(chapter, capsys):
    names = imported(chapter)
    for exercise in exercises(chapter):  # a later solution may call an earlier one
        solution(exercise.id)
        exec(capsys.readouterr().out, names)
        feedback = exercise.check(names[exercise.solution.__name__])
        assert feedback, feedback
