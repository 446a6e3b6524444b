"""``kinoscope train segments``: train the temporal boundary refinement of a model that classifies clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import DatasetError, OptionError, wrap_error
from kinoscope.core.files import require_free
from kinoscope.core.metrics.temporal_detection import Segment, SegmentScores, segment_map
from kinoscope.core.validation import require_known
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.inference.segment_refiner import SegmentRefiner
    from kinoscope.training.data.activitynet import Annotated
    from kinoscope.training.segments.train import ScoreCurve
    from kinoscope.views.timeline import Timeline

OPTIONS = {
    "model": ("", "folder that train classify wrote, to which the refinement is added"),
    "seed": ("0", "of random weights and order"),
}
"""Options of ``train segments``: default and description of each."""

MIN_TRAIN_VIDEOS = 2
"""Minimum number of training videos."""


@dataclass
class TrainSegmentsResult:
    """Result of training the segment boundaries of a model.

    Attributes:
        videos: numbers of training and validation videos.
        before, after: mean average precision with thresholds and with learned boundaries, on the validation videos;
            None without such videos.
        unreadable: video -> why it could not be read.
        written: the file.
    """

    videos: tuple[int, int]
    before: SegmentScores | None
    after: SegmentScores | None
    unreadable: dict[str, str]
    written: Path

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        plain: dict[str, Any] = {
            "videos": {"train": self.videos[0], "val": self.videos[1]},
            "unreadable": self.unreadable,
        }
        for name, scores in (("thresholds", self.before), ("learned", self.after)):
            if scores:
                plain[name] = {
                    "average_map": scores.average_map,
                    "by_overlap": dict(zip(map(str, scores.overlaps), scores.by_overlap, strict=True)),
                }
        return plain | {"written": [str(self.written)]}


@dataclass(frozen=True)
class ScoredVideo:
    """A video with labelled segments, and the timeline of the model; ``stride`` of its windows in seconds."""

    video: Annotated
    timeline: Timeline
    truth: tuple[Segment, ...]
    labels: tuple[str, ...]
    stride: float

    @property
    def boundaries(self) -> Float64Array:
        """Boundaries of the windows, in strides."""
        return np.asarray(self.timeline.features["classify.edges"] / self.stride)

    def scores(self, column: int) -> Float64Array:
        """Return the mean probabilities of a class between the boundaries."""
        return np.asarray(self.timeline.features["classify.means"][:, column], np.float64)

    @property
    def curves(self) -> list[ScoreCurve]:
        """The score curve of each class."""
        from kinoscope.training.segments.train import ScoreCurve

        return [ScoreCurve(self.boundaries, self.scores(i), self._truth(label)) for i, label in enumerate(self.labels)]

    def _truth(self, label: str) -> Float64Array:
        rows = [(video.start, video.end) for video in self.truth if video.label == label]
        return np.array(rows, np.float64).reshape(-1, 2) / self.stride

    def thresholded(self) -> list[Segment]:
        """Return the segments that thresholds detect."""
        events = self.timeline.events("classify")
        return [Segment(self.video.name, video.label, video.start, video.end, video.score) for video in events]

    def refined(self, refiner: SegmentRefiner) -> list[Segment]:
        """Return the segments with learned boundaries."""
        return [
            Segment(self.video.name, label, start * self.stride, end * self.stride, score)
            for i, label in enumerate(self.labels)
            for start, end, score in refiner.refine(self.boundaries, self.scores(i)).tolist()
        ]


def train_segments(
    data: str | None, words: Sequence[str], device: str = "auto", quiet: bool = False
) -> TrainSegmentsResult:
    """Train the boundary refinement of a model; see ``models.inference.segment_refiner``.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the videos cannot be used.
        ModelError: the model cannot be used, or does not know the classes.
    """
    from kinoscope.models.inference.segment_refiner import REFINER_FILE, write_refiner
    from kinoscope.training.data.activitynet import read_annotations
    from kinoscope.training.segments.train import train_refiner

    options = _options(data, words)
    require_free(Path(options["model"]) / REFINER_FILE)
    videos = [video for video in read_annotations(Path(str(data))) if video.segments]
    scored, unreadable = _score_videos(videos, options["model"], device, quiet)
    train = [video for video in scored if video.video.split not in ("val", "test")]
    val = [video for video in scored if video.video.split in ("val", "test")]
    if len(train) < MIN_TRAIN_VIDEOS:
        reason = f"; {next(iter(unreadable.items()))}" if unreadable else ""
        raise DatasetError(
            f"{data} has {len(train)} videos with segments to learn from, and {MIN_TRAIN_VIDEOS} are needed{reason}"
        )
    refiner = train_refiner([curve for video in train for curve in video.curves], int(options["seed"]))
    path = Path(options["model"]) / REFINER_FILE
    write_refiner(path, refiner)
    before, after = (
        _evaluate(val, detect) for detect in (ScoredVideo.thresholded, lambda video: video.refined(refiner))
    )
    return TrainSegmentsResult((len(train), len(val)), before, after, unreadable, path)


def _options(data: str | None, words: Sequence[str]) -> dict[str, str]:
    if data is None or Path(data).suffix.lower() != ".json":
        raise OptionError("train segments needs videos with labelled segments; give an ActivityNet JSON")
    options = {name: default for name, (default, _) in OPTIONS.items()}
    for word in words:
        key, _, value = word.partition("=")
        require_known(key, OPTIONS, "option of train segments")
        options[key] = value
    if not (Path(options["model"]) / "model.json").is_file():
        raise OptionError("train segments needs model=FOLDER, a folder that `kinoscope train classify` wrote")
    if not options["seed"].isdecimal():
        raise OptionError(f"seed {options['seed']} is no whole number; give seed=0 or more")
    return options


def _score_videos(
    videos: Sequence[Annotated], model: str, device: str, quiet: bool
) -> tuple[list[ScoredVideo], dict[str, str]]:
    """Run the model over the videos; return those that could be read, and why the others could not."""
    scored: list[ScoredVideo] = []
    unreadable: dict[str, str] = {}
    for video in videos:
        try:
            scored.append(_score_video(video, model, device, quiet))
        except Exception as error:
            unreadable[video.name] = str(wrap_error(error, video.name))
    return scored, unreadable


def _score_video(video: Annotated, model: str, device: str, quiet: bool) -> ScoredVideo:
    from kinoscope.api.evaluate_segments import demand_path, name_segments
    from kinoscope.models.inference.classifier import find_classifier, get_sampling
    from kinoscope.pipeline.classification import classify_source
    from kinoscope.views.formats.clock import origin

    card = find_classifier(model)
    sampling = get_sampling(card)
    with bar(video.name, quiet) as progress:
        timeline = classify_source(demand_path(video), model, device, progress=progress, learned=False)
    zero = origin(timeline)
    truth = [Segment(s.video, s.label, s.start + zero, s.end + zero) for s in name_segments([video], card)]
    return ScoredVideo(video, timeline, tuple(truth), card.labels, max(1, sampling.frames // 2) / sampling.rate)


def _evaluate(videos: Sequence[ScoredVideo], detect: Any) -> SegmentScores | None:
    truth = [segment for video in videos for segment in video.truth]
    return segment_map([segment for video in videos for segment in detect(video)], truth) if truth else None
