"""What a batch meets on its way up a stack of layers, and a gradient on its way down.

Each layer is z = norm(a Wᵀ), f = φ(z), and a = f, or with a residual connection a = a_before + f.
`propagate` measures the sizes that come out; `predict` says what mean-field theory expects of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bpbook import ops
from bpbook.nets.base import Op
from bpbook.theory.mean_field import slope_factor, variance_map


@dataclass(frozen=True)
class Propagation:
    """Every layer's outputs a⁽ˡ⁾ and errors δ⁽ˡ⁾ = ∂L/∂z⁽ˡ⁾, z = a Wᵀ, each (m, n_l), l = 1, …, L.

    δ is what the weights learn from: ∂L/∂W⁽ˡ⁾ = δ⁽ˡ⁾ᵀ a⁽ˡ⁻¹⁾.
    """

    a: tuple[np.ndarray, ...]
    delta: tuple[np.ndarray, ...]

    @property
    def activations(self) -> np.ndarray:
        """The size of each a⁽ˡ⁾, (L,)."""
        return np.array([size(a) for a in self.a])

    @property
    def gradients(self) -> np.ndarray:
        """The size of each δ⁽ˡ⁾, (L,)."""
        return np.array([size(delta) for delta in self.delta])


def size(x: np.ndarray) -> float:
    """The root of the mean square of the entries: ‖x‖ / √(number of entries)."""
    x = np.asarray(x, dtype=np.float64)  # the square of a float32 may overflow
    return float(np.sqrt(np.mean(x * x)))


def propagate(
    X: np.ndarray,
    weights: Sequence[np.ndarray],
    activation: Op,
    da: np.ndarray,
    *,
    residual: bool = False,
    normalize: Op = ops.identity,
) -> Propagation:
    """Send a batch X (m, n_0) up through the layers, and da = ∂L/∂a⁽ᴸ⁾ (m, n_L) back down.

    weights: W⁽¹⁾ (n_1, n_0), …, W⁽ᴸ⁾ (n_L, n_{L-1}); biases are 0. normalize acts on a Wᵀ.
    residual needs layers of one width. Overflow is a result here: NumPy's warnings are off. When
    the outputs are not finite, no loss is, and the gradient sent back is NaN.
    """
    with np.errstate(all="ignore"):
        a, outputs, vjps = X, [], []
        for W in weights:
            z, norm_vjp = normalize(ops.affine(a, W, np.zeros(len(W), W.dtype))[0])
            f, vjp = activation(z)
            a = a + f if residual else f
            outputs.append(a)
            vjps.append((norm_vjp, vjp))
        if not np.isfinite(a).all():
            da = np.full_like(a, np.nan)
        deltas = []
        for W, (norm_vjp, vjp) in zip(reversed(weights), reversed(vjps), strict=True):
            deltas.append(norm_vjp(vjp(da)))
            back = deltas[-1] @ W  # affine's vjp, less the product for ∂L/∂W
            da = da + back if residual else back
    return Propagation(tuple(outputs), tuple(reversed(deltas)))


def predict(
    activation: Op,
    up: Sequence[float],
    down: Sequence[float] | None = None,
    *,
    residual: bool = False,
    layer_norm: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The sizes of a⁽ˡ⁾ and δ⁽ˡ⁾, (L,) each, that mean-field theory expects of `propagate`.

    For inputs and a gradient da of size 1 and mean 0, many units in every layer, and independent
    weights of mean 0. up: n_in·Var(W) of each layer (above 0 with layer_norm, which divides each
    row of a Wᵀ by its size); down: n_out·Var(W), the same as up where all widths are equal. The
    plain recursions are those of Poole et al. (2016) and Schoenholz et al. (2017); a residual
    connection adds its input's mean square, as in Yang & Schoenholz (2017), and twice the product
    of the two means.
    """
    square, mean = 1.0, 0.0  # of the entries of a
    before, q, after = [], [], []
    for weight_variance in up:
        before.append(square)
        q.append(1.0 if layer_norm else weight_variance * square)
        f = variance_map(activation, q[-1], 1.0)
        if residual:
            f_mean = _mean(activation, q[-1], f)
            f, mean = square + f + 2 * mean * f_mean, mean + f_mean
        square = f
        after.append(square)
    slopes = slope_factor(activation, np.array(q), 1.0)
    if layer_norm:
        slopes = slopes / (np.array(up) * before)
    return np.sqrt(after), np.sqrt(_down(slopes, up if down is None else down, residual))


def _mean(activation: Op, q: float, square: float) -> float:
    """E[φ(√q x)], by polarization: E[(φ + s)²] − E[(φ − s)²] = 4 s E[φ]."""
    s = np.sqrt(square)
    if s == 0:
        return 0.0
    up, down = (
        variance_map(lambda z, s=sign * s: (activation(z)[0] + s, None), q, 1.0) for sign in (1, -1)
    )
    return (up - down) / (4 * s)


def _down(slopes: np.ndarray, factors: Sequence[float], residual: bool) -> np.ndarray:
    """The mean square of each δ, for slopes: the mean square of each layer's ∂f/∂(a Wᵀ)."""
    da, deltas = 1.0, []
    for slope, factor in zip(slopes[::-1], factors[::-1], strict=True):
        deltas.append(da * slope)
        back = factor * deltas[-1]
        da = da + back if residual else back
    return np.array(deltas[::-1])
