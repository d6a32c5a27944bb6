"""Near misses of chapters 3 to 5, and what each is told."""

import numpy as np

from bpbook import ops
from bpbook.exercises import check


def squared_error(z, Y):
    p, softmax_vjp = ops.softmax(z)
    loss, mse_vjp = ops.mse(p, Y)
    return loss, lambda dloss=1.0: softmax_vjp(mse_vjp(dloss))


def test_an_op_that_returns_a_gradient_in_place_of_a_vjp_hears_so():
    def answer(z, Y):
        loss, vjp = squared_error(z, Y)
        return loss, vjp()

    said = check("4.5", answer).message
    assert said == "Return the pair (loss, vjp), vjp a function of dloss; yours is a ndarray."
    assert check("4.5", lambda z, Y: (0.0, None)).message.endswith("yours is a NoneType.")
    assert check("4.5", lambda z, Y: np.zeros(2)).message.endswith("got a ndarray.")


def test_a_vjp_that_forgets_dloss_hears_what_u_is():
    def answer(z, Y):
        loss, vjp = squared_error(z, Y)
        return loss, lambda dloss: vjp()

    assert "u is dloss" in check("4.5", answer).message
