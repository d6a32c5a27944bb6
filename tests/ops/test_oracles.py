"""Every op against three oracles: SymPy, finite differences, the adjoint identity."""

from functools import partial
from inspect import signature

import numpy as np
import pytest

from bpbook import ops
from bpbook.nets import check_directions, complex_step, numeric_gradient
from bpbook.proof.catalog import CATALOG

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 4))
ONE_HOT = np.eye(4)[[2, 0, 3]]
XY = RNG.normal(size=(3, 2))
LANDSCAPES = [ops.quadratic, ops.ravine, ops.rosenbrock, ops.beale, ops.saddle, ops.plateau]
ELEMENTWISE = [getattr(ops, name) for name in ops.elementwise.__dict__ if name in ops.__all__]
EVERYWHERE = [ops.absolute, ops.arctan, ops.cos, ops.cosh, ops.erf, ops.exp2, ops.expm1]
EVERYWHERE += [ops.negative, ops.sinh, ops.tan]
POSITIVE = [ops.log, ops.log1p, ops.log2, ops.log10, ops.reciprocal, ops.sqrt]
BINARY = [ops.add, ops.subtract, ops.multiply, ops.divide, ops.maximum, ops.minimum, ops.logaddexp]

# (op of its differentiable arguments alone, those arguments)
CASES = {
    op.__name__: (op, (Z,)) for op in [*ELEMENTWISE, ops.softmax, ops.log_softmax, ops.logsumexp]
}
CASES |= {op.__name__: (op, (XY,)) for op in LANDSCAPES}
CASES |= {op.__name__: (op, (Z,)) for op in EVERYWHERE}
CASES |= {op.__name__: (op, (np.tanh(Z),)) for op in (ops.arccos, ops.arcsin)}
CASES |= {op.__name__: (op, (np.exp(Z),)) for op in POSITIVE}
CASES |= {op.__name__: (op, (Z, RNG.normal(size=(3, 1)))) for op in BINARY}
CASES |= {
    "power": (ops.power, (np.exp(Z), RNG.normal(size=4))),
    "where": (
        partial(ops.where, condition=RNG.normal(size=(2, 3, 4)) > 0),
        (Z, RNG.normal(size=4)),
    ),
    "matmul": (ops.matmul, (RNG.normal(size=(2, 1, 3, 4)), RNG.normal(size=(5, 4, 2)))),
    "einsum": (
        partial(ops.einsum, subscripts="bij,jk,m->kb"),
        (RNG.normal(size=(2, 3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=3)),
    ),
    "sum": (partial(ops.sum, axis=(0, -1)), (RNG.normal(size=(2, 3, 4)),)),
    "mean": (partial(ops.mean, axis=1, keepdims=True), (RNG.normal(size=(2, 3, 4)),)),
    "max": (partial(ops.max, axis=(0, 2)), (RNG.normal(size=(2, 3, 5)),)),
    "min": (ops.min, (RNG.normal(size=(2, 3, 5)),)),
    "reshape": (partial(ops.reshape, shape=(2, -1)), (Z,)),
    "transpose": (partial(ops.transpose, axes=(1, -1, 0)), (RNG.normal(size=(2, 3, 4)),)),
    "broadcast_to": (partial(ops.broadcast_to, shape=(2, 3, 4)), (RNG.normal(size=(3, 1)),)),
    "cast": (partial(ops.cast, dtype=np.float64), (Z,)),
    "concatenate": (partial(ops.concatenate, axis=-1), (Z, RNG.normal(size=(3, 2)))),
    "stack": (partial(ops.stack, axis=1), (Z, RNG.normal(size=(3, 4)))),
    "index": (partial(ops.index, key=([0, 2, 0], slice(None, None, 2))), (Z,)),
    "scatter": (partial(ops.scatter, key=[4, 1, 4], shape=(6, 4)), (Z,)),
}
CASES |= {
    "affine": (ops.affine, (Z, RNG.normal(size=(2, 4)), RNG.normal(size=2))),
    "mse": (partial(ops.mse, Y=RNG.normal(size=Z.shape)), (Z,)),
    "cross_entropy": (partial(ops.cross_entropy, Y=ONE_HOT), (ops.softmax(Z)[0],)),
    "softmax_cross_entropy": (partial(ops.softmax_cross_entropy, Y=ONE_HOT), (Z,)),
    "sigmoid_binary_cross_entropy": (
        partial(ops.sigmoid_binary_cross_entropy, Y=RNG.integers(0, 2, Z.shape)),
        (Z,),
    ),
}
IMAGES, STATISTICS = RNG.normal(size=(2, 3, 4, 5)), np.exp(RNG.normal(size=(2, 3)))
CASES |= {
    "batch_norm": (ops.batch_norm, (IMAGES, RNG.normal(size=3), RNG.normal(size=3))),
    "batch_norm_inference": (
        lambda z, gamma, beta: ops.batch_norm_inference(
            z, gamma, beta, *STATISTICS.astype(z.dtype)
        ),
        (IMAGES, RNG.normal(size=3), RNG.normal(size=3)),
    ),
    "layer_norm": (ops.layer_norm, (IMAGES, RNG.normal(size=5), RNG.normal(size=5))),
    "dropout": (partial(ops.dropout, mask=RNG.random(Z.shape) < 0.6, rate=0.4), (Z,)),
    "conv2d": (
        partial(ops.conv2d, stride=(1, 2), padding=(0, 1)),
        (IMAGES, RNG.normal(size=(2, 3, 3, 2)), RNG.normal(size=2)),
    ),
    "max_pool2d": (partial(ops.max_pool2d, size=(2, 3), stride=(1, 2)), (IMAGES,)),
}
COMPLEX = (
    "affine",
    "identity",
    "square",
    "sin",
    "exp",
    "tanh",
    "softmax",
    "log_softmax",
    "logsumexp",
    "mse",
    "cross_entropy",
    *(op.__name__ for op in [*LANDSCAPES, *POSITIVE]),
    *[
        "add",
        "subtract",
        "multiply",
        "divide",
        "power",
        "matmul",
        "einsum",
        "sum",
        "mean",
        "reshape",
        "transpose",
    ],
    *[
        "broadcast_to",
        "concatenate",
        "stack",
        "index",
        "scatter",
        "where",
        "cos",
        "cosh",
        "sinh",
        "tan",
        "arctan",
        "batch_norm",
        "batch_norm_inference",
        "layer_norm",
        "dropout",
        "conv2d",
    ],
)
everywhere = pytest.mark.parametrize("name", CASES)


def gradients(vjp, seed):
    result = vjp(seed)
    return result if isinstance(result, tuple) else (result,)


def seed_like(out):
    return np.random.default_rng(1).normal(size=np.shape(out))


def test_every_op_is_here_and_in_the_catalogue():
    names = set(ops.__all__) - {"OneHot"}
    assert set(CASES) == names
    assert {row.op.__name__ for row in CATALOG} == names


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.op.__name__)
def test_sympy_proves_the_vjp(row):
    proof = row.prove()
    assert proof, proof
    assert proof.entries >= np.prod(row.shapes[0])


@everywhere
def test_vjp_equals_central_differences(name):
    op, arguments = CASES[name]
    out, vjp = op(*arguments)
    u = seed_like(out)
    for i, grad in enumerate(gradients(vjp, u)):

        def f(x, i=i):
            moved = [*arguments[:i], x, *arguments[i + 1 :]]
            return (u * op(*moved)[0]).sum()

        assert grad.shape == arguments[i].shape
        np.testing.assert_allclose(grad, numeric_gradient(f, arguments[i]), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", COMPLEX)
def test_vjp_equals_complex_step(name):
    """Im f(x + ih)/h has no difference to cancel, so it is exact to rounding."""
    op, arguments = CASES[name]
    out, vjp = op(*arguments)
    u = seed_like(out)
    for i, grad in enumerate(gradients(vjp, u)):

        def f(x, i=i):
            moved = [*arguments[:i], x, *arguments[i + 1 :]]
            return (u * op(*moved)[0]).sum()

        np.testing.assert_allclose(grad, complex_step(f, arguments[i]), rtol=1e-13, atol=1e-14)


@everywhere
def test_adjoint_identity(name):
    """⟨u, Jv⟩ = ⟨Jᵀu, v⟩ along random directions, for all arguments at once."""
    op, arguments = CASES[name]
    report = check_directions(op, *arguments)
    assert report, report


@pytest.mark.parametrize("name", [name for name in CASES if name != "cast"])
def test_float32_stays_float32(name):
    op, arguments = CASES[name]
    out, vjp = op(*(x.astype(np.float32) for x in arguments))
    assert out.dtype == np.float32
    for g in gradients(vjp, seed_like(out).astype(np.float32)):
        assert g.dtype == np.float32


@pytest.mark.parametrize("name", [name for name in CASES if name != "scatter"])
def test_every_argument_must_have_a_floating_dtype(name):
    op, arguments = CASES[name]
    for i, x in enumerate(arguments):
        given = [*arguments[:i], x.astype(int), *arguments[i + 1 :]]
        first, *more = signature(op).parameters.values()
        several = first.kind is first.VAR_POSITIONAL
        named = rf"{first.name}\[{i}\]" if several else [first, *more][i].name
        with pytest.raises(ValueError, match=f"^{named} has dtype int64; derivatives need a float"):
            op(*given)


@everywhere
def test_inputs_are_left_alone(name):
    op, arguments = CASES[name]
    before = [x.copy() for x in arguments]
    out, vjp = op(*arguments)
    u = seed_like(out)
    kept = u.copy()
    vjp(u)
    for x, y in zip([*arguments, u], [*before, kept], strict=True):
        np.testing.assert_array_equal(x, y)
