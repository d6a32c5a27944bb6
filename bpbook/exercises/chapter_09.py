"""Exercises of chapter 9, gradient checking."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.exercises.compare import NOTHING, difference
from bpbook.exercises.core import exercise
from bpbook.nets import check_directions


def bowl(x):
    """Σ x³/3 + x_0 x_last, for real and complex x."""
    return (x**3).sum() / 3 + x[0] * x[-1]


def step_of_a_central_difference(u, f, f2):
    return (3 * u * f / f2) ** (1 / 3)


@exercise(
    "9.1",
    cases=lambda: [(2.0**-53, 2.0, 3.0), (2.0**-24, -5.0, 0.1), (2.0**-53, 1e6, -4.0)],
    slip=step_of_a_central_difference,
    hints=(
        "Add the two parts of the error: rounding, 2u|f|/h, and the formula's own, h|f''|/2.",
        "The derivative of the sum for h is −2u|f|/h² + |f''|/2. Where is it 0?",
    ),
)
def best_forward_step(u, f, f2):
    """The step that minimises 2u|f|/h + h|f''|/2; f and f2 = f'' may be negative."""
    # −2u|f|/h² + |f''|/2 = 0, so h² = 4u|f/f''|: in float64 about 2e-8 where f and f'' are alike.
    return 2 * np.sqrt(u * abs(f / f2))


def numeric_gradient_in_place(f, x):
    grad = np.zeros_like(x)
    for i in range(len(x)):
        x[i] += 1e-5
        up = f(x)
        x[i] -= 2e-5
        grad[i] = (up - f(x)) / 2e-5
        x[i] += 1e-5
    return grad


def harmless_gradient(answer) -> str | None:
    """What is wrong with a numeric gradient of a vector, or None."""
    points = {"floats": np.array([0.3, -2.0, 5.0]), "integers": np.array([1, -2, 3])}
    for kind, x in points.items():
        kept = x.copy()
        got, want = answer(bowl, x), safe_gradient(bowl, kept)
        if wrong := difference(got, want, rtol=1e-6):
            return wrong if wrong == NOTHING else f"For {kind}, x = {kept}: {wrong}"
        if difference(got, want, rtol=5e-9):
            return (
                f"For {kind}, x = {kept}: right to six digits only. A central difference with a "
                "step near 1e-5 has nine. Does yours step to both sides?"
            )
        if not np.array_equal(x, kept):
            return (
                f"The gradient is right for {kind}, but x was {kept}, and has moved by {x - kept}."
            )
    return None


@exercise(
    "9.2",
    judge=harmless_gradient,
    slip=numeric_gradient_in_place,
    hints=(
        "Copy x as floats first, and make the array of slopes an array of floats too.",
        "Do not step back by subtracting: (x + h) − h need not be x. Use a fresh copy each time.",
    ),
)
def safe_gradient(f, x):
    """Central differences of f at each component of x (n,), with x left exactly as it was."""
    x = np.array(x, dtype=float)  # a copy: of floats, also when x holds integers
    grad = np.empty(len(x))
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        h = 1e-5 * max(1, abs(x[i]))
        up[i] += h
        down[i] -= h
        grad[i] = (f(up) - f(down)) / (up[i] - down[i])  # the distance after rounding
    return grad


def imaginary_part_as_it_is(f, x):
    return np.imag(f(x + 1e-30j))


@exercise(
    "9.3",
    cases=lambda: [
        (np.exp, 0.7),
        (lambda z: np.exp(np.sin(z**2)), 0.8),
        (lambda z: 1 / (1 + z**2), -3.0),
    ],
    slip=imaginary_part_as_it_is,
    rtol=1e-14,
    hints=(
        "f(x + ih) = f(x) + ih f'(x) − h² f''(x)/2 − … Which part of it holds f'?",
        "Take the imaginary part and divide by h, with h = 1e-30. Python writes ih as 1e-30j.",
    ),
)
def slope_by_complex_step(f, x):
    """f'(x) to the last digits, from one evaluation of f at a complex number."""
    h = 1e-30
    return np.imag(f(x + 1j * h)) / h  # nothing is subtracted, so h may be as small as you like


def square_forgotten(z):
    """tanh, with 1/cosh z for its slope, which is 1/cosh² z."""
    return np.tanh(z), lambda da: da / np.cosh(z)


def seed_of_ones(op, x, u, v):
    out, vjp = op(x)
    jv = (op(x + 1e-6 * v)[0] - op(x - 1e-6 * v)[0]) / 2e-6
    return (u * jv).sum(), (vjp(np.ones_like(out)) * v).sum()


def adjoint_cases():
    rng = np.random.default_rng(0)
    x, u, v = rng.normal(size=(3, 4, 3))
    W = rng.normal(size=(2, 3))

    def affine(a):
        z, vjp = ops.affine(a, W, np.ones(2))
        return z, lambda dz: vjp(dz)[0]

    # The last op is wrong: its two sides differ, and an answer must say so.
    same_shape = [(op, x, u, v) for op in (ops.tanh, ops.softmax, square_forgotten)]
    return [(affine, x, rng.normal(size=(4, 2)), v), *same_shape]


@exercise(
    "9.4",
    cases=adjoint_cases,
    slip=seed_of_ones,
    rtol=1e-4,  # a forward difference will do
    hints=(
        "Jv is how op(x) changes along v: a central difference of op(x + h v), as large as out.",
        "The first number is (u * Jv).sum(). For the second, let vjp carry u back to x's side.",
    ),
)
def both_sides(op, x, u, v):
    """(⟨u, Jv⟩, ⟨Jᵀu, v⟩) for an op that takes x to (out, vjp); u has out's shape, v has x's."""
    h = 1e-6
    _, vjp = op(x)
    jv = (op(x + h * v)[0] - op(x - h * v)[0]) / (2 * h)  # of out's shape, like u
    return (u * jv).sum(), (vjp(u) * v).sum()  # vjp(u) is Jᵀu, of x's shape, like v


def order_without_the_slope(f, grad, x, v):
    def left_over(h):
        return abs(f(x + h * v) - f(x))

    return np.log2(left_over(1e-3) / left_over(5e-4))


def taylor_cases():
    x, v = np.array([0.3, -2.0, 1.5]), np.array([1.0, 0.5, -1.0])
    right = x**2 + np.array([x[-1], 0, x[0]])
    return [(bowl, right, x, v), (bowl, 1.01 * right, x, v), (bowl, 0 * right, x, -v)]


@exercise(
    "9.5",
    cases=taylor_cases,
    slip=order_without_the_slope,
    rtol=0.1,
    hints=(
        "With the right gradient, f(x + hv) − f(x) − h⟨grad, v⟩ = h²(…): quartered when h halves.",
        "The order is log2 of what is left at h over what is left at h/2. Take h = 1e-3.",
    ),
)
def taylor_order(f, grad, x, v):
    """The order in h of f(x + hv) − f(x) − h⟨grad, v⟩: 2 for a right gradient, 1 for a wrong."""

    def left_over(h):
        return abs(f(x + h * v) - f(x) - h * (grad * v).sum())

    # A power h^k shrinks by 2^k when h halves. No threshold on the size is needed.
    return np.log2(left_over(1e-3) / left_over(5e-4))


def each_at_the_first_input(operations, x):
    return next((k for k, op in enumerate(operations) if not check_directions(op, x)), -1)


def shifted(z):
    return z + 0.5, lambda da: da


def names_the_op(answer) -> str | None:
    """What is wrong with an answer that looks for the wrong op in three chains, or None."""
    for operations, x in (
        ([ops.sin, square_forgotten, ops.exp], np.array([0.3, 1.2])),
        ([ops.sin, ops.tanh, ops.exp], np.array([0.3, 1.2])),
        ([ops.identity, shifted, square_forgotten], np.zeros(3)),
    ):
        got, want = answer(list(operations), x.copy()), first_wrong_op(operations, x)
        if got is ...:
            return NOTHING
        if not np.array_equal(got, want):
            chain = ", ".join(op.__name__ for op in operations)
            return f"For the chain {chain} at x = {x}: got {got}, wanted {want}."
    return None


@exercise(
    "9.6",
    judge=names_the_op,
    slip=each_at_the_first_input,
    hints=(
        "nets.check_directions(op, x) is true when op's vjp is right at x. Which x does op get?",
        "Carry the value along the chain: x, _ = op(x). At z = 0 even a wrong slope can be right.",
    ),
)
def first_wrong_op(operations, x):
    """The index of the first op of a chain whose vjp is wrong at the input it gets; −1 if none."""
    for k, op in enumerate(operations):
        if not check_directions(op, x):
            return k
        x, _ = op(x)  # the next op sees this, and not the chain's own input
    return -1
