"""Exercises of chapter 12, computational graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bpbook.exercises.compare import NOTHING, difference, missing
from bpbook.exercises.core import exercise


def quotient_rule_with_the_sign_turned(a, da, b, db):
    return a / b, (a * db - b * da) / b**2


@exercise(
    "12.1",
    cases=lambda: [(3.0, 1.0, 2.0, 0.0), (1.0, 0.0, 4.0, 1.0), (1.5, -2.0, -0.5, 3.0)],
    slip=quotient_rule_with_the_sign_turned,
    hints=(
        "You want q + q′ε with (q + q′ε)(b + b′ε) = a + a′ε. Multiply out, with ε² = 0.",
        "q b = a, and q b′ + q′ b = a′. Solve the second for q′.",
    ),
)
def dual_divide(a, da, b, db):
    """(a + da ε) / (b + db ε) as the pair (value, slope)."""
    q = a / b
    # From (q + q′ε)(b + db ε) = a + da ε: the ε terms say q db + q′ b = da.
    return q, (da - q * db) / b


def second_order_without_the_two(a, b):
    return a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[0] * b[2] + a[1] * b[1] + a[2] * b[0]


@exercise(
    "12.2",
    cases=lambda: [
        ((2.0, 1.0, 0.0), (2.0, 1.0, 0.0)),
        ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        ((0.5, -1.0, 2.0), (3.0, 0.0, -1.0)),
    ],
    slip=second_order_without_the_two,
    hints=(
        "The first two are those of a dual number. For the third, differentiate (uv)′ = u′v + uv′.",
        "(uv)″ = u″v + 2u′v′ + uv″. Test it on x·x: 2 is the second derivative.",
    ),
)
def times_to_second_order(a, b):
    """The product of two numbers that carry (value, slope, second derivative)."""
    return a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2]


def judge_order(answer: Callable) -> str | None:
    """What is wrong with an order of nodes, or None."""
    # Each node is an input of nodes made later; the last case is a chain 5,000 deep.
    trap = {"a": [], "b": ["a"], "x": ["b"], "d": ["x", "a"], "out": ["b", "d"]}
    chain = {k: [k - 1] if k else [] for k in range(5000)}
    for last, parents in (("out", trap), ("c", {"c": ["b", "b"], "b": ["a"], "a": []})):
        if wrong := order_fault(answer(last, parents), last, parents):
            tried = f" Tried with last = {last!r}, parents = {parents}."
            return wrong if wrong == NOTHING else wrong + tried
    try:
        return order_fault(answer(4999, chain), 4999, chain)
    except RecursionError:
        return "Right on small graphs, but a chain of 5,000 nodes is too deep for a recursion."


def order_fault(got: object, last: object, parents: dict) -> str | None:
    if wrong := missing(got):
        return wrong
    order = list(got)
    if sorted(map(str, order)) != sorted(map(str, parents)):
        return f"Wanted each of the {len(parents)} nodes once; got {len(order)}: {order[:8]}."
    place = {node: k for k, node in enumerate(order)}
    for node, inputs in parents.items():
        for x in inputs:
            if place[x] < place[node]:
                return f"{x!r} comes before {node!r}, which has yet to hand it a share."
    return None


def as_they_are_met(last, parents):
    order, k = [last], 0
    while k < len(order):
        order += [x for x in dict.fromkeys(parents[order[k]]) if x not in order]
        k += 1
    return order


@exercise(
    "12.3",
    judge=judge_order,
    slip=as_they_are_met,
    hints=(
        "A node is ready once everything computed from it has been visited. Count first: how "
        "often does each node occur among the inputs of others?",
        "Keep a list of ready nodes, at first only the last. Take one out, append it to the "
        "order, and lower the count of each of its inputs; at 0 an input is ready.",
    ),
)
def backward_order(last, parents):
    """The nodes behind ``last``, itself first, each before all of its inputs. No recursion.

    parents: the inputs of each node, as a dictionary of lists, which ``last`` depends on all of.
    """
    waiting_for = dict.fromkeys(parents, 0)
    for inputs in parents.values():
        for x in inputs:
            waiting_for[x] += 1
    order, ready = [], [last]
    while ready:
        node = ready.pop()
        order.append(node)
        for x in parents[node]:  # an input that occurs twice waits twice
            waiting_for[x] -= 1
            if waiting_for[x] == 0:
                ready.append(x)
    return order


def cost_of_two_sweeps_only(n, k, m):
    return n * (n * k + k * m), m * (n * k + k * m), min(n, m) * (n * k + k * m)


@exercise(
    "12.4",
    cases=lambda: [(100, 1, 100), (5, 50, 1), (1, 20, 30), (30, 4, 20)],
    slip=cost_of_two_sweeps_only,
    hints=(
        "One sweep, in either mode, multiplies once for each entry of both matrices.",
        "The product of an m×k and a k×n matrix takes m·k·n multiply-adds.",
    ),
)
def three_prices(n, k, m):
    """Multiply-adds of the Jacobian BA of R^n → R^k → R^m: forward, reverse, and B times A.

    A is k×n and B is m×k, both dense and already known.
    """
    sweep = n * k + k * m
    # The product meets in the middle: neither mode does that, and with a small k it is far cheaper.
    return n * sweep, m * sweep, m * k * n


MAPS = {
    "right": (np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]),) * 2,
    "two entries exchanged": (
        np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]),
        np.array([[2.0, 1.0, 0.0], [0.0, -1.0, 3.0]]),
    ),
    "one entry off by a thousandth": (
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        np.array([[1.0, 2.0], [3.0, 4.004], [5.0, 6.0]]),
    ),
    "right, and large": (1e9 * np.random.default_rng(3).normal(size=(7, 5)),) * 2,
}


def judge_pair_test(answer: Callable) -> str | None:
    """What is wrong with a test of whether two maps are each other's transpose, or None."""
    for name, (J, other) in MAPS.items():
        m, n = J.shape
        calls = {"push": 0, "pull": 0}
        push, pull = partial(counted, calls, "push", J), partial(counted, calls, "pull", other.T)
        got = answer(push, pull, n, m)
        if wrong := missing(got):
            return wrong
        if np.ndim(got):
            return f"Return True or False; you gave an array of shape {np.shape(got)}."
        if bool(got) != name.startswith("right"):
            said = "belong together" if got else "do not belong together"
            return f"Your test says that the maps {said}. In this case: {name}."
        if max(calls.values()) > 1:
            return (
                f"Right, but in {calls['push']} pushes and {calls['pull']} pulls; one each will do."
            )
    return None


def counted(calls: dict[str, int], name: str, matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    calls[name] += 1
    return matrix @ x


def test_with_ones(push, pull, n, m):
    u, v = np.ones(m), np.ones(n)
    return np.isclose(u @ push(v), pull(u) @ v)


@exercise(
    "12.5",
    judge=judge_pair_test,
    slip=test_with_ones,
    hints=(
        "Draw u (m numbers) and v (n numbers) with np.random.default_rng(0).normal, and compare "
        "⟨u, Jv⟩ with ⟨Jᵀu, v⟩.",
        "Compare relatively, with np.isclose(..., rtol=1e-9): J may be large.",
    ),
)
def belong_together(push, pull, n, m):
    """Whether pull (R^m → R^n) is the transpose of push (R^n → R^m); both are linear."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=m), rng.normal(size=n)
    # Directions of ones would only compare the sums of all entries.
    return np.isclose(u @ push(v), pull(u) @ v, rtol=1e-9, atol=0)


def by_the_loop(w):
    """What exercise 12.6 writes without a branch."""
    z = 1.0
    while z > 0.1:
        z = z * w
    return z


def judge_masked_loop(answer: Callable) -> str | None:
    """What is wrong with a loop that shall compile, or None."""
    from bpbook.autodiff import grad, static

    if wrong := difference(answer(np.array(0.5)), by_the_loop(0.5)):
        return wrong
    try:
        value, slope = (static.compile(f, np.array(0.5)) for f in (answer, grad(answer)))
    except TypeError as refusal:
        return f"It does not compile: {refusal}."
    for at in (0.5, 0.05, 0.2, 0.8, 0.94):
        w, turns = np.array(at), int(np.floor(np.log(0.1) / np.log(at))) + 1
        if wrong := difference(value(w), by_the_loop(w)):
            return f"At w = {at}, where k = {turns}: {wrong}"
        if wrong := difference(slope(w), turns * at ** (turns - 1)):
            return f"The value is right at w = {at}, but its slope is not. {wrong}"
    return None


def four_times(w):
    z = np.ones_like(w)
    for _ in range(4):
        z = z * w
    return z


@exercise(
    "12.6",
    judge=judge_masked_loop,
    slip=four_times,
    hints=(
        "Let the loop run 50 times, whatever w is. What must a turn do once z is at most 0.1?",
        "It must leave z as it is: np.where(z > 0.1, z * w, z) chooses without a branch.",
    ),
)
def loop_that_compiles(w):
    """``z = 1; while z > 0.1: z = z * w`` for 0 < w < 0.95, in a form that static.compile takes."""
    z = w * 0 + 1.0
    for _ in range(50):  # 0.95⁴⁵ is below 0.1, so 50 turns are enough for every w asked for
        z = np.where(z > 0.1, z * w, z)
    return z
