"""The claims about history and notation read the book's own files, and can fail."""

import pytest

from bpbook.claims import welcome

PROSE, WORKS = welcome.prose(), welcome.bibliography()


def test_a_sign_with_two_meanings_is_found(monkeypatch):
    assert PROSE.count(r"| $\beta$ |") == 1
    monkeypatch.setattr(welcome, "prose", lambda: PROSE.replace(r"| $\beta$ |", r"| $\alpha$ |"))
    with pytest.raises(AssertionError):
        welcome.eight_letters_with_two_or_three_meanings()


def test_a_claim_that_does_not_show_the_meaning_is_found(monkeypatch):
    swapped = PROSE.replace("| σ | standard deviation | E4.3.1-a |", "| σ | width | E1.2.1-b |")
    assert swapped != PROSE
    monkeypatch.setattr(welcome, "prose", lambda: swapped)
    with pytest.raises(AssertionError, match="E1.2.1-b does not show σ as width"):
        welcome.eight_letters_with_two_or_three_meanings()


def test_a_missing_meaning_is_found(monkeypatch):
    kept = [line for line in PROSE.splitlines() if "dropout's mask" not in line]
    monkeypatch.setattr(welcome, "prose", lambda: "\n".join(kept))
    with pytest.raises(AssertionError):
        welcome.eight_letters_with_two_or_three_meanings()


@pytest.mark.parametrize("field", ["journal", "volume", "pages", "year", "author"])
def test_a_wrong_reference_is_found(monkeypatch, field):
    wrong = WORKS | {"Rumelhart1986": WORKS["Rumelhart1986"] | {field: "1987"}}
    monkeypatch.setattr(welcome, "bibliography", lambda: wrong)
    with pytest.raises(AssertionError):
        welcome.systematised_in_1986_and_found_before()


def test_a_reference_that_the_chapter_does_not_cite_is_found(monkeypatch):
    monkeypatch.setattr(welcome, "prose", lambda: PROSE.replace("[Werbos1974]", ""))
    with pytest.raises(AssertionError):
        welcome.systematised_in_1986_and_found_before()
