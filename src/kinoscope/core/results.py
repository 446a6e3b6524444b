"""The one result type: what was found in a source, when, and by what.

``Timeline`` holds events (a stretch of time with a label) and tracks (a box that moves through time).
Its plain form, :meth:`Timeline.to_dict`, is schema 1 of ``timeline.json``. Keys that a reader does not
know are kept in ``extra`` and written back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.addresses import Address
from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import TimelineError
from kinoscope.core.media import SourceInfo

SCHEMA = 1

INTERRUPTED = "interrupted (Ctrl-C)"
"""What stands among the errors of a decode that somebody stopped."""

PARTIAL_STATUSES = ("interrupted", "incomplete")
"""Statuses of tasks that worked well, on a part of the source."""

MAX_MESSAGES = 10
"""Lines that a report keeps of what went wrong."""

MAX_INTERVALS = 1000
"""Stretches of missing or damaged frames that are named; a live source may run for months."""

Boxes = NDArray[np.float64]
"""(N, 6) float64: time in seconds, x1, y1, x2, y2 in pixels of the displayed picture, score in [0, 1]."""


@dataclass(slots=True)
class Event:
    """Something that lasts from ``start`` to ``end`` (seconds, presentation time)."""

    task: str
    start: float
    end: float
    label: str
    score: float = 1.0
    text: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise TimelineError(f"event {self.label!r} of {self.task} ends at {self.end} before its start {self.start}")

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form; ``extra`` keys stand beside the named ones."""
        plain = {"task": self.task, "start": _time(self.start), "end": _time(self.end), "label": self.label}
        plain["score"] = round(float(self.score), 4)
        return plain | ({} if self.text is None else {"text": self.text}) | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Event:
        """Read the plain form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class Track:
    """One object followed through time: a box at each frame's time from its first to its last frame.

    ``identity`` names who it is where that is known (``person 1``, or an enrolled name).
    """

    id: int
    task: str
    label: str
    score: float
    boxes: Boxes
    identity: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.boxes = np.asarray(self.boxes, np.float64).reshape(-1, 6)
        if len(self.boxes) and np.any(np.diff(self.boxes[:, 0]) < 0):
            raise TimelineError(f"boxes of track {self.id} of {self.task} are not in time order")

    @property
    def start(self) -> float:
        """Time of the first box in seconds."""
        return float(self.boxes[0, 0])

    @property
    def end(self) -> float:
        """Time of the last box in seconds."""
        return float(self.boxes[-1, 0])

    def __repr__(self) -> str:
        span = f", {_time(self.start)} - {_time(self.end)} s" if len(self.boxes) else ""
        who = f", {self.identity!r}" if self.identity else ""
        return f"Track({self.id}, {self.task!r}, {self.label!r}{who}, boxes={len(self.boxes)}{span})"

    def box_at(self, time: float) -> Float64Array | None:
        """Give (x1, y1, x2, y2, score) at ``time`` by linear interpolation, or None outside the track."""
        if not len(self.boxes) or not self.start <= time <= self.end:
            return None
        return np.array([np.interp(time, self.boxes[:, 0], self.boxes[:, i]) for i in range(1, 6)])

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain = {"id": self.id, "task": self.task, "label": self.label, "score": round(float(self.score), 4)}
        boxes = [[_time(b[0]), *(round(v, 1) for v in b[1:5]), round(b[5], 3)] for b in self.boxes.tolist()]
        return plain | {"identity": self.identity, "boxes": boxes} | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Track:
        """Read the plain form."""
        return cls(**_split(cls, plain))


@dataclass(frozen=True, slots=True)
class Observation:
    """One tracked object in one picture, told as soon as it is seen: what rules and live views go by.

    Attributes:
        task: that follows it. id: its track's while it lasts; the tracks of the Timeline are numbered anew.
        label: what it is. box: x1, y1, x2, y2 in pixels of the displayed picture. score: of this detection.
        identity: who it is, where that is known.
    """

    task: str
    id: int
    label: str
    box: tuple[float, float, float, float]
    score: float = 1.0
    identity: str | None = None


ObservationCallback = Callable[[float, list[Observation]], None]
"""Called with the time in seconds of a picture and all that is followed in it; an empty list says that nothing is."""


@dataclass(slots=True)
class TaskReport:
    """What a task ran and how that went.

    Attributes:
        status: ``ok``, ``failed``, ``skipped`` (it could not apply: ``reason`` says why), ``interrupted`` (by Ctrl-C)
            or ``incomplete`` (the source broke off before its end); the last two hold what was found until then.
        model, runtime, licence: of the card that was used, such as ``nanodet-416``, ``openvino-fp32``.
        frames: frames that the task was given; ``extra["inferences"]`` is how many of them a network looked at.
        seconds: of the time that passed while the task worked its share: what several do at once is divided among them.
        reason: one line for a failure or a skip.
    """

    status: str = "ok"
    model: str | None = None
    runtime: str | None = None
    licence: str | None = None
    frames: int = 0
    seconds: float = 0.0
    reason: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form, without the fields that do not apply."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        plain["seconds"] = round(self.seconds, 3)
        return {key: value for key, value in plain.items() if value is not None} | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TaskReport:
        """Read the plain form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class DecodeReport:
    """How reading the source went.

    Attributes:
        frames: frames decoded and handed on.
        failures: frames or packets that could not be decoded.
        corrupt: frames that could be decoded in part only, and were handed on as they are.
        missing: stretches [start, end] in seconds of which no frame could be decoded, whatever was put in their place.
        damaged: stretches [start, end] in seconds of corrupt frames.
        policy: what was done about failures: ``skip``, ``repeat``, ``blank`` or ``raise``.
        dropped: frames let go by a live source because the tasks were slower.
        reconnects: times that a network stream was opened again.
        resizes: times that the picture changed its size mid-stream.
        guessed: frames whose missing time stamp was filled in from their neighbours.
        complete: False when reading stopped before the end (Ctrl-C, an unreadable file).
        interrupted: True when it was stopped by Ctrl-C.
        errors: the first few messages, one line each.
    """

    frames: int = 0
    failures: int = 0
    corrupt: int = 0
    missing: list[list[float]] = field(default_factory=list)
    damaged: list[list[float]] = field(default_factory=list)
    policy: str = "skip"
    dropped: int = 0
    reconnects: int = 0
    resizes: int = 0
    guessed: int = 0
    complete: bool = True
    interrupted: bool = False
    errors: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def mark_incomplete(self, reason: str) -> None:
        """Record why reading stopped before the end, once."""
        self.complete = False
        if reason not in self.errors:
            self.errors.append(reason)

    def mark_interrupted(self) -> None:
        """Record that reading was interrupted by Ctrl-C."""
        self.interrupted = True
        self.mark_incomplete(INTERRUPTED)

    def record_failure(self, message: str) -> None:
        """Count a failure and keep its message if it is among the first ten."""
        self.failures += 1
        self.add_message(message)

    def record_missing(self, start: float, end: float, why: str) -> None:
        """Count a frame, due from ``start`` to ``end`` seconds, that could not be decoded."""
        self.failures += 1
        if _extend(self.missing, start, end):
            self.add_message(f"no frame from {start:.3f} s: {why}")

    def record_damaged(self, start: float, end: float) -> None:
        """Count a frame that is shown from ``start`` to ``end`` seconds and could be decoded in part only."""
        self.corrupt += 1
        if _extend(self.damaged, start, end):
            self.add_message(f"damaged frames from {start:.3f} s")

    def add_message(self, message: str, first: bool = False) -> None:
        """Keep a message if it is among the first ten, or ``first`` of them."""
        self.errors = ([message, *self.errors] if first else [*self.errors, message])[:MAX_MESSAGES]

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        for name in ("missing", "damaged"):
            plain[name] = [[_time(start), _time(end)] for start, end in plain[name]]
        return plain | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> DecodeReport:
        """Read the plain form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class TaskResult:
    """What one task found.

    Attributes:
        events, tracks: in any order; the Timeline sorts them.
        features: named arrays kept for later search, such as ``scenes.features`` (N, 1280).
        images: named JPEG files, such as ``objects-3`` (a track) or ``shots-0`` (an event of a task by order).
        report: what was run.
    """

    events: list[Event] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    features: dict[str, NDArray[Any]] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    report: TaskReport = field(default_factory=TaskReport)

    def __repr__(self) -> str:
        return f"TaskResult({_counts(self)}, status={self.report.status!r})"


@dataclass(slots=True)
class Timeline:
    """All that was found in one source.

    ``times`` (every decoded frame's time in seconds, float64), ``features`` and ``images`` are not part of the
    plain form: they are large, and are stored beside it.
    """

    source: dict[str, Any] = field(default_factory=dict)
    decode: DecodeReport = field(default_factory=DecodeReport)
    tasks: dict[str, TaskReport] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    times: Float64Array = field(default_factory=lambda: np.zeros(0))
    features: dict[str, NDArray[Any]] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        path, tasks = self.source.get("path"), ", ".join(f"{name}: {one.status}" for name, one in self.tasks.items())
        return f"Timeline({path!r}, frames={self.decode.frames}, {_counts(self)}, tasks={{{tasks}}})"

    def add(self, task: str, result: TaskResult) -> None:
        """Take in what ``task`` found, replacing what an earlier run of it left."""
        self.drop(task)
        self.tasks[task] = result.report
        self.events = sorted(self.events + result.events, key=lambda e: (e.start, e.end))
        self.tracks = sorted(self.tracks + result.tracks, key=lambda t: (t.task, t.start, t.id))
        self.features |= result.features
        self.images |= result.images

    def drop(self, task: str) -> None:
        """Forget what ``task`` found."""
        self.tasks.pop(task, None)
        self.events = [e for e in self.events if e.task != task]
        self.tracks = [t for t in self.tracks if t.task != task]
        self.features = {k: v for k, v in self.features.items() if not k.startswith(f"{task}.")}
        self.images = {k: v for k, v in self.images.items() if not k.startswith(f"{task}-")}

    def result_of(self, task: str) -> TaskResult:
        """Return what ``task`` found, as ``add`` takes it."""
        return TaskResult(
            events=self.events_of(task),
            tracks=self.tracks_of(task),
            features={name: array for name, array in self.features.items() if name.startswith(f"{task}.")},
            images={name: data for name, data in self.images.items() if name.startswith(f"{task}-")},
            report=self.tasks[task],
        )

    def events_of(self, task: str) -> list[Event]:
        """Give the events of one task in time order."""
        return [e for e in self.events if e.task == task]

    def tracks_of(self, task: str) -> list[Track]:
        """Give the tracks of one task, first seen first."""
        return [t for t in self.tracks if t.task == task]

    @property
    def ok(self) -> bool:
        """Whether every task did its work on the whole source, and no frame of it was lost or damaged."""
        whole = self.decode.complete and not (self.decode.failures or self.decode.corrupt)
        return whole and all(t.status in ("ok", "skipped") for t in self.tasks.values())

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form, schema 1."""
        return {
            "schema": SCHEMA,
            "kinoscope": self.version,
            "source": self.source,
            "decode": self.decode.to_dict(),
            "tasks": {name: report.to_dict() for name, report in self.tasks.items()},
            "events": [e.to_dict() for e in self.events],
            "tracks": [t.to_dict() for t in self.tracks],
        } | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Timeline:
        """Read the plain form.

        Raises:
            TimelineError: it is not a timeline, or its schema is newer than this version reads.
        """
        _check_schema(plain)
        known = {"schema", "kinoscope", "source", "decode", "tasks", "events", "tracks"}
        try:
            return cls(
                source=dict(plain["source"]),
                decode=DecodeReport.from_dict(plain["decode"]),
                tasks={name: TaskReport.from_dict(report) for name, report in plain["tasks"].items()},
                events=_each(Event, plain["events"]),
                tracks=_each(Track, plain["tracks"]),
                version=str(plain.get("kinoscope", "")),
                extra={key: value for key, value in plain.items() if key not in known},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TimelineError(f"timeline is malformed ({type(error).__name__}: {error}); run analyze again") from None


def describe_source(info: SourceInfo) -> dict[str, Any]:
    """Give the plain form of a source's facts: exact rates as ``"24000/1001"``, times as seconds, no empty keys."""
    plain = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "extra"}
    plain["path"] = str(Address(info.path))
    exact = {"rate", "aspect"}
    for name, value in plain.items():
        if value is not None and name in exact:
            plain[name] = str(value)
        elif value is not None and name in ("start", "duration"):
            plain[name] = _time(float(value))
    return {key: value for key, value in plain.items() if value is not None} | info.extra


def _extend(stretches: list[list[float]], start: float, end: float) -> bool:
    """Add [start, end] to the last stretch if it follows at once, else as a new one; return whether it is new."""
    if stretches and start <= stretches[-1][1] + (end - start) / 2:
        stretches[-1][1] = max(stretches[-1][1], end)
        return False
    if len(stretches) < MAX_INTERVALS:
        stretches.append([start, end])
    return True


def _check_schema(plain: Mapping[str, Any]) -> None:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("schema"), int):
        raise TimelineError("not a timeline: it has no schema number; give a timeline.json that analyze wrote")
    if plain["schema"] > SCHEMA:
        raise TimelineError(
            f"timeline schema {plain['schema']} is newer than {SCHEMA}, which this version reads; update kinoscope"
        )


def _each(kind: type[Any], rows: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [kind.from_dict(row) for row in rows]


def _split(kind: type[Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Part a mapping into the named fields of a result class and its ``extra``."""
    names = {f.name for f in fields(kind)} - {"extra"}
    extra = {key: value for key, value in plain.items() if key not in names}
    return {key: value for key, value in plain.items() if key in names} | {"extra": extra}


def _counts(found: TaskResult | Timeline) -> str:
    names = ("events", "tracks", "features", "images")
    return ", ".join(f"{name}={len(getattr(found, name))}" for name in names)


def _time(seconds: float) -> float:
    """Round to the microsecond: finer than any stream's time base that people see, and short in JSON."""
    return round(float(seconds), 6)
