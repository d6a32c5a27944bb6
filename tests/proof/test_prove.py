"""prove must accept the right derivative and catch every planted error."""

import inspect

import numpy as np
import pytest
import sympy as sp

from bpbook import ops
from bpbook.nets import MLP
from bpbook.proof import Symbols, probabilities, prove, symbols


def planted(op, change):
    """The op with its vjp's result changed."""

    def wrong(*arguments):
        out, vjp = op(*arguments)
        return out, lambda u: change(vjp(u), *arguments)

    wrong.__signature__ = inspect.signature(op)
    return wrong


SLIPS = {
    "a wrong sign": (planted(ops.tanh, lambda dz, z: -dz), [(2, 2)]),
    "a factor 1.0001": (planted(ops.softmax, lambda dz, z: 1.0001 * dz), [(2, 3)]),
    "a factor 1 + 1e-12": (planted(ops.sigmoid, lambda dz, z: dz * (1 + 1e-12)), [(1, 2)]),
    "a transpose of dW, all square": (
        planted(ops.affine, lambda g, a, W, b: (g[0], g[1].T, g[2])),
        [(2, 2), (2, 2), (2,)],
    ),
    "wrong above the kink": (planted(ops.relu, lambda dz, z: dz * (1 + (z > 0))), [(2, 2)]),
    "wrong below the kink": (planted(ops.relu, lambda dz, z: dz + 0.1 * (z < 0)), [(2, 2)]),
    "wrong slope below the kink": (
        planted(ops.leaky_relu, lambda dz, z: np.where(z > 0, dz, dz * 2)),
        [(2, 2)],
    ),
    "softmax entry by entry": (
        lambda z: (ops.softmax(z)[0], lambda u: u * ops.softmax(z)[0] * (1 - ops.softmax(z)[0])),
        [(1, 3)],
    ),
    "a forgotten mean": (planted(ops.mse, lambda da, a, Y: 2 * da), [(2, 2), (2, 2)]),
    "one entry of many": (
        planted(ops.tanh, lambda dz, z: dz * np.array([[1, 1], [1, 2]])),
        [(2, 2)],
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_planted_errors_are_caught(slip):
    op, shapes = SLIPS[slip]
    proof = prove(op, *shapes)
    assert not proof
    assert proof.failures
    assert "NOT PROVED" in str(proof)


def test_a_square_weight_matrix_without_its_transpose():
    def forgetful(a, W, b):
        z, _ = ops.affine(a, W, b)
        return z, lambda dz: (dz @ W.T, dz.T @ a, dz.sum(axis=0))

    proof = prove(forgetful, (2, 2), (2, 2), (2,))
    assert [f.entry for f in proof.failures] == [f"da[{i}, {j}]" for i in (0, 1) for j in (0, 1)]


def test_only_the_wrong_side_of_a_kink_is_blamed():
    op, shapes = SLIPS["wrong slope below the kink"]
    for failure in prove(op, *shapes).failures:
        assert set(failure.shown_by.region.values()) == {-1}
        assert "< 0" in str(failure)


def test_the_counterexample_is_one():
    """The point that a failure names gives different numbers when the op runs there."""
    op, _ = SLIPS["a factor 1.0001"]
    failure = prove(op, (1, 2)).failures[0]
    point = failure.shown_by.point
    assert float(failure.given.xreplace(point)) != float(failure.true.xreplace(point))


WRONG = {
    "two float masks add up to 2": lambda z: (
        z * ((z > 0) * 1.0 + (z > -1) * 1.0),
        lambda u: u * (z > -1),
    ),
    "two steps add up to 2": lambda z: (
        z * (np.where(z > 0, 1, 0) + np.heaviside(z + 1, 0)),
        lambda u: u * (z > -1),
    ),
    "all of the entries, not the last": lambda z: (
        z * (z > 0).all(),
        lambda u: u * (z[-1:] > 0),
    ),
    "any of the entries, not the first": lambda z: (z * (z > 0).any(), lambda u: u * (z[:1] > 0)),
    "a ufunc's where": lambda z: (
        np.multiply(z, 2, where=z > 0, out=z.copy()),
        lambda u: 2 * u,
    ),
    "wrong at one point": lambda z: (np.sin(z), lambda u: u * np.where(z == 0.5, 7, np.cos(z))),
    "wrong at two points": lambda z: (z + 0, lambda u: u * np.where(z * z == 4, 7, 1)),
    "wrong at 0 by signs": lambda z: (z + 0, lambda u: u * np.sign(z) ** 2),
    "wrong where two entries are equal": lambda z: (
        z * z,
        lambda u: 2 * u * z * (1 + (z[:1] == z[1:])),
    ),
    "wrong inside": lambda z: (z + 0, lambda u: u * np.where(np.abs(z) < 1, 2, 1)),
    "wrong far out": lambda z: (np.clip(z, 0, 600), lambda u: u * (z > 0)),
    "root of a square": lambda z: (np.sqrt(z**2), lambda u: u),
    "another branch": lambda z: (np.arcsin(np.sin(z)), lambda u: u),
    "log of a square": lambda z: (np.log(z**2), lambda u: 2 * u / np.abs(z)),
    "cotangent ignored": lambda z: (z * z, lambda u: 2 * z),
    "second cotangent off by 1e-12": lambda z: (z + 0, lambda u: u * np.array([1, 1 + 1e-12])),
    "wrong on a circle": lambda z: (
        z + 0,
        lambda u: u * np.where(z[:1] ** 2 + z[1:] ** 2 == 1, 2, 1),
    ),
    "wrong where cos z = z": lambda z: (z + 0, lambda u: u * np.where(np.cos(z) == z, 2, 1)),
    "pi to 14 decimals": lambda z: (z * 3.14159265358979, lambda u: u * np.pi),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_op_is_refused_with_a_point_that_shows_it(name):
    proof = prove(WRONG[name], (2,))
    assert not proof
    if name == "wrong where cos z = z":  # no formula for such a point
        assert "no proof found" in str(proof)
        return
    assert all(failure.shown_by.point is not None for failure in proof.failures)
    assert "at u_" in str(proof)


def wrong_if_y_is_positive(x, y):
    square = np.maximum(x, 0) ** 2
    slope = np.where(x == 0, 7, 2 * np.maximum(x, 0))
    return np.where(y > 0, square, np.maximum(x, 0)), lambda u: u * np.where(y > 0, slope, x > 0)


def sinc(x, at_0):
    safe = np.where(x == 0, 1, x)
    slope = (np.cos(x) * x - np.sin(x)) / safe**2
    return np.where(x == 0, 1, np.sin(x) / safe), lambda u: u * np.where(x == 0, at_0, slope)


WRONG_WHERE_PIECES_MEET = {
    "square of relu": lambda x: (
        np.maximum(x, 0) ** 2,
        lambda u: u * np.where(x == 0, 9, 2 * np.maximum(x, 0)),
    ),
    "cube by abs": lambda x: (np.abs(x) ** 3, lambda u: u * (3 * x * np.abs(x) + (x == 0))),
    "a square beyond 1, by x² > 1": lambda x: (
        np.maximum(x * x - 1, 0) ** 2,
        lambda u: u * (4 * x * np.maximum(x * x - 1, 0) + (x == 1)),
    ),
    "a value at 0 that does not count": lambda x: (
        x * np.where(x == 0, 5, 1),
        lambda u: u * np.where(x == 0, 5, 1),
    ),
    "sinc": lambda x: sinc(x, at_0=9),
}


@pytest.mark.parametrize("name", WRONG_WHERE_PIECES_MEET)
def test_where_a_forwards_pieces_meet_smoothly_the_vjp_is_the_slope(name):
    [failure] = prove(WRONG_WHERE_PIECES_MEET[name], (1,)).failures
    assert failure.shown_by.point[sp.Symbol("x_{1}", real=True)] in (0, 1)
    assert "off by" not in str(failure)


def test_pieces_may_meet_smoothly_on_a_curve():
    def wrong(x):
        outside = np.maximum((x * x).sum() - 1, 0)
        return outside**2, lambda u: u * (4 * x * outside + (outside == 0) * ((x * x).sum() == 1))

    assert not prove(wrong, (2,))


def test_pieces_may_meet_smoothly_in_one_region_only():
    [failure] = prove(wrong_if_y_is_positive, (1,), (1,)).failures
    assert "y_{1} > 0" in str(failure)


COUNTS = []


def counts_calls(x):
    COUNTS.append(1)
    return x**2, lambda u: (2 if len(COUNTS) == 1 else 3) * u * x


def casts(x):
    slopes = np.zeros_like(x, dtype=object if x.dtype == object else int)

    def vjp(u):
        slopes[...] = 2 * x
        return u * slopes

    return x**2, vjp


WRONG_ON_NUMBERS = {
    "a counter": counts_calls,
    "a buffer of integers": casts,
    "half precision": lambda x: (x**2, lambda u: (2 * u * x).astype(np.float16)),
    "no floating dtype": lambda x: (
        x**2,
        lambda u: u * x * (3 if np.issubdtype(x.dtype, np.floating) else 2),
    ),
    "a branch on 0": lambda x: (x**2, lambda u: u * x * (3 if x[0] == 0 else 2)),
    "a branch on the loss": lambda x: (x**2, lambda u: 2 * u * x * (5 if u[0] == 1 else 1)),
    "a branch on a vanished gradient": lambda x: (x + 0, lambda u: 0 * u if u[0] == 0 else u),
    "a root undone, for x ≥ 0 only": lambda x: (x**2, lambda u: 2 * u * np.sqrt(x) ** 2),
    "0/0 where there is a derivative": lambda x: (
        x**2,
        lambda u: 2 * u * x * np.sin(x) / np.cos(x) / np.tan(x),
    ),
    "a truth value": lambda x: (x**2, lambda u: u * x * (2 if x[0] else 3)),
    "a branch on equal entries": lambda x: (x**2, lambda u: u * x * (3 if x[0] == x[1] else 2)),
    "a product by division": lambda x: (x.prod() + 0 * x, lambda u: u.sum() * x.prod() / x),
}


@pytest.mark.parametrize("name", WRONG_ON_NUMBERS)
def test_an_op_that_does_something_else_on_numbers_is_refused(name):
    proof = prove(WRONG_ON_NUMBERS[name], (2,))
    assert not proof
    assert "on numbers: given" in str(proof)


def test_an_op_that_cannot_do_on_numbers_what_it_does_on_symbols_raises():
    kept = {}

    def cached(x):
        slope = kept.setdefault(x.shape, 2 * x)
        return x**2, lambda u: u * slope

    def other_forward(x):
        return x * (1 if x.dtype == object else 2), lambda u: u

    def other_shape(x):
        return x + 0, lambda u: u if u.dtype == object else u[:1]

    def never(x):
        if x.dtype != object:
            raise ValueError("no numbers, please")
        return x + 0, lambda u: u

    def cannot(x):
        return x + 0, lambda u: u + (0 if x.dtype == object else "0")

    for op, words in {
        cached: "symbols of an earlier call",
        other_forward: r"out\[0\] is .* on numbers; its formula is",
        other_shape: r"on numbers an array has shape \(1,\)",
        never: "no numbers, please",
    }.items():
        with pytest.raises(ValueError, match=words):
            prove(op, (2,))
    with pytest.raises(TypeError) as error:
        prove(cannot, (2,))
    assert "on numbers of the same shapes" in error.value.__notes__[0]


def test_a_shift_is_the_maximum_when_the_op_runs_on_numbers():
    """A mask by the maximum is decided as the op decides it, not by a free symbol."""

    def spread(z):
        held = (z <= z.max(axis=-1, keepdims=True)) & (z >= z.min(axis=-1, keepdims=True))
        return z * held, lambda u: u * held

    assert prove(spread, (2, 2))


def adds_at(z):
    def vjp(u):
        dz = 2 * z * u
        np.add.at(dz, [0], 5)
        return dz

    return z**2, vjp


def test_what_ufunc_at_adds_is_in_the_proof():
    assert [failure.entry for failure in prove(adds_at, (2,)).failures] == ["dz[0]"]


def test_a_condition_that_is_a_symbol_holds_where_it_is_not_0():
    def masked(a, mask):
        return np.where(mask, a, 0), lambda u: u * mask

    assert not prove(masked, (1,), (1,))
    assert prove(lambda a, m: (np.where(m, a, 0), lambda u: np.where(m != 0, u, 0)), (1,), (1,))


def test_a_max_that_matters_is_not_taken_for_a_shift():
    def maximum(z):
        c = z.max(axis=-1, keepdims=True)
        return z + c, lambda u: u

    assert not prove(maximum, (1, 2))


def test_a_vjp_may_take_the_maximum_again():
    """The maximum of the same entries is the same number, and another one's is not."""

    def shifted(z):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)

        def vjp(u):
            again = np.exp(z - z.max(axis=-1, keepdims=True))
            q = again / e.sum(axis=-1, keepdims=True)
            return q * (u - (u * p).sum(axis=-1, keepdims=True))

        return p, vjp

    assert prove(shifted, (2, 2))
    z = symbols("z", 2, 3)
    assert z.max()[()] == z.T.max()[()] != z.min()[()]
    assert list(z.max(axis=1)) == list(z.max(axis=1, keepdims=True)[:, 0])
    assert z[0].max()[()] != z[1].max()[()]


def test_a_readers_own_op_and_keyword():
    def scaled_square(x, scale=1.0):
        return scale * x**2, lambda u: 2 * scale * x * u

    assert prove(scaled_square, (3,), scale=0.1)
    assert prove(scaled_square, (3,), scale=sp.Symbol("s"))
    assert not prove(lambda x: (x**2, lambda u: x * u), (3,))


def test_kinks_inside_kinks():
    def hat(x):
        inner = np.maximum(x, 0)
        out = np.minimum(inner, 1)
        return out, lambda u: u * (x > 0) * (inner < 1)

    def wrong_hat(x):
        return hat(x)[0], lambda u: u * (x > 0)

    assert prove(hat, (2,))
    [first, _] = prove(wrong_hat, (2,)).failures
    assert first.shown_by.point[sp.Symbol("x_{1}", real=True)] > 1


def huber(a, Y, delta=1):
    """r²/2 where |r| ≤ δ, else δ|r| − δ²/2, of r = 2a − 2Y."""
    r = 2 * a - 2 * Y
    loss = np.where(np.abs(r) <= delta, r**2 / 2, delta * (np.abs(r) - delta / 2)).sum()
    return loss, lambda d: 2 * d * np.where(r > delta, delta, np.where(r < -delta, -delta, r))


@pytest.mark.parametrize("delta", [1, 2.5, sp.Symbol("delta", positive=True)])
def test_kinks_in_several_variables_that_contradict_each_other(delta):
    """No a − Y is above δ/2 and below −δ/2, so those regions need no proof; the others do."""
    assert prove(huber, (1, 2), (1, 2), delta=delta)

    def wrong(a, Y):
        loss, vjp = huber(a, Y, delta)
        return loss, lambda d: vjp(d) * np.where(2 * a - 2 * Y < -delta, 2, 1)

    [first, _] = prove(wrong, (1, 2), (1, 2)).failures
    assert first.shown_by.point is not None


def test_kinks_that_can_be_together_are_all_proved():
    """a > Y and a < Y + 1 do not contradict each other: an error between the two is found."""

    def wrong(a, Y):
        return a * 1, lambda u: u * np.where((a > Y) & (a < Y + 1), 2, 1)

    assert not prove(wrong, (1,), (1,))


@pytest.mark.parametrize("activation", [ops.tanh, ops.relu])
def test_the_whole_network_class_is_proved(activation):
    net = MLP((2, 2, 2), activation)
    proof = prove(net.op, net.theta.shape, (1, 2), probabilities("y", 1, 2))
    assert proof
    assert proof.entries >= net.theta.size


def test_softmax_cross_entropy_needs_rows_that_sum_to_one():
    assert prove(ops.softmax_cross_entropy, (2, 3), (2, 3))
    assert not prove(ops.softmax_cross_entropy, (2, 3), symbols("y", 2, 3))


def test_bad_calls_are_named():
    with pytest.raises(ValueError, match="takes 1 arguments; got 2 shapes"):
        prove(ops.tanh, (2,), (3,))
    with pytest.raises(ValueError, match="wanted a shape"):
        prove(ops.tanh, 3)
    with pytest.raises(ValueError, match=r"wanted \(out, vjp\)"):
        prove(lambda x: x, (2,))
    with pytest.raises(ValueError, match=r"dx has shape \(3,\); x has shape \(2,\)"):
        prove(lambda x: (x, lambda u: symbols("u", 3)), (2,))
    with pytest.raises(ValueError, match="each length must be a whole number"):
        symbols("x", 0)
    with pytest.raises(TypeError, match=r"np\.arctan2 has no symbolic form"):
        np.arctan2(symbols("x", 2), 1)
    with pytest.raises(TypeError, match=r"np\.linalg\.norm has no symbolic form"):
        np.linalg.norm(symbols("x", 2))


def test_symbols_do_algebra_like_numbers():
    x = symbols("x", 2, 2)
    assert isinstance(x, Symbols)
    one = {s: 1 for s in x.flat}
    assert (x @ x.T).sum()[()].xreplace(one) == 8
    assert (x + 0.1)[0, 0] - x[0, 0] == sp.Rational(1, 10)
    assert (x * np.pi)[0, 0] / x[0, 0] == sp.pi
    assert (np.where(x > 0, x, -x) - np.abs(x))[0, 0].xreplace(one) == 0
    assert [row.sum()[()] for row in probabilities("p", 2, 3)] == [1, 1]


def test_ops_in_a_readers_own_style():
    """Batch normalisation with mean and var, einsum, clip and masks made with &."""

    def normalise(x):
        scale = np.sqrt(x.var(axis=0) + 0.1)
        h = (x - x.mean(axis=0)) / scale
        return h, lambda u: (u - u.mean(axis=0) - h * (u * h).mean(axis=0)) / scale

    def product(x, W):
        z = np.tanh(np.einsum("ij,kj->ik", x, W))
        return z, lambda u: ((u * (1 - z**2)) @ W, np.einsum("ik,ij->kj", u * (1 - z**2), x))

    def hard_tanh(x):
        return x.clip(-1, 1), lambda u: u * ((x > -1) & (x < 1))

    assert prove(normalise, (2, 2))
    assert prove(product, (1, 2), (2, 2))
    assert prove(hard_tanh, (2,))
    assert not prove(lambda x: (np.clip(x, -1, 1), lambda u: u * (x < 1)), (2,))


def test_comparisons_add_as_booleans_do():
    """(z > −1) + (z > 0) is an or: where both hold it is 1, not 2."""

    def masked(z):
        return z * ((z > -1) + (z > 0)), lambda u: u * (z > -1)

    assert prove(masked, (2,))
    z = np.array([-2.0, -0.5, 3.0])
    np.testing.assert_array_equal(masked(z)[0], [0, -0.5, 3])


def test_a_branch_on_data_is_refused():
    def branches(x):
        return (x, lambda u: u) if x[0] > 0 else (-x, lambda u: -u)

    with pytest.raises(TypeError, match="truth value"):
        prove(branches, (1,))


def test_rich_repr_names_the_derivative_and_the_verdict():
    latex = prove(ops.affine, (1, 1), (1, 1), (1,))._repr_latex_()
    assert r"\frac{\partial L}{\partial W_{11}} &= a_{11} u_{11}" in latex
    assert "proved" in latex


def test_rich_repr_of_a_failure_shows_both_formulas():
    latex = prove(lambda z: (z**2, lambda u: u * z), (2,))._repr_latex_()
    assert r"\mathtt{dz[0]} \text{ from the vjp} &= u_{1} z_{1}" in latex
    assert r"\text{the derivative} &= 2 u_{1} z_{1}" in latex
    assert "NOT PROVED: 2 of 2 entries differ" in latex


def test_rich_repr_writes_greek_letters_and_leaves_out_what_fills_the_screen():
    def scaled(x_in, gamma):
        return gamma * x_in, lambda u: (u * gamma, u * x_in)

    latex = prove(scaled, (1,), (1,))._repr_latex_()
    assert r"\frac{\partial L}{\partial \gamma_{1}} &= u_{1} {x_{in}}_{1}" in latex
    assert "operations" in prove(ops.batch_norm, (3, 1), (1,), (1,))._repr_latex_()


def zeroes_the_seed(x):
    def vjp(u):
        u[...] = 0
        return u

    return np.sin(x), vjp


def reverses_its_input(x):
    x[:] = x[::-1].copy()
    return x**2, lambda u: 2 * x * u


def overwrites_what_it_remembers(x):
    def vjp(u):
        x[:] = symbols("q", 2)
        return 0 * u

    return x**2, vjp


def overwrites_its_output(x):
    a = np.tanh(x)

    def vjp(u):
        np.multiply(a, -a, out=a)
        np.add(a, 1, out=a)
        return u * a

    return a, vjp


@pytest.mark.parametrize(
    "op",
    [zeroes_the_seed, reverses_its_input, overwrites_what_it_remembers, overwrites_its_output],
)
def test_an_op_that_writes_into_its_arguments_is_refused(op):
    with pytest.raises(ValueError, match="changed in place"):
        prove(op, (2,))


def test_a_vjp_that_is_right_only_once_is_refused():
    def once(x):
        kept = [2 * x]
        return x**2, lambda u: u * (kept.pop() if kept else 0)

    with pytest.raises(ValueError, match="a second call"):
        prove(once, (2,))


def test_what_depends_on_values_is_refused_in_plain_words():
    for op, words in {
        lambda z: (z.max(initial=0), lambda u: u): "neither initial nor where",
        lambda z: (np.piecewise(z, [z < 0, z >= 0], [-1, 1]), lambda u: u): "np.piecewise has no",
        lambda z: (z[np.nonzero(z > 0)], lambda u: u): "np.nonzero has no",
        lambda z: (z[z > 0], lambda u: u): "a mask of symbols picks no entries",
        lambda z: (z if z.any() else -z, lambda u: u): "symbols have no truth value",
        lambda z: (np.sort(z), lambda u: u): "np.sort has no symbolic form",
        lambda z: (np.maximum.accumulate(z), lambda u: u): "np.maximum.accumulate has no symbolic",
        lambda z: (-(z > 0) * z, lambda u: u): "np.negative does not take booleans",
        lambda z: (z * (z & (z > 0)), lambda u: u): "takes comparisons only",
        lambda z: (z.astype(int), lambda u: u): "has no symbolic form",
        lambda z: (np.exp(z[0]), lambda u: u): "no callable exp",
    }.items():
        with pytest.raises(TypeError, match=words) as error:
            prove(op, (2,))
        assert "A proof runs the op on arrays of SymPy expressions" in error.value.__notes__[0]
    with pytest.raises(ValueError, match="gives NaN"):
        prove(lambda z: (z * np.nan, lambda u: 0 * u), (2,))
    with pytest.raises(ValueError, match="several shapes"):
        prove(lambda x, y: ((x, y), lambda u: u), (2,), (3,))
    with pytest.raises(ValueError, match="several gradients go in a tuple"):
        prove(lambda x, y: (x * y, lambda u: [u * y, u * x]), (2,), (2,))
    with pytest.raises(ValueError, match="dx has no value"):
        prove(lambda x: (x, lambda u: None), ())


def test_a_rounded_constant_is_named():
    def blend(x, beta):
        return beta * x + (1 - beta) * x, lambda u: u

    assert "a float such as 1 - 0.9 is rounded" in str(prove(blend, (2,), beta=0.9))
    assert prove(blend, (2,), beta=sp.Rational(9, 10))


def quantile(a, Y, tau):
    r = Y - a
    return np.maximum(tau * r, (tau - 1) * r).sum(), lambda u: u * np.where(r > 0, -tau, 1 - tau)


def normalise_rows(x):
    n = np.sqrt((x * x).sum(axis=1, keepdims=True))
    safe = np.maximum(n, 1e-12)
    y = x / safe

    def vjp(u):
        along = (u * y).sum(axis=1, keepdims=True)
        return np.where(n > 1e-12, (u - y * along) / safe, u / safe)

    return y, vjp


def gru_cell(x, h, W, U):
    """One unit: reset, update and candidate gates are the three rows of W and U."""
    (a, c), sigmoid = (x @ W.T, h @ U.T), lambda z: 1 / (1 + np.exp(-z))
    r, z = sigmoid(a[:, :1] + c[:, :1]), sigmoid(a[:, 1:2] + c[:, 1:2])
    n = np.tanh(a[:, 2:] + r * c[:, 2:])

    def vjp(u):
        dn, dz = u * (1 - z) * (1 - n * n), u * (h - n) * z * (1 - z)
        dr = dn * c[:, 2:] * r * (1 - r)
        da, dc = np.concatenate([dr, dz, dn], 1), np.concatenate([dr, dz, dn * r], 1)
        return da @ W, u * z + dc @ U, da.T @ x, dc.T @ h

    return (1 - z) * n + z * h, vjp


def causal_attention(Q, K, V):
    allowed = np.tril(np.ones((2, 2), bool))
    P, softmax = ops.softmax(np.where(allowed, Q @ K.T / np.sqrt(2), -np.inf))

    def vjp(u):
        dS = softmax(u @ V.T) / np.sqrt(2)
        return dS @ K, dS.T @ Q, P.T @ u

    return P @ V, vjp


def relu_in_place(x):
    def vjp(u):
        dx = u.copy()
        dx[x <= 0] = 0
        return dx

    return x * (x > 0).astype(float), vjp


def norm(x):
    n = np.sqrt((x * x).sum())
    return n, lambda u: u * x / np.where(n == 0, 1, n)


def masked_sum(x):
    mask = np.array([[True, False], [True, True]])
    return x.sum(axis=0, where=mask) + x.sum(where=x > 0), lambda u: mask * u + (x > 0) * u.sum()


READERS = {
    "a norm that is safe at 0": (norm, [(2,)], {}),
    "sinc, filled at 0": (sinc, [(1,)], {"at_0": 0}),
    "square of relu": (
        lambda x: (np.maximum(x, 0) ** 2, lambda u: u * np.where(x > 0, 2 * x, 0)),
        [(2,)],
        {},
    ),
    "square of a root, for x ≥ 0 only": (lambda x: (np.sqrt(x) ** 2, lambda u: u), [(2,)], {}),
    "no derivative at 0 to give": (
        lambda x: (np.abs(x), lambda u: u * x / np.abs(x)),
        [(2,)],
        {},
    ),
    "a point off the line": (
        lambda x: (np.where(x == 0, 5, x), lambda u: u * (x != 0)),
        [(2,)],
        {},
    ),
    "a jump": (
        lambda x: (np.where(x >= 0, x + 1, x), lambda u: u * np.where(x == 0, 0, 1)),
        [(2,)],
        {},
    ),
    "a condition that never holds": (
        lambda x: (x + 0, lambda u: u + ((np.cos(x) - x == 0) & (np.cos(x) - x > 1))),
        [(1,)],
        {},
    ),
    "a product under a mask": (
        lambda x: (
            x.prod(where=np.array([True, False, True])),
            lambda u: u * x[::-1] * np.array([1, 0, 1]),
        ),
        [(3,)],
        {},
    ),
    "running products": (
        lambda x: (
            np.multiply.accumulate(x),
            lambda u: np.array([u[0] + u[1] * x[1], u[1] * x[0]]),
        ),
        [(2,)],
        {},
    ),
    "sums under a mask": (masked_sum, [(2, 2)], {}),
    "quantile loss": (quantile, [(2,), (2,)], {"tau": 0.9}),
    "rows of length 1": (normalise_rows, [(2, 2)], {}),
    "GRU cell": (gru_cell, [(1, 1), (1, 1), (3, 1), (3, 1)], {}),
    "causal attention": (causal_attention, [(2, 2), (2, 2), (2, 2)], {}),
    "relu by assignment": (relu_in_place, [(3,)], {}),
    "an outer product": (
        lambda x, y: (np.multiply.outer(x, y), lambda u: (u @ y, x @ u)),
        [(2,), (2,)],
        {},
    ),
    "root of a square": (lambda x: (np.sqrt(x * x), lambda u: u * np.sign(x)), [(2,)], {}),
    "a radial window": (
        lambda x: (
            np.where((x * x).sum() < 4, (x * x).sum(), 4),
            lambda u: 2 * u * x * ((x * x).sum() < 4) * ((x * x).sum() < 9),
        ),
        [(2,)],
        {},
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_right_op_of_a_reader_is_proved(name):
    op, shapes, fixed = READERS[name]
    proof = prove(op, *shapes, **fixed)
    assert proof, proof


def test_the_sentence_says_which_arguments_are_held_constant():
    assert str(prove(ops.mse, (2, 3), (2, 3))) == (
        "proved: mse on (2, 3), (2, 3): vjp − derivative is exactly 0 in all 6 entries "
        "(of a; Y held constant)"
    )
    assert str(prove(ops.affine, (1, 2), (1, 2), (1,))).endswith("in all 5 entries")

    def weighted(x, y, p, q):
        return x * y + p * q, lambda u: (u * y, u * x)

    proof = prove(weighted, (1,), (1,), (1,), (1,))
    assert (proof.of, proof.held) == (("x", "y"), ("p", "q"))
    assert str(proof).endswith("(of x, y; p, q held constant)")


def test_nothing_to_compare_is_no_proof():
    with pytest.raises(ValueError, match="no gradient"):
        prove(lambda x: (x**2, lambda u: ()), (2,))


def test_a_symbol_in_two_entries_is_refused():
    x = symbols("x", 2)
    with pytest.raises(ValueError, match="stands in two entries"):
        prove(lambda a, b: (a * b, lambda u: (2 * u * a, 2 * u * b)), x, x)


def test_an_argument_may_be_called_u():
    assert prove(lambda u: (u**2, lambda du: 2 * u * du), (2,))
    assert not prove(lambda u: (u**2, lambda du: 3 * u * du), (2,))


def test_the_vjp_is_proved_where_a_target_is_0_too():
    def wrong(P, Y: ops.OneHot):
        loss, vjp = ops.cross_entropy(P, Y)
        return loss, lambda dloss=1.0: np.where(Y == 0, 5, vjp(dloss))

    failure = prove(wrong, (1, 2), (1, 2)).failures[0]
    assert "= 0" in str(failure)
    assert 0 in failure.shown_by.region.values()


def test_the_vjp_is_proved_where_an_entry_is_the_maximum():
    def largest(z):
        mask = z == z.max(axis=-1, keepdims=True)
        return (z * mask).sum(axis=-1), lambda u: 0 * z

    assert not prove(largest, (1, 2))
