"""What the article says before it begins (§0): its history, and its notation."""

from __future__ import annotations

import json
import re

from bpbook import chapters
from bpbook.claims.registry import claim, table

#: For each letter that the article uses for more than one thing: what a formula looks like, by
#: meaning.
MEANINGS = {
    "L": (r"^L = ", r"\^\{\(L\)\}|\}\^\{L\}", r"\\frac\{\\mu\}\{L\}"),
    "W": (r"\\mathbf\{?W", r"O\(W\)"),
    "σ": (r"\\sigma\^\{\(l\)\}", r"\\sigma\^2 I"),
    "μ": (r"\\mu ?\\mathbf", r"\\frac\{\\mu\}\{L\}"),
    "m": (r"\\frac\{1\}\{m\}", r"\\mathbf\{m\}\^\{\(t\)\}", r"\\odot \\mathbf\{m\}\^\{\(l\)\}"),
    "v": (r"\\mathbf\{v\}\^\{\(t\)\} = \\mu", r"\\mathbf\{v\}\^\{\(t\)\} = \\beta_2"),
    "ε": (r"\\epsilon \\mathbf\{e\}", r"\+ \\epsilon\}", r"\\epsilon_\{machine\}"),
    "K": (r"\^\{K\}", r"\\mathbf\{K\}"),
}


def bibliography() -> dict[str, dict[str, str]]:
    """The fields of each entry of references.bib, by key."""
    text = (chapters.folder() / "references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", text, re.M | re.S)
    return {key: dict(re.findall(r"(\w+)\s*=\s*\{(.*)\}", body)) for key, body in entries}


def prose(chapter: str = "0") -> str:
    """The text of a chapter."""
    path = chapters.find(chapter, chapters.folder())
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@claim("Q0-a", verdict="cited", chapter=0)
def systematised_in_1986_and_found_before():
    """Rumelhart, Hinton & Williams (1986) systematised it; Linnainmaa and Werbos came before."""
    works, text = bibliography(), prose()
    paper = works["Rumelhart1986"]
    assert all(name in paper["author"] for name in ("Rumelhart", "Hinton", "Williams"))
    place = [paper[field] for field in ("journal", "volume", "pages", "year")]
    assert place == ["Nature", "323", "533--536", "1986"]
    assert works["Linnainmaa1970"]["school"] == "University of Helsinki"
    assert works["Werbos1974"]["school"] == "Harvard University"
    for key in ("Linnainmaa1970", "Werbos1974"):
        assert int(works[key]["year"]) == int(key[-4:]) < 1986
    assert all(f"[{key}]" in text for key in ("Rumelhart1986", "Linnainmaa1970", "Werbos1974"))
    return "Nature 323, 533–536 (1986); before it Linnainmaa (1970) and Werbos (1974), all cited"


def _used_as(pattern: str) -> set[str]:
    """The claims in whose formula a letter has the meaning that the pattern shows."""
    return {id for id, row in table().items() if re.search(pattern, row["latex"])}


def _our_signs() -> list[list[str]]:
    """The rows (letter, meaning, claim, our sign) of chapter 0's table."""
    row = r"^\| (\S) \| (.+?) \| ([EQP][\d.]+-\w) \| (.+?) \|$"
    return [list(cells) for cells in re.findall(row, prose(), re.M)]


@claim("P0-b", verdict="qualified", chapter=0)
def eight_letters_with_two_or_three_meanings():
    """L, W, σ, μ, m, v, ε and K have two or three meanings each; here all but v's have own signs.

    Chapter 10 writes v for the velocity, and says where it takes the letter for Adam's moment.
    """
    found = [(letter, _used_as(p)) for letter, patterns in MEANINGS.items() for p in patterns]
    assert all(ids for _, ids in found), "a meaning that no formula of the article shows"
    rows = _our_signs()
    assert [letter for letter, *_ in rows] == [letter for letter, _ in found]
    for (letter, ids), (_, meaning, id, _) in zip(found, rows, strict=True):
        assert id in ids, f"{id} does not show {letter} as {meaning}"
    signs = [sign for *_, sign in rows]
    assert [sign for sign in signs if signs.count(sign) > 1] == 2 * [r"$\mathbf v$"]
    before, after = prose("10").split("and v no velocity", 1)
    assert r"\mathbf v^{(t)} = \mu" in before
    assert r"\mathbf v^{(t)} = \mu" not in after
    shown = f"{len(MEANINGS)} letters, {len(found)} meanings, each in a formula"
    return f"{shown}; {len(set(signs))} signs here, as v keeps both of its own"
