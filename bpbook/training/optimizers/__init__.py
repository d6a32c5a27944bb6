"""Optimizers: each turns a gradient into a step on the flat parameter vector, in place.

The rule of each is the few lines of its `_rule`, under the same lines as formulas. In them g is the
gradient, η the `learning_rate`, λ the `weight_decay` and s a scratch buffer.
"""

from .adam import Adam, AdamW, AMSGrad, Nadam
from .adaptive import AdaGrad, RMSProp
from .base import BLOCK, Optimizer
from .descent import SGD, Momentum, Nesterov
from .lion import Lion
from .muon import CUBIC, QUINTIC, Muon, newton_schulz

__all__ = [
    "BLOCK",
    "CUBIC",
    "QUINTIC",
    "SGD",
    "AMSGrad",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Lion",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "Optimizer",
    "RMSProp",
    "newton_schulz",
]
