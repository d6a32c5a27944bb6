"""Networks, and the check of their gradients."""

from bpbook.nets.gradient_check import (
    DirectionReport,
    GradientReport,
    check_directions,
    check_gradient,
    complex_step,
    numeric_gradient,
)
from bpbook.nets.mlp import MLP

__all__ = [
    "MLP",
    "DirectionReport",
    "GradientReport",
    "check_directions",
    "check_gradient",
    "complex_step",
    "numeric_gradient",
]
