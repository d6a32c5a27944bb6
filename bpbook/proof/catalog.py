"""Every op of the package with the shapes on which ``bpbook prove`` proves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bpbook import ops
from bpbook.proof.prove import Proof, Shape, prove

CATALOG: list[tuple[Callable, tuple[Shape, ...]]] = [
    (ops.affine, ((2, 3), (4, 3), (4,))),
    (ops.affine, ((3, 2), (2, 2), (2,))),  # a square W: a missing transpose has the right shape
    (ops.identity, ((2, 3),)),
    (ops.square, ((2, 3),)),
    (ops.sin, ((2, 3),)),
    (ops.exp, ((2, 3),)),
    (ops.sigmoid, ((2, 3),)),
    (ops.tanh, ((2, 3),)),
    (ops.relu, ((2, 3),)),
    (ops.leaky_relu, ((2, 3),)),
    (ops.elu, ((2, 3),)),
    (ops.softplus, ((2, 3),)),
    (ops.gelu, ((2, 3),)),
    (ops.silu, ((2, 3),)),
    (ops.softmax, ((2, 3),)),
    (ops.log_softmax, ((2, 3),)),
    (ops.logsumexp, ((2, 3),)),
    (ops.mse, ((2, 3), (2, 3))),
    (ops.cross_entropy, ((2, 3), (2, 3))),
    (ops.softmax_cross_entropy, ((2, 3), (2, 3))),
    (ops.sigmoid_binary_cross_entropy, ((2, 3), (2, 3))),
    (ops.quadratic, ((3, 2),)),
    (ops.ravine, ((3, 2),)),
    (ops.rosenbrock, ((3, 2),)),
    (ops.beale, ((3, 2),)),
    (ops.saddle, ((3, 2),)),
    (ops.plateau, ((3, 2),)),
]


def prove_all(names: Iterable[str] | None = None) -> Iterator[Proof]:
    """Prove the catalogue's rows one by one, or only those of the named ops.

    Raises ValueError for a name that the catalogue does not have.
    """
    known = [op.__name__ for op, _ in CATALOG]
    wanted = set(names or known)
    if unknown := wanted - set(known):
        raise ValueError(f"no op named {sorted(unknown)}; there are {sorted(set(known))}")
    return (prove(op, *shapes) for op, shapes in CATALOG if op.__name__ in wanted)
