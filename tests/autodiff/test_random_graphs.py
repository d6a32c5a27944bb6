"""Programs drawn at random, with reuse, broadcasting and indexing: tape, dual numbers, static graph
and PyTorch must agree."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook.autodiff import hvp, jvp, plan, static, value_and_grad

try:
    import torch
except ImportError:
    torch = None

UNARY = ("sin", "cos", "tanh", "exp_small", "square", "sqrt_1p", "negative", "absolute")
BINARY = ("add", "subtract", "multiply", "divide_1p", "maximum", "minimum")
SHAPED = (
    "transpose",
    "row",
    "column",
    "strided",
    "repeated",
    "flat_and_back",
    "viewed",
    "sum_rows",
    "product",
)


def step(kind, x, y, lib):
    """One operation on matrices x and y; lib is numpy or torch, whose names mostly agree."""
    exponent = lib.tanh(x)
    return {
        "sin": lambda: lib.sin(x),
        "cos": lambda: lib.cos(x),
        "tanh": lambda: lib.tanh(x),
        "exp_small": lambda: lib.exp(exponent),
        "square": lambda: x * x * 0.3,
        "sqrt_1p": lambda: lib.sqrt(1 + x * x),
        "negative": lambda: -x,
        "absolute": lambda: abs(x) if lib is torch else np.absolute(x),
        "add": lambda: x + y,
        "subtract": lambda: x - 0.5 * y,
        "multiply": lambda: x * lib.tanh(y),
        "divide_1p": lambda: x / (1 + y * y),
        "maximum": lambda: lib.maximum(x, y),
        "minimum": lambda: lib.minimum(x, y),
        "transpose": lambda: x.T + y,
        "row": lambda: x[1] + y,
        "column": lambda: x[:, 2:] * lib.tanh(y),
        "strided": lambda: x[::-1] + y if lib is not torch else torch.flip(x, (0,)) + y,
        "repeated": lambda: x[[0, 2, 0]] - y,
        "flat_and_back": lambda: x.reshape(9)[1:].reshape(2, 4)[:, 1:].sum(0) + y,
        "viewed": lambda: exponent.reshape(9).reshape(3, 3)[...] * y.reshape(9).reshape(3, 3),
        "sum_rows": lambda: x.sum(1)[:, None] * 0.3 + y,
        "product": lambda: 0.3 * x @ lib.tanh(y),
    }[kind]()


programs = st.lists(
    st.tuples(
        st.sampled_from((*UNARY, *BINARY, *SHAPED, "product")), st.integers(0, 9), st.integers(0, 9)
    ),
    min_size=1,
    max_size=9,
)


def run(program, x, lib):
    """Each step takes two of the results so far, so that some are used often and some never."""
    results = [x]
    for kind, i, j in program:
        results.append(
            step(kind, results[-1 - i % len(results)], results[-1 - j % len(results)], lib)
        )
    return (results[-1] * results[len(results) // 2]).sum()


@settings(max_examples=60)
@given(programs, st.integers(0, 2**32 - 1))
def test_all_ways_agree_on_a_random_program(program, seed):
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(2, 3, 3))
    value, gradient = value_and_grad(lambda x: run(program, x, np))(x)
    scale = 1 + np.abs(gradient).max()
    assert jvp(lambda x: run(program, x, np))(x, v)[1] == pytest.approx(
        (gradient * v).sum(), abs=1e-11 * scale * 9
    )
    for long in (plan.LONG, 4):  # with 4, elementwise steps are fused, in blocks of 4 numbers
        with mock.patch.multiple(plan, LONG=long, BLOCK=4):
            compiled = static.compile(value_and_grad(lambda x: run(program, x, np)), v)
            static_value, static_gradient = compiled(x)
        assert static_value == value
        np.testing.assert_array_equal(static_gradient, gradient)
    product = hvp(lambda x: run(program, x, np))
    np.testing.assert_array_equal(static.compile(product, v, v)(x, v), product(x, v))
    if torch is not None:
        tx = torch.tensor(x, requires_grad=True)
        loss = run(program, tx, torch)
        loss.backward()
        assert loss.item() == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(gradient, tx.grad.numpy(), rtol=1e-11, atol=1e-12 * scale)


def test_torch_took_part():
    if torch is None:
        pytest.skip("PyTorch is not installed; the other ways were compared without it")
    assert torch.__version__
