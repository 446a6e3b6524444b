"""Data of the training of segment boundaries: the scores of a model on videos with labelled segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.core.errors import DatasetError, OptionError, wrap_error
from kinoscope.core.metrics.temporal_detection import Segment
from kinoscope.models.inference.classifier import find_classifier, get_sampling
from kinoscope.pipeline.classification import classify_source
from kinoscope.training.data.activitynet import Annotated, demand_path, name_segments, read_annotations
from kinoscope.training.segments.data import ScoredVideo
from kinoscope.training.segments.options import SegmentOptions
from kinoscope.training.segments.train import SegmentTrainer
from kinoscope.training.trainer import ProgressBars, TrainingSetup
from kinoscope.views.formats.clock import origin

MIN_TRAIN_VIDEOS = 2
"""Minimum number of training videos."""


def build(options: SegmentOptions, setup: TrainingSetup) -> SegmentTrainer:
    """Run the model over the videos, and return the trainer of its segment boundaries.

    Raises:
        OptionError: the data is no table of segments.
        DatasetError: the videos cannot be used.
        ModelError: the model cannot be used, or does not know the classes.
    """
    if Path(setup.data).suffix.lower() != ".json":
        raise OptionError("train segments needs videos with labelled segments; give an ActivityNet JSON")
    options.check_model()
    videos = [video for video in read_annotations(Path(setup.data)) if video.segments]
    scored, unreadable = _score_videos(videos, options, setup.bars)
    train = [video for video in scored if video.video.split not in ("val", "test")]
    val = [video for video in scored if video.video.split in ("val", "test")]
    if len(train) < MIN_TRAIN_VIDEOS:
        reason = "; {}: {}".format(*next(iter(unreadable.items()))) if unreadable else ""
        raise DatasetError(
            f"{setup.data} has {len(train)} videos with segments to learn from, and {MIN_TRAIN_VIDEOS} are "
            f"needed{reason}"
        )
    trainer = SegmentTrainer(options, [curve for video in train for curve in video.curves], val, setup.processes)
    trainer.details.videos = trainer.examples = (len(train), len(val))
    trainer.unreadable = unreadable
    return trainer


def _score_videos(
    videos: Sequence[Annotated], options: SegmentOptions, bars: ProgressBars
) -> tuple[list[ScoredVideo], dict[str, str]]:
    """Run the model over the videos; return those that could be read, and why the others could not."""
    scored: list[ScoredVideo] = []
    unreadable: dict[str, str] = {}
    for video in videos:
        try:
            scored.append(_score_video(video, options, bars))
        except Exception as error:
            unreadable[video.name] = str(wrap_error(error, video.name))
    return scored, unreadable


def _score_video(video: Annotated, options: SegmentOptions, bars: ProgressBars) -> ScoredVideo:
    card = find_classifier(options.model)
    sampling = get_sampling(card)
    with bars(video.name) as progress:
        timeline = classify_source(demand_path(video), options.model, options.device, progress=progress, learned=False)
    zero = origin(timeline)
    truth = [Segment(s.video, s.label, s.start + zero, s.end + zero) for s in name_segments([video], card)]
    return ScoredVideo(video, timeline, tuple(truth), card.labels, max(1, sampling.frames // 2) / sampling.rate)
