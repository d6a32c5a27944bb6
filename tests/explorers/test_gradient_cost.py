"""GradientCost: the counts are those of the products that a network really makes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook.explorers import GradientCost
from bpbook.nets.cost import multiply_adds

layer_sizes = st.lists(st.integers(1, 7), min_size=2, max_size=6)


class Counted(np.ndarray):
    """An array whose matrix products count their multiply-adds."""

    count = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(x) for x in inputs]
        if ufunc is np.matmul:
            (rows, inner), (_, columns) = plain[0].shape, plain[1].shape
            Counted.count += rows * inner * columns
        return np.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Counted)


def counted(sizes):
    """Multiply-adds of one forward and one backward pass, by running them on one sample."""
    Ws = [np.ones((n_out, n_in)).view(Counted) for n_in, n_out in pairwise(sizes)]
    activations = [np.ones((1, sizes[0])).view(Counted)]
    Counted.count = 0
    for W in Ws:
        activations.append(activations[-1] @ W.T)
    forward, Counted.count, d = Counted.count, 0, activations[-1]
    for layer in reversed(range(len(Ws))):
        assert (d.T @ activations[layer]).shape == Ws[layer].shape
        if layer > 0:
            d = d @ Ws[layer]
    return forward, Counted.count


@settings(deadline=None, derandomize=True)
@given(layer_sizes)
def test_counts_equal_those_of_the_products_made(sizes):
    cost = multiply_adds(sizes)
    assert (cost.forward, cost.backward) == counted(sizes)
    assert cost.backward == 2 * cost.forward - sizes[0] * sizes[1]


@settings(deadline=None, derandomize=True)
@given(layer_sizes)
def test_parameters_are_those_of_the_arrays(sizes):
    arrays = [np.empty((n_out, n_in + 1)) for n_in, n_out in pairwise(sizes)]
    cost = multiply_adds(sizes)
    assert cost.parameters == sum(array.size for array in arrays)
    assert cost.forward_difference == (cost.parameters + 1) * cost.forward
    assert cost.central_difference == 2 * cost.parameters * cost.forward


def test_the_examples_of_the_claims():
    """Q6.1.1-a to -e and Q1.4.2-b: 784-256-10."""
    cost = multiply_adds((784, 256, 10))
    assert (cost.forward, cost.parameters) == (203264, 203530)
    assert cost.backward == 203264 + 2560
    assert multiply_adds((2, 3, 1)).parameters == 13
    assert cost.forward_difference / cost.gradient / cost.parameters == pytest.approx(
        0.4969, abs=5e-5
    )
    assert cost.central_difference / cost.gradient / cost.parameters == pytest.approx(
        0.9937, abs=5e-5
    )


def test_counts_do_not_overflow():
    wide = (np.int32(60_000),) * 3
    assert multiply_adds(wide).central_difference == 4 * 60_000**3 * 60_001 * 2


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (3, 2.0), (3, -1, 2)])
def test_sizes_that_are_no_network_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes is .*; wanted at least two whole numbers"):
        multiply_adds(sizes)


def test_bars_end_at_the_counts():
    explorer = GradientCost(depth=2, width=3, inputs=4, outputs=2)
    explorer.png()
    ends = [bar.get_x() + bar.get_width() for bar in explorer._bars]
    # F = 4·3 + 3·2 = 18, B = 36 − 12, W = 15 + 8 = 23.
    assert ends == pytest.approx([18, 24, 24 * 18, 46 * 18])
    assert [label.get_text() for label in explorer._labels] == ["18", "24", "432", "828"]
    assert explorer._network.get_text() == "4–3–2: W = 23 parameters, F + B = 42"
    # 828/42 = 19.714, and 19.714/23 = 0.857.
    assert explorer._verdict.get_text() == (
        "Central differences cost 19.7 times F + B, which is 0.86 W"
    )


@pytest.mark.parametrize("depth", [1, 2, 60])
def test_depth_counts_the_weight_matrices(depth):
    data = GradientCost.simulate(depth=depth, width=5, inputs=4, outputs=2)
    assert len(data.sizes) == depth + 1
    assert (data.sizes[0], data.sizes[-1]) == (4, 2)
