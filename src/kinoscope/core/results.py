"""The rows of a Timeline: events (a time span with a label), tracks (a box that moves through time), and reports.

``views.timeline.Timeline`` holds them. Keys of their JSON form that a reader does not know are kept in ``extra`` and
written back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.addresses import Address
from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import TimelineError
from kinoscope.core.media import SourceInfo

INTERRUPTED = "interrupted (Ctrl-C)"
"""Message among the errors of a decode report that Ctrl-C stopped."""

PARTIAL_STATUSES = ("interrupted", "incomplete")
"""Statuses of tasks that worked well, on a part of the source."""

MAX_MESSAGES = 10
"""Error messages that a report keeps."""

MAX_INTERVALS = 1000
"""Intervals of missing or damaged frames that a report keeps; a live source may run for months."""

Boxes = NDArray[np.float64]
"""(N, 6) float64: time in seconds, x1, y1, x2, y2 in pixels of the displayed frame, score in [0, 1]."""


@dataclass(slots=True)
class Event:
    """An event that lasts from ``start`` to ``end`` (seconds, presentation time)."""

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
        """Return the JSON form; the keys of ``extra`` stand beside the named ones."""
        plain = {"task": self.task, "start": _time(self.start), "end": _time(self.end), "label": self.label}
        plain["score"] = round(float(self.score), 4)
        return plain | ({} if self.text is None else {"text": self.text}) | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Event:
        """Parse the JSON form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class Track:
    """One tracked object: a box at the time of each frame from its first to its last.

    ``identity`` is the name of the person or object where that is known (``person 1``, or an enrolled name).
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
        identity = f", {self.identity!r}" if self.identity else ""
        return f"Track({self.id}, {self.task!r}, {self.label!r}{identity}, boxes={len(self.boxes)}{span})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        names = [one.name for one in fields(self) if one.name != "boxes"]
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and np.array_equal(self.boxes, other.boxes)

    __hash__ = None  # type: ignore[assignment]  # its fields can change

    def box_at(self, time: float) -> Float64Array | None:
        """Return (x1, y1, x2, y2, score) at ``time`` by linear interpolation, or None outside the track."""
        if not len(self.boxes) or not self.start <= time <= self.end:
            return None
        return np.array([np.interp(time, self.boxes[:, 0], self.boxes[:, i]) for i in range(1, 6)])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        plain = {"id": self.id, "task": self.task, "label": self.label, "score": round(float(self.score), 4)}
        boxes = [[_time(b[0]), *(round(v, 1) for v in b[1:5]), round(b[5], 3)] for b in self.boxes.tolist()]
        return plain | {"identity": self.identity, "boxes": boxes} | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Track:
        """Parse the JSON form."""
        return cls(**_split(cls, plain))


@dataclass(frozen=True, slots=True)
class Observation:
    """One tracked object in one frame, reported as soon as it is detected: the input of rules and live views.

    Attributes:
        task: that tracks it.
        id: of its track while it lasts; the tracks of the Timeline are numbered again.
        label: its class.
        box: x1, y1, x2, y2 in pixels of the displayed frame.
        score: of this detection.
        identity: the name of the person or object, where that is known.
    """

    task: str
    id: int
    label: str
    box: tuple[float, float, float, float]
    score: float = 1.0
    identity: str | None = None


ObservationCallback = Callable[[float, list[Observation]], None]
"""Called with the time of a frame in seconds and all objects tracked in it; the list is empty where there are none."""


@dataclass(slots=True)
class TaskReport:
    """Model, runtime, time and outcome of a task.

    Attributes:
        status: ``ok``, ``failed``, ``skipped`` (not applicable: ``reason`` says why), ``interrupted`` (by Ctrl-C)
            or ``incomplete`` (the source ended early); the last two hold the results up to then.
        model, runtime, licence: of the card that was used, such as ``nanodet-416``, ``openvino-fp32``.
        frames: frames that the task received; ``extra["inferences"]`` is how many of them went through a network.
        seconds: the task's share of the elapsed time: tasks that run at once divide it among them.
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
        """Return the JSON form, without the fields that do not apply."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        plain["seconds"] = round(self.seconds, 3)
        return {key: value for key, value in plain.items() if value is not None} | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TaskReport:
        """Parse the JSON form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class DecodeReport:
    """Outcome of decoding a source.

    Attributes:
        frames: frames decoded and passed on.
        failures: frames or packets that could not be decoded.
        corrupt: frames that could be decoded only in part, and were passed on as they are.
        missing: intervals [start, end] in seconds without a decodable frame, whatever replaced them.
        damaged: intervals [start, end] in seconds of corrupt frames.
        policy: how failures were handled: ``skip``, ``repeat``, ``blank`` or ``raise``.
        dropped: frames dropped by a live source because the tasks were slower.
        reconnects: times that a network stream was opened again.
        resizes: times that the frame size changed mid-stream.
        guessed: frames whose missing timestamp was interpolated from their neighbours.
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

    def record_missing(self, start: float, end: float, reason: str) -> None:
        """Count a frame, due from ``start`` to ``end`` seconds, that could not be decoded."""
        self.failures += 1
        if _extend(self.missing, start, end):
            self.add_message(f"no frame from {start:.3f} s: {reason}")

    def record_damaged(self, start: float, end: float) -> None:
        """Count a frame, shown from ``start`` to ``end`` seconds, that could be decoded only in part."""
        self.corrupt += 1
        if _extend(self.damaged, start, end):
            self.add_message(f"damaged frames from {start:.3f} s")

    def add_message(self, message: str, first: bool = False) -> None:
        """Keep a message if it is among the first ten, or as the first of them."""
        self.errors = ([message, *self.errors] if first else [*self.errors, message])[:MAX_MESSAGES]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        for name in ("missing", "damaged"):
            plain[name] = [[_time(start), _time(end)] for start, end in plain[name]]
        return plain | self.extra

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> DecodeReport:
        """Parse the JSON form."""
        return cls(**_split(cls, plain))


@dataclass(slots=True)
class TaskResult:
    """The result of one task.

    Attributes:
        events, tracks: in any order; the Timeline sorts them.
        features: named arrays for later search, such as ``scenes.features`` (N, 1280).
        images: named JPEG files, such as ``objects-3`` (a track) or ``shots-0`` (an event of a task by order).
        report: what was run.
    """

    events: list[Event] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    features: dict[str, NDArray[Any]] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    report: TaskReport = field(default_factory=TaskReport)

    def __repr__(self) -> str:
        names = ("events", "tracks", "features", "images")
        counts = ", ".join(f"{name}={len(getattr(self, name))}" for name in names)
        return f"TaskResult({counts}, status={self.report.status!r})"


def describe_source(info: SourceInfo) -> dict[str, Any]:
    """Return a source's metadata as JSON: exact rates as ``"24000/1001"``, times as seconds, no empty keys."""
    plain = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "extra"}
    plain["path"] = str(Address(info.path))
    exact = {"rate", "aspect"}
    for name, value in plain.items():
        if value is not None and name in exact:
            plain[name] = str(value)
        elif value is not None and name in ("start", "duration"):
            plain[name] = _time(float(value))
    return {key: value for key, value in plain.items() if value is not None} | info.extra


def _extend(intervals: list[list[float]], start: float, end: float) -> bool:
    """Extend the last interval by [start, end] if it follows at once, else append one; return whether it is new."""
    if intervals and start <= intervals[-1][1] + (end - start) / 2:
        intervals[-1][1] = max(intervals[-1][1], end)
        return False
    if len(intervals) < MAX_INTERVALS:
        intervals.append([start, end])
    return True


def _split(cls: type[Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Split a mapping into the named fields of a result class and its ``extra``."""
    names = {f.name for f in fields(cls)} - {"extra"}
    extra = {key: value for key, value in plain.items() if key not in names}
    return {key: value for key, value in plain.items() if key in names} | {"extra": extra}


def _time(seconds: float) -> float:
    """Round to the microsecond: finer than the time base of any video, and short in JSON."""
    return round(float(seconds), 6)
