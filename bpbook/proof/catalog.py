"""Every op of the package with the shapes on which ``bpbook prove`` proves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from bpbook import ops
from bpbook.proof.prove import Proof, Shape, prove


class Row(NamedTuple):
    """An op, the shapes of its array arguments, and its other arguments."""

    op: Callable
    shapes: tuple[Shape, ...]
    fixed: dict[str, object]

    def prove(self) -> Proof:
        return prove(self.op, *self.shapes, **self.fixed)


def row(op: Callable, *shapes: Shape, **fixed: object) -> Row:
    return Row(op, shapes, fixed)


CATALOG: list[Row] = [
    row(ops.affine, (2, 3), (4, 3), (4,)),
    row(ops.affine, (3, 2), (2, 2), (2,)),  # a square W: a missing transpose has the right shape
    row(ops.identity, (2, 3)),
    row(ops.square, (2, 3)),
    row(ops.sin, (2, 3)),
    row(ops.exp, (2, 3)),
    row(ops.sigmoid, (2, 3)),
    row(ops.tanh, (2, 3)),
    row(ops.relu, (2, 3)),
    row(ops.leaky_relu, (2, 3)),
    row(ops.elu, (2, 3)),
    row(ops.softplus, (2, 3)),
    row(ops.gelu, (2, 3)),
    row(ops.silu, (2, 3)),
    row(ops.softmax, (2, 3)),
    row(ops.log_softmax, (2, 3)),
    row(ops.logsumexp, (2, 3)),
    row(ops.mse, (2, 3), (2, 3)),
    row(ops.cross_entropy, (2, 3), (2, 3)),
    row(ops.softmax_cross_entropy, (2, 3), (2, 3)),
    row(ops.sigmoid_binary_cross_entropy, (2, 3), (2, 3)),
    row(ops.quadratic, (3, 2)),
    row(ops.ravine, (3, 2)),
    row(ops.rosenbrock, (3, 2)),
    row(ops.beale, (3, 2)),
    row(ops.saddle, (3, 2)),
    row(ops.plateau, (3, 2)),
    row(ops.add, (2, 3), (3,)),
    row(ops.subtract, (3,), (2, 3)),
    row(ops.multiply, (2, 1), (1, 3)),
    row(ops.divide, (2, 3), (2, 1)),
    row(ops.power, (2, 2), (2,)),
    row(ops.maximum, (2, 3), (3,)),
    row(ops.minimum, (2, 3), (3,)),
    row(ops.logaddexp, (2, 3), (3,)),
    row(ops.where, (2, 3), (3,), condition=np.array([[True, False, True], [False, True, True]])),
    row(ops.absolute, (2, 3)),
    row(ops.arccos, (2, 3)),
    row(ops.arcsin, (2, 3)),
    row(ops.arctan, (2, 3)),
    row(ops.cos, (2, 3)),
    row(ops.cosh, (2, 3)),
    row(ops.erf, (2, 3)),
    row(ops.exp2, (2, 3)),
    row(ops.expm1, (2, 3)),
    row(ops.log, (2, 3)),
    row(ops.log1p, (2, 3)),
    row(ops.log2, (2, 3)),
    row(ops.log10, (2, 3)),
    row(ops.negative, (2, 3)),
    row(ops.reciprocal, (2, 3)),
    row(ops.sinh, (2, 3)),
    row(ops.sqrt, (2, 3)),
    row(ops.tan, (2, 3)),
    row(ops.matmul, (2, 3), (3, 2)),
    row(ops.matmul, (2, 2), (2, 2)),
    row(ops.matmul, (3,), (2, 3, 2)),
    row(ops.einsum, (2, 3), (3, 2), (2,), subscripts="ij,jk,l->kl"),
    row(ops.sum, (2, 3), axis=0),
    row(ops.mean, (2, 3), axis=1, keepdims=True),
    row(ops.max, (2, 3), axis=1),
    row(ops.min, (3, 2), axis=0, keepdims=True),
    row(ops.reshape, (2, 3), shape=(3, 2)),
    row(ops.transpose, (2, 3, 2), axes=(1, 2, 0)),
    row(ops.broadcast_to, (1, 3), shape=(2, 2, 3)),
    row(ops.cast, (2, 3), dtype=float),
    row(ops.concatenate, (2, 2), (2, 1), axis=1),
    row(ops.stack, (2,), (2,), axis=1),
    row(ops.index, (3, 2), key=(slice(1, None), 0)),
    row(ops.index, (3, 2), key=[0, 2, 0]),
    row(ops.scatter, (2,), key=[2, 2], shape=(3,)),
    row(ops.batch_norm, (2, 2), (2,), (2,)),
    row(ops.batch_norm, (2, 1, 1, 2), (1,), (1,)),
    row(ops.batch_norm_inference, (2, 3), (3,), (3,), (3,), (3,)),
    row(ops.batch_norm_inference, (2, 2, 1, 2), (2,), (2,), (2,), (2,)),
    row(ops.layer_norm, (2, 3), (3,), (3,)),
    row(ops.dropout, (2, 3), (2, 3), rate=0.25),
    row(ops.conv2d, (1, 2, 3, 3), (2, 2, 2, 2), (2,), stride=(2, 1), padding=1),
    row(ops.conv2d, (2, 1, 2, 3), (2, 1, 1, 2), (2,)),
    row(ops.max_pool2d, (1, 1, 2, 4)),
    row(ops.max_pool2d, (1, 1, 2, 3), stride=1),  # windows that overlap
]


def prove_all(names: Iterable[str] | None = None) -> Iterator[Proof]:
    """Prove the catalogue's rows one by one, or only those of the named ops.

    Raises ValueError for a name that the catalogue does not have.
    """
    known = [row.op.__name__ for row in CATALOG]
    wanted = set(names or known)
    if unknown := wanted - set(known):
        raise ValueError(f"no op named {sorted(unknown)}; there are {sorted(set(known))}")
    return (row.prove() for row in CATALOG if row.op.__name__ in wanted)
