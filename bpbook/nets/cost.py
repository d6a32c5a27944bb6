"""What a gradient costs, counted exactly: multiply-adds of a dense network, for one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bpbook.nets.base import checked_sizes


@dataclass(frozen=True)
class Cost:
    """Multiply-adds for one sample, and the number of parameters, all exact integers."""

    forward: int
    backward: int
    parameters: int
    forward_difference: int
    central_difference: int

    @property
    def gradient(self) -> int:
        """F + B: one forward and one backward pass, which give every derivative (E1.4.2-c)."""
        return self.forward + self.backward


def multiply_adds(sizes: Sequence[int]) -> Cost:
    """Count the multiply-adds of a dense network with layer sizes n_0, n_1, …, n_L (one sample).

    Layer l computes, with W_l of shape (n_l, n_(l-1)):

    - forward: z_l = W_l a_(l-1), n_l n_(l-1) products; together F = Σ_l n_l n_(l-1)
      (E1.4.2-a, Q6.1.1-a, Q6.1.1-b);
    - gradient: dW_l = dz_l a_(l-1)ᵀ, n_l n_(l-1) products; together F again (Q6.1.1-d);
    - error: da_(l-1) = W_lᵀ dz_l, n_l n_(l-1) products, for l = 2 … L only, since nobody asks for
      the input's gradient; together F − n_0 n_1 (Q6.1.1-c).

    So B = 2F − n_0 n_1, and F + B = 3F − n_0 n_1 (E1.4.2-b, E1.4.2-c, E6.1.1-a). The parameters
    number W = Σ_l n_l (n_(l-1) + 1), biases included (Q6.1.1-e). Finite differences evaluate the
    loss W + 1 times (forward) or 2W times (central), F multiply-adds each (Q1.4.2-a, Q1.4.2-b).
    Biases and activations add a multiple of Σ_l n_l, of lower order, which is not counted.

    sizes: at least two positive integers. Raises ValueError otherwise.
    """
    sizes = checked_sizes(sizes)
    layers = list(pairwise(sizes))
    forward = sum(n_in * n_out for n_in, n_out in layers)
    parameters = sum((n_in + 1) * n_out for n_in, n_out in layers)
    return Cost(
        forward=forward,
        backward=2 * forward - sizes[0] * sizes[1],
        parameters=parameters,
        forward_difference=(parameters + 1) * forward,
        central_difference=2 * parameters * forward,
    )
