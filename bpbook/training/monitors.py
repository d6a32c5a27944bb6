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
    the gradients, from the last layer to the first. Without Y, the forward pass alone. A net
    without `W`, `b`, `trace` and `views` (those of `bpbook.nets.MLP`) has no layers to name.
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
    layers = zip(net.W, net.b, net.trace(X), strict=True)
    for layer, (W, b, (z, a)) in enumerate(layers, start=1):
        for symbol, values in zip("Wbza", (W, b, z, a), strict=True):
            yield f"layer {layer}: {symbol}{layer}", values


def _backward(net, X: np.ndarray, Y: np.ndarray, layered: bool) -> Iterator[tuple[str, np.ndarray]]:
    loss, grad = net.loss_and_grad(X, Y)
    yield "the loss", np.asarray(loss)
    if not layered:
        yield "the gradient", grad
        return
    dW, db = net.views(grad)
    for layer in range(len(dW), 0, -1):
        yield f"layer {layer}: the gradient of W{layer}", dW[layer - 1]
        yield f"layer {layer}: the gradient of b{layer}", db[layer - 1]
