"""The time of a gradient in multiply-adds (sections 1.4.2, 6.1.1 and the summaries of it)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import sympy as sp

from bpbook import ops
from bpbook.claims.registry import claim
from bpbook.nets import MLP, numeric_gradient
from bpbook.nets.cost import multiply_adds
from bpbook.nets.counted import Counted
from bpbook.proof import symbols

READER = (784, 256, 10)  # reads a digit of 28 by 28 pixels
NETS = (READER, (100,) * 5, (100,) * 21, (7, 3, 5, 2), (9, 4))

L, l = sp.symbols("L l", integer=True, positive=True)  # noqa: E741
n = sp.IndexedBase("n", integer=True, positive=True)
TERM = n[l] * n[l - 1]
F = sp.Sum(TERM, (l, 1, L))
ERROR = sp.Sum(n[l] * n[l + 1], (l, 1, L - 1))  # what carries the error back (Q6.1.1-c)
FIRST = sp.Sum(TERM, (l, 1, 1))  # n_0 n_1


def _count(sizes: tuple[int, ...], m: int = 1) -> tuple[int, int]:
    """Multiply-adds, forward and backward, counted while ``MLP`` runs on a batch of m."""
    net, rng = MLP(sizes), np.random.default_rng(0)
    theta, Y = Counted(net.theta), np.eye(sizes[-1])[rng.integers(0, sizes[-1], m)]
    _, vjp = net.op(theta, rng.normal(size=(m, sizes[0])), Y)
    forward = theta.multiply_adds
    vjp()
    return forward, theta.multiply_adds - forward


def conv_multiply_adds(side: int, n_in: int, n_out: int) -> tuple[int, int]:
    """Multiply-adds and weights of a 3×3 convolution on side×side pixels, padded, counted."""
    image = np.pad(np.ones((n_in, side, side), np.float32), ((0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(1, 2))
    patches = patches.transpose(1, 2, 0, 3, 4).reshape(side * side, -1)
    weights = Counted(np.ones((n_out, 9 * n_in), np.float32))
    out = patches @ weights.T
    assert out[side + 1, 0] == 9 * n_in, "an inner pixel must see all of its neighbours"
    return weights.multiply_adds, weights.size


def _zero(expression: sp.Expr) -> bool:
    return sp.simplify(expression) == 0


@claim("Q6.1.1-a", verdict="proved", chapter=5)
def one_layer():
    """z = W a + b multiplies n_l n_{l−1} times, once for each W_ij: counted in z, and run."""
    i, j = sp.symbols("i j", integer=True)
    n_in, n_out = sp.symbols("n_in n_out", integer=True, positive=True)
    assert sp.Sum(sp.Sum(1, (j, 1, n_in)), (i, 1, n_out)).doit() == n_out * n_in, "any widths"
    for n_out, n_in in ((3, 2), (2, 4), (1, 5)):
        z, _ = ops.affine(symbols("a", 1, n_in), symbols("W", n_out, n_in), symbols("b", n_out))
        products = sum(sum(term.is_Mul for term in sp.Add.make_args(entry)) for entry in z.flat)
        assert products == n_out * n_in
    weights = Counted(np.ones((256, 784)))
    ops.affine(np.ones((1, 784)), weights, np.ones(256))
    assert weights.multiply_adds == 256 * 784
    return "products in the symbolic z: 6, 8, 5 = n_l n_{l-1}; 256x784 run: 200704"


@claim("Q6.1.1-b", verdict="measured", chapter=5)
def forward():
    """The forward pass takes F = Σ_l n_l n_{l−1} multiply-adds for one sample, exactly."""
    for sizes in NETS:
        assert _count(sizes)[0] == sum(a * b for a, b in pairwise(sizes))
    assert _count(READER)[0] == 203_264
    return f"counted as it runs, {len(NETS)} nets; 784-256-10: 203264"


@claim("Q6.1.1-c", verdict="proved", chapter=5)
def error_backpropagation():
    """Σ_{l=1}^{L−1} n_l n_{l+1} = F − n_0 n_1 for every L: layer 1 passes no error on."""
    assert _zero(ERROR.change_index(l, l + 1) + FIRST - F)
    for sizes in NETS:  # run: what the backward pass does beyond one product for each dW
        forward, backward = _count(sizes)
        assert backward - forward == forward - sizes[0] * sizes[1]
    assert _count(READER)[1] - _count(READER)[0] == 2560
    return "indexed sums for every L; counted, 784-256-10: 2560"


@claim("Q6.1.1-d", verdict="measured", chapter=5)
def gradient():
    """The products dW_l = δ_l a_{l−1}ᵀ take Σ_l n_l n_{l−1} multiply-adds for one sample."""
    for sizes in NETS:
        net = MLP(sizes)
        theta, total = Counted(net.theta), 0
        Ws, _ = net.views(theta)
        for W in Ws:
            dz, a = np.ones((1, len(W))), Counted(np.ones((1, W.shape[1])))
            assert (dz.T @ a).shape == W.shape
            total += a.multiply_adds
        assert total == multiply_adds(sizes).forward
    return "one product for each entry of each W; 784-256-10: 203264"


@claim("Q6.1.1-e", verdict="refuted", chapter=5)
def parameters_include_biases():
    """W = Σ n_l n_{l−1} forgets the biases. The network has W = Σ n_l (n_{l−1} + 1) parameters."""
    for sizes, products, parameters in ((READER, 203_264, 203_530), ((2, 3, 1), 9, 13)):
        cost = multiply_adds(sizes)
        assert cost.forward == products
        assert cost.parameters == MLP(sizes).theta.size == parameters
    whole, biases = (sp.Sum(term, (l, 1, L)) for term in (n[l] * (n[l - 1] + 1), n[l]))
    assert _zero(whole - F - biases), "Σ n_l are missing, for every L"
    return "2-3-1: 9 products, 13 parameters; 784-256-10: 203264 and 203530; Σ n_l more for every L"


@claim("E1.4.2-a", verdict="qualified", chapter=5)
def forward_is_of_order_w():
    """Dense, one sample: W/2 ≤ F ≤ W. A batch costs m F, and a convolution pixels × W."""
    width, fan_in = sp.symbols("width fan_in", integer=True, positive=True)
    parameters = width * (fan_in + 1)
    assert sp.expand(parameters - width * fan_in).is_positive  # F < W, layer by layer
    assert _zero((2 * width * fan_in - parameters) - width * (fan_in - 1))  # ≥ 0, so W ≤ 2F
    cost = multiply_adds(READER)
    assert _count(READER, m=64)[0] == 64 * cost.forward
    ratio, batch = cost.forward / cost.parameters, 64 * cost.forward / cost.parameters
    assert (round(ratio, 3), round(batch, 3)) == (0.999, 63.916)
    macs, weights = conv_multiply_adds(224, 3, 64)
    assert macs == 50_176 * weights
    return "784-256-10: F/W 0.999, times 64 for a batch of 64; conv 3x3 on 224x224: 50176"


@claim("E1.4.2-b", verdict="qualified", chapter=5)
def backward():
    """Dense, one sample: B = 2F − n_0 n_1 exactly, so 1 ≤ B/F < 2."""
    assert _zero(ERROR.change_index(l, l + 1) + F - (2 * F - FIRST))
    ratios = []
    for sizes in NETS:
        forward, backward = _count(sizes)
        assert backward == multiply_adds(sizes).backward == 2 * forward - sizes[0] * sizes[1]
        assert forward <= backward < 2 * forward
        ratios.append(round(backward / forward, 4))
    assert ratios[:3] == [1.0126, 1.75, 1.95]
    return "B = 2F - n0 n1 for every L; B/F counted: 1.0126, 1.75, 1.95"


@claim("E1.4.2-c", verdict="qualified", chapter=5)
@claim("E6.1.1-a", verdict="qualified", chapter=5)
def total():
    """Dense, one sample: F + B = 3F − n_0 n_1, between 2F and 3F, at most 3W. Not so for a conv."""
    assert _zero(F + (ERROR.change_index(l, l + 1) + F) - (3 * F - FIRST))
    for sizes in NETS:
        together, cost = sum(_count(sizes)), multiply_adds(sizes)
        assert together == cost.gradient == 3 * cost.forward - sizes[0] * sizes[1]
        assert 2 * cost.forward <= together < 3 * cost.forward <= 3 * cost.parameters
    macs, weights = conv_multiply_adds(32, 64, 128)
    assert macs == 1024 * weights
    return "F + B = 3F - n0 n1 <= 3W counted in 5 nets; conv 64->128 on 32x32: F = 1024 W"


@claim("Q0-b", verdict="qualified", chapter=5)
@claim("Q7-a", verdict="qualified", chapter=5)
def same_order_as_the_forward_pass():
    """Backward costs one to two forward passes; O(W) holds without weight sharing."""
    shallow, deep = (b / f for f, b in (_count(READER), _count((100,) * 11)))
    assert round(shallow, 4) == 1.0126
    assert round(deep, 4) == 1.9
    macs, weights = conv_multiply_adds(32, 64, 128)
    assert macs > 1000 * weights
    return "B/F 1.0126 (784-256-10), 1.9 (ten equal layers); shared weights: 1024 W forward"


@claim("Q1.4.2-a", verdict="measured", chapter=5)
def evaluations():
    """Forward differences take W + 1 evaluations of the loss, central ones 2W: counted."""
    net, calls = MLP((3, 4, 2)), []
    X, Y = np.array([[0.5, -1.0, 2.0]]), np.array([[0.0, 1.0]])

    def loss(theta):
        calls.append(1)
        return net.op(theta, X, Y)[0]

    W, (_, grad) = net.theta.size, net.loss_and_grad(X, Y)
    assert np.allclose(numeric_gradient(loss, net.theta), grad, atol=1e-8)
    assert len(calls) == 2 * W
    calls.clear()
    base, h = loss(net.theta), 1e-7
    slopes = [(loss(net.theta + h * e) - base) / h for e in np.eye(W)]
    assert np.allclose(slopes, grad, atol=1e-5)
    assert len(calls) == W + 1
    return f"3-4-2, W = {W}: {W + 1} and {2 * W} evaluations"


@claim("Q1.4.2-b", verdict="qualified", chapter=5)
def how_many_times_cheaper():
    """Θ(W): (W + 1)F/(F + B) in ((W + 1)/3, (W + 1)/2], and 2WF/(F + B) in (2W/3, W]."""
    r, W = sp.symbols("r W", positive=True)  # r = n_0 n_1 / F, in (0, 1]
    ratio = 2 * W / (3 - r)
    assert _zero(sp.diff(ratio, r) - 2 * W / (3 - r) ** 2)  # positive: it rises with r
    assert (ratio.subs(r, 0), ratio.subs(r, 1)) == (2 * W / 3, W)
    shares = []
    for sizes in (READER, (512,) * 21):
        c = multiply_adds(sizes)
        forward, central = c.forward_difference / c.gradient, c.central_difference / c.gradient
        assert (c.parameters + 1) / 3 < forward <= (c.parameters + 1) / 2
        assert 2 * c.parameters / 3 < central <= c.parameters
        shares += [f"{forward / c.parameters:.4f}", f"{central / c.parameters:.4f}"]
    assert shares == ["0.4969", "0.9937", "0.3390", "0.6780"]
    return "forward and central, in W: 0.4969, 0.9937 (784-256-10); 0.3390, 0.6780 (20 x 512)"
