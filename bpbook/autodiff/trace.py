"""Tracing: run a function once on stand-ins that write down every NumPy call made on them.

A function run on :class:`Traced` arrays leaves a straight program: no Python between the calls, no
branch, the shapes known. What depends on no input is computed now, once, and stands in the program
as a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bpbook.autodiff.arraylike import ArrayLike
from bpbook.autodiff.box import Box, unchanging
from bpbook.autodiff.numpy_api import FUNCTIONS
from bpbook.autodiff.tree import flatten, form
from bpbook.ops.arithmetic import is_literal
from bpbook.ops.shapes import scatter


@dataclass(eq=False)
class Variable:
    """A result of a program's step, or an input of it: how it is made, and an example of it.

    function, args, kwargs: the call; variables among the arguments stand for their results. An
    input has no function.
    """

    example: Any
    function: Callable | None = None
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)

    @property
    def inputs(self) -> list[Variable]:
        """The variables among the arguments, those within lists too."""
        return [x for x in flatten((self.args, self.kwargs))[0] if isinstance(x, Variable)]

    @property
    def name(self) -> str:
        """What the step does, in NumPy's words."""
        function = self.function
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc):
            return f"{owner.__name__}.{function.__name__}"
        return getattr(function, "__name__", "input")


#: Functions whose value depends on the shape and dtype alone, which are known.
SHAPE_ONLY = {np.shape, np.ndim, np.size, np.iscomplexobj, np.zeros_like, np.ones_like}
#: What NumPy's ``**`` calls for these exponents of floats: up to ten times as fast as np.power,
#: whose last digit differs in older versions.
SHORT_POWERS = {-1: np.reciprocal, 0.5: np.sqrt, 1: np.positive, 2: np.square}


class Traced(ArrayLike):
    """A stand-in for an array of known shape and dtype, whose numbers are not known yet."""

    __slots__ = ("program", "variable")

    def __init__(self, variable: Variable, program: Program) -> None:
        self.variable, self.program = variable, program

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if out is not None:
            raise TypeError(
                "out= cannot be traced, for a traced program plans its memory itself; "
                "write x = x * t for x *= t"
            )
        if any(isinstance(x, Box) for x in inputs):
            return NotImplemented  # the box holds traced arrays, and has a derivative to take along
        kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self.program.call(function, *inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        if any(issubclass(kind, Box) for kind in types):
            return NotImplemented
        if func in SHAPE_ONLY:
            args = [x.variable.example if isinstance(x, Traced) else x for x in args]
            return func(*args, **kwargs)
        if func is np.split:  # several arrays, so each is a slice
            return FUNCTIONS[func](lambda op, x, key: x[key], *args, **kwargs)
        return self.program.call(func, *args, **kwargs)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("the numbers of a traced array are not known; use NumPy's functions on it")

    def __bool__(self) -> bool:
        raise TypeError(
            "a branch depends on the numbers of a traced array, so the program would be right for "
            "this example only: write np.where(condition, x, y), or use the tape"
        )

    def __float__(self) -> float:
        raise TypeError("the number of a traced array is not known; keep it an array")

    __int__ = __index__ = __float__

    def __repr__(self) -> str:
        return f"Traced(shape={self.shape}, dtype={self.dtype})"

    def __pow__(self, exponent):
        if is_literal(exponent) and exponent in SHORT_POWERS and self.dtype.kind == "f":
            return SHORT_POWERS[exponent](self)
        return np.power(self, exponent)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.variable.example)

    @property
    def dtype(self) -> np.dtype:
        return self.variable.example.dtype

    def __getitem__(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, Traced) and k.dtype == bool for k in parts):
            raise TypeError("how many entries a traced mask picks is not known; use np.where")
        return self.program.call(getitem, self, key)

    def scatter(self, key, shape):
        return self.program.call(scattered, self, key, shape)

    def astype(self, dtype, copy=True):
        return self if self.dtype == dtype else self.program.call(cast, self, dtype)


class Program:
    """The variables of a trace, in the order of their making; equal calls are made once."""

    def __init__(self) -> None:
        self.variables: list[Variable] = []
        self._known: dict[tuple, Variable] = {}

    def input(self, example: np.ndarray) -> Traced:
        """A stand-in for an input like ``example``."""
        return self._add(Variable(example))

    def call(self, function: Callable, *args: Any, **kwargs: Any) -> Traced:
        """Write a call down, and make it on the examples to learn its shape and dtype."""
        leaves, build = flatten((args, kwargs))
        kept = [x.variable if isinstance(x, Traced) else unchanging(x) for x in leaves]
        # x[0, 1] and x[[0, 1]] have the same leaves, and differ in their form.
        key = (function, repr(form((args, kwargs))), *map(_identity, kept))
        if key not in self._known:
            values = [x.variable.example if isinstance(x, Traced) else x for x in leaves]
            example_args, example_kwargs = build(values)
            example = function(*example_args, **example_kwargs)
            if not isinstance(example, (np.ndarray, np.generic)):
                raise TypeError(
                    f"{function.__name__} gives a {type(example).__name__}; only functions that "
                    "give one array can be traced"
                )
            args, kwargs = build(kept)
            self._known[key] = self._add(Variable(example, function, args, kwargs)).variable
        return Traced(self._known[key], self)

    def _add(self, variable: Variable) -> Traced:
        self.variables.append(variable)
        return Traced(variable, self)


def getitem(x: np.ndarray, key: Any) -> np.ndarray:
    """x[key], as a function."""
    return x[key]


def scattered(d: np.ndarray, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The adjoint of getitem."""
    return scatter(d, key, shape)[0]


def cast(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x in another dtype."""
    return x.astype(dtype)


def _identity(x: Any) -> Any:
    """What tells two arguments of a call apart: a number its value, also −0.0; an array itself."""
    return (type(x), repr(x) if isinstance(x, (int, float, str, type(None))) else id(x))
