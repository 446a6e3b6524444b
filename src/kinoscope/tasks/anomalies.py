"""What is odd before a camera that stands still, without being told what: what looks or moves like nothing else there.

The video is its own normal. Each thing that moves is described by what it looks like (EfficientNet-Lite0) and by how it
moves (speed in its own sizes a second, in eight directions), and is as odd as it is far from its nearest likes at other
times. Reiss & Hoshen, "Attribute-based Representations for Accurate and Interpretable Video Anomaly Detection", 2022,
show that such simple descriptions of each object do better than learned ones of the whole picture; theirs know people's
poses, ours any moving thing, and ours need no other video to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from kinoscope.core.arrays import Float16Array, Float32Array, Float64Array, UInt8Array
from kinoscope.core.boxes import iou
from kinoscope.core.media import Audio, Frame, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track
from kinoscope.imaging.background import BackgroundModel
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.signal.peaks import find_peaks

FRAME_RATE, SAMPLE_INTERVAL_FRAMES = 10.0, 2
"""Pictures a second, and of how many each is looked at; the one before tells how it moves."""
MOTION_FRAME_SIDE, CROP_FRAME_SIDE = 384, 768
"""Longer sides in pixels of the pictures in which things are found, and of those from which they are cut."""
BACKGROUND_LEARNING_SECONDS = 3.0
"""Seconds in which the background is learned, and nothing is told."""
EXCLUDED_SECONDS = 12.0
"""Seconds around a moment that are no measure of what is usual: an odd thing resembles itself."""
MIN_VIDEO_SECONDS = 30.0
"""Seconds of video without which nothing can be called usual."""
NEIGHBOR_RANK = 3
"""The how-manieth nearest counts: what came twice may still be odd."""
MAX_OBJECTS, MAX_BANK_OBJECTS = 20_000, 5_000
"""Things remembered, and of these how many others are compared with."""
MAX_MOVING_CAMERA_SHARE = 0.1
"""Share of the pictures that may move as a whole."""
SMOOTHING_SAMPLES = 7
"""Looks over which the score is averaged: what flickers up once is noise of the background."""
MIN_PEAK_SCORE, EVENT_EDGE_SHARE = 1.2, 0.6
"""Score at the peak of an event, and the share of it down to which the event lasts."""
MIN_TRACK_IOU = 0.2
"""Overlap of one thing's boxes from look to look."""


@dataclass(frozen=True, slots=True)
class MovingObject:
    """A thing that moves, in one picture.

    Attributes:
        time: in seconds. box: (4,) x1, y1, x2, y2 in pixels of the displayed picture.
        look: (D,) float16, of length 1. motion: (8,) float32, mean speed by direction, square roots of sizes a second.
    """

    time: float
    box: Float64Array
    look: Float16Array
    motion: Float32Array


class Anomalies:
    """Ranks what happens before a camera that stands still by how odd it is.

    Scores: 0 for what is as usual as the median thing, 1 for the tenth part that is least so; averaged over a second
    and a half. Events: label ``odd look`` or ``odd motion``, the higher of the two; ``score`` is s / (1 + s) of the
    highest score s; ``extra``: ``rank`` from 1, ``surprise`` (s), ``track``. Tracks: the oddest thing of each event.
    Features: ``anomalies.times`` (N,) float64 seconds, ``anomalies.scores`` and ``anomalies.moving`` (the share of the
    picture that moves), (N,) float32.
    """

    name = "anomalies"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._background = BackgroundModel()
        self._before: Pixels | None = None
        self._first: float | None = None
        self._times: list[float] = []
        self._shares: list[float] = []
        self._things: list[MovingObject] = []
        self._turn, self._thin, self._restless, self._looks = 0, 1, 0, 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for ten pictures a second, in two sizes.

        Raises:
            Skip: there is no picture, or the video is too short.
        """
        if not info.width:
            raise Skip("no picture")
        if info.duration is not None and info.duration < MIN_VIDEO_SECONDS:
            raise Skip(
                f"the video is shorter than {MIN_VIDEO_SECONDS:.0f} s, which is too little to know what is usual"
            )
        self._net = load("scenes", self.model, self.device, threads=self.threads)
        self._scale = info.width / info.fit(MOTION_FRAME_SIDE)[0]
        self._zoom = info.fit(CROP_FRAME_SIDE)[0] / info.fit(MOTION_FRAME_SIDE)[0]
        return Needs(sizes=(info.fit(MOTION_FRAME_SIDE), info.fit(CROP_FRAME_SIDE)), rate=FRAME_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Describe what moves in every other picture."""
        for small, large in zip(*batches, strict=True):
            if self._turn % SAMPLE_INTERVAL_FRAMES == SAMPLE_INTERVAL_FRAMES - 1:
                self._see(small, large.pixels)
            self._turn, self._before = self._turn + 1, small.pixels

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Compare everything with everything, and rank what stands out.

        Raises:
            Skip: the camera moves, or there is too little to compare with.
        """
        times = np.array(self._times)
        if len(times) < 2 or times[-1] - times[0] < MIN_VIDEO_SECONDS - BACKGROUND_LEARNING_SECONDS - 1:
            raise Skip(
                f"the video is shorter than {MIN_VIDEO_SECONDS:.0f} s, which is too little to know what is usual"
            )
        if self._restless > MAX_MOVING_CAMERA_SHARE * len(times):
            raise Skip("the camera moves; what is odd can be told only before one that stands still")
        aspects = anomaly_scores(self._things)
        odd = np.hypot(*np.maximum(aspects, 0)) if self._things else np.zeros(0)
        scores = scores_over_time(times, np.array([thing.time for thing in self._things]), odd)
        events, tracks = self._tell(times, scores, aspects, odd)
        features = {"anomalies.times": times, "anomalies.scores": scores.astype(np.float32)}
        features["anomalies.moving"] = np.array(self._shares, np.float32)
        return TaskResult(events=events, tracks=tracks, features=features, report=self._report())

    def _see(self, small: Frame, large: Pixels) -> None:
        """Learn the background, and describe what is not."""
        time = float(small.time)
        regions = self._background.apply(small.pixels)
        self._first = time if self._first is None else self._first
        if time - self._first < BACKGROUND_LEARNING_SECONDS:
            return
        self._times.append(time)
        self._shares.append(regions.moving)
        self._restless += not regions.still
        if regions.still and len(regions.boxes) and len(self._times) % self._thin == 0:
            flow = optical_flow(self._before, small.pixels) * FRAME_RATE
            for box in regions.boxes:
                self._things.append(self._describe(time, box, large, flow, regions.mask))
            self._make_room()

    def _describe(
        self, time: float, box: Float64Array, large: Pixels, flow: Float64Array, mask: UInt8Array
    ) -> MovingObject:
        self._looks += 1
        look = self._net(crop_box(large, box * self._zoom, self._net.card.size or (224, 224))[None])[0][0]
        motion = direction_histogram(flow, mask, box)
        unit = look / max(float(np.linalg.norm(look)), 1e-9)
        return MovingObject(time, box * self._scale, unit.astype(np.float16), motion)

    def _make_room(self) -> None:
        """Let every second look's things go when there are too many, and look half as often from now on."""
        if len(self._things) > MAX_OBJECTS:
            kept = set(sorted({thing.time for thing in self._things})[::2])
            self._things = [thing for thing in self._things if thing.time in kept]
            self._thin *= 2

    def _tell(
        self, times: Float64Array, scores: Float64Array, aspects: Float64Array, odd: Float64Array
    ) -> tuple[list[Event], list[Track]]:
        """Give the events, the oddest first, and the oddest thing of each as a track."""
        events, tracks = [], []
        for rank, (first, past) in enumerate(find_peaks(scores, MIN_PEAK_SCORE, EVENT_EDGE_SHARE), 1):
            surprise = float(scores[first:past].max())
            inside = [i for i, thing in enumerate(self._things) if times[first] <= thing.time <= times[past - 1]]
            oddest = max(inside, key=lambda i: odd[i])
            label = "odd look" if aspects[0, oddest] >= aspects[1, oddest] else "odd motion"
            score = surprise / (1 + surprise)
            track = track_object([self._things[i] for i in inside], self._things[oddest])
            extra = {"rank": rank, "surprise": round(surprise, 3), "track": rank}
            events.append(Event(self.name, times[first], times[past - 1], label, score, extra=extra))
            tracks.append(Track(rank, self.name, label, score, track))
        return events, tracks

    def _report(self) -> TaskReport:
        card = self._net.card
        extra: dict[str, Any] = {"inferences": self._looks}
        return TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence, extra=extra)


def optical_flow(before: Pixels | None, now: Pixels) -> Float64Array:
    """Give how each pixel of a picture (H, W, C) moved since the one before, (H, W, 2) pixels to the right and down.

    Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003.
    """
    if before is None:
        return np.zeros((*now.shape[:2], 2))
    first, second = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (before, now))
    start = np.zeros((*now.shape[:2], 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 3, 15, 3, 5, 1.2, 0), np.float64)


def direction_histogram(flow: Float64Array, mask: UInt8Array, box: Float64Array) -> Float32Array:
    """Give the speed of a thing in each of eight directions (8,), clockwise from the right.

    Args:
        flow: (H, W, 2) pixels a second. mask: (H, W), above 0 where something moves. box: (4,) of the thing.

    Returns:
        Square roots of its mean speeds in sizes a second, the size being the box's longer side: far things are
        compared with near ones, and a twice as fast walk is not twice as odd.
    """
    x1, y1, x2, y2 = box.astype(int)
    moved = flow[y1:y2, x1:x2][mask[y1:y2, x1:x2] > 0]
    turns = np.arctan2(moved[:, 1], moved[:, 0]) / (2 * np.pi)
    bins = np.floor(turns * 8 + 0.5).astype(np.int64) % 8
    sums = np.bincount(bins, np.linalg.norm(moved, axis=1), minlength=8)
    return np.asarray(np.sqrt(sums / max(1, len(moved)) / max(x2 - x1, y2 - y1, 1)), np.float32)


def crop_box(pixels: Pixels, box: Float64Array, size: tuple[int, int], margin: float = 0.15) -> Pixels:
    """Cut a box with a margin out of a picture (H, W, C), stretched to a size."""
    around = margin * float(max(box[2] - box[0], box[3] - box[1]))
    height, width = pixels.shape[:2]
    x1, y1 = max(0, int(box[0] - around)), max(0, int(box[1] - around))
    x2, y2 = min(width, round(box[2] + around)), min(height, round(box[3] + around))
    return np.asarray(cv2.resize(pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], size), np.uint8)


def anomaly_scores(things: list[MovingObject]) -> Float64Array:
    """Give how odd each thing looks and moves, (2, N): 0 as the median one, 1 as the tenth part that is oddest."""
    if not things:
        return np.zeros((2, 0))
    times = np.array([thing.time for thing in things])
    described = (np.stack([thing.look for thing in things]), np.stack([thing.motion for thing in things]))
    return np.stack([_standard(neighbor_distances(rows.astype(np.float32), times)) for rows in described])


def neighbor_distances(rows: Float32Array, times: Float64Array) -> Float64Array:
    """Give the distance (N,) of each row (N, D) to its third nearest at other times; 0 where there are too few."""
    bank = np.unique(np.linspace(0, len(rows) - 1, min(MAX_BANK_OBJECTS, len(rows))).astype(np.int64))
    others, lengths = rows[bank], (rows[bank] ** 2).sum(1)
    out = np.zeros(len(rows))
    for start in range(0, len(rows), 1024):
        part = rows[start : start + 1024]
        squares = (part**2).sum(1)[:, None] + lengths[None] - 2 * part @ others.T
        squares[np.abs(times[start : start + 1024, None] - times[bank][None]) < EXCLUDED_SECONDS] = np.inf
        if squares.shape[1] >= NEIGHBOR_RANK:
            out[start : start + 1024] = np.partition(squares, NEIGHBOR_RANK - 1, axis=1)[:, NEIGHBOR_RANK - 1]
    return np.sqrt(np.where(np.isfinite(out), np.maximum(out, 0), 0))


def _standard(distances: Float64Array) -> Float64Array:
    """Give distances on a scale on which the median is 0 and nine in ten lie under 1: ratios count, not units."""
    logs = np.log(distances + 1e-6)
    usual, rare = np.percentile(logs, (50, 90))
    return np.asarray((logs - usual) / max(rare - usual, 1e-6))


def scores_over_time(times: Float64Array, seen: Float64Array, odd: Float64Array) -> Float64Array:
    """Give the score of each moment (N,): that of the oddest thing in it, averaged over its neighbours."""
    highest = np.zeros(len(times))
    np.maximum.at(highest, np.searchsorted(times, seen), odd)
    return np.convolve(highest, np.full(SMOOTHING_SAMPLES, 1 / SMOOTHING_SAMPLES), "same")


def track_object(things: list[MovingObject], oddest: MovingObject) -> Float64Array:
    """Give the boxes (T, 6) of one thing, backward and forward from where it is the oddest."""
    later = _chain(oddest, [thing for thing in things if thing.time > oddest.time])
    earlier = _chain(oddest, [thing for thing in reversed(things) if thing.time < oddest.time])
    chain = [*reversed(earlier), oddest, *later]
    return np.array([[thing.time, *thing.box, 1.0] for thing in chain])


def _chain(last: MovingObject, things: list[MovingObject]) -> list[MovingObject]:
    """Give the things that one after the other overlap the last most, in the order of the looks."""
    chain: list[MovingObject] = []
    by_time: dict[float, list[MovingObject]] = {}
    for thing in things:
        by_time.setdefault(thing.time, []).append(thing)
    for found in by_time.values():
        overlaps = iou(last.box[None], np.stack([thing.box for thing in found]))[0]
        if overlaps.max() < MIN_TRACK_IOU:
            break
        last = found[int(overlaps.argmax())]
        chain.append(last)
    return chain
