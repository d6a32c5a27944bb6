"""ForwardReverse: its counts are those of the sweeps made, and both ways give one Jacobian."""

import numpy as np
import pytest

from bpbook.autodiff import jacobian
from bpbook.explorers import ForwardReverse
from bpbook.explorers.forward_reverse import HIDDEN, by_columns, by_rows, count, program
from bpbook.nets.counted import Counted


class Patient(Counted):
    """Leaves a product with a dual number to it, which takes it apart into two products of ours."""

    def __matmul__(self, x):
        return super().__matmul__(x) if isinstance(x, np.ndarray) else NotImplemented


def matrices(n, m):
    rng = np.random.default_rng(n + 1000 * m)
    return rng.normal(size=(HIDDEN, n)) / n, rng.normal(size=(m, HIDDEN)), rng.normal(size=n)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 2), (2, 5), (30, 1), (1, 30)])
def test_both_modes_give_the_jacobian_by_as_many_multiply_adds_as_counted(n, m):
    A, B, x = matrices(n, m)
    want = B * (1 - np.tanh(A @ x) ** 2) @ A
    for way, counted in zip((by_columns, by_rows), count(n, m), strict=True):
        first, second = Patient(A), Patient(B)
        found = way(program(first, second), x)
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)
        assert first.multiply_adds + second.multiply_adds == counted
    np.testing.assert_allclose(jacobian(program(A, B))(x), want, rtol=1e-12, atol=1e-12)


def test_the_sentence_counts_and_holds_no_time():
    explorer = ForwardReverse(n=16, m=4)
    assert explorer.summary() == (
        "16 inputs, 4 outputs: forward mode takes 16 sweeps and 40,960 multiply-adds, reverse "
        "mode 4 sweeps and 6,400; forward mode costs 6.4 times as much."
    )
    assert "both modes cost the same" in ForwardReverse(n=1, m=1).summary()
    assert "reverse mode costs 128.5 times as much" in ForwardReverse(n=1, m=256).summary()
    forward, reverse = explorer.data.milliseconds
    assert 0 < forward < np.inf
    assert 0 < reverse < np.inf


def test_a_refresh_keeps_the_stored_picture_of_timings():
    _, metadata = ForwardReverse()._repr_mimebundle_()
    assert metadata["image/png"]["measured"] is True
