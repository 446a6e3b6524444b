"""Object detection and tracking in every frame.

The detector runs a few times per second, more often during motion, and not on a frame that has not changed; the
tracker interpolates the boxes through all frames. See ``models.inference.detector``, ``tasks.tracking`` and
``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.detections import Detections
from kinoscope.core.media import FrameBatch, Pixels, Size, SourceInfo
from kinoscope.core.results import Observation, ObservationCallback, TaskReport, TaskResult, Track
from kinoscope.core.validation import require_known
from kinoscope.imaging.camera_motion import CameraMotion, compose_affine, identity_affine
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.imaging.thumbnail import thumbnail
from kinoscope.models.inference import detector as models
from kinoscope.models.inference.reid import AppearanceEmbedder, colour_histogram
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.options import ObjectsOptions
from kinoscope.tasks.tracking.association import get_strategy
from kinoscope.tasks.tracking.best_moments import TopMoments
from kinoscope.tasks.tracking.duplicates import find_duplicates
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, gap_seconds, hard_cuts
from kinoscope.views.timeline import Timeline

MIN_TRACK_SCORE = ObjectsOptions().min_track_score
"""Score from which a detection may begin a track, if not chosen otherwise."""

ASSUMED_FRAME_RATE = 10.0
"""Frames per second from which the longest gap in a track is derived where every frame is processed."""

TRACK_FILTER = TrackFilter(count=3, seconds=0.3, score=0.4)
SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0, score=0.4)
"""Minimum of a reported track, and that in a source of a single frame."""

CROP_FRAME_SIDE = 960
"""Longer side in pixels of the frame from which the images of the tracks are cropped."""

MAX_THUMBNAILS = 200
"""Images stored, those of the best tracks."""


@dataclass(frozen=True, slots=True)
class ObjectView:
    """A good view of an object: its quality, time in seconds, and JPEG file."""

    quality: float
    time: float
    image: bytes


def _new_moments() -> TopMoments[ObjectView]:
    return TopMoments(max_moments=3)


class Objects(Task):
    """A detector at a fixed rate and a tracker: one track per object, with a box at each frame's time.

    Tracks: the detector's label, the mean score of the better half of the detections. Images: ``objects-<id>`` at the
    track's best moment.

    Args:
        keep_tracks: return the tracks at the end; without them memory does not grow, for cameras that run for days.
        on_observations: called with the time in seconds and the tracked objects of each processed frame, at once.
        arguments: see ``Task`` and ``ObjectsOptions``.
    """

    name = "objects"
    options_type = ObjectsOptions
    card_task = "objects"

    options: ObjectsOptions

    def __init__(
        self, *, keep_tracks: bool = True, on_observations: ObservationCallback | None = None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        options = self.options
        self._change_gate = ChangeGate(options.idle_rate, options.static_levels, min_changed=options.motion_share)
        gap = gap_seconds(min(options.rate or ASSUMED_FRAME_RATE, options.idle_rate or ASSUMED_FRAME_RATE))
        strategy = get_strategy(options.tracker)
        self._tracker = Tracker(high_score=options.min_track_score, max_gap=gap, strategy=strategy)
        self._moments: dict[int, TopMoments[ObjectView]] = defaultdict(_new_moments)
        self._inferences, self._camera_shift = 0, identity_affine()
        self._doubtful_labels = options.doubtful_labels or ()
        self._keep_tracks, self._on_observations = keep_tracks, on_observations

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and request frames in the detector's size, and larger ones to crop from.

        Raises:
            Skip: there is no video.
            OptionError: the detector lacks a label.
        """
        if not info.width or not info.height:
            raise Skip("there is no video")
        self._detector = models.ObjectDetector(self.model, self.device, self.threads, self.options.min_score)
        for label in self.options.labels or ():
            require_known(label, self._detector.card.labels, "label")
        self._frame_size = info.size
        self._camera = CameraMotion(info.size) if self.options.camera else None
        self._embed_crops = _embedder(self.options.appearance, self.device, self.threads)
        small = self._detector.input_size(info.size)
        sizes = small, info.fit(CROP_FRAME_SIDE) if self._keep_tracks or self._embed_crops else small
        rate = self.options.rate
        return Needs(sizes, rate, 8 if rate is None else max(1, min(8, int(rate))))

    def process_frames(self, *batches: FrameBatch) -> None:
        """Detect and track objects in the next frames."""
        small_batch, large_batch = batches
        times = small_batch.times.tolist()
        for pixels, large, time in zip(small_batch.pixels, large_batch.pixels, times, strict=True):
            if self._camera:
                self._camera_shift = compose_affine(
                    self._camera.update(pixels, self._tracker.predict(time)), self._camera_shift
                )
            advice = self._change_gate.update(pixels, time)
            if advice != "skip":
                detections = self._detect(pixels, advice)
                ids = self._track(time, detections, large)
                if self._on_observations:
                    self._on_observations(time, self._observations(detections, ids))
                if self._keep_tracks:
                    self._add_moments(time, large, detections, ids.tolist())
                else:
                    self._tracker.discard_finished()

    def _track(self, time: float, detections: Detections, large: Pixels) -> Int64Array:
        """Return the track id (N,) of each detection."""
        self._tracker.warp(self._camera_shift)
        self._camera_shift = identity_affine()
        appearance = None
        if self._embed_crops and len(detections):
            appearance = self._embed_crops([crop_box(large, box, self._frame_size) for box in detections.boxes])
        return self._tracker.update(time, detections.boxes, detections.scores, detections.labels, appearance)

    def _observations(self, detections: Detections, ids: Int64Array) -> list[Observation]:
        """Return the detections that belong to a track."""
        rows = zip(
            ids.tolist(), detections.labels.tolist(), detections.boxes.tolist(), detections.scores.tolist(), strict=True
        )
        labels = self._detector.card.labels
        return [Observation(self.name, i, labels[label], tuple(box), score) for i, label, box, score in rows if i >= 0]

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the tracks, numbered from 1 in order of appearance."""
        cuts = hard_cuts(timeline)
        self._track_filter = TRACK_FILTER if len(timeline.times) > 1 else SINGLE_FRAME_FILTER
        parts = [
            part for tracklet in self._tracker.finish() for part in tracklet.split(cuts) if self._is_reported(part)
        ]
        parts = self._without_duplicates(parts)
        parts.sort(key=lambda part: (part.start, part.id))
        tracks = [self._to_track(number, part, timeline.times) for number, part in enumerate(parts, 1)]
        return TaskResult(tracks=tracks, images=self._thumbnails(parts), report=self._report())

    def _detect(self, pixels: Pixels, advice: GateDecision) -> Detections:
        """Return the detections in a frame; those of the previous frame if it has not changed."""
        if advice == "cut":
            self._tracker.end_all()
        if advice != "unchanged":
            self._inferences += 1
            (detections,) = self._detector(pixels[None], self._frame_size)
            self._detections = (
                detections if self.options.labels is None else self._with_labels(detections, self.options.labels)
            )
        return self._detections

    def _with_labels(self, detections: Detections, labels: Collection[str]) -> Detections:
        """Return the detections with one of the labels."""
        is_wanted = np.array([self._detector.card.labels[n] in labels for n in detections.labels.tolist()], bool)
        return detections[is_wanted]

    def _add_moments(self, time: float, large: Pixels, detections: Detections, ids: list[int]) -> None:
        """Store an image of each object that it shows better than before."""
        values = crop_quality(detections.boxes, detections.scores, self._frame_size)
        scale = np.tile([large.shape[1] / self._frame_size[0], large.shape[0] / self._frame_size[1]], 2)
        for box, quality, number in zip(detections.boxes * scale, values.tolist(), ids, strict=True):
            if number >= 0 and self._moments[number].accepts(time, quality):
                self._moments[number].add(ObjectView(quality, time, thumbnail(large, box.tolist())))
        if len(self._moments) > 2 * MAX_THUMBNAILS:
            ranked = sorted(self._moments.items(), key=lambda item: -item[1].moments[0].quality)
            self._moments = defaultdict(_new_moments, ranked[:MAX_THUMBNAILS])

    def _to_track(self, number: int, part: Tracklet, times: Float64Array) -> Track:
        label = self._detector.card.labels[part.label]
        boxes = part.interpolate(times, self._frame_size)
        extra = {} if self._track_filter(part) else {"doubtful": True}
        return Track(number, self.name, label, part.score, boxes, extra=extra)

    def _without_duplicates(self, parts: list[Tracklet]) -> list[Tracklet]:
        """Leave out duplicate tracks, except those to be redacted: there, a box too many does no harm."""
        names = self._detector.card.labels
        duplicates = find_duplicates(parts)
        return [
            part for n, part in enumerate(parts) if n not in duplicates or names[part.label] in self._doubtful_labels
        ]

    def _is_reported(self, part: Tracklet) -> bool:
        return self._track_filter(part) or self._detector.card.labels[part.label] in (
            self.options.doubtful_labels or ()
        )

    def _thumbnails(self, parts: list[Tracklet]) -> dict[str, bytes]:
        best_moments = {n: self._moments[part.id].within(part.start, part.end)[:1] for n, part in enumerate(parts, 1)}
        chosen = sorted((n for n in best_moments if best_moments[n]), key=lambda n: -best_moments[n][0].quality)[
            :MAX_THUMBNAILS
        ]
        return {f"{self.name}-{n}": best_moments[n][0].image for n in sorted(chosen)}

    def _report(self) -> TaskReport:
        runner = self._detector.runner
        extra = {"inferences": self._inferences, "rate": self.options.rate, "tracker": self._tracker.strategy.__name__}
        return TaskReport(model=runner.card.name, runtime=runner.runtime, licence=runner.card.licence, extra=extra)


def _embedder(appearance: str, device: str, threads: int) -> Callable[[list[Pixels]], Float64Array] | None:
    """Return the function that computes appearance vectors: (N, D), each of length 1."""
    if appearance == "cnn":
        network = AppearanceEmbedder(device=device, threads=threads)
        return lambda images: network(images).astype(np.float64)
    if appearance == "colours":
        return lambda images: normalize_rows([colour_histogram(image) for image in images])
    return None


def normalize_rows(rows: list[Float32Array]) -> Float64Array:
    """Stack vectors into rows (N, D), each scaled to length 1."""
    stacked = np.array(rows, np.float64).reshape(len(rows), -1)
    return np.asarray(stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9))


def crop_box(frame: Pixels, box: Float64Array, frame_size: Size) -> Pixels:
    """Crop a box (4,), in pixels of ``frame_size``, from a frame (H, W, C) of another size; at least one pixel."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (box * np.tile([width / frame_size[0], height / frame_size[1]], 2)).round().astype(int).tolist()
    left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    return frame[top : max(y2, top + 1), left : max(x2, left + 1)]


def crop_quality(boxes: Float64Array, scores: Float64Array, frame_size: Size) -> Float64Array:
    """Return the quality (N,) of the crop of each box (N, 4): high score, large, not cut off by the border."""
    lengths = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    uncut = np.all((boxes[:, :2] > 2) & (boxes[:, 2:] < np.array(frame_size) - 2), axis=1)
    return np.asarray(scores * np.sqrt(lengths.min(axis=1)) * np.where(uncut, 1.0, 0.5))
