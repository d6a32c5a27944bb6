"""Layers: small objects that know the shapes of their parameters, and an op.

A layer holds no numbers. Its parameters, and what it remembers from step to step (its *state*:
running statistics, the place in a random sequence), belong to the net, which hands them over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bpbook import ops
from bpbook.nets.base import (
    Init,
    Op,
    check_widths,
    initial_weights,
    lecun_normal,
    op_name,
)
from bpbook.ops import _check
from bpbook.ops.stochastic import dropout_mask

Arrays = Sequence[np.ndarray]
#: The output, its vjp, and the state after it. vjp(dout) is da, or (da, a gradient per parameter).
Step = tuple[np.ndarray, Callable, Arrays]


class Layer:
    """The base: a layer without parameters and state, whose op is the same in training.

    shapes: of the parameters, by name, in the order in which ``op`` takes them.
    """

    shapes: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  # replaced whole, never changed

    def op(self, a: np.ndarray, *params: np.ndarray) -> tuple[np.ndarray, Callable]:
        """(out, vjp) for an input a, as the ops of ``bpbook.ops``."""
        raise NotImplementedError

    def run(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Step:
        """``op``, with state. It changes neither: the new state is returned."""
        return *self.op(a, *params), state

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Starting values of the parameters, one array for each of ``shapes``."""
        return []

    def initial_state(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The state before the first step, by name."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._describe()})"

    def _describe(self) -> str:
        return ""


class Dense(Layer):
    """z = a Wᵀ + b: (m, n_in) -> (m, n_out). init: (rng, n_out, n_in) -> W; b starts at 0.

    bias: without it z = a Wᵀ, for a layer before a normalization, which would cancel b.
    """

    def __init__(
        self, n_in: int, n_out: int, init: Init = lecun_normal, *, bias: bool = True
    ) -> None:
        check_widths(n_out, n_in)
        self.n_in, self.n_out, self.initializer = n_in, n_out, init
        self.shapes = {"W": (n_out, n_in)} | ({"b": (n_out,)} if bias else {})

    def op(self, a: np.ndarray, *params: np.ndarray) -> tuple[np.ndarray, Callable]:
        return _biased(ops.affine, a, *params)

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return _start(self.shapes, self.initializer, rng)

    def _describe(self) -> str:
        return f"{self.n_in}, {self.n_out}"


class Conv2d(Layer):
    """A convolution of images, (m, c_in, h, w) -> (m, c_out, h', w'): see ``ops.conv2d``.

    kernel, stride, padding: one number, or one for each direction. init: as of ``Dense``, for a
    unit with c_in·kh·kw inputs. bias: as of ``Dense``.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        init: Init = lecun_normal,
        *,
        bias: bool = True,
    ) -> None:
        check_widths(c_out, c_in)
        kh, kw = _check.pair("kernel", kernel, 1)
        _check.pair("stride", stride, 1)
        _check.pair("padding", padding, 0)
        self.stride, self.padding, self.initializer = stride, padding, init
        self.shapes = {"W": (c_out, c_in, kh, kw)} | ({"b": (c_out,)} if bias else {})

    def op(self, a: np.ndarray, *params: np.ndarray) -> tuple[np.ndarray, Callable]:
        return _biased(ops.conv2d, a, *params, stride=self.stride, padding=self.padding)

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return _start(self.shapes, self.initializer, rng)

    def _describe(self) -> str:
        c_out, c_in, kh, kw = self.shapes["W"]
        return f"{c_in}, {c_out}, kernel={(kh, kw)}, stride={self.stride}, padding={self.padding}"


class Activation(Layer):
    """An op of the input alone: ``Activation(ops.relu)``."""

    def __init__(self, op: Op) -> None:
        _check.function("op", op, "ops.relu")
        self.op = op

    def _describe(self) -> str:
        return op_name(self.op)


class MaxPool2d(Layer):
    """The largest entry of each window of an image: see ``ops.max_pool2d``."""

    def __init__(
        self, size: int | tuple[int, int] = 2, stride: int | tuple[int, int] | None = None
    ) -> None:
        _check.pair("size", size, 1)
        _check.pair("stride", size if stride is None else stride, 1)
        self.size, self.stride = size, stride

    def op(self, a: np.ndarray) -> tuple[np.ndarray, Callable]:
        return ops.max_pool2d(a, self.size, self.stride)

    def _describe(self) -> str:
        return f"{self.size}" if self.stride is None else f"{self.size}, {self.stride}"


class Flatten(Layer):
    """Images as rows: (m, c, h, w) -> (m, c·h·w)."""

    def op(self, a: np.ndarray) -> tuple[np.ndarray, Callable]:
        return ops.reshape(a, (len(a), -1))


class Unflatten(Layer):
    """Rows as images: ``Unflatten(c, h, w)`` takes (m, c·h·w) -> (m, c, h, w)."""

    def __init__(self, *shape: int) -> None:
        for i, n in enumerate(shape):
            _check.whole(f"shape[{i}]", n)
        self.shape = shape

    def op(self, a: np.ndarray) -> tuple[np.ndarray, Callable]:
        return ops.reshape(a, (len(a), *self.shape))

    def _describe(self) -> str:
        return ", ".join(map(str, self.shape))


class _Norm(Layer):
    """A normalization of n columns or channels; γ starts at 1 and β at 0."""

    def __init__(self, n: int, eps: float = 1e-5) -> None:
        _check.whole("n", n)
        _check.number("eps", eps)
        self.n, self.eps = n, eps
        self.shapes = {"gamma": (n,), "beta": (n,)}

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [np.ones(self.n), np.zeros(self.n)]

    def _describe(self) -> str:
        return f"{self.n}"


class LayerNorm(_Norm):
    """Each row to mean 0 and variance 1, then γ and β: (..., n). See ``ops.layer_norm``."""

    def op(self, a: np.ndarray, *params: np.ndarray) -> tuple[np.ndarray, Callable]:
        return ops.layer_norm(a, *params, self.eps)


class BatchNorm(_Norm):
    """Each column (m, n), or channel (m, n, h, w), to mean 0 and variance 1, then γ and β.

    In training with the batch's statistics, in evaluation with running ones, as PyTorch keeps them:
    running = (1 − momentum) running + momentum · batch, of the unbiased variance (N − 1).
    """

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(n, eps)
        _check.number("momentum", momentum, 0, 1)
        self.momentum = float(momentum)  # a NumPy float64 would widen float32 statistics

    def initial_state(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"mean": np.zeros(self.n), "variance": np.ones(self.n)}

    def run(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Step:
        if not training:
            return *ops.batch_norm_inference(a, *params, *state, self.eps), state
        seen: list[np.ndarray] = []
        out, vjp = ops.batch_norm(a, *params, self.eps, observe=lambda *found: seen.extend(found))
        N, (mean, variance) = a.size // self.n, seen
        keep, batch = 1 - self.momentum, (mean, variance * (N / (N - 1)))
        new = [keep * old + self.momentum * x for old, x in zip(state, batch, strict=True)]
        return out, vjp, new


class Dropout(Layer):
    """In training each entry becomes 0 with probability ``rate``, and the others grow to match.

    The mask of a step is a function of the state alone, a key and a count of the steps, so that a
    run goes on from a saved state as if it had never stopped. Evaluation leaves a as it is.
    """

    def __init__(self, rate: float) -> None:
        _check.rate(rate)
        self.rate = rate

    def initial_state(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        key = rng.integers(2**64, dtype=np.uint64, endpoint=False)
        return {"key": np.array(key), "step": np.array(0, np.uint64)}

    def run(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Step:
        if not training:
            return *ops.identity(a), state
        key, step = state
        out, vjp = ops.dropout(a, self.mask(key, step, a.shape), self.rate)
        return out, vjp, (key, np.asarray(step + 1))

    def mask(self, key: np.ndarray, step: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The mask that a state draws for an input of this shape."""
        stream = np.random.Philox(key=np.array([key, step], np.uint64))
        return dropout_mask(np.random.Generator(stream), shape, self.rate)

    def _describe(self) -> str:
        return f"{self.rate}"


def _biased(
    op: Callable, a: np.ndarray, W: np.ndarray, b: np.ndarray | None = None, **options: object
) -> tuple[np.ndarray, Callable]:
    """op(a, W, b), or without b: zeros in its place, and no gradient for them."""
    if b is not None:
        return op(a, W, b, **options)
    out, vjp = op(a, W, np.zeros(len(W), W.dtype), **options)
    return out, lambda d: vjp(d)[:2]


def _start(
    shapes: dict[str, tuple[int, ...]], init: Init, rng: np.random.Generator
) -> list[np.ndarray]:
    """Weights from the initializer, and zeros for a bias if there is one."""
    n_out, *inputs = shapes["W"]
    W = initial_weights(init, rng, n_out, math.prod(inputs))
    biases = [np.zeros(shape) for name, shape in shapes.items() if name == "b"]
    return [W.reshape(shapes["W"]), *biases]
