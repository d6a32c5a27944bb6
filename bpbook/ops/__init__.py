"""Every derivative of the book, each beside its forward: ``out, vjp = op(...)``.

``vjp`` (vector-Jacobian product) takes the loss's gradient with respect to ``out`` and returns it
with respect to the op's leading arguments, each of that argument's shape. What backpropagation has
to remember is what the closure captures. The bodies use NumPy's functions only, never a branch on
data, so the same lines also run on arrays of symbols (:mod:`bpbook.proof`).
"""

from bpbook.ops.elementwise import (
    elu,
    exp,
    gelu,
    identity,
    leaky_relu,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    square,
    tanh,
)
from bpbook.ops.landscapes import beale, plateau, quadratic, ravine, rosenbrock, saddle
from bpbook.ops.linear import affine
from bpbook.ops.losses import (
    OneHot,
    cross_entropy,
    mse,
    sigmoid_binary_cross_entropy,
    softmax_cross_entropy,
)
from bpbook.ops.softmax import log_softmax, logsumexp, softmax

__all__ = [
    "OneHot",
    "affine",
    "beale",
    "cross_entropy",
    "elu",
    "exp",
    "gelu",
    "identity",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "mse",
    "plateau",
    "quadratic",
    "ravine",
    "relu",
    "rosenbrock",
    "saddle",
    "sigmoid",
    "sigmoid_binary_cross_entropy",
    "silu",
    "sin",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "square",
    "tanh",
]
