"""One step of a plan: what kind it is, and how to call it so that it writes into a given array."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bpbook.autodiff.trace import Variable, getitem
from bpbook.ops.arithmetic import is_literal

_VIEWS = {
    np.broadcast_to,
    np.expand_dims,
    np.moveaxis,
    np.ravel,
    np.reshape,
    np.squeeze,
    np.swapaxes,
    np.transpose,
    getitem,
}


def is_view(v: Variable) -> bool:
    """Whether v's numbers are in the memory of its first input."""
    return v.function in _VIEWS and np.may_share_memory(v.example, v.inputs[0].example)


def is_elementwise(v: Variable) -> bool:
    """A ufunc of numbers, entry by entry; one made of a Python function gives objects."""
    return isinstance(v.function, np.ufunc) and v.function.signature is None and _takes_out(v)


def _is_reduction(v: Variable) -> bool:
    return isinstance(getattr(v.function, "__self__", None), np.ufunc)


def _takes_out(v: Variable) -> bool:
    numeric = isinstance(v.function, np.ufunc) and not v.function.types[0].endswith("O")
    return numeric or _is_reduction(v)


def call_into(v: Variable, args: list, kwargs: dict, out: np.ndarray) -> Callable[[], object]:
    """v's function on these arguments, into ``out``.

    By position, where NumPy's parsing of ``out=`` would take a third of a short call's time.
    """
    if _is_reduction(v):  # reduce(array, axis, dtype, out, keepdims)
        options = {"axis": 0, "dtype": None, "keepdims": False} | kwargs
        axis, dtype, keepdims = (options.pop(name) for name in ("axis", "dtype", "keepdims"))
        return partial(v.function, *args, axis, dtype, out, keepdims, **options)
    if not _takes_out(v):
        return partial(_copy_result, out, v.function, args, kwargs)
    if is_elementwise(v):
        args = _numbers_as_arrays(args)
    if v.function in (np.maximum, np.minimum):  # a third position is deprecated there
        return partial(v.function, *args, out=out, **kwargs)
    return partial(v.function, *args, out, **kwargs)


def _numbers_as_arrays(args: list) -> list:
    """A Python number beside an array of floats becomes one in its dtype, as NumPy would have it,

    but once, not at each call.
    """
    dtype = next(np.asarray(x).dtype for x in args if not is_literal(x))
    if dtype.kind != "f":
        return args
    return [np.asarray(x, dtype) if is_literal(x) else x for x in args]


def _copy_result(out: np.ndarray, function: Callable, args: tuple, kwargs: dict) -> None:
    """For functions that cannot write into a given array."""
    result = function(*args, **kwargs)
    if result.shape != out.shape:  # it would be stretched, or not fit
        raise ValueError(
            f"{function.__name__} gave shape {result.shape} here and {out.shape} when it was "
            "traced: its shape depends on numbers, which a static graph cannot follow"
        )
    np.copyto(out, result)
