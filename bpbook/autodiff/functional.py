"""Every op of :mod:`bpbook.ops` as a function of tensors: ``functional.affine(a, W, b)``.

Each is its op, lifted: the output alone, and on tensors one node of the tape.
"""

from __future__ import annotations

from collections.abc import Callable

from bpbook import ops
from bpbook.autodiff.box import lift

__all__ = [name for name in ops.__all__ if name != "OneHot"]

_lifted: dict[str, Callable] = {name: lift(getattr(ops, name)) for name in __all__}
globals().update(_lifted)
