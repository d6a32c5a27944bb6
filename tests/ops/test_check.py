"""What the checks let through, at their bounds, and that an error names the right thing."""

import math
from functools import partial

import numpy as np
import pytest

from bpbook import ops
from bpbook.ops import _check

NO_NUMBERS = [True, "1", None, 1j, math.nan, math.inf, -math.inf]
BOUNDS = [  # (the check of a value, the last that it takes, the first that it refuses)
    (partial(_check.whole, "x"), [1, np.int8(9)], [0, 1.0, *NO_NUMBERS]),
    (partial(_check.whole, "x", least=0), [0], [-1]),
    (partial(_check.number, "x"), [0, 1e300, np.float32(0.5)], [-1e-300, 10**400, *NO_NUMBERS]),
    (partial(_check.number, "x", least=-1, most=1), [-1, 1], [-1.001, 1.001]),
    (partial(_check.positive, "x"), [5e-324, 3], [0, -1, *NO_NUMBERS]),
    (_check.rate, [0, 0.999], [1, -1e-300, *NO_NUMBERS]),
    (partial(_check.pair, "x", least=0), [0, (0, 1)], [-1, (0, -1), (1, 2, 3), 0.5, "12"]),
    (partial(_check.function, "x", example="np.sin"), [np.sin], [None, 3]),
    (_check.floating_dtype, ["float16", np.float64], [int, complex, object]),
]


@pytest.mark.parametrize(("check", "good", "bad"), BOUNDS)
def test_a_check_takes_values_up_to_its_bounds_and_none_beyond(check, good, bad):
    for value in good:
        check(value)
    for value in bad:
        with pytest.raises(ValueError, match="wanted a"):
            check(value)


def test_checks_return_plain_values():
    assert _check.pair("stride", (np.int64(2), 3), 1) == (2, 3)
    assert _check.pair("stride", 2, 1) == (2, 2)
    assert _check.floating_dtype("float32") == np.float32


@pytest.mark.parametrize(("most", "wanted"), [(1, "0 to 1"), (math.inf, "0 or more")])
def test_the_error_of_a_number_names_its_range(most, wanted):
    with pytest.raises(ValueError, match=f"^x is -1; wanted a finite number, {wanted}$"):
        _check.number("x", -1, most=most)


A, W, B = np.ones((2, 4)), np.ones((3, 4)), np.ones(3)
BAD_AFFINE = [
    (([[1.0] * 4], W, B), "a is a list"),
    ((A, W, 1.0), "b is a float"),
    *[
        ((*parts[:i], parts[i].astype(int), *parts[i + 1 :]), f"{'aWb'[i]} has dtype int64")
        for parts in [(A, W, B)]
        for i in range(3)
    ],
    ((np.ones((2, 4, 5)), W, B), "a has shape (2, 4, 5); wanted (m, n_in), one row per sample"),
    ((A, W, np.ones((3, 1))), "b has shape (3, 1); wanted (n_out,)"),
    (
        (A, np.ones((3, 5)), B),
        "W has shape (3, 5); a has 4 columns, so W must be (n_out, 4); a has shape (2, 4)",
    ),
    (
        (A, W, np.ones(2)),
        "b has shape (2,); W has 3 rows, so b must be (3,); W has shape (3, 4)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_AFFINE)
def test_affine_names_the_argument_that_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=".") as error:
        ops.affine(*arguments)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("row", [[1, 1, 0], [0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [1, 0.5, -0.5]])
def test_the_row_that_is_not_one_hot_is_named(row):
    Y = np.eye(3)
    Y[1] = row
    with pytest.raises(ValueError, match="but its row 1 is not one-hot"):
        ops.softmax_cross_entropy(np.zeros((3, 3)), Y)


def test_the_row_of_a_target_that_is_not_finite_is_named():
    Y = np.zeros((3, 2))
    Y[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"not finite, in row 1: \[nan  0\.\]"):
        ops.mse(np.zeros((3, 2)), Y)


@pytest.mark.parametrize(("shape", "labels"), [((3,), True), ((3, 2), False), ((), False)])
def test_labels_alone_are_told_to_become_one_hot(shape, labels):
    with pytest.raises(ValueError, match="must have the same") as error:
        ops.softmax_cross_entropy(np.zeros((3, 4)), np.zeros(shape))
    assert ("np.eye" in str(error.value)) is labels


@pytest.mark.parametrize("beyond", [-0.5, 1.5])
def test_one_entry_outside_0_and_1_is_refused_and_the_extremes_named(beyond):
    P = np.array([[0.25, 0.75], [beyond, 0.5]])
    message = rf"smallest {P.min()}, largest {P.max()}\); wanted prob"
    with pytest.raises(ValueError, match=message):
        ops.cross_entropy(P, np.eye(2))
