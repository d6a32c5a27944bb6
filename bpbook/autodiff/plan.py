"""From a traced program to a list of calls with their memory settled.

1. Steps that no output needs are dropped.
2. A view (a transpose, a slice, a reshaping) is made once, now, and costs nothing later.
3. Every other step writes into a buffer with ``out=``. A buffer is used again once the last step
   that reads it has run.
4. A run of elementwise steps on long arrays is fused: block by block through all of them, so that
   what lies between stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpbook.autodiff.step import call_into, is_elementwise, is_view
from bpbook.autodiff.trace import Program, Variable
from bpbook.autodiff.tree import flatten

#: Entries that a fused run takes at a time: 128 kB of float64, some of which fit a core's cache.
BLOCK = 16_384
#: Fusing pays from here on; below, all of it fits the cache anyway.
LONG = 4 * BLOCK


class Plan:
    """The calls that compute a program's outputs, in order, on buffers of their own.

    steps: the variables that are computed, in order; fused: how many of them in blocks; buffers:
    the memory that they share.
    """

    def __init__(self, program: Program, outputs: list[Variable | np.ndarray]) -> None:
        self.inputs = [v for v in program.variables if v.function is None]
        self.steps = _needed(program, outputs)
        self.buffers: list[np.ndarray] = []
        self.fused = 0
        self._outputs = [y for y in outputs if isinstance(y, Variable)]
        self._arrays = {v: np.empty_like(v.example) for v in self.inputs}
        self._owners = _owners(self.inputs, self.steps)
        self._last_use = self._last_uses()
        self._free: list[np.ndarray] = []
        self._calls: list[Callable[[], object]] = []
        self._write_calls()
        self._feeds = [self._arrays[v] for v in self.inputs]
        self._results = [self._arrays[y] if isinstance(y, Variable) else y for y in outputs]

    def run(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs for the inputs' values, as new arrays."""
        for feed, value in zip(self._feeds, values, strict=True):
            feed[...] = value
        for call in self._calls:
            call()
        return [result.copy() if result.ndim else result[()] for result in self._results]

    @property
    def memory(self) -> int:
        """Bytes of the buffers that the steps share."""
        return sum(buffer.nbytes for buffer in self.buffers)

    def __str__(self) -> str:
        numbers = {v: i for i, v in enumerate([*self.inputs, *self.steps], 1)}
        lines = [f"{numbers[v]:>4} = input {np.shape(v.example)}" for v in self.inputs]
        for v in self.steps:
            args = ", ".join(f"#{numbers[x]}" for x in v.inputs)
            lines.append(f"{numbers[v]:>4} = {v.name}({args}) {np.shape(v.example)}")
        return "\n".join(lines)

    def _last_uses(self) -> dict[Variable, int]:
        """For each variable with memory of its own, the last step that reads it or a view of it."""
        last = {v: i for i, v in enumerate(self.steps)}
        for i, v in enumerate(self.steps):
            for x in v.inputs:
                last[self._owners[x]] = i
        never = len(self.steps)
        return last | {self._owners[y]: never for y in self._outputs}

    def _write_calls(self) -> None:
        runs: list[list[Variable]] = []
        for v in self.steps:
            if self._owners[v] is not v:
                continue
            if runs and _fusable(v) and self._continues(v, runs[-1]):
                runs[-1].append(v)
            else:
                runs.append([v])
        places = {v: i for i, v in enumerate(self.steps)}
        done = 0
        for run in runs:
            for v in self.steps[done : places[run[0]]]:
                self._make_view(v)
            done = places[run[-1]] + 1
            views = [v for v in self.steps[places[run[0]] : done] if self._owners[v] is not v]
            for v in views:
                if self._owners[v] not in run:  # a later step of the run may read it
                    self._make_view(v)
            if len(run) > 1:
                self._write_fused(run, [v for v in views if self._owners[v] in run], places)
            else:
                self._write(run[0], places[run[0]])
        for v in self.steps[done:]:
            self._make_view(v)

    def _continues(self, v: Variable, run: list[Variable]) -> bool:
        """Whether v may be fused to a run; a view of one of its arrays is made when it is over."""
        if not _fusable(run[0]) or np.shape(v.example) != np.shape(run[0].example):
            return False
        return not any(self._owners[x] is not x and self._owners[x] in run for x in v.inputs)

    def _make_view(self, v: Variable) -> None:
        args, kwargs = self._bound(v)
        self._arrays[v] = v.function(*args, **kwargs)

    def _bound(self, v: Variable) -> tuple[tuple, dict]:
        leaves, build = flatten((v.args, v.kwargs))
        return build([self._arrays[x] if isinstance(x, Variable) else x for x in leaves])

    def _write(self, v: Variable, place: int) -> None:
        """One call that writes v into a buffer; an elementwise one may take that of an input."""
        args, kwargs = self._bound(v)
        if is_elementwise(v):
            self._release(v, place)
        out = self._arrays[v] = self._buffer(v)
        if not is_elementwise(v):
            self._release(v, place)
        self._calls.append(call_into(v, args, kwargs, out))

    def _write_fused(self, run: list[Variable], views: list[Variable], places: dict) -> None:
        """All steps of a run on one block, then on the next; what stays within gets one block."""
        self.fused += len(run)
        inside = [v for v in run if self._last_use[v] <= places[run[-1]]]
        viewed = {self._owners[v] for v in views}
        short: dict[Variable, np.ndarray] = {}
        flat: list[tuple[Variable, list, np.ndarray]] = []
        spare: list[np.ndarray] = []
        for v in run:
            args = [self._flat(x, short) for x in v.args]
            if v in inside and v not in viewed:
                fits = [i for i, b in enumerate(spare) if b.dtype == v.example.dtype]
                out = spare.pop(fits[0]) if fits else self._new(np.empty(BLOCK, v.example.dtype))
                short[v] = out
            else:
                self._arrays[v] = self._buffer(v)
                out = self._arrays[v].reshape(-1)
            flat.append((v, args, out))
            spare += [
                short[x] for x in set(v.inputs) & set(short) if self._last_use[x] == places[v]
            ]
            self._release(v, places[v], keep=set(short))
        for v in views:
            self._make_view(v)
        size = run[0].example.size
        for start in range(0, size, BLOCK):
            stop = min(start + BLOCK, size)
            for v, args, out in flat:
                cut = [_cut(x, start, stop, size) for x in args]
                self._calls.append(call_into(v, cut, v.kwargs, _cut(out, start, stop, size)))

    def _flat(self, x: Any, short: dict) -> Any:
        if isinstance(x, Variable):
            x = short[x] if x in short else self._arrays[x]
        if np.size(x) > 1:
            return x.reshape(-1)
        return x.reshape(()) if isinstance(x, np.ndarray) else x

    def _buffer(self, v: Variable) -> np.ndarray:
        """A free buffer laid out like v's example, or a new one."""
        like = np.asarray(v.example)
        for i, buffer in enumerate(self._free):
            if _layout(buffer) == _layout(like):
                return self._free.pop(i)
        return self._new(np.empty_like(like))

    def _new(self, buffer: np.ndarray) -> np.ndarray:
        self.buffers.append(buffer)
        return buffer

    def _release(self, v: Variable, place: int, keep: set[Variable] = frozenset()) -> None:
        """Free the buffers that step v is the last to read."""
        for owner in {self._owners[x] for x in v.inputs} - keep:
            if self._last_use[owner] == place and owner.function is not None:
                self._free.append(self._arrays[owner])


def _needed(program: Program, outputs: list) -> list[Variable]:
    needed = {y for y in outputs if isinstance(y, Variable)}
    for v in reversed(program.variables):
        if v in needed:
            needed.update(v.inputs)
    return [v for v in program.variables if v in needed and v.function is not None]


def _owners(inputs: list[Variable], steps: list[Variable]) -> dict[Variable, Variable]:
    """For each variable the one whose memory it is in: itself, unless it is a view."""
    owners = {v: v for v in inputs}
    for v in steps:
        owners[v] = owners[v.inputs[0]] if is_view(v) else v
    return owners


def _layout(x: np.ndarray) -> tuple:
    return x.shape, x.strides, x.dtype


def _fusable(v: Variable) -> bool:
    """Elementwise on long arrays of one shape, in one piece of memory each, and numbers."""
    if not is_elementwise(v) or np.size(v.example) < LONG:
        return False
    arrays = [v.example, *(x.example if isinstance(x, Variable) else x for x in v.args)]
    long = [x for x in arrays if np.size(x) > 1]
    return all(np.shape(x) == np.shape(v.example) and x.flags.c_contiguous for x in long)


def _cut(x: Any, start: int, stop: int, size: int) -> Any:
    """Entries start to stop of a whole array; the first of them of a block; a number as it is."""
    if np.size(x) == 1:
        return x
    return x[start:stop] if x.size == size else x[: stop - start]
