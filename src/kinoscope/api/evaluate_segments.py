"""Scores of a classifier as a detector of segments: sliding window over videos with labelled segments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import DatasetError, wrap_error
from kinoscope.core.metrics.temporal_detection import Segment, SegmentScores, segment_map
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.card import Card
    from kinoscope.training.data.activitynet import Annotated


def score_segments(
    model: str, card: Card, data: Path, split: str | None, device: str, quiet: bool
) -> tuple[SegmentScores, list[Segment], dict[str, str]]:
    """Return the scores, the detected segments, and unreadable video -> reason.

    Raises:
        DatasetError: there is nothing to score.
        ModelError: the model lacks a class.
    """
    from kinoscope.training.data.activitynet import name_segments

    videos = _choose_videos(data, split)
    truth = name_segments(videos, card)
    detections: list[Segment] = []
    unreadable: dict[str, str] = {}
    for video in videos:
        try:
            detections += _detect_segments(video, model, device, quiet)
        except Exception as error:
            unreadable[video.name] = str(wrap_error(error, video.name))
    readable = [segment for segment in truth if segment.video not in unreadable]
    if not readable:
        raise DatasetError(f"none of the {len(videos)} videos of {data} can be read; {next(iter(unreadable.values()))}")
    return segment_map(detections, readable), detections, unreadable


def _choose_videos(data: Path, split: str | None) -> list[Annotated]:
    """Return the videos of a split; by default those of the test split, else of the validation split, else all."""
    from kinoscope.training.data.activitynet import read_annotations

    videos = [video for video in read_annotations(data) if video.segments]
    has = sorted({video.split for video in videos if video.split})
    name = split or next((name for name in ("test", "val") if name in has), "all")
    chosen = [video for video in videos if name in ("all", video.split)]
    if not chosen:
        raise DatasetError(
            f"{data} has no video with segments of split {name}; it has: {', '.join(has) or 'none at all'}"
        )
    return chosen


def _detect_segments(video: Annotated, model: str, device: str, quiet: bool) -> list[Segment]:
    from kinoscope.pipeline.classification import classify_source
    from kinoscope.training.data.activitynet import demand_path
    from kinoscope.views.formats.clock import origin

    with bar(video.name, quiet) as progress:
        timeline = classify_source(demand_path(video), model, device, progress=progress)
    zero = origin(timeline)
    events = timeline.events("classify")
    return [Segment(video.name, event.label, event.start - zero, event.end - zero, event.score) for event in events]
