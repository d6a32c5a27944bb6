"""Static graphs: trace a function once, make a plan, then run the plan many times.

``compile`` is the counterpart of the tape. The tape records anew at each run, and so may take
another way at each; a compiled function takes the way of its example, and refuses inputs of another
shape. In return all that can be settled beforehand is settled once (:mod:`bpbook.autodiff.plan`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from bpbook.autodiff.dual import numbers
from bpbook.autodiff.plan import Plan
from bpbook.autodiff.trace import Program, Traced
from bpbook.autodiff.tree import Tree, flatten, form, leaves


class Compiled:
    """A function as a plan; call it with arrays like those it was traced on.

    ``print`` shows its steps. ``plan`` counts them, and its memory.
    """

    def __init__(self, f: Callable, examples: tuple) -> None:
        self.__name__ = getattr(f, "__name__", "compiled")
        arrays, build = flatten(examples)
        arrays = [np.array(x) for x in arrays]
        self._kinds, self._form = _kinds(arrays), form(examples)
        self._lock = threading.Lock()  # calls in several threads would share the plan's buffers
        program = Program()
        value = f(*build([program.input(x) for x in arrays]))
        outs, self._build = flatten(value)
        variables = [y.variable if isinstance(y, Traced) else np.array(numbers(y)) for y in outs]
        self.plan = Plan(program, variables)

    def __call__(self, *args: Tree) -> Tree:
        given = leaves(args)
        if _kinds(given) != self._kinds:
            raise ValueError(self._misfit(given))
        if form(args) != self._form:
            raise ValueError(
                f"{self.__name__} got the structure {form(args)}; it was compiled for {self._form}"
            )
        with self._lock:
            results = self.plan.run(given)
        return self._build(results)

    def _misfit(self, given: list) -> str:
        if len(given) != len(self._kinds):
            return (
                f"{self.__name__} got {len(given)} arrays; it was compiled for {len(self._kinds)}"
            )
        pairs = zip(_kinds(given), self._kinds, strict=True)
        i, (got, want) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        compiled_for = f"{self.__name__} was compiled for shape {want[0]} and dtype {want[1]}"
        if got[0] is None:
            return f"array {i} is a {type(given[i - 1]).__name__}; {compiled_for}: give an array"
        return (
            f"array {i} has shape {got[0]} and dtype {got[1]}; {compiled_for}: "
            "compile it anew for another"
        )

    def __repr__(self) -> str:
        return str(self.plan)


def _kinds(arrays: list) -> list[tuple]:
    """What must be the same at every call."""
    return [(getattr(x, "shape", None), getattr(x, "dtype", None)) for x in arrays]


def compile(f: Callable, *examples: Tree) -> Compiled:
    """f, traced on ``examples`` (arrays or pytrees of them) and planned.

    f may be any function of this package's transforms too: ``compile(value_and_grad(loss), theta)``
    plans the forward and the backward pass as one program. Raises TypeError where f branches on an
    array's numbers.
    """
    return Compiled(f, examples)
