"""Which objects there are, and where they are in every frame.

A detector looks a few times a second, more often where much moves, and not at a picture that it has seen already; the
tracker draws what it found through all frames. See ``models.inference.detector``, ``tracking`` and
``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.media import Audio, FrameBatch, Pixels, Size, SourceInfo
from kinoscope.core.results import Observation, ObservationCallback, TaskReport, TaskResult, Timeline, Track
from kinoscope.imaging.camera_motion import CameraMotion, compose_affine, identity_affine
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.imaging.thumbnail import thumbnail
from kinoscope.models.inference import detector as models
from kinoscope.models.inference.reid import AppearanceEmbedder, colour_histogram
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.tracking.association import get_strategy
from kinoscope.tasks.tracking.best_moments import TopMoments
from kinoscope.tasks.tracking.duplicates import find_duplicates
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, hard_cuts

FRAME_RATE, IDLE_RATE = 10.0, 5.0
"""Pictures asked for each second, and those looked at while little changes; more of them hardly change the tracks, see
benchmarks/agreement.py."""

MIN_SCORE, MIN_TRACK_SCORE = 0.25, 0.4
"""Score under which a detection is ignored, and from which it may begin a track."""

TRACK_FILTER = TrackFilter(count=3, seconds=0.3, score=0.4)
SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0, score=0.4)
"""What makes a track, and what does where there is a single picture."""

CROP_FRAME_SIDE = 960
"""Longer side of the picture from which tracks' pictures are cut, in pixels."""

MAX_THUMBNAILS = 200

AppearanceMethod = Literal["none", "colours", "cnn"]


@dataclass(frozen=True, slots=True)
class ObjectView:
    """A good view of an object: how good, when, and its JPEG file."""

    value: float
    time: float
    picture: bytes


def _album() -> TopMoments[ObjectView]:
    return TopMoments(most=3)


class Objects:
    """A detector at a rate, and a tracker: one track an object, with a box at each frame's time.

    Tracks: the detector's label, the best half's mean score. Pictures: ``objects-<id>`` at a track's best moment.

    Args:
        device, model, threads: see ``models.load``; ``model`` is a card of the task ``objects``.
        rate: pictures asked for each second; None for every frame.
        calm: pictures looked at each second while little changes; None for all that differ from the last.
        much: share of the frame that changes from which all frames are processed; that of ``imaging.change_gate`` if
        not
            given.
        still: largest change in grey levels (0 to 255) of a picture that is not looked at again; -1 looks at all.
        tracker: how detections are paired with tracks, one of ``association.STRATEGIES``.
        camera: take the camera's own motion out before pairing, see ``imaging.camera_motion``.
        labels: of what is to be found; None for all that the detector knows.
        looks: pair by looks too: ``colours``, or ``cnn`` for the embedding of ``models.inference.reid``, which costs an
            inference for each detection.
        keep: give the tracks at the end; without, memory does not grow, for cameras that are watched for days.
        tell: told what is followed in each picture that is looked at, at once.
        least, sure: score under which a detection is ignored, and from which it begins a track.
        glimpses: labels of which also what was seen too briefly or too doubtfully to be told is given: tracks with
            ``extra["doubtful"]``.
    """

    name = "objects"

    def __init__(
        self,
        *,
        device: str = "auto",
        model: str = "auto",
        threads: int = 1,
        rate: float | None = FRAME_RATE,
        calm: float | None = IDLE_RATE,
        much: float | None = None,
        still: float = 8,
        tracker: str = "buffered",
        camera: bool = False,
        looks: AppearanceMethod = "none",
        labels: Collection[str] | None = None,
        keep: bool = True,
        tell: ObservationCallback | None = None,
        least: float = MIN_SCORE,
        sure: float = MIN_TRACK_SCORE,
        glimpses: Collection[str] = (),
    ) -> None:
        self.device, self.model, self.threads, self.rate = device, model, threads, rate
        self.least, self.glimpses = least, glimpses
        self._watch = ChangeGate(calm, still, much=much)
        gap = max(1.5, 2.5 / min(rate or FRAME_RATE, calm or FRAME_RATE))
        self._tracker = Tracker(high=sure, max_gap=gap, way=get_strategy(tracker))
        self._moves, self._looks_by, self._labels = camera, looks, labels
        self._moments: dict[int, TopMoments[ObjectView]] = defaultdict(_album)
        self._looks, self._pan = 0, identity_affine()
        self._keep, self._tell = keep, tell

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures in the detector's size, and for larger ones to cut from."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        self._detector = models.ObjectDetector(self.model, self.device, self.threads, self.least)
        self._shown = info.size
        self._camera = CameraMotion(info.size) if self._moves else None
        self._embed = _embedder(self._looks_by, self.device, self.threads)
        small = self._detector.input_size(info.size)
        sizes = small, info.fit(CROP_FRAME_SIDE) if self._keep or self._embed else small
        batch = 8 if self.rate is None else max(1, min(8, int(self.rate)))
        return Needs(sizes, self.rate, batch)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Detect and track in the next pictures."""
        small, large = batches
        for pixels, full, time in zip(small.pixels, large.pixels, small.times.tolist(), strict=True):
            if self._camera:
                self._pan = compose_affine(self._camera.update(pixels, self._tracker.expect(time)), self._pan)
            advice = self._watch.update(pixels, time)
            if advice != "skip":
                found = self._look(pixels, advice)
                ids = self._follow(time, found, full)
                if self._tell:
                    self._tell(time, self._seen(found, ids))
                if self._keep:
                    self._remember(time, full, found, ids.tolist())
                else:
                    self._tracker.forget()

    def _follow(self, time: float, found: models.Detections, full: Pixels) -> Int64Array:
        """Give the track of each detection."""
        self._tracker.warp(self._pan)
        self._pan = identity_affine()
        looks = None
        if self._embed and len(found):
            looks = self._embed([crop_box(full, box, self._shown) for box in found.boxes])
        return self._tracker.update(time, found.boxes, found.scores, found.labels, looks)

    def _seen(self, found: models.Detections, ids: Int64Array) -> list[Observation]:
        """Give the detections that belong to a track."""
        rows = zip(ids.tolist(), found.labels.tolist(), found.boxes.tolist(), found.scores.tolist(), strict=True)
        labels = self._detector.card.labels
        return [Observation(self.name, i, labels[label], tuple(box), score) for i, label, box, score in rows if i >= 0]

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the tracks, numbered from 1 in order of appearance."""
        cuts = hard_cuts(timeline)
        self._worth = TRACK_FILTER if len(timeline.times) > 1 else SINGLE_FRAME_FILTER
        parts = [part for tracklet in self._tracker.finish() for part in tracklet.split(cuts) if self._told(part)]
        parts = self._without_doubles(parts)
        parts.sort(key=lambda part: (part.start, part.id))
        tracks = [self._track(number, part, timeline.times) for number, part in enumerate(parts, 1)]
        return TaskResult(tracks=tracks, images=self._pictures(parts), report=self._report())

    def _look(self, pixels: Pixels, advice: GateDecision) -> models.Detections:
        """Detect, unless the picture is the one that was looked at last."""
        if advice == "cut":
            self._tracker.cut()
        if advice != "unchanged":
            self._looks += 1
            (found,) = self._detector(pixels[None], self._shown)
            self._found = found if self._labels is None else self._wanted(found, self._labels)
        return self._found

    def _wanted(self, found: models.Detections, labels: Collection[str]) -> models.Detections:
        """Leave out what has none of the labels."""
        kept = np.array([self._detector.card.labels[n] in labels for n in found.labels.tolist()], bool)
        return models.Detections(found.boxes[kept], found.scores[kept], found.labels[kept])

    def _remember(self, time: float, full: Pixels, found: models.Detections, ids: list[int]) -> None:
        """Keep a picture of each object that has not been seen so well before."""
        values = crop_quality(found.boxes, found.scores, self._shown)
        scale = np.tile([full.shape[1] / self._shown[0], full.shape[0] / self._shown[1]], 2)
        for box, value, number in zip(found.boxes * scale, values.tolist(), ids, strict=True):
            if number >= 0 and self._moments[number].wants(time, value):
                self._moments[number].add(ObjectView(value, time, thumbnail(full, box.tolist())))
        if len(self._moments) > 2 * MAX_THUMBNAILS:
            ranked = sorted(self._moments.items(), key=lambda item: -item[1].kept[0].value)
            self._moments = defaultdict(_album, ranked[:MAX_THUMBNAILS])

    def _track(self, number: int, part: Tracklet, times: Float64Array) -> Track:
        label = self._detector.card.labels[part.label]
        drawn = part.through(times, self._shown)
        extra = {} if self._worth(part) else {"doubtful": True}
        return Track(number, self.name, label, part.score, drawn, extra=extra)

    def _without_doubles(self, parts: list[Tracklet]) -> list[Tracklet]:
        """Leave out what is boxed twice, but for what is to be hidden: a box too many hides nothing too little."""
        names = self._detector.card.labels
        twice = find_duplicates(parts)
        return [part for n, part in enumerate(parts) if n not in twice or names[part.label] in self.glimpses]

    def _told(self, part: Tracklet) -> bool:
        return self._worth(part) or self._detector.card.labels[part.label] in self.glimpses

    def _pictures(self, parts: list[Tracklet]) -> dict[str, bytes]:
        best = {n: self._moments[part.id].within(part.start, part.end)[:1] for n, part in enumerate(parts, 1)}
        shown = sorted((n for n in best if best[n]), key=lambda n: -best[n][0].value)[:MAX_THUMBNAILS]
        return {f"{self.name}-{n}": best[n][0].picture for n in sorted(shown)}

    def _report(self) -> TaskReport:
        runner = self._detector.runner
        extra = {"inferences": self._looks, "rate": self.rate, "tracker": self._tracker.way.__name__}
        return TaskReport(model=runner.card.name, runtime=runner.runtime, licence=runner.card.licence, extra=extra)


def _embedder(looks: AppearanceMethod, device: str, threads: int) -> Callable[[list[Pixels]], Float64Array] | None:
    """Give what tells how pictures look: (N, D) unit vectors."""
    if looks == "cnn":
        network = AppearanceEmbedder(device=device, threads=threads)
        return lambda pictures: network(pictures).astype(np.float64)
    if looks == "colours":
        return lambda pictures: normalize_rows([colour_histogram(picture) for picture in pictures])
    return None


def normalize_rows(rows: list[Float32Array]) -> Float64Array:
    """Stack vectors, each brought to length 1."""
    stacked = np.array(rows, np.float64).reshape(len(rows), -1)
    return np.asarray(stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9))


def crop_box(full: Pixels, box: Float64Array, shown: Size) -> Pixels:
    """Cut a box (4,), in pixels as shown, out of a picture (H, W, C) of that; at least a pixel of it."""
    height, width = full.shape[:2]
    x1, y1, x2, y2 = (box * np.tile([width / shown[0], height / shown[1]], 2)).round().astype(int).tolist()
    left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    return full[top : max(y2, top + 1), left : max(x2, left + 1)]


def crop_quality(boxes: Float64Array, scores: Float64Array, shown: Size) -> Float64Array:
    """Tell of each box (N, 4) how good a picture it makes: sure, large, and not cut off by the picture's edge."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    whole = np.all((boxes[:, :2] > 2) & (boxes[:, 2:] < np.array(shown) - 2), axis=1)
    return np.asarray(scores * np.sqrt(sides.min(axis=1)) * np.where(whole, 1.0, 0.5))
