"""Multi-object tracking: detections at some times in, boxes at every frame's time out.

The association follows ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022): sure detections are matched first, doubtful ones only continue tracks that are already
there. Detections come only a few times a second, and between two looks a small object may leave its own box: what is
left after both rounds is matched once more with widened boxes (Yang et al., "Hard to Track Objects with Irregular
Motions and Similar Appearances? Make It Easier by Buffering the Matching Space", WACV 2023). At the end each track is
smoothed and drawn through all frames, see ``motion``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.boxes import Array, clip, iou
from kinoscope.core.media import Size
from kinoscope.core.results import Boxes, Timeline
from kinoscope.tasks.motion import Motion, curve, to_corners


@dataclass(slots=True)
class Tracklet:
    """One object as the tracker saw it: its detections and its present motion.

    Attributes:
        id: counted from 0 in order of birth.
        motion: the state at the last detection; None in a part that was split off.
        rows: its detections, six numbers each: time in seconds, x1, y1, x2, y2 in pixels, score.
        votes: score behind each label.
    """

    id: int
    motion: Motion | None = None
    rows: array[float] = field(default_factory=lambda: array("d"))
    votes: dict[int, float] = field(default_factory=dict)

    def add(self, time: float, box: Array, score: float, label: int) -> None:
        """Take in a detection."""
        self.motion = self.motion.predict(time).correct(box) if self.motion else Motion.begin(time, box)
        self.rows.extend((time, *box.tolist(), score))
        self.votes[label] = self.votes.get(label, 0.0) + score

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

    def through(self, times: Array, shown: Size) -> Boxes:
        """Draw it through the frames from its first to its last detection.

        Args:
            times: of all frames, in seconds.
            shown: width and height of the picture, at whose edges boxes are cut.

        Returns:
            (N, 6) time, smoothed box and score at each of those frames.
        """
        seen = self.detections
        at = times[(times >= self.start) & (times <= self.end)]
        corners = clip(curve(seen[:, 0], seen[:, 1:5], at), *shown)
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
        overlap: least IoU of a sure detection with where its track is expected.
        widen: share of its size by which a box is grown on each side in the last round.
        max_gap: seconds for which a track without detections is kept.
        other_label: factor on the overlap of two boxes with different labels; 0 forbids such pairs.
    """

    def __init__(
        self,
        high: float = 0.5,
        overlap: float = 0.2,
        widen: float = 0.6,
        max_gap: float = 1.5,
        other_label: float = 0.5,
    ) -> None:
        self.high, self.overlap, self.widen, self.max_gap, self.other_label = high, overlap, widen, max_gap, other_label
        self.live: list[Tracklet] = []
        self._done: list[Tracklet] = []
        self._born = 0
        self._time = -np.inf

    def update(
        self, time: float, boxes: Array, scores: Array, labels: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Take in all detections of one picture.

        Args:
            time: of the picture, in seconds. A picture that is not later than the last is ignored.
            boxes: (N, 4).
            scores: (N,).
            labels: (N,); None where all are of one kind.

        Returns:
            (N,) the id of the track that each detection went to, -1 for none.
        """
        ids = np.full(len(boxes), -1, np.int64)
        if time <= self._time:
            return ids
        self._time = time
        self._retire(time)
        labels = np.zeros(len(boxes), np.int64) if labels is None else labels
        for number, tracklet in self._associate(time, boxes, scores, labels):
            tracklet.add(time, boxes[number], float(scores[number]), int(labels[number]))
            ids[number] = tracklet.id
        return ids

    def expect(self, time: float) -> Array:
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

    def finish(self) -> list[Tracklet]:
        """End all tracks, and give those that ``take`` has not given, in order of birth."""
        self.cut()
        return self.take()

    def _retire(self, time: float) -> None:
        self._done += [t for t in self.live if time - t.end > self.max_gap]
        self.live = [t for t in self.live if time - t.end <= self.max_gap]

    def _associate(
        self, time: float, boxes: Array, scores: Array, labels: NDArray[np.int64]
    ) -> Iterator[tuple[int, Tracklet]]:
        """Pair detections with tracks in three rounds; sure detections without a track begin one."""
        tracks, expected, sure = list(self.live), self.expect(time), scores >= self.high
        free, left = np.ones(len(boxes), bool), np.ones(len(tracks), bool)
        same = labels[:, None] == np.array([t.label for t in tracks], np.int64)[None, :]
        rounds = ((sure, 0.0, self.overlap), (~sure, 0.0, 0.5), (sure, self.widen, self.overlap))
        for wanted, widen, least in rounds:
            likeness = iou(_widen(boxes, widen), _widen(expected, widen)) * np.where(same, 1.0, self.other_label)
            for number, track in _match(likeness, wanted & free, left, least):
                free[number] = left[track] = False
                yield number, tracks[track]
        for number in np.flatnonzero(sure & free).tolist():
            yield number, self._begin()

    def _begin(self) -> Tracklet:
        self.live.append(Tracklet(self._born))
        self._born += 1
        return self.live[-1]


def _widen(boxes: Array, share: float) -> Array:
    """Grow boxes by ``share`` of their size on each side."""
    grow = share * (boxes[:, 2:4] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:4] + grow], axis=1)


def _match(likeness: Array, rows: NDArray[np.bool_], columns: NDArray[np.bool_], least: float) -> list[tuple[int, int]]:
    """Pair the chosen rows and columns for the greatest total likeness, pairs under ``least`` left out."""
    from scipy.optimize import linear_sum_assignment

    row, column = np.flatnonzero(rows), np.flatnonzero(columns)
    part = likeness[np.ix_(row, column)]
    part = np.where(part >= least, part, 0)
    pairs = zip(*linear_sum_assignment(part, maximize=True), strict=True)
    return [(int(row[i]), int(column[j])) for i, j in pairs if part[i, j] > 0]


def hard_cuts(timeline: Timeline) -> list[float]:
    """Give the times of the hard cuts that an earlier task found, in seconds; no object lives through one."""
    return [event.start for event in timeline.events_of("shots") if event.extra.get("transition") == "cut"]


@dataclass(frozen=True, slots=True)
class Worth:
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
