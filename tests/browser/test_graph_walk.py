"""GraphWalk in a real JupyterLab: its formula typed, its steps taken by key."""

import pytest
from browser import lab

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("explorer_page", ["GraphWalk"], indirect=True)
def test_a_formula_is_typed_and_walked_through_by_key(explorer_page):
    shown = lab.Shown.wait_for(explorer_page)
    formula, step = shown.root.get_by_role("textbox").first, shown.handle(0)
    step.focus()
    for _ in range(9):
        explorer_page.keyboard.press("ArrowRight")
    done = lab.eventually(shown.said, lambda now: "step 9 of 9" in now)
    assert "∂f/∂x = 4.270 and ∂f/∂y = 1.081" in done
    formula.focus()
    explorer_page.keyboard.press("End")
    assert lab.moved(shown, lambda: explorer_page.keyboard.type(" + "))
    assert "no complete formula" in lab.eventually(shown.said, lambda now: "No graph" in now)
    explorer_page.keyboard.type("y")
    said = lab.eventually(shown.said, lambda now: "step 9 of 11" in now)
    assert "sin(x*y) + x**2 + y at x = 2, y = 0.5, step 9 of 11" in said
    assert step.get_attribute("aria-valuemax") == "11.0"
    assert formula.input_value() == "sin(x*y) + x**2 + y"
    assert lab.moved(shown, lambda: shown.drag(1, 0.9))
    shown.press("Reset")
    assert "before the start" in lab.eventually(shown.said, lambda now: "before" in now)
    assert formula.input_value() == "sin(x*y) + x**2"
    assert lab.strangers(explorer_page.urls) == []
