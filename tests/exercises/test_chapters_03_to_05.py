"""Chapters 3 to 5: answers that a reader might give, and what the notebooks call them."""

import json
import re

import numpy as np
import pytest

from bpbook import chapters, ops
from bpbook.exercises import check, exercises


def stubs(chapter: int) -> dict[str, str]:
    """The name under which the chapter's notebook checks each exercise."""
    (path,) = chapters.folder().glob(f"{chapter:02d}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return dict(re.findall(r'check\("([\d.]+)", (\w+)\)', code))


@pytest.mark.parametrize("chapter", range(1, 14))
def test_a_solution_can_be_pasted_over_its_stub(chapter):
    """solution() prints a function of the stub's own name: run in its place, it is checked."""
    assert stubs(chapter) == {e.id: e.solution.__name__ for e in exercises(chapter)}


def squared_error(z, Y):
    p, softmax_vjp = ops.softmax(z)
    loss, mse_vjp = ops.mse(p, Y)
    return loss, lambda dloss=1.0: softmax_vjp(mse_vjp(dloss))


def test_an_op_that_returns_a_gradient_in_place_of_a_vjp_hears_so():
    def answer(z, Y):
        loss, vjp = squared_error(z, Y)
        return loss, vjp()

    said = check("4.5", answer).message
    assert said == "Return the pair (loss, vjp), vjp a function of dloss; yours is a ndarray."
    assert check("4.5", lambda z, Y: (0.0, None)).message.endswith("yours is a NoneType.")
    assert check("4.5", lambda z, Y: np.zeros(2)).message.endswith("got a ndarray.")


def test_a_vjp_that_forgets_dloss_hears_what_u_is():
    def answer(z, Y):
        loss, vjp = squared_error(z, Y)
        return loss, lambda dloss: vjp()

    assert "u is dloss" in check("4.5", answer).message
