"""A picture says in words what it shows, and its PNG is the same each time."""

from itertools import pairwise

import numpy as np
import pytest

from bpbook import plots, style

X = np.linspace(0, 1, 11)


def test_lines_describe_their_data():
    picture = plots.lines({"square": (X, X**2)}, title="It bends", xlabel="x", ylabel="y")
    assert repr(picture) == ("It bends. Lines, y against x: square (11 points, 0 to 1).")
    data, metadata = picture._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert data["image/png"].startswith(b"\x89PNG")


def test_the_description_changes_with_the_data():
    def text(y):
        return repr(plots.lines({"y": (X, y)}, title="t", xlabel="x", ylabel="y"))

    assert text(X) != text(2 * X)
    assert "1 not finite" in text(np.where(X > 0.95, np.inf, X))


def test_a_measured_picture_is_described_without_its_numbers():
    def picture(y, **words):
        named = {"title": "t", "xlabel": "x", "ylabel": "y", "points": {"run"}}
        return plots.lines({"run": (X, y), "fit": (X, X)}, **named, **words)

    assert repr(picture(X, measured="two lines")) == "t. Lines, y against x: two lines."
    metadata = picture(X, measured="two lines")._repr_mimebundle_()[1]["image/png"]
    assert metadata["measured"] is True
    assert "measured" not in picture(X)._repr_mimebundle_()[1]["image/png"]
    run, fit = picture(X).figure.axes[0].lines
    assert (run.get_linestyle(), run.get_marker()) == ("None", "o")
    assert (fit.get_linestyle(), fit.get_marker()) == ("--", "None")


def test_the_same_figure_gives_the_same_bytes():
    def png():
        return plots.heatmap(np.eye(3), title="t", xlabel="column", ylabel="row").png()

    assert png() == png()


def test_every_kind_draws():
    Y = np.eye(2)[[0, 1, 0]]
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 2.0]])

    def bowl(xy):
        return (xy**2).sum(axis=-1)

    pictures = [
        plots.bars({"a": [1, 2], "b": [-1, 0]}, ["x", "y"], title="t", ylabel="y"),
        plots.images(np.eye(8)[None], ["one"], title="t"),
        plots.regions(lambda P: np.eye(2)[(P[:, 0] > 0.6).astype(int)], points, Y, title="t"),
        plots.trails(bowl, {"walk": points}, ((0, 1), (0, 2)), title="t"),
    ]
    assert "a 1, 2; b -1, 0" in repr(pictures[0])
    assert "1 grey images: one" in repr(pictures[1])
    assert "3 on their own side" in repr(pictures[2])
    assert "walk ends at (0.5, 2) after 2 steps" in repr(pictures[3])
    for picture in pictures:
        assert len(picture.png()) > 1000


def test_ticks_of_whole_numbers_are_whole():
    words = {"title": "T", "xlabel": "layer", "ylabel": "y"}
    for x in (range(1, 6), np.arange(1, 21), np.linspace(1, 3, 81)):
        [axes] = plots.lines({"a": (x, np.zeros(len(x)))}, **words).figure.axes
        whole = np.equal(np.mod(axes.get_xticks(), 1), 0).all()
        assert whole == (len(x) <= 20)


def test_panels_show_the_same_curves_on_the_same_axes():
    groups = {"one": {"a": (X, X), "b": (X, 2 * X)}, "two": {"a": (X, -X), "b": (X, 0 * X)}}
    picture = plots.panels(groups, title="t", xlabel="x", ylabel="y", columns=3)
    assert "2 panels, y by x: one (a " in repr(picture)
    first, second, empty = picture.figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert [len(axes.lines) for axes in (first, second, empty)] == [2, 2, 0]
    assert len(picture.png()) > 1000


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="y: x has shape"):
        plots.lines({"y": (X, X[1:])}, title="t", xlabel="x", ylabel="y")


def luminance(color):
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_neighbouring_colours_differ_in_grey():
    greys = [luminance(s.color) for s in style.SERIES[:3]]
    assert min(abs(a - b) for a, b in pairwise(greys)) > 0.1


def test_a_heatmap_calls_rows_and_columns_by_their_names():
    def ticks(**names):
        picture = plots.heatmap(np.eye(2), title="t", xlabel="column", ylabel="row", **names)
        axes = picture.figure.axes[0]
        return [
            [label.get_text() for label in get()]
            for get in (axes.get_xticklabels, axes.get_yticklabels)
        ]

    assert ticks() == [["1", "2"], ["1", "2"]]
    assert ticks(names=("three", "five")) == [["three", "five"], ["three", "five"]]
