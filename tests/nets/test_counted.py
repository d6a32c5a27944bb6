"""Counted counts exactly, shares one list, and changes no number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook import ops
from bpbook.nets import MLP
from bpbook.nets.cost import multiply_adds
from bpbook.nets.counted import Counted

widths = st.integers(1, 12)


def batch(sizes, m, rng=0):
    rng = np.random.default_rng(rng)
    return rng.normal(size=(m, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], m)]


@given(st.lists(widths, min_size=2, max_size=6), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_real_network_costs_what_the_formula_says(sizes, m):
    net, cost = MLP(sizes), multiply_adds(sizes)
    theta = Counted(net.theta)
    loss, vjp = net.op(theta, *batch(sizes, m))
    assert theta.multiply_adds == m * cost.forward
    grad = vjp()
    assert theta.multiply_adds == m * (cost.forward + cost.backward)
    true_loss, true_grad = net.loss_and_grad(*batch(sizes, m))
    assert loss == true_loss
    np.testing.assert_array_equal(np.asarray(grad), true_grad)


def test_products_in_order():
    net = MLP((5, 3, 2))
    theta = Counted(net.theta)
    net.op(theta, *batch(net.sizes, 4))[1]()
    forward = [(4, 5, 3), (4, 3, 2)]
    backward = [(2, 4, 3), (4, 2, 3), (3, 4, 5)]  # dW2, the error one layer down, dW1
    assert theta.products == forward + backward


@pytest.mark.parametrize(
    ("left", "right", "product"),
    [
        ((2, 3), (3, 4), (2, 3, 4)),
        ((3,), (3, 4), (1, 3, 4)),
        ((2, 3), (3,), (2, 3, 1)),
        ((3,), (3,), (1, 3, 1)),
        ((5, 2, 3), (3, 4), (10, 3, 4)),
        ((5, 2, 3), (5, 3, 4), (10, 3, 4)),
    ],
)
def test_every_form_of_a_product(left, right, product):
    A, B = Counted(np.ones(left)), np.ones(right)
    assert np.array_equal(A @ B, np.ones(left) @ B)
    assert A.products == [product]
    B = Counted(np.ones(right))
    assert np.array_equal(np.ones(left) @ B, np.ones(left) @ B)
    assert B.products == [product, product]


def test_what_is_computed_from_it_shares_the_list_and_others_do_not():
    A = Counted(np.eye(3))
    (np.tanh(A[:2] + 1) @ np.eye(3)).sum(axis=0) @ np.ones(3)
    assert A.products == [(2, 3, 3), (1, 3, 1)]
    assert Counted(np.eye(3)).products == []


def test_it_is_a_view_and_keeps_the_dtype():
    x = np.ones((2, 2), np.float32)
    A = Counted(x)
    A *= 2
    assert x[0, 0] == 2
    assert (0.5 * ops.tanh(A)[0] @ A).dtype == np.float32


def test_entry_by_entry_arithmetic_is_not_counted():
    A = Counted(np.ones((2, 2)))
    A * A + np.exp(A)
    assert A.multiply_adds == 0
