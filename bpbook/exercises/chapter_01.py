"""Exercises of chapter 1, the chain rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook import ops
from bpbook.exercises.compare import difference, missing
from bpbook.exercises.core import exercise
from bpbook.nets.base import Op


def slope_without_the_inner_one(x):
    return np.cos(np.tanh(x) ** 2) * 2 * np.tanh(x)


@exercise(
    "1.1",
    cases=lambda: [(0.5,), (-1.3,), (2.0,)],
    slip=slope_without_the_inner_one,
    hints=(
        "Name the values: y1 = tanh(x), y2 = y1², z = sin(y2). Each step has a slope.",
        "The slopes are 1 − y1², 2·y1 and cos(y2). Multiply them.",
    ),
)
def slope_of_three(x):
    """The slope of sin(tanh(x)²) at x, by hand."""
    y1 = np.tanh(x)
    y2 = y1**2
    # One slope for each step, each at the value that enters that step.
    return np.cos(y2) * (2 * y1) * (1 - y1**2)


def only_the_path_through_u(x, y):
    return np.sin(x * y) * 2 * x, x**2 * np.cos(x * y) * x


@exercise(
    "1.2",
    cases=lambda: [(0.5, 1.5), (-1.0, 0.7), (2.0, 0.0)],
    slip=only_the_path_through_u,
    hints=(
        "x reaches z along two paths: through u and through v. Their contributions add.",
        "∂z/∂u = sin v and ∂z/∂v = u cos v; ∂u/∂x = 2x, ∂v/∂x = y, ∂u/∂y = 0, ∂v/∂y = x.",
    ),
)
def slopes_of_two_paths(x, y):
    """The pair (∂z/∂x, ∂z/∂y) for z = u·sin(v), u = x², v = x·y."""
    u, v = x**2, x * y
    dz_du, dz_dv = np.sin(v), u * np.cos(v)
    dz_dx = dz_du * 2 * x + dz_dv * y  # both paths
    dz_dy = dz_dv * x  # u does not depend on y: one path
    return dz_dx, dz_dy


def denominator_layout(r, t):
    return np.array([[np.cos(t), np.sin(t)], [-r * np.sin(t), r * np.cos(t)]])


@exercise(
    "1.3",
    cases=lambda: [(1.0, 0.5), (2.0, -1.0), (0.3, 3.0)],
    slip=denominator_layout,
    hints=(
        "Row i belongs to output i: the first row is (∂x/∂r, ∂x/∂t).",
        "∂x/∂r = cos t, ∂x/∂t = −r sin t, ∂y/∂r = sin t, ∂y/∂t = r cos t.",
    ),
)
def jacobian_of_polar(r, t):
    """The 2×2 Jacobian, in numerator layout, of (r, t) -> (r·cos t, r·sin t)."""
    return np.array(
        [
            [np.cos(t), -r * np.sin(t)],  # the first output, r cos t, by r and by t
            [np.sin(t), r * np.cos(t)],  # the second, r sin t
        ]
    )


def square_layers_only(sizes):
    depth, n = len(sizes) - 1, sizes[0]
    return (depth - 1) * sizes[-1] * n * n, (depth - 1) * n**3


@exercise(
    "1.4",
    cases=lambda: [((64, 32, 10, 1),), ((100, 100, 100, 1),), ((3, 50, 50, 2),)],
    slip=square_layers_only,
    hints=(
        "The Jacobian of step l is (n_l, n_{l−1}). An (a, b) times a (b, c) matrix takes a·b·c.",
        "From the left the running product always has n_L rows; from the right, n_0 columns.",
    ),
)
def products_from_both_ends(sizes):
    """Multiplications for J_L ··· J_1, sizes = (n_0, ..., n_L): (from the left, from the right).

    J_l has shape (n_l, n_{l−1}).
    """
    first, last, depth = sizes[0], sizes[-1], len(sizes) - 1
    # From the left: (n_L, n_k) times (n_k, n_{k−1}), for each k below L.
    left = sum(last * sizes[k] * sizes[k - 1] for k in range(1, depth))
    # From the right: (n_k, n_{k−1}) times (n_{k−1}, n_0), for each k above 1.
    right = sum(sizes[k] * sizes[k - 1] * first for k in range(2, depth + 1))
    return left, right


def prove_answer(op: Op) -> str | None:
    """What is wrong with an op that should be x·eˣ in every entry."""
    from bpbook.proof import prove

    x = np.array([[0.5, -1.0], [2.0, 0.0]])
    answer = op(x)
    if wrong := missing(answer):
        return wrong
    if not (isinstance(answer, tuple) and len(answer) == 2 and callable(answer[1])):
        return "Wanted a pair (out, vjp), vjp a function."
    if wrong := difference(answer[0], x * np.exp(x)):
        return f"out: {wrong}"
    proof = prove(op, (2, 2))
    return None if proof else f"The forward is right. {proof}"


def forgets_the_second_path(x):
    e = np.exp(x)
    return x * e, lambda d_out: d_out * x * e


@exercise(
    "1.5",
    judge=prove_answer,
    slip=forgets_the_second_path,
    hints=(
        "x reaches the product along two paths: as the first factor, and through eˣ.",
        "The slope is eˣ + x·eˣ; the vjp multiplies what it is given by it, entry by entry.",
    ),
)
def x_times_exp(x):
    """x·eˣ in every entry of the array x, as an op: (out, vjp), ready for ``prove``."""
    e = np.exp(x)
    out = x * e

    def vjp(d_out):
        return d_out * (e + out)  # one path through each factor

    return out, vjp


def judge_chain(compose: Callable[..., Op]) -> str | None:
    """What is wrong with a function that should compose ops."""
    x = np.array([0.3, -0.8])
    whole = compose(ops.square, ops.sin, ops.exp)
    answer = whole(x) if callable(whole) else whole
    if wrong := missing(answer):
        return wrong
    if not callable(whole):
        return "Wanted a function: an op that takes x and returns (out, vjp)."
    if not (isinstance(answer, tuple) and len(answer) == 2 and callable(answer[1])):
        return "The op that you return must itself return a pair (out, vjp)."
    y = np.sin(x**2)
    if wrong := difference(answer[0], np.exp(y)):
        return f"out, for square, then sin, then exp: {wrong}"
    slopes = np.exp(y) * np.cos(x**2) * 2 * x
    rows = [answer[1](row) for row in np.eye(2)]
    if wrong := difference(rows, np.diag(slopes)):
        return f"vjp of the rows of the identity, for square, sin, exp at x = {x}: {wrong}"
    row = np.array([1.0, -2.0])
    _, vjp = compose(ops.softmax, ops.square)(x)  # softmax's Jacobian is not diagonal
    p, softmax_vjp = ops.softmax(x)
    wrong = difference(vjp(row), softmax_vjp(row * 2 * p))
    return wrong and f"vjp of {row}, for softmax, then square: {wrong}"


def compose_all_at_the_input(*steps):
    def whole(x):
        out, slope = x, 1.0
        for step in steps:
            slope = slope * step(x)[1](np.ones_like(x))
            out, _ = step(out)
        return out, lambda d_out: d_out * slope

    return whole


@exercise(
    "1.6",
    judge=judge_chain,
    slip=compose_all_at_the_input,
    hints=(
        "Going forward, keep each step's vjp in a list.",
        "whole(x) returns (out, vjp); its vjp gives d_out to the last step's vjp first.",
    ),
)
def compose(*steps):
    """One op out of several: x goes through the steps from first to last, d_out back again."""

    def whole(x):
        vjps = []
        out = x
        for step in steps:
            out, vjp = step(out)  # each step at the value that reaches it
            vjps.append(vjp)

        def pull_back(d_out):
            for vjp in reversed(vjps):  # last step first: the row goes through J_L, ..., J_1
                d_out = vjp(d_out)
            return d_out

        return out, pull_back

    return whole
