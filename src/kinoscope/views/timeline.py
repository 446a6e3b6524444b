"""The one result type: what was detected in a source, when, and by which model.

The JSON form, :meth:`Timeline.to_dict`, is schema 1 of ``timeline.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import TimelineError
from kinoscope.core.results import DecodeReport, Event, TaskReport, TaskResult, Track

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
"""Newest schema of ``timeline.json`` that is read, and the one that is written."""

_KEYS = frozenset({"schema", "kinoscope", "source", "decode", "tasks", "events", "tracks"})


class Timeline:
    """All results of one source.

    Args:
        source: its metadata: path, duration and start in seconds, width and height in pixels...
        decode: the outcome of decoding it.
        tasks: task -> what it ran.
        events, tracks: of all tasks.
        times: (T,) float64, the time in seconds of every decoded frame.
        features: name -> array, such as ``scenes.features`` (N, 1280).
        images: name -> JPEG file, such as ``objects-3``.
        version: of kinoscope.
        extra: further keys of the JSON form.

    Attributes:
        all_events, all_tracks: the lists that :meth:`events` and :meth:`tracks` select from.
    """

    def __init__(
        self,
        source: Mapping[str, Any] | None = None,
        decode: DecodeReport | None = None,
        tasks: Mapping[str, TaskReport] | None = None,
        events: Iterable[Event] = (),
        tracks: Iterable[Track] = (),
        times: Float64Array | None = None,
        features: Mapping[str, NDArray[Any]] | None = None,
        images: Mapping[str, bytes] | None = None,
        version: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.source, self.tasks = dict(source or {}), dict(tasks or {})
        self.decode = DecodeReport() if decode is None else decode
        self.all_events, self.all_tracks = list(events), list(tracks)
        self.times: Float64Array = np.zeros(0) if times is None else times
        self.features, self.images = dict(features or {}), dict(images or {})
        self.version, self.extra = version, dict(extra or {})

    def __repr__(self) -> str:
        counts = f"events={len(self.all_events)}, tracks={len(self.all_tracks)}"
        statuses = ", ".join(f"{name}: {report.status}" for name, report in self.tasks.items())
        path = self.source.get("path")
        return f"Timeline({path!r}, frames={self.decode.frames}, {counts}, tasks={{{statuses}}})"

    def _repr_html_(self) -> str:
        from kinoscope.views.pages.notebook import timeline_html

        return timeline_html(self)

    @classmethod
    def load(cls, path: Path | str) -> Timeline:
        """Load the results that ``analyze`` wrote, from their folder or the path of ``timeline.json``.

        Raises:
            TimelineError: it is missing or malformed (the message says where), or its schema is newer.
        """
        from kinoscope.views.formats.json import load

        return load(path)

    def save(self, folder: Path | str) -> Path:
        """Write ``timeline.json``, features and images into a folder; return the path of ``timeline.json``.

        Raises:
            OutputError: a file cannot be written.
        """
        from kinoscope.views.formats.json import save

        return save(self, folder)

    def write(self, format: str, path: Path | str) -> Path:
        """Write an exchange format to a path, and return the path.

        Args:
            format: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl or json; see ``views.registry``.
            path: the file, or the folder if the format has several files.

        Raises:
            OptionError: there is no such format.
            OutputError: it cannot be written.
            MissingExtra: a package that the format needs is not installed.
        """
        from kinoscope.views.registry import find_view

        find_view(format).write(self, Path(path))
        return Path(path)

    def to_pandas(self, table: str = "events") -> pandas.DataFrame:
        """Return a table as a data frame, with the columns of the CSV files.

        Args:
            table: ``events`` (a row per event), ``tracks`` (a row per box) or ``trajectories`` (a row per track).

        Raises:
            OptionError: there is no such table.
            MissingExtra: pandas is not installed.
        """
        from kinoscope.views.formats.tables import to_pandas

        return to_pandas(self, table)

    def events(self, task: str | None = None, label: str | None = None) -> list[Event]:
        """Return the events in time order.

        Args:
            task: only those of this task.
            label: only those of this label.
        """
        return [event for event in self.all_events if _matches(event, task, label)]

    def tracks(self, task: str | None = None, label: str | None = None) -> list[Track]:
        """Return the tracks, by task and start.

        Args:
            task: only those of this task.
            label: only those of this label.
        """
        return [track for track in self.all_tracks if _matches(track, task, label)]

    def add(self, task: str, result: TaskResult) -> None:
        """Add the result of ``task``, replacing that of an earlier run."""
        self.drop(task)
        self.tasks[task] = result.report
        self.all_events = sorted(self.all_events + result.events, key=lambda e: (e.start, e.end))
        self.all_tracks = sorted(self.all_tracks + result.tracks, key=lambda t: (t.task, t.start, t.id))
        self.features |= result.features
        self.images |= result.images

    def drop(self, task: str) -> None:
        """Remove the result of ``task``."""
        self.tasks.pop(task, None)
        self.all_events = [e for e in self.all_events if e.task != task]
        self.all_tracks = [t for t in self.all_tracks if t.task != task]
        self.features = {k: v for k, v in self.features.items() if not k.startswith(f"{task}.")}
        self.images = {k: v for k, v in self.images.items() if _image_task(k) != task}

    def result_of(self, task: str) -> TaskResult:
        """Return the result of ``task``, as ``add`` takes it."""
        return TaskResult(
            events=self.events(task),
            tracks=self.tracks(task),
            features={name: array for name, array in self.features.items() if name.startswith(f"{task}.")},
            images={name: data for name, data in self.images.items() if _image_task(name) == task},
            report=self.tasks[task],
        )

    @property
    def ok(self) -> bool:
        """Whether every task succeeded on the whole source, and no frame of it was lost or damaged."""
        whole = self.decode.complete and not (self.decode.failures or self.decode.corrupt)
        return whole and all(t.status in ("ok", "skipped") for t in self.tasks.values())

    def head(self) -> dict[str, Any]:
        """Return the JSON form without events and tracks, which are empty lists."""
        return {
            "schema": SCHEMA,
            "kinoscope": self.version,
            "source": self.source,
            "decode": self.decode.to_dict(),
            "tasks": {name: report.to_dict() for name, report in self.tasks.items()},
            "events": [],
            "tracks": [],
        } | self.extra

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, schema 1: all but ``times``, ``features`` and ``images``, which are large."""
        return self.head() | {
            "events": [event.to_dict() for event in self.all_events],
            "tracks": [track.to_dict() for track in self.all_tracks],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Timeline:
        """Parse the JSON form.

        Raises:
            TimelineError: it is not a timeline, or its schema is newer than this version reads.
        """
        _check_schema(plain)
        try:
            return cls(
                source=dict(plain["source"]),
                decode=DecodeReport.from_dict(plain["decode"]),
                tasks={name: TaskReport.from_dict(report) for name, report in plain["tasks"].items()},
                events=[Event.from_dict(row) for row in plain["events"]],
                tracks=[Track.from_dict(row) for row in plain["tracks"]],
                version=str(plain.get("kinoscope", "")),
                extra={key: value for key, value in plain.items() if key not in _KEYS},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TimelineError(f"timeline is malformed ({type(error).__name__}: {error}); run analyze again") from None


def _image_task(name: str) -> str:
    """Return the task of an image: ``face-mask`` of ``face-mask-3``."""
    return name.rpartition("-")[0]


def _matches(row: Event | Track, task: str | None, label: str | None) -> bool:
    return task in (None, row.task) and label in (None, row.label)


def _check_schema(plain: Mapping[str, Any]) -> None:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("schema"), int):
        raise TimelineError("not a timeline: it has no schema number; give a timeline.json that analyze wrote")
    if plain["schema"] > SCHEMA:
        raise TimelineError(
            f"timeline schema {plain['schema']} is newer than {SCHEMA}, which this version reads; update kinoscope"
        )
