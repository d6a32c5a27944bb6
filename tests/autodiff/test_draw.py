"""The drawing of a graph: its numbers are the tape's, its boxes keep apart, and it only looks."""

from xml.etree import ElementTree

import numpy as np
import pytest

from bpbook.autodiff import draw, no_grad, tensor
from bpbook.autodiff.draw import HEIGHT, WIDTH, layout

SVG = "{http://www.w3.org/2000/svg}"


def neuron():
    x, w, b = (tensor(v, requires_grad=True) for v in (2.0, -1.5, 0.5))
    a = np.tanh(w * x + b)
    return {"x": x, "w": w, "b": b, "a": a}, (a - 1.0) ** 2


def ladder(rungs):
    """A graph with arrows over many columns: the first leaf is used on every rung."""
    first = tensor(0.3, requires_grad=True)
    y = first
    for _ in range(rungs):
        y = np.sin(y) * first + y
    return y


def test_values_and_slopes_are_the_tapes():
    names, loss = neuron()
    drawing = draw(loss, loss=loss, **names)
    loss.backward()
    for name in "xwb":
        slope = f"{names[name].grad.item():.4g}".replace("-", "−")
        value = f"{names[name].item():g}".replace("-", "−")
        assert f"{name}: {value} (slope {slope})" in repr(drawing)
    assert "loss = ^ 2" in repr(drawing)
    shown = [t.text for t in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]
    assert {"x", "w", "b", "a = tanh", "loss = ^ 2", "−1.5"} <= set(shown)


def test_jupyter_gets_the_picture_with_its_words():
    _, loss = neuron()
    data, metadata = draw(loss)._repr_mimebundle_()
    assert metadata["image/svg+xml"]["alt"] == data["text/plain"]
    assert data["image/svg+xml"].startswith("<svg")


@pytest.mark.parametrize("rungs", [1, 5, 13])  # 13 rungs are 40 tensors
def test_boxes_keep_apart_inside_the_picture_and_time_runs_to_the_right(rungs):
    last = ladder(rungs)
    svg = ElementTree.fromstring(draw(last).svg)
    corners = [(float(r.get("x")), float(r.get("y"))) for r in svg.iter(f"{SVG}rect")]
    assert len(corners) == 1 + 3 * rungs
    for i, (x, y) in enumerate(corners):
        assert 0 <= x <= float(svg.get("width")) - WIDTH
        assert 0 <= y <= float(svg.get("height")) - HEIGHT
        for u, v in corners[:i]:
            assert abs(x - u) > WIDTH or abs(y - v) > HEIGHT
    places = [p for column in layout(last) for p in column]
    assert all(q.column == p.column + 1 for p in places for q in p.after)


def test_to_draw_is_only_to_look():
    """The tape stays, no gradient is stored, and the reader's hooks are not called."""
    names, loss = neuron()
    calls = []
    names["a"].register_hook(calls.append)
    names["x"].register_hook(calls.append)
    draw(loss)
    assert calls == []
    assert names["x"].grad is None
    loss.backward()
    assert len(calls) == 2


def test_a_name_is_text_and_not_markup():
    x = tensor(2.0, requires_grad=True)
    drawing = draw(x * 3.0, **{"a<b&c": x})
    assert "a<b&c" in [t.text for t in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]


def test_what_cannot_be_drawn_is_refused():
    x = tensor(2.0, requires_grad=True)
    with no_grad():
        off = x * 2.0
    for nothing in (x, off, 3.0):
        with pytest.raises(ValueError, match="draw needs a tensor that ops made"):
            draw(nothing)
    with pytest.raises(ValueError, match="y is a float"):
        draw(x * 2.0, y=2.0)
