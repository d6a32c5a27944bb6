"""The registry: which function answers which claim, with what verdict, in which chapter."""

from __future__ import annotations

import csv
import functools
import importlib
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

#: What a function may show, for each status that the table gives a claim.
VERDICTS = {
    "correct": ("proved", "measured", "cited"),
    "correct-under-convention": ("qualified",),
    "imprecise": ("qualified",),
    "wrong": ("refuted",),
}


@dataclass(frozen=True)
class Result:
    """What running a claim's function gave: whether it held, its evidence, and the time."""

    ok: bool
    evidence: str
    seconds: float


@dataclass(frozen=True)
class Claim:
    """A claim of the article and the function that answers it.

    id: as in claims.csv. verdict: "proved" (SymPy, exactly), "measured" (numbers), "cited"
    (bibliography), "qualified" (true once corrected or under a stated convention), "refuted".
    chapter: where it is discussed.
    """

    id: str
    verdict: str
    chapter: int
    check: Callable[[], str]

    @property
    def function(self) -> str:
        return self.check.__name__

    def run(self) -> Result:
        """Run the function; an exception means that the claim does not hold, and says why.

        Raises RuntimeError under ``python -O``, which leaves the assertions out.
        """
        if not __debug__:
            raise RuntimeError("the claims are checked by assertions: run Python without -O")
        start = time.perf_counter()
        try:
            ok, evidence = True, self.check()
        except Exception as error:
            ok, evidence = False, f"{type(error).__name__}: {error}"
        return Result(ok, evidence, time.perf_counter() - start)


_REGISTRY: dict[str, Claim] = {}


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """The rows of claims.csv by id: section, latex, meaning, status, correction, how_to_check."""
    text = resources.files(__package__).joinpath("claims.csv").read_text(encoding="utf-8")
    return {row["id"]: row for row in csv.DictReader(text.splitlines())}


def claim(id: str, *, verdict: str, chapter: int) -> Callable:
    """Register a function as the answer to a claim; stack it for a claim that the article repeats.

    The function takes nothing, raises AssertionError when what its docstring says does not hold,
    and returns its evidence in one line. Raises ValueError for an unknown id, an id that has a
    function already, or a verdict that contradicts the table.
    """
    if id not in table():
        raise ValueError(f"claim {id!r} is not in claims.csv")
    if id in _REGISTRY:
        raise ValueError(f"claim {id!r} already has the function {_REGISTRY[id].function}")
    allowed = VERDICTS[table()[id]["status"]]
    if verdict not in allowed:
        raise ValueError(f"claim {id!r} has verdict {verdict!r}; its status allows {allowed}")

    def register(function: Callable[[], str]) -> Callable[[], str]:
        _REGISTRY[id] = Claim(id, verdict, chapter, function)
        return function

    return register


def registered(chapters: set[int] | None = None) -> list[Claim]:
    """Every claim that has a function, in the article's order; ``chapters`` keeps only those."""
    import bpbook.claims as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return [
        _REGISTRY[id]
        for id in table()
        if id in _REGISTRY and (chapters is None or _REGISTRY[id].chapter in chapters)
    ]
