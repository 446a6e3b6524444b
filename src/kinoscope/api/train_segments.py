"""``kinoscope train segments``: teach a model that classifies clips where segments begin and end in long videos."""

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
    from kinoscope.core.results import Timeline
    from kinoscope.models.inference.segment_refiner import SegmentRefiner
    from kinoscope.training.data.activitynet import Annotated
    from kinoscope.training.segments.train import ScoreCurve

OPTIONS = {
    "model": ("", "folder that train classify wrote; what is learned is added to it"),
    "seed": ("0", "of random weights and order"),
}
"""Options of ``train segments``: default and description of each."""

FEWEST = 2
"""Videos from which something can be learned."""


@dataclass
class TrainSegmentsResult:
    """What teaching a model the edges of segments came to.

    Attributes:
        videos: to learn from, and to score on.
        before, after: mean average precision with thresholds and with learned edges, on videos that were not learned
            from; None where there are none.
        broken: videos that could not be read, and why.
        written: the file.
    """

    videos: tuple[int, int]
    before: SegmentScores | None
    after: SegmentScores | None
    broken: dict[str, str]
    written: Path

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain: dict[str, Any] = {"videos": {"train": self.videos[0], "val": self.videos[1]}, "broken": self.broken}
        for name, scores in (("thresholds", self.before), ("learned", self.after)):
            if scores:
                plain[name] = {
                    "average_map": scores.average_map,
                    "by_overlap": dict(zip(map(str, scores.overlaps), scores.by_overlap, strict=True)),
                }
        return plain | {"written": [str(self.written)]}


@dataclass(frozen=True)
class ScoredVideo:
    """A video with known segments, and what the model says of it; ``stride`` of its windows in seconds."""

    video: Annotated
    timeline: Timeline
    truth: tuple[Segment, ...]
    labels: tuple[str, ...]
    stride: float

    @property
    def edges(self) -> Float64Array:
        """Where windows begin and end, in strides."""
        return np.asarray(self.timeline.features["classify.edges"] / self.stride)

    def scores(self, column: int) -> Float64Array:
        """Give the mean probabilities of a class between the edges."""
        return np.asarray(self.timeline.features["classify.means"][:, column], np.float64)

    @property
    def courses(self) -> list[ScoreCurve]:
        """What there is to learn of each class."""
        from kinoscope.training.segments.train import ScoreCurve

        return [ScoreCurve(self.edges, self.scores(i), self._truth(label)) for i, label in enumerate(self.labels)]

    def _truth(self, label: str) -> Float64Array:
        rows = [(one.start, one.end) for one in self.truth if one.label == label]
        return np.array(rows, np.float64).reshape(-1, 2) / self.stride

    def thresholded(self) -> list[Segment]:
        """Give the segments that thresholds find."""
        events = self.timeline.events_of("classify")
        return [Segment(self.video.name, one.label, one.start, one.end, one.score) for one in events]

    def refined(self, edges: SegmentRefiner) -> list[Segment]:
        """Give the segments with learned edges."""
        return [
            Segment(self.video.name, label, start * self.stride, end * self.stride, score)
            for i, label in enumerate(self.labels)
            for start, end, score in edges.refine(self.edges, self.scores(i)).tolist()
        ]


def train_segments(
    data: str | None, words: Sequence[str], device: str = "auto", quiet: bool = False
) -> TrainSegmentsResult:
    """Teach a model where segments begin and end; see ``models.inference.segment_refiner``.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the videos do not do.
        ModelError: the model cannot be used, or does not know the classes.
    """
    from kinoscope.models.inference.segment_refiner import REFINER_FILE, write_refiner
    from kinoscope.training.data.activitynet import read_annotations
    from kinoscope.training.segments.train import train_refiner

    options = _options(data, words)
    require_free(Path(options["model"]) / REFINER_FILE)
    videos = [video for video in read_annotations(Path(str(data))) if video.segments]
    watched, broken = _watch(videos, options["model"], device, quiet)
    learn = [one for one in watched if one.video.split not in ("val", "test")]
    held = [one for one in watched if one.video.split in ("val", "test")]
    if len(learn) < FEWEST:
        why = f"; {next(iter(broken.items()))}" if broken else ""
        raise DatasetError(f"{data} has {len(learn)} videos with segments to learn from, and {FEWEST} are needed{why}")
    edges = train_refiner([course for one in learn for course in one.courses], int(options["seed"]))
    path = Path(options["model"]) / REFINER_FILE
    write_refiner(path, edges)
    before, after = (_score(held, found) for found in (ScoredVideo.thresholded, lambda one: one.refined(edges)))
    return TrainSegmentsResult((len(learn), len(held)), before, after, broken, path)


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


def _watch(
    videos: Sequence[Annotated], model: str, device: str, quiet: bool
) -> tuple[list[ScoredVideo], dict[str, str]]:
    """Slide the model over the videos, and give those that could be read, and why the others could not."""
    watched: list[ScoredVideo] = []
    broken: dict[str, str] = {}
    for video in videos:
        try:
            watched.append(_look(video, model, device, quiet))
        except Exception as error:
            broken[video.name] = str(wrap_error(error, video.name))
    return watched, broken


def _look(video: Annotated, model: str, device: str, quiet: bool) -> ScoredVideo:
    from kinoscope.api.classify import classify_source
    from kinoscope.api.evaluate_segments import demand_path, name_segments
    from kinoscope.models.inference.classifier import find_classifier, get_sampling
    from kinoscope.views.formats.clock import origin

    card = find_classifier(model)
    sampling = get_sampling(card)
    with bar(video.name, quiet) as progress:
        timeline = classify_source(demand_path(video), model, device, progress=progress, learned=False)
    zero = origin(timeline)
    truth = [Segment(s.video, s.label, s.start + zero, s.end + zero) for s in name_segments([video], card)]
    return ScoredVideo(video, timeline, tuple(truth), card.labels, max(1, sampling.frames // 2) / sampling.rate)


def _score(held: Sequence[ScoredVideo], find: Any) -> SegmentScores | None:
    truth = [segment for one in held for segment in one.truth]
    return segment_map([segment for one in held for segment in find(one)], truth) if truth else None
