"""A multilayer perceptron whose parameters are one flat vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from bpbook import ops
from bpbook.nets.base import (
    Init,
    Net,
    Op,
    checked_sizes,
    initial_weights,
    lecun_normal,
    op_name,
)
from bpbook.ops import _check


class MLP(Net):
    """Layers z = a Wᵀ + b, a = σ(z), then a loss: chapter 3 as a class.

    sizes: (n_0, ..., n_L). activation: one op for the hidden layers (the output is then the
    identity, for losses take logits), or a sequence of L ops, one per layer. loss: an op from
    ``bpbook.ops``. init: (rng, n_out, n_in) -> W; biases start at 0. rng: a Generator or a seed.
    dtype: float32 or float64.

    ``theta`` holds every parameter; ``W[l]`` and ``b[l]`` (l = 0 for the first layer) are views
    into it. Raises ValueError when sizes, activation or dtype do not make a net.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Op | Sequence[Op] = ops.tanh,
        loss: Op = ops.softmax_cross_entropy,
        init: Init = lecun_normal,
        rng: np.random.Generator | int = 0,
        dtype: type = np.float64,
    ) -> None:
        self.sizes = checked_sizes(sizes)
        self.depth = len(self.sizes) - 1
        self.activations = _per_layer(activation, self.depth)
        self._places = _places(self.sizes)
        super().__init__(np.zeros(self._places[-1][-1].stop, _check.floating_dtype(dtype)), loss)
        rng = np.random.default_rng(rng)
        for W in self.W:
            W[:] = initial_weights(init, rng, *W.shape)

    @property
    def W(self) -> tuple[np.ndarray, ...]:
        """The weight matrices (n_l, n_{l-1}), views into theta."""
        return tuple(self.views(self._theta)[0])

    @property
    def b(self) -> tuple[np.ndarray, ...]:
        """The biases (n_l,), views into theta."""
        return tuple(self.views(self._theta)[1])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, by name, in theta's order: W1, b1, W2, b2, ..."""
        return {
            f"{kind}{layer}": x.shape
            for layer, pair in enumerate(zip(self.W, self.b, strict=True), 1)
            for kind, x in zip("Wb", pair, strict=True)
        }

    def views(self, flat: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Weight matrices (n_l, n_{l-1}) and biases (n_l,) inside a flat vector, without a copy."""
        Ws = [flat[weights].reshape(shape) for weights, shape, _ in self._places]
        return Ws, [flat[biases] for _, _, biases in self._places]

    def trace(self, X: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """(z, a) of every layer for a batch X (m, n_0): all that the forward pass computes."""
        a, layers = self._inputs(X), []
        Ws, bs = self.views(self._theta)
        for W, b, activation in zip(Ws, bs, self.activations, strict=True):
            z, _ = ops.affine(a, W, b)
            a, _ = activation(z)
            layers.append((z, a))
        return layers

    def forward(self, X: np.ndarray) -> np.ndarray:
        """The outputs a⁽ᴸ⁾ (m, n_L) for a batch X (m, n_0)."""
        return self.trace(X)[-1][1]

    def loss_and_grad(self, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean loss over the batch, and its gradient as a flat vector like theta.

        Raises ValueError when X is not (m, n_0), or Y does not suit the loss.
        """
        loss, vjp = self.op(self._theta, self._inputs(X), Y)
        return loss, vjp()

    def op(self, theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, Callable]:
        """The whole net as one op, (loss, vjp) with vjp() = ∂L/∂theta; ``prove`` can take it.

        The backward pass is affine's vjp written out, less the product for ∂L/∂X, which nobody
        reads.
        """
        Ws, bs = self.views(theta)
        a, vjps = [X], []
        for W, b, activation in zip(Ws, bs, self.activations, strict=True):
            out, vjp = activation(ops.affine(a[-1], W, b)[0])
            a.append(out)
            vjps.append(vjp)
        loss, loss_vjp = self.loss_op(a[-1], Y)

        def backward(dloss: float = 1.0) -> np.ndarray:
            grad = np.empty_like(theta)
            dW, db = self.views(grad)
            delta = vjps[-1](loss_vjp(dloss))  # (BP1) δᴸ = Jᵀ ∂L/∂aᴸ, J = ∂aᴸ/∂zᴸ
            for l in reversed(range(self.depth)):  # noqa: E741
                np.matmul(delta.T, a[l], out=dW[l])  # (BP3) ∂L/∂W = δᵀ a, summed over the batch
                delta.sum(axis=0, out=db[l])  # (BP4) ∂L/∂b = Σ_rows δ
                if l > 0:
                    delta = vjps[l - 1](delta @ Ws[l])  # (BP2) δ = (δ W) ⊙ σ'(z), one layer down
            return grad

        return loss, backward

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.sizes[0]:
            raise ValueError(f"X has shape {shape}; this net takes (m, {self.sizes[0]})")
        return np.asarray(X, self._theta.dtype)

    def __repr__(self) -> str:
        each = ", ".join(map(op_name, self.activations))
        return f"MLP {'-'.join(map(str, self.sizes))} ({each}; {op_name(self.loss_op)})"


def _places(sizes: tuple[int, ...]) -> list[tuple[slice, tuple[int, int], slice]]:
    """Of each layer in theta: where its weights lie, their shape, and where its biases lie."""
    places, start = [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = start + n_out * n_in, start + n_out * (n_in + 1)
        places.append((slice(start, middle), (n_out, n_in), slice(middle, end)))
        start = end
    return places


def _per_layer(activation: Op | Sequence[Op], depth: int) -> tuple[Op, ...]:
    if not isinstance(activation, Sequence) or isinstance(activation, str):
        _check.function("activation", activation, "ops.tanh")
        return (activation,) * (depth - 1) + (ops.identity,)
    if len(activation) != depth:
        raise ValueError(f"activation has {len(activation)} ops; this net has {depth} layers")
    for i, op in enumerate(activation):
        _check.function(f"activation[{i}]", op, "ops.tanh")
    return tuple(activation)
