"""Learning-rate schedules and regularization (§3.3): what the article's code fragments do."""

from __future__ import annotations

import inspect
from fractions import Fraction

import numpy as np
import sympy as sp

from bpbook.claims.registry import claim
from bpbook.training import SGD, Adam, AdamW
from bpbook.training.schedules import ReduceOnPlateau, cosine, step_decay

T = sp.Symbol("t", integer=True, nonnegative=True)
T_MAX = sp.Symbol("T_max", integer=True, positive=True)
ETA, ETA_MIN = sp.symbols("eta eta_min", positive=True)


@claim("C3.3.1-a", verdict="qualified", chapter=11)
def step_decay_is_a_power_of_the_factor():
    """StepLR multiplies by γ at each 30th epoch: η γ^⌊e/30⌋, if asked *before* each epoch's steps.

    The fragment needs an optimizer, and a loop that steps the schedule once an epoch, last.
    """
    factor, by_hand = Fraction(1, 10), []
    rate = Fraction(1)
    for epoch in range(121):
        rate *= factor if epoch and epoch % 30 == 0 else 1
        by_hand.append(rate)
    assert by_hand == [factor ** (epoch // 30) for epoch in range(121)]
    schedule = step_decay(1.0, every=30)
    found = [schedule(epoch) for epoch in range(121)]
    assert np.allclose(found, np.array(by_hand, float), rtol=1e-12, atol=0)
    late = [schedule(epoch + 1) for epoch in range(121)]  # stepped before the epoch, not after
    assert late[29] < found[29], "then epoch 29 has the rate of epoch 30 already"
    return "1, 0.1, 0.01, 0.001 from epochs 0, 30, 60, 90 on; exactly the product of the cuts"


def annealed(t: sp.Expr) -> sp.Expr:
    """The closed form of cosine annealing."""
    return ETA_MIN + (ETA - ETA_MIN) * (1 + sp.cos(sp.pi * t / T_MAX)) / 2


@claim("C3.3.1-b", verdict="qualified", chapter=11)
def cosine_annealing_rises_after_t_max():
    """From η to η_min at T_max = 100, and then up again: its period is 2 T_max.

    PyTorch's recursion over the rate before is the same function wherever it does not divide by 0.
    """
    assert sp.expand(annealed(T_MAX) - ETA_MIN) == 0
    assert sp.expand(annealed(0) - ETA) == 0
    assert sp.simplify(annealed(T_MAX + T) - annealed(T_MAX - T)) == 0, "a mirror at T_max"
    assert sp.simplify(annealed(T + 2 * T_MAX) - annealed(T)) == 0
    grow = (1 + sp.cos(sp.pi * (T + 1) / T_MAX)) / (1 + sp.cos(sp.pi * T / T_MAX))
    recursion = grow * (annealed(T) - ETA_MIN) + ETA_MIN
    assert sp.simplify(recursion - annealed(T + 1)) == 0
    schedule = cosine(1.0, T_max=100)
    found = [schedule(t) for t in (0, 50, 100, 150, 200)]
    assert np.allclose(found, [1, 0.5, 0, 0.5, 1], rtol=0, atol=1e-15)
    assert all(schedule(t + 1) > schedule(t) for t in range(100, 200))
    return "mirror at T_max, period 2 T_max, recursion = closed form, exactly; η(150) = 0.5 = η(50)"


@claim("C3.3.1-c", verdict="qualified", chapter=11)
def a_plateau_is_cut_one_epoch_after_the_patience():
    """patience = 10 cuts when bad epochs *exceed* 10; and the metric must be handed over.

    The first epoch is the best so far, so a metric that never moves is bad from the second on.
    """
    schedule = ReduceOnPlateau(1.0, patience=10)
    after = {call: schedule.update(0.5) for call in range(1, 24)}
    assert [after[call] for call in (1, 11)] == [1.0, 1.0]
    assert np.isclose(after[12], 0.1, rtol=1e-12)
    assert np.isclose(after[22], 0.1, rtol=1e-12)
    assert np.isclose(after[23], 0.01, rtol=1e-12)
    metric = inspect.signature(ReduceOnPlateau.update).parameters["metric"]
    assert metric.default is metric.empty, "update() alone is a TypeError"
    return (
        "constant metric: 1 up to call 11, 0.1 from call 12, 0.01 from call 23; no metric, no cut"
    )


def decayed(make, noise: np.ndarray, theta: float = 1.0) -> np.ndarray:
    """Where weights that start at ``theta`` end, for gradients of pure noise (steps, n)."""
    optimizer, w = make(), np.full(noise.shape[1], theta)
    for grad in noise:
        optimizer.step(w, grad)
    return w


@claim("C3.3.2-a", verdict="qualified", chapter=11)
def weight_decay_inside_adam_is_not_decay():
    """In SGD λθ in the gradient is a decay by 1 − ηλ. In Adam it is divided by √v̂ like the rest.

    Decoupled decay (AdamW, Loshchilov & Hutter 2019) shrinks every weight by the same share.
    """
    theta, g, eta, lam = sp.symbols("theta g eta lambda")
    assert sp.expand((theta - eta * (g + lam * theta)) - ((1 - eta * lam) * theta - eta * g)) == 0
    still = np.zeros((1, 1))
    moved = [
        1 - decayed(lambda make=make: make(1e-3, weight_decay=1e-4), still).item()
        for make in (SGD, Adam, AdamW)
    ]
    assert np.allclose(moved, [1e-7, 1e-3 / (1 + 1e-4), 1e-7], rtol=1e-8, atol=0)
    noise = np.random.default_rng(0).normal(0, [10, 0.01], (4000, 2))
    l2, decoupled, none = (
        decayed(lambda make=make, decay=decay: make(1e-3, weight_decay=decay), noise)
        for make, decay in ((Adam, 0.1), (AdamW, 0.1), (Adam, 0.0))
    )
    assert abs(l2[0] - none[0]) < 0.1, "where gradients are large, L2 hardly pulls"
    assert abs(l2[1]) < 0.01, "where they are small it takes everything"
    assert np.allclose(decoupled, (1 - 1e-4) ** 4000, atol=0.15), "a walk about the same share"
    return (
        f"no gradient, w = 1: Adam moves {moved[1]:.3e}, AdamW {moved[2]:.3e}; after 4000 noisy "
        f"steps Adam {l2[0]:.2f} and {abs(l2[1]):.2f}, AdamW {decoupled[0]:.2f} and "
        f"{decoupled[1]:.2f}"
    )
