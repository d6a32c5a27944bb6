"""Automatic differentiation, both modes, on the ops of :mod:`bpbook.ops`; no calculus of its own.

:func:`tensor` and its tensors are reverse mode, with PyTorch's names; :func:`jvp` is forward mode;
:func:`grad` and the others take functions to functions; :mod:`~bpbook.autodiff.static` compiles.
"""

from bpbook.autodiff import autograd, functional, static
from bpbook.autodiff.box import apply, lift
from bpbook.autodiff.draw import Drawing, draw
from bpbook.autodiff.dual import Dual, jvp
from bpbook.autodiff.function import Function
from bpbook.autodiff.tape import Tensor, is_grad_enabled, no_grad, tensor
from bpbook.autodiff.transforms import (
    check_grads,
    grad,
    hessian,
    hvp,
    jacobian,
    value_and_grad,
    vjp,
)

__all__ = [
    "Drawing",
    "Dual",
    "Function",
    "Tensor",
    "apply",
    "autograd",
    "check_grads",
    "draw",
    "functional",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "lift",
    "no_grad",
    "static",
    "tensor",
    "value_and_grad",
    "vjp",
]
