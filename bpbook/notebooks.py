"""Execute a chapter and write it back, so that an unchanged cell gives an unchanged file.

Editors and kernels leave traces in a notebook that say nothing about the book: timings, widget
ids, the version of Python, the number of pieces a printed text came in. ``normalise`` removes
them, and ``refresh`` executes a notebook and keeps each stored picture that still looks the same.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import numpy as np
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

from bpbook.chapters import write_atomically

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Rounding of an anti-aliased edge changes a channel by 1 or 2 of 255, a moved line by far more.
SAME_PICTURE = 3


class ChapterError(Exception):
    """A chapter was not refreshed; its stored notebook is as it was."""


@dataclass(frozen=True)
class Refreshed:
    """What ``refresh`` did: the notebook, whether its file changed, how many cells it ran."""

    path: Path
    changed: bool
    cells: int


def refresh(path: Path, *, timeout: float = 600) -> Refreshed:
    """Execute the notebook at `path` from top to bottom and write it back, normalised.

    Raises ChapterError, and leaves the file alone, when it holds no notebook, a cell raises or runs
    for longer than `timeout` seconds, or somebody saved the file in the meantime.
    """
    before = path.read_bytes()
    try:
        stored = parse(before.decode("utf-8"))
    except ValueError as error:
        raise ChapterError(f"{path.name} is not a notebook: {error}") from error
    executed = execute(stored, path, timeout=timeout)
    keep_same_pictures(normalise(stored), normalise(executed))
    after = nbformat.writes(executed).rstrip("\n").encode() + b"\n"
    if path.read_bytes() != before:
        raise ChapterError(f"{path.name}: the file changed while it ran; refresh it again")
    if after != before:
        write_atomically(path, after)
    return Refreshed(path, after != before, sum(c.cell_type == "code" for c in executed.cells))


def parse(text: str) -> NotebookNode:
    """The notebook in a file's `text`; cells keep their ids, and get one where it is missing.

    A missing or doubled id becomes a digest of the cell, the same each time: nbformat would
    draw one at random. Raises ValueError for a text that is no JSON or has no list of cells.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        raise ValueError("it has no list of cells")
    taken: set[str] = set()
    for index, cell in enumerate(raw["cells"]):
        if not cell.get("id") or cell["id"] in taken:
            cell["id"] = hashlib.sha256(f"{index} {cell['source']}".encode()).hexdigest()[:8]
        taken.add(cell["id"])
    return nbformat.reads(json.dumps(raw | {"nbformat": 4, "nbformat_minor": 5}), as_version=4)


def execute(notebook: NotebookNode, path: Path, *, timeout: float) -> NotebookNode:
    """A copy of `notebook` with the outputs of a fresh kernel, started in the folder of `path`.

    A cell tagged ``raises-exception`` may raise; any other that does raises ChapterError.
    """
    copy = nbformat.from_dict(notebook)
    failed: list[tuple[int, dict]] = []
    client = NotebookClient(
        copy,
        kernel_manager_class=_ThisInterpreter,
        timeout=timeout,
        store_widget_state=False,
        record_timing=False,
        on_cell_error=lambda cell, cell_index, execute_reply: failed.append(
            (cell_index, execute_reply["content"])
        ),
        resources={"metadata": {"path": str(path.parent.resolve())}},
    )
    try:
        with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            # A cell's stderr comes as a message; the process's own is only chatter at start-up.
            client.execute(env=os.environ | {"IPYTHONDIR": profile}, stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        raise ChapterError(_describe(path, copy, *failed[-1])) from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise ChapterError(f"{path.name}: {str(error).strip()}") from error
    return copy


class _ThisInterpreter(AsyncKernelManager):
    """Starts this very interpreter, whatever kernelspec a user installed as "python3"."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def _describe(path: Path, notebook: NotebookNode, index: int, reply: dict) -> str:
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    source = "\n".join(f"    {line}" for line in notebook.cells[index].source.splitlines())
    return (
        f"{path.name}: code cell {number} (cell {index + 1} of the page) raised "
        f"{reply['ename']}: {reply['evalue']}\n{source}\nThe stored notebook is unchanged."
    )


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Remove, in place, what differs from one machine or run to the next; returns the notebook."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        tags = sorted(set(cell.metadata.get("tags", [])))
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cell.source = cell.source.rstrip()
        if cell.cell_type == "code":
            cell.outputs = _join_streams(cell.outputs)
            for output in cell.outputs:
                _normalise_output(output)
    return notebook


def _join_streams(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: where a text is cut depends on the timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _normalise_output(output: NotebookNode) -> None:
    """Drop a widget's random id, and the traceback, which names files of this machine."""
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    if "data" in output:
        output.data.pop(WIDGET_VIEW, None)
        output.metadata.pop(WIDGET_VIEW, None)


def keep_same_pictures(stored: NotebookNode, fresh: NotebookNode) -> None:
    """Give each fresh output the stored PNG, where text and picture say the same as before.

    A picture of timings (``Picture.measured``) never looks the same: there it is enough that the
    cell's source and words are unchanged.
    """
    before = {cell.id: cell for cell in stored.cells if cell.cell_type == "code"}
    for cell in fresh.cells:
        old = before.get(cell.id)
        if old is None or cell.cell_type != "code" or _words(old) != _words(cell):
            continue
        for was, now in zip(old.outputs, cell.outputs, strict=True):
            pair = [output.get("data", {}).get("image/png") for output in (was, now)]
            timed = old.source == cell.source and _is_measured(now)
            if all(pair) and (timed or same_picture(*pair)):
                now.data["image/png"] = was.data["image/png"]


def _is_measured(output: NotebookNode) -> bool:
    return output.get("metadata", {}).get("image/png", {}).get("measured", False)


def _words(cell: NotebookNode) -> list[dict]:
    """The cell's outputs without pictures and counts."""
    return [
        {k: v for k, v in output.items() if k not in ("data", "execution_count", "metadata")}
        | {"data": {k: v for k, v in output.get("data", {}).items() if k != "image/png"}}
        for output in cell.outputs
    ]


def same_picture(first: str, second: str) -> bool:
    """Whether two base64 PNGs have one size and differ by at most 3 of 255 in any channel."""
    if first.strip() == second.strip():
        return True
    a, b = _pixels(first), _pixels(second)
    return a.shape == b.shape and int(np.abs(a - b).max(initial=0)) <= SAME_PICTURE


def _pixels(png: str) -> np.ndarray:
    """(height, width, 4) integers, signed so that a difference does not wrap around."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return np.asarray(image.convert("RGBA")).astype(np.int16)
