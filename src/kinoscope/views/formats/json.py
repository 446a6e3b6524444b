"""``timeline.json`` (schema 1) and what lies beside it: ``features.safetensors`` and ``pictures/<name>.jpg``.

The file is written row by row, so that a long timeline needs no second copy in memory, and is either whole or
absent. ``timeline.json`` is written last: where it stands, all that belongs to it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import OutputError, TimelineError
from kinoscope.core.files import atomic, is_own, remove
from kinoscope.core.results import SCHEMA, Event, Timeline, Track
from kinoscope.core.untrusted import inside, read_json, read_regular
from kinoscope.views.formats.plain import dumps
from kinoscope.views.formats.schema import first_error, timeline_schema

TIMES = "times"
"""Name in ``features.safetensors`` of the time of every decoded frame, (T,) float64 seconds."""

MAX_FILE_BYTES = 2_000_000_000
"""Bytes of a ``timeline.json``: that of a day with a thousand tracks a minute has fewer."""

MAX_IMAGE_BYTES = 16_000_000

_IMAGE_NAME = re.compile(r"[\w-][\w. -]*", re.ASCII)


def save(timeline: Timeline, folder: Path | str) -> Path:
    """Write a timeline with its features and pictures into ``folder``; give the path of its ``timeline.json``.

    Raises:
        OutputError: something cannot be written.
    """
    folder = Path(folder)
    _save_images(timeline, folder / "images")
    # Both are written before either takes its name, so that a full disk leaves those of before.
    with _written(timeline, folder / "timeline.json"):
        _save_features(timeline, folder / "features.safetensors")
    return folder / "timeline.json"


def load(path: Path | str) -> Timeline:
    """Read a timeline, and what lies beside it: give the folder or its ``timeline.json``.

    Raises:
        TimelineError: there is none, or it is malformed (the message names the place), or its schema is newer.
    """
    path = Path(path)
    file = path / "timeline.json" if path.is_dir() else path
    timeline = read(file)
    features = _load_features(file.with_name("features.safetensors"))
    timeline.times = features.pop(TIMES, timeline.times)
    timeline.features = features
    timeline.images = _load_images(timeline, file.with_name("images"))
    return timeline


def write(timeline: Timeline, path: Path) -> None:
    """Write ``timeline.json`` alone.

    Raises:
        OutputError: the file cannot be written, or a number is not finite.
    """
    with _written(timeline, path):
        pass


@contextmanager
def _written(timeline: Timeline, path: Path) -> Iterator[None]:
    """Write ``timeline.json`` before the block, and let it take its name after it."""
    with atomic(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            try:
                file.writelines(_chunks(timeline))
            except (TypeError, ValueError) as error:
                raise OutputError(f"cannot write {path}: {error}; this is an error in the task that found it") from None
        yield


def read(path: Path) -> Timeline:
    """Read ``timeline.json`` alone, checked against the published schema; unknown keys are kept.

    Raises:
        TimelineError: it cannot be read.
    """
    try:
        plain = read_json(path, MAX_FILE_BYTES)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TimelineError(f"cannot read {path} ({reason}); give a timeline.json that analyze wrote") from None
    except ValueError as error:
        raise TimelineError(f"{path} is not JSON ({error}); give a timeline.json that analyze wrote") from None
    return _checked(plain, path)


def _checked(plain: Any, path: Path) -> Timeline:
    newer = isinstance(plain, dict) and isinstance(plain.get("schema"), int) and plain["schema"] > SCHEMA
    wrong = None if newer else first_error(plain, timeline_schema())
    if wrong:
        raise TimelineError(f"{path}: {wrong}; give a timeline.json that analyze wrote")
    try:
        return Timeline.from_dict(plain)
    except TimelineError as error:
        raise TimelineError(f"{path}: {error}") from None


def _chunks(timeline: Timeline) -> Iterator[str]:
    """Give the text of the file piece by piece: each event and each track on a line of its own."""
    head = replace(timeline, events=[], tracks=[]).to_dict()
    rows: dict[str, Sequence[Event | Track]] = {"events": timeline.events, "tracks": timeline.tracks}
    for number, (name, value) in enumerate(head.items()):
        yield f"{',' if number else '{'}\n{dumps(name)}: "
        if name in rows:
            yield from _array_chunks(row.to_dict() for row in rows[name])
        else:
            yield dumps(value)
    yield "\n}\n"


def _array_chunks(rows: Iterable[Any]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield f"{',' if number else ''}\n  {dumps(row)}"
    yield "]"


def _save_features(timeline: Timeline, path: Path) -> None:
    from safetensors.numpy import save as to_bytes

    times = {TIMES: timeline.times} if len(timeline.times) else {}
    arrays = {name: np.ascontiguousarray(array) for name, array in (timeline.features | times).items()}
    if arrays:
        with atomic(path) as temporary:
            temporary.write_bytes(to_bytes(arrays))
    else:
        remove(path)


def _load_features(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.exists():
        return {}
    try:
        if not path.is_file():
            raise ValueError("it is not a regular file")
        return dict(load_file(inside(path.parent, path.name)))
    except (OSError, ValueError, SafetensorError) as error:
        raise TimelineError(f"cannot read {path} ({error}); remove it, or run analyze again") from None


def _save_images(timeline: Timeline, folder: Path) -> None:
    """Write the pictures, and remove those that an earlier run of the same tasks left."""
    for old in _image_paths(timeline, folder):
        if old.stem not in timeline.images and is_own(old):
            remove(old)
    for name, data in timeline.images.items():
        if not _IMAGE_NAME.fullmatch(name):
            raise OutputError(f"cannot write picture {name!r}: its name is no file name; use letters, digits, - and _")
        path = folder / f"{name}.jpg"
        if not _has_content(path, data):
            with atomic(path, sync=False) as temporary:
                temporary.write_bytes(data)


def _has_content(path: Path, data: bytes) -> bool:
    """Return whether a picture is there already, as one is that was loaded from there."""
    try:
        return path.stat().st_size == len(data) and read_regular(path, len(data)) == data
    except (OSError, ValueError):
        return False


def _load_images(timeline: Timeline, folder: Path) -> dict[str, bytes]:
    pictures = {}
    for path in _image_paths(timeline, folder):
        try:
            pictures[path.stem] = read_regular(inside(folder.parent, Path(folder.name, path.name)), MAX_IMAGE_BYTES)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TimelineError(f"cannot read {path} ({reason}); run analyze again") from None
    return pictures


def _image_paths(timeline: Timeline, folder: Path) -> list[Path]:
    """Give the pictures in ``folder`` that are of a task of ``timeline``."""
    return sorted(path for path in folder.glob("*.jpg") if path.stem.rpartition("-")[0] in timeline.tasks)
