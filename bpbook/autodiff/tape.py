"""Reverse mode: tensors remember how they were made, and ``backward`` walks that tape.

Nothing here differentiates. Recording an op keeps its vjp, which the op itself gave; the walk
(:mod:`bpbook.autodiff.walk`) calls them from the last tensor to the first and adds up what arrives
at each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bpbook.autodiff.box import Box, constant, is_foreign, new_level, plain
from bpbook.autodiff.walk import CLOCK, note_write, owner, sweep
from bpbook.ops.arithmetic import is_literal


class _Mode(threading.local):
    silent = -1  # derivatives of this level and below are not recorded


_MODE = _Mode()


@contextmanager
def no_grad() -> Iterator[None]:
    """Nothing done inside is recorded; here a tensor may be changed in place (``w -= step``).

    As in PyTorch, a derivative that begins inside is not affected, nor is forward mode.
    """
    before, _MODE.silent = _MODE.silent, new_level()
    try:
        yield
    finally:
        _MODE.silent = before


def is_grad_enabled() -> bool:
    """Whether ops are recorded, that is, whether we are outside of :func:`no_grad`."""
    return _MODE.silent < 0


class Tensor(Box):
    """An array that remembers the op that made it; make the first ones with :func:`tensor`.

    ``requires_grad``: whether a gradient flows into it. ``grad``: after ``backward()``, an array of
    its shape; it adds up over calls until ``zero_grad()``. ``data``: its numbers, read-only.
    """

    # What few tensors have lies in a dictionary, which the others do without.
    __slots__ = ("__dict__", "grad", "index", "op", "parents", "requires_grad", "vjp")

    hooks: dict | None = None
    root: Tensor | None = None  # the tensor whose memory this one shares
    written = 0  # when it was last changed in place

    def __init__(
        self,
        value: Any,
        requires_grad: bool = False,
        level: int = 0,
        op: Callable | None = None,
        vjp: Callable | None = None,
        parents: tuple = (),  # the arguments of op, tensors or not
    ) -> None:
        self.value, self.requires_grad, self.level = value, requires_grad, level
        self.op, self.vjp, self.parents, self.grad = op, vjp, parents, None
        self.index = next(CLOCK)

    def _apply(self, op: Callable, args: tuple, kwargs: dict) -> Tensor:
        level, needs, values = self.level, False, []
        recording = level > _MODE.silent
        for x in args:
            if type(x) is Tensor and x.level == level:
                if x.requires_grad:
                    needs = recording
                    values.append(x.value)
                else:  # perhaps of whole numbers
                    values.append(constant(x.value, self._float_dtype, keep=False))
            else:
                values.append(
                    x if is_literal(x) else constant(x, self._float_dtype, keep=recording)
                )
        value, vjp = op(*values, **kwargs) if kwargs else op(*values)
        out = Tensor(value, True, level, op, vjp, args) if needs else Tensor(value, False, level)
        if type(value) is np.ndarray and (value.base is not None or value is values[0]):
            out.root = _sharer(value, args)
        return out

    @property
    def _float_dtype(self) -> np.dtype:
        """What whole numbers become beside this tensor."""
        return self.dtype if self.dtype.kind == "f" else np.dtype(float)

    # In place.

    def _assign(self, result: Any) -> None:
        new = self._about_to_take(result)
        if is_foreign(new) or is_foreign(self.value):  # an outer derivative follows it
            self.value = np.broadcast_to(new, self.shape)
        elif isinstance(self.value, np.ndarray):
            self.value[...] = new
        else:  # a single number cannot be changed; another takes its place
            self.value = self.dtype.type(new)

    def __setitem__(self, key: Any, values: Any) -> None:
        new = self._about_to_take(values)
        if is_foreign(new) or is_foreign(self.value):
            raise TypeError("no entry can be set while an outer derivative follows; use np.where")
        self.value[plain(key)] = new

    def _about_to_take(self, new: Any) -> Any:
        """The numbers of ``new``, for a change in place that the tape can do without."""
        mine = isinstance(new, Tensor) and new.level == self.level
        recording = self.level > _MODE.silent
        lost = isinstance(new, Box) and new.level > self.level
        if lost or (recording and (self.requires_grad or (mine and new.requires_grad))):
            raise RuntimeError(
                "nothing that requires a gradient can be changed in place, or written into another "
                "tensor, while the tape records: write t = t + step, or change it under no_grad()"
            )
        note_write(self)
        return new.value if mine else new

    # What a reader uses.

    @property
    def data(self) -> np.ndarray:
        """The numbers, read-only: change them with ``t[...] = values`` under :func:`no_grad`."""
        view = np.asarray(plain(self.value)).view()
        view.flags.writeable = False
        return view

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by :func:`tensor`, or needs no gradient."""
        return self.op is None

    def numpy(self) -> np.ndarray:
        """A copy of the numbers."""
        return np.array(plain(self.value))

    def detach(self) -> Tensor:
        """The same numbers, in the same memory, off the tape."""
        out = Tensor(self.value, False, self.level)
        out.root = owner(self)
        return out

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def register_hook(self, hook: Callable[[np.ndarray], np.ndarray | None]) -> Hook:
        """Call ``hook(gradient)`` when this tensor's gradient is complete, during backward.

        It cannot change that array; one that it returns takes its place. ``.remove()`` ends it.
        Raises RuntimeError for a tensor that gets no gradient.
        """
        if not self.requires_grad:
            raise RuntimeError("a hook waits for a gradient; this tensor does not require one")
        if not callable(hook):
            raise TypeError(f"hook is {hook!r}; wanted a function of the gradient")
        self.hooks = {} if self.hooks is None else self.hooks
        return Hook(self.hooks, hook)

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add ∂self/∂t to ``t.grad`` of every leaf t that requires a gradient.

        gradient: ∂L/∂self, of this tensor's shape; may be left out for a single number, where it is
        1. retain_graph: keep the tape, for another backward; otherwise its memory is freed on the
        way. Raises RuntimeError when there is no tape, it was freed, or a number that a derivative
        needs was changed in place; ValueError when the gradient's shape is not this tensor's.
        """
        if not self.requires_grad:
            raise RuntimeError("backward from a tensor that depends on none with requires_grad")
        for t, d in sweep(self, self._seed(gradient), retain_graph):
            t.grad = np.array(d if t.grad is None else t.grad + d, t.dtype)

    def _seed(self, gradient: Any) -> Any:
        if gradient is None:
            if self.size != 1:
                raise RuntimeError(
                    f"backward from a tensor of shape {self.shape}; only a single number has one "
                    "gradient: reduce it first (t.sum()), or give gradient=, of this shape"
                )
            return np.ones(self.shape, self.dtype)
        gradient = np.array(plain(gradient), self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"gradient has shape {gradient.shape}; the tensor has {self.shape}")
        return gradient

    def __repr__(self) -> str:
        numbers = np.array2string(np.asarray(plain(self)), separator=", ", prefix="tensor(")
        return f"tensor({numbers}{', requires_grad=True' if self.requires_grad else ''})"

    # PyTorch's names for what NumPy calls otherwise.

    def mm(self, other: Tensor) -> Tensor:
        """The product of two matrices; ValueError for other shapes, which ``@`` takes."""
        if self.ndim != 2 or np.ndim(other) != 2:
            raise ValueError(f"mm got shapes {self.shape} and {np.shape(other)}; wanted matrices")
        return self @ other

    def t(self) -> Tensor:
        """The transpose of a matrix; ValueError for more axes."""
        if self.ndim > 2:
            raise ValueError(f"t got shape {self.shape}; wanted a matrix")
        return self.T

    def unsqueeze(self, axis: int) -> Tensor:
        """A new axis of length 1."""
        return np.expand_dims(self, axis)

    def expand_as(self, other: Tensor) -> Tensor:
        """Repeated to the shape of another."""
        return np.broadcast_to(self, other.shape)


class Hook:
    """A registered gradient hook; ``remove()`` takes it off again."""

    def __init__(self, hooks: dict, function: Callable) -> None:
        self._hooks = hooks
        hooks[self] = function

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        self._hooks.pop(self, None)


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A tensor with a copy of ``data``: numbers, nested lists of them, or an array.

    Raises ValueError when it shall have a gradient but its numbers are integers.
    """
    value = np.array(plain(data), dtype)
    if value.dtype.kind not in "fiub":
        raise ValueError(f"data has dtype {value.dtype}; wanted real numbers")
    if requires_grad and value.dtype.kind != "f":
        raise ValueError(
            f"data has dtype {value.dtype}; only floating numbers have gradients: "
            "write 2.0 for 2, or give dtype=float"
        )
    return Tensor(value, requires_grad)


def _sharer(value: np.ndarray, args: tuple) -> Tensor | None:
    """The tensor whose memory an op's value is in, when it is in an argument's."""
    for x in args:
        if type(x) is Tensor and (value.base is x.value or np.may_share_memory(value, x.value)):
            return owner(x)
    return None
