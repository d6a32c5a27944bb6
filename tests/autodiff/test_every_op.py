"""Every op lifted: the tape, forward mode and second order, by complex steps and by PyTorch."""

from functools import partial

import numpy as np
import pytest
from ops.test_oracles import CASES, COMPLEX, LANDSCAPES

from bpbook import ops
from bpbook.autodiff import grad, hvp, jvp, lift, value_and_grad

try:
    import torch
    from torch.nn import functional as TF
except ImportError:
    torch = TF = None

everywhere = pytest.mark.parametrize("name", CASES)


def directions(arrays, seed):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=x.shape).astype(x.dtype) for x in arrays)


def weighted(op, arguments):
    """Σ u ⊙ op(arguments) as a function of the tuple of arguments, u random; and u."""
    u = np.random.default_rng(1).normal(size=np.shape(op(*arguments)[0]))
    u = u.astype(arguments[0].dtype)
    return lambda xs: (u * lift(op)(*xs)).sum(), u


def close(got, want, rtol):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * (1 + np.abs(b).max()))


@pytest.mark.parametrize("name", COMPLEX)
def test_forward_mode_and_second_order_equal_complex_steps(name):
    """A step of 1e-30 i along v, in the op for Jv and in its own vjp for the derivative of Jᵀu."""
    op, arguments = CASES[name]
    v = directions(arguments, 2)
    f, u = weighted(op, arguments)
    out, vjp = op(*(x + 1e-30j * t for x, t in zip(arguments, v, strict=True)))
    tangent = jvp(lambda xs: lift(op)(*xs))(arguments, v)[1]
    close([tangent], [np.imag(out) / 1e-30], 1e-12)
    pulled = vjp(u)
    pulled = pulled if isinstance(pulled, tuple) else (pulled,)
    close(hvp(f)(arguments, v), [np.imag(g) / 1e-30 for g in pulled], 1e-11)


@everywhere
def test_the_hessian_of_a_square_is_that_of_the_product_rule(name):
    """∇²f² v = 2 (∇f·v) ∇f + 2 f ∇²f v: what reaches the op's vjp depends on the point too."""
    op, arguments = CASES[name]
    v = directions(arguments, 2)
    f, _ = weighted(op, arguments)
    value, gradient = value_and_grad(f)(arguments)
    slope = jvp(f)(arguments, v)[1]
    want = [
        2 * (slope * g + value * s) for g, s in zip(gradient, hvp(f)(arguments, v), strict=True)
    ]
    close(hvp(lambda xs: f(xs) ** 2)(arguments, v), want, 1e-11)


@everywhere
def test_both_orders_and_modes_keep_float32(name):
    op, arguments = CASES[name]
    arguments = tuple(x.astype(np.float32) for x in arguments)
    if name == "cast":
        op = partial(ops.cast, dtype=np.float32)
    f, _ = weighted(op, arguments)
    v = directions(arguments, 2)
    value, gradient = value_and_grad(f)(arguments)
    found = [value, *gradient, *jvp(f)(arguments, v), *hvp(f)(arguments, v)]
    assert {x.dtype for x in found} == {np.dtype(np.float32)}


def in_torch(name):
    """The op of this name in PyTorch, with the settings of its case."""
    op = CASES[name][0]
    settings = getattr(op, "keywords", {})
    fixed = {key: torch.tensor(x) for key, x in settings.items() if isinstance(x, np.ndarray)}
    special = {
        "identity": lambda z: z,
        "softmax": lambda z: torch.softmax(z, -1),
        "log_softmax": lambda z: torch.log_softmax(z, -1),
        "logsumexp": lambda z: torch.logsumexp(z, -1),
        "power": torch.pow,
        "where": lambda x, y: torch.where(fixed["condition"], x, y),
        "einsum": lambda *xs: torch.einsum(settings["subscripts"], *xs),
        "sum": lambda x: x.sum(settings["axis"]),
        "mean": lambda x: x.mean(settings["axis"], settings["keepdims"]),
        "max": lambda x: x.amax(settings["axis"]),
        "min": lambda x: x.amin(),
        "transpose": lambda x: x.permute(settings["axes"]),
        "cast": lambda x: x.double(),
        "concatenate": lambda *xs: torch.cat(xs, settings["axis"]),
        "stack": lambda *xs: torch.stack(xs, settings["axis"]),
        "index": lambda x: x[settings["key"]],
        "scatter": lambda d: d.new_zeros(6, 4).index_add(0, torch.tensor(settings["key"]), d),
        "affine": lambda *xs: TF.linear(*xs),
        "mse": lambda a: 0.5 * ((a - fixed["Y"]) ** 2).sum() / len(a),
        "cross_entropy": lambda p: -(fixed["Y"] * p.log()).sum() / len(p),
        "softmax_cross_entropy": lambda z: TF.cross_entropy(z, fixed["Y"]),
        "sigmoid_binary_cross_entropy": lambda z: (
            TF.binary_cross_entropy_with_logits(z, fixed["Y"].double(), reduction="sum") / len(z)
        ),
        "batch_norm": lambda z, *scale: TF.batch_norm(z, None, None, *scale, training=True),
        "layer_norm": lambda z, *scale: TF.layer_norm(z, z.shape[-1:], *scale),
        "dropout": lambda z: z * fixed["mask"] / (1 - settings["rate"]),
        "conv2d": lambda *xs: TF.conv2d(*xs, **settings),
        "max_pool2d": lambda x: TF.max_pool2d(x, settings["size"], settings["stride"]),
    }
    if name in special:
        return special[name]
    if name in ("reshape", "broadcast_to"):
        return lambda x: getattr(torch, name)(x, settings["shape"])
    return getattr(torch, name, None) or getattr(TF, name)


ONLY_OURS = {op.__name__ for op in LANDSCAPES} | {"batch_norm_inference"}


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", [name for name in CASES if name not in ONLY_OURS])
def test_value_gradient_jvp_and_hvp_equal_pytorchs(name):
    op, arguments = CASES[name]
    v = directions(arguments, 2)
    f, u = weighted(op, arguments)
    leaves = [torch.tensor(x, requires_grad=True) for x in arguments]
    total = (torch.tensor(u) * in_torch(name)(*leaves)).sum()
    gradient = torch.autograd.grad(total, leaves, create_graph=True)
    slope = sum((g * torch.tensor(t)).sum() for g, t in zip(gradient, v, strict=True))
    second = [np.zeros_like(x) for x in arguments]
    if slope.requires_grad:
        found = torch.autograd.grad(slope, leaves, allow_unused=True)
        second = [
            x if s is None else s.numpy(force=True) for x, s in zip(second, found, strict=True)
        ]
    first = [g.detach().numpy() for g in gradient]
    close([f(arguments)], [total.item()], 1e-12)
    close(grad(f)(arguments), first, 1e-11)
    close([jvp(f)(arguments, v)[1]], [slope.item()], 1e-10)
    close(hvp(f)(arguments, v), second, 1e-10)
