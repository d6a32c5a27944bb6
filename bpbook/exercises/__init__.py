"""Exercises: ``check("4.2", my_function)``, ``hint("4.2")`` and ``solution("4.2")``."""

from bpbook.exercises.core import Exercise, Feedback, check, exercise, exercises, hint, solution

__all__ = ["Exercise", "Feedback", "check", "exercise", "exercises", "hint", "solution"]
