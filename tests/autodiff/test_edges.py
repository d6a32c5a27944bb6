"""Where a derivative could go wrong in silence: arrays that change, axes, threads, structures."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bpbook.autodiff import (
    Function,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    static,
    tensor,
    value_and_grad,
    vjp,
)
from bpbook.autodiff import functional as F
from bpbook.autodiff.plan import LONG

X = np.array([1.0, 2.0, 3.0])
TORCH = "PyTorch is not installed: pip install -e .[torch]"


def leaf(values=X):
    return tensor(values, requires_grad=True)


# What the tape keeps is as it was at the call.


def _view_of(base):
    view = base[:]
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("view", [_view_of, lambda base: np.broadcast_to(base, 3)])
def test_a_constant_seen_through_a_read_only_view_may_change_after_the_call(view):
    base = np.ones(3)
    constant = view(base)
    w, compiled = leaf(), static.compile(lambda x: x * constant, X)
    y = (w * constant).sum()
    base[:] = 9
    y.backward()
    np.testing.assert_array_equal(w.grad, [1, 1, 1])
    np.testing.assert_array_equal(compiled(X), X)


def test_a_transposed_constant_stays_transposed():
    """Its copy is laid out as it was, so a matrix product adds in the order of plain NumPy's."""
    c = np.ones((3, 2))
    (product,) = static.compile(lambda x: x @ c.T, np.ones((1, 2))).plan.steps
    assert product.args[1].flags.f_contiguous
    assert not np.may_share_memory(product.args[1], c)


def test_a_tensors_data_is_a_constant_as_it_was():
    a, w = leaf(), leaf()
    y = (w * a.data).sum()
    with no_grad():
        a[...] = 100
    y.backward()
    np.testing.assert_array_equal(w.grad, X)


@pytest.mark.parametrize("key", [np.array([0, 1]), [0, 1], tensor([0, 1])])
def test_a_key_may_change_after_the_call(key):
    a = leaf()
    y = a[key].sum()
    key[:] = [2, 2]
    y.backward()
    np.testing.assert_array_equal(a.grad, [1, 1, 0])


def test_a_condition_may_change_after_the_call():
    a, b, condition = leaf(), leaf(), np.array([True, False, True])
    y = F.where(a, b, condition=condition).sum() + np.where(condition, a, b).sum()
    condition[:] = False
    y.backward()
    np.testing.assert_array_equal(a.grad, [2, 0, 2])


def test_an_argument_may_change_between_the_value_and_the_pullback():
    x = X.copy()
    _, pullback = vjp(lambda x: (x * x).sum())(x)
    x[:] = 9
    np.testing.assert_array_equal(pullback(1.0), 2 * X)


def test_a_function_that_changes_its_argument_changes_neither_x_nor_v():
    def f(x):
        x *= 2
        total = x.sum()
        total += 1
        return total

    x, v = X.copy(), X.copy()
    assert jvp(f)(x, v) == (13, 12)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(v, X)


class Second(Function):
    @staticmethod
    def forward(ctx, a, b):
        return b

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * 0, grad_output


def test_an_input_given_back_as_the_output_is_known_to_be_the_same_memory():
    a, b = leaf(), leaf()
    out, later = Second.apply(a, b), (b * b).sum()
    with no_grad():
        out[0] = 100
    with pytest.raises(RuntimeError, match="changed in place"):
        later.backward()


def test_a_fresh_array_in_another_layout_is_not_taken_for_a_view():
    x, W, b = leaf(np.ones((1, 1, 3, 3))), leaf(np.ones((1, 1, 2, 2))), leaf(np.ones(1))
    z = F.conv2d(x, W, b)
    y = (z * z).sum()
    with no_grad():
        z.detach()[...] = 5
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    late = (F.conv2d(x, W, b) * 3.0).sum()
    with no_grad():
        F.conv2d(x, W, b)[...] = 5  # its own memory: x and late are untouched
    late.backward()
    np.testing.assert_array_equal(b.grad, [12])


def test_a_hook_cannot_change_a_gradient_that_others_share():
    a = leaf()
    b, c = a * 1.0, a * 1.0
    c.register_hook(lambda d: d.__imul__(10))
    with pytest.raises(ValueError, match="read-only"):
        (b + c).backward(gradient=np.ones(3))


def test_no_grad_within_a_derivative_makes_constants_and_around_it_does_nothing():
    def f(x):
        with no_grad():
            constant = x * x
        return (constant * x).sum()

    np.testing.assert_array_equal(grad(f)(X), X**2)
    with no_grad():
        np.testing.assert_array_equal(grad(f)(X), X**2)
        assert grad(grad(lambda x: x**3))(2.0) == 12


def test_a_hook_that_is_no_function_is_refused_at_once():
    with pytest.raises(TypeError, match="hook is 3"):
        leaf().register_hook(3)


def test_an_array_filled_with_a_tensor_passes_its_gradient_on():
    w = leaf(np.array(2.0))
    (np.full_like(tensor(X), w) * X).sum().backward()
    assert w.grad == X.sum()


def test_comparisons_write_where_they_are_told():
    mask, flags = np.zeros(3, bool), tensor(np.zeros(3))
    assert np.greater(leaf(), 1.5, out=mask) is mask
    np.testing.assert_array_equal(mask, [False, True, True])
    assert np.floor(tensor([0.5, 1.5, 2.5]), out=flags) is flags
    np.testing.assert_array_equal(flags.data, [0, 1, 2])


# NumPy's functions, as NumPy takes them.


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
        lambda x: np.moveaxis(x, -1, 0),
        lambda x: np.swapaxes(x, -1, 0),
        lambda x: np.concatenate([x, x[0]], axis=None),
        lambda x: np.where(x - x.min(), x, 0.0),
        lambda x: np.where(x > np.argmax(a=x), x, 0.0),
    ],
)
def test_calls_that_numpy_takes(f):
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(f(tensor(x)).data, f(x))


def test_an_option_that_has_no_derivative_is_named_with_numpys_function():
    with pytest.raises(TypeError, match=r"^np\.mean\(\) got .*'dtype'"):
        np.mean(leaf(), dtype=np.float32)
    with pytest.raises(TypeError, match=r"^np\.std\(\) got .*'ddof'"):
        np.std(leaf(), ddof=1)


@pytest.mark.parametrize("option", [{"where": X > 1}, {"initial": 9.0}, {"dtype": np.float32}])
@pytest.mark.parametrize("ufunc", [np.add, np.maximum])
def test_an_option_of_a_reduction_is_not_passed_over(ufunc, option):
    with pytest.raises(TypeError, match=next(iter(option))):
        ufunc.reduce(leaf(), **option)
    assert ufunc.reduce(leaf(), None, None, None, True, np._NoValue, True).shape == (1,)


@pytest.mark.parametrize(
    "f", [lambda x: np.moveaxis(x, 0, 7), lambda x: np.swapaxes(x, 0, 7), lambda x: x.max(axis=5)]
)
def test_an_axis_that_is_not_there_is_named(f):
    with pytest.raises(np.exceptions.AxisError, match="out of bounds"):
        f(leaf(np.ones((2, 3))))


@pytest.mark.parametrize("transform", [grad, lambda f: lambda x: jvp(f)(x, x)])
def test_a_derivative_put_into_a_plain_array_is_refused_and_not_lost(transform):
    def entry_by_entry(x):
        out = np.zeros(3)
        for i in range(3):
            out[i] = x[i] ** 2
        return out.sum()

    with pytest.raises(ValueError, match="setting an array element") as error:
        transform(entry_by_entry)(X)
    assert "np.stack" in str(error.value.__cause__)


# dtypes and plain numbers.


def test_a_float32_leaf_has_a_float32_gradient_as_in_pytorch():
    torch = pytest.importorskip("torch", reason=TORCH)
    x, w = X.astype(np.float32), X / 3
    ours, theirs = leaf(x), torch.tensor(x, requires_grad=True)
    for _ in range(2):
        (ours * w).sum().backward()
        (theirs * torch.tensor(w)).sum().backward()
    assert ours.grad.dtype == np.float32
    np.testing.assert_array_equal(ours.grad, theirs.grad.numpy())
    assert grad(lambda x: (x * w).sum())(x).dtype == np.float32
    assert jvp(lambda x: x * 2)(x, w)[1].dtype == np.float32


def test_directions_and_seeds_may_be_plain_numbers_or_integers():
    assert jvp(np.sum)(1.0, 1) == (1, 1)
    assert vjp(np.sum)(X)[1](1).tolist() == [1.0, 1.0, 1.0]
    pulled = vjp(lambda x: x)(X)[1](np.array([1, 2, 3]))
    assert (pulled.dtype, pulled.tolist()) == (X.dtype, [1, 2, 3])


def test_a_function_of_nothing_has_gradient_0():
    value, gradient = value_and_grad(lambda x: 3.0)(X)
    assert (value, gradient.tolist()) == (3, [0, 0, 0])
    np.testing.assert_array_equal(jacobian(lambda x: 3.0)(X), np.zeros(3))


@pytest.mark.parametrize(
    "transform",
    [grad, jacobian, lambda f: lambda x: jvp(f)(x, x), lambda f: lambda x: static.compile(f, x)],
)
@pytest.mark.parametrize("value", [None, "a", 1j])
def test_a_function_that_gives_no_numbers_has_no_gradient_0(transform, value):
    with pytest.raises(TypeError, match="f returned .* wanted a number") as error:
        transform(lambda x: value)(X)
    assert ("is a return missing?" in str(error.value)) == (value is None)


def test_jacobians_of_empty_arrays():
    empty = np.zeros(0)
    assert jacobian(lambda x: np.ones(2) * x.sum())(empty).shape == (2, 0)
    assert jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert hessian(lambda x: (x**3).sum())(empty).shape == (0, 0)
    assert hessian(lambda x: x**3)(2.0) == 12


def test_an_argument_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        grad(lambda a, b: (a * b).sum(), argnums=(0, -2))(X, X)


# Structures.


def test_dictionaries_go_by_their_keys_and_not_by_their_order():
    f = lambda d: (d["a"] ** 2 * 5 + d["b"] ** 2).sum()  # noqa: E731
    x, v = {"a": X, "b": X}, {"b": 0 * X, "a": X}
    assert jvp(f)(x, v)[1] == 10 * (X @ X)
    np.testing.assert_array_equal(hvp(f)(x, v)["a"], 10 * X)
    assert list(grad(f)(v)) == ["b", "a"]
    assert static.compile(f, x)(v) == f(v)
    pullback = vjp(lambda x: {"a": x, "b": 2 * x})(X)[1]
    np.testing.assert_array_equal(pullback({"b": 0 * X, "a": X}), X)


def test_another_structure_is_refused():
    f = lambda d: d["a"] - d["b"]  # noqa: E731
    x = {"a": X, "b": X}
    for other in ({"a": X, "c": X}, [X, X]):
        with pytest.raises(ValueError, match="structure"):
            jvp(f)(x, other)
        with pytest.raises(ValueError, match="structure"):
            static.compile(f, x)(other)
    with pytest.raises(ValueError, match="structure"):
        vjp(lambda x: (x, x))(X)[1]((X, (X,)))


# Threads.


def test_a_derivative_taken_in_a_thread_of_another_is_not_mistaken_for_it():
    with ThreadPoolExecutor(1) as pool:

        def f(x):
            inner = pool.submit(grad(lambda y: x * y * y), np.array(3.0)).result()  # 6x
            return x * inner

        assert grad(f)(np.array(2.0)) == 24


def test_a_compiled_function_may_be_called_in_several_threads():
    x = np.random.default_rng(0).normal(size=(120, 120))
    f = static.compile(lambda x: (np.tanh(x @ x) + x).sum(axis=0), x)
    inputs = [x * k for k in range(1, 5)]
    want, wrong = [f(x) for x in inputs], []

    def work(k):
        wrong.extend(k for _ in range(40) if not np.array_equal(f(inputs[k]), want[k]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Static graphs.


def test_calls_that_differ_in_form_or_in_the_sign_of_zero_are_not_made_once():
    x = np.arange(1.0, 7).reshape(2, 3)
    f = lambda x: (x[0, 1], x[[0, 1]], x * 0.0, x * -0.0)  # noqa: E731
    for got, want in zip(static.compile(f, x)(-x), f(-x), strict=True):
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(np.exp(x)[...] * -1) * 2,  # of an array of the run
        lambda x: np.exp(x) * x[...] + 1,  # of an input
    ],
)
def test_a_view_within_a_fused_run(f):
    x = np.linspace(-1, 1, LONG)
    np.testing.assert_array_equal(static.compile(f, x)(x / 2), f(x / 2))


def test_constants_among_the_results_are_as_they_were():
    c = np.ones(3)
    f = static.compile(lambda x: (x, c), X)
    c[:] = 9
    np.testing.assert_array_equal(f(X)[1], [1, 1, 1])


@pytest.mark.parametrize("f", [lambda x: np.flatnonzero(x > 1.5), lambda x: np.unique(x)])
def test_a_shape_that_depends_on_numbers_is_refused_when_it_changes(f):
    compiled = static.compile(f, X)
    np.testing.assert_array_equal(compiled(X), f(X))
    with pytest.raises(ValueError, match="its shape depends on numbers"):
        compiled(np.array([2.0, 0.0, 0.0]))


@pytest.mark.parametrize("f", [np.modf, np.nonzero, lambda x: np.where(x > 1)])
def test_functions_that_give_several_arrays_are_refused(f):
    with pytest.raises(TypeError, match="only functions that give one array"):
        static.compile(f, X)


def test_methods_of_arrays_are_traced():
    x = np.arange(6.0).reshape(1, 6)
    f = lambda x: (x.var(), x.squeeze().dot(x.flatten()), x.clip(1, 2), np.split(x, [2], axis=1))  # noqa: E731
    *got, (left, right) = static.compile(f, x)(x)
    *want, (want_left, want_right) = f(x)
    for a, b in zip([*got, left, right], [*want, want_left, want_right], strict=True):
        np.testing.assert_array_equal(a, b)
