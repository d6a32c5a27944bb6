"""Momentum and Nesterov's look-ahead (§2.3.2)."""

from __future__ import annotations

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.indexed import I
from bpbook.claims.registry import claim
from bpbook.theory.landscapes import walk
from bpbook.training import SGD, Momentum, Nesterov

MU, ETA, LAMBDA = sp.symbols("mu eta lambda", positive=True)
V, THETA = sp.symbols("v theta")
T = sp.Symbol("t", integer=True, positive=True)
G = sp.IndexedBase("g")  # g[k], the gradient at θ after k steps


def heavy_ball_matrix(learning_rate, curvature, momentum):
    """The step of momentum on λθ²/2 as a matrix on (v, θ)."""
    return _step_matrix(momentum * V + learning_rate * curvature * THETA)


def nesterov_matrix(learning_rate, curvature, momentum):
    """The same for Nesterov, whose gradient is taken at θ − μv."""
    ahead = THETA - momentum * V
    return _step_matrix(momentum * V + learning_rate * curvature * ahead)


def _step_matrix(next_v):
    return sp.Matrix([next_v, THETA - next_v]).jacobian([V, THETA])


def _parabola(theta: np.ndarray):
    return (theta * theta).sum() / 2, lambda dvalue=1.0: dvalue * theta


@claim("E2.3.2-a", verdict="proved", chapter=10)
def the_velocity_is_the_last_step():
    """v ← μv + ηg and θ ← θ − v say θ_{t+1} − θ_t = μ(θ_t − θ_{t−1}) − ηg: the heavy ball."""
    v, theta, g = sp.symbols("v theta g")
    next_v = MU * v + ETA * g
    now, after, before = theta, theta - next_v, theta + v  # θ_t = θ_{t−1} − v_t
    assert sp.expand((after - now) - (MU * (now - before) - ETA * g)) == 0
    path = walk(Momentum(0.125, 0.5), _parabola, [1.0], 20)[:, 0]
    steps = np.diff(path)
    assert (steps[1:] == 0.5 * steps[:-1] - 0.125 * path[1:-1]).all()
    return "exactly, for any gradient; 20 steps of Momentum obey it to the last bit"


@claim("E2.3.2-b", verdict="proved", chapter=10)
def the_rate_stands_inside_the_velocity():
    """θ ← θ − v with η inside v is PyTorch's θ ← θ − ηu, u ← μu + g, while η stays the same."""
    u, g, changed = sp.symbols("u g eta_1", positive=True)
    inside, outside = MU * (ETA * u) + ETA * g, ETA * (MU * u + g)  # with v = ηu
    assert sp.expand(inside - outside) == 0
    after_a_change = MU * (ETA * u) + changed * g - changed * (MU * u + g)
    assert sp.factor(after_a_change) == MU * u * (ETA - changed)
    here, optimizer, there, velocity, gaps = np.ones(1), Momentum(0.1, 0.9), 1.0, 0.0, []
    for t in range(5):  # on θ²/2, whose gradient is θ
        optimizer.learning_rate = 0.1 if t < 3 else 0.01
        optimizer.step(here, here.copy())
        velocity = 0.9 * velocity + there
        there -= optimizer.learning_rate * velocity
        gaps.append(abs(here[0] - there))
    assert max(gaps[:3]) < 1e-15
    assert gaps[4] > 0.1
    return f"same for one η; with η = 0.1, then 0.01: {here[0]:.4f} inside, {there:.4f} outside"


@claim("P2.3.2-a", verdict="qualified", chapter=10)
def momentum_helps_in_a_ravine_and_oscillates_when_too_large():
    """Eigenvalues are complex, of modulus √μ, where (1 − √μ)² < ηλ < (1 + √μ)²; then it swings.

    At its best rate a ravine of condition κ costs (√κ − 1)/(√κ + 1) a step, not (κ − 1)/(κ + 1).
    """
    M, root = heavy_ball_matrix(ETA, LAMBDA, MU), sp.sqrt(MU)
    discriminant = M.trace() ** 2 - 4 * M.det()
    edges = (1 - root) ** 2 - ETA * LAMBDA, (1 + root) ** 2 - ETA * LAMBDA
    assert sp.simplify(discriminant - edges[0] * edges[1]) == 0
    assert sp.simplify(M.det() - MU) == 0  # the product of a complex pair: its modulus squared
    calm, wild = (walk(Momentum(0.1, mu), _parabola, [1.0], 100)[:, 0] for mu in (0.0, 0.99))
    crossings = [int((np.diff(np.sign(x)) != 0).sum()) for x in (calm, wild)]
    assert crossings == [0, 10]
    assert abs(wild[-1]) > 1e4 * abs(calm[-1])
    start = [-3.0, -2.0]
    plain = walk(SGD(2 / 101), ops.ravine, start, 200)[-1]
    ball = walk(Momentum(4 / 121, (9 / 11) ** 2), ops.ravine, start, 200)[-1]
    assert np.linalg.norm(plain) > 0.01
    assert np.linalg.norm(ball) < 1e-14
    return "κ = 100, 200 steps: descent > 1e-2, momentum < 1e-14; μ = 0.99 on a bowl: 10 swings"


def unrolled(t, last):
    """η Σ_{i=0}^{last} μⁱ g_{t−1−i}, in symbols."""
    return ETA * sp.Sum(MU**I * G[t - 1 - I], (I, 0, last))


@claim("E2.3.2-c", verdict="refuted", chapter=10)
def the_unrolled_velocity_ends_at_t_minus_1():
    """v_t = η Σ_{i=0}^{t−1} μⁱ g_{t−1−i} from v_0 = 0; a limit t needs a gradient at step −1.

    Induction: the first term is ηg_{t−1}, the others are μ v_{t−1} with the index moved by one.
    """
    previous = sp.Sum(MU ** (I + 1) * G[T - 2 - I], (I, 0, T - 2))  # μ v_{t−1}/η
    others = sp.Sum(MU**I * G[T - 1 - I], (I, 1, T - 1))  # v_t/η without its first term
    assert previous.change_index(I, I + 1, I) == others
    for steps in range(1, 6):
        v = 0
        for k in range(steps):
            v = MU * v + ETA * G[k]
        assert sp.expand(unrolled(steps, steps - 1).doit() - v) == 0
        extra = sp.expand(unrolled(steps, steps).doit() - v)
        assert extra == ETA * MU**steps * G[-1]
    return "induction for every t; t = 1 … 5 term by term: the printed limit adds ημᵗ g₍₋₁₎"


@claim("Q2.3.2-a", verdict="qualified", chapter=10)
def the_velocity_is_a_sum_not_an_average():
    """The weights μⁱ add up to (1 − μᵗ)/(1 − μ), which tends to 10 for μ = 0.9, not to 1."""
    mu = sp.Symbol("mu", positive=True)
    total = sp.summation(mu**I, (I, 0, T - 1))
    assert sp.simplify(total.args[-1][0] - (1 - mu**T) / (1 - mu)) == 0  # the branch μ ≠ 1
    theta, optimizer = np.zeros(1), Momentum(0.1, 0.9)
    for _ in range(400):
        before = theta.copy()
        optimizer.step(theta, np.ones(1))
    step = (before - theta)[0]
    assert abs(step - 1.0) < 1e-12
    return "constant gradient 1, η = 0.1, μ = 0.9: the step grows to 1.0, ten times η"


@claim("E2.3.2-d", verdict="proved", chapter=10)
def nesterov_looks_ahead():
    """With φ = θ − μv the gradient at the point ahead is the gradient at φ, the point held."""
    v, theta, g = sp.symbols("v theta g")  # g: the gradient at φ = θ − μv
    phi, next_v = theta - MU * v, MU * v + ETA * g
    next_phi = (theta - next_v) - MU * next_v
    assert sp.expand(next_phi - (phi - ETA * g - MU * next_v)) == 0
    held, optimizer = np.array([1.0, 1.0]), Nesterov(0.02, 0.9)
    theta, v = held.copy(), np.zeros(2)
    for _ in range(100):
        v = 0.9 * v + 0.02 * ops.ravine(theta - 0.9 * v)[1](1.0)
        theta = theta - v
        optimizer.step(held, ops.ravine(held)[1](1.0))
        assert np.abs(held + 0.9 * optimizer.state["v"] - theta).max() < 1e-13
    return "exactly, for any gradient; 100 steps in the ravine agree to 1e-13"


@claim("E2.3.2-e", verdict="proved", chapter=10)
def nesterov_damps_what_momentum_lets_swing():
    """On λθ²/2 the step has determinant μ(1 − ηλ), where momentum has μ: steep ways swing less."""
    M = nesterov_matrix(ETA, LAMBDA, MU)
    assert sp.simplify(M.det() - MU * (1 - ETA * LAMBDA)) == 0
    assert sp.simplify(M.trace() - (1 + MU) * (1 - ETA * LAMBDA)) == 0
    ends = {
        make: np.abs(walk(make(0.009, 0.9), ops.ravine, [-3.0, -2.0], 100)[20:] @ (1, -1)).max()
        for make in (Momentum, Nesterov)
    }
    assert ends[Nesterov] < ends[Momentum] / 100
    return "ηλ = 0.9, μ = 0.9: moduli √0.09 and √0.9; after 20 steps 100 times less swing"


@claim("P2.3.2-b", verdict="measured", chapter=10)
def the_look_ahead_gradient_is_nearer_to_the_next_one():
    """The next point is ηg away from the point ahead, and μv + ηg from the point itself.

    So it is nearer while the velocity carries on; in the few steps in which it turns, it is not.
    """
    theta, v, nearer = np.array([-3.0, -2.0]), np.zeros(2), 0

    def slope(at):
        return ops.ravine(at)[1](1.0)

    for _ in range(100):
        ahead = theta - 0.9 * v
        v = 0.9 * v + 0.005 * slope(ahead)
        after = theta - v
        assert np.allclose(after - ahead, -0.005 * slope(ahead), atol=1e-14)
        gaps = [np.linalg.norm(slope(after) - slope(at)) for at in (ahead, theta)]
        nearer += int(gaps[0] < gaps[1])
        theta = after
    assert 85 < nearer < 100
    return f"in the ravine: nearer in {nearer} of 100 steps"
