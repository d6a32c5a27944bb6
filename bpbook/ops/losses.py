"""Losses: one number for a batch, the mean over its rows of each row's loss.

The 1/m of the mean lives here and nowhere else. Each takes outputs and targets of shape (m, n) and
returns (loss, vjp); ``vjp(dloss=1.0)`` is the gradient for the outputs, of shape (m, n). All raise
ValueError when the shapes differ, a target is not finite, or a target does not have the form that
the loss needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from bpbook.ops import _check
from bpbook.ops.elementwise import _sigmoid
from bpbook.ops.softmax import log_softmax

Loss = tuple[np.ndarray, Callable[..., np.ndarray]]
#: A target whose rows are one-hot. A proof uses of it only that each row sums to 1 (Q1.3.2-a).
OneHot = Annotated[np.ndarray, "rows sum to 1"]


def mse(a: np.ndarray, Y: np.ndarray) -> Loss:
    """Half the squared error, (1/m) Σ_rows ½‖a − y‖² (E1.2.2-a, E1.3.2-b).

    The ½ makes the gradient a − y. It is a sum over a row's outputs, not their mean.
    """
    Y = _check.batch("a", a, Y)
    m, error = len(a), a - Y
    return (error * error).sum() / (2 * m), lambda dloss=1.0: dloss * error / m


def cross_entropy(P: np.ndarray, Y: OneHot) -> Loss:
    """(1/m) Σ_rows −Σ_i y_i log p_i for probabilities P, with 0·log 0 = 0 (E1.2.2-b, E1.3.2-i).

    P: (m, K), entries in [0, 1]. Infinite where P = 0 for the true class: on logits,
    :func:`softmax_cross_entropy` is finite and cheaper.
    """
    Y = _check.batch("P", P, Y)
    _check.between_0_and_1("P", P)
    _check.one_hot(Y)
    m, safe = len(P), np.where(Y == 0, 1, P)  # where y = 0 the term is 0, whatever p is
    with np.errstate(divide="ignore"):
        loss = -(Y * np.log(safe)).sum() / m

    def vjp(dloss: float = 1.0) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -dloss * (Y / safe) / m

    return loss, vjp


def softmax_cross_entropy(z: np.ndarray, Y: OneHot) -> Loss:
    """Cross-entropy of softmax(z), from the logits: gradient (p − y)/m (E1.3.2-p, E1.3.2-q).

    z: (m, K). Finite for every finite logit.
    """
    Y = _check.batch("z", z, Y)
    _check.one_hot(Y)
    m, (log_p, _) = len(z), log_softmax(z)
    return -(Y * log_p).sum() / m, lambda dloss=1.0: dloss * (np.exp(log_p) - Y) / m


def sigmoid_binary_cross_entropy(z: np.ndarray, Y: np.ndarray) -> Loss:
    """(1/m) Σ_rows −Σ_i [y_i log σ(z_i) + (1 − y_i) log(1 − σ(z_i))], from the logits (E1.2.2-b).

    z: (m, n), each output a yes-or-no question of its own; Y: (m, n) in [0, 1]. Uses
    −log σ(z) = log(1 + e⁻ᶻ), finite for every finite logit; gradient (σ(z) − y)/m.
    """
    Y = _check.batch("z", z, Y)
    _check.between_0_and_1("Y", Y)
    m = len(z)
    loss = (Y * np.logaddexp(0, -z) + (1 - Y) * np.logaddexp(0, z)).sum() / m
    return loss, lambda dloss=1.0: dloss * (_sigmoid(z) - Y) / m
