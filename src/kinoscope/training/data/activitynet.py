"""Videos with labelled segments, as ActivityNet's JSON tells them (http://activity-net.org)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinoscope.core.errors import DatasetError
from kinoscope.core.metrics.temporal_detection import Segment
from kinoscope.core.untrusted import read_json
from kinoscope.source.images import VIDEO_SUFFIXES

MAX_TABLE_BYTES = 500_000_000
"""Bytes of a table of segments; ActivityNet's own has 9 MB."""

SUBSETS = {"training": "train", "validation": "val", "testing": "test"}
"""ActivityNet's names of the splits."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A video and what it shows when.

    Attributes:
        name: its key in the table.
        path: where it lies; None where there is no such file.
        split: ``train``, ``val`` or ``test``; None where the table does not say.
        segments: what it shows, in seconds from its beginning as a player counts them.
    """

    name: str
    path: str | None
    split: str | None
    segments: tuple[Segment, ...]


def read_annotations(path: Path) -> tuple[Annotated, ...]:
    """Read a table of labelled segments. The videos lie in its folder or below, named by their keys, or ``v_`` and key.

    Raises:
        DatasetError: it is no such table.
    """
    try:
        database = read_json(path, MAX_TABLE_BYTES)["database"]
        files = _videos(path.parent)
        return tuple(_annotated(name, entry, files, path.parent) for name, entry in database.items())
    except OSError as error:
        raise DatasetError(f"cannot open {path}: {error.strerror or error}; check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path} is no ActivityNet table ({type(error).__name__}: {error}); it should be "
            '{"database": {"name of a video": {"annotations": [{"label": "run", "segment": [1.5, 4]}]}}}'
        ) from None


def _annotated(name: str, entry: Mapping[str, Any], files: Mapping[str, str], folder: Path) -> Annotated:
    segments = tuple(_segments(name, entry))
    given = _below(folder, str(entry["path"])) if "path" in entry else None
    place = str(given) if given is not None and given.is_file() else files.get(name) or files.get(f"v_{name}")
    subset = str(entry.get("subset", ""))
    return Annotated(name, place, SUBSETS.get(subset, subset or None), segments)


def _below(folder: Path, name: str) -> Path:
    """Return the path of a name below a folder; links that the user put there lead where they lead."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} lies outside {folder}")
    return folder / name


def _segments(name: str, entry: Mapping[str, Any]) -> Iterator[Segment]:
    for annotation in entry["annotations"]:
        start, end = (float(value) for value in annotation["segment"])
        if not (math.isfinite(start) and start <= end < math.inf):
            raise ValueError(f"segment {annotation['segment']} of {name} is none")
        yield Segment(name, str(annotation["label"]), start, end)


def _videos(folder: Path) -> dict[str, str]:
    """Give the videos below a folder, by their names without ending."""
    return {
        place.stem: str(place)
        for place in sorted(folder.rglob("*"))
        if place.suffix.lower() in VIDEO_SUFFIXES and place.is_file()
    }
