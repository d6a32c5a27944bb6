"""Networks, and the check of their gradients."""

from bpbook.nets.gradient_check import GradientReport, check_gradient, numeric_gradient
from bpbook.nets.mlp import MLP

__all__ = ["MLP", "GradientReport", "check_gradient", "numeric_gradient"]
