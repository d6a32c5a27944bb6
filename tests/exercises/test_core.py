"""Each exercise: the solution passes; the stub and a planted slip fail, and are told why."""

import numpy as np
import pytest
import sympy as sp

from bpbook.exercises import check, exercises, hint, solution
from bpbook.exercises.compare import difference

ALL = [e for chapter in range(25) for e in exercises(chapter)]
each = pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)


def test_part_one_has_at_least_25_exercises():
    assert sum(int(e.id.split(".")[0]) <= 5 for e in ALL) >= 25
    assert len({e.id for e in ALL}) == len(ALL)


@each
def test_solution_passes(exercise):
    feedback = exercise.check(exercise.solution)
    assert feedback, feedback


@each
def test_untouched_stub_fails(exercise):
    feedback = exercise.check(lambda *arguments, **keywords: ...)
    assert not feedback
    assert "Nothing is returned yet" in feedback.message


@each
def test_a_function_without_a_return_is_not_told_to_replace_dots(exercise):
    feedback = exercise.check(lambda *arguments, **keywords: None)
    assert not feedback
    assert "replace the ..." not in feedback.message
    assert "None" in feedback.message


@each
def test_slip_fails_and_says_what_is_wrong(exercise):
    feedback = exercise.check(exercise.slip)
    assert not feedback
    assert "raised" not in feedback.message, "a slip should run, and be wrong"
    assert len(feedback.message) > 20


@each
def test_it_has_hints_and_a_shown_solution(exercise, capsys):
    assert exercise.hints
    assert exercise.solution.__doc__
    hint(exercise.id)
    assert exercise.hints[0] in capsys.readouterr().out
    solution(exercise.id)
    assert capsys.readouterr().out.startswith("def ")


def test_difference_names_the_usual_slips():
    A = np.array([[1.0, 2.0], [3.0, 5.0]])
    assert difference(A, A) is None
    assert "not" not in (difference(A + 1e-13, A) or "")
    assert "end in a return" in difference(None, A)
    assert "Nothing is returned yet" in difference(..., A)
    assert difference(A[:1], A) == "The result has shape (1, 2); wanted (2, 2)."
    assert "Its transpose would be right" in difference(A[:1].T, A[:1])
    assert "sign" in difference(-A, A)
    assert "factor, 2" in difference(2 * A, A)
    assert "Transposed" in difference(A.T, A)
    assert "transpose would be right" in difference(A[:1].T, A[:1])
    assert "shape (2,)" in difference(A[0], A)
    assert "NaN" in difference(A * np.nan, A)
    assert "3 of 4 entries are right" in difference(A + np.diag([0, 1]), A)
    assert "wanted numbers" in difference("x", A)
    assert "2 results" in difference(A, (A, A))
    assert "Result 2 of 2" in difference((A, -A), (A, A))


def test_difference_of_formulas():
    x = sp.Symbol("x")
    assert difference(sp.sin(x) ** 2, 1 - sp.cos(x) ** 2) is None
    assert "not 0" in difference(x, 2 * x)
    assert difference(sp.Matrix([x, 1]), sp.Matrix([x, 1])) is None
    assert "not 0" in difference(sp.Matrix([x, 2]), sp.Matrix([x, 1]))


def test_unknown_exercise_and_wrong_use():
    with pytest.raises(ValueError, match=r"no exercise '4\.99'; chapter 4 has"):
        check("4.99", lambda: 0)
    assert "Pass the function itself" in ALL[0].check(3).message
    assert "raised ZeroDivisionError" in ALL[0].check(lambda *a, **k: 1 / 0).message


def test_an_answer_that_overwrites_its_arguments_is_compared_with_the_right_result():
    def zeros(a, W, b):
        a[...], W[...], b[...] = 0, 0, 0
        return np.zeros((len(a), len(W)))

    assert not check("0.2", zeros)


def test_complex_and_nearly_right_numbers_are_told_apart_from_right_ones():
    assert "complex" in difference(np.array([1 + 5j]), np.array([1.0]))
    assert "Largest error" in difference(1.0000001, 1.0)


def test_float32_answers_are_right_to_their_own_precision():
    A = np.array([[1.0, 2.0], [3.0, 7.0]]) / 3
    single = A.astype(np.float32)
    assert difference(single, A) is None
    assert difference(single[0, 0], A[0, 0]) is None
    assert difference((A, single), (A, A)) is None
    assert difference(single.astype(float), A), "float64 is held to its own"
    assert difference(single * np.float32(1.0001), A)
    assert "3 of 4 entries are right" in difference(single + np.float32([[0, 0], [0, 1]]), A)


def test_whole_numbers_are_quoted_and_not_compared_as_multiples():
    assert difference(7, 12) == "You gave 7, wanted 12."
    assert difference(6.0, 12) == "You gave 6, wanted 12."
    assert difference(-12, 12) == "You gave -12, wanted 12."
    assert difference(12.0, 12) is None
    assert difference(12.5, np.int64(12)) == "You gave 12.5, wanted 12."
    assert "shape (1,)" in difference([7], 12)
    assert "factor, 2" in difference(np.array([2, 4]), np.array([1, 2]))


def test_one_number_is_a_multiple_only_by_a_small_whole_factor():
    """1e-10 is near the whole number 0, and 5e8 is whole: neither is the slip that was made."""
    for got, want in ((2e-9, 1.0), (1.0, 2e-9), (-20.03, 2e-9), (2.0, 3.0)):
        assert "Largest error" in difference(got, want)
    assert "factor, 64" in difference(64.0 / 3, 1.0 / 3)
    assert "factor, 0.25" in difference(0.25 / 3, 1.0 / 3)


@pytest.mark.parametrize("got", [[np.inf, np.inf], [1.0, -np.inf]])
def test_what_overflows_is_named_and_no_factor(got):
    assert difference(np.array(got), np.array([1.0, 2.0])) == "The result contains ∞."


def test_numbers_that_differ_are_shown_different():
    assert "got 202256, wanted 202256.345" in difference(202256, 202256.345)


def test_a_result_that_is_no_array_is_named_and_not_called_an_error_of_the_function():
    pair = (np.zeros((2, 3)), lambda: 0)  # what an op returns
    assert difference(pair, np.zeros((2, 3))) == "The result is a tuple; wanted numbers."


def test_small_numbers_are_counted_right_as_they_are_judged():
    assert "1 of 2 entries are right" in difference([1.5e-10, 2e-10], np.array([1e-10, 2e-10]))
