"""What dual numbers and tensors share: arrays in a wrapper, on which NumPy's functions work.

A :class:`Box` holds a value (an array, or a box of a lower level) and answers NumPy's functions by
way of ``__array_ufunc__`` and ``__array_function__`` (NEP 13 and NEP 18): each call becomes a call
of the op of :mod:`bpbook.ops` that has the function's derivative, and the box of the highest level
among the arguments carries it out. Levels keep nested derivatives apart: in a derivative of a
derivative the inner one's numbers must not be taken for the outer one's.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from bpbook import ops
from bpbook.autodiff.arraylike import ArrayLike
from bpbook.autodiff.numpy_api import CONSTANT_FUNCTIONS, CONSTANT_UFUNCS, FUNCTIONS, UFUNCS
from bpbook.ops.arithmetic import is_literal

_LEVELS = itertools.count(1)


def new_level() -> int:
    """A level above all those before: an inner derivative begins after the outer one.

    Never used again, so what leaks out of a derivative, or runs in a thread of it, is not mistaken.
    """
    return next(_LEVELS)


def apply(op: Callable, *args: Any, **kwargs: Any) -> Any:
    """The output of ``op``; on boxes, computed by those of the highest level.

    Options are constants: of a box its numbers, of an array a copy, for it may change.
    """
    top = None
    for name, x in kwargs.items():
        if type(x) not in _ATOMS:
            kwargs[name] = _option(x)
    for x in args:
        if isinstance(x, Box) and (top is None or x.level > top.level):
            top = x
    if top is None:
        return op(*args, **kwargs)[0]
    return top._apply(op, args, kwargs)


def lift(op: Callable) -> Callable:
    """``op`` as a function of boxes: ``lift(ops.affine)(a, W, b)`` is the output alone.

    On tensors the op is one node of the tape, whose derivative is the op's own vjp; on dual numbers
    its body runs. Plain arrays give a plain array.
    """

    lifted = functools.partial(apply, op)
    lifted.__name__ = getattr(op, "__name__", "lifted")
    lifted.__doc__ = op.__doc__
    return lifted


def plain(x: Any) -> Any:
    """The array inside any number of boxes."""
    while isinstance(x, Box):
        x = x.value
    return x


def is_foreign(x: Any) -> bool:
    """Whether x is an array of another kind than NumPy's: a box, or one being traced."""
    return hasattr(x, "__array_ufunc__") and not isinstance(x, (np.ndarray, np.generic))


def constant(x: Any, dtype: np.dtype, keep: bool) -> Any:
    """What stands beside a box in a call: an array floating, and if kept a copy, for it may change.

    Also a traced array, or a box of a lower level: the mask in a relu's vjp, say.
    """
    if isinstance(x, (np.ndarray, np.generic)) or is_foreign(x):
        return x.astype(dtype) if x.dtype.kind in "iub" else unchanging(x) if keep else x
    return x


def unchanging(x: Any) -> Any:
    """x, or if x is an array that may yet change, itself or by way of another one, a copy."""
    may_change = isinstance(x, np.ndarray) and (x.flags.writeable or x.base is not None)
    return x.copy("K") if may_change else x  # laid out as it was


_ATOMS = {bool, int, float, str, slice, type(None)}


def _option(x: Any) -> Any:
    if isinstance(x, (Box, np.ndarray)):
        return unchanging(plain(x))
    if type(x) in (tuple, list):
        return type(x)([p if type(p) in _ATOMS else _option(p) for p in x])
    return x


class Box(ArrayLike):
    """An array with more than its numbers; see the module. ``value`` is what is inside."""

    __slots__ = ("level", "value")

    def _apply(self, op: Callable, args: tuple, kwargs: dict) -> Any:
        """Call ``op``, this box being one of the highest level among ``args``."""
        raise NotImplementedError

    def _assign(self, result: Any) -> None:
        """Write ``result`` into this box, which was given as ``out=``."""
        raise NotImplementedError

    def _blank(self) -> Any:
        """An array like this one that ``out=`` may fill: what ``np.empty_like`` gives."""
        raise NotImplementedError

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        into_box = out is not None and isinstance(out[0], Box)
        if ufunc in CONSTANT_UFUNCS:
            into_array = {} if out is None or into_box else {"out": out}
            result = getattr(ufunc, method)(*map(plain, inputs), **into_array, **kwargs)
            if not into_box:
                return result
        elif method == "reduce" and ufunc in (np.add, np.maximum, np.minimum):
            op = {np.add: ops.sum, np.maximum: ops.max, np.minimum: ops.min}[ufunc]
            options = {"axis": 0} | {k: v for k, v in kwargs.items() if not _is_default(k, v)}
            result = apply(op, *inputs, **options)
        elif method == "__call__" and ufunc in UFUNCS:
            result = apply(UFUNCS[ufunc], *inputs, **kwargs)
        else:
            called = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
            raise TypeError(f"np.{called} has no derivative in bpbook.ops; use {_names(UFUNCS)}")
        if out is None:
            return result
        if not into_box:
            raise TypeError(
                f"out is a {type(out[0]).__name__}, but the result is a {type(result).__name__}, "
                "which does not fit in it; leave out= away (and write x = x * t for x *= t)"
            )
        out[0]._assign(result)
        return out[0]

    def __array_function__(self, func, types, args, kwargs):
        if func in FUNCTIONS:
            return FUNCTIONS[func](apply, *args, **kwargs)
        if func in CONSTANT_FUNCTIONS:
            return func(*map(plain, args), **{name: plain(x) for name, x in kwargs.items()})
        raise TypeError(f"np.{func.__name__} has no derivative here; use {_names(FUNCTIONS)}")

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            f"a {type(self).__name__} would lose its derivative as a plain array; call NumPy's "
            "functions on it directly, or detach it first"
        )

    # Facts about the array.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __float__(self) -> float:
        if self.level:  # NumPy calls this in out[0] = x, and the derivative would come out as 0
            raise TypeError(
                "a derivative that is being taken would be lost in a plain number: put arrays "
                "together with np.stack, not entry by entry, or take .item()"
            )
        return float(plain(self))

    def item(self) -> float:
        """The number of an array that holds one."""
        return plain(self).item()

    # Methods that are called often, and so spare the way through NumPy's dispatch.

    def sum(self, axis=None, keepdims=False, out=None):
        result = apply(ops.sum, self, axis=axis, keepdims=keepdims)
        if out is None:
            return result
        out._assign(result)
        return out

    def mean(self, axis=None, keepdims=False):
        return apply(ops.mean, self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape):
        return apply(ops.reshape, self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 else axes or None
        return apply(ops.transpose, self, axes=axes)

    def astype(self, dtype, copy=True):
        return self if self.dtype == dtype else apply(ops.cast, self, dtype=dtype)

    def __getitem__(self, key):
        return apply(ops.index, self, key=key)

    def scatter(self, key, shape):
        """Zeros of a shape with this array added at ``key``: see :func:`bpbook.ops.scatter`."""
        return apply(ops.scatter, self, key=key, shape=shape)


def _operator(op: Callable) -> tuple[Callable, Callable]:
    """The methods of self ∘ x and x ∘ self, which spare the way through NumPy's dispatch."""

    def forward(self, other):
        if is_literal(other):
            return self._apply(op, (self, other), {})
        return apply(op, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def reflected(self, other):
        if is_literal(other):
            return self._apply(op, (other, self), {})
        return apply(op, other, self) if isinstance(other, _OPERANDS) else NotImplemented

    return forward, reflected


_OPERANDS = (Box, np.ndarray, np.generic)


for _name, _op in {
    "add": ops.add,
    "sub": ops.subtract,
    "mul": ops.multiply,
    "truediv": ops.divide,
    "pow": ops.power,
    "matmul": ops.matmul,
}.items():
    _forward, _reflected = _operator(_op)
    setattr(Box, f"__{_name}__", _forward)
    setattr(Box, f"__r{_name}__", _reflected)


def _is_default(name: str, option: Any) -> bool:
    """Whether an option of a reduction, given or filled in by NumPy, asks for nothing."""
    default = {"axis": np._NoValue, "where": True}.get(name)
    return option is default or option is np._NoValue


def _names(table: dict) -> str:
    names = {function.__name__ for function in table}
    return ", ".join(sorted(name for name in names if hasattr(np, name)))
