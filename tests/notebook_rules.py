"""What every chapter must satisfy beyond what nbval compares.

Each rule takes a notebook as the dict that its JSON holds and returns the faults it found, one
sentence each. nbval never compares a picture or a cell without an execution count, and a trailing
semicolon or a widget's output differs between it and an editor: the rules close these holes.
"""

import ast
import re
import statistics
from collections.abc import Iterator

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
OTHER_THAN_RUN = re.compile(r"\b(interact|interactive|clear_output)\s*\(|@interact\b|\bOutput\s*\(")
# /home/me/x, C:\Users\me, <Figure at 0x7f12ab34cd>: true on one machine, in one run.
MACHINE = re.compile(r"(?<![\w:/.<)\]}])/[A-Za-z][\w.-]*/[\w.-]+|\b[A-Za-z]:\\\w|\b0x[0-9a-f]{6,}")
NBVAL_MARKER = re.compile(r"#\s*(NBVAL|PYTEST_VALIDATE)_\w+")
METADATA = {"kernelspec": {"display_name", "language", "name"}, "language_info": {"name"}}


def text(source: str | list[str]) -> str:
    """A multiline string of the notebook format: one string, or a list of lines."""
    return source if isinstance(source, str) else "".join(source)


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _numbered(notebook: dict) -> Iterator[tuple[str, dict, str]]:
    for number, cell in enumerate(code_cells(notebook), start=1):
        yield f"code cell {number}", cell, text(cell["source"])


def _outputs(notebook: dict) -> Iterator[tuple[str, dict]]:
    for where, cell, _ in _numbered(notebook):
        for output in cell["outputs"]:
            yield where, output


def counts_are_sequential(notebook: dict) -> list[str]:
    counts = [cell.get("execution_count") for cell in code_cells(notebook)]
    wanted = list(range(1, len(counts) + 1))
    return [] if counts == wanted else [f"execution counts are {counts}, not 1 to {len(counts)}"]


def pictures_have_words(notebook: dict) -> list[str]:
    """nbval compares no PNG, so a cell with one must also say in text what the picture shows."""
    return [
        f"{where}: a picture without a sentence or digest that nbval can compare"
        for where, cell, _ in _numbered(notebook)
        if any(_image_types(output) for output in cell["outputs"]) and not _says_something(cell)
    ]


def _image_types(output: dict) -> list[str]:
    return [kind for kind in output.get("data", {}) if kind.startswith("image/")]


def _says_something(cell: dict) -> bool:
    words = [text(output.get("data", {}).get("text/plain", "")) for output in cell["outputs"]]
    words += [text(output.get("text", "")) for output in cell["outputs"]]
    return any(w.strip() and not re.fullmatch(r"<.*>", w.strip(), re.DOTALL) for w in words)


def pictures_have_alt_text(notebook: dict) -> list[str]:
    faults = [
        f"{where}: {kind} has no alt text in its metadata"
        for where, output in _outputs(notebook)
        for kind in _image_types(output)
        if not str(output.get("metadata", {}).get(kind, {}).get("alt", "")).strip()
    ]
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown" and _images_without_alt(text(cell["source"])):
            faults.append(f"cell {number}: an image in the prose has no alt text")
    return faults


def _images_without_alt(markdown: str) -> bool:
    tags = re.findall(r"<img\b[^>]*>", markdown, re.IGNORECASE)
    return bool(re.search(r"!\[\s*\]", markdown)) or any(
        not re.search(r"""alt\s*=\s*["']\s*[^"'\s]""", tag) for tag in tags
    )


def runs_alike_everywhere(notebook: dict) -> list[str]:
    """No construct that shows one thing in an editor and another in nbval or nbclient."""
    faults = []
    for where, _, source in _numbered(notebook):
        if not source.strip():
            faults.append(f"{where} is empty")
        if any(line.rstrip().endswith(";") for line in source.splitlines()):
            faults.append(f"{where}: a trailing ; does not suppress output under nbval")
        if found := OTHER_THAN_RUN.search(source):
            faults.append(f"{where}: {found[0]!r} behaves differently in nbval and nbclient")
        if re.search(r"^\s*(!|%%?\w)", source, re.MULTILINE):
            faults.append(f"{where}: a magic or shell command is not Python")
    return faults


def nothing_is_exempt(notebook: dict) -> list[str]:
    """No marker that switches nbval off, and a cell that shows an error says why it does."""
    faults = []
    for where, cell, source in _numbered(notebook):
        tags = [tag for tag in cell["metadata"].get("tags", []) if tag.startswith("nbval")]
        if tags or NBVAL_MARKER.search(source):
            faults.append(f"{where}: an NBVAL marker; only the tag raises-exception is allowed")
        shows = any(output["output_type"] == "error" for output in cell["outputs"])
        tagged = "raises-exception" in cell["metadata"].get("tags", [])
        if shows != tagged:
            faults.append(f"{where}: a stored error and the tag raises-exception must go together")
        if tagged and not source.lstrip().startswith("#"):
            faults.append(f"{where}: raises-exception without a first comment that says why")
    return faults


def stores_only_results(notebook: dict) -> list[str]:
    """No stderr, no widget view or state, nothing that is true on one machine only."""
    faults = ["stored widget state"] if "widgets" in notebook["metadata"] else []
    for where, output in _outputs(notebook):
        words = [text(output.get("text", "")), *map(str, output.get("traceback", []))]
        words += [_as_text(kind, value) for kind, value in output.get("data", {}).items()]
        if output.get("name") == "stderr":
            faults.append(f"{where}: stored stderr")
        if WIDGET_VIEW in output.get("data", {}):
            faults.append(f"{where}: stored widget view")
        faults += [f"{where}: {m[0]!r} in an output" for w in words if (m := MACHINE.search(w))]
    return faults


def _as_text(kind: str, value: object) -> str:
    return re.sub(r"base64,[\w+/=]*", "", text(value)) if kind.startswith("text/") else ""


def metadata_is_minimal(notebook: dict) -> list[str]:
    metadata = notebook["metadata"]
    faults = []
    if {key: set(value) for key, value in metadata.items()} != METADATA:
        faults.append(f"notebook metadata is {metadata}: run bpbook refresh")
    elif metadata["kernelspec"]["name"] != "python3":
        faults.append(f"the kernel is {metadata['kernelspec']['name']!r}, not 'python3'")
    for number, cell in enumerate(notebook["cells"], start=1):
        if extra := set(cell["metadata"]) - {"tags"}:
            faults.append(f"cell {number}: metadata {sorted(extra)}: run bpbook refresh")
    return faults


def ids_are_unique(notebook: dict) -> list[str]:
    ids = [cell.get("id") for cell in notebook["cells"]]
    doubled = sorted({i for i in ids if i and ids.count(i) > 1})
    return [f"cells share the id {i}" for i in doubled] + ["a cell has no id"] * (None in ids)


def cells_are_small(notebook: dict, least: int = 15, most: int = 30) -> list[str]:
    """`least` to `most` code cells, of at most 20 lines, the median at most 6."""
    sizes = [sum(map(bool, map(str.strip, s.splitlines()))) for _, _, s in _numbered(notebook)]
    faults = [f"code cell {n} has {size} lines" for n, size in enumerate(sizes, 1) if size > 20]
    if not least <= len(sizes) <= most:
        faults.append(f"{len(sizes)} code cells, not {least} to {most}")
    if sizes and statistics.median(sizes) > 6:
        faults.append(f"the median cell has {statistics.median(sizes)} lines, not at most 6")
    return faults


def opens_with_a_question(notebook: dict) -> list[str]:
    """The title, or the first line under it, is a question."""
    first = notebook["cells"][0]
    lines = [line.strip("*_ ") for line in text(first["source"]).splitlines() if line.strip()]
    titled = first["cell_type"] == "markdown" and bool(lines) and lines[0].startswith("# ")
    if titled and any(line.endswith("?") for line in lines[:2]):
        return []
    return ["the chapter must open with a title and a question"]


def helpers(notebook: dict) -> list[str]:
    """The names of the functions and classes that the notebook defines at the top level."""
    bodies = [node for _, _, source in _numbered(notebook) for node in ast.parse(source).body]
    return [n.name for n in bodies if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def shared_helpers(notebooks: dict[str, dict]) -> list[str]:
    """A helper that two notebooks define belongs in the package."""
    homes: dict[str, set[str]] = {}
    for name, notebook in notebooks.items():
        for helper in helpers(notebook):
            homes.setdefault(helper, set()).add(name)
    return [f"{h} is defined in {sorted(where)}" for h, where in homes.items() if len(where) > 1]


RULES = (
    counts_are_sequential,
    pictures_have_words,
    pictures_have_alt_text,
    runs_alike_everywhere,
    nothing_is_exempt,
    stores_only_results,
    metadata_is_minimal,
    ids_are_unique,
    cells_are_small,
    opens_with_a_question,
)
