"""``bpbook.chapters``: finding notebooks, and copying them without losing a reader's work."""

import json

import pytest

from bpbook import chapters


@pytest.fixture
def book(tmp_path):
    """A folder of chapters as a wheel has it, and the reader's folder, which does not exist."""
    source = tmp_path / "package"
    (source / "img").mkdir(parents=True)
    (source / ".ipynb_checkpoints").mkdir()
    (source / ".ipynb_checkpoints" / "00_a-checkpoint.ipynb").write_text("old")
    (source / "00_a.ipynb").write_text("first")
    (source / "references.bib").write_text("@book{a}")
    (source / "img" / "net.png").write_bytes(b"\x89PNG")
    return source, tmp_path / "mine"


def test_a_first_copy_has_every_file_but_hidden_ones(book):
    source, mine = book
    assert set(chapters.copy(source, mine).values()) == {"copied"}
    names = {p.relative_to(mine).as_posix() for p in mine.rglob("*") if p.is_file()}
    assert names == {"00_a.ipynb", "references.bib", "img/net.png", chapters.MANIFEST}
    assert (mine / "img" / "net.png").read_bytes() == b"\x89PNG"


def test_a_second_copy_writes_nothing(book, monkeypatch):
    source, mine = book
    chapters.copy(source, mine)
    monkeypatch.setattr(chapters, "write_atomically", lambda path, _: pytest.fail(f"wrote {path}"))
    assert set(chapters.copy(source, mine).values()) == {"same"}


def test_an_untouched_copy_follows_a_new_version(book):
    source, mine = book
    chapters.copy(source, mine)
    (source / "00_a.ipynb").write_text("second")
    assert chapters.copy(source, mine)["00_a.ipynb"] == "updated"
    assert (mine / "00_a.ipynb").read_text() == "second"


def test_a_changed_file_is_kept_and_nothing_is_added_while_the_version_is_the_same(book):
    source, mine = book
    chapters.copy(source, mine)
    (mine / "00_a.ipynb").write_text("my notes")
    assert chapters.copy(source, mine)["00_a.ipynb"] == "kept"
    assert (mine / "00_a.ipynb").read_text() == "my notes"
    assert not list(mine.glob("*.new*"))


def test_a_new_version_of_a_changed_file_is_written_beside_it_once(book):
    source, mine = book
    chapters.copy(source, mine)
    (mine / "00_a.ipynb").write_text("my notes")
    (source / "00_a.ipynb").write_text("second")
    outcome = chapters.copy(source, mine)
    assert (outcome["00_a.ipynb"], outcome["00_a.new.ipynb"]) == ("kept", "new beside")
    assert (mine / "00_a.ipynb").read_text() == "my notes"
    assert (mine / "00_a.new.ipynb").read_text() == "second"
    (mine / "00_a.new.ipynb").unlink()  # the reader has seen it and does not want it
    assert "00_a.new.ipynb" not in chapters.copy(source, mine)
    assert not (mine / "00_a.new.ipynb").exists()


def test_work_in_the_file_beside_is_kept_too(book):
    source, mine = book
    chapters.copy(source, mine)
    (mine / "00_a.ipynb").write_text("my notes")
    (source / "00_a.ipynb").write_text("second")
    chapters.copy(source, mine)
    (mine / "00_a.new.ipynb").write_text("my second notes")
    (source / "00_a.ipynb").write_text("third")
    chapters.copy(source, mine)
    assert (mine / "00_a.ipynb").read_text() == "my notes"
    assert (mine / "00_a.new.ipynb").read_text() == "my second notes"
    assert (mine / "00_a.new2.ipynb").read_text() == "third"


@pytest.mark.parametrize("manifest", ["{not json", "[]", None])
def test_without_a_sound_manifest_every_file_that_differs_is_kept(book, manifest):
    source, mine = book
    chapters.copy(source, mine)
    (source / "00_a.ipynb").write_text("second")
    (mine / chapters.MANIFEST).unlink()
    if manifest is not None:
        (mine / chapters.MANIFEST).write_text(manifest)
    assert chapters.copy(source, mine)["00_a.ipynb"] == "kept"
    assert (mine / "00_a.ipynb").read_text() == "first"
    assert (mine / "00_a.new.ipynb").read_text() == "second"


def test_a_foreign_file_of_the_same_name_is_kept(book):
    source, mine = book
    mine.mkdir()
    (mine / "references.bib").write_text("my library")
    chapters.copy(source, mine)
    assert (mine / "references.bib").read_text() == "my library"
    assert (mine / "references.new.bib").read_text() == "@book{a}"


def test_the_manifest_holds_the_sha256_of_what_was_copied(book):
    source, mine = book
    chapters.copy(source, mine)
    manifest = json.loads((mine / chapters.MANIFEST).read_text())
    assert manifest["00_a.ipynb"].startswith("a7937b64b8ca")  # sha256 of b"first"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"old")

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        chapters.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["3", "03", "03_back", "03_back.ipynb"])
def test_a_chapter_is_found_by_number_and_name(tmp_path, name):
    for stem in ("00_welcome", "03_back", "13_other"):
        (tmp_path / f"{stem}.ipynb").write_text("")
    assert chapters.find(name, tmp_path) == tmp_path / "03_back.ipynb"


@pytest.mark.parametrize("name", ["3b", "03b", "03b_beside"])
def test_a_companion_is_found_by_its_letter_and_stands_after_its_chapter(tmp_path, name):
    for stem in ("03b_beside", "03_back", "04_next"):
        (tmp_path / f"{stem}.ipynb").write_text("")
    assert chapters.find(name, tmp_path) == tmp_path / "03b_beside.ipynb"
    stems = [path.stem for path in chapters.notebooks(tmp_path)]
    assert stems == ["03_back", "03b_beside", "04_next"]


def test_copies_that_lie_beside_a_chapter_are_not_chapters(book):
    source, mine = book
    chapters.copy(source, mine)
    (mine / "00_a.ipynb").write_text("my notes")
    (source / "00_a.ipynb").write_text("second")
    chapters.copy(source, mine)
    for name in ("00_a-Copy1.ipynb", "00_a (1).ipynb"):  # Lab's duplicate, a browser's download
        (mine / name).write_text("")
    assert (mine / "00_a.new.ipynb").exists()
    assert chapters.notebooks(mine) == [mine / "00_a.ipynb"]
    assert chapters.find("0", mine) == mine / "00_a.ipynb"
    beside = mine / "00_a.new.ipynb"
    assert chapters.find(str(beside), mine) == beside
    with pytest.raises(ValueError, match="00_a.new"):
        chapters.find("00_a.new", mine)


def test_a_number_that_two_notebooks_have_is_refused_with_their_names(tmp_path):
    for stem in ("03_back", "03_back_old", "04_next"):
        (tmp_path / f"{stem}.ipynb").write_text("")
    with pytest.raises(ValueError, match="'3' may be 03_back, 03_back_old"):
        chapters.find("3", tmp_path)


def test_a_chapter_is_found_by_path(tmp_path):
    path = tmp_path / "elsewhere.ipynb"
    path.write_text("")
    assert chapters.find(str(path), tmp_path / "none") == path


@pytest.mark.parametrize("name", ["4", "welcome", "nowhere/00_welcome.ipynb"])
def test_an_unknown_chapter_is_refused_with_the_names_there_are(tmp_path, name):
    (tmp_path / "00_welcome.ipynb").write_text("")
    with pytest.raises(ValueError, match=r"chapter: no notebook .* has: 00_welcome"):
        chapters.find(name, tmp_path)
