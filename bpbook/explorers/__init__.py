"""Pictures that answer the hand: ``SoftmaxCrossEntropy(temperature=2)`` in a cell shows one.

Settings are keywords, ``explorer.depth = 40`` drives one from code, and ``explorer.summary()`` says
what the picture shows.
"""

from bpbook.explorers.backprop_trace import BackpropTrace
from bpbook.explorers.base import Explorer
from bpbook.explorers.chain_rule import ChainRule
from bpbook.explorers.forward_reverse import ForwardReverse
from bpbook.explorers.gradient_cost import GradientCost
from bpbook.explorers.gradient_flow import GradientFlow
from bpbook.explorers.graph_walk import GraphWalk
from bpbook.explorers.initialization import Initialization
from bpbook.explorers.neurons import Neurons
from bpbook.explorers.optimizer_race import OptimizerRace
from bpbook.explorers.playground import Playground
from bpbook.explorers.schedules import Schedules
from bpbook.explorers.softmax_cross_entropy import SoftmaxCrossEntropy
from bpbook.explorers.step_size import StepSize

#: Every explorer, in the order of the chapters; the tests and the latency benchmark go through it.
ALL: tuple[type[Explorer], ...] = (
    ChainRule,
    Neurons,
    BackpropTrace,
    SoftmaxCrossEntropy,
    GradientCost,
    GradientFlow,
    Initialization,
    StepSize,
    OptimizerRace,
    Schedules,
    Playground,
    GraphWalk,
    ForwardReverse,
)

__all__ = [
    "ALL",
    "BackpropTrace",
    "ChainRule",
    "Explorer",
    "ForwardReverse",
    "GradientCost",
    "GradientFlow",
    "GraphWalk",
    "Initialization",
    "Neurons",
    "OptimizerRace",
    "Playground",
    "Schedules",
    "SoftmaxCrossEntropy",
    "StepSize",
]
