"""What backpropagation reaches beyond layers (§0, §7): any acyclic graph, a tape, duality."""

from __future__ import annotations

import graphlib
from collections.abc import Callable

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.backward import gap
from bpbook.claims.registry import claim
from bpbook.nets import MLP
from bpbook.proof import symbols
from bpbook.proof.zero import is_zero


class Tape:
    """Reverse-mode differentiation of any program made of ops, in a few lines.

    ``run`` records (inputs, vjp) of each op; the order of recording is a topological order, so
    ``gradients`` plays it backwards and sums what arrives at each value.
    """

    def __init__(self, *leaves: np.ndarray) -> None:
        self.values, self.steps = list(leaves), []

    def run(self, op: Callable, *inputs: int) -> int:
        out, vjp = op(*(self.values[i] for i in inputs))
        self.values.append(out)
        self.steps.append((len(self.values) - 1, inputs, vjp))
        return len(self.values) - 1

    def gradients(self) -> list:
        grads = [0.0] * len(self.values)
        grads[-1] = np.ones_like(self.values[-1])
        for out, inputs, vjp in reversed(self.steps):
            found = vjp(grads[out])
            found = found if isinstance(found, tuple) else (found,)
            for i, part in zip(inputs, found, strict=True):
                grads[i] = grads[i] + part
        return grads


@claim("P0-a", verdict="measured", chapter=3)
def a_tape_that_knows_only_ops_is_backpropagation():
    """Reverse-mode differentiation of the recorded program gives δ aᵀ and δ, layer by layer."""
    net = MLP((3, 5, 2), loss=ops.mse, rng=5)
    rng = np.random.default_rng(5)
    X, Y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    tape = Tape(X, net.W[0], net.b[0], net.W[1], net.b[1])
    hidden = tape.run(ops.tanh, tape.run(ops.affine, 0, 1, 2))
    tape.run(lambda z: ops.mse(z, Y), tape.run(ops.affine, hidden, 3, 4))
    recorded = np.concatenate([np.ravel(g) for g in tape.gradients()[1:5]])
    _, grad = net.loss_and_grad(X, Y)
    assert gap(recorded, grad) < 1e-15
    # A value used twice: the tape adds both paths, which a layer's formula does not show.
    twice = Tape(np.array([[0.5, -1.0]]))
    twice.run(ops.sum, twice.run(ops.multiply, 0, 0))
    assert gap(twice.gradients()[0], 2 * twice.values[0]) == 0
    return "3-5-2: the tape's gradient and δ aᵀ agree to 1e-15 in all 32 entries; x·x gives 2x"


def _derivative_after(steps: int, w: float, x: float) -> float:
    """dh/dw of h ← tanh(w h + x) repeated from 0, by a complex step, which takes no calculus."""
    h = 0j
    for _ in range(steps):
        h = np.tanh((w + 1e-30j) * h + x)
    return h.imag / 1e-30


@claim("Q0-c", verdict="qualified", chapter=3)
def any_acyclic_graph_of_almost_everywhere_differentiable_ops():
    """Backpropagation needs an order in which to sweep: an acyclic graph, differentiable ops.

    A cycle has no such order: it is unrolled in time, or differentiated implicitly at its fixed
    point. At a kink there is no derivative, and a value between the slopes is chosen.
    """
    try:
        list(graphlib.TopologicalSorter({"a": {"h"}, "h": {"a"}}).static_order())
        raise AssertionError("a cycle has no topological order")
    except graphlib.CycleError:
        pass
    h, w, x = sp.symbols("h w x", real=True)
    fixed_point = h - sp.tanh(w * h + x)
    slope = -fixed_point.diff(w) / fixed_point.diff(h)
    at = float(sp.nsolve(fixed_point.subs({w: 0.5, x: 0.3}), h, 0.5))
    implicit = float(slope.subs({w: 0.5, x: 0.3, h: at}))
    errors = [abs(_derivative_after(n, 0.5, 0.3) - implicit) for n in (1, 5, 10, 60)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-14
    step, zero = 1e-6, np.zeros(1)
    sides = [float((ops.relu(zero + s)[0] / s)[0]) for s in (-step, step)]
    chosen = float(ops.relu(zero)[1](np.ones(1))[0])
    assert np.allclose(sides, [0, 1])
    assert sides[0] <= chosen <= sides[1]
    return (
        f"CycleError; unrolled 60 times dh/dw = {implicit:.4f}, as implicit; relu'(0): 0 of [0, 1]"
    )


@claim("P7-a", verdict="proved", chapter=3)
def forward_and_backward_are_dual():
    """⟨Jv, u⟩ = ⟨v, Jᵀu⟩: pushing a change forward and pulling a slope back measure one number."""
    A, B = symbols("A", 3, 2), symbols("B", 2, 3)  # the Jacobians of two steps, one after the other
    v, u = symbols("v", 2), symbols("u", 2)
    assert is_zero((u * (B @ (A @ v))).sum()[()] - (v * (A.T @ (B.T @ u))).sum()[()])
    z, d, w = symbols("z", 1, 3), symbols("d", 1, 3), symbols("w", 1, 3)
    p, vjp = ops.softmax(z)
    J = sp.Matrix(list(p.flat)).jacobian(list(z.flat))
    pushed = sp.Matrix([list(w.flat)]) * J * sp.Matrix(list(d.flat))
    assert is_zero(pushed[0] - (d * vjp(w)).sum()[()])
    net, rng = MLP((64, 64, 10), rng=6), np.random.default_rng(6)
    X, Y, change = rng.normal(size=(5, 64)), np.eye(10)[:5], rng.normal(size=net.theta.size)
    _, grad = net.loss_and_grad(X, Y)
    # A change of size 1e-30 along v in the imaginary part is pushed through the net, exactly.
    Jv = net.op(net.theta + 1e-30j * change, X, Y)[0].imag / 1e-30
    assert abs(Jv - grad @ change) < 1e-12 * np.linalg.norm(grad) * np.linalg.norm(change)
    return "two steps, and softmax: difference exactly 0; 64-64-10: Jv − ⟨∇L, v⟩ below 1e-12"
