"""Say in words how an answer differs from the right one."""

from __future__ import annotations

import numpy as np

FLOAT32 = 1e-5  # what about 100 roundings in float32 may add up to
NOTHING = "Nothing is returned yet: replace the ... with your answer."


def difference(got: object, want: object, rtol: float = 1e-9) -> str | None:
    """None when ``got`` equals ``want``; else a sentence that says what is wrong and how far off.

    Numbers, arrays and tuples of them are compared to rtol times the largest entry of ``want``, or
    as float32 allows where ``got`` has that dtype; SymPy expressions exactly.
    """
    if wrong := missing(got):
        return wrong
    if isinstance(want, tuple):
        return _tuples(got, want, rtol)
    if type(want).__module__.startswith("sympy"):
        return _symbolic(got, want)
    try:
        if np.iscomplexobj(got):
            return "The result is complex; wanted real numbers."
        numbers = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return f"The result is a {type(got).__name__}; wanted numbers."
    if np.asarray(got).dtype == np.float32:
        rtol = max(rtol, FLOAT32)
    wrong = _arrays(numbers, np.asarray(want, dtype=float), rtol)
    if wrong and isinstance(want, (int, np.integer)) and numbers.ndim == 0:
        return f"You gave {numbers:.15g}, wanted {want}."
    return wrong


def missing(got: object) -> str | None:
    """What to say when nothing came back, as in an untouched stub; else None."""
    if got is ...:
        return NOTHING
    if got is None:
        return "The result is None: does every way through your function end in a return?"
    return None


def _tuples(got: object, want: tuple, rtol: float) -> str | None:
    if not isinstance(got, (tuple, list)) or len(got) != len(want):
        return f"Wanted {len(want)} results, as a tuple."
    for i, pair in enumerate(zip(got, want, strict=True), 1):
        if wrong := difference(*pair, rtol):
            return f"Result {i} of {len(want)}: {wrong}"
    return None


def _symbolic(got: object, want: object) -> str | None:
    import sympy as sp

    try:
        rest = sp.simplify(sp.Matrix(got) - sp.Matrix(want)) if hasattr(want, "shape") else None
        rest = sp.simplify(sp.sympify(got) - want) if rest is None else rest
    except (TypeError, ValueError, sp.SympifyError, sp.ShapeError) as error:
        return f"The result cannot be compared with a formula: {error}."
    zero = rest == 0 or (hasattr(rest, "is_zero_matrix") and rest.is_zero_matrix)
    return None if zero else f"Your formula minus the right one is {rest}, not 0."


def _arrays(got: np.ndarray, want: np.ndarray, rtol: float) -> str | None:
    if got.shape != want.shape:
        flipped = got.ndim == 2 and got.T.shape == want.shape and _close(got.T, want, rtol)
        extra = " Its transpose would be right." if flipped else ""
        return f"The result has shape {got.shape}; wanted {want.shape}.{extra}"
    if _close(got, want, rtol):
        return None
    if np.isnan(got).any():
        return "The result contains NaN."
    if np.isinf(got).any():
        return "The result contains ∞."
    if got.ndim == 2 and got.shape[0] == got.shape[1] and _close(got.T, want, rtol):
        return "Transposed: each entry (i, j) is where (j, i) belongs."
    return _ratio(got, want, rtol) or _worst(got, want, rtol)


def _close(got: np.ndarray, want: np.ndarray, rtol: float) -> bool:
    return np.allclose(
        got, want, rtol=0, atol=rtol * max(float(np.abs(want).max(initial=0)), 1e-300)
    )


def _ratio(got: np.ndarray, want: np.ndarray, rtol: float) -> str | None:
    """The factor, when the answer is a multiple of the right one."""
    square = float((want * want).sum())
    factor = float((got * want).sum()) / square if square else 0.0
    if factor == 0 or not _close(got, factor * want, rtol):
        return None
    times = max(abs(factor), 1 / abs(factor))
    if want.size == 1 and (times > 1000 or not np.isclose(times, round(times))):
        return None  # one number is always a multiple of another; say so if it is a whole one
    if f"{factor:.4g}" == "1":
        return None  # right to four digits: the largest error says more
    if np.isclose(factor, -1):
        return "Every sign is wrong."
    return f"Everything is off by one factor, {factor:.4g}."


def _worst(got: np.ndarray, want: np.ndarray, rtol: float) -> str:
    i = np.unravel_index(np.argmax(np.abs(got - want)), want.shape)
    where = f" at {[int(k) for k in i]}" if want.ndim else ""
    right = int((np.abs(got - want) <= rtol * np.abs(want).max()).sum())
    tally = f" ({right} of {want.size} entries are right)" if want.size > 1 else ""
    off = abs(got[i] - want[i])
    digits = 6 if f"{got[i]:.6g}" != f"{want[i]:.6g}" else 12
    pair = f"got {got[i]:.{digits}g}, wanted {want[i]:.{digits}g}"
    return f"Largest error {off:.3g}{where}: {pair}{tally}."
