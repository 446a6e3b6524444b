"""A timeline as tables, for spreadsheets and data frames: one row per event, box, or trajectory of a track."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kinoscope.core.optional import require_extra
from kinoscope.core.trajectories import trajectory_stats
from kinoscope.core.validation import require_known
from kinoscope.views.formats.plain import dumps, utf8
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    import pandas

EVENT_COLUMNS = ("task", "start", "end", "label", "score", "text", "extra")
"""Columns of the events: times in seconds on the source's clock; ``extra`` holds further keys as JSON, or None."""

BOX_COLUMNS = ("task", "id", "label", "identity", "time", "x1", "y1", "x2", "y2", "score", "extra")
"""Columns of the boxes of tracks, in pixels of the displayed frame; ``extra`` as above, in the first row of a track."""

TRAJECTORY_COLUMNS = (
    "task", "id", "label", "identity", "score", "start", "end",
    "seconds", "length", "speed", "heights_per_second", "path",
)  # fmt: skip
"""Columns of the tracks: duration, length in pixels, speed; ``path`` is a list of [time, x, y] as JSON."""


TABLES = ("events", "tracks", "trajectories")
"""Tables that ``to_pandas`` returns."""


def to_pandas(timeline: Timeline, table: str) -> pandas.DataFrame:
    """Return one of ``TABLES`` as a data frame: a row per event, per box of a track, or per track.

    Raises:
        OptionError: there is no such table.
        MissingExtra: pandas is not installed.
    """
    require_known(table, TABLES, "table")
    frames = require_extra("pandas", "export")
    rows, columns = {
        "events": (event_rows, EVENT_COLUMNS),
        "tracks": (box_rows, BOX_COLUMNS),
        "trajectories": (trajectory_rows, TRAJECTORY_COLUMNS),
    }[table]
    data: pandas.DataFrame = frames.DataFrame(list(rows(timeline)), columns=list(columns))
    return data


def event_rows(timeline: Timeline) -> Iterator[tuple[Any, ...]]:
    """Yield the events, a value for each of ``EVENT_COLUMNS``."""
    for event in timeline.all_events:
        plain = event.to_dict()
        known = tuple(_value(plain.pop(name, None)) for name in EVENT_COLUMNS[:-1])
        yield *known, (dumps(plain) if plain else None)


def box_rows(timeline: Timeline) -> Iterator[tuple[Any, ...]]:
    """Yield the boxes of all tracks, a value for each of ``BOX_COLUMNS``."""
    for track in timeline.all_tracks:
        plain = track.to_dict()
        named = tuple(_value(plain.pop(name)) for name in ("task", "id", "label", "identity"))
        boxes = plain.pop("boxes")
        plain.pop("score")
        extra = dumps(plain) if plain else None
        for box in boxes:
            yield *named, *box, extra
            extra = None


def trajectory_rows(timeline: Timeline) -> Iterator[tuple[Any, ...]]:
    """Yield the tracks, a value for each of ``TRAJECTORY_COLUMNS``."""
    for track in timeline.all_tracks:
        if not len(track.boxes):
            continue
        plain = {"score": round(track.score, 4), "start": track.start, "end": track.end}
        plain |= trajectory_stats(track).to_dict()
        named = (track.task, track.id, _value(track.label), _value(track.identity))
        yield *named, *(plain[name] for name in TRAJECTORY_COLUMNS[4:-1]), dumps(plain["path"])


def _value(value: Any) -> Any:
    return utf8(value) if isinstance(value, str) else value
