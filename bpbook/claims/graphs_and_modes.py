"""Computational graphs, both modes of differentiation, static and dynamic graphs (section 3.1)."""

from __future__ import annotations

import graphlib
from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.autodiff import Tensor, grad, jvp, lift, static, tensor, value_and_grad, vjp
from bpbook.claims.registry import claim

SHAPES = ((1, 1), (1, 6), (6, 1), (3, 4))  # (n, m) of programs R^n -> R^m


def has_order(edges: set[tuple[int, int]], nodes: int) -> bool:
    """Whether the nodes can be listed so that every edge points forward."""
    before = {node: [a for a, b in edges if b == node] for node in range(nodes)}
    try:
        tuple(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError:
        return False
    return True


def is_acyclic(edges: set[tuple[int, int]], nodes: int) -> bool:
    """Whether no walk has as many steps as there are nodes: Aⁿ = 0."""
    A = np.zeros((nodes, nodes), int)
    for a, b in edges:
        A[a, b] = 1
    return not np.linalg.matrix_power(A, nodes).any()


def recorded(last: Tensor) -> list[tuple[int, int]]:
    """The edges of the graph that made a tensor, by the order of making."""
    edges, waiting, seen = [], [last], {last.index}
    while waiting:
        t = waiting.pop()
        for x in t.parents:
            if isinstance(x, Tensor):
                edges.append((x.index, t.index))
                if x.index not in seen:
                    seen.add(x.index)
                    waiting.append(x)
    return edges


@claim("P3.1.1-a", verdict="measured", chapter=12)
def a_program_run_is_an_acyclic_graph():
    """A graph can be computed in some order exactly if it is acyclic; a recorded run always is."""
    pairs = [*permutations(range(3), 2), (3, 0), (1, 3)]
    graphs = [set(g) for k in range(len(pairs) + 1) for g in combinations(pairs, k)]
    assert len(graphs) == 256
    assert all(has_order(g, 4) == is_acyclic(g, 4) for g in graphs)
    assert 0 < sum(has_order(g, 4) for g in graphs) < 256
    rng = np.random.default_rng(12)
    for _ in range(20):
        values = [tensor(rng.normal(), requires_grad=True) for _ in range(3)]
        for _ in range(40):
            i, j = rng.integers(len(values), size=2)
            op = (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: np.sin(a) - b)[i % 3]
            values.append(op(values[i], values[j]))
        assert all(before < after for before, after in recorded(values[-1]))
    return "256 graphs: an order exists if and only if acyclic; 20 random runs: edges point forward"


def random_program(n: int, m: int, counts: dict[str, int]) -> tuple[Callable, sp.Matrix, list]:
    """f: R^n -> R^m that counts its runs and its vjps; its Jacobian by SymPy, and the inputs."""
    rng = np.random.default_rng(n + 10 * m)
    A = rng.integers(-3, 4, size=(m, n)).astype(float)

    def sine(z):
        counts["runs"] += 1
        a, pull = ops.sin(z)

        def vjp(d):
            counts["sweeps"] += 1
            return pull(d)

        return a, vjp

    x = sp.symbols(f"x1:{n + 1}", real=True)
    rows = sp.Matrix(A.astype(int)) * sp.Matrix([sp.sin(v) * v for v in x])
    return (lambda x: A @ (lift(sine)(x) * x)), rows.jacobian(x), list(x)


def exact(J: sp.Matrix, x: list, at: np.ndarray) -> np.ndarray:
    return np.array(J.subs(dict(zip(x, at.tolist(), strict=True))).evalf(20), dtype=float)


def something_unseen(rows: int, columns: int) -> bool:
    """Whether some D (rows, columns), not 0, gives D V = 0 for ``columns − 1`` directions V."""
    V = sp.Matrix(columns, columns - 1, lambda i, j: (i + 2) ** j) if columns > 1 else None
    if V is None:
        return True
    (blind,) = V.T.nullspace()  # orthogonal to every direction
    D = sp.ones(rows, 1) * blind.T
    return D * V == sp.zeros(rows, columns - 1) and not D.is_zero_matrix


@claim("P3.1.1-b", verdict="measured", chapter=12)
def forward_mode_takes_a_sweep_for_each_input():
    """The Jacobian of R^n → R^m takes n runs of the program with dual numbers, whatever m is.

    Fewer directions cannot be enough: they leave a matrix unseen, which could be added to J.
    """
    for n, m in SHAPES:
        counts = {"runs": 0, "sweeps": 0}
        f, J, x = random_program(n, m, counts)
        at = np.linspace(-1, 1, n) + 0.3
        found = np.stack([jvp(f)(at, e)[1] for e in np.eye(n)], axis=1)
        assert np.allclose(found, exact(J, x, at), rtol=0, atol=1e-12)
        assert counts["runs"] == n
        assert something_unseen(m, n)
    return "n runs for (n, m) = (1, 1), (1, 6), (6, 1), (3, 4): 1, 1, 6, 3; n − 1 leave ΔJ unseen"


@claim("P3.1.1-c", verdict="measured", chapter=12)
def reverse_mode_takes_a_sweep_for_each_output():
    """The Jacobian takes one run and m sweeps back, whatever n is: one for the gradient of a loss.

    Fewer sweeps cannot be enough: they see Jᵀ in fewer than m directions.
    """
    for n, m in SHAPES:
        counts = {"runs": 0, "sweeps": 0}
        f, J, x = random_program(n, m, counts)
        at = np.linspace(-1, 1, n) + 0.3
        _, pullback = vjp(f)(at)
        found = np.stack([pullback(e) for e in np.eye(m)])
        assert np.allclose(found, exact(J, x, at), rtol=0, atol=1e-12)
        assert counts == {"runs": 1, "sweeps": m}
        assert something_unseen(n, m)
    return "one run; sweeps for (n, m) = (1, 1), (1, 6), (6, 1), (3, 4): 1, 6, 1, 4"


@claim("P3.1.2-a", verdict="measured", chapter=12)
def a_static_graph_is_defined_once_and_run_often():
    """Traced once, run on other numbers; constants folded, dead steps dropped; no numbers to see.

    What is harder to debug: while the graph is defined, a print shows a stand-in without numbers.
    """
    runs, seen = [], []

    def loss(w):
        runs.append(1)
        seen.append(w)
        scale = np.sqrt(np.float64(2)) * np.pi  # the same at each run
        np.exp(w)  # nobody reads it
        return (np.sin(w) * scale).sum()

    compiled = static.compile(value_and_grad(loss), np.ones(3))
    assert len(runs) == 1
    for w in (np.array([0.1, 0.2, 0.3]), np.array([-1.0, 0.0, 5.0])):
        value, gradient = compiled(w)
        assert np.isclose(value, (np.sin(w) * np.sqrt(2) * np.pi).sum(), rtol=1e-14)
        assert np.allclose(gradient, np.cos(w) * np.sqrt(2) * np.pi, rtol=1e-14)
    assert len(runs) == 1
    names = [v.name for v in compiled.plan.steps]
    assert not {"sqrt", "exp"} & set(names)
    refusal = ""
    try:
        float(seen[0].value[0])
    except TypeError as error:
        refusal = str(error)
    assert "not known" in refusal, "a traced array told a number"
    return f"traced once, run twice; {len(names)} steps, without sqrt and exp; no numbers seen"


def until_small(w, z=1.0):
    """w multiplied by itself until the product is at most 0.1: as often as w demands."""
    while z > 0.1:
        z = z * w
    return z


@claim("P3.1.2-b", verdict="measured", chapter=12)
def a_dynamic_graph_follows_the_data():
    """``while z > 0.1: z = z·w`` from z = 1: dz/dw = k w^(k−1), with k as the data has it.

    At w = 0.5 the loop runs k = 4 times and the slope is 0.5. A static graph must refuse.
    """
    w, k = sp.symbols("w k", positive=True)
    assert sp.simplify(sp.diff(w**k, w) - k * w ** (k - 1)) == 0
    steps = {0.2: 2, 0.5: 4, 0.8: 11}
    for at, turns in steps.items():
        t = tensor(at, requires_grad=True)
        z = until_small(t)
        z.backward()
        assert np.isclose(float(z), at**turns, rtol=1e-14)
        assert np.isclose(float(t.grad), turns * at ** (turns - 1), rtol=1e-14)
    assert float(grad(until_small)(np.array(0.5))) == 0.5
    refusal = ""
    try:
        static.compile(until_small, np.array(0.5))
    except TypeError as error:
        refusal = str(error)
    assert "branch" in refusal, "the static graph took the way of its example for a law"
    return "k = 2, 4, 11 at w = 0.2, 0.5, 0.8; slope 0.5 at 0.5; the static graph refuses"
