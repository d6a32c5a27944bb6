"""A formula that a reader types, turned into a graph: read with :mod:`ast`, never run as Python."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from bpbook import ops
from bpbook.autodiff import Tensor, lift

LONGEST = 100  # characters
FUNCTIONS = {
    "abs": lift(ops.absolute),
    **{
        op.__name__: lift(op)
        for op in (
            ops.cos,
            ops.exp,
            ops.log,
            ops.relu,
            ops.sigmoid,
            ops.sin,
            ops.sqrt,
            ops.tan,
            ops.tanh,
        )
    },
}
NUMBERS = {"pi": np.pi, "e": np.e}
BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
UNARY = {ast.USub: lift(ops.negative), ast.UAdd: lambda value: value}


class FormulaError(ValueError):
    """The text is no formula that can be read; the message says why, and what to write."""


def evaluate(text: str, **variables: Tensor) -> Any:
    """The value of a formula in the variables: a tensor, or a number if none of them occurs in it.

    Equal parts are computed once. Outside a function's domain the value is NaN or infinite. Raises
    FormulaError for anything but numbers, the variables, + − * / **, brackets and ``FUNCTIONS``.
    """
    tree, found = _parsed(text), {}

    def value(node: ast.expr) -> Any:
        key = ast.dump(node)
        if key not in found:
            made = _make(node, variables, value)
            # A plain float, beside a tensor, is part of the operation and no node of the graph.
            found[key] = made if isinstance(made, Tensor) else float(made)
        return found[key]

    with np.errstate(all="ignore"):
        return value(tree)


def _parsed(text: str) -> ast.expr:
    if not text:
        raise FormulaError("type a formula in x and y, for example sin(x*y) + x**2")
    if len(text) > LONGEST:
        raise FormulaError(f"this has {len(text)} characters; wanted at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's opinion of 1if is not for this reader
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):  # ValueError: a null character, in Python 3.11
        raise FormulaError(
            "this is no complete formula: look at the brackets, and write 2*x for a product, "
            "x**2 for a power and sin(x) for a function"
        ) from None


def _make(node: ast.expr, variables: dict[str, Tensor], value: Callable) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return _named(name, variables)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_array(value(operand)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            x, y = value(left), value(right)
            if not (isinstance(x, Tensor) or isinstance(y, Tensor)):
                x = np.float64(x)  # which divides by 0 without raising
            return BINARY[type(op)](x, y)
        case ast.BinOp(op=ast.BitXor()):
            raise FormulaError("^ is no power here: write x**2")
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](_array(value(argument)))
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            raise FormulaError(f"{name} takes one number: write {name}(x)")
        case ast.Call(func=ast.Name(id=name)):
            _unknown(name, "function", FUNCTIONS)
    raise FormulaError(
        f"only numbers, {', '.join(variables)}, + − * / **, brackets and functions can be read"
    )


def _named(name: str, variables: dict[str, Tensor]) -> Any:
    if name in FUNCTIONS:
        raise FormulaError(f"{name} wants a number: write {name}(x)")
    known = {**NUMBERS, **variables}
    return known[name] if name in known else _unknown(name, "name", [*variables, *NUMBERS])


def _unknown(name: str, kind: str, known: Any) -> NoReturn:
    # A name in another script may have characters that no font here can draw.
    called = f"{name} is" if name.isascii() else "there is"
    raise FormulaError(f"{called} no {kind} known here; there are {', '.join(known)}")


def _array(value: Any) -> Any:
    return value if isinstance(value, Tensor) else np.float64(value)
