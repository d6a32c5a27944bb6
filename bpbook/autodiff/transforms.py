"""Functions of functions: from f to its gradient, its Jacobian, its Hessian-vector product.

Each takes f and returns a function of f's arguments: arrays of floats, or pytrees of them (nested
lists, tuples and dictionaries). They nest, so ``grad(grad(f))`` is a second derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpbook.autodiff.box import is_foreign, new_level, plain, unchanging
from bpbook.autodiff.dual import check_fit, floating, jvp, like, numbers
from bpbook.autodiff.tape import Tensor
from bpbook.autodiff.tree import Tree, flatten, tree_map
from bpbook.autodiff.walk import sweep

Argnums = int | tuple[int, ...]


def vjp(f: Callable) -> Callable:
    """``vjp(f)(*args)`` is (f(*args), pullback): ``pullback(u)`` is Jᵀu for each argument.

    u has the form of f's value. For one argument the pullback returns its gradient alone, otherwise
    a tuple. It may be called again and again. The cost of each call is a few evaluations of f,
    whatever the number of inputs.
    """

    def value_and_pullback(*args: Tree) -> tuple[Tree, Callable]:
        leaves, build = flatten(args)
        level = new_level()
        tensors = [Tensor(unchanging(floating("x", x)), True, level) for x in leaves]
        out = f(*build(tensors))
        outs, build_out = flatten(out)
        mine = [isinstance(y, Tensor) and y.level == level for y in outs]
        values = [y.value if m else numbers(y) for y, m in zip(outs, mine, strict=True)]

        def pullback(u: Tree) -> Tree:
            seeds = flatten(u)[0]
            check_fit("u", u, seeds, "f's value", out, values)
            totals: dict[int, Any] = {}
            for y, m, seed in zip(outs, mine, seeds, strict=True):
                if m and y.requires_grad:
                    for t, d in sweep(y, like(seed, y), retain_graph=True):
                        totals[t.index] = totals[t.index] + d if t.index in totals else d
            # A gradient may be a view of what the tape keeps, or 0 where f does not depend on x.
            grads = [_own(totals[t.index], t) if t.index in totals else _zeros(t) for t in tensors]
            result = build(grads)
            return result[0] if len(args) == 1 else result

        return build_out(values), pullback

    return value_and_pullback


def value_and_grad(f: Callable, argnums: Argnums = 0) -> Callable:
    """``value_and_grad(f)(*args)`` is f(*args) and its gradient, for f whose value is one number.

    argnums: which argument the gradient is for, or a tuple of them for a tuple of gradients. Raises
    ValueError when f's value is not a single number.
    """

    def both(*args: Tree) -> tuple[Any, Tree]:
        chosen, rest = _chosen(f, args, argnums)
        value, pullback = vjp(rest)(*chosen)
        if np.shape(value) not in ((), (1,)):
            raise ValueError(
                f"f returned shape {np.shape(value)}; a gradient belongs to a single number: "
                "reduce it, or take jacobian(f)"
            )
        return value, pullback(np.ones(np.shape(value), value.dtype))

    return both


def grad(f: Callable, argnums: Argnums = 0) -> Callable:
    """``grad(f)(*args)`` is the gradient of f, of the form of its argument; see value_and_grad."""

    def gradient(*args: Tree) -> Tree:
        return value_and_grad(f, argnums)(*args)[1]

    return gradient


def jacobian(f: Callable, argnums: int = 0) -> Callable:
    """``jacobian(f)(*args)``: ∂f_i/∂x_j, of shape f's shape + x's shape.

    x and f's value are single arrays. Reverse mode takes one walk for each output and forward mode
    one for each input; whichever are fewer decides.
    """

    def matrix(*args: Tree) -> np.ndarray:
        (x,), rest = _chosen(f, args, argnums)
        x = floating("x", x)
        value, pullback = vjp(rest)(x)
        shape, size = np.shape(value), np.size(value)
        if 0 in (size, np.size(x)):
            return np.zeros((*shape, *np.shape(x)), value.dtype)
        if size <= np.size(x):
            rows = [pullback(e) for e in _basis(shape, value.dtype)]
            return np.reshape(np.stack(rows), (*shape, *np.shape(x)))
        return _by_columns(rest, x)

    return matrix


def hvp(f: Callable) -> Callable:
    """``hvp(f)(x, v)`` is H v, H the Hessian of f at x: forward mode over reverse mode.

    x: an array or a pytree, v of the same form. H itself is never made, and the cost is a few
    gradients.
    """

    def product(x: Tree, v: Tree) -> Tree:
        return jvp(grad(f))(x, v)[1]

    return product


def hessian(f: Callable) -> Callable:
    """``hessian(f)(x)``: the second derivatives, of x's shape twice; one hvp for each column."""

    def matrix(x: np.ndarray) -> np.ndarray:
        x = floating("x", x)
        return _by_columns(grad(f), x) if np.size(x) else np.zeros(2 * np.shape(x))

    return matrix


def _by_columns(f: Callable, x: Any) -> Any:
    """∂f/∂x by forward mode, one column for each entry of x, of which there is at least one."""
    columns = [jvp(f)(x, e)[1] for e in _basis(np.shape(x), float)]
    return np.reshape(np.stack(columns, axis=-1), (*np.shape(columns[0]), *np.shape(x)))


def check_grads(
    f: Callable, *args: Tree, order: int = 2, rng: int | np.random.Generator = 0, rtol: float = 1e-6
) -> None:
    """Check f's derivatives at ``args`` along random directions, to the given order.

    Three numbers must agree to rtol: ⟨u, Jv⟩ by forward mode, ⟨Jᵀu, v⟩ by reverse mode, and by
    central differences along v. For order 2 the same is asked of the gradient x -> Jᵀu. Raises
    AssertionError that says which of them differ, and by how much.
    """
    rng = np.random.default_rng(rng)
    leaves, build = flatten(args)
    v = build([rng.normal(size=np.shape(x)).astype(np.asarray(plain(x)).dtype) for x in leaves])
    value, tangent = jvp(lambda xs: f(*xs))(args, v)
    u = tree_map(lambda y: np.asarray(rng.normal(size=np.shape(y))), value)
    forward = _inner(u, tangent)
    pulled = vjp(f)(*args)[1](u)
    reverse = _inner(pulled, v[0] if len(args) == 1 else v)
    difference = _along(lambda xs: _inner(u, tree_map(plain, f(*xs))), args, v)
    scale = max(abs(forward), abs(reverse), abs(difference), 1e-6)
    if not (abs(forward - reverse) <= rtol * scale and abs(forward - difference) <= rtol * scale):
        raise AssertionError(
            f"derivatives disagree along a random direction: forward mode {forward:.9g}, reverse "
            f"mode {reverse:.9g}, central difference {difference:.9g}"
        )
    if order > 1:
        check_grads(lambda *xs: vjp(f)(*xs)[1](u), *args, order=order - 1, rng=rng, rtol=rtol)


def _along(g: Callable, x: Tree, v: Tree) -> float:
    """dg(x + t v)/dt at 0, by differences of fourth order."""
    leaves, build = flatten(x)
    slopes, _ = flatten(v)
    h = 1e-3 / max(1.0, *(float(np.abs(s).max(initial=0)) for s in slopes))

    def at(t: float) -> float:
        # Tensors, for a Function wants them; nothing is recorded.
        moved = [Tensor(plain(a) + t * s) for a, s in zip(leaves, slopes, strict=True)]
        return float(g(build(moved)))

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def _inner(x: Tree, y: Tree) -> float:
    pairs = zip(flatten(x)[0], flatten(y)[0], strict=True)
    return float(sum(np.sum(np.asarray(a) * np.asarray(b)) for a, b in pairs))


def _chosen(f: Callable, args: tuple, argnums: Argnums) -> tuple[tuple, Callable]:
    """The arguments to differentiate, and f as a function of them whose gradient has their form."""
    single = isinstance(argnums, int)
    places = (argnums,) if single else tuple(argnums)
    if not all(-len(args) <= i < len(args) for i in places):
        raise ValueError(f"argnums = {argnums}; f was called with {len(args)} arguments")
    if len({i % len(args) for i in places}) < len(places):
        raise ValueError(f"argnums = {argnums} names an argument twice")

    def of_chosen(*some: Tree) -> Any:
        every = list(args)
        for i, x in zip(places, some if single else some[0], strict=True):
            every[i] = x
        return f(*every)

    chosen = tuple(args[i] for i in places)
    return (chosen if single else (chosen,)), of_chosen


def _basis(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = int(np.prod(shape))
    return np.eye(size, dtype=dtype).reshape(size, *shape)


def _own(d: Any, t: Tensor) -> Any:
    return d.astype(t.dtype) if is_foreign(d) else np.array(d, t.dtype)


def _zeros(t: Tensor) -> np.ndarray:
    return np.zeros(t.shape, t.dtype)
