"""Arrays that count the multiply-adds of the program that runs on them."""

from __future__ import annotations

import math

import numpy as np


class Counted(np.ndarray):
    """An array of numbers that records every matrix product (``@``) it takes part in.

    ``theta = Counted(net.theta)`` is a view; views of it and all that is computed from it share its
    ``products``, a list of (rows, inner, columns): the shape of each product's result and the
    length of the sums in it. Two operands with lists of their own: the first one's counts.

    Products written as ``np.dot`` or ``einsum`` are not seen, nor is arithmetic entry by entry.
    Source: NEP 13, ``__array_ufunc__``.
    """

    products: list[tuple[int, int, int]]

    def __new__(cls, values: np.ndarray) -> Counted:
        return np.asarray(values).view(cls)

    def __array_finalize__(self, parent: np.ndarray | None) -> None:
        self.products = parent.products if isinstance(parent, Counted) else []

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of all products so far: rows × inner × columns, summed."""
        return sum(map(math.prod, self.products))

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        if out:
            kwargs["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **kwargs)
        if ufunc is np.matmul:
            columns = inputs[1].shape[-1] if np.ndim(inputs[1]) > 1 else 1
            rows = np.size(result) // max(columns, 1)
            self.products.append((rows, inputs[0].shape[-1], columns))
        if out:
            return out[0]
        return self._joined(result) if isinstance(result, np.ndarray) else result

    def _joined(self, result: np.ndarray) -> Counted:
        result = result.view(Counted)
        result.products = self.products
        return result


def _plain(x: object) -> object:
    return x.view(np.ndarray) if isinstance(x, Counted) else x
