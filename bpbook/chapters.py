"""Where the chapters are, and how a reader gets a copy of their own.

In a source checkout the notebooks lie in ``chapters/``. A wheel carries them inside the
package; they are copied to a folder of the reader before Lab opens them, and a file that the
reader changed is never overwritten.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).parent
MANIFEST = ".bpbook-manifest.json"
COPIES = Path("bpbook-chapters")
#: Notebooks that need a package beyond the book's own: an extra of the same name brings it.
NEEDS = {"13b_pytorch_side_by_side.ipynb": "torch"}


def checkout() -> Path | None:
    """The root of the source checkout that this package runs from, or None for a wheel."""
    root = PACKAGE.parent
    return root if (root / "chapters").is_dir() and (root / "pyproject.toml").is_file() else None


def folder() -> Path:
    """The folder that holds the notebooks: of the checkout, or inside the installed package."""
    root = checkout()
    return root / "chapters" if root else PACKAGE / "_chapters"


def notebooks(where: Path) -> list[Path]:
    """The chapters in `where`, in reading order (``00_welcome.ipynb``, ``01_…``, …).

    A companion of chapter 13 is called ``13b_…`` and follows it. A copy that lies beside a chapter
    (``03_….new.ipynb``, ``03_…-Copy1.ipynb``) is none.
    """
    return sorted(p for p in where.glob("*.ipynb") if re.fullmatch(r"\d\d[a-z]?_\w+", p.stem))


def lacks(notebook: Path) -> str | None:
    """What a notebook needs that is not installed, in a sentence; None when it can run."""
    package = NEEDS.get(notebook.name)
    if package is None or find_spec(package):
        return None
    return f'{notebook.name} needs {package}: pip install "bpbook[{package}]"'


def find(chapter: str, where: Path) -> Path:
    """The notebook that `chapter` names: a number (3, 03, 13b), a file's name or stem, or a path.

    Raises ValueError when nothing, or more than one notebook, has that name.
    """
    path = Path(chapter)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    parts = re.fullmatch(r"(\d+)([a-z]?)", chapter)
    number = f"{int(parts[1]):02d}{parts[2]}_" if parts else None
    names = {notebook.stem: notebook for notebook in notebooks(where)}
    found = [n for n in names if (n.startswith(number) if number else chapter in (n, f"{n}.ipynb"))]
    if len(found) > 1:
        raise ValueError(f"chapter: {chapter!r} may be {', '.join(found)}")
    if not found:
        known = ", ".join(names) or "none"
        raise ValueError(f"chapter: no notebook is called {chapter!r}; {where} has: {known}")
    return names[found[0]]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step: a crash leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> dict[str, str]:
    """Copy the chapters in `source` to the reader's folder `target`.

    Returns what became of each file, under the name it has now: "copied", "updated" (an
    earlier copy that the reader had not touched), "same", "kept" (the reader's own work), or
    "new beside" (the new version of a file that was kept). The folder's manifest holds the
    SHA-256 of each file as this function wrote it: a file with another digest is the reader's.
    """
    target.mkdir(parents=True, exist_ok=True)
    written = _read_manifest(target)
    before = dict(written)
    outcome: dict[str, str] = {}
    for name in _names(source):
        outcome |= _place(name, (source / name).read_bytes(), target, written)
    if written != before:  # a folder that is up to date may be read-only
        manifest = json.dumps(written, indent=1, sort_keys=True) + "\n"
        write_atomically(target / MANIFEST, manifest.encode())
    return outcome


def _place(name: str, content: bytes, target: Path, written: dict[str, str]) -> dict[str, str]:
    """Put one file into the reader's folder, and record the digest of what was written."""
    path, new = target / name, _digest(content)
    old = _digest(path.read_bytes()) if path.exists() else None
    if old == new or old is None or old == written.get(name):
        if old != new:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        written[name] = new
        return {name: "copied" if old is None else "same" if old == new else "updated"}
    if written.get(name) == new or _offered(name, new, written):
        return {name: "kept"}
    return {name: "kept"} | _place_beside(name, content, target, written)


def _place_beside(name: str, content: bytes, target: Path, written: dict) -> dict[str, str]:
    """Write the new version of a kept file next to it, under the first free name."""
    beside = next(
        candidate
        for candidate in _names_beside(name)
        if not (target / candidate).exists()
        or _digest((target / candidate).read_bytes()) == written.get(candidate)
    )
    write_atomically(target / beside, content)
    written[beside] = _digest(content)
    return {beside: "new beside"}


def _offered(name: str, digest: str, written: dict[str, str]) -> bool:
    """Whether this version was already written next to the reader's file."""
    start = f"{os.path.splitext(name)[0]}.new"
    return any(copy.startswith(start) and written[copy] == digest for copy in written)


def _names_beside(name: str) -> Iterator[str]:
    stem, suffix = os.path.splitext(name)
    yield f"{stem}.new{suffix}"
    number = 2
    while True:
        yield f"{stem}.new{number}{suffix}"
        number += 1


def _names(source: Path) -> list[str]:
    """Every file of the chapters' folder, except hidden ones, with / in its name."""
    paths = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    return sorted(p.as_posix() for p in paths if not any(s.startswith(".") for s in p.parts))


def _read_manifest(target: Path) -> dict[str, str]:
    """The digests of what was copied before; none when the manifest is missing or damaged,

    so that every file that differs counts as the reader's and is kept.
    """
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
