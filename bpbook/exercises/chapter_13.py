"""Exercises of chapter 13, building autograd."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.autodiff import Function, Tensor, grad, hvp, tensor
from bpbook.exercises.compare import NOTHING, difference, missing
from bpbook.exercises.core import exercise


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def stretched_axes_forgotten(d, shape):
    return d.sum(axis=tuple(range(d.ndim - len(shape))))


@exercise(
    "13.1",
    cases=lambda: [
        (numbers(4, 3), (3,)),
        (numbers(4, 3), (4, 1)),
        (numbers(2, 4, 3), (1, 3)),
        (numbers(4, 3), ()),
        (numbers(4, 3), (4, 3)),
    ],
    slip=stretched_axes_forgotten,
    hints=(
        "Broadcasting does two things: it puts axes in front, and it repeats axes of length 1.",
        "Sum over the axes in front. Then sum over those of length 1 in shape, with keepdims=True.",
    ),
)
def sum_back(d, shape):
    """The gradient of an array of the given shape that was broadcast to d's shape."""
    d = d.sum(axis=tuple(range(d.ndim - len(shape))))  # the axes that were put in front
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    return d.sum(axis=repeated, keepdims=True)


def last_one_wins(d, rows, n):
    dx = np.zeros((n, d.shape[1]))
    dx[rows] = d
    return dx


@exercise(
    "13.2",
    cases=lambda: [
        (numbers(3, 2), [0, 2, 1], 4),
        (numbers(5, 3), [1, 1, 0, 3, 1], 4),
    ],
    slip=last_one_wins,
    hints=(
        "A row that is picked twice is used twice. What happens to the gradients of two uses?",
        "dx[rows] += d adds a repeated row only once. np.add.at(dx, rows, d) adds each.",
    ),
)
def put_back(d, rows, n):
    """∂L/∂x for y = x[rows], x with n rows, from d = ∂L/∂y; rows is a list, with repetitions."""
    dx = np.zeros((n, d.shape[1]))
    np.add.at(dx, rows, d)  # two uses of one row: their gradients add
    return dx


def mean_of_the_pieces(X, y, w, cuts):
    weights = tensor(w, requires_grad=True)
    pieces = list(zip(np.split(X, cuts), np.split(y, cuts), strict=True))
    for A, c in pieces:
        (((A @ weights - c) ** 2).mean() / len(pieces)).backward()
    return weights.grad


@exercise(
    "13.3",
    cases=lambda: [
        (numbers(6, 2), numbers(6, seed=1), numbers(2, seed=2), [3]),
        (numbers(7, 3), numbers(7, seed=1), numbers(3, seed=2), [1, 5]),
    ],
    slip=mean_of_the_pieces,
    hints=(
        "Each backward() adds to .grad. What must the losses of the pieces add up to?",
        "The pieces differ in size: a piece of k rows out of m counts k/m of the mean.",
    ),
)
def in_pieces(X, y, w, cuts):
    """∂L/∂w of the mean squared error ‖Xw − y‖²/m, one backward() per np.split(X, cuts)."""
    weights = tensor(w, requires_grad=True)
    for A, c in zip(np.split(X, cuts), np.split(y, cuts), strict=True):
        (((A @ weights - c) ** 2).sum() / len(X)).backward()  # adds up in weights.grad
    return weights.grad


def as_they_come(X, Ws):
    sizes, a = [], tensor(X)
    for W in Ws:
        z = a @ tensor(W, requires_grad=True).T
        z.register_hook(lambda d: sizes.append(np.linalg.norm(d)))
        a = np.tanh(z)
    (a * a).sum().backward()
    return np.array(sizes)


@exercise(
    "13.4",
    cases=lambda: [
        (numbers(1, 2), [numbers(3, 2), numbers(2, 3, seed=1)]),
        (numbers(4, 3), [numbers(3, 3, seed=k) for k in range(5)]),
    ],
    slip=as_they_come,
    hints=(
        "δ is the gradient of z, so hook each z. A hook that returns None changes nothing.",
        "In which order do the hooks run? backward() begins at the loss.",
    ),
)
def error_sizes(X, Ws):
    """‖δ‖ of each layer, first to last: z = a Wᵀ, a = tanh z, L = Σ of the last a²."""
    sizes, a = [], tensor(X)
    for W in Ws:
        z = a @ tensor(W, requires_grad=True).T
        z.register_hook(lambda d: sizes.append(np.linalg.norm(d)))
        a = np.tanh(z)
    (a * a).sum().backward()
    return np.array(sizes[::-1])  # the last layer's hook runs first


def rounded_without_detach(x):
    return x - (x - np.round(x))


def judged_rounding(answer) -> str | None:
    """What is wrong with a rounding whose gradient passes straight through, or None."""
    x = tensor([0.2, 0.7, -1.4, 2.5], requires_grad=True)
    y = answer(x)
    if wrong := missing(y):
        return wrong
    if not isinstance(y, Tensor) or not y.requires_grad:
        return "The result must be a tensor that depends on x."
    if wrong := difference(y.numpy(), np.round(x.data)):
        return f"The value: {wrong}"
    y.backward(np.arange(1.0, 5.0))
    wrong = difference(x.grad, np.arange(1.0, 5.0))
    return f"The value is right. The gradient: {wrong}" if wrong else None


@exercise(
    "13.5",
    judge=judged_rounding,
    slip=rounded_without_detach,
    hints=(
        "round(x) = x + (round(x) − x). Which of the two terms should the tape not see?",
        "t.detach() has t's numbers and no past.",
    ),
)
def rounded(x):
    """np.round of a tensor x, whose gradient is passed on as if rounding had done nothing."""
    return x + (np.round(x) - x).detach()


def incoming_gradient_forgotten(x):
    class Logistic(Function):
        @staticmethod
        def forward(ctx, x):
            out = 1 / (1 + np.exp(-x))
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, grad_output):
            (out,) = ctx.saved_tensors
            return out * (1 - out)

    return Logistic.apply(x)


def judged_logistic(answer) -> str | None:
    """What is wrong with a sigmoid of one node, or None."""
    x = tensor(numbers(2, 3), requires_grad=True)
    y = answer(x)
    if wrong := missing(y):
        return wrong
    if not isinstance(y, Tensor) or len(y.parents) != 1 or y.parents[0] is not x:
        return "The result must be one node of the tape, made from x by apply."
    want, vjp = ops.sigmoid(numbers(2, 3))
    if wrong := difference(y.numpy(), want):
        return f"The value: {wrong}"
    d = numbers(2, 3, seed=1)
    y.backward(d)
    if wrong := difference(x.grad, vjp(d)):
        return f"The value is right. The gradient: {wrong}"
    second = grad(lambda x: (grad(lambda x: (answer(x) * d).sum())(x) ** 2).sum())
    true = grad(lambda x: (grad(lambda x: (ops.sigmoid(x)[0] * d).sum())(x) ** 2).sum())
    wrong = difference(second(numbers(2, 3)), true(numbers(2, 3)))
    return f"The gradient is right. Its own derivative: {wrong}" if wrong else None


@exercise(
    "13.6",
    judge=judged_logistic,
    slip=incoming_gradient_forgotten,
    hints=(
        "Save the output, not x: σ' = σ(1 − σ) needs nothing else.",
        "backward returns grad_output times the slope, entry by entry.",
    ),
)
def logistic(x):
    """1/(1 + e⁻ˣ) of a tensor as one node: a Function whose backward keeps only the output."""

    class Logistic(Function):
        @staticmethod
        def forward(ctx, x):
            out = 1 / (1 + np.exp(-x))
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, grad_output):
            (out,) = ctx.saved_tensors
            return grad_output * out * (1 - out)  # σ' from σ itself: x need not be kept

    return Logistic.apply(x)


def cubic(x):
    return (x**3).sum() + x[0] * x[1]


def bump(x):
    return np.exp(-(x * x).sum())


def difference_of_gradients(f, x, v):
    return grad(f)(x + v) - grad(f)(x)


def judged_product(answer) -> str | None:
    """What is wrong with a Hessian-vector product, or None."""
    for f in (cubic, bump):
        x, v = numbers(4, seed=3), numbers(4, seed=4)
        if wrong := difference(answer(f, x, v), hvp(f)(x, v)):
            return wrong if wrong == NOTHING else f"For {f.__name__}: {wrong}"
    return None


@exercise(
    "13.7",
    judge=judged_product,
    slip=difference_of_gradients,
    hints=(
        "⟨∇f(x), v⟩ is one number for each x. What is its gradient?",
        "∂/∂x_i Σ_j (∂f/∂x_j) v_j = Σ_j H_ij v_j, so differentiate x -> ⟨∇f(x), v⟩ once more.",
    ),
)
def reverse_over_reverse(f, x, v):
    """H v, H the Hessian of f at x, by reverse mode alone: grad, twice."""
    # v is a constant here, so the gradient of ⟨∇f, v⟩ has the entries Σ_j H_ij v_j.
    return grad(lambda x: (grad(f)(x) * v).sum())(x)
