"""BackpropTrace: the numbers on the graph are those of the network, at the place they belong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook import ops
from bpbook.explorers import BackpropTrace
from bpbook.explorers.backprop_trace import ACTIVATIONS, B1, B2, LIT, STEPS, W1, W2
from bpbook.explorers.net_graph import GRADIENTS, edges
from bpbook.nets import MLP, numeric_gradient

numbers = st.floats(-2, 2)


def net(activation):
    f = ACTIVATIONS[activation]
    mlp = MLP((2, 2, 2), activation=(f, f), loss=ops.mse)
    mlp.theta = np.concatenate([np.ravel(p) for p in (W1, B1, W2, B2)])
    return mlp


@settings(deadline=None, derandomize=True, max_examples=50)
@given(numbers, numbers, numbers, numbers, st.sampled_from(sorted(ACTIVATIONS)))
def test_the_numbers_are_those_of_the_network(x1, x2, y1, y2, activation):
    values = BackpropTrace.simulate(13, x1, x2, y1, y2, activation).values
    X, Y, mlp = np.array([[x1, x2]]), np.array([[y1, y2]]), net(activation)
    loss, grad = mlp.loss_and_grad(X, Y)
    shown = [np.ravel(values[f"∂L/∂{name}"]) for name in ("W₁", "b₁", "W₂", "b₂")]
    assert np.array_equal(np.concatenate(shown), grad)
    assert values["L"] == loss
    for layer, (z, a) in enumerate(mlp.trace(X)):
        assert np.array_equal(values[("z₁", "z₂")[layer]], z[0])
        assert np.array_equal(values[("a₁", "a₂")[layer]], a[0])


@pytest.mark.parametrize("name", ["a₁", "a₂", "z₁", "z₂"])
def test_inner_gradients_are_measured_slopes(name):
    """Start in the middle of the net, nudge, and look at the loss."""
    values = BackpropTrace.simulate(13, 1.0, -0.5, 1.0, 0.0, "tanh").values

    def loss_from(v):
        z2 = v if name == "z₂" else W2 @ (np.tanh(v) if name == "z₁" else v) + B2
        a2 = v if name == "a₂" else np.tanh(z2)
        return ((a2 - values["y"]) ** 2).sum() / 2

    measured = numeric_gradient(loss_from, values[name])
    assert values[GRADIENTS[name]] == pytest.approx(measured, abs=1e-8)


def test_each_step_reveals_one_quantity_and_lights_its_operation():
    before = BackpropTrace(step=0).data.known
    for step, (name, *_) in enumerate(STEPS, 1):
        known = BackpropTrace(step=step).data.known
        assert known - before == {name}
        before = known
    assert len(LIT) == len(STEPS) + 1
    drawn = {"x", "z₁", "a₁", "z₂", "a₂", "L"} | {edge.group for edge in edges()}
    assert set().union(*LIT) <= drawn


def test_the_lit_part_is_where_the_result_stands():
    """W where a weight's gradient is found; z for δ and for a bias, which moves z one for one."""
    for (name, *_), lit in zip(STEPS, LIT[1:], strict=True):
        place = name.removeprefix("∂L/∂").replace("δ", "z").replace("b", "z")
        assert place in lit, name
        layers = {place[-1] for place in lit if place[0] in "Wσz"}
        assert len(layers) <= 1, (name, lit)


def test_forward_ends_where_the_slopes_begin():
    for step, (name, *_) in enumerate(STEPS, 1):
        direction = "backward" if name[0] in "∂δ" else "forward"
        assert BackpropTrace(step=step).data.direction == direction


def labels(explorer):
    """(value, gradient) as written on the picture, by name and index."""
    explorer.png()
    shown = explorer._graph._labels
    return {(x.name, x.index): (x.value.get_text(), x.gradient.get_text()) for x in shown}


def test_numbers_stand_where_they_belong():
    explorer = BackpropTrace(step=13)
    written, values = labels(explorer), explorer.data.values
    assert written["W₁", (1, 0)] == ("0.80", f"∂ {values['∂L/∂W₁'][1, 0]:.3f}")
    assert written["b₁", (1,)] == ("b −0.10", f"∂ {values['δ₁'][1]:.3f}")
    assert written["z₁", (1,)] == ("0.600", f"δ {values['δ₁'][1]:.3f}")
    assert written["L", ()] == (f"{values['L']:.3f}", "")
    assert len(written) == 4 + 4 + 4 + 10 + 1  # weights, weights, biases, units, loss


def test_no_gradient_is_written_before_the_backward_pass():
    assert {gradient for _, gradient in labels(BackpropTrace(step=5)).values()} == {""}
    assert labels(BackpropTrace(step=2))["z₂", (0,)] == ("", "")


def test_edge_of_weight_i_j_leads_from_unit_j_to_unit_i():
    for edge in edges():
        (_, start), (_, end) = edge.line
        assert start == (1.0, -1.0)[edge.start]
        if edge.group != "loss":
            assert end == (1.0, -1.0)[edge.end]


def test_summary_says_the_operation_and_its_result():
    assert BackpropTrace(step=11).summary() == (
        "Step 11 of 13, backward: δ₁ = (W₂ᵀδ₂) ⊙ σ'(z₁) = (−0.211, 0.414). "
        "BP2: what came back, times the unit's own slope."
    )
    assert BackpropTrace().summary().startswith("Step 0 of 13, before the start:")
    # The explorer's own numbers, by hand: δ₁ = (W₂ᵀδ₂) ⊙ (1 − tanh² z₁).
    z1 = W1 @ [1.0, -0.5] + B1
    a2 = np.tanh(W2 @ np.tanh(z1) + B2)
    delta1 = (W2.T @ ((a2 - [1, 0]) * (1 - a2**2))) * (1 - np.tanh(z1) ** 2)
    assert delta1 == pytest.approx([-0.211, 0.414], abs=5e-4)
