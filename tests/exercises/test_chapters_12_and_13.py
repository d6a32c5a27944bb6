"""Answers in another style than the worked one, near misses, and what each is told."""

import re

import numpy as np
import pytest

from bpbook.autodiff import Function, tensor
from bpbook.exercises import check


def sorted_by_name(last, parents):
    return sorted(parents, reverse=True)


def with_two_matrices(push, pull, n, m):
    J = np.stack([push(e) for e in np.eye(n)], axis=1)
    return np.allclose(J, np.stack([pull(e) for e in np.eye(m)]))


def to_nine_places(push, pull, n, m):
    u, v = np.random.default_rng(5).normal(size=m), np.random.default_rng(6).normal(size=n)
    return abs(u @ push(v) - pull(u) @ v) < 1e-9


def value_and_turns(w):
    return 0.5**4, 4


@pytest.mark.parametrize(
    ("id", "answer", "told"),
    [
        ("12.3", sorted_by_name, "comes before"),
        ("12.5", with_two_matrices, "3 pushes and 2 pulls"),
        ("12.5", to_nine_places, "right, and large"),
        ("12.5", lambda push, pull, n, m: pull(np.ones(m)) == 1, r"array of shape \(3,\)"),
        ("12.6", value_and_turns, r"shape \(2,\)"),
        ("13.6", lambda x: 1 / (1 + np.exp(-x)), "one node"),
        ("13.6", lambda x: tensor(x.data), "one node"),
    ],
)
def test_a_near_miss_is_told_what_is_missing(id, answer, told):
    feedback = check(id, answer)
    assert not feedback
    assert "raised" not in feedback.message
    assert re.search(told, feedback.message), feedback


class Rounded(Function):
    @staticmethod
    def forward(ctx, x):
        return np.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("12.6", lambda w: w ** (np.floor(np.log(0.1) / np.log(w)) + 1)),
        ("13.5", Rounded.apply),
        ("13.5", lambda x: x + (np.round(x.data) - x.data)),
    ],
)
def test_a_right_answer_in_another_style_passes(id, answer):
    assert check(id, answer)
