"""The methods of arrays, for what stands in an array's place: boxes and traced arrays.

Each is NumPy's function of that name, which NumPy hands back to the stand-in (NEP 13 and NEP 18).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class ArrayLike(NDArrayOperatorsMixin):
    """Operators and methods by NumPy's functions; a subclass says its ``shape`` and indexes."""

    __slots__ = ()
    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other):
        return np.equal(self, other)

    def sum(self, axis=None, keepdims=False):
        return np.add.reduce(self, axis=axis, keepdims=keepdims)

    def max(self, axis=None, keepdims=False):
        return np.maximum.reduce(self, axis=axis, keepdims=keepdims)

    def min(self, axis=None, keepdims=False):
        return np.minimum.reduce(self, axis=axis, keepdims=keepdims)

    def mean(self, axis=None, keepdims=False):
        return np.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis=None, keepdims=False):
        return np.var(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape):
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self):
        return self.reshape(-1)

    flatten = ravel

    def squeeze(self, axis=None):
        return np.squeeze(self, axis)

    def transpose(self, *axes):
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    @property
    def T(self):
        return self.transpose()

    def swapaxes(self, i, j):
        return np.swapaxes(self, i, j)

    def dot(self, other):
        return np.dot(self, other)

    def clip(self, min=None, max=None):
        return np.clip(self, min, max)
