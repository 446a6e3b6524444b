"""Reader of videos with labelled segments in ActivityNet's JSON format (http://activity-net.org)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import DatasetError, SourceError
from kinoscope.core.metrics.temporal_detection import Segment
from kinoscope.core.untrusted import read_json
from kinoscope.source.images import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from kinoscope.models.card import Card

MAX_TABLE_BYTES = 500_000_000
"""Maximum size of a table of segments; ActivityNet's own has 9 MB."""

SUBSETS = {"training": "train", "validation": "val", "testing": "test"}
"""ActivityNet's names of the splits."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A video and its labelled segments.

    Attributes:
        name: its key in the table.
        path: of the video; None if there is no such file.
        split: ``train``, ``val`` or ``test``; None if the table does not say.
        segments: in seconds from its beginning as a player counts them.
    """

    name: str
    path: str | None
    split: str | None
    segments: tuple[Segment, ...]


def read_annotations(path: Path) -> tuple[Annotated, ...]:
    """Read a table of labelled segments. The videos are in its folder or below, named by their keys, or ``v_`` and key.

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
    named = _below(folder, str(entry["path"])) if "path" in entry else None
    path = str(named) if named is not None and named.is_file() else files.get(name) or files.get(f"v_{name}")
    subset = str(entry.get("subset", ""))
    return Annotated(name, path, SUBSETS.get(subset, subset or None), segments)


def _below(folder: Path, name: str) -> Path:
    """Return the path of a name below a folder; links that the user put there may lead elsewhere."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} lies outside {folder}")
    return folder / name


def _segments(name: str, entry: Mapping[str, Any]) -> Iterator[Segment]:
    for annotation in entry["annotations"]:
        start, end = (float(value) for value in annotation["segment"])
        if not (math.isfinite(start) and start <= end < math.inf):
            raise ValueError(f"segment {annotation['segment']} of {name} is not valid")
        yield Segment(name, str(annotation["label"]), start, end)


def _videos(folder: Path) -> dict[str, str]:
    """Return the videos below a folder, by their names without suffix."""
    return {
        path.stem: str(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    }


def name_segments(videos: Iterable[Annotated], card: Card) -> list[Segment]:
    """Return the labelled segments with the card's names of their classes.

    Raises:
        ModelError: the card lacks one of the classes.
    """
    from kinoscope.models.inference.classifier import match_labels

    segments = [segment for video in videos for segment in video.segments]
    own = match_labels(sorted({segment.label for segment in segments}), card)
    return [replace(segment, label=own[segment.label]) for segment in segments]


def demand_path(video: Annotated) -> str:
    """Return the path of a video.

    Raises:
        SourceError: there is no file for it.
    """
    if video.path is None:
        raise SourceError(f"there is no file for {video.name}; put the video beside the table, under that name")
    return video.path
