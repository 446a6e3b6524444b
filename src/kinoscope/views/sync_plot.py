"""A picture of sound against lips: the offset over time, above how alike the two are at every lag.

matplotlib draws it, without a screen; it comes with ``pip install 'kinoscope[train]'``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import OptionError
from kinoscope.core.results import Timeline
from kinoscope.views import sync
from kinoscope.views.clock import origin
from kinoscope.views.likeness import Columns, columns
from kinoscope.views.plots import COLOURS, DIM, INK, canvas

LEAST = 0.12
"""Seconds of offset to which the upper plot goes at least."""


def plot_sync(timeline: Timeline, path: Path) -> None:
    """Draw the offset over time and the likeness at every lag, on a clock that starts at 0.

    Each point is what two seconds alone say, the fainter the less sure; the line in its band is the offset of the
    whole, or of a stretch between cuts, with its 95 % interval.

    Args:
        timeline: with the features ``sync.*`` that the task ``sync`` left.
        path: the picture to write, PNG or SVG by its ending.

    Raises:
        OptionError: the Timeline has nothing of ``sync`` to draw.
        MissingExtra: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    found = columns(timeline)
    if found is None or not len(found.times):
        raise OptionError("there is no offset over time to draw; run the task sync on a video in which somebody speaks")
    zero = origin(timeline)
    rows = sync.offset_rows(timeline)
    with canvas(path, 8.0, 4.8, rows=2) as (_, axes):
        upper, lower = axes[:, 0]
        for row in rows:
            _verdict(upper, row, zero)
        _points(upper, found, zero)
        _heat(lower, found, zero)
        reach = min(_reach(found, rows), found.lags[-1]) * 1000
        upper.set(title=_title(rows, timeline), ylabel="sound is late by, ms", ylim=(-reach, reach))
        lower.set(xlabel="seconds", ylabel="lag, s", title="Likeness of lips and sound")
        for axis in (upper, lower):
            axis.set_xlim(found.times[0] - zero - found.width / 2, found.times[-1] - zero + found.width / 2)
            axis.axhline(0, color=DIM, linewidth=1, linestyle=(0, (4, 3)))


def _title(rows: list[dict[str, Any]], timeline: Timeline) -> str:
    if not rows:
        return sync.not_measurable(sync.why_not(timeline))
    return "\n".join(f"{sync.when(row, rows)}{row['text']}, {sync.sure(row['confidence'])}" for row in rows[:3])


def _reach(found: Columns, rows: list[dict[str, Any]]) -> float:
    """Give how far from 0 the offsets go that can be relied on, and a fifth more."""
    ends = [abs(row[key]) for row in rows for key in ("low", "high", "at_start", "at_end") if key in row]
    points = np.abs(found.offsets[found.confidences >= 0.5]).tolist()
    return 1.2 * float(max(LEAST, *ends, *points))


def _verdict(axis: Any, row: dict[str, Any], zero: float) -> None:
    times = row["start"] - zero, row["end"] - zero
    line = 1000 * np.array([row.get("at_start", row["offset"]), row.get("at_end", row["offset"])])
    below, above = 1000 * (row["offset"] - row["low"]), 1000 * (row["high"] - row["offset"])
    axis.fill_between(times, line - below, line + above, color=COLOURS["test"], alpha=0.18, linewidth=0)
    axis.plot(times, line, color=COLOURS["test"], linewidth=1.6)


def _points(axis: Any, found: Columns, zero: float) -> None:
    alpha = np.clip(found.confidences, 0.08, 1)
    size = 12 if len(found.times) < 200 else 3
    axis.scatter(found.times - zero, found.offsets * 1000, s=size, color=INK, alpha=alpha, linewidth=0, zorder=3)


def _heat(axis: Any, found: Columns, zero: float) -> None:
    """Lay the curves on an even raster, in which the stretches that nobody speaks in stay white."""
    places = np.rint((found.times - found.times[0]) / found.width).astype(np.int64)
    raster = np.full((len(found.lags), places[-1] + 1), np.nan)
    raster[:, places] = found.curves.T
    left = found.times[0] - zero - found.width / 2
    extent = (left, left + raster.shape[1] * found.width, found.lags[0], found.lags[-1])
    axis.imshow(raster, cmap="Purples", vmin=0, vmax=1, aspect="auto", origin="lower", extent=extent)
