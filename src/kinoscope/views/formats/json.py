"""``timeline.json`` (schema 1) and its companion files: ``features.safetensors`` and ``images/<name>.jpg``.

The file is written row by row, so that a long timeline needs no second copy in memory, and atomically.
``timeline.json`` is written last: if it exists, its companion files do too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import OutputError, TimelineError
from kinoscope.core.files import atomic_write, is_own, remove
from kinoscope.core.results import Event, Track
from kinoscope.core.untrusted import read_json, read_regular, resolve_inside
from kinoscope.views.formats.plain import dumps
from kinoscope.views.formats.schema import first_error, timeline_schema
from kinoscope.views.timeline import SCHEMA, Timeline

TIMES = "times"
"""Name in ``features.safetensors`` of the time of every decoded frame, (T,) float64 seconds."""

EARLIER_IMAGES_FOLDER = "pictures"
"""Folder of the images in results of earlier versions."""

MAX_FILE_BYTES = 2_000_000_000
"""Bytes of a ``timeline.json``; that of a day with a thousand tracks per minute is smaller."""

MAX_IMAGE_BYTES = 16_000_000
"""Bytes of an image file."""

_IMAGE_NAME = re.compile(r"[\w-][\w. -]*", re.ASCII)


def save(timeline: Timeline, folder: Path | str) -> Path:
    """Write a timeline with its features and images into ``folder`` and return the path of its ``timeline.json``.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(folder)
    _save_images(timeline, folder / "images")
    # Both are written before either is renamed into place, so that a full disk leaves the previous files.
    with _written(timeline, folder / "timeline.json"):
        _save_features(timeline, folder / "features.safetensors")
    return folder / "timeline.json"


def load(path: Path | str) -> Timeline:
    """Load a timeline with its features and images, from a folder or the path of its ``timeline.json``.

    Raises:
        TimelineError: it is missing or malformed (the message says where), or its schema is newer.
    """
    path = Path(path)
    file = path / "timeline.json" if path.is_dir() else path
    timeline = read(file)
    features = _load_features(file.with_name("features.safetensors"))
    timeline.times = features.pop(TIMES, timeline.times)
    timeline.features = features
    timeline.images = {
        name: data
        for folder in (EARLIER_IMAGES_FOLDER, "images")
        for name, data in _load_images(timeline, file.with_name(folder)).items()
    }
    return timeline


def write(timeline: Timeline, path: Path) -> None:
    """Write ``timeline.json`` only.

    Raises:
        OutputError: the file cannot be written, or a number is not finite.
    """
    with _written(timeline, path):
        pass


@contextmanager
def _written(timeline: Timeline, path: Path) -> Iterator[None]:
    """Write ``timeline.json`` to a temporary file before the block, and rename it into place after the block."""
    with atomic_write(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            try:
                file.writelines(_chunks(timeline))
            except (TypeError, ValueError) as error:
                raise OutputError(f"cannot write {path}: {error}; this is an error in the task that found it") from None
        yield


def read(path: Path) -> Timeline:
    """Read ``timeline.json`` only, and validate it against the published schema; unknown keys are kept.

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
    problem = None if newer else first_error(plain, timeline_schema())
    if problem:
        raise TimelineError(f"{path}: {problem}; give a timeline.json that analyze wrote")
    try:
        return Timeline.from_dict(plain)
    except TimelineError as error:
        raise TimelineError(f"{path}: {error}") from None


def _chunks(timeline: Timeline) -> Iterator[str]:
    """Yield the text of the file in chunks: each event and each track on a line of its own."""
    head = timeline.head()
    rows: dict[str, Sequence[Event | Track]] = {"events": timeline.all_events, "tracks": timeline.all_tracks}
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
        with atomic_write(path) as temporary:
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
        return dict(load_file(resolve_inside(path.parent, path.name)))
    except (OSError, ValueError, SafetensorError) as error:
        raise TimelineError(f"cannot read {path} ({error}); remove it, or run analyze again") from None


def _save_images(timeline: Timeline, folder: Path) -> None:
    """Write the images, and remove those that an earlier run of the same tasks left."""
    for old in _image_paths(timeline, folder):
        if old.stem not in timeline.images and is_own(old):
            remove(old)
    for name, data in timeline.images.items():
        if not _IMAGE_NAME.fullmatch(name):
            raise OutputError(f"cannot write image {name!r}: its name is no file name; use letters, digits, - and _")
        path = folder / f"{name}.jpg"
        if not _has_content(path, data):
            with atomic_write(path, sync=False) as temporary:
                temporary.write_bytes(data)


def _has_content(path: Path, data: bytes) -> bool:
    """Return whether an image file already has these bytes, as it does if it was loaded from there."""
    try:
        return path.stat().st_size == len(data) and read_regular(path, len(data)) == data
    except (OSError, ValueError):
        return False


def _load_images(timeline: Timeline, folder: Path) -> dict[str, bytes]:
    images = {}
    for path in _image_paths(timeline, folder):
        try:
            images[path.stem] = read_regular(
                resolve_inside(folder.parent, Path(folder.name, path.name)), MAX_IMAGE_BYTES
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TimelineError(f"cannot read {path} ({reason}); run analyze again") from None
    return images


def _image_paths(timeline: Timeline, folder: Path) -> list[Path]:
    """Return the paths of the images in ``folder`` that belong to a task of ``timeline``."""
    return sorted(path for path in folder.glob("*.jpg") if path.stem.rpartition("-")[0] in timeline.tasks)
