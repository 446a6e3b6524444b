"""Scores of a classifier as a detector of segments: sliding window over videos with labelled segments."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import DatasetError, wrap_error
from kinoscope.core.files import atomic_write, prepare_folder
from kinoscope.core.metrics.temporal_detection import Segment, SegmentScores, segment_map
from kinoscope.pipeline.evaluation.options import ClaimScores
from kinoscope.results.evaluate import EvaluateResult
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.card import Card
    from kinoscope.training.data.activitynet import Annotated


def evaluate_segments(
    model: str, data: Path, *, split: str | None, claim: ClaimScores, device: str, quiet: bool
) -> EvaluateResult:
    """Run a classifier over videos with a sliding window, and score the segments that it detects.

    Args:
        data: an ActivityNet JSON.
        claim: claims the folder for scores.json.

    Raises:
        DatasetError: there is nothing to score.
        ModelError: the model cannot be used, or lacks a class.
    """
    from kinoscope.models.inference.classifier import find_classifier

    card = find_classifier(model)
    if (folder := claim()) is not None:
        prepare_folder(folder)
    scores, detections, unreadable = _score(model, card, data, split, device, quiet)
    result = EvaluateResult(str(data), card.name, segments=scores, unreadable=unreadable)
    if folder is not None:
        result.written = [folder / "scores.json"]
        with atomic_write(folder / "scores.json") as temporary:
            plain = result.to_dict() | {"found": [asdict(segment) for segment in detections]}
            temporary.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", "utf-8")
    return result


def _score(
    model: str, card: Card, data: Path, split: str | None, device: str, quiet: bool
) -> tuple[SegmentScores, list[Segment], dict[str, str]]:
    """Return the scores, the detected segments, and unreadable video -> reason."""
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
