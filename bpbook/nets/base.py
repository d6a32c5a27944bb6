"""What every net has: parameters in one flat vector, and a loss that says how to read its outputs.

Also what nets and their layers start from: the kinds of functions they take, and the first weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from bpbook import ops
from bpbook.ops import _check

Op = Callable[..., tuple[np.ndarray, Callable]]
Init = Callable[[np.random.Generator, int, int], np.ndarray]

# What turns the outputs, which the loss takes as logits, into a prediction.
_LINKS = {ops.softmax_cross_entropy: ops.softmax, ops.sigmoid_binary_cross_entropy: ops.sigmoid}


class Net:
    """The base of ``MLP`` and ``Sequential``.

    A subclass gives ``shapes``, ``views`` and ``forward``. Views are cut from ``theta`` whenever
    they are asked for and never kept: those in a copied or unpickled net would be arrays of their
    own, which training leaves as they are.
    """

    def __init__(self, theta: np.ndarray, loss: Op) -> None:
        _check.function("loss", loss, "ops.softmax_cross_entropy")
        self._theta, self.loss_op = theta, loss

    @property
    def theta(self) -> np.ndarray:
        """Every parameter, layer by layer; assigning copies into its memory."""
        return self._theta

    @theta.setter
    def theta(self, values: np.ndarray) -> None:
        if np.shape(values) != self._theta.shape:
            raise ValueError(
                f"theta has shape {np.shape(values)}; this net has {self._theta.shape}"
            )
        self._theta[:] = values

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, by name, in theta's order."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        """A name for each component of theta: its parameter's, and the place in it."""
        return [
            f"{name}{list(i)}" for name, shape in self.shapes.items() for i in np.ndindex(shape)
        ]

    def forward(self, X: np.ndarray) -> np.ndarray:
        """The outputs for a batch X, one row per sample; in evaluation mode, if there is one."""
        raise NotImplementedError

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The outputs as the loss reads them: probabilities for a cross-entropy on logits."""
        return _LINKS.get(self.loss_op, ops.identity)(self.forward(X))[0]

    def loss(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """The mean loss of ``forward`` over the batch."""
        return self.loss_op(self.forward(X), Y)[0]


def op_name(op: Op) -> str:
    """The name of an op, and options that ``functools.partial`` set; no address, as ``str`` has."""
    if isinstance(op, partial):
        options = ", ".join(f"{name}={value!r}" for name, value in op.keywords.items())
        return f"{op_name(op.func)}({options})"
    return getattr(op, "__name__", type(op).__name__)


def lecun_normal(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """Normal weights of variance 1/n_in, so that z starts with about the variance of its input.

    The default of a net; its kin are in ``bpbook.training.initializers``.
    """
    check_widths(n_out, n_in)
    return rng.normal(0, n_in**-0.5, (n_out, n_in))


def check_widths(n_out: int, n_in: int) -> None:
    """Raise ValueError unless both are whole numbers, at least 1."""
    _check.whole("n_out", n_out)
    _check.whole("n_in", n_in)


def checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """(n_0, …, n_L) as Python's integers, which never overflow; ValueError for what is no net."""
    is_list = np.ndim(sizes) == 1 and len(sizes) > 1
    if not is_list or not all(_check.is_whole(n, 1) for n in sizes):
        raise ValueError(f"sizes is {sizes!r}; wanted at least two whole numbers, each at least 1")
    return tuple(int(n) for n in sizes)


def initial_weights(init: Init, rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    """What ``init`` draws; ValueError unless it is (n_out, n_in)."""
    _check.function("init", init, "lecun_normal")
    W = init(rng, n_out, n_in)
    if np.shape(W) != (n_out, n_in):
        raise ValueError(f"init gave shape {np.shape(W)}; wanted ({n_out}, {n_in})")
    return W
