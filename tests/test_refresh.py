"""``bpbook.notebooks``: executing and normalising a notebook."""

import base64
import io
import json
import sys

import nbformat
import notebook_rules as rules
import numpy as np
import pytest
from nbformat import v4
from PIL import Image

from bpbook import notebooks

SHOW = """from IPython.display import display
display({"image/png": PNG, "text/plain": "a grey square"}, raw=True,
        metadata={"image/png": {"alt": "a square"}})"""


def png(level: int, marks: int = 0, compress: int = 6) -> str:
    """A 20 x 20 grey picture as base64, with `marks` pixels one shade or more lighter."""
    grey = np.full((20, 20), level, dtype=np.uint8)
    grey.flat[:marks] += 2
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="PNG", compress_level=compress)
    return base64.b64encode(file.getvalue()).decode()


def write(path, *sources, **metadata):
    notebook = v4.new_notebook(cells=[v4.new_code_cell(s) for s in sources], metadata=metadata)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return path


def outputs(path, cell=0):
    return json.loads(path.read_text(encoding="utf-8"))["cells"][cell]["outputs"]


def test_a_second_refresh_changes_nothing(tmp_path):
    path = write(tmp_path / "00_x.ipynb", "x = 2", "print(x)\nx + 1", f"PNG = {png(90)!r}\n{SHOW}")
    assert notebooks.refresh(path) == notebooks.Refreshed(path, changed=True, cells=3)
    first = path.read_bytes()
    assert notebooks.refresh(path) == notebooks.Refreshed(path, changed=False, cells=3)
    assert path.read_bytes() == first
    assert first.endswith(b"}\n")
    assert not first.endswith(b"\n\n")
    assert b"\r" not in first


def test_a_refreshed_notebook_keeps_the_rules_of_a_chapter(tmp_path):
    widget = "from ipywidgets import IntSlider\nfrom IPython.display import display\n"
    path = write(tmp_path / "00_x.ipynb", "1 + 1", widget + "display(IntSlider(3))", widgets={})
    notebooks.refresh(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["cells"][1]["outputs"][0]["data"] == {"text/plain": ["IntSlider(value=3)"]}
    for rule in (rules.metadata_is_minimal, rules.counts_are_sequential, rules.ids_are_unique):
        assert rule(stored) == []
    assert rules.stores_only_results(stored) == []


def test_pieces_of_a_stream_are_joined(tmp_path):
    source = "import sys\nfor i in range(3):\n    print(i)\n    sys.stdout.flush()"
    path = write(tmp_path / "00_x.ipynb", source)
    notebooks.refresh(path)
    assert [output["text"] for output in outputs(path)] == [["0\n", "1\n", "2\n"]]


def test_the_kernel_is_this_interpreter_in_the_folder_of_the_notebook(tmp_path):
    source = "import sys, pathlib\nprint(sys.executable)\nprint(pathlib.Path.cwd().name)"
    folder = tmp_path / "book"
    folder.mkdir()
    path = write(folder / "00_x.ipynb", source, kernelspec={"name": "none", "display_name": "none"})
    notebooks.refresh(path)
    assert outputs(path)[0]["text"] == [f"{sys.executable}\n", "book\n"]


def test_a_cell_that_raises_leaves_the_file_alone_and_is_named(tmp_path):
    path = write(tmp_path / "03_x.ipynb", "x = 1", "x / 0", "open('ran', 'w')")
    before = path.read_bytes()
    with pytest.raises(notebooks.ChapterError) as caught:
        notebooks.refresh(path)
    assert "03_x.ipynb: code cell 2" in str(caught.value)
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "x / 0" in str(caught.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_cell_that_never_ends_leaves_the_file_alone(tmp_path):
    path = write(tmp_path / "03_x.ipynb", "while True: pass")
    before = path.read_bytes()
    with pytest.raises(notebooks.ChapterError, match=r"03_x\.ipynb"):
        notebooks.refresh(path, timeout=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"cells": 3}'])
def test_a_file_that_is_no_notebook_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "03_x.ipynb"
    path.write_bytes(content)
    with pytest.raises(notebooks.ChapterError, match=r"03_x\.ipynb is not a notebook"):
        notebooks.refresh(path)
    assert path.read_bytes() == content


def test_a_file_saved_in_the_meantime_is_not_overwritten(tmp_path):
    path = write(tmp_path / "03_x.ipynb", "open('03_x.ipynb', 'a').write(' ')")
    with pytest.raises(notebooks.ChapterError, match="changed while it ran"):
        notebooks.refresh(path)
    assert path.read_bytes().endswith(b"\n ")


def test_an_error_shown_on_purpose_is_stored_without_a_path(tmp_path):
    path = write(tmp_path / "00_x.ipynb", "# A list has no dot.\n[1].dot")
    marked = nbformat.read(path, as_version=4)
    marked.cells[0].metadata["tags"] = ["raises-exception"]
    nbformat.write(marked, path)
    notebooks.refresh(path)
    assert outputs(path)[0]["traceback"] == ["AttributeError: 'list' object has no attribute 'dot'"]


def test_the_stored_bytes_stay_when_the_picture_looks_the_same(tmp_path):
    path = write(tmp_path / "00_x.ipynb", f"PNG = {png(90)!r}\n{SHOW}")
    notebooks.refresh(path)
    stored = outputs(path)[0]["data"]["image/png"]
    replace_source(path, png(90, marks=30, compress=1))
    notebooks.refresh(path)
    assert outputs(path)[0]["data"]["image/png"] == stored


def replace_source(path, picture):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = f"PNG = {picture!r}\n{SHOW}"
    nbformat.write(notebook, path)


def page(picture, words="a grey square"):
    """A notebook of one cell that shows a picture and says what it shows."""
    output = v4.new_output("display_data", data={"image/png": picture, "text/plain": words})
    return v4.new_notebook(cells=[v4.new_code_cell(id="a", outputs=[output])])


@pytest.mark.parametrize(
    ("fresh", "kept"),
    [
        (page(png(91)), True),
        (page(png(94)), False),
        (page(png(91), "a square"), False),
    ],
    ids=["picture alike", "picture changed", "words changed"],
)
def test_a_stored_picture_is_kept_only_when_it_looks_alike_and_the_words_are_the_same(fresh, kept):
    new = fresh.cells[0].outputs[0].data["image/png"]
    notebooks.keep_same_pictures(page(png(90)), fresh)
    assert fresh.cells[0].outputs[0].data["image/png"] == (png(90) if kept else new)


@pytest.mark.parametrize(("source", "kept"), [("", True), ("plot()", False)], ids=["same", "new"])
def test_a_picture_of_timings_is_kept_while_its_cell_and_words_are_the_same(source, kept):
    fresh = page(png(200))
    fresh.cells[0].source = source
    fresh.cells[0].outputs[0].metadata = {"image/png": {"alt": "times", "measured": True}}
    notebooks.keep_same_pictures(page(png(90)), fresh)
    assert fresh.cells[0].outputs[0].data["image/png"] == (png(90) if kept else png(200))


@pytest.mark.parametrize(
    ("second", "same"),
    [(png(90), True), (png(93), True), (png(94), False), (png(86), False)],
    ids=["equal", "3 levels", "4 levels up", "4 levels down"],
)
def test_pictures_within_three_levels_are_the_same(second, same):
    assert notebooks.same_picture(png(90), second) is same


def test_pictures_of_different_size_are_not_the_same():
    file = io.BytesIO()
    Image.new("L", (20, 21), 90).save(file, format="PNG")
    assert not notebooks.same_picture(png(90), base64.b64encode(file.getvalue()).decode())


def test_cell_ids_are_kept_and_doubled_or_missing_ones_replaced_alike_each_time():
    cells = [{"cell_type": "markdown", "metadata": {}, "source": s, "id": "same"} for s in "abc"]
    del cells[2]["id"]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    ids = [cell.id for cell in notebooks.parse(text).cells]
    assert ids[0] == "same"
    assert len(set(ids)) == 3
    assert ids == [cell.id for cell in notebooks.parse(text).cells]
