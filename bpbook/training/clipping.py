"""Gradient clipping: shorten a gradient that is too long, before the step (Pascanu et al. 2013).

Both functions change the gradient in place, return the norm that it had, and raise ValueError for
a limit that is not a positive finite number and for a gradient with a NaN or an infinity, which no
factor can mend. Pass one to ``fit`` as ``clip=lambda grad: clip_by_norm(grad, 1.0)``.
"""

import math

import numpy as np

from bpbook.ops import _check


def clip_by_norm(grad: np.ndarray, limit: float) -> float:
    """Scale ``grad`` (n,) so that its norm is at most ``limit`` (E2.1.2-e), and return ‖grad‖.

    The direction stays. PyTorch's ``clip_grad_norm_`` divides by ‖grad‖ + 1e-6 instead, and so
    ends a little below the limit.
    """
    peak, relative = _peak(grad, limit)
    if peak * relative > limit:
        grad /= peak  # two steps, so that no factor overflows
        grad *= limit / relative
    return peak * relative


def clip_by_value(grad: np.ndarray, limit: float) -> float:
    """Cut every entry of ``grad`` (n,) to [−limit, limit], and return the norm before.

    An entry beyond the limit is cut and the others are not, so the direction turns.
    """
    peak, relative = _peak(grad, limit)
    np.clip(grad, -limit, limit, out=grad)
    return peak * relative


def _peak(grad: np.ndarray, limit: float) -> tuple[float, float]:
    """The largest |entry|, and the norm as a multiple of it: no square over- or underflows."""
    _check.positive("limit", limit)
    if grad.dtype.kind != "f":
        raise ValueError(f"grad has dtype {grad.dtype}; wanted a floating dtype")
    peak = float(np.abs(grad).max(initial=0))
    if not math.isfinite(peak):
        i = int(np.argmin(np.isfinite(grad)))
        raise ValueError(f"grad has shape {grad.shape}, and its entry {i} is {grad.flat[i]}")
    # In float64: in float16 the sum of 65,505 ones is infinite.
    return peak, float(np.linalg.norm(grad / np.float64(peak))) if peak else 0.0
