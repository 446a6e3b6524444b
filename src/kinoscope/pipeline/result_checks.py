"""Checks of what a task returns, so that a mistake in one task fails that task and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from kinoscope.core.errors import TimelineError
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.tasks.base import Needs
from kinoscope.views.formats.plain import dumps

_ARRAY_KINDS = "biuf"
"""Kinds of the arrays that ``features.safetensors`` can hold: booleans, integers and floats."""


def check_needs(needs: Any) -> Needs:
    """Return what a task requests.

    Raises:
        TimelineError: it is something else than ``Needs``.
    """
    if not isinstance(needs, Needs):
        raise TimelineError(f"needs returned {type(needs).__name__}; return kinoscope.Needs")
    return needs


def check_result(task: str, result: Any, images_of: Iterable[str] = ()) -> TaskResult:
    """Return the result of a task, in which all rows are its own and can be written.

    Args:
        task: name of the task.
        result: what its ``finish`` returned.
        images_of: other tasks for whose events it may return images.

    Raises:
        TimelineError: a part of it is of another type, belongs to another task, or cannot be written.
    """
    if not isinstance(result, TaskResult):
        raise TimelineError(f"finish returned {type(result).__name__}; return kinoscope.TaskResult")
    if not isinstance(result.report, TaskReport):
        raise TimelineError(f"report is {type(result.report).__name__}; give a kinoscope.TaskReport")
    result.events = [_check_row(task, event, Event) for event in _listed("events", result.events)]
    result.tracks = [_check_row(task, track, Track) for track in _listed("tracks", result.tracks)]
    _check_numbers(result)
    _check_names(task, ".", result.features)
    _check_names(task, "-", result.images, images_of)
    _check_files(result)
    return result


def _check_numbers(result: TaskResult) -> None:
    for event in result.events:
        if not np.isfinite([event.start, event.end, event.score]).all():
            raise TimelineError(f"event {event.label!r} has a time or a score that is no finite number")
    for track in result.tracks:
        if not len(track.boxes) or not np.isfinite(track.boxes).all() or not np.isfinite(track.score):
            raise TimelineError(f"track {track.id} has no box, or one with a value that is no finite number")


def _check_files(result: TaskResult) -> None:
    """Check that arrays and images can be written; a list of numbers becomes an array."""
    for name, values in result.features.items():
        result.features[name] = array = np.asarray(values)
        if array.dtype.kind not in _ARRAY_KINDS:
            raise TimelineError(f"feature {name} is an array of {array.dtype}; give numbers")
    for name, data in result.images.items():
        if not isinstance(data, bytes):
            raise TimelineError(f"image {name} is {type(data).__name__}; give the bytes of a JPEG file")


def _listed(name: str, rows: Any) -> Iterable[Any]:
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes):
        raise TimelineError(f"{name} is {type(rows).__name__}; give a list")
    return rows


def _check_row(task: str, row: Any, kind: type[Any]) -> Any:
    """Return an event or a track of a task; its further keys have a JSON form and are none of its own.

    Raises:
        TimelineError: it is of another type or task, or has other keys.
    """
    if not isinstance(row, kind):
        raise TimelineError(f"{type(row).__name__} {row!r:.40} is no {kind.__name__}; give a kinoscope.{kind.__name__}")
    if row.task != task:
        raise TimelineError(f"{kind.__name__.lower()} {row.label!r} is of the task {row.task!r}; give {task!r}")
    if not isinstance(row.label, str):
        raise TimelineError(f"label {row.label!r} is {type(row.label).__name__}; give a text")
    if row.extra:
        _check_extra(row.extra, {field.name for field in fields(kind)})
    return row


def _check_extra(extra: Mapping[str, Any], own: set[str]) -> None:
    if taken := own & extra.keys():
        raise TimelineError(f"extra has the key {min(taken)!r}, which the row has itself; give another")
    try:
        dumps(extra)
    except (TypeError, ValueError) as error:
        raise TimelineError(f"extra {extra!r:.60} cannot be written as JSON ({error}); give plain values") from None


def _check_names(task: str, separator: str, named: Mapping[str, Any], others: Iterable[str] = ()) -> None:
    """Check that names of features or images begin with that of a task, by which they are found again."""
    beginnings = tuple(f"{one}{separator}" for one in (task, *others))
    for name in named:
        if not name.startswith(beginnings):
            raise TimelineError(f"{name!r} is no name of the task {task}; give {task}{separator}NAME")
