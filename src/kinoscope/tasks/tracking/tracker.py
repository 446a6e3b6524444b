"""Multi-object tracking: detections at some times in, boxes at every frame's time out.

A ``Tracker`` keeps the tracks: it says where each is expected, asks a way of association (see ``association``) which
detection continues which, begins tracks and ends them. At the end each track is smoothed and drawn through all frames,
see ``motion``. Where the camera moves, ``warp`` carries the tracks along. It may be given the looks of detections, too.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.boxes import clip
from kinoscope.core.media import Size
from kinoscope.core.results import Boxes, Timeline
from kinoscope.tasks.tracking.association import AssociationInput, Strategy, buffered
from kinoscope.tasks.tracking.kalman import BoxKalmanFilter, interpolate_boxes, to_centre, to_corners, warp_boxes

DIRECTION_LOOKBACK = 3
"""Looks back from the last to where the direction of motion is taken from."""

MAX_KEPT_DETECTIONS = 100
"""Detections of a track that are kept where nobody asks for the others, see ``Tracker.forget``."""

APPEARANCE_MOMENTUM = 0.9
"""Share of the looks so far that a new look leaves."""


@dataclass(slots=True)
class Tracklet:
    """One object as the tracker saw it: its detections and its present motion.

    Attributes:
        id: counted from 0 in order of birth.
        motion: the state at the last detection; None in a part that was split off.
        rows: its detections, six numbers each: time in seconds, x1, y1, x2, y2 in pixels, score.
        votes: score behind each label.
        recent: (up to ``DIRECTION_LOOKBACK`` + 1, 4) its last boxes, carried along with the camera.
        look: (D,) unit vector of how it looks; None where none is given.
    """

    id: int
    motion: BoxKalmanFilter | None = None
    rows: array[float] = field(default_factory=lambda: array("d"))
    votes: dict[int, float] = field(default_factory=dict)
    recent: Float64Array = field(default_factory=lambda: np.zeros((0, 4)))
    look: Float64Array | None = None

    def add(self, time: float, box: Float64Array, score: float, label: int, look: Float64Array | None = None) -> None:
        """Take in a detection."""
        self.motion = self.motion.predict(time).correct(box) if self.motion else BoxKalmanFilter.begin(time, box)
        self.rows.extend((time, *box.tolist(), score))
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.recent = np.vstack([self.recent[-DIRECTION_LOOKBACK:], box])
        if look is not None:
            mixed = look if self.look is None else APPEARANCE_MOMENTUM * self.look + (1 - APPEARANCE_MOMENTUM) * look
            self.look = mixed / max(float(np.linalg.norm(mixed)), 1e-9)

    def warp(self, affine: Float64Array) -> None:
        """Carry it along with the camera: ``affine`` (2, 3) leads from the last picture to this one."""
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
        """The label with the most score behind it."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def score(self) -> float:
        """Mean score of the better half of the detections: doubtful moments do not make an object doubtful."""
        best = np.sort(self.detections[:, 5])[::-1]
        return float(best[: (len(best) + 1) // 2].mean())

    def through(self, times: Float64Array, shown: Size) -> Boxes:
        """Draw it through the frames from its first to its last detection.

        Args:
            times: of all frames, in seconds.
            shown: width and height of the picture, at whose edges boxes are cut.

        Returns:
            (N, 6) time, smoothed box and score at each of those frames.
        """
        seen = self.detections
        at = times[(times >= self.start) & (times <= self.end)]
        corners = clip(interpolate_boxes(seen[:, 0], seen[:, 1:5], at), *shown)
        return np.column_stack([at, corners, np.interp(at, seen[:, 0], seen[:, 5])])

    def split(self, cuts: Sequence[float]) -> list[Tracklet]:
        """Part it at those of the times ``cuts`` that lie between its detections."""
        seen = self.detections
        parts = np.split(seen, np.unique(np.searchsorted(seen[:, 0], cuts)))
        return [Tracklet(self.id, None, array("d", part.ravel()), self.votes) for part in parts if len(part)]


class Tracker:
    """Follow objects from detection to detection.

    Args:
        high: score from which a detection may begin a track; under it, it may only continue one.
        max_gap: seconds for which a track without detections is kept.
        other_label: factor on the overlap of two boxes with different labels; 0 forbids such pairs.
        way: pairs detections with tracks, see ``association``.
    """

    def __init__(
        self, high: float = 0.5, max_gap: float = 1.5, other_label: float = 0.5, way: Strategy = buffered
    ) -> None:
        self.high, self.max_gap, self.other_label, self.way = high, max_gap, other_label, way
        self.live: list[Tracklet] = []
        self._done: list[Tracklet] = []
        self._born = 0
        self._time = -np.inf

    def update(
        self,
        time: float,
        boxes: Float64Array,
        scores: Float64Array,
        labels: Int64Array | None = None,
        looks: Float64Array | None = None,
    ) -> Int64Array:
        """Take in all detections of one picture.

        Args:
            time: of the picture, in seconds. A picture that is not later than the last is ignored.
            boxes: (N, 4).
            scores: (N,).
            labels: (N,); None where all are of one kind.
            looks: (N, D) unit vectors of how they look; None to go by place alone.

        Returns:
            (N,) the id of the track that each detection went to, -1 for none.
        """
        ids = np.full(len(boxes), -1, np.int64)
        if time <= self._time:
            return ids
        self._time = time
        self._retire(time)
        labels = np.zeros(len(boxes), np.int64) if labels is None else labels
        scene, tracks = self._scene(time, boxes, scores, labels, looks), list(self.live)
        pairs = [(number, tracks[track]) for number, track in self.way(scene)]
        pairs += [(number, self._begin()) for number in np.flatnonzero(scene.sure & scene.free).tolist()]
        for number, tracklet in pairs:
            look = None if looks is None else looks[number]
            tracklet.add(time, boxes[number], float(scores[number]), int(labels[number]), look)
            ids[number] = tracklet.id
        return ids

    def warp(self, affine: Float64Array) -> None:
        """Carry all live tracks along with the camera.

        Args:
            affine: (2, 3) from the picture of the last ``update`` to that of the next, see ``imaging.camera_motion``.
        """
        for tracklet in self.live:
            tracklet.warp(affine)

    def expect(self, time: float) -> Float64Array:
        """Give the box (N, 4) where each live track is expected at ``time``."""
        states = [t.motion.state[:, 0] + t.motion.state[:, 1] * (time - t.end) for t in self.live if t.motion]
        return to_corners(np.array(states).reshape(-1, 4))

    def cut(self) -> None:
        """End all tracks: what comes next is another scene."""
        self._done += self.live
        self.live = []

    def take(self) -> list[Tracklet]:
        """Give the tracks that have ended since the last call, in order of birth, and forget them."""
        done, self._done = sorted(self._done, key=lambda t: t.id), []
        return done

    def forget(self) -> None:
        """Keep no tracks that have ended, and of the others only the last detections."""
        self._done = []
        for tracklet in self.live:
            if len(tracklet) > 2 * MAX_KEPT_DETECTIONS:
                del tracklet.rows[: -6 * MAX_KEPT_DETECTIONS]

    def finish(self) -> list[Tracklet]:
        """End all tracks, and give those that ``take`` has not given, in order of birth."""
        self.cut()
        return self.take()

    def _retire(self, time: float) -> None:
        self._done += [t for t in self.live if time - t.end > self.max_gap]
        self.live = [t for t in self.live if time - t.end <= self.max_gap]

    def _scene(
        self,
        time: float,
        boxes: Float64Array,
        scores: Float64Array,
        labels: Int64Array,
        looks: Float64Array | None,
    ) -> AssociationInput:
        same = labels[:, None] == np.array([t.label for t in self.live], np.int64)[None, :]
        last, before = (np.array([t.recent[i] for t in self.live]).reshape(-1, 4) for i in (-1, 0))
        alike = None
        if looks is not None:
            blank = np.zeros(looks.shape[1])
            alike = looks @ np.array([blank if t.look is None else t.look for t in self.live]).reshape(-1, len(blank)).T
        allowed = np.where(same, 1.0, self.other_label)
        return AssociationInput(boxes, scores, scores >= self.high, self.expect(time), last, before, allowed, alike)

    def _begin(self) -> Tracklet:
        self.live.append(Tracklet(self._born))
        self._born += 1
        return self.live[-1]


def hard_cuts(timeline: Timeline) -> list[float]:
    """Give the times of the hard cuts that an earlier task found, in seconds; no object lives through one."""
    return [event.start for event in timeline.events_of("shots") if event.extra.get("transition") == "cut"]


@dataclass(frozen=True, slots=True)
class TrackFilter:
    """What a track must have to be kept.

    Attributes:
        count: least number of detections.
        seconds: least time from the first to the last.
        score: least score of the track.
    """

    count: int
    seconds: float
    score: float

    def __call__(self, tracklet: Tracklet) -> bool:
        """Whether a track has it."""
        return (
            len(tracklet) >= self.count
            and tracklet.end - tracklet.start >= self.seconds
            and tracklet.score >= self.score
        )
