"""Where PyTorch keeps ``Function``, so that ``autograd.Function`` in its examples is found."""

from bpbook.autodiff.function import Function

__all__ = ["Function"]
