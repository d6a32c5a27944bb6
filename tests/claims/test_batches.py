"""The proofs for every batch size accept what is true and refuse each slip."""

import pytest

from bpbook.claims import batches as b

TRUE_W = b.slope_by_sums(b.ENTRY, b.W[b.K, b.R], b.UNITS, b.SAMPLES)
TRUE_A = b.slope_by_sums(b.ENTRY, b.A[b.K, b.R], b.SAMPLES, b.UNITS)


def test_the_sums_agree_with_the_matrix_products():
    assert b.same(TRUE_W, (b.DELTA.T * b.A)[b.K, b.R])
    assert b.same(TRUE_A, (b.DELTA * b.W)[b.K, b.R])


@pytest.mark.parametrize(
    "slip",
    [
        (b.DELTA.T * b.A)[b.R, b.K],  # transposed
        (b.A.T * b.DELTA)[b.K, b.R],
        (b.DELTA.T * b.A)[b.K, b.R] / b.M,  # 1/m twice
        -(b.DELTA.T * b.A)[b.K, b.R],
        (b.DELTA * b.W)[b.K, b.R],  # a sum over the units in place of the samples
    ],
)
def test_a_slip_in_the_weight_gradient_is_refused(slip):
    assert not b.same(TRUE_W, slip)


def test_the_transpose_of_the_weights_is_refused():
    assert not b.same(TRUE_A, (b.DELTA * b.W.T)[b.K, b.R])
