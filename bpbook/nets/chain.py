"""Layers made of layers: one after the other, and around them a residual connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, pairwise

import numpy as np

from bpbook.nets.layers import Arrays, Layer, Step


class Chain(Layer):
    """Layers one after the other, as one layer. Names are numbered: "3.W", and nested "4.1.W"."""

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise ValueError(f"{type(self).__name__} got no layers; wanted at least one")
        for i, layer in enumerate(layers, 1):
            if not isinstance(layer, Layer):
                raise ValueError(f"layer {i} is {layer!r}; wanted a Layer, such as Dense(2, 3)")
        self.layers = layers
        self.shapes = _numbered(layer.shapes for layer in layers)
        self._params = _slices(len(layer.shapes) for layer in layers)
        rng = np.random.default_rng(0)
        self._states = _slices(len(layer.initial_state(rng)) for layer in layers)

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [x for layer in self.layers for x in layer.init(rng)]

    def initial_state(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return _numbered(layer.initial_state(rng) for layer in self.layers)

    def run(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Step:
        vjps, after = [], []
        for step in self.steps(a, params, state, training):
            vjps.append(step[1])
            after += step[2]
        return step[0], _chained(vjps), after

    def steps(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Iterator[Step]:
        """Each layer's own step, in turn."""
        places = zip(self.layers, self._params, self._states, strict=True)
        for i, (layer, mine, own) in enumerate(places, 1):
            try:
                a, vjp, new = layer.run(a, params[mine], state[own], training)
            except ValueError as error:
                raise ValueError(f"layer {i}, {layer}: {error}") from error
            yield a, vjp, new

    def _describe(self) -> str:
        return ", ".join(map(str, self.layers))


class Residual(Chain):
    """a + F(a), F the layers one after the other (He et al. 2016). F must keep a's shape."""

    def run(self, a: np.ndarray, params: Arrays, state: Arrays, training: bool) -> Step:
        f, chained, state = super().run(a, params, state, training)
        if f.shape != a.shape:
            raise ValueError(f"F(a) has shape {f.shape}; a has {a.shape}, and a + F(a) needs both")

        def vjp(d: np.ndarray) -> tuple[np.ndarray, ...]:
            da, *gradients = chained(d)
            return d + da, *gradients

        return a + f, vjp, state


def _chained(vjps: list[Callable]) -> Callable:
    """The vjp of the composition: from the last to the first; each layer's gradients in order."""

    def vjp(d: np.ndarray) -> tuple[np.ndarray, ...]:
        gradients: list[np.ndarray] = []
        for layer_vjp in reversed(vjps):
            result = layer_vjp(d)
            d, *own = result if isinstance(result, tuple) else (result,)
            gradients = own + gradients
        return d, *gradients

    return vjp


def _numbered(parts: Iterable[dict]) -> dict:
    return {f"{i}.{name}": x for i, part in enumerate(parts, 1) for name, x in part.items()}


def _slices(counts: Iterable[int]) -> list[slice]:
    return [slice(*ends) for ends in pairwise(accumulate(counts, initial=0))]
