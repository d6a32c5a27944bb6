"""Exercises of chapter 6, batches: orientation, means of unequal parts, gradients per sample."""

from __future__ import annotations

import numpy as np

from bpbook import ops
from bpbook.exercises.compare import difference
from bpbook.exercises.core import exercise
from bpbook.nets import MLP


def _normal(*shapes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape) for shape in shapes)


def mean_of_means(sizes, losses, grads):
    return np.mean(losses), np.mean(grads, axis=0)


@exercise(
    "6.1",
    cases=lambda: [
        (np.array([4, 1]), np.array([1.0, 6.0]), *_normal((2, 3))),
        (np.array([64, 64, 34]), *_normal((3,), (3, 5), seed=1)),
    ],
    slip=mean_of_means,
    hints=(
        "How many samples does each number speak for?",
        "A batch's mean times its size is its sum. Add the sums, divide by all samples.",
    ),
)
def whole_from_batches(sizes, losses, grads):
    """(loss, gradient) of all samples, from the mean loss and mean gradient of each batch.

    sizes: (k,) samples in each batch, losses: (k,), grads: (k, n).
    """
    weights = sizes / sizes.sum()  # each sample weighs 1/m, so a batch weighs its share of them
    return weights @ losses, weights @ grads


def columns_with_a_transposed_gradient(dZ, A, W):
    return W.T @ dZ, A @ dZ.T, dZ.sum(axis=1)


@exercise(
    "6.2",
    cases=lambda: [_normal((3, 5), (4, 5), (3, 4)), _normal((3, 3), (3, 3), (3, 3), seed=1)],
    slip=columns_with_a_transposed_gradient,
    hints=(
        "Each result has the shape of what it belongs to. That leaves one product for each.",
        "Transpose the chapter's formulas: its Δᵀ is dZ here, and its A is Aᵀ, so Δᵀ A is dZ Aᵀ.",
        "The samples are columns now, so the bias sums along axis 1.",
    ),
)
def backward_with_columns(dZ, A, W):
    """(∂L/∂A, ∂L/∂W, ∂L/∂b) of Z = W A + b 1ᵀ, one *column* for each sample.

    dZ: (n_out, m), with the 1/m in it; A: (n_in, m), W: (n_out, n_in); ∂L/∂b is (n_out,).
    """
    dA = W.T @ dZ  # each column on its own: BP2 of chapter 3, as it stands
    dW = dZ @ A.T  # the inner index is the sample, so this is the sum of outer products
    return dA, dW, dZ.sum(axis=1)


def rows_mended_and_mean_forgotten(z, Y):
    return ops.softmax(z)[0] - Y


@exercise(
    "6.3",
    cases=lambda: [
        (*_normal((3, 4)), np.eye(4)[[0, 2, 1]]),
        (np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1002.0]]), np.eye(3)[[1, 2]]),
    ],
    slip=rows_mended_and_mean_forgotten,
    hints=(
        "Print p.sum(axis=1) for a batch of two. What should it be?",
        "Sum and maximum belong to a row: axis=1, keepdims=True. One maximum for the whole batch "
        "makes exp underflow to 0 in every row that lies far below it.",
        "The loss is the mean over the rows, so where is its 1/m?",
    ),
)
def softmax_gradient(z, Y):
    """The gradient for z (m, K) of the mean cross-entropy of softmax(z) against one-hot Y."""
    e = np.exp(z - z.max(axis=1, keepdims=True))  # a row's own maximum: its largest e is 1
    p = e / e.sum(axis=1, keepdims=True)
    return (p - Y) / len(z)


def outer_products_the_other_way(delta, A):
    return np.einsum("mi,mj->mij", A, delta)


@exercise(
    "6.4",
    cases=lambda: [_normal((5, 3), (5, 3)), _normal((4, 2), (4, 3), seed=1)],
    slip=outer_products_the_other_way,
    hints=(
        "For one sample it is the outer product of its error with its input. Do not sum.",
        'Broadcast (m, n_out, 1) against (m, 1, n_in), or name the indices: np.einsum("mi,mj->…").',
    ),
)
def gradients_per_sample(delta, A):
    """Each sample's own ∂L/∂W, (m, n_out, n_in), from errors (m, n_out) and inputs (m, n_in)."""
    return delta[:, :, None] * A[:, None, :]  # entry (s, i, j) is δ_si a_sj


def pieces_that_all_count_the_same(loss_and_grad, X, Y, size):
    parts = [loss_and_grad(X[i : i + size], Y[i : i + size]) for i in range(0, len(X), size)]
    return np.mean([loss for loss, _ in parts]), np.mean([grad for _, grad in parts], axis=0)


def judge_pieces(answer) -> str | None:
    """What is wrong with a gradient in pieces, or None; it also watches the size of the pieces."""
    net = MLP((4, 3, 2), loss=ops.mse)
    X, Y = _normal((10, 4), (10, 2))
    for size in (5, 4, 1):
        seen = []

        def watched(X, Y, seen=seen):
            seen.append(len(X))
            return net.loss_and_grad(X, Y)

        got, want = answer(watched, X, Y, size), net.loss_and_grad(X, Y)
        if max(seen, default=0) > size:
            return f"It passed {max(seen)} rows at once; the memory holds {size}."
        if wrong := difference(got, want):
            return wrong if wrong.startswith("Nothing") else f"10 rows, {size} at a time: {wrong}"
    return None


@exercise(
    "6.5",
    judge=judge_pieces,
    slip=pieces_that_all_count_the_same,
    hints=(
        "for i in range(0, len(X), size): X[i : i + size] is one piece; the last may be shorter.",
        "Each piece returns means over its own rows. Weigh them as in exercise 6.1, as you go.",
    ),
)
def gradient_in_pieces(loss_and_grad, X, Y, size):
    """(mean loss, gradient) over all rows of X, by calls of loss_and_grad on at most size rows.

    Only one piece's activations are alive at a time, so memory goes by size and not by len(X).
    """
    loss, grad = 0.0, 0.0
    for i in range(0, len(X), size):
        piece_X, piece_Y = X[i : i + size], Y[i : i + size]
        piece_loss, piece_grad = loss_and_grad(piece_X, piece_Y)
        share = len(piece_X) / len(X)
        loss, grad = loss + share * piece_loss, grad + share * piece_grad
    return loss, grad


def noise_left_in_the_signal(small, big, square_small, square_big):
    return square_big, (square_small - square_big) * small


@exercise(
    "6.6",
    cases=lambda: [(1, 4, 5.0, 2.0), (16, 256, 3.4, 0.45), (8, 64, 1.0, 0.3)],
    slip=noise_left_in_the_signal,
    hints=(
        "A batch's gradient is g plus noise, and the noise has mean 0: what is the mean of its "
        "squared length, for a batch of m?",
        "‖g‖² + S/m. Two batch sizes give two such equations for two unknowns.",
        "Subtract: S (1/small − 1/big) = square_small − square_big.",
    ),
)
def signal_and_noise(small, big, square_small, square_big):
    """(‖g‖², S) from the mean of ‖batch gradient‖² at two batch sizes, both drawn independently.

    A batch of m has the mean square ‖g‖² + S/m, with g the full gradient and S the variance of one
    sample's gradient, summed over components (McCandlish et al., 2018).
    """
    S = (square_small - square_big) / (1 / small - 1 / big)
    return square_big - S / big, S
