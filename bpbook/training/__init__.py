"""Training: an optimizer, the loop that feeds it mini-batches, and what the loop records."""

from . import initializers, schedules
from .clipping import clip_by_norm, clip_by_value
from .history import History
from .loop import accuracy, fit
from .monitors import first_non_finite
from .optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    Muon,
    Nadam,
    Nesterov,
    RMSProp,
)

__all__ = [
    "SGD",
    "AMSGrad",
    "AdaGrad",
    "Adam",
    "AdamW",
    "History",
    "Lion",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "RMSProp",
    "accuracy",
    "clip_by_norm",
    "clip_by_value",
    "first_non_finite",
    "fit",
    "initializers",
    "schedules",
]
