"""The ops' values: against exact ones, at the extremes, at kinks; and the errors for bad input."""

import math
from functools import partial

import numpy as np
import pytest

from bpbook import ops

HUGE = np.array([[1e4, -1e4, 0.0]])
ONE_HOT = np.eye(3)[[1]]


def test_definitions_at_a_point():
    z = np.array([-0.7, 0.3])
    exact = {
        ops.sigmoid: lambda x: 1 / (1 + math.exp(-x)),
        ops.tanh: math.tanh,
        ops.relu: lambda x: max(x, 0),
        ops.leaky_relu: lambda x: x if x > 0 else 0.01 * x,
        ops.elu: lambda x: x if x > 0 else math.expm1(x),
        ops.softplus: lambda x: math.log1p(math.exp(x)),
        ops.gelu: lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
        ops.silu: lambda x: x / (1 + math.exp(-x)),
        ops.identity: lambda x: x,
        ops.square: lambda x: x**2,
        ops.sin: math.sin,
        ops.exp: math.exp,
    }
    for op, f in exact.items():
        np.testing.assert_allclose(op(z)[0], [f(x) for x in z], rtol=1e-14, err_msg=op.__name__)


def test_softmax_of_the_three_digits():
    p, _ = ops.softmax(np.array([[2.0, 1.0, 0.1]]))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-15)
    np.testing.assert_allclose(p[0, 0] / p[0, 1], math.e, rtol=1e-14)


@pytest.mark.parametrize("shape", [(5,), (4, 10), (3, 64), (3, 65), (2, 3, 4), (2, 0, 3)])
def test_softmax_takes_rows_of_every_shape_and_shifts_each_by_its_own_maximum(shape):
    z = np.random.default_rng(0).normal(size=shape) + 1e4 * np.arange(shape[0]).reshape(
        -1, *[1] * (len(shape) - 1)
    )
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    np.testing.assert_array_equal(ops.softmax(z)[0], e / e.sum(axis=-1, keepdims=True))
    assert ops.logsumexp(z)[0].shape == shape[:-1]


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax, ops.logsumexp])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 2, 65)])
def test_softmax_of_a_stack_is_that_of_each_row(op, shape):
    z = 1e3 * np.random.default_rng(0).normal(size=shape)
    out, vjp = op(z)
    d = np.random.default_rng(1).normal(size=out.shape)
    rows = [op(row) for row in z.reshape(-1, shape[-1])]
    np.testing.assert_array_equal(out.reshape(len(rows), -1), [np.ravel(row) for row, _ in rows])
    each = [
        pull(u) for (_, pull), u in zip(rows, d.reshape(len(rows), *out.shape[2:]), strict=True)
    ]
    np.testing.assert_allclose(vjp(d).reshape(len(rows), -1), each, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_logits_of_ten_thousand_are_finite_and_right(dtype):
    z, Y = HUGE.astype(dtype), ONE_HOT.astype(dtype)
    loss, vjp = ops.softmax_cross_entropy(z, Y)
    assert loss == 2e4
    np.testing.assert_array_equal(vjp(), [[1, -1, 0]])
    loss, vjp = ops.sigmoid_binary_cross_entropy(z, Y)
    assert loss == pytest.approx(2e4 + math.log(2), rel=1e-6)
    np.testing.assert_array_equal(vjp(), [[1, -1, 0.5]])
    np.testing.assert_array_equal(ops.log_softmax(z)[0], [[0, -2e4, -1e4]])
    assert ops.logsumexp(z)[0] == [1e4]
    for op in (ops.sigmoid, ops.tanh, ops.elu, ops.softplus, ops.gelu, ops.silu, ops.softmax):
        out, vjp = op(z)
        assert np.isfinite(out).all(), op.__name__
        assert np.isfinite(vjp(np.ones_like(out))).all(), op.__name__


def test_sigmoid_keeps_its_relative_precision_in_the_tail():
    assert ops.sigmoid(np.array([-500.0]))[0] == pytest.approx(math.exp(-500), rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_cross_entropy_takes_zero_log_zero_as_zero():
    P = np.array([[0.0, 1.0], [0.25, 0.75]])
    loss, vjp = ops.cross_entropy(P, np.array([[0, 1], [1, 0]]))
    assert loss == pytest.approx(math.log(4) / 2)
    np.testing.assert_allclose(vjp(), [[0, -0.5], [-2, 0]])
    loss, vjp = ops.cross_entropy(P[:1], np.array([[1, 0]]))
    assert loss == np.inf
    np.testing.assert_array_equal(vjp(), [[-np.inf, 0]])


@pytest.mark.parametrize(("op", "left"), [(ops.relu, 0), (ops.leaky_relu, 0.01), (ops.elu, 1)])
def test_derivative_at_the_kink_is_the_left_one(op, left):
    _, vjp = op(np.zeros((1, 1)))
    assert vjp(np.ones((1, 1))) == left


def test_above_at_and_below_the_kink():
    z, one = np.array([-1.0, 0.0, 0.5]), np.ones(3)
    out, vjp = ops.leaky_relu(z, slope=0.3)
    np.testing.assert_array_equal([out, vjp(one)], [[-0.3, 0, 0.5], [0.3, 0.3, 1]])
    out, vjp = ops.elu(z, alpha=2)
    np.testing.assert_allclose(out, [2 / math.e - 2, 0, 0.5], rtol=1e-15)
    np.testing.assert_allclose(vjp(one), [2 / math.e, 2, 1], rtol=1e-15)
    np.testing.assert_array_equal(ops.absolute(z)[1](one), [-1, 0, 1])


def test_losses_are_means_over_rows_of_sums_over_outputs():
    a, Y = np.array([[0.2, 0.7, 0.9]]), np.array([[0.0, 1.0, 1.0]])
    assert ops.mse(a, Y)[0] == pytest.approx(0.07)
    for op in (ops.mse, ops.sigmoid_binary_cross_entropy):
        assert op(np.repeat(a, 5, axis=0), np.repeat(Y, 5, axis=0))[0] == pytest.approx(op(a, Y)[0])


def test_elementwise_ops_take_a_single_number():
    for op in (ops.sigmoid, ops.tanh, ops.relu, ops.elu, ops.softplus, ops.gelu, ops.silu):
        out, vjp = op(np.float32(0.3))
        assert out.dtype == vjp(np.float32(1)).dtype == np.float32, op.__name__


def test_integer_labels_do_not_promote_float32():
    z = np.zeros((1, 3), np.float32)
    loss, vjp = ops.softmax_cross_entropy(z, np.array([[0, 1, 0]]))
    assert (loss.dtype, vjp().dtype) == (np.float32, np.float32)


Z = np.zeros((2, 3))
BAD = [
    (
        lambda: ops.affine(np.ones((2, 5)), np.ones((3, 4)), np.ones(3)),
        ["W", "(3, 4)", "(2, 5)"],
    ),
    (lambda: ops.affine(np.ones((2, 4)), np.ones((3, 4)), np.ones(4)), ["b", "(4,)", "(3, 4)"]),
    (lambda: ops.affine(np.ones(4), np.ones((3, 4)), np.ones(3)), ["a", "(4,)", "(m, n_in)"]),
    (lambda: ops.relu(np.array([1, 2])), ["z", "int64", "astype(float)"]),
    (lambda: ops.relu([1.0, 2.0]), ["z", "list", "np.array"]),
    (lambda: ops.tanh(np.array(["a"])), ["z", "dtype"]),
    (lambda: ops.tanh(np.array([1.0, None])), ["z", "dtype object", "floats"]),
    (lambda: ops.mse(Z, Z.astype(object)), ["Y", "dtype object", "real numbers"]),
    (lambda: ops.softmax(np.ones((2, 0))), ["z", "(2, 0)"]),
    (lambda: ops.softmax(np.array(1.0)), ["z", "()", "(..., K)"]),
    (lambda: ops.mse(Z, np.zeros((3, 2))), ["Y", "(3, 2)", "(2, 3)"]),
    (lambda: ops.mse(Z, np.full((2, 3), np.nan)), ["Y", "not finite", "row 0"]),
    (lambda: ops.mse(Z, np.zeros((2, 3), complex)), ["Y", "complex"]),
    (lambda: ops.mse(np.zeros((0, 3)), np.zeros((0, 3))), ["a", "(0, 3)", "empty"]),
    (lambda: ops.mse(np.zeros(3), np.zeros(3)), ["a", "(3,)", "(m, n)"]),
    (lambda: ops.cross_entropy(Z + 0.5, Z), ["Y", "row 0", "one-hot"]),
    (lambda: ops.cast(Z, int), ["dtype", "int64", "floating dtype such as float32"]),
    (lambda: ops.saddle(np.zeros(3)), ["xy", "(3,)", "(..., 2)"]),
    (lambda: ops.softmax_cross_entropy(Z, np.array([0, 1])), ["Y", "(2,)", "(2, 3)", "np.eye"]),
    (lambda: ops.softmax_cross_entropy(Z, np.full((2, 3), 1 / 3)), ["Y", "(2, 3)", "one-hot"]),
    (lambda: ops.softmax_cross_entropy(Z, np.eye(3)[[0, 1]] * 2), ["Y", "row 0", "one-hot"]),
    (lambda: ops.softmax_cross_entropy(Z, [[0, 1, 0]] * 2), ["Y", "list"]),
    (lambda: ops.cross_entropy(Z + 2, np.eye(3)[[0, 1]]), ["P", "[0, 1]", "2.0"]),
    (lambda: ops.sigmoid_binary_cross_entropy(Z, Z - 1), ["Y", "[0, 1]", "-1.0"]),
]


@pytest.mark.parametrize("row", range(len(BAD)))
def test_bad_input_is_named(row):
    call, words = BAD[row]
    with pytest.raises(ValueError, match=".") as error:
        call()
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("op", [ops.max, ops.min, ops.sum, ops.mean])
@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 5), ((2, 3), -3), ((2, 3), (0, 0)), ((), 0)])
def test_a_reduction_along_no_axis_is_refused(op, shape, axis):
    with pytest.raises(ValueError, match="out of bounds|repeated axis"):
        op(np.ones(shape), axis=axis)


def test_equal_extremes_share_the_gradient_and_the_others_have_none():
    x = np.array([[2.0, 2, 1], [1, 3, 3], [5, 5, 5], [3, 2, 1]])
    d = np.array([6.0, 12, 18, 24])
    expected = [[3, 3, 0], [0, 6, 6], [6, 6, 6], [24, 0, 0]]
    np.testing.assert_array_equal(ops.max(x, axis=1)[1](d), expected)
    np.testing.assert_array_equal(ops.min(-x, axis=1)[1](d), expected)
    np.testing.assert_array_equal(ops.max(x[:, :1], axis=1)[0], x[:, 0])
    with pytest.raises(ValueError, match=r"x has shape \(4, 0\); axis 1 is empty"):
        ops.max(x[:, :0], axis=1)


def test_powers_at_zero_have_pytorchs_gradient():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")
    x, y = np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0])
    leaves = [torch.tensor(v, requires_grad=True) for v in (x, y)]
    (leaves[0] ** leaves[1]).sum().backward()
    for got, leaf in zip(ops.power(x, y)[1](np.ones(4)), leaves, strict=True):
        np.testing.assert_array_equal(got, leaf.grad.numpy())


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,ij->ij", [(1, 3), (2, 3)], r"operands\[1\] has shape \(2, 3\); index i is 1 long"),
        ("i,i->", [(3,), (1,)], r"operands\[1\] has shape \(1,\); index i is 3 long"),
        ("ij->i", [(3,)], r"operands\[0\] has shape \(3,\); 'ij' wants 2 axes"),
        ("ii->i", [(3, 3)], "'ii->i' for 1 operands; wanted one group .* no letter twice"),
        ("i->...i", [(3,)], r"'i->\.\.\.i' for 1 operands; wanted .* no ellipsis"),
        ("ii,j->ij", [(3, 3), (2,)], "no letter twice"),
        ("i,j->ij", [(3,)], "'i,j->ij' for 1 operands; wanted one group of letters for each"),
    ],
)
def test_einsum_stretches_no_index_and_takes_each_once(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message):
        ops.einsum(*map(np.ones, shapes), subscripts=subscripts)


@pytest.mark.parametrize("size", [1.0, 1e9, 1e300])
def test_equal_terms_of_logaddexp_share_its_gradient(size):
    """e^(x − out) would give 1 to each where log 2 is lost beside x."""
    x = np.array([size, size, np.inf])
    dx, dy = ops.logaddexp(x, np.array([size, -size, 0.0]))[1](np.ones(3))
    np.testing.assert_allclose(dx, [0.5, 1 / (1 + np.exp(-2 * size)), 1], rtol=1e-15)
    np.testing.assert_allclose(dx + dy, 1, rtol=1e-15)


def test_landscapes_at_a_point():
    xy = np.array([2.0, 3.0])
    exact = {
        ops.quadratic: 47,
        ops.ravine: 31.25,
        ops.rosenbrock: 101,
        ops.beale: 5.5**2 + 18.25**2 + 54.625**2,
        ops.saddle: 17.75,
        ops.plateau: 1 - math.exp(-6.5),
    }
    for op, value in exact.items():
        assert op(xy)[0] == pytest.approx(value, rel=1e-14), op.__name__
        grid = xy + np.arange(12.0).reshape(2, 3, 2) / 8
        rows = op(grid.reshape(-1, 2))[1]()
        np.testing.assert_array_equal(op(grid)[1](), rows.reshape(grid.shape))


def test_a_loss_gives_its_gradient_without_being_asked_for_a_factor():
    P = np.array([[0.2, 0.3, 0.5]])
    losses = (ops.mse, ops.cross_entropy, ops.softmax_cross_entropy)
    vjps = [op(P, ONE_HOT)[1] for op in (*losses, ops.sigmoid_binary_cross_entropy)]
    for vjp in [*vjps, *(op(P[:, :2])[1] for op in (ops.quadratic, ops.plateau))]:
        np.testing.assert_array_equal(vjp(), vjp(1.0))


BINARY = [ops.add, ops.subtract, ops.multiply, ops.divide, ops.power]
BINARY += [ops.maximum, ops.minimum, ops.logaddexp]
BINARY += [partial(ops.where, condition=np.array([True, False, True]))]


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("number", [3, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_plain_number_acts_as_an_array_of_it_and_has_no_gradient(op, number, dtype):
    x, u = np.array([0.4, 0.7, 1.9], dtype), np.array([1.0, -2.0, 3.0], dtype)
    same = np.full(3, number, dtype)
    for given, arrays, k in (((x, number), (x, same), 0), ((number, x), (same, x), 1)):
        out, vjp = op(*given)
        expected, its_vjp = op(*arrays)
        np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_allclose(vjp(u)[k], its_vjp(u)[k], rtol=4 * np.finfo(dtype).eps)
        assert out.dtype == vjp(u)[k].dtype == dtype
        assert vjp(u)[1 - k] is None


def test_the_power_0_is_flat_at_0_too():
    np.testing.assert_array_equal(ops.power(np.array([0.0, 2.0]), 0)[1](np.ones(2))[0], [0, 0])


@pytest.mark.parametrize("op", [ops.maximum, ops.minimum])
def test_of_equal_entries_the_second_takes_the_gradient(op):
    dx, dy = op(np.ones(2), np.ones(2))[1](np.array([2.0, 3.0]))
    np.testing.assert_array_equal([dx, dy], [[0, 0], [2, 3]])


@pytest.mark.parametrize(
    ("shape", "into"), [((3,), (2, 3)), ((2, 1, 3), (2, 4, 3)), ((2, 1), (5, 2, 3))]
)
def test_the_gradient_of_a_repeated_entry_is_the_sum_over_its_repetitions(shape, into):
    dx, _ = ops.add(np.zeros(shape), np.zeros(into))[1](np.ones(into))
    np.testing.assert_array_equal(dx, np.full(shape, math.prod(into) / math.prod(shape)))


def test_defaults_are_numpys():
    x = np.arange(6.0).reshape(2, 3)
    for op, f in {ops.sum: np.sum, ops.mean: np.mean, ops.max: np.max, ops.min: np.min}.items():
        np.testing.assert_array_equal(op(x)[0], f(x))
        np.testing.assert_array_equal(op(x, axis=1)[0], f(x, axis=1))
        np.testing.assert_array_equal(op(x, 1, keepdims=True)[0], f(x, 1, keepdims=True))
    for op, f in {ops.concatenate: np.concatenate, ops.stack: np.stack}.items():
        np.testing.assert_array_equal(op(x, 2 * x)[0], f([x, 2 * x]))
    for subscripts in ("ij,kj", "ba,ca"):  # without an arrow: the indices that come once, sorted
        out = ops.einsum(x, 2 * x, subscripts=subscripts)[0]
        np.testing.assert_array_equal(out, np.einsum(subscripts, x, 2 * x))
    out, vjp = ops.transpose(x)
    np.testing.assert_array_equal(out, x.T)
    np.testing.assert_array_equal(vjp(x.T), x)
    np.testing.assert_array_equal(ops.index(x, x > 2)[1](np.ones(3)), x > 2)


def test_the_power_of_0_has_a_gradient():
    """∂/∂x x¹ is 1 at 0, of x⁰ and x² it is 0; ∂/∂y 0ʸ is 0 there."""
    dx, dy = ops.power(np.zeros(3), np.array([0.0, 1.0, 2.0]))[1](np.ones(3))
    np.testing.assert_array_equal([dx, dy], [[0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("k,k->", [(3,), (3,)]),
        ("mk,k->m", [(2, 3), (3,)]),
        ("k,kn->n", [(3,), (3, 4)]),
        ("bmk,k->bm", [(5, 2, 3), (3,)]),
        ("k,bkn->bn", [(3,), (5, 3, 4)]),
    ],
)
def test_a_vector_in_a_product_is_a_row_on_the_left_and_a_column_on_the_right(subscripts, shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    (out, vjp), (sums, their_vjp) = ops.matmul(a, b), ops.einsum(a, b, subscripts=subscripts)
    np.testing.assert_allclose(out, sums, rtol=1e-13)
    d = rng.normal(size=out.shape)
    for ours, theirs in zip(vjp(d), their_vjp(d), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_the_gradient_of_a_concatenation_is_cut_where_the_arrays_meet():
    _, vjp = ops.concatenate(np.ones((2, 1)), np.ones((2, 3)), np.ones((2, 2)), axis=1)
    d = np.arange(12.0).reshape(2, 6)
    for part, expected in zip(vjp(d), (d[:, :1], d[:, 1:4], d[:, 4:]), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_the_gradient_of_a_single_number_may_be_written_as_one():
    x, v = np.array([[3.0, 1.0], [2.0, 5.0]]), np.array([3.0, 4.0])
    for op in (ops.sum, ops.mean, ops.max, ops.min):
        np.testing.assert_array_equal(op(x)[1](2.0), 2 * op(x)[1](np.array(1.0)))
    np.testing.assert_allclose(ops.logsumexp(v)[1](2.0), 2 * ops.softmax(v)[0], rtol=1e-15)
    np.testing.assert_array_equal(ops.index(v, 1)[1](2.0), [0, 2])
    np.testing.assert_array_equal(ops.matmul(v, v)[1](2.0), [2 * v, 2 * v])
    np.testing.assert_array_equal(ops.einsum(v, subscripts="i->")[1](2.0), [[2, 2]])


def test_a_setting_of_numpys_float64_keeps_float32():
    z, one, half = np.ones((2, 3), np.float32), np.ones(3, np.float32), np.float64(0.5)
    for out, vjp in (
        ops.leaky_relu(z, half),
        ops.elu(z, half),
        ops.dropout(z, z > 0, half),
        ops.batch_norm(z, one, one, half),
        ops.batch_norm_inference(z, one, one, one, one, half),
        ops.layer_norm(z, one, one, half),
    ):
        found = vjp(z)
        found = found if isinstance(found, tuple) else (found,)
        assert {x.dtype for x in (out, *found)} == {np.dtype(np.float32)}
