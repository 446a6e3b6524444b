"""A classifier slid over videos whose labelled segments are known: how well it finds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import DatasetError, SourceError, wrap_error
from kinoscope.core.metrics.temporal_detection import Segment, SegmentScores, segment_map
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.card import Card
    from kinoscope.training.data.activitynet import Annotated


def score_segments(
    model: str, card: Card, data: Path, split: str | None, device: str, quiet: bool
) -> tuple[SegmentScores, list[Segment], dict[str, str]]:
    """Give the scores, the segments that were found, and the videos that could not be read, with the reasons.

    Raises:
        DatasetError: there is nothing to score.
        ModelError: the model does not know the classes.
    """
    videos = _choose(data, split)
    truth = name_segments(videos, card)
    found: list[Segment] = []
    broken: dict[str, str] = {}
    for video in videos:
        try:
            found += _find(video, model, device, quiet)
        except Exception as error:
            broken[video.name] = str(wrap_error(error, video.name))
    readable = [segment for segment in truth if segment.video not in broken]
    if not readable:
        raise DatasetError(f"none of the {len(videos)} videos of {data} can be read; {next(iter(broken.values()))}")
    return segment_map(found, readable), found, broken


def _choose(data: Path, split: str | None) -> list[Annotated]:
    """Give the videos of a split; if none is named, those for testing or else for validation, or all."""
    from kinoscope.training.data.activitynet import read_annotations

    videos = [video for video in read_annotations(data) if video.segments]
    has = sorted({video.split for video in videos if video.split})
    name = split or next((one for one in ("test", "val") if one in has), "all")
    chosen = [video for video in videos if name in ("all", video.split)]
    if not chosen:
        raise DatasetError(
            f"{data} has no video with segments of split {name}; it has: {', '.join(has) or 'none at all'}"
        )
    return chosen


def name_segments(videos: Iterable[Annotated], card: Card) -> list[Segment]:
    """Give the actual segments under the names that the card has for their classes.

    Raises:
        ModelError: the card does not know one of them.
    """
    from kinoscope.models.inference.classifier import match_labels

    segments = [segment for video in videos for segment in video.segments]
    own = match_labels(sorted({segment.label for segment in segments}), card)
    return [replace(segment, label=own[segment.label]) for segment in segments]


def demand_path(video: Annotated) -> str:
    """Give where a video lies.

    Raises:
        SourceError: there is no file for it.
    """
    if video.path is None:
        raise SourceError(f"there is no file for {video.name}; put the video beside the table, under that name")
    return video.path


def _find(video: Annotated, model: str, device: str, quiet: bool) -> list[Segment]:
    from kinoscope.api.classify import classify_source
    from kinoscope.views.formats.clock import origin

    with bar(video.name, quiet) as progress:
        timeline = classify_source(demand_path(video), model, device, progress=progress)
    zero = origin(timeline)
    events = timeline.events_of("classify")
    return [Segment(video.name, event.label, event.start - zero, event.end - zero, event.score) for event in events]
