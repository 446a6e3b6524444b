"""Multi-object tracking: detections at some times in, boxes at every frame's time out.

A ``Tracker`` holds the tracks: it predicts where each is, calls an association strategy (see ``association``) to assign
detections to tracks, begins tracks and ends them. At the end each track is smoothed and interpolated through all
frames, see ``kalman``. If the camera moves, ``warp`` moves the tracks with it. Detections may have appearance vectors.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.boxes import clip
from kinoscope.core.media import Size
from kinoscope.core.results import Boxes
from kinoscope.tasks.tracking.association import AssociationInput, Strategy, buffered
from kinoscope.tasks.tracking.kalman import BoxKalmanFilter, interpolate_boxes, to_centre, to_corners, warp_boxes
from kinoscope.views.timeline import Timeline

DIRECTION_LOOKBACK = 3
"""Detections before the last one from which the direction of motion is measured."""

MAX_STORED_DETECTIONS = 100
"""Detections stored per track if the history is discarded, see ``Tracker.discard_finished``."""

APPEARANCE_MOMENTUM = 0.9
"""Weight of the previous appearance vector when a new one is averaged in."""

MIN_GAP_SECONDS, GAP_FRAMES = 1.5, 2.5
"""Seconds, and processed frames, without detections for which a track is continued: the longer of the two."""


@dataclass(slots=True)
class Tracklet:
    """One tracked object: its detections and its current motion.

    Attributes:
        id: counted from 0 in the order in which tracks begin.
        motion: the state at the last detection; None in a part that was split off.
        rows: its detections, six numbers each: time in seconds, x1, y1, x2, y2 in pixels, score.
        votes: total score of each label.
        recent: (up to ``DIRECTION_LOOKBACK`` + 1, 4) its last boxes, in the coordinates of the current frame.
        appearance: (D,) unit vector; None if none is given.
    """

    id: int
    motion: BoxKalmanFilter | None = None
    rows: array[float] = field(default_factory=lambda: array("d"))
    votes: dict[int, float] = field(default_factory=dict)
    recent: Float64Array = field(default_factory=lambda: np.zeros((0, 4)))
    appearance: Float64Array | None = None

    def add(
        self, time: float, box: Float64Array, score: float, label: int, appearance: Float64Array | None = None
    ) -> None:
        """Add a detection."""
        self.motion = self.motion.predict(time).correct(box) if self.motion else BoxKalmanFilter.begin(time, box)
        self.rows.extend((time, *box.tolist(), score))
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.recent = np.vstack([self.recent[-DIRECTION_LOOKBACK:], box])
        if appearance is not None:
            mean = (
                appearance
                if self.appearance is None
                else APPEARANCE_MOMENTUM * self.appearance + (1 - APPEARANCE_MOMENTUM) * appearance
            )
            self.appearance = mean / max(float(np.linalg.norm(mean)), 1e-9)

    def warp(self, affine: Float64Array) -> None:
        """Move it with the camera: ``affine`` (2, 3) maps from the previous frame to the current one."""
        self.recent = to_corners(warp_boxes(to_centre(self.recent), affine))
        if self.motion:
            self.motion = self.motion.warp(affine)

    def __len__(self) -> int:
        return len(self.rows) // 6

    @property
    def detections(self) -> Boxes:
        """The detections, (N, 6): time, box, score."""
        return np.array(self.rows).reshape(-1, 6)

    @property
    def start(self) -> float:
        """Time of the first detection in seconds."""
        return self.rows[0]

    @property
    def end(self) -> float:
        """Time of the last detection in seconds."""
        return self.rows[-6]

    @property
    def label(self) -> int:
        """The label with the highest total score."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def score(self) -> float:
        """Mean score of the better half of the detections: moments of low score do not make an object doubtful."""
        ranked = np.sort(self.detections[:, 5])[::-1]
        return float(ranked[: (len(ranked) + 1) // 2].mean())

    def interpolate(self, times: Float64Array, frame_size: Size) -> Boxes:
        """Return its boxes at all frames from its first to its last detection.

        Args:
            times: of all frames, in seconds.
            frame_size: width and height in pixels, to which boxes are clipped.

        Returns:
            (N, 6) time, smoothed box and score at each of those frames.
        """
        detections = self.detections
        at = times[(times >= self.start) & (times <= self.end)]
        corners = clip(interpolate_boxes(detections[:, 0], detections[:, 1:5], at), *frame_size)
        return np.column_stack([at, corners, np.interp(at, detections[:, 0], detections[:, 5])])

    def split(self, cuts: Sequence[float]) -> list[Tracklet]:
        """Split it at those of the times ``cuts`` in seconds that lie between its detections."""
        detections = self.detections
        parts = np.split(detections, np.unique(np.searchsorted(detections[:, 0], cuts)))
        return [Tracklet(self.id, None, array("d", part.ravel()), self.votes) for part in parts if len(part)]


class Tracker:
    """Assigns detections to tracks from frame to frame.

    Args:
        high_score: score from which a detection may begin a track; below it, it may only continue one.
        max_gap: seconds for which a track without detections is continued.
        other_label: factor on the overlap of two boxes with different labels; 0 forbids such pairs.
        strategy: assigns detections to tracks, see ``association``.
    """

    def __init__(
        self,
        high_score: float = 0.5,
        max_gap: float = MIN_GAP_SECONDS,
        other_label: float = 0.5,
        strategy: Strategy = buffered,
    ) -> None:
        self.high_score, self.max_gap, self.other_label, self.strategy = high_score, max_gap, other_label, strategy
        self.live: list[Tracklet] = []
        self._finished: list[Tracklet] = []
        self._next_id = 0
        self._time = -np.inf

    def update(
        self,
        time: float,
        boxes: Float64Array,
        scores: Float64Array,
        labels: Int64Array | None = None,
        appearance: Float64Array | None = None,
    ) -> Int64Array:
        """Assign all detections of one frame.

        Args:
            time: of the frame, in seconds. A frame that is not later than the last is ignored.
            boxes: (N, 4).
            scores: (N,).
            labels: (N,); None if all are of one class.
            appearance: (N, D) unit vectors; None to use positions alone.

        Returns:
            (N,) the id of the track of each detection, -1 for none.
        """
        ids = np.full(len(boxes), -1, np.int64)
        if time <= self._time:
            return ids
        self._time = time
        self._end_lost(time)
        labels = np.zeros(len(boxes), np.int64) if labels is None else labels
        association, tracks = self._association_input(time, boxes, scores, labels, appearance), list(self.live)
        pairs = [(number, tracks[track]) for number, track in self.strategy(association)]
        pairs += [
            (number, self._begin()) for number in np.flatnonzero(association.confident & association.free).tolist()
        ]
        for number, tracklet in pairs:
            vector = None if appearance is None else appearance[number]
            tracklet.add(time, boxes[number], float(scores[number]), int(labels[number]), vector)
            ids[number] = tracklet.id
        return ids

    def warp(self, affine: Float64Array) -> None:
        """Move all active tracks with the camera.

        Args:
            affine: (2, 3) from the frame of the last ``update`` to that of the next, see ``imaging.camera_motion``.
        """
        for tracklet in self.live:
            tracklet.warp(affine)

    def predict(self, time: float) -> Float64Array:
        """Return the box (N, 4) predicted for each active track at ``time`` in seconds."""
        states = [t.motion.state[:, 0] + t.motion.state[:, 1] * (time - t.end) for t in self.live if t.motion]
        return to_corners(np.array(states).reshape(-1, 4))

    def end_all(self) -> None:
        """End all tracks: the next frame is of another scene."""
        self._finished += self.live
        self.live = []

    def pop_finished(self) -> list[Tracklet]:
        """Return the tracks that have ended since the last call, in the order in which they began, and remove them."""
        finished, self._finished = sorted(self._finished, key=lambda t: t.id), []
        return finished

    def discard_finished(self) -> None:
        """Drop the tracks that have ended, and all but the last detections of the others."""
        self._finished = []
        for tracklet in self.live:
            if len(tracklet) > 2 * MAX_STORED_DETECTIONS:
                del tracklet.rows[: -6 * MAX_STORED_DETECTIONS]

    def finish(self) -> list[Tracklet]:
        """End all tracks and return those that ``pop_finished`` has not returned, in the order in which they began."""
        self.end_all()
        return self.pop_finished()

    def _end_lost(self, time: float) -> None:
        self._finished += [t for t in self.live if time - t.end > self.max_gap]
        self.live = [t for t in self.live if time - t.end <= self.max_gap]

    def _association_input(
        self,
        time: float,
        boxes: Float64Array,
        scores: Float64Array,
        labels: Int64Array,
        appearance: Float64Array | None,
    ) -> AssociationInput:
        same_label = labels[:, None] == np.array([t.label for t in self.live], np.int64)[None, :]
        last, before = (np.array([t.recent[i] for t in self.live]).reshape(-1, 4) for i in (-1, 0))
        similarity = None
        if appearance is not None:
            zeros = np.zeros(appearance.shape[1])
            similarity = (
                appearance
                @ np.array([zeros if t.appearance is None else t.appearance for t in self.live])
                .reshape(-1, len(zeros))
                .T
            )
        allowed = np.where(same_label, 1.0, self.other_label)
        return AssociationInput(
            boxes, scores, scores >= self.high_score, self.predict(time), last, before, allowed, similarity
        )

    def _begin(self) -> Tracklet:
        self.live.append(Tracklet(self._next_id))
        self._next_id += 1
        return self.live[-1]


def gap_seconds(rate: float) -> float:
    """Return the seconds for which a track without detections is continued, at ``rate`` processed frames per second."""
    return max(MIN_GAP_SECONDS, GAP_FRAMES / rate)


def hard_cuts(timeline: Timeline) -> list[float]:
    """Return the times of the hard cuts that the task ``shots`` found, in seconds; no track continues across one."""
    return [event.start for event in timeline.events("shots") if event.extra.get("transition") == "cut"]


@dataclass(frozen=True, slots=True)
class TrackFilter:
    """The minimum that a reported track must have.

    Attributes:
        count: minimum number of detections.
        seconds: minimum time from the first to the last.
        score: minimum score of the track.
    """

    count: int
    seconds: float
    score: float

    def __call__(self, tracklet: Tracklet) -> bool:
        """Return whether a track passes the filter."""
        return (
            len(tracklet) >= self.count
            and tracklet.end - tracklet.start >= self.seconds
            and tracklet.score >= self.score
        )
