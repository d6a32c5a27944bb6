"""A net of any layers, one after the other, whose parameters are one flat vector."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bpbook import ops
from bpbook.nets.base import Net, Op, op_name
from bpbook.nets.chain import Chain
from bpbook.nets.layers import Layer
from bpbook.ops import _check


class Sequential(Net):
    """Layers one after the other, then a loss; ``MLP``'s interface, for every kind of layer.

    layers: from ``bpbook.nets.layers``. loss: an op from ``bpbook.ops``. rng: a Generator or a
    seed, for the weights and for dropout. dtype: float32 or float64.

    ``theta`` holds every parameter; ``params["3.W"]`` is a view into it, the W of the third layer.
    ``state`` holds what else training changes: running statistics, the place in dropout's random
    sequence. ``loss_and_grad`` runs in training mode and moves the state on; ``op`` runs in
    training mode and leaves it; ``forward``, ``trace``, ``predict`` and ``loss`` evaluate.

    Raises ValueError when a layer is none, or dtype is no floating one; and, when an input does not
    suit a layer, one that says which.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        loss: Op = ops.softmax_cross_entropy,
        rng: np.random.Generator | int = 0,
        dtype: type = np.float64,
    ) -> None:
        dtype = _check.floating_dtype(dtype)
        if not isinstance(layers, Sequence):
            raise ValueError(f"layers is {layers!r}; wanted a list, such as [Dense(2, 3)]")
        _keep_freed_memory()
        self._chain = Chain(*layers)
        rng = np.random.default_rng(rng)
        start = self._chain.init(rng)
        theta = np.concatenate([np.zeros(0), *(x.ravel() for x in start)]).astype(dtype)
        super().__init__(theta, loss)
        self._state = {
            name: x.astype(dtype) if x.dtype.kind == "f" else x
            for name, x in self._chain.initial_state(rng).items()
        }

    @property
    def params(self) -> Mapping[str, np.ndarray]:
        """The parameters by name, views into theta."""
        return MappingProxyType(self.views(self._theta))

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self._chain.layers

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, by name, in theta's order."""
        return self._chain.shapes

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What training changes besides theta, by name; no array in it is ever written to."""
        return dict(self._state)

    @state.setter
    def state(self, values: dict[str, np.ndarray]) -> None:
        if set(values) != set(self._state):
            raise ValueError(f"state has {sorted(values)}; this net has {sorted(self._state)}")
        for name, x in self._state.items():
            if np.shape(values[name]) != x.shape:
                raise ValueError(f"state {name} has shape {np.shape(values[name])}, not {x.shape}")
        self._state = {name: np.array(values[name], x.dtype) for name, x in self._state.items()}

    def views(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters by name inside a flat vector, without a copy."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            views[name], start = flat[start:end].reshape(shape), end
        return views

    def trace(self, X: np.ndarray) -> list[np.ndarray]:
        """The output of every layer for a batch X, in evaluation mode."""
        return list(self._outputs(X))

    def forward(self, X: np.ndarray) -> np.ndarray:
        """The last layer's output for a batch X, in evaluation mode."""
        last = deque(self._outputs(X), maxlen=1)  # an earlier layer's memory is free by then
        return last[0]

    def loss_and_grad(self, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean loss over the batch in training mode, and its gradient, flat like theta.

        Moves ``state`` on, except when the loss or the gradient is not finite. Raises ValueError
        when X does not suit a layer, or Y the loss; the state then stays as well.
        """
        loss, vjp, state = self._run(self._theta, self._inputs(X), Y)
        grad = vjp()
        if np.isfinite(loss) and np.isfinite(grad).all():
            self._state = dict(zip(self._state, state, strict=True))
        return loss, grad

    def op(self, theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, Callable]:
        """The whole net in training mode as one op, (loss, vjp) with vjp() = ∂L/∂theta.

        Pure: running statistics stay, and dropout draws the same mask again until the next
        ``loss_and_grad``. ``prove`` can take it.
        """
        return self._run(theta, X, Y)[:2]

    def _run(self, theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> tuple:
        params, state = list(self.views(theta).values()), list(self._state.values())
        a, chain_vjp, state = self._chain.run(X, params, state, training=True)
        loss, loss_vjp = self.loss_op(a, Y)

        def vjp(dloss: float = 1.0) -> np.ndarray:
            _, *gradients = chain_vjp(loss_vjp(dloss))
            return np.concatenate([theta[:0], *(g.reshape(-1) for g in gradients)])

        return loss, vjp, state

    def _outputs(self, X: np.ndarray):
        params, state = list(self.views(self._theta).values()), list(self._state.values())
        steps = self._chain.steps(self._inputs(X), params, state, training=False)
        return (a for a, _, _ in steps)

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X, self._theta.dtype)

    def __repr__(self) -> str:
        return f"Sequential({self._chain._describe()}; {op_name(self.loss_op)})"


def _keep_freed_memory() -> None:
    """Let the C library keep the memory that one training step frees, for the next.

    glibc gives freed arrays of over 128 kB back to the system at first, and every step then fetches
    them anew, page by page: that takes longer than the arithmetic on images. Once an array of
    nearly 32 MB was freed it keeps up to 64 MB (mallopt(3), on the dynamic M_MMAP_THRESHOLD). The
    array is never touched, so this takes microseconds; with another C library it does nothing.
    """
    np.empty(2**25 - 2**16, np.uint8)
