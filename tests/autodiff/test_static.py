"""Static graphs: the same numbers as the tape, and refusal where they would be others."""

import numpy as np
import pytest

from bpbook import ops
from bpbook.autodiff import functional as F
from bpbook.autodiff import grad, hessian, jvp, static, value_and_grad
from bpbook.autodiff.plan import BLOCK
from bpbook.nets import MLP

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu", "elu", "softplus"])
def test_a_compiled_training_step_equals_the_tape_to_the_bit(dtype, activation):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(9, 5)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(3, size=9)]
    net = MLP((5, 6, 3), getattr(ops, activation), rng=0, dtype=dtype)

    def loss(theta, X, Y):
        (W1, W2), (b1, b2) = net.views(theta)
        a = getattr(F, activation)(F.affine(X, W1, b1))
        return F.softmax_cross_entropy(F.affine(a, W2, b2), Y)

    step = static.compile(value_and_grad(loss), net.theta, X, Y)
    for scale in (1, 2, 0.5):
        theta, Z = net.theta * dtype(scale), X * dtype(scale)
        value, gradient = step(theta, Z, Y)
        want, want_gradient = value_and_grad(loss)(theta, Z, Y)
        assert value == want
        np.testing.assert_array_equal(gradient, want_gradient)
        assert (value.dtype, gradient.dtype) == (dtype, dtype)


def test_results_do_not_change_with_the_next_call():
    double = static.compile(lambda x: (x * 2, x), np.zeros(3))
    first, same = double(np.ones(3))
    double(np.full(3, 7.0))
    np.testing.assert_array_equal(first, [2, 2, 2])
    np.testing.assert_array_equal(same, [1, 1, 1])


def test_forward_mode_and_second_order_compile():
    f = lambda x: (np.sin(x) * x[0]).sum()  # noqa: E731
    x, v = RNG.normal(size=(2, 4))
    np.testing.assert_array_equal(static.compile(jvp(f), v, x)(x, v), jvp(f)(x, v))
    np.testing.assert_array_equal(static.compile(hessian(f), v)(x), hessian(f)(x))
    np.testing.assert_array_equal(static.compile(grad(f), v)(x), grad(f)(x))


@pytest.mark.parametrize(
    "f",
    [
        lambda w, c: (c * w).sum(),
        lambda w, c: (c @ np.sin(w)) ** 2,
        lambda w, c: np.stack([c, w]).sum() * w[0],
        lambda w, c: np.where(w > 0.1, c * w, w * w).sum(),
        lambda w, c: np.where([True, False, True], c / w, w - c).sum(),
    ],
)
def test_a_traced_array_leaves_a_tensor_to_its_derivative(f):
    """The traced one stands first, so Python asks it first; it must not take w for a constant."""
    w, c = np.array([0.5, -2.0, 0.05]), np.array([1.0, 2.0, 3.0])
    for derivative in (grad(f), lambda w, c: jvp(lambda w: f(w, c))(w, c)[1]):
        compiled = static.compile(derivative, w, c)
        np.testing.assert_array_equal(compiled(2 * w, c - 1), derivative(2 * w, c - 1))


def test_constants_are_folded_and_dead_steps_dropped():
    c = np.arange(3.0)

    def f(x):
        np.exp(x)  # nobody reads it
        return x * (np.sin(c) + np.cos(c)) + x * (np.sin(c) + np.cos(c))

    compiled = static.compile(f, np.ones(3))
    assert [v.name for v in compiled.plan.steps] == ["multiply", "multiply", "add"]
    np.testing.assert_array_equal(compiled(np.full(3, 2.0)), 4 * (np.sin(c) + np.cos(c)))


def test_equal_calls_are_made_once():
    compiled = static.compile(lambda x: np.exp(x) + np.exp(x), np.ones(3))
    assert [v.name for v in compiled.plan.steps] == ["exp", "add"]


def test_a_gradient_that_nobody_asked_for_is_not_computed():
    """The tape multiplies back to the inputs of the first layer as well; here that is dropped."""
    W, X = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))

    def loss(W, X):
        return F.tanh(F.matmul(X, W.T)).sum()

    names = [v.name for v in static.compile(grad(loss), W, X).plan.steps]
    assert names.count("matmul") == 2  # forward, and dW


def test_buffers_are_used_again():
    def chain(x):
        for _ in range(20):
            x = np.tanh(x @ x)
        return x

    plan = static.compile(chain, RNG.normal(size=(4, 4))).plan
    assert len(plan.steps) == 40
    assert len(plan.buffers) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [4 * BLOCK, 5 * BLOCK + 17])
@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1)])
def test_long_elementwise_runs_are_fused_and_exact(size, shape, dtype):
    x = RNG.normal(size=size).reshape(shape).astype(dtype)

    def chain(x):
        y = x
        for _ in range(3):
            y = np.sqrt(y * y * 0.5 + 1.0) - 0.3 * y
        return (y * np.exp(-y)).sum() + y.max()

    compiled = static.compile(value_and_grad(chain), x)
    assert compiled.plan.fused > 20
    assert sum(b.size == BLOCK for b in compiled.plan.buffers) > 0
    value, gradient = compiled(x[::-1].copy())
    want, want_gradient = value_and_grad(chain)(x[::-1].copy())
    assert value == want
    np.testing.assert_array_equal(gradient, want_gradient)


@pytest.mark.parametrize("n", [5, 4 * BLOCK])
def test_numbers_beside_arrays_keep_the_arrays_dtype(n):
    """Of floats and of truth values, on short arrays and in a fused run."""
    x = np.random.default_rng(0).normal(size=n).astype(np.float32)

    def f(x):
        return (x > 0) * 2.5, np.maximum(x, 0) / 3, 1 - x**2, x * True, (x > 0) & True

    for got, want in zip(static.compile(f, x)(x), f(x), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_power_is_computed_as_by_numpys_operator(dtype):
    x = RNG.uniform(0.1, 3, size=1000).astype(dtype)
    shortcuts = {-1: "reciprocal", 0.5: "sqrt", 1.0: "positive", 2.0: "square"}
    for exponent, name in (shortcuts | {3: "power", -0.5: "power"}).items():
        compiled = static.compile(lambda x, e=exponent: x**e, x)
        assert f"{name}(#1)" in str(compiled.plan)
        np.testing.assert_array_equal(compiled(x), x**exponent)
    whole = np.arange(1, 5)
    np.testing.assert_array_equal(static.compile(lambda x: x**2, whole)(whole), whole**2)


def test_a_reduction_keeps_its_options():
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    f = lambda x: np.add.reduce(x, axis=1, dtype=np.float64, initial=2.0)  # noqa: E731
    got = static.compile(f, x)(x)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, f(x))


def test_fusion_keeps_what_is_read_later_or_seen_through_a_view():
    n = 5 * BLOCK
    x = RNG.normal(size=n)

    def f(x):
        a = x * 2.0
        b = a + 1.0
        c = b.reshape(5, BLOCK)[1:3]  # a view of what lies within the run
        d = b * a
        return d, c.sum(axis=0), a[::2]

    for got, want in zip(static.compile(f, x)(x + 1), f(x + 1), strict=True):
        np.testing.assert_array_equal(got, want)


def test_another_shape_or_dtype_is_refused():
    double = static.compile(lambda x, y: x + y, np.zeros(3), np.zeros(3))
    with pytest.raises(
        ValueError, match=r"array 2 has shape \(4,\).*shape \(3,\).*compile it anew"
    ):
        double(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="dtype float32"):
        double(np.zeros(3, np.float32), np.zeros(3))
    with pytest.raises(ValueError, match="got 1 arrays"):
        double(np.zeros(3))
    with pytest.raises(ValueError, match=r"array 2 is a float; .* shape \(3,\).*give an array"):
        double(np.zeros(3), 4.0)


@pytest.mark.parametrize(
    "branching",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: x[x > 0],
        lambda x: np.asarray(x) * 2,
        lambda x: sum(x for _ in range(int(x[0]))),
    ],
)
def test_a_way_that_depends_on_the_data_is_refused(branching):
    with pytest.raises(TypeError, match="branch depends|not known"):
        static.compile(branching, np.ones(3))


def test_a_readers_array_is_a_constant_from_the_trace_on():
    c = np.ones(3)
    times_c = static.compile(lambda x: x * c, np.zeros(3))
    c[:] = 5
    np.testing.assert_array_equal(times_c(np.ones(3)), np.ones(3))


def test_a_stand_in_that_is_printed_says_what_is_known_of_it(capsys):
    static.compile(lambda x: print(x) or x, np.zeros((2, 3)))
    assert capsys.readouterr().out == "Traced(shape=(2, 3), dtype=float64)\n"


def test_the_program_can_be_read():
    shown = repr(static.compile(lambda x, W: np.tanh(x @ W.T), np.zeros((2, 3)), np.zeros((4, 3))))
    assert [line.split("=")[1].split("(")[0].strip() for line in shown.splitlines()] == [
        "input",
        "input",
        "transpose",
        "matmul",
        "tanh",
    ]
