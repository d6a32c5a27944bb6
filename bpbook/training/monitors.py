"""Where did it go wrong? Find the first number that is not finite, layer by layer."""

from collections.abc import Iterator
from itertools import chain

import numpy as np


def all_finite(v: np.ndarray) -> bool:
    """Whether each entry of a vector is finite, in one pass over it.

    v·v is not finite if an entry is not, and may overflow otherwise; only then look at each.
    """
    return bool(np.isfinite(v @ v)) or bool(np.isfinite(v).all())


def first_non_finite(net, X: np.ndarray, Y: np.ndarray | None = None) -> str | None:
    """Name the first NaN or infinity that a step on the batch X (m, n), Y (m, K) meets, or None.

    The order is that of the computation: layer by layer the parameters, z and a; the loss; then
    the gradients, from the last layer to the first. Without Y, the forward pass alone (of a
    `Sequential` as in evaluation). Other nets than those of `bpbook.nets` have no layers to name.
    """
    layered = hasattr(net, "trace")
    with np.errstate(all="ignore"):
        steps = [_forward(net, X)] if layered else []
        steps += [] if Y is None else [_backward(net, X, Y, layered)]
        for name, values in chain.from_iterable(steps):
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                index = tuple(bad[0].tolist())
                return f"{name}{list(index) or ''} is {values[index]}"
    return None


def _forward(net, X: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if hasattr(net, "layers"):
        yield from _forward_sequential(net, X)
        return
    layers = zip(net.W, net.b, net.trace(X), strict=True)
    for layer, (W, b, (z, a)) in enumerate(layers, start=1):
        for symbol, values in zip("Wbza", (W, b, z, a), strict=True):
            yield f"layer {layer}: {symbol}{layer}", values


def _forward_sequential(net, X: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for number, (layer, out) in enumerate(zip(net.layers, net.trace(X), strict=True), start=1):
        for name, values in net.params.items():
            if name.startswith(f"{number}."):
                yield f"layer {number}, {layer}: {name}", values
        yield f"layer {number}, {layer}: its output", out


def _backward(net, X: np.ndarray, Y: np.ndarray, layered: bool) -> Iterator[tuple[str, np.ndarray]]:
    if hasattr(net, "layers"):
        yield from _backward_sequential(net, X, Y)
        return
    loss, grad = net.loss_and_grad(X, Y)
    yield "the loss", np.asarray(loss)
    if not layered:
        yield "the gradient", grad
        return
    dW, db = net.views(grad)
    for layer in range(len(dW), 0, -1):
        yield f"layer {layer}: the gradient of W{layer}", dW[layer - 1]
        yield f"layer {layer}: the gradient of b{layer}", db[layer - 1]


def _backward_sequential(net, X: np.ndarray, Y: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    loss, vjp = net.op(net.theta, X, Y)  # unlike loss_and_grad, it leaves the net's state
    yield "the loss", np.asarray(loss)
    for name, grad in reversed(net.views(vjp()).items()):
        yield f"layer {name.partition('.')[0]}: the gradient of {name}", grad
