"""GraphWalk: any text is read safely, and the walk ends at the true slopes."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from bpbook.autodiff import Tensor, tensor
from bpbook.explorers import GraphWalk
from bpbook.explorers.formula import FUNCTIONS, FormulaError, evaluate
from bpbook.explorers.graph_walk import MOST

LEAVES = st.sampled_from(["x", "y", "2", "0.5", "pi"])
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner)
        | st.builds("{}({})".format, st.sampled_from(["sin", "cos", "tanh"]), inner)
        | st.builds("(-{})".format, inner)
        | st.builds("{}**2".format, inner)
    ),
    max_leaves=4,
)


def read(text, x=1.0, y=2.0):
    return evaluate(text, x=tensor(x, requires_grad=True), y=tensor(y, requires_grad=True))


def by_name(explorer):
    return {box.name: box for box in explorer.data.walk.boxes}


@settings(deadline=None, derandomize=True)
@given(FORMULAS)
def test_value_and_slopes_are_sympys(text):
    symbols = {name: sp.Symbol(name, real=True) for name in "xy"}
    at = {symbols["x"]: 0.75, symbols["y"]: -0.5}
    x, y = (tensor(value, requires_grad=True) for value in at.values())
    formula = sp.sympify(text, locals=symbols)
    out = evaluate(text, x=x, y=y)
    assert float(out) == pytest.approx(float(formula.subs(at)), rel=1e-9, abs=1e-9)
    if isinstance(out, Tensor):
        out.backward()
        for symbol, t in zip(at, (x, y), strict=True):
            want = float(formula.diff(symbol).subs(at))
            assert float(0 if t.grad is None else t.grad) == pytest.approx(want, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_can_be_typed(name):
    assert np.isfinite(float(read(f"{name}(x)", x=0.5)))
    assert "complete" in GraphWalk(expression=f"{name}(x)", step=5).summary()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "type a formula"),
        ("x + (", "no complete formula"),
        ("2x", r"2\*x for a product"),
        ("x y", "no complete formula"),
        ("x^2", r"write x\*\*2"),
        ("sin", r"write sin\(x\)"),
        ("sin(x, y)", "takes one number"),
        ("sin(x=1)", "takes one number"),
        ("sinh(x)", "sinh is no function known here; there are abs"),
        ("z + 1", "z is no name known here; there are x, y, pi, e"),
        ("ξ", "there is no name known here"),
        ("x" * 101, "101 characters; wanted at most 100"),
        ("x + True", "only numbers, x, y"),
        ("'a' * 3", "only numbers"),
        ("[x]", "only numbers"),
        ("x if y else 1", "only numbers"),
        ("x.value", "only numbers"),
        ("lambda: x", "only numbers"),
        ("x := 3", "no complete formula"),
        ("(x := 3)", "only numbers"),
        ("1j * x", "only numbers"),
        ("__import__('os').getcwd()", "only numbers"),
        ("__import__('os')", "no function known"),
        ("\0", "no complete formula"),
    ],
)
def test_anything_else_is_refused_in_words(text, message):
    with pytest.raises(FormulaError, match=message):
        read(text)
    if text.strip("\0"):
        assert GraphWalk(expression=text).summary().startswith("No graph: ")


def test_a_tower_of_powers_does_not_hang():
    assert read("9**9**9**9**9") == np.inf
    assert np.isnan(read("1/0 - 1/0"))
    assert "∞" in GraphWalk(expression="9**9**9**9*x", step=1).summary()


def test_too_large_a_graph_and_one_without_operations_are_refused():
    assert f"wanted at most {MOST}" in GraphWalk(expression="+".join("x" * 14)).summary()
    for text in ("x", "3", "3 + 4", "sin(2)"):
        assert "no operation on x or y" in GraphWalk(expression=text).summary()


def test_an_equal_part_is_one_node():
    boxes = GraphWalk(expression="x*y + sin(x*y)").data.walk.boxes
    assert sorted(box.made for box in boxes) == ["", "", "sin(v₁)", "v₁ + v₂", "x × y"]


def test_values_come_forward_and_slopes_backward():
    explorer = GraphWalk(step=2)
    boxes = by_name(explorer)
    assert [boxes[n].value for n in ("v₁", "v₂", "v₃", "v₄")] == ["1.000", "0.841", "", ""]
    assert not any(box.slope for box in boxes.values())
    explorer.step = 5
    assert {n: b.slope for n, b in by_name(explorer).items() if b.slope} == {"v₄": "∂ 1.000"}
    explorer.step = 8
    assert by_name(explorer)["x"].slope == "∂ 4.000 + …"
    assert by_name(explorer)["y"].slope == ""
    explorer.step = 9
    assert by_name(explorer)["x"].slope == "∂ 4.270"
    assert by_name(explorer)["y"].slope == "∂ 1.081"
    assert "x gets 0.540 × 0.500 = 0.270" in explorer.summary()


def test_the_lit_arrows_are_those_into_the_operation_at_work():
    explorer = GraphWalk(step=1)
    assert sorted(arrow.lit for arrow in explorer.data.walk.arrows) == [0, 0, 0, 0, 1, 1]
    explorer.step = 9
    assert sorted(arrow.lit for arrow in explorer.data.walk.arrows) == [-1, -1, 0, 0, 0, 0]


def test_the_slider_ends_where_the_walk_does():
    explorer = GraphWalk()
    assert explorer.widget
    slider = explorer._controls["step"]
    assert slider.max == 9
    explorer.expression = "x*y"
    assert slider.max == 3
    explorer._controls["expression"].value = "x*y + x"
    assert slider.max == 5
    assert "x*y + x" in explorer._sentence.value
    slider.value = 5
    assert "complete" in explorer.summary()


def test_code_takes_a_longer_walk_past_the_end_of_the_old_one():
    long = {"expression": "sin(x) + cos(y) + x*y", "step": 11}
    explorer = GraphWalk(**long)
    assert explorer.widget
    explorer.update(expression="x*y", step=1)
    assert (explorer.step, explorer._controls["step"].max) == (1, 3)
    explorer.reset()
    assert explorer.values == GraphWalk(**long).values
    assert explorer._controls["step"].value == explorer._controls["step"].max == 11
    assert "complete" in explorer._sentence.value
