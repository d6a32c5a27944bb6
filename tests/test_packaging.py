"""What is installed: the wheel and its content, light imports, and lists of versions in step."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from bpbook import chapters

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Where conda-forge has another name: without Qt, and the binding to Python.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "playwright": "playwright-python"}


def python(*arguments: str, **environment: str) -> str:
    """Run this interpreter away from the source tree; what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- imports -----------------------------------------------------------------------------------

HEAVY = ["sympy", "matplotlib", "ipywidgets", "dask", "PIL", "jupyterlab", "torch", "scipy"]


@pytest.mark.parametrize("module", ["bpbook", "bpbook.ops", "bpbook.nets", "bpbook.training"])
def test_import_loads_no_package_that_it_does_not_need(module):
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    assert not set(HEAVY) & set(json.loads(python("-c", code)))


def test_ops_load_nothing_of_the_package_but_themselves():
    code = "import sys, json, bpbook.ops; print(json.dumps(sorted(sys.modules)))"
    loaded = [name for name in json.loads(python("-c", code)) if name.startswith("bpbook")]
    assert all(name == "bpbook" or name.startswith("bpbook.ops") for name in loaded)


# --- the wheel ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package as its wheel installs it, built from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def files(folder: Path, pattern: str = "*") -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob(pattern) if p.is_file()}


def test_wheel_has_every_chapter_and_its_bibliography(installed):
    shipped = installed / "bpbook" / "_chapters"
    wanted = {path.name for path in chapters.notebooks(ROOT / "chapters")}
    wanted |= {path.name for path in (ROOT / "chapters").glob("*.bib")}
    assert wanted
    assert wanted <= files(shipped)
    for name in wanted:
        assert (shipped / name).read_bytes() == (ROOT / "chapters" / name).read_bytes()


def test_wheel_has_every_module_and_data_file_of_the_package(installed):
    source = {name for name in files(ROOT / "bpbook") if "__pycache__" not in name}
    shipped = {name for name in files(installed / "bpbook") if not name.startswith("_chapters/")}
    assert shipped == source
    assert any(name.endswith(".npz") for name in shipped)
    assert "claims/claims.csv" in shipped


def test_wheel_has_both_licences_and_nothing_of_the_workshop(installed):
    everything = files(installed)
    assert {Path(name).name for name in everything if "/licenses/" in name} == {
        "LICENSE",
        "LICENSE-TEXT",
    }
    assert {name.split("/")[0].split("-")[0] for name in everything} == {"bpbook"}
    assert not [n for n in everything if ".ipynb_checkpoints" in n or n.endswith(".pyc")]


def test_installed_command_copies_the_chapters_and_keeps_what_the_reader_changed(
    installed, tmp_path
):
    lab = ("-m", "bpbook", "lab", "--no-launch", "--to", str(tmp_path / "mine"))
    # -P and a start in another folder, so that only the wheel's package can be found.
    command = [sys.executable, "-P", *lab]
    settings = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(installed)}}
    subprocess.run(command, check=True, **settings)
    names = {path.name for path in (tmp_path / "mine").glob("*.ipynb")}
    assert names == {path.name for path in chapters.notebooks(ROOT / "chapters")}
    mine = tmp_path / "mine" / "00_welcome.ipynb"
    mine.write_text("my notes", encoding="utf-8")
    subprocess.run(command, check=True, **settings)
    assert mine.read_text(encoding="utf-8") == "my notes"


def test_source_distribution_builds_the_same_wheel_content(installed, tmp_path):
    python("-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path))
    (archive,) = tmp_path.glob("*.tar.gz")
    import tarfile

    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    sources = {re.sub("^bpbook/_chapters/", "chapters/", name) for name in files(installed)}
    assert {name for name in sources if "dist-info" not in name} <= names


# --- lists of versions -------------------------------------------------------------------------


def bounds(requirements: list[str]) -> dict[str, str]:
    """{"numpy": "1.26"} for ["numpy>=1.26"]; an extra of our own is left out."""
    pairs = (requirement.split(">=") for requirement in requirements if ">=" in requirement)
    return {name.strip(): version.strip() for name, version in pairs}


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


EVERYTHING = bounds(PROJECT["dependencies"] + EXTRAS["book"] + EXTRAS["test"])


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_requirements_have_a_lower_bound_and_no_upper_one():
    every = [r for group in (PROJECT["dependencies"], *EXTRAS.values()) for r in group]
    own = [r for r in every if r.startswith("bpbook[")]
    assert all(re.fullmatch(r"[\w-]+(\[\w+\])?>=[\d.]+", r) for r in every if r not in own)


def test_minimum_constraints_are_the_lower_bounds():
    lowest = pins(ROOT / "constraints-min.txt")
    assert {name: re.sub(r"(\.0)+$", "", v) for name, v in lowest.items()} == {
        name: re.sub(r"(\.0)+$", "", v) for name, v in EVERYTHING.items()
    }


def test_constraints_pin_every_requirement_at_or_above_its_bound_and_name_no_address():
    locked = {canonical(name): version for name, version in pins(ROOT / "constraints.txt").items()}

    def number(version: str) -> list[int]:
        return [int(part) for part in version.split(".")]

    assert all(number(locked[canonical(n)]) >= number(v) for n, v in EVERYTHING.items())
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|file:|@|\+cpu|bpbook==|^-", text, re.MULTILINE)


def test_conda_environment_has_the_same_requirements_as_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *packages, pip = environment["dependencies"]
    wanted = {f"{CONDA_NAMES.get(n, n)}>={v}" for n, v in EVERYTHING.items()}
    assert environment["channels"] == ["conda-forge"]
    assert set(packages) == wanted | {f"python{PROJECT['requires-python']}", "pip"}
    assert pip == {"pip": ["-e ."]}


def test_citation_has_the_version_of_the_package():
    import bpbook

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == bpbook.__version__


def test_the_readme_opens_with_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    screen = "\n".join(readme.splitlines()[:40])
    commands = re.findall(r"^(?:pip install|pytest|jupyter).*$", screen, re.MULTILINE)
    assert commands == [
        'pip install -e ".[book]" && jupyter lab chapters/00_welcome.ipynb',
        'pip install -e ".[test]" && pytest',
    ]


def test_the_readme_lists_every_chapter_in_order():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(chapters/([^)]+)\)", readme)
    assert listed == [path.name for path in chapters.notebooks(ROOT / "chapters")]


@pytest.mark.parametrize("page", ["README.md", "chapters/00_welcome.ipynb"])
def test_a_table_of_contents_has_each_chapters_own_title_and_question(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    row = r"^\| (\w+) \| \[(.+)\]\((?:chapters/)?(\w+\.ipynb)\) \| (.+\?)[^?]* \|$"
    rows = re.findall(row, text, re.MULTILINE)
    wanted = [(*_title_and_question(c), c.name) for c in chapters.notebooks(ROOT / "chapters")]
    assert [(n.lstrip("0") or "0", title, q, name) for n, title, name, q in rows] == [
        entry for entry in wanted if entry[-1] != path.name
    ]


def _title_and_question(chapter: Path) -> tuple[str, str, str]:
    """The number, title and question with which a chapter opens."""
    first = json.loads(chapter.read_text(encoding="utf-8"))["cells"][0]
    opening = re.match(r"# (\w+) · (.+)\n+\*\*(.+)\*\*", "".join(first["source"]))
    assert opening, f"{chapter.name} does not open with its title and its question"
    return opening[1], opening[2], opening[3]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_links_to_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"""(?:\]\(|src=")([^)"]+)""", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
