"""Near misses of chapters 0 to 2, and what each is told."""

import numpy as np
import pytest

from bpbook.exercises import check


def forward(steps, x):
    """The value, right, and the steps' vjps, which each slip uses wrongly."""
    vjps = []
    for step in steps:
        x, vjp = step(x)
        vjps.append(vjp)
    return x, vjps


def ignores_what_arrives(*steps):
    def whole(x):
        out, vjps = forward(steps, x)

        def pull_back(d_out):
            d = np.ones_like(d_out)
            for vjp in reversed(vjps):
                d = vjp(d)
            return d

        return out, pull_back

    return whole


def one_slope_for_each_entry(*steps):
    def whole(x):
        out, pull_back = ignores_what_arrives(*steps)(x)
        slope = pull_back(np.ones_like(out))
        return out, lambda d_out: d_out * slope

    return whole


def empties_its_list(*steps):
    def whole(x):
        out, vjps = forward(steps, x)

        def pull_back(d_out):
            while vjps:
                d_out = vjps.pop()(d_out)
            return d_out

        return out, pull_back

    return whole


@pytest.mark.parametrize("slip", [ignores_what_arrives, one_slope_for_each_entry, empties_its_list])
def test_a_composed_vjp_must_take_any_row_at_any_time(slip):
    feedback = check("1.6", slip)
    assert not feedback
    assert "vjp of " in feedback.message


def test_a_gradient_in_the_place_of_the_vjp_is_named():
    def gradient_itself(z, Y):
        return (np.exp(z) - Y * z).sum() / len(z), (np.exp(z) - Y) / len(z)

    assert check("2.6", gradient_itself).message == "Wanted a pair (loss, vjp), vjp a function."
