"""The registry keeps the book and the table of claims in step."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bpbook import claims
from bpbook.claims.registry import VERDICTS, Claim

ANSWERED = ("0", "1.1", "1.2", "1.3", "1.4", "2", "3.1", "3.2", "3.3", "6.1.1", "6.5.1", "7")
CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("[0-9]*.ipynb"))
NUMBERS = sorted({int(path.stem[:2]) for path in CHAPTERS})


def is_answered(section):
    number = section.split()[0]
    return any(number == s or number.startswith(s + ".") for s in ANSWERED)


def prose(path):
    return "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")


def cited(path):
    """Ids in a chapter's prose; "E1.3.2-l, -m" cites two."""
    found = set()
    ids = r"\b([CEQP]\d(?:\.\d)*)-[a-z]\b(?:,? (?:and )?-[a-z]\b)*"
    for match in re.finditer(ids, prose(path)):
        found |= {f"{match[1]}-{letter}" for letter in re.findall(r"-([a-z])\b", match[0])}
    return found


def test_the_table_is_whole():
    table = claims.table()
    assert len(table) == 200
    statuses = [row["status"] for row in table.values()]
    assert [statuses.count(s) for s in VERDICTS] == [94, 41, 45, 20]


def test_every_claim_of_the_finished_sections_has_a_function():
    wanted = {id for id, row in claims.table().items() if is_answered(row["section"])}
    assert wanted - {c.id for c in claims.registered()} == set()


def test_every_claim_is_discussed_in_a_chapter_that_there_is():
    """So that the check of the chapters' citations, below, misses none."""
    assert {c.chapter for c in claims.registered()} <= set(NUMBERS)


@pytest.mark.parametrize("one", claims.registered(), ids=lambda c: c.id)
def test_claim_holds(one: Claim):
    result = one.run()
    assert result.ok, result.evidence
    assert isinstance(result.evidence, str)
    assert result.evidence
    assert "\n" not in result.evidence


@pytest.mark.parametrize("one", claims.registered(), ids=lambda c: c.id)
def test_claim_states_itself_and_suits_the_table(one: Claim):
    assert one.check.__doc__, f"{one.function} states nothing"
    assert one.verdict in VERDICTS[claims.table()[one.id]["status"]]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_cites_only_known_claims(path):
    assert cited(path) - set(claims.table()) == set()


@pytest.mark.parametrize("number", NUMBERS)
def test_chapter_or_its_companion_cites_each_of_its_claims(number):
    ids = set().union(*(cited(path) for path in CHAPTERS if int(path.stem[:2]) == number))
    assert {c.id for c in claims.registered({number})} - ids == set()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_cites_known_works(path):
    bibliography = (path.parent / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{(\w+),", bibliography, re.M))
    assert set(re.findall(r"\[([A-Z]\w+?\d{4}[a-z]?)\]", prose(path))) - known == set()


def test_every_work_in_the_bibliography_is_cited():
    text = (CHAPTERS[0].parent / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{(\w+),", text, re.M)
    book = "\n".join(map(prose, CHAPTERS))
    assert [k for k in keys if f"[{k}]" not in book] == []
    assert keys == sorted(keys, key=str.lower)


def test_a_bad_registration_is_refused():
    with pytest.raises(ValueError, match="not in claims.csv"):
        claims.claim("E9.9.9-z", verdict="proved", chapter=1)
    with pytest.raises(ValueError, match="already has the function"):
        claims.claim(claims.registered()[0].id, verdict="proved", chapter=1)
    free = next(id for id in claims.table() if id not in {c.id for c in claims.registered()})
    with pytest.raises(ValueError, match="its status allows"):
        claims.claim(free, verdict="certain", chapter=1)


def test_a_claim_that_fails_says_why():
    def fails():
        raise AssertionError("one is not two")

    result = Claim("E1.1.1-a", "proved", 1, fails).run()
    assert not result.ok
    assert "one is not two" in result.evidence


def test_without_assertions_no_claim_is_said_to_hold():
    command = "from bpbook.claims import registered; registered()[0].run()"
    run = subprocess.run([sys.executable, "-O", "-c", command], capture_output=True, text=True)
    assert run.returncode != 0
    assert "without -O" in run.stderr
