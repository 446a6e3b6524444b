"""Anomaly detection for a static camera: objects unlike everything else in the video in appearance or motion.

No training is needed: the video is its own normal. Each moving object is described by its appearance
(EfficientNet-Lite0) and its motion (speed in object sizes per second, in eight directions), and its score grows with
the distance to its nearest neighbors at other times. Reiss & Hoshen, "Attribute-based Representations for Accurate and
Interpretable Video Anomaly Detection", 2022, show that such simple descriptors of each object do better than learned
features of the whole frame; theirs use poses of people, ours any moving object, and ours need no other video.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from kinoscope.core.arrays import Float16Array, Float32Array, Float64Array, UInt8Array
from kinoscope.core.boxes import iou
from kinoscope.core.media import Frame, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.imaging.background import BackgroundModel
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.signal.peaks import find_peaks
from kinoscope.views.timeline import Timeline

FRAME_RATE, SAMPLE_INTERVAL_FRAMES = 10.0, 2
"""Frames per second, and the interval in frames at which they are analyzed; the frame before gives the optical flow."""
MOTION_FRAME_SIDE, CROP_FRAME_SIDE = 384, 768
"""Longer sides in pixels of the frames in which moving objects are detected, and of those from which they are
cropped."""
BACKGROUND_LEARNING_SECONDS = 3.0
"""Seconds in which the background is learned, and nothing is reported."""
EXCLUDED_SECONDS = 12.0
"""Seconds around a moment that are excluded from its neighbors: an anomaly resembles itself."""
MIN_VIDEO_SECONDS = 30.0
"""Seconds of video below which there is too little to define what is normal."""
NEIGHBOR_RANK = 3
"""Rank of the neighbor whose distance counts: what occurs twice may still be an anomaly."""
MAX_OBJECTS, MAX_BANK_OBJECTS = 20_000, 5_000
"""Objects that are stored, and how many of these each one is compared with."""
MAX_MOVING_CAMERA_SHARE = 0.1
"""Share of the frames in which the camera may move."""
SMOOTHING_SAMPLES = 7
"""Samples over which the score is averaged: a short spike is noise of the background."""
MIN_PEAK_SCORE, EVENT_EDGE_SHARE = 1.2, 0.6
"""Score at the peak of an event, and the share of it down to which the event lasts."""
MIN_TRACK_IOU = 0.2
"""IoU of the boxes of one object from sample to sample."""


@dataclass(frozen=True, slots=True)
class MovingObject:
    """A moving object in one frame.

    Attributes:
        time: in seconds.
        box: (4,) x1, y1, x2, y2 in pixels of the displayed frame.
        embedding: (D,) float16, of length 1.
        motion: (8,) float32, mean speed by direction, in square roots of object sizes per second.
    """

    time: float
    box: Float64Array
    embedding: Float16Array
    motion: Float32Array


class Anomalies(Task):
    """Detector of anomalies before a static camera, ranked by score.

    Scores: 0 at the median object, 1 at the 90th percentile; averaged over a second and a half. Events: label
    ``odd appearance`` or ``odd motion``, whichever score is higher; ``score`` is s / (1 + s) of the highest score s;
    ``extra``: ``rank`` from 1, ``surprise`` (s), ``track``. Tracks: the object with the highest score of each event.
    Features: ``anomalies.times`` (N,) float64 seconds, ``anomalies.scores`` and ``anomalies.moving`` (the share of the
    frame that moves), (N,) float32.
    """

    name = "anomalies"
    by_default = False
    card_task = "scenes"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._background = BackgroundModel()
        self._previous: Pixels | None = None
        self._start_time: float | None = None
        self._times: list[float] = []
        self._moving_shares: list[float] = []
        self._objects: list[MovingObject] = []
        self._frame_count, self._sample_stride, self._moving_frames, self._inferences = 0, 1, 0, 0

    def needs(self, info: SourceInfo) -> Needs:
        """Request ten frames per second, in two sizes.

        Raises:
            Skip: there is no video, or it is too short.
        """
        if not info.width:
            raise Skip("no video")
        if info.duration is not None and info.duration < MIN_VIDEO_SECONDS:
            raise Skip(
                f"the video is shorter than {MIN_VIDEO_SECONDS:.0f} s, which is too short to learn what is normal"
            )
        self._net = load("scenes", self.model, self.device, threads=self.threads)
        self._scale = info.width / info.fit(MOTION_FRAME_SIDE)[0]
        self._zoom = info.fit(CROP_FRAME_SIDE)[0] / info.fit(MOTION_FRAME_SIDE)[0]
        return Needs(sizes=(info.fit(MOTION_FRAME_SIDE), info.fit(CROP_FRAME_SIDE)), rate=FRAME_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Describe the moving objects in every other frame."""
        for small, large in zip(*batches, strict=True):
            if self._frame_count % SAMPLE_INTERVAL_FRAMES == SAMPLE_INTERVAL_FRAMES - 1:
                self._process_sample(small, large.pixels)
            self._frame_count, self._previous = self._frame_count + 1, small.pixels

    def finish(self, timeline: Timeline) -> TaskResult:
        """Compare all objects with each other and return the anomalies by score.

        Raises:
            Skip: the camera moves, or there is too little to compare with.
        """
        times = np.array(self._times)
        if len(times) < 2 or times[-1] - times[0] < MIN_VIDEO_SECONDS - BACKGROUND_LEARNING_SECONDS - 1:
            raise Skip(
                f"the video is shorter than {MIN_VIDEO_SECONDS:.0f} s, which is too short to learn what is normal"
            )
        if self._moving_frames > MAX_MOVING_CAMERA_SHARE * len(times):
            raise Skip("the camera moves; anomalies are detected only before a static camera")
        cue_scores = anomaly_scores(self._objects)
        object_scores = np.hypot(*np.maximum(cue_scores, 0)) if self._objects else np.zeros(0)
        scores = scores_over_time(times, np.array([moving.time for moving in self._objects]), object_scores)
        events, tracks = self._events_and_tracks(times, scores, cue_scores, object_scores)
        features = {"anomalies.times": times, "anomalies.scores": scores.astype(np.float32)}
        features["anomalies.moving"] = np.array(self._moving_shares, np.float32)
        return TaskResult(events=events, tracks=tracks, features=features, report=self._report())

    def _process_sample(self, small: Frame, large: Pixels) -> None:
        """Update the background model and describe the foreground objects."""
        time = float(small.time)
        regions = self._background.apply(small.pixels)
        self._start_time = time if self._start_time is None else self._start_time
        if time - self._start_time < BACKGROUND_LEARNING_SECONDS:
            return
        self._times.append(time)
        self._moving_shares.append(regions.moving)
        self._moving_frames += not regions.still
        if regions.still and len(regions.boxes) and len(self._times) % self._sample_stride == 0:
            flow = optical_flow(self._previous, small.pixels) * FRAME_RATE
            for box in regions.boxes:
                self._objects.append(self._describe(time, box, large, flow, regions.mask))
            self._thin_out()

    def _describe(
        self, time: float, box: Float64Array, large: Pixels, flow: Float64Array, mask: UInt8Array
    ) -> MovingObject:
        self._inferences += 1
        embedding = self._net(crop_box(large, box * self._zoom, self._net.card.size or (224, 224))[None])[0][0]
        motion = direction_histogram(flow, mask, box)
        normalized = embedding / max(float(np.linalg.norm(embedding)), 1e-9)
        return MovingObject(time, box * self._scale, normalized.astype(np.float16), motion)

    def _thin_out(self) -> None:
        """Drop the objects of every second sample if there are too many, and halve the sampling rate from now on."""
        if len(self._objects) > MAX_OBJECTS:
            remaining_times = set(sorted({moving.time for moving in self._objects})[::2])
            self._objects = [moving for moving in self._objects if moving.time in remaining_times]
            self._sample_stride *= 2

    def _events_and_tracks(
        self, times: Float64Array, scores: Float64Array, cue_scores: Float64Array, object_scores: Float64Array
    ) -> tuple[list[Event], list[Track]]:
        """Return the events by descending score, and the strongest object of each as a track."""
        events, tracks = [], []
        for rank, (first, stop) in enumerate(find_peaks(scores, MIN_PEAK_SCORE, EVENT_EDGE_SHARE), 1):
            surprise = float(scores[first:stop].max())
            inside = [i for i, moving in enumerate(self._objects) if times[first] <= moving.time <= times[stop - 1]]
            seed = max(inside, key=lambda i: object_scores[i])
            label = "odd appearance" if cue_scores[0, seed] >= cue_scores[1, seed] else "odd motion"
            score = surprise / (1 + surprise)
            track = track_object([self._objects[i] for i in inside], self._objects[seed])
            extra = {"rank": rank, "surprise": round(surprise, 3), "track": rank}
            events.append(Event(self.name, times[first], times[stop - 1], label, score, extra=extra))
            tracks.append(Track(rank, self.name, label, score, track))
        return events, tracks

    def _report(self) -> TaskReport:
        card = self._net.card
        extra: dict[str, Any] = {"inferences": self._inferences}
        return TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence, extra=extra)


def optical_flow(previous: Pixels | None, current: Pixels) -> Float64Array:
    """Return the displacement in pixels, right and down, (H, W, 2) of each pixel of a frame (H, W, C).

    Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003.

    Args:
        previous: the frame before, (H, W, C); None gives zeros.
        current: (H, W, C).
    """
    if previous is None:
        return np.zeros((*current.shape[:2], 2))
    first, second = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (previous, current))
    start = np.zeros((*current.shape[:2], 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 3, 15, 3, 5, 1.2, 0), np.float64)


def direction_histogram(flow: Float64Array, mask: UInt8Array, box: Float64Array) -> Float32Array:
    """Return the speed of an object in each of eight directions (8,), clockwise from the right.

    Args:
        flow: (H, W, 2) pixels per second.
        mask: (H, W), above 0 at foreground pixels.
        box: (4,) of the object.

    Returns:
        Square roots of its mean speeds in sizes per second, the size being the longer side of the box: distant objects
            are
        comparable with near ones, and twice the speed is not twice as anomalous.
    """
    x1, y1, x2, y2 = box.astype(int)
    moved = flow[y1:y2, x1:x2][mask[y1:y2, x1:x2] > 0]
    turns = np.arctan2(moved[:, 1], moved[:, 0]) / (2 * np.pi)
    bins = np.floor(turns * 8 + 0.5).astype(np.int64) % 8
    sums = np.bincount(bins, np.linalg.norm(moved, axis=1), minlength=8)
    return np.asarray(np.sqrt(sums / max(1, len(moved)) / max(x2 - x1, y2 - y1, 1)), np.float32)


def crop_box(pixels: Pixels, box: Float64Array, size: tuple[int, int], margin: float = 0.15) -> Pixels:
    """Crop a box with a margin from a frame (H, W, C), stretched to ``size`` (width, height)."""
    padding = margin * float(max(box[2] - box[0], box[3] - box[1]))
    height, width = pixels.shape[:2]
    x1, y1 = max(0, int(box[0] - padding)), max(0, int(box[1] - padding))
    x2, y2 = min(width, round(box[2] + padding)), min(height, round(box[3] + padding))
    return np.asarray(cv2.resize(pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], size), np.uint8)


def anomaly_scores(objects: list[MovingObject]) -> Float64Array:
    """Return the scores (2, N) of appearance and motion of each object: 0 at the median, 1 at the 90th percentile."""
    if not objects:
        return np.zeros((2, 0))
    times = np.array([moving.time for moving in objects])
    descriptors = (np.stack([moving.embedding for moving in objects]), np.stack([moving.motion for moving in objects]))
    return np.stack([_standard(neighbor_distances(rows.astype(np.float32), times)) for rows in descriptors])


def neighbor_distances(rows: Float32Array, times: Float64Array) -> Float64Array:
    """Return the distance (N,) of each row (N, D) to its third nearest neighbor at other times; 0 without any."""
    bank_indices = np.unique(np.linspace(0, len(rows) - 1, min(MAX_BANK_OBJECTS, len(rows))).astype(np.int64))
    bank_rows, lengths = rows[bank_indices], (rows[bank_indices] ** 2).sum(1)
    out = np.zeros(len(rows))
    for start in range(0, len(rows), 1024):
        chunk = rows[start : start + 1024]
        squares = (chunk**2).sum(1)[:, None] + lengths[None] - 2 * chunk @ bank_rows.T
        squares[np.abs(times[start : start + 1024, None] - times[bank_indices][None]) < EXCLUDED_SECONDS] = np.inf
        if squares.shape[1] >= NEIGHBOR_RANK:
            out[start : start + 1024] = np.partition(squares, NEIGHBOR_RANK - 1, axis=1)[:, NEIGHBOR_RANK - 1]
    return np.sqrt(np.where(np.isfinite(out), np.maximum(out, 0), 0))


def _standard(distances: Float64Array) -> Float64Array:
    """Return the distances on a scale with the median at 0 and the 90th percentile at 1: ratios count, not units."""
    logs = np.log(distances + 1e-6)
    usual, rare = np.percentile(logs, (50, 90))
    return np.asarray((logs - usual) / max(rare - usual, 1e-6))


def scores_over_time(times: Float64Array, object_times: Float64Array, object_scores: Float64Array) -> Float64Array:
    """Return the score of each moment (N,): that of its strongest object, averaged over neighboring moments.

    Args:
        times: (N,) seconds of the moments.
        object_times: (M,) seconds of the objects, each one of ``times``.
        object_scores: (M,).
    """
    highest = np.zeros(len(times))
    np.maximum.at(highest, np.searchsorted(times, object_times), object_scores)
    return np.convolve(highest, np.full(SMOOTHING_SAMPLES, 1 / SMOOTHING_SAMPLES), "same")


def track_object(objects: list[MovingObject], seed: MovingObject) -> Float64Array:
    """Return the boxes (T, 6) of an object, tracked backward and forward from the moment of its highest score."""
    later = _chain(seed, [moving for moving in objects if moving.time > seed.time])
    earlier = _chain(seed, [moving for moving in reversed(objects) if moving.time < seed.time])
    chain = [*reversed(earlier), seed, *later]
    return np.array([[moving.time, *moving.box, 1.0] for moving in chain])


def _chain(last: MovingObject, objects: list[MovingObject]) -> list[MovingObject]:
    """Return the objects that each overlap the previous one the most, one per sample, in the order given."""
    chain: list[MovingObject] = []
    by_time: dict[float, list[MovingObject]] = {}
    for moving in objects:
        by_time.setdefault(moving.time, []).append(moving)
    for candidates in by_time.values():
        overlaps = iou(last.box[None], np.stack([moving.box for moving in candidates]))[0]
        if overlaps.max() < MIN_TRACK_IOU:
            break
        last = candidates[int(overlaps.argmax())]
        chain.append(last)
    return chain
