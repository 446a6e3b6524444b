"""Face detection, tracking and grouping by person.

The whole frame is searched at every other sample; in between, only the last network of the cascade tracks the known
faces. The best samples of a face are embedded when its track ends; where they show two people, the track is split. The
tracks of one person are grouped at the end.
See ``models.inference.faces``, ``tasks.tracking``, ``tasks.people`` and ``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult, Track
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.imaging.thumbnail import thumbnail
from kinoscope.models.inference import faces as models
from kinoscope.models.registry import find
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.options import FacesOptions
from kinoscope.tasks.people.clustering import cluster_tracks
from kinoscope.tasks.people.face_samples import FaceSample, FaceSamples, identity_changes, max_distance, mean_embedding
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, hard_cuts
from kinoscope.views.timeline import Timeline

MIN_TRACK_SCORE = FacesOptions().min_track_score
"""Score from which a face may begin a track, if not chosen otherwise."""

TRACK_FILTER = TrackFilter(count=3, seconds=0.3, score=0.99)
"""Minimum of a reported track. Hands and folds of cloth reach 0.98; faces in profile stay below the score too."""

SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0.0, score=MIN_TRACK_SCORE)
"""Minimum of a track in a source of a single frame."""

MAX_THUMBNAILS = 200
"""Images stored, those of the best tracks."""

FaceTrack = tuple[Tracklet, FaceSamples]
"""A track, or a part of one, and the samples of its face."""


class Faces(Task):
    """MTCNN at a fixed rate, a tracker and dlib's embedding: a track for each face, grouped into ``person 1``, ...

    Tracks: label ``face``; ``identity`` is the person, in order of first appearance; ``extra["points"]`` holds for each
    detection a row of its time and of x and y of eyes, nose and corners of the mouth, left before right;
    ``extra["apart"]`` is the largest distance between the embeddings of its best samples.
    ``identified`` is, after ``finish``, each track with enough good samples, and these samples.
    Features: ``faces.embeddings`` (N, 128) and ``faces.tracks`` (N,), the track ids. Images: ``faces-<id>``.
    """

    name = "faces"
    options_type = FacesOptions
    biometric = True
    card_task = "identity"

    options: FacesOptions

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        options = self.options
        # A frame seldom arrives exactly when a search is due.
        self._search_interval = 0.9 / options.search_rate if options.search_rate else 0.0
        self._last_search = -np.inf
        self._change_gate = ChangeGate(options.idle_rate, options.static_levels, min_changed=options.motion_share)
        self._search_on_motion = options.motion_share is not None
        self._tracker = Tracker(high_score=options.min_track_score)
        self._samples: dict[int, FaceSamples] = defaultdict(FaceSamples)
        self._finished: list[FaceTrack] = []
        self._counts = {"inferences": 0, "searches": 0}
        self.identified: list[tuple[Track, list[FaceSample]]] = []

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and request frames large enough to show small faces.

        Raises:
            Skip: there is no video.
        """
        if not info.width or not info.height:
            raise Skip("there is no video")
        self._detector = models.FaceDetector(
            self.device, self.threads, self.options.min_face_side, self.options.min_scores
        )
        self._embedder = models.FaceEmbedder(self.model, self.device, self.threads)
        self._frame_size = info.size
        self._track_filter = SINGLE_FRAME_FILTER if info.frames == 1 else TRACK_FILTER
        return Needs(sizes=(info.fit(self.options.max_side),), rate=self.options.rate, batch=4)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Detect and track the faces in the next frames."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            advice = self._change_gate.update(pixels, time)
            if advice == "skip":
                continue
            detections = self._detect(pixels, time, advice)
            ids = self._tracker.update(time, detections.boxes, detections.scores)
            self._add_samples(pixels, time, detections, ids.tolist())
            self._close_tracks(self._tracker.pop_finished())

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the tracks, numbered from 1 in order of appearance, and their persons."""
        self._close_tracks(self._tracker.finish())
        cuts = hard_cuts(timeline)
        finished = [
            (tracklet, samples, sorted([*cuts, *identity_changes(samples, cuts)]))
            for tracklet, samples in self._finished
        ]
        parts = [
            (part, samples)
            for tracklet, samples, split_times in finished
            for part in tracklet.split(split_times)
            if self._is_reported(part)
        ]
        parts.sort(key=lambda item: (item[0].start, item[0].id))
        tracks = [self._track(number, *part, timeline.times) for number, part in enumerate(parts, 1)]
        result = TaskResult(tracks=tracks, images=self._thumbnails(parts), report=self._report())
        self._identify(result, parts)
        return result

    def _detect(self, pixels: Pixels, time: float, advice: GateDecision) -> models.FaceDetections:
        """Return the faces in a frame; those of the previous frame if it has not changed."""
        if advice == "cut":
            self._tracker.end_all()
        if advice != "unchanged":
            fast = self._search_on_motion and self._change_gate.fast
            search_rate = advice == "cut" or fast or time - self._last_search >= self._search_interval
            self._last_search = time if search_rate else self._last_search
            self._counts["inferences"] += 1
            self._counts["searches"] += search_rate
            self._detections = self._detector(pixels, self._frame_size, self._tracker.predict(time), search_rate)
        return self._detections

    def _add_samples(self, pixels: Pixels, time: float, detections: models.FaceDetections, ids: list[int]) -> None:
        """Store the landmarks and, if it is one of the best, the sample of each tracked face."""
        scale = np.array([pixels.shape[1] / self._frame_size[0], pixels.shape[0] / self._frame_size[1]])
        for box, points, score, number in zip(detections.boxes, detections.points, detections.scores, ids, strict=True):
            if number >= 0:
                samples, encode = (
                    self._samples[number],
                    partial(thumbnail, pixels, (box * np.tile(scale, 2)).tolist(), 0.25),
                )
                samples.points.extend((time, *points.ravel()))
                samples.offer(time, points * scale, float(score), pixels, encode)

    def _close_tracks(self, ended: list[Tracklet]) -> None:
        """Embed the samples of finished tracks that pass the filter, and drop those of the others."""
        for tracklet in ended:
            samples = self._samples.pop(tracklet.id)
            if self._track_filter(tracklet):
                samples.embed(self._embedder)
            else:
                samples.best.moments.clear()
            if self._is_reported(tracklet):
                self._finished.append((tracklet, samples))

    def _is_reported(self, part: Tracklet) -> bool:
        return self.options.include_doubtful or self._track_filter(part)

    def _track(self, number: int, part: Tracklet, samples: FaceSamples, times: Float64Array) -> Track:
        rows = np.array(samples.points).reshape(-1, 11)
        rows = rows[(rows[:, 0] >= part.start) & (rows[:, 0] <= part.end)]
        points = [[round(row[0], 6), *(round(value, 1) for value in row[1:])] for row in rows.tolist()]
        extra: dict[str, Any] = {"points": points} | ({} if self._track_filter(part) else {"doubtful": True})
        return Track(number, self.name, "face", part.score, part.interpolate(times, self._frame_size), extra=extra)

    def _thumbnails(self, parts: list[FaceTrack]) -> dict[str, bytes]:
        best = {n: samples.best.within(part.start, part.end)[:1] for n, (part, samples) in enumerate(parts, 1)}
        chosen = sorted((n for n in best if best[n]), key=lambda n: -best[n][0].quality)[:MAX_THUMBNAILS]
        return {f"{self.name}-{n}": best[n][0].image for n in sorted(chosen)}

    def _identify(self, result: TaskResult, parts: list[FaceTrack]) -> None:
        """Embed each track with good samples and assign its person."""
        identified = [
            (track, samples.best.within(part.start, part.end))
            for track, (part, samples) in zip(result.tracks, parts, strict=True)
            if "doubtful" not in track.extra
        ]
        self.identified = identified = [(track, samples) for track, samples in identified if samples]
        for track, samples in identified:
            track.extra["apart"] = round(max_distance(samples), 3)
        embeddings = np.array([mean_embedding(samples) for _, samples in identified], np.float32).reshape(-1, 128)
        spans = np.array([(track.start, track.end) for track, _ in identified]).reshape(-1, 2)
        for (track, _), person in zip(identified, cluster_tracks(embeddings, spans).tolist(), strict=True):
            track.identity = f"person {person + 1}"
        ids = np.array([track.id for track, _ in identified], np.int64)
        result.features = {"faces.embeddings": embeddings, "faces.tracks": ids}

    def _report(self) -> TaskReport:
        runner = self._embedder.runner
        model, extra = (
            f"mtcnn, {runner.card.name}",
            self._counts | {"rate": self.options.rate, "digest": runner.card.digest},
        )
        licences = dict.fromkeys((find("mtcnn-pnet").licence, runner.card.licence))
        return TaskReport(model=model, runtime=runner.runtime, licence=", ".join(licences), extra=extra)
