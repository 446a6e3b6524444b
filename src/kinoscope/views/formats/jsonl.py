"""A timeline as JSON lines: one object per line, keyed by its kind, for live use and line-based tools.

The first line is ``{"source": ..., "schema": 1, "kinoscope": "0.1.0"}``; then ``{"event": ...}`` and
``{"track": ...}`` as they are detected, in the form of timeline.json, and ``{"task": "objects", "report": ...}`` and
``{"decode": ...}`` as they end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from kinoscope.core.files import atomic_write, write_error
from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.formats.plain import dumps
from kinoscope.views.timeline import SCHEMA, Timeline


def lines(timeline: Timeline) -> Iterator[str]:
    """Yield the lines of a timeline: its source, events, tracks, task reports and decode report."""
    yield dumps({"source": timeline.source, "schema": SCHEMA, "kinoscope": timeline.version})
    yield from map(_line, timeline.all_events)
    yield from map(_line, timeline.all_tracks)
    for name, report in timeline.tasks.items():
        yield _line(report, name)
    yield dumps({"decode": timeline.decode.to_dict()})


def write(timeline: Timeline, path: Path) -> None:
    """Write a timeline as JSON lines."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines(timeline))


class LineWriter:
    """Writer of JSON lines to an open text stream, which is flushed after each line.

    Raises:
        OutputError: the stream cannot be written.
    """

    def __init__(self, stream: TextIO, source: dict[str, Any], version: str = "") -> None:
        self._stream = stream
        self._write_line(dumps({"source": source, "schema": SCHEMA, "kinoscope": version}))

    def write(self, item: Event | Track) -> None:
        """Write one event or one finished track."""
        self._write_line(_line(item))

    def report(self, task: str, report: TaskReport) -> None:
        """Write the report of a task."""
        self._write_line(_line(report, task))

    def _write_line(self, line: str) -> None:
        try:
            self._stream.write(f"{self._encodable(line)}\n")
            self._stream.flush()
        except OSError as error:
            raise write_error(str(getattr(self._stream, "name", "the stream")), error) from None

    def _encodable(self, line: str) -> str:
        """Return a line that the stream's encoding can represent, with JSON escapes if it cannot otherwise."""
        try:
            line.encode(getattr(self._stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return json.dumps(json.loads(line))
        return line


def _line(item: Event | Track | TaskReport, task: str = "") -> str:
    if isinstance(item, TaskReport):
        return dumps({"task": task, "report": item.to_dict()})
    return dumps({"event" if isinstance(item, Event) else "track": item.to_dict()})
