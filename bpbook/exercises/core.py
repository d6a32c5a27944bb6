"""What an exercise is, and how an answer is checked."""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bpbook.exercises.compare import NOTHING, difference


@dataclass(frozen=True)
class Feedback:
    """The verdict on an answer; true when it is right."""

    id: str
    ok: bool
    message: str

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{self.id}: {'right' if self.ok else 'not yet'}. {self.message}"


@dataclass(frozen=True)
class Exercise:
    """An exercise of a chapter.

    id: "4.2" is the second of chapter 4. solution: the worked answer, a function. cases: argument
    tuples on which an answer is compared with the solution. judge: instead of cases, a function
    that takes the answer and returns what is wrong with it, or None. slip: a wrong answer that a
    careful person might give.
    """

    id: str
    solution: Callable
    slip: Callable
    hints: tuple[str, ...]
    cases: Callable[[], Sequence[tuple]] | None = None
    judge: Callable[[Callable], str | None] | None = None
    rtol: float = 1e-9

    def check(self, answer: Callable) -> Feedback:
        """Judge an answer. An answer that raises is wrong, and the error is the message."""
        if not callable(answer):
            got = type(answer).__name__
            return Feedback(self.id, False, f"Pass the function itself, not its result ({got}).")
        try:
            wrong = self.judge(answer) if self.judge else self._compare(answer)
        except Exception as error:
            wrong = f"Your function raised {type(error).__name__}: {error}"
        return Feedback(self.id, wrong is None, wrong or self._praise())

    def _compare(self, answer: Callable) -> str | None:
        for arguments in self.cases():
            want = self.solution(*copy.deepcopy(arguments))
            # An answer that writes into its arguments must not change what it is compared with.
            wrong = difference(answer(*copy.deepcopy(arguments)), want, self.rtol)
            if wrong == NOTHING:
                return wrong
            if wrong:
                return f"{wrong} Tried with {_shown(answer, arguments)}."
        return None

    def _praise(self) -> str:
        return f"It agrees in {len(self.cases())} cases." if self.cases else "It passes every test."


def _shown(answer: Callable, arguments: tuple) -> str:
    names = list(inspect.signature(answer).parameters)
    words = (textwrap.shorten(getattr(x, "__name__", repr(x)), 70) for x in arguments)
    return ", ".join(map(" = ".join, zip(names, words, strict=False))) or "no arguments"


_EXERCISES: dict[str, Exercise] = {}


def exercise(id: str, **fields: object) -> Callable[[Callable], Callable]:
    """Register the decorated function as the worked solution of exercise ``id``."""

    def register(solution: Callable) -> Callable:
        _EXERCISES[id] = Exercise(id, solution, **fields)
        return solution

    return register


def exercises(chapter: int) -> list[Exercise]:
    """The exercises of a chapter, in order; none for a chapter without."""
    try:
        importlib.import_module(f"bpbook.exercises.chapter_{chapter:02d}")
    except ModuleNotFoundError:
        return []
    return [e for e in _EXERCISES.values() if e.id.split(".")[0] == str(chapter)]


def _get(id: str) -> Exercise:
    chapter = str(id).split(".")[0]
    known = {e.id: e for e in exercises(int(chapter))} if chapter.isdigit() else {}
    if id not in known:
        raise ValueError(f"no exercise {id!r}; chapter {chapter} has {list(known)}")
    return known[id]


def check(id: str, answer: Callable) -> Feedback:
    """Check your answer to an exercise, and say what is wrong and how far off it is."""
    return _get(id).check(answer)


@functools.cache
def _asked(id: str) -> list[str]:
    return list(_get(id).hints)


def hint(id: str) -> None:
    """Print the next hint; each call gives one more."""
    left = _asked(id)
    print(left.pop(0) if left else f'No more hints. The worked answer is solution("{id}").')


def solution(id: str) -> None:
    """Print the worked solution, without the lines that register it."""
    source = textwrap.dedent(inspect.getsource(_get(id).solution))
    print(source[source.index("def ") :].rstrip())
