"""Networks, and the check of their gradients."""

from bpbook.nets.chain import Residual
from bpbook.nets.gradient_check import (
    DirectionReport,
    GradientReport,
    check_directions,
    check_gradient,
    complex_step,
    numeric_gradient,
)
from bpbook.nets.layers import (
    Activation,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    MaxPool2d,
    Unflatten,
)
from bpbook.nets.mlp import MLP
from bpbook.nets.sequential import Sequential

__all__ = [
    "MLP",
    "Activation",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "DirectionReport",
    "Dropout",
    "Flatten",
    "GradientReport",
    "LayerNorm",
    "MaxPool2d",
    "Residual",
    "Sequential",
    "Unflatten",
    "check_directions",
    "check_gradient",
    "complex_step",
    "numeric_gradient",
]
