"""Plots for the chapters: each returns a :class:`Picture`, a PNG with its description in words.

The description is what a screen reader reads and what the notebook tests compare, for a PNG is
compared by neither. Colours are told apart without colour vision, and line style or marker always
says the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bpbook import style

# A title over several axes, as the style sets it over one.
_SUPTITLE = {"x": 0.01, "ha": "left", "fontsize": 10.5, "weight": "bold"}


@dataclass(frozen=True)
class Picture:
    """A figure and its description; Jupyter shows the PNG, with the description as alt text.

    measured: it shows what differs from run to run or from machine to machine, timings or rounding
    noise, and its description says only what does not. A refresh of the chapter keeps the stored
    PNG as long as the words stay the same.
    """

    figure: Figure
    description: str
    measured: bool = False

    def png(self) -> bytes:
        """The figure as PNG; the same bytes for the same figure."""
        buffer = io.BytesIO()
        with style.book_style():
            self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def __repr__(self) -> str:
        return self.description

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        data = {"image/png": self.png(), "text/plain": self.description}
        extra = {"measured": True} if self.measured else {}
        return data, {"image/png": {"alt": self.description, **extra}}


def number(x: float) -> str:
    """Three significant digits: the one format of the descriptions."""
    return f"{float(x):.3g}"


def extent(values: object) -> str:
    """The smallest and largest value in words."""
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "no finite value"
    lost = values.size - finite.size
    extra = f", {lost} not finite" if lost else ""
    return f"{number(finite.min())} to {number(finite.max())}{extra}"


def lines(
    curves: Mapping[str, tuple[object, object]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log: str = "",
    points: bool | Collection[str] = False,
    mark: Mapping[str, float] | None = None,
    measured: str | None = None,
) -> Picture:
    """Curves by name, each (x, y). log: any of "x", "y", "xy".

    points: markers at the data; or the names of the curves that are markers alone, with no line.
    mark: vertical lines by name. measured: for timings and rounding noise, what the description
    says of the curves in place of their numbers. Raises ValueError when x and y differ in length.
    """
    figure, axes = _figure(title, xlabel, ylabel)
    for i, (name, (x, y)) in enumerate(curves.items()):
        if np.shape(x) != np.shape(y):
            raise ValueError(f"{name}: x has shape {np.shape(x)}, y has shape {np.shape(y)}")
        look = _look(i)
        alone = not isinstance(points, bool) and name in points
        marker = look.marker if alone or points is True else None
        line = "" if alone else look.linestyle
        axes.plot(x, y, ls=line, marker=marker, color=look.color, label=name)
    for name, x in (mark or {}).items():
        axes.axvline(x, color="0.35", lw=1, ls=":", label=name)
    axes.set_xscale("log" if "x" in log else "linear")
    axes.set_yscale("log" if "y" in log else "linear")
    if "x" not in log and all(np.equal(np.mod(x, 1), 0).all() for x, _ in curves.values()):
        axes.xaxis.get_major_locator().set_params(integer=True)  # there is no layer 2.5
    if len(curves) + len(mark or ()) > 1:
        axes.legend(frameon=False)
    parts = [f"{k} ({np.size(y)} points, {extent(y)})" for k, (x, y) in curves.items()]
    said = f"Lines, {ylabel} against {xlabel}: {measured or '; '.join(parts)}."
    return Picture(figure, f"{title}. {said}", measured is not None)


def panels(
    groups: Mapping[str, Mapping[str, tuple[object, object]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    columns: int = 3,
) -> Picture:
    """Small plots side by side on the same axes, each with the same named curves (x, y)."""
    rows = -(-len(groups) // columns)
    with style.book_style():
        figure = Figure(figsize=(7, 0.7 + 1.6 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, **_SUPTITLE)
        figure.supxlabel(xlabel, fontsize=9.5)
        figure.supylabel(ylabel, fontsize=9.5)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for unused in grid[len(groups) :]:
            unused.set_axis_off()
        for axes, (name, curves) in zip(grid, groups.items(), strict=False):
            axes.grid(alpha=0.6)
            axes.set_title(name)
            for i, (label, (x, y)) in enumerate(curves.items()):
                axes.plot(x, y, ls=_look(i).linestyle, color=_look(i).color, label=label)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower right", ncols=4)
    parts = [
        f"{name} ({'; '.join(f'{label} {extent(y)}' for label, (_, y) in curves.items())})"
        for name, curves in groups.items()
    ]
    return Picture(
        figure, f"{title}. {len(groups)} panels, {ylabel} by {xlabel}: {', '.join(parts)}."
    )


def bars(
    groups: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    *,
    title: str,
    ylabel: str,
    xlabel: str = "",
    log: bool = False,
) -> Picture:
    """Side-by-side bars: one hatched colour for each group, one place for each label."""
    figure, axes = _figure(title, xlabel, ylabel)
    width, places = 0.8 / len(groups), np.arange(len(labels))
    for i, (name, heights) in enumerate(groups.items()):
        x = places + (i - (len(groups) - 1) / 2) * width
        look = _look(i)
        paint = {"color": look.color, "hatch": look.hatch, "edgecolor": "white"}
        axes.bar(x, heights, width, label=name, **paint)
    axes.set_xticks(places, labels)
    axes.axhline(0, color="0.2", lw=0.8)
    if log:
        axes.set_yscale("log")
    if len(groups) > 1:
        axes.legend(frameon=False)
    parts = [f"{k} {', '.join(number(v) for v in values)}" for k, values in groups.items()]
    return Picture(figure, f"{title}. Bars at {', '.join(labels)}: {'; '.join(parts)}.")


def images(
    pictures: np.ndarray, captions: Sequence[str], *, title: str, columns: int = 8
) -> Picture:
    """Grey images (n, height, width), each with its caption. Black is the largest value."""
    rows = -(-len(pictures) // columns)
    with style.book_style():
        figure = Figure(figsize=(7, 0.35 + 1.05 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, **_SUPTITLE)
        grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axes in grid:
            axes.axis("off")
        for axes, picture, caption in zip(grid, pictures, captions, strict=False):
            axes.imshow(picture, cmap="gray_r", interpolation="nearest")
            axes.set_title(caption, fontsize=9)
    return Picture(figure, f"{title}. {len(pictures)} grey images: {', '.join(captions)}.")


def heatmap(
    matrix: np.ndarray,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    names: Sequence[str] | None = None,
    digits: int | None = 2,
) -> Picture:
    """A matrix as shades, symmetric about 0, with the numbers written in (digits=None: without).

    names: what its rows, and its columns, are called in place of 1, 2, …
    """
    figure, axes = _figure(title, xlabel, ylabel)
    limit = float(np.abs(matrix).max()) or 1.0
    shades = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.grid(False)
    rows, columns = (names or range(1, n + 1) for n in matrix.shape)
    axes.set_xticks(range(matrix.shape[1]), columns)
    axes.set_yticks(range(matrix.shape[0]), rows)
    figure.colorbar(shades, ax=axes)
    if digits is not None:
        for (i, j), value in np.ndenumerate(matrix):
            dark = abs(value) > 0.6 * limit
            text = f"{value:.{digits}f}"
            axes.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    what = f"A {' by '.join(map(str, matrix.shape))} matrix"
    what += f" ({', '.join(names)})" if names else ""
    return Picture(figure, f"{title}. {what}, {ylabel} by {xlabel}, {extent(matrix)}.")


def regions(
    predict: Callable[[np.ndarray], np.ndarray], X: np.ndarray, Y: np.ndarray, *, title: str
) -> Picture:
    """Points X (m, 2) by class (Y one-hot), over the classes that ``predict`` gives the plane."""
    figure, axes = _figure(title, "first input", "second input")
    pad = 0.15 * np.ptp(X, axis=0)
    (x0, y0), (x1, y1) = X.min(axis=0) - pad, X.max(axis=0) + pad
    u, v = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
    classes = predict(np.column_stack([u.ravel(), v.ravel()])).argmax(axis=1).reshape(u.shape)
    n = Y.shape[1]
    colors = [_look(k).color for k in range(n)]
    axes.contourf(u, v, classes, levels=np.arange(n + 1) - 0.5, colors=colors, alpha=0.25)
    truth = Y.argmax(axis=1)
    for k in range(n):
        marker = _look(k).marker
        axes.plot(*X[truth == k].T, marker, color=colors[k], mec="0.2", mew=0.4, label=f"class {k}")
    axes.legend(frameon=False)
    right = int((predict(X).argmax(axis=1) == truth).sum())
    return Picture(figure, f"{title}. {len(X)} points of {n} classes, {right} on their own side.")


def trails(
    value: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
    window: tuple[tuple[float, float], tuple[float, float]],
    *,
    title: str,
) -> Picture:
    """Walks (steps + 1, 2) by name, on the contours of a loss of two parameters.

    value: points (..., 2) -> (...). Contours are spaced evenly in its logarithm.
    """
    figure, axes = _figure(title, "first parameter", "second parameter")
    (x0, x1), (y0, y1) = window
    xy = np.stack(np.meshgrid(np.linspace(x0, x1, 161), np.linspace(y0, y1, 161)), axis=-1)
    height = value(xy) - value(xy).min()
    height = np.log10(height + height.max() / 1e4)
    axes.contour(xy[..., 0], xy[..., 1], height, 14, colors="0.7", linewidths=0.7, linestyles="-")
    for i, (name, path) in enumerate(paths.items()):
        look = {"color": _look(i).color, "ls": _look(i).linestyle, "marker": _look(i).marker}
        axes.plot(*path.T, **look, ms=3, lw=1.2, label=name)
    axes.plot(*next(iter(paths.values()))[0], "o", ms=9, mfc="none", mec="0.2", label="start")
    axes.set(xlim=window[0], ylim=window[1])
    axes.grid(False)
    axes.legend(loc="best", frameon=True, framealpha=0.9)
    parts = [
        f"{name} ends at ({number(x)}, {number(y)}) after {len(path) - 1} steps"
        for name, path in paths.items()
        for x, y in [path[-1]]
    ]
    return Picture(figure, f"{title}. Walks on contours of the loss: {'; '.join(parts)}.")


def _look(i: int) -> style.Series:
    return style.SERIES[i % len(style.SERIES)]


def _figure(title: str, xlabel: str, ylabel: str) -> tuple[Figure, mpl.axes.Axes]:
    with style.book_style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(title=title, xlabel=xlabel, ylabel=ylabel)
        axes.grid(alpha=0.6)
    return figure, axes
