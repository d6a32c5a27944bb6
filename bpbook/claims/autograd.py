"""PyTorch's automatic differentiation (section 3.2): its parts, and the article's two listings.

The listings are kept as text and run on our engine, and on PyTorch where it is installed, with
nothing changed but what the name ``torch`` stands for.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from types import ModuleType

import numpy as np
import sympy as sp

import bpbook.autodiff as engine
from bpbook.claims.registry import claim

GRADIENT_LISTING = """
x = torch.tensor([2.0, 3.0], requires_grad=True)
y = torch.tensor([1.0, 4.0], requires_grad=True)

z = x * y + x**2
loss = z.sum()

loss.backward()

print(f"x.grad: {x.grad}")
print(f"y.grad: {y.grad}")
"""

FUNCTION_LISTING = """
class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None

        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)

        return grad_input, grad_weight, grad_bias
"""


def run(listing: str, torch: ModuleType) -> tuple[dict, str]:
    """Run a listing with the given module as its ``torch``: the names it made, what it printed."""
    names, printed = {"torch": torch}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(listing, names)
    return names, printed.getvalue()


def pytorch() -> ModuleType | None:
    """PyTorch, where it is installed."""
    return importlib.import_module("torch") if importlib.util.find_spec("torch") else None


@claim("P3.2.1-a", verdict="measured", chapter=13)
def a_tensor_and_a_function_are_all_that_autograd_needs():
    """A tensor that records and a function with its derivative suffice; Variable is a tensor.

    Our engine has no third part, and both listings run on it.
    """
    x = engine.tensor([2.0, 3.0], requires_grad=True)
    LinearFunction = run(FUNCTION_LISTING, engine)[0]["LinearFunction"]
    out = LinearFunction.apply(x.reshape(1, 2), engine.tensor([[1.0, -1.0]]), None)
    out.backward()
    assert issubclass(LinearFunction, engine.Function)
    assert isinstance(out, engine.Tensor)
    assert x.grad.tolist() == [1, -1]
    torch = pytorch()
    if torch is None:
        return "Tensor and Function suffice for both listings; PyTorch, for Variable, is not here"
    t = torch.ones(1)
    assert isinstance(torch.autograd.Variable(t), torch.Tensor)
    assert type(torch.autograd.Variable(t, requires_grad=True)) is torch.Tensor
    return "Tensor and Function suffice for both listings; torch's Variable(t) is a plain Tensor"


@claim("C3.2.1-a", verdict="proved", chapter=13)
def the_gradient_listing_prints_what_its_comments_say():
    """z = xy + x²: ∂Σz/∂x = y + 2x = [5, 10] and ∂Σz/∂y = x = [2, 3], by SymPy and by the run."""
    x, y = sp.symbols("x1:3"), sp.symbols("y1:3")
    loss = sum(a * b + a**2 for a, b in zip(x, y, strict=True))
    at = dict(zip((*x, *y), (2, 3, 1, 4), strict=True))
    slopes = [[int(loss.diff(s).subs(at)) for s in group] for group in (x, y)]
    assert slopes == [[5, 10], [2, 3]]
    where = [engine] if pytorch() is None else [engine, pytorch()]
    for torch in where:
        names, printed = run(GRADIENT_LISTING, torch)
        assert [names[name].grad.tolist() for name in "xy"] == slopes
        assert printed.count("grad") == 2
    return f"SymPy [5, 10] and [2, 3]; the listing gives them in {_names(where)}"


@claim("C3.2.2-a", verdict="qualified", chapter=13)
def the_linear_function_is_right_for_matrices():
    """Called by ``apply``, on 2-D inputs, its gradients are those of x Wᵀ + b, to second order.

    An input with more axes is refused. ``needs_input_grad`` saves the products that nobody wants.
    """
    rng = np.random.default_rng(13)
    shapes = (5, 3), (2, 3), (2,)
    arrays = [rng.normal(size=shape) for shape in shapes]
    linear = run(FUNCTION_LISTING, engine)[0]["LinearFunction"].apply
    engine.check_grads(lambda *args: np.tanh(linear(*args)), *arrays)
    ours = engine.grad(lambda x, W, b: (linear(x, W, b) ** 2).sum(), (0, 1, 2))(*arrays)
    affine = engine.functional.affine
    true = engine.grad(lambda x, W, b: (affine(x, W, b) ** 2).sum(), (0, 1, 2))(*arrays)
    assert all(np.allclose(a, b, rtol=1e-13) for a, b in zip(ours, true, strict=True))
    batch, W = engine.tensor(rng.normal(size=(4, 5, 3))), engine.tensor(arrays[1], True)
    _refuses(ValueError, lambda: linear(batch, W, None))
    torch = pytorch()
    if torch is not None:
        theirs = run(FUNCTION_LISTING, torch)[0]["LinearFunction"].apply
        inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
        assert torch.autograd.gradcheck(theirs, inputs)
        assert torch.autograd.gradgradcheck(theirs, inputs)
        _refuses(RuntimeError, lambda: theirs(torch.ones(4, 5, 3), torch.ones(2, 3), None))
    where = [engine] if torch is None else [engine, torch]
    return f"equal to affine to 1e-13, right to second order, 3-D refused, in {_names(where)}"


def _refuses(error: type[Exception], call) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__} was raised")


def _names(modules: list[ModuleType]) -> str:
    return " and ".join(m.__name__ for m in modules)
