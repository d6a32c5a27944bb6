"""Answers of chapters 6 to 10 that are right in another style pass, and near misses hear why."""

import numpy as np

from bpbook import ops
from bpbook.exercises import check
from bpbook.nets import check_directions
from bpbook.theory import slope_factor, variance_map


def test_an_error_may_be_multiplied_in_place_by_its_slopes():
    def first_error(Ws, slopes, delta):
        for W, slope in zip(Ws[::-1], slopes[::-1], strict=True):
            delta = W.T @ delta
            delta *= slope
        return delta

    assert check("7.1", first_error)


def test_a_cancelling_pair_may_be_a_list():
    def branch(n):
        eye = np.eye(n)
        return [np.vstack([-eye, eye]), np.hstack([eye, -eye])]

    assert check("7.6", branch)


def settled(weight_variance, bias_variance, enough):
    q, before = 1.0, np.inf
    while abs(q - before) > enough:
        q, before = variance_map(ops.tanh, q, weight_variance, bias_variance), q
    return -1 / np.log(slope_factor(ops.tanh, q, weight_variance))


def test_a_depth_scale_from_a_fixed_point_to_seven_digits_is_right_and_to_two_is_not():
    assert check("8.5", lambda *variances: settled(*variances, 1e-7))
    assert not check("8.5", lambda *variances: settled(*variances, 1e-2))


def test_the_adjoint_test_may_use_a_forward_difference_but_not_the_vjp_twice():
    def both_sides(op, x, u, v, h=1e-6):
        out, vjp = op(x)
        return np.vdot(u, (op(x + h * v)[0] - out) / h), np.vdot(vjp(u), v)

    assert check("9.4", both_sides)
    assert not check("9.4", lambda *given: (both_sides(*given)[1],) * 2)


def test_a_chain_without_a_wrong_op_that_falls_off_the_end_hears_so():
    def first_wrong_op(operations, x):
        for k, op in enumerate(operations):
            if not check_directions(op, x):
                return k
            x, _ = op(x)

    assert "tanh, exp at x = [0.3 1.2]: got None, wanted -1" in check("9.6", first_wrong_op).message
    assert "wanted 1" in check("9.6", lambda operations, x: np.zeros(2)).message


def test_a_return_that_is_missing_on_one_way_is_named_with_the_case_it_was_missed_in():
    def clip_together(grads, limit):
        norm = np.sqrt(sum((g * g).sum() for g in grads))
        if norm > limit:
            return tuple(g * limit / norm for g in grads)

    said = check("7.5", clip_together).message
    assert "The result is None" in said
    assert "limit = 1.0" in said
    assert "replace the ..." not in said


def test_a_function_among_the_arguments_is_shown_by_its_name():
    said = check("9.4", lambda op, x, u, v: (0, 0)).message
    assert "op = affine, x = array" in said
    assert "f = exp, x = 0.7" in check("9.3", lambda f, x: 0.0).message
