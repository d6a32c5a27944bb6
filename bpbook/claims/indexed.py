"""Sums over symbolic widths: how the claims prove what holds for every n, K or L."""

from __future__ import annotations

import sympy as sp
from sympy.concrete.delta import deltasummation

#: Indices of units; each lies in the range of the sum in which it stands.
I, J, K, R = sp.symbols("i j k r", integer=True)  # noqa: E741
#: Widths of layers, any positive integers.
N_IN, N_OUT = sp.symbols("n_in n_out", integer=True, positive=True)


def collapse(total: sp.Expr) -> sp.Expr:
    """Evaluate the sums over a Kronecker delta in ``total``: Σ_j δ_ij x_j = x_i.

    The index left over is taken to lie in the sum's range, as it does for an index of a unit.
    """

    def picked(term: sp.Sum) -> sp.Expr:
        result = term.function
        for limit in term.limits:
            result = deltasummation(sp.expand(result), limit, no_piecewise=True)
        return result

    return sp.expand(total.replace(lambda e: isinstance(e, sp.Sum), picked))
