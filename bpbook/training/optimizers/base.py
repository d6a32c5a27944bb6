"""What every optimizer shares: checked settings, state, and the walk over theta in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bpbook.ops import _check

# Entries updated at a time: few enough that a block stays in the cache while the operations of a
# rule pass over it, and enough that starting them does not count. The best measured, for SGD and
# Adam on 2·10⁵ and 2·10⁶ parameters.
BLOCK = 262_144


class Setting:
    """A number that is checked at each assignment: finite and in [least, below), or > 0."""

    def __init__(self, *, least: float = 0.0, below: float = math.inf, positive: bool = False):
        self.least, self.below, self.positive = least, below, positive

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def checked(self, value: object) -> float:
        """The value as a Python float, or ValueError.

        A Python float takes an array's dtype; a NumPy float64 would widen float32 products.
        """
        if not _check.is_number(value) or not self._allows(float(value)):
            raise ValueError(f"{self.name} must be a {self._wanted()}, got {value!r}")
        return float(value)

    def _allows(self, value: float) -> bool:
        above = value > 0 if self.positive else value >= self.least
        return above and value < self.below  # so neither infinite nor NaN

    def _wanted(self) -> str:
        if self.positive:
            return "positive finite number"
        top = "" if self.below == math.inf else f" and below {self.below:g}"
        return f"finite number, at least {self.least:g}{top}"

    def __set__(self, optimizer: Optimizer, value: object) -> None:
        optimizer.__dict__[self.name] = self.checked(value)  # read from there, at no cost


class Optimizer:
    """Turns gradients into steps on the flat parameter vector; a subclass gives the rule.

    learning_rate: η, finite and at least 0, where a schedule may end; like every setting it may be
    changed between steps.
    weight_decay: λ. It adds λ θ to the gradient (L2); where `decoupled` is True it shrinks θ by the
    factor 1 − ηλ before the step instead, and no average sees it (Loshchilov & Hutter 2019).

    `state` holds all that an optimizer remembers: "t", the number of steps taken, and from the
    first step on its vectors, each like theta. An optimizer owns no loop: you call `step`.
    """

    vectors: tuple[str, ...] = ()  # the names of the state's vectors; all start at 0
    decoupled = False
    learning_rate = Setting()
    weight_decay = Setting()

    def __init__(self, **settings: float) -> None:
        for name, value in settings.items():
            setattr(self, name, value)
        self._buffer = self._scratch = np.empty(0)
        self.reset()

    @property
    def settings(self) -> dict[str, float]:
        """The numbers that the constructor took, by name."""
        return {k: v for k, v in vars(self).items() if isinstance(_find(self, k), Setting)}

    def reset(self) -> None:
        """Forget every step; the settings stay."""
        self.state = self._first_state()

    def step(self, theta: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """Update theta (n,) in place by its gradient (n,), and return it; grad is not changed.

        Raises ValueError unless both are vectors of one shape and one floating dtype, those of the
        steps before.
        """
        if theta.shape != grad.shape or theta.dtype != grad.dtype or theta.ndim != 1:
            raise ValueError(
                "theta and grad must be vectors of one shape and dtype, got theta "
                f"{theta.shape} {theta.dtype} and grad {grad.shape} {grad.dtype}"
            )
        blocks = self._blocks(theta, grad, *self._vectors_like(theta))
        self._advance()
        for block in blocks:
            self._update(*block)
        return theta

    def state_dict(self) -> dict:
        """Everything needed to go on: the rule's name, its settings and a copy of its state."""
        state = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.state.items()}
        return {"rule": type(self).__name__, "settings": self.settings, "state": state}

    def load_state_dict(self, saved: dict) -> None:
        """Take over what `state_dict` returned, by a copy.

        Raises ValueError, and changes nothing, when it is another rule's or does not fit.
        """
        if not isinstance(saved, dict):
            raise ValueError(f"saved is a {type(saved).__name__}; wanted what state_dict() returns")
        rule, settings, state = (saved.get(k) for k in ("rule", "settings", "state"))
        if rule != type(self).__name__:
            raise ValueError(f"this is the state of {rule}; wanted that of {type(self).__name__}")
        _same_names("settings", settings, self.settings)
        checked = {k: _find(self, k).checked(v) for k, v in settings.items()}
        state = self._checked_state(state)
        self.__dict__.update(checked)
        self.state = state

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.settings.items() if k != "weight_decay" or v}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in shown.items())})"

    def _rule(self, theta: np.ndarray, g: np.ndarray, s: np.ndarray, *vectors: np.ndarray) -> None:
        """Move theta and the vectors, in place; s is scratch. All have one shape."""
        raise NotImplementedError

    def _first_state(self) -> dict:
        return {"t": 0}

    def _advance(self) -> None:
        """Count the step: once for each step, before the first block."""
        self.state["t"] += 1

    def _update(self, theta: np.ndarray, g: np.ndarray, *vectors: np.ndarray) -> None:
        """Weight decay, then the rule, on one block."""
        scratch = self._scratch_like(theta)
        s = scratch[0]
        if self.weight_decay and self.decoupled:
            theta *= 1 - self.learning_rate * self.weight_decay
        elif self.weight_decay:
            g = np.add(g, np.multiply(theta, self.weight_decay, out=s), out=scratch[1])
        self._rule(theta, g, s, *vectors)

    def _blocks(self, *arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """The same pieces of each vector, all views, small enough to stay in the cache."""
        size = arrays[0].size
        if size <= BLOCK:
            return iter((arrays,))
        return (tuple(x[i : i + BLOCK] for x in arrays) for i in range(0, size, BLOCK))

    def _scratch_like(self, block: np.ndarray) -> np.ndarray:
        """Two buffers like the block, (2, *its shape), kept so that a later step allocates none."""
        if self._scratch.shape[1:] != block.shape or self._scratch.dtype != block.dtype:
            if self._buffer.size < 2 * block.size or self._buffer.dtype != block.dtype:
                self._buffer = np.empty(2 * block.size, block.dtype)
            self._scratch = self._buffer[: 2 * block.size].reshape(2, *block.shape)
        return self._scratch

    def _vectors_like(self, theta: np.ndarray) -> list[np.ndarray]:
        """The state's vectors; made at the first step, for only then theta's size is known."""
        if theta.dtype.kind != "f":
            raise ValueError(f"theta must have a floating dtype, got {theta.dtype}")
        if self.vectors and self.vectors[0] not in self.state:
            self.state |= {name: np.zeros(theta.shape, theta.dtype) for name in self.vectors}
        vectors = [self.state[name] for name in self.vectors]
        for x in vectors:
            if x.shape != theta.shape or x.dtype != theta.dtype:
                raise ValueError(
                    f"theta is {theta.shape} {theta.dtype}, but the steps so far were on "
                    f"{x.shape} {x.dtype}; reset() forgets them"
                )
        return vectors

    def _checked_state(self, state: dict) -> dict:
        """A copy of a saved state: the numbers of a first state, and after a step all vectors."""
        first = self._first_state()
        begun = isinstance(state, dict) and (state.get("t") or not set(state) <= set(first))
        started = self.vectors if begun else ()
        _same_names("state", state, [*first, *started])
        for name in first:
            if not _check.is_number(state[name]):
                raise ValueError(f"{name} must be a number, got {state[name]!r}")
        if state["t"] < 0 or state["t"] != state["t"] // 1:
            raise ValueError(f"t must be a whole number of steps, got {state['t']!r}")
        numbers = {name: type(value)(state[name]) for name, value in first.items()}
        vectors = {name: np.array(state[name]) for name in started}
        kinds = {(x.ndim, x.dtype.kind, x.shape, x.dtype) for x in vectors.values()}
        if len(kinds) > 1 or any(kind[:2] != (1, "f") for kind in kinds):
            raise ValueError("the state's vectors are not floats (n,), or differ in shape or dtype")
        return numbers | vectors


def _find(optimizer: Optimizer, name: str) -> object:
    return next((vars(c)[name] for c in type(optimizer).__mro__ if name in vars(c)), None)


def _same_names(what: str, got: object, wanted: object) -> None:
    if not isinstance(got, dict) or set(got) != set(wanted):
        names = sorted(got) if isinstance(got, dict) else got
        raise ValueError(f"{what} has {names}; wanted {sorted(wanted)}")


def average(m: np.ndarray, x: np.ndarray, beta: float, s: np.ndarray) -> None:
    """m ← β m + (1 − β) x in place, an exponential moving average; s is scratch, and may be x."""
    m *= beta
    m += np.multiply(x, 1 - beta, out=s)
