"""NumPy's functions by the ops that have their derivatives: ``np.exp`` is ``ops.exp``.

``UFUNCS`` maps a ufunc to its op. ``FUNCTIONS`` maps another function to a translation of its call,
which takes ``apply(op, *arrays, **options)`` and NumPy's own arguments. The functions in
``CONSTANT_*`` are flat almost everywhere (comparisons, counts, shapes), and act on plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpbook import ops
from bpbook.ops.elementwise import erf

UFUNCS: dict[np.ufunc, Callable] = {
    np.add: ops.add,
    np.subtract: ops.subtract,
    np.multiply: ops.multiply,
    np.true_divide: ops.divide,
    np.power: ops.power,
    np.float_power: ops.power,
    np.maximum: ops.maximum,
    np.minimum: ops.minimum,
    np.logaddexp: ops.logaddexp,
    np.matmul: ops.matmul,
    np.negative: ops.negative,
    np.positive: ops.identity,
    np.conjugate: ops.identity,
    np.absolute: ops.absolute,
    np.square: ops.square,
    np.reciprocal: ops.reciprocal,
    np.sqrt: ops.sqrt,
    np.exp: ops.exp,
    np.exp2: ops.exp2,
    np.expm1: ops.expm1,
    np.log: ops.log,
    np.log1p: ops.log1p,
    np.log2: ops.log2,
    np.log10: ops.log10,
    np.sin: ops.sin,
    np.cos: ops.cos,
    np.tan: ops.tan,
    np.arcsin: ops.arcsin,
    np.arccos: ops.arccos,
    np.arctan: ops.arctan,
    np.sinh: ops.sinh,
    np.cosh: ops.cosh,
    np.tanh: ops.tanh,
    erf: ops.erf,
}

CONSTANT_UFUNCS = {
    np.greater,
    np.greater_equal,
    np.less,
    np.less_equal,
    np.equal,
    np.not_equal,
    np.isfinite,
    np.isnan,
    np.isinf,
    np.sign,
    np.floor,
    np.ceil,
    np.rint,
    np.logical_and,
    np.logical_or,
    np.logical_not,
}

CONSTANT_FUNCTIONS = {
    np.argmax,
    np.argmin,
    np.argsort,
    np.all,
    np.any,
    np.allclose,
    np.array_equal,
    np.count_nonzero,
    np.iscomplexobj,
    np.isclose,
    np.ndim,
    np.ones_like,
    np.result_type,
    np.round,
    np.shape,
    np.size,
    np.zeros_like,
}

FUNCTIONS: dict[Callable, Callable] = {}


def _translates(*functions: Callable) -> Callable:
    def register(translation: Callable) -> Callable:
        FUNCTIONS.update(dict.fromkeys(functions, translation))
        translation.__qualname__ = f"np.{functions[0].__name__}"  # named in a TypeError
        return translation

    return register


@_translates(np.sum)
def _sum(apply, x, axis=None, keepdims=False):
    return apply(ops.sum, x, axis=axis, keepdims=keepdims)


@_translates(np.mean)
def _mean(apply, x, axis=None, keepdims=False):
    return apply(ops.mean, x, axis=axis, keepdims=keepdims)


@_translates(np.max, np.amax)
def _max(apply, x, axis=None, keepdims=False):
    return apply(ops.max, x, axis=axis, keepdims=keepdims)


@_translates(np.min, np.amin)
def _min(apply, x, axis=None, keepdims=False):
    return apply(ops.min, x, axis=axis, keepdims=keepdims)


@_translates(np.var)
def _var(apply, x, axis=None, keepdims=False):
    deviation = x - x.mean(axis=axis, keepdims=True)
    return (deviation * deviation).mean(axis=axis, keepdims=keepdims)


@_translates(np.std)
def _std(apply, x, axis=None, keepdims=False):
    return np.sqrt(_var(apply, x, axis, keepdims))


@_translates(np.reshape)
def _reshape(apply, x, shape):
    return apply(ops.reshape, x, shape=shape)


@_translates(np.ravel)
def _ravel(apply, x):
    return apply(ops.reshape, x, shape=-1)


@_translates(np.squeeze)
def _squeeze(apply, x, axis=None):
    return apply(ops.reshape, x, shape=np.squeeze(_hollow(x), axis=axis).shape)


@_translates(np.expand_dims)
def _expand_dims(apply, x, axis):
    return apply(ops.reshape, x, shape=np.expand_dims(_hollow(x), axis).shape)


@_translates(np.transpose, np.permute_dims)
def _transpose(apply, x, axes=None):
    return apply(ops.transpose, x, axes=axes)


@_translates(np.swapaxes)
def _swapaxes(apply, x, axis1, axis2):
    return apply(ops.transpose, x, axes=np.swapaxes(_axes(x), axis1, axis2).shape)


@_translates(np.moveaxis)
def _moveaxis(apply, x, source, destination):
    return apply(ops.transpose, x, axes=np.moveaxis(_axes(x), source, destination).shape)


@_translates(np.broadcast_to)
def _broadcast_to(apply, x, shape):
    return apply(ops.broadcast_to, x, shape=shape)


@_translates(np.concatenate)
def _concatenate(apply, arrays, axis=0):
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    return apply(ops.concatenate, *arrays, axis=axis)


@_translates(np.stack)
def _stack(apply, arrays, axis=0):
    return apply(ops.stack, *arrays, axis=axis)


@_translates(np.split)
def _split(apply, x, indices_or_sections, axis=0):
    places = np.split(np.arange(x.shape[axis]), indices_or_sections)
    before = (slice(None),) * (axis % x.ndim)
    return [apply(ops.index, x, key=(*before, slice(*_ends(p)))) for p in places]


@_translates(np.where)
def _where(apply, condition, x, y):
    return apply(ops.where, x, y, condition=condition)


@_translates(np.clip)
def _clip(apply, x, a_min=None, a_max=None):
    x = x if a_min is None else apply(ops.maximum, x, a_min)
    return x if a_max is None else apply(ops.minimum, x, a_max)


@_translates(np.einsum)
def _einsum(apply, subscripts, *operands):
    return apply(ops.einsum, *operands, subscripts=subscripts)


@_translates(np.dot)
def _dot(apply, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return apply(ops.multiply, a, b)
    if np.ndim(b) > 2:
        raise TypeError("np.dot with a second operand of three or more axes; use np.einsum")
    return apply(ops.matmul, a, b)


@_translates(np.outer)
def _outer(apply, a, b):
    column = apply(ops.reshape, a, shape=(-1, 1))
    return apply(ops.multiply, column, apply(ops.reshape, b, shape=(1, -1)))


@_translates(np.real)
def _real(apply, x):
    return x


@_translates(np.full_like)
def _full_like(apply, x, fill_value, **options):
    return np.zeros_like(x, **options) + fill_value


@_translates(np.empty_like)
def _empty_like(apply, x):
    return x._blank()


def _axes(x) -> np.ndarray:
    """An empty array whose axis i is i long: how NumPy moves its axes shows in its shape."""
    return np.empty(range(x.ndim))


def _hollow(x) -> np.ndarray:
    """An array of x's shape without memory, for NumPy to work out a shape with."""
    return np.broadcast_to(0.0, x.shape)


def _ends(places: np.ndarray) -> tuple[int, int]:
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
