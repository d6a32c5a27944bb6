"""A derivative of the reader's own: a forward and a backward that belong together.

The form is PyTorch's ``torch.autograd.Function``, so that its examples run here as they stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpbook.autodiff.box import Box, apply, plain
from bpbook.autodiff.tape import Tensor
from bpbook.autodiff.walk import read_only


class Context:
    """What ``forward`` hands on to ``backward``; attributes of one's own may be added.

    needs_input_grad: for each argument of ``apply``, whether its gradient is asked for.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for backward; they come back as ``saved_tensors``."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple:
        """What :meth:`save_for_backward` kept."""
        return self._saved


class Function:
    """Subclass it with two static methods, and call ``apply``, never ``forward``::

        class Exp(Function):
            @staticmethod
            def forward(ctx, x):
                out = np.exp(x)
                ctx.save_for_backward(out)
                return out

            @staticmethod
            def backward(ctx, grad_output):
                (out,) = ctx.saved_tensors
                return grad_output * out

        y = Exp.apply(x)

    ``backward`` returns one gradient for each argument of ``forward``, or None. What both do to
    their tensors may itself be differentiated; forward mode follows ``forward``.
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Tensor | np.ndarray:
        """The value, from tensors that are off the tape and cannot be changed.

        An array where NumPy gives one: ``np.round(x)`` of a tensor is constant almost everywhere.
        """
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple, output: Tensor) -> None:
        """Where it is defined, ``forward`` takes no ctx, and what backward needs is kept here."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Context, grad_output: Tensor) -> Tensor | tuple[Tensor | None, ...] | None:
        """The gradient of each argument, from that of the value."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run ``forward`` and put it on the tape as one node, with ``backward`` as its derivative.

        Raises TypeError when ``forward`` returns no tensor or array; in backward, ValueError when
        the number of gradients or a gradient's shape is not that of the arguments.
        """
        boxes = [isinstance(x, Box) for x in args]
        if not any(boxes):
            raise TypeError(f"{cls.__name__}.apply got no tensor; make one with tensor(data)")
        level = max(x.level for x in args if isinstance(x, Box))
        ctx = Context(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))

        def op(*values: Any) -> tuple[Any, Any]:
            pairs = zip(values, boxes, strict=True)
            inputs = tuple(Tensor(read_only(v), level=level) if box else v for v, box in pairs)
            out = cls._run(ctx, inputs)
            if not isinstance(out, (Tensor, np.ndarray, np.generic)):
                raise TypeError(f"{cls.__name__}.forward returned {type(out).__name__}, no tensor")
            handed_on = next((v for v, x in zip(values, inputs, strict=True) if out is x), None)
            if isinstance(handed_on, np.ndarray):
                out = handed_on.view()  # the same memory, and shown to be
            return _inside(out, level), lambda d: _gradients(cls, ctx, args, d, level)

        op.__name__ = cls.__name__
        return apply(op, *args)

    @classmethod
    def _run(cls, ctx: Context, inputs: tuple) -> Tensor:
        if cls.setup_context is Function.setup_context:
            return cls.forward(ctx, *inputs)
        out = cls.forward(*inputs)
        cls.setup_context(ctx, inputs, out)
        return out


def _inside(x: Any, level: int) -> Any:
    """What a tensor of this level holds: an array, or a box that an outer derivative follows."""
    return x.value if isinstance(x, Tensor) and x.level == level else x


def _gradients(cls: type[Function], ctx: Context, args: tuple, d: Any, level: int) -> tuple:
    grads = cls.backward(ctx, Tensor(d, level=level))
    grads = tuple(grads) if isinstance(grads, (tuple, list)) else (grads,)
    if len(grads) != len(args):
        raise ValueError(
            f"{cls.__name__}.backward returned {len(grads)} gradients; forward has {len(args)} "
            "arguments, and each needs one, or None"
        )
    for k, (x, g) in enumerate(zip(args, grads, strict=True)):
        if ctx.needs_input_grad[k] and (g is None or np.shape(plain(g)) != x.shape):
            got = "None" if g is None else f"shape {np.shape(plain(g))}"
            raise ValueError(
                f"{cls.__name__}.backward gave argument {k + 1} a gradient of {got}; it has shape "
                f"{x.shape}"
            )
    return tuple(_inside(g, level) for g in grads)
