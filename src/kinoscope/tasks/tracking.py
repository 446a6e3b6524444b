"""Multi-object tracking: detections at some times in, boxes at every frame's time out.

The association follows ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022) over SORT's motion model (Bewley et al., "Simple Online and Realtime Tracking",
ICIP 2016): sure detections are matched first, doubtful ones only continue tracks that are already there.
Three things differ, because detections come a few times a second and at uneven times:

- The Kalman filter works in seconds, so any spacing of detections will do.
- What is left after the first two rounds is matched once more with widened boxes (Yang et al., "Hard to Track
  Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space", WACV 2023):
  between two looks a small object may leave its own box.
- At the end each track is smoothed backwards (Rauch, Tung, Striebel, 1965) and drawn through all frames. Between two
  smoothed states the mean of a constant-velocity model with white acceleration is the cubic that meets both
  positions and velocities, so the curve is exact for the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import linear_sum_assignment

from kinoscope.core.boxes import BoxArray, Floats, iou
from kinoscope.core.results import Boxes

Array = NDArray[np.float64]

# Noise is relative to the object's size, so a far object is followed like a near one, and the filter's gain depends
# on times alone. Order: centre x, centre y, width, height. Chosen on the TUD sequences of MOTChallenge at 4-25
# detections a second; half or twice of any value moves HOTA by about a point.
MEASURED = np.array([0.07, 0.07, 0.1, 0.1]) ** 2  # variance of a detection, in sizes squared
WANDER = np.array([0.5, 0.5, 0.1, 0.1]) ** 2  # how the velocity of it changes, in (sizes / s)^2 per second
UNKNOWN = np.array([1.0, 1.0, 0.1, 0.1]) ** 2  # variance of the velocity of a new object, in (sizes / s)^2


def to_centre(boxes: BoxArray) -> Array:
    """Turn (..., x1 y1 x2 y2) into (..., centre x, centre y, width, height)."""
    low, high = boxes[..., :2], boxes[..., 2:4]
    return np.concatenate([(low + high) / 2, high - low], axis=-1).astype(np.float64)


def to_corners(centred: Array) -> Array:
    """Turn (..., centre x, centre y, width, height) into (..., x1 y1 x2 y2); no side is under one pixel."""
    half = np.maximum(centred[..., 2:], 1) / 2
    return np.concatenate([centred[..., :2] - half, centred[..., :2] + half], axis=-1)


@dataclass(slots=True)
class Motion:
    """A Kalman filter with constant velocity over each of a box's four coordinates.

    Attributes:
        time: of the state, in seconds.
        state: (4, 2) value and velocity, in pixels and pixels per second.
        covariance: (4, 2, 2), in units of the object's size.
    """

    time: float
    state: Array
    covariance: Array

    @classmethod
    def begin(cls, time: float, box: BoxArray) -> Motion:
        """Start at rest at a first box (4,)."""
        covariance = np.zeros((4, 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = MEASURED, UNKNOWN
        return cls(time, np.stack([to_centre(box), np.zeros(4)], axis=1), covariance)

    def predict(self, time: float) -> Motion:
        """Give the state expected at a later time."""
        dt = time - self.time
        move = np.array([[1, dt], [0, 1]])
        spread = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        covariance = move @ self.covariance @ move.T + WANDER[:, None, None] * spread
        return Motion(time, self.state @ move.T, covariance)

    def correct(self, box: BoxArray) -> Motion:
        """Take in a box (4,) seen at the state's own time."""
        gain = self.covariance[:, :, 0] / (self.covariance[:, 0, 0] + MEASURED)[:, None]
        state = self.state + gain * (to_centre(box) - self.state[:, 0])[:, None]
        return Motion(self.time, state, self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :])


@dataclass(slots=True)
class Tracklet:
    """One object as the tracker saw it: its detections and its present motion.

    Attributes:
        id: counted from 0 in order of birth.
        times: of its detections, in seconds.
        boxes: its detections' boxes, each (4,).
        scores: of its detections.
        votes: score behind each label.
        motion: the state at the last detection.
    """

    id: int
    motion: Motion
    times: list[float] = field(default_factory=list)
    boxes: list[Floats] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    votes: dict[int, float] = field(default_factory=dict)

    def add(self, time: float, box: Floats, score: float, label: int) -> None:
        """Take in a detection."""
        if self.times:
            self.motion = self.motion.predict(time).correct(box)
        self.times.append(time)
        self.boxes.append(box)
        self.scores.append(score)
        self.votes[label] = self.votes.get(label, 0.0) + score

    @property
    def label(self) -> int:
        """The label with the most score behind it."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def score(self) -> float:
        """Mean score of the better half of the detections: doubtful moments do not make an object doubtful."""
        best = sorted(self.scores, reverse=True)
        return float(np.mean(best[: (len(best) + 1) // 2]))

    def through(self, times: Array) -> Boxes:
        """Give smoothed boxes at each of ``times`` from the first to the last detection, (N, 6) with time and score."""
        at = times[(times >= self.times[0]) & (times <= self.times[-1])]
        corners = to_corners(_curve(self.times, np.array(self.boxes), at))
        return np.column_stack([at, corners, np.interp(at, self.times, self.scores)])


def _curve(times: Sequence[float], boxes: BoxArray, at: Array) -> Array:
    """Draw a track's detections (T, 4) through the times ``at``: (N, 4), centre and size."""
    states = smooth(times, boxes)
    if len(times) == 1:
        return np.repeat(states[:, :, 0], len(at), axis=0)
    return np.asarray(CubicHermiteSpline(times, states[..., 0], states[..., 1])(at))


def smooth(times: Sequence[float], boxes: BoxArray) -> Array:
    """Estimate position and velocity at each detection from all detections, earlier and later.

    Args:
        times: (T,) seconds, increasing.
        boxes: (T, 4).

    Returns:
        (T, 4, 2): centre x, centre y, width, height; value and velocity per second.
    """
    expected: list[Motion] = []
    filtered = [Motion.begin(times[0], boxes[0])]
    for time, box in zip(times[1:], boxes[1:], strict=True):
        expected.append(filtered[-1].predict(time))
        filtered.append(expected[-1].correct(box))
    states = [filtered[-1].state]
    for past, ahead in zip(filtered[-2::-1], expected[::-1], strict=True):
        move = np.array([[1, ahead.time - past.time], [0, 1]])
        gain = past.covariance @ move.T @ np.linalg.inv(ahead.covariance)
        states.append(past.state + (gain @ (states[-1] - ahead.state)[:, :, None])[:, :, 0])
    return np.stack(states[::-1])


class Tracker:
    """Follow objects from detection to detection.

    Args:
        high: score from which a detection may begin a track; under it, it may only continue one.
        overlap: least IoU of a sure detection with where its track is expected.
        widen: share of its size by which a box is grown on each side in the last round.
        max_gap: seconds for which a track without detections is kept.
        other_label: factor on the overlap of two boxes with different labels; 0 forbids such pairs.
    """

    def __init__(
        self,
        high: float = 0.5,
        overlap: float = 0.2,
        widen: float = 0.5,
        max_gap: float = 1.5,
        other_label: float = 0.5,
    ) -> None:
        self.high, self.overlap, self.widen, self.max_gap, self.other_label = high, overlap, widen, max_gap, other_label
        self.live: list[Tracklet] = []
        self.done: list[Tracklet] = []
        self._born = 0

    def update(self, time: float, boxes: BoxArray, scores: Floats, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take in all detections of one picture.

        Args:
            time: of the picture, in seconds, later than the last.
            boxes: (N, 4).
            scores: (N,).
            labels: (N,).

        Returns:
            (N,) the id of the track that each detection went to, -1 for none.
        """
        self._retire(time)
        ids = np.full(len(boxes), -1, np.int64)
        for number, tracklet in self._associate(time, boxes, scores, labels):
            tracklet.add(time, boxes[number], float(scores[number]), int(labels[number]))
            ids[number] = tracklet.id
        return ids

    def cut(self) -> None:
        """End all tracks: what comes next is another scene."""
        self.done += self.live
        self.live = []

    def finish(self) -> list[Tracklet]:
        """End all tracks and give them in order of birth."""
        self.cut()
        return sorted(self.done, key=lambda t: t.id)

    def _retire(self, time: float) -> None:
        late = [t for t in self.live if time - t.times[-1] > self.max_gap]
        self.done += late
        self.live = [t for t in self.live if time - t.times[-1] <= self.max_gap]

    def _associate(
        self, time: float, boxes: BoxArray, scores: Floats, labels: NDArray[np.int64]
    ) -> Iterable[tuple[int, Tracklet]]:
        """Pair detections with tracks in three rounds; sure detections without a track begin one."""
        tracks, sure = list(self.live), scores >= self.high
        free, left = np.ones(len(boxes), bool), np.ones(len(tracks), bool)
        expected = np.array([t.motion.state[:, 0] + t.motion.state[:, 1] * (time - t.motion.time) for t in tracks])
        expected = to_corners(expected.reshape(-1, 4))
        same = labels[:, None] == np.array([t.label for t in tracks], np.int64)[None, :]
        rounds = ((sure, 0.0, self.overlap), (~sure, 0.0, 0.5), (sure, self.widen, self.overlap))
        for wanted, widen, least in rounds:
            likeness = iou(_widen(boxes, widen), _widen(expected, widen)) * np.where(same, 1.0, self.other_label)
            for number, track in _match(likeness, wanted & free, left, least):
                free[number] = left[track] = False
                yield number, tracks[track]
        for number in np.flatnonzero(sure & free).tolist():
            yield number, self._begin(time, boxes[number])

    def _begin(self, time: float, box: Floats) -> Tracklet:
        self.live.append(Tracklet(self._born, Motion.begin(time, box)))
        self._born += 1
        return self.live[-1]


def _widen(boxes: BoxArray, share: float) -> Array:
    """Grow boxes by ``share`` of their size on each side."""
    grow = share * (boxes[:, 2:4] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:4] + grow], axis=1)


def _match(
    likeness: Floats, rows: NDArray[np.bool_], columns: NDArray[np.bool_], least: float
) -> list[tuple[int, int]]:
    """Pair the chosen rows and columns for the greatest total likeness, pairs under ``least`` left out."""
    row, column = np.flatnonzero(rows), np.flatnonzero(columns)
    part = likeness[np.ix_(row, column)]
    part = np.where(part >= least, part, 0)
    pairs = zip(*linear_sum_assignment(part, maximize=True), strict=True)
    return [(int(row[i]), int(column[j])) for i, j in pairs if part[i, j] > 0]
