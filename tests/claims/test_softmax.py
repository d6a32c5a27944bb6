"""The proofs for every K accept what is true and refuse each slip."""

import pytest
import sympy as sp

from bpbook.claims import softmax as s
from bpbook.proof import symbols

LINES = [s.CHAIN, s.SUBSTITUTED, s.CANCELLED, s.EXPANDED, s.MERGED]
DIRECT = sp.diff(s.LOSS_OF_SCORES, s.z[s.I])
TOTAL = s.over_classes(s.y[s.J])


@pytest.mark.parametrize("line", LINES[1:])
def test_each_line_of_the_derivation_is_the_first_one(line):
    assert s.vanishes(line - s.CHAIN)


@pytest.mark.parametrize(
    "slip",
    [
        s.MERGED + 2 * s.y[s.I],  # a sign
        -s.y[s.I] + s.a[s.I] * s.OTHERS,  # the term j = i not given back
        s.CHAIN * sp.Rational(10001, 10000),
        s.over_classes(-s.IS_I * s.y[s.J] * (1 - s.a[s.I])),  # the diagonal only
    ],
)
def test_a_slip_is_refused(slip):
    assert not s.vanishes(slip - s.CHAIN)


def test_p_minus_y_needs_targets_that_sum_to_1():
    assert s.vanishes(DIRECT + s.y[s.I] - s.share(s.I) * TOTAL)
    assert not s.vanishes(DIRECT + s.y[s.I] - s.share(s.I))


def test_a_slope_with_the_wrong_sign_beside_the_diagonal_is_refused():
    slope = sp.diff(s.share(s.J), s.z[s.I]).doit().subs(s.IS_I, 0)
    assert not s.vanishes(slope - s.share(s.I) * s.share(s.J))


def test_entries_vanish_looks_at_every_entry():
    x = symbols("x", 2)
    assert s.entries_vanish(x - x)
    assert not s.entries_vanish([x[0] - x[0], x[1]])
