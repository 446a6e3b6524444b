"""Plots of a training run and of its model: learning curves, confusion matrix, reliability diagram, error rates.

Drawn with matplotlib without a display; install it with ``pip install 'kinoscope[train]'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.files import atomic_write
from kinoscope.core.metrics import verification
from kinoscope.core.metrics.classification import binned_calibration_error
from kinoscope.core.optional import require_extra

TEXT_COLOUR, LABEL_COLOUR, GRID_COLOUR = "#1b1d21", "#656a73", "#e3e3df"
COLOURS = {"train": "#9a9fd6", "val": "#3d3db8", "test": "#c2502a"}
"""Of the lines: validation, the reference, stands out."""
STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": TEXT_COLOUR,
    "axes.labelcolor": LABEL_COLOUR,
    "axes.edgecolor": GRID_COLOUR,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LABEL_COLOUR,
    "ytick.color": LABEL_COLOUR,
    "grid.color": GRID_COLOUR,
    "legend.frameon": False,
    "savefig.facecolor": "white",
}

MAX_NUMBERED_CLASSES = 30
"""Classes of a confusion matrix; beyond these its cells are too small for numbers."""
MAX_NAME_LENGTH = 24
"""Characters of a class name on an axis."""


@contextmanager
def figure_axes(path: Path, width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Any, Any]]:
    """Yield a figure and its (rows, columns) axes to draw into, and save it; sizes in inches.

    Raises:
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    style = require_extra("matplotlib.style", "train")
    figures = require_extra("matplotlib.figure", "train")
    # A bare figure belongs to no window: it needs no display and need not be closed.
    with style.context(["default", STYLE]):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False)
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=150, bbox_inches="tight", pad_inches=0.15)


def curves(log: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot the log of a run, one panel per metric.

    Args:
        log: rows with ``epoch``, and any metrics as numbers. ``train_loss`` and ``val_loss`` (or ``train/loss``) are
            two lines of one panel, ``loss`` alone is that of training. Other values are ignored.
        path: the image to write, PNG or SVG by its suffix.

    Raises:
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    panels = _panels(log)
    columns = min(3, max(1, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    with figure_axes(path, 4.2 * columns, 2.9 * rows, rows, columns) as (_, axes):
        for index, axis in enumerate(axes.flat):
            axis.set_visible(index < len(panels))
        for axis, (name, lines) in zip(axes.flat, panels.items(), strict=False):
            _lines(axis, name, lines)


Line = list[tuple[float, float]]


def _panels(log: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Line]]:
    panels: dict[str, dict[str, Line]] = {}
    for index, row in enumerate(log, 1):
        for key, value in row.items():
            if key in ("epoch", "step", "seed") or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            series, _, name = key.replace("/", "_").partition("_")
            if series not in COLOURS:
                series, name = "train", key
            panels.setdefault(name, {}).setdefault(series, []).append((row.get("epoch", index), value))
    return panels


def _lines(axis: Any, name: str, lines: Mapping[str, Line]) -> None:
    for series, points in sorted(lines.items()):
        x, y = np.array(points, float).T
        axis.plot(x, y, color=COLOURS[series], label=series, linewidth=1.8, marker="." if len(x) < 20 else None)
        axis.annotate(f" {y[-1]:.3g}", (x[-1], y[-1]), color=COLOURS[series], va="center", annotation_clip=False)
    epochs = [x for points in lines.values() for x, _ in points]
    axis.set(title=name.replace("_", " "), xlabel="epoch", xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
    axis.grid(axis="y")
    axis.xaxis.get_major_locator().set_params(integer=True)
    if len(lines) > 1:
        axis.legend(loc="best")


def confusion_matrix(confusion: ArrayLike, classes: Sequence[str], path: Path) -> None:
    """Plot a confusion matrix: a row per actual class, a column per predicted class, coloured by the share of its row.

    Args:
        confusion: (K, K) counts, a row for each actual class.
        classes: their K names.
        path: the image to write, PNG or SVG by its suffix.

    Raises:
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [_shorten(name) for name in classes]
    side = min(14.0, max(2.2, 0.42 * len(names)))
    label_width = 0.075 * max(map(len, names), default=0)
    rotation = 90 if label_width > 0.8 * side / max(1, len(names)) else 0
    with figure_axes(path, side + label_width + 1.6, side + label_width + 0.8) as (figure, axes):
        axis = axes[0, 0]
        image = axis.imshow(shares, cmap="Purples", vmin=0, vmax=1)
        ticks = range(len(names))
        axis.set(xticks=ticks, yticks=ticks, xlabel="predicted", ylabel="actual", title="Confusion matrix")
        font_size = 9 if len(names) <= MAX_NUMBERED_CLASSES else 5
        axis.set_xticklabels(names, rotation=rotation, fontsize=font_size)
        axis.set_yticklabels(names, fontsize=font_size)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axis, shrink=0.7, format=lambda share, _: f"{share:.0%}")
        bar.outline.set_visible(False)
        if len(names) <= MAX_NUMBERED_CLASSES:
            _write_counts(axis, counts, shares)


def _write_counts(axis: Any, counts: NDArray[Any], shares: NDArray[Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.55 else TEXT_COLOUR
            axis.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=8)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"


def reliability(before: ArrayLike, path: Path, after: ArrayLike | None = None) -> None:
    """Plot a reliability diagram: accuracy over confidence; calibrated predictions lie on the diagonal.

    Args:
        before: (bins, 3) as returned by :func:`kinoscope.core.metrics.classification.reliability_bins`.
        path: the image to write, PNG or SVG by its suffix.
        after: the same after temperature scaling.

    Raises:
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    diagrams = {"Before temperature scaling" if after is not None else "Reliability": np.asarray(before, float)}
    if after is not None:
        diagrams["After"] = np.asarray(after, float)
    with figure_axes(path, 3.9 * len(diagrams), 4.4) as (figure, axes):
        axes[0, 0].remove()
        grid = figure.add_gridspec(2, len(diagrams), height_ratios=(4, 1))
        for column, (title, rows) in enumerate(diagrams.items()):
            _diagram(figure.add_subplot(grid[0, column]), title, rows)
            _histogram(figure.add_subplot(grid[1, column]), rows)


def error_rates(genuine: ArrayLike, impostor: ArrayLike, path: Path, threshold: float) -> None:
    """Plot the distances of genuine and impostor pairs, and below them both error rates over the threshold.

    Args:
        genuine, impostor: (N,) and (M,) distances, see ``core.metrics.verification``.
        path: the image to write, PNG or SVG by its suffix.
        threshold: the threshold in use, which is marked.

    Raises:
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    same, other = np.asarray(genuine, float), np.asarray(impostor, float)
    thresholds, far, frr = verification.error_rates(same, other)
    max_distance = max(float(thresholds.max(initial=0.0)), threshold) * 1.05
    with figure_axes(path, 6.0, 5.0, rows=2) as (_, axes):
        pairs, rates = axes[:, 0]
        steps = np.linspace(0, max_distance, 41)
        for name, values, colour in (("genuine", same, COLOURS["val"]), ("impostor", other, COLOURS["test"])):
            pairs.hist(values, steps, color=colour, alpha=0.7, label=f"{name} ({len(values)})")
        rates.step(thresholds, frr, where="post", color=COLOURS["val"], label="false rejects (FRR)")
        rates.step(thresholds, far, where="post", color=COLOURS["test"], label="false accepts (FAR)")
        pairs.set(title="Distances of pairs", ylabel="pairs")
        rates.set(title="Errors by threshold", xlabel="distance", ylabel="share of pairs", ylim=(-0.02, 1.02))
        for axis in (pairs, rates):
            axis.axvline(threshold, color=LABEL_COLOUR, linewidth=1, linestyle=(0, (4, 3)))
            axis.set_xlim(0, max_distance)
            axis.legend(loc="best")


def _diagram(axis: Any, title: str, rows: Float64Array) -> None:
    centres = (np.arange(len(rows)) + 0.5) / len(rows)
    filled = rows[:, 0] > 0
    axis.plot((0, 1), (0, 1), color=LABEL_COLOUR, linewidth=1, linestyle=(0, (4, 3)))
    axis.bar(centres[filled], rows[filled, 2], 0.9 / len(rows), color=COLOURS["train"])
    axis.plot(rows[filled, 1], rows[filled, 2], "o", color=COLOURS["val"], markersize=4)
    axis.set(title=f"{title}: ECE {binned_calibration_error(rows):.3f}", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    axis.grid()


def _histogram(axis: Any, rows: Float64Array) -> None:
    centres = (np.arange(len(rows)) + 0.5) / len(rows)
    axis.bar(centres, rows[:, 0], 0.9 / len(rows), color=LABEL_COLOUR)
    axis.set(xlabel="confidence", ylabel="clips", xlim=(0, 1))
