"""Optimizers: each turns a gradient into a step on the flat parameter vector, in place."""

import math

import numpy as np

# Entries updated at a time: a block of float32 and its scratch fit a 1 MB second-level cache,
# so a long vector is read and written once, and not once per operation.
BLOCK = 65_536


class SGD:
    """Stochastic gradient descent, theta <- theta - learning_rate * grad.

    `learning_rate` is a positive finite number; it may be changed between steps.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._scratch = np.empty(0)

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        is_real = isinstance(value, int | float | np.integer | np.floating)
        if not is_real or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
            raise ValueError(f"learning_rate must be a positive finite number, got {value!r}")
        # A Python float takes the array's dtype; a NumPy float64 would widen float32 products.
        self._learning_rate = float(value)

    def step(self, theta: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """Update theta (n,) in place by its gradient (n,), and return it; grad is not changed.

        Raises ValueError unless both are vectors of one shape and one floating dtype.
        """
        if theta.shape != grad.shape or theta.dtype != grad.dtype or theta.ndim != 1:
            _reject(theta, grad)
        scratch = self._scratch_like(theta)
        if theta.size <= BLOCK:
            np.multiply(grad, self._learning_rate, out=scratch)
            return np.subtract(theta, scratch, out=theta)
        for i in range(0, theta.size, BLOCK):
            block = theta[i : i + BLOCK]
            change = np.multiply(
                grad[i : i + BLOCK], self._learning_rate, out=scratch[: block.size]
            )
            np.subtract(block, change, out=block)
        return theta

    def _scratch_like(self, theta: np.ndarray) -> np.ndarray:
        """Return a buffer of theta's dtype, kept from step to step so that none allocates."""
        size = min(theta.size, BLOCK)
        if self._scratch.size != size or self._scratch.dtype != theta.dtype:
            if theta.dtype.kind != "f":
                raise ValueError(f"theta must have a floating dtype, got {theta.dtype}")
            self._scratch = np.empty(size, theta.dtype)
        return self._scratch

    def __repr__(self) -> str:
        return f"SGD(learning_rate={self.learning_rate})"


def _reject(theta: np.ndarray, grad: np.ndarray) -> None:
    raise ValueError(
        "theta and grad must be vectors of one shape and dtype, got theta "
        f"{theta.shape} {theta.dtype} and grad {grad.shape} {grad.dtype}"
    )
