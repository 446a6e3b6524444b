"""Carry boxes from picture to picture by how the parts inside them move, between two looks of a detector.

The codec's motion vectors (``Flow``) are free, but made to save bits: they are noisy, stick to the background where
little moves, and are missing in keyframes. So a box goes the way of the weighted median of the vectors inside it; where
these are few or contradict each other it goes with the camera, whose motion is fitted robustly to what is outside all
boxes. Each box is carried forward from one detection and backward from the next; the two ways are blended by how
unsure each has become. What the blended way leaves unexplained is left to the smoother of ``motion``: without any
vectors that is everything, and the result is that smoother's.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.boxes import Array, clip
from kinoscope.core.media import Flow, Size
from kinoscope.tasks.motion import curve, to_centre, to_corners
from kinoscope.tasks.tracking import Tracklet

LEAST_COVER, LEAST_COUNT = 0.15, 3
"""Share of a box that vectors must cover, and their least number, for it to be carried by them."""

DISAGREE = 1.0
"""Median deviation of the vectors inside a box, in its sizes per second, from which they contradict each other."""

LEAST_HALF = 12.0
"""A smaller half side of a box, in pixels, is widened to this: a block of vectors may be 16 pixels wide."""

EXPLAINED = 0.5
"""Share of an object's way from detection to detection that a carried way may miss."""

TRUSTED = 0.7
"""Share of an object's ways that vectors must have told right; the smoother alone draws it otherwise."""

UNSURE = 0.08
"""Standard deviation of a carried box, in its sizes, from which it must be looked at again."""

HELD = 150
"""Flows kept for carrying backward: looks further apart are bridged by the forward way alone."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How boxes move.

    Attributes:
        speeds: (N, 3) of the centre in x and y, pixels per second, and of the log of the size, per second.
        doubts: (N,) variance of the speed, (pixels per second)^2.
        known: (N,) whether vectors told it; the others go with the camera.
    """

    speeds: Array
    doubts: Array
    known: NDArray[np.bool_]


def camera(flow: Flow, boxes: Array) -> Array:
    """Fit the motion of the whole picture to what is outside the boxes (N, 4: x, y, width, height of the centre form).

    Returns:
        (6,) centre x, y in pixels; speed of it in x, y in pixels per second; zoom and turn per second.
    """
    if not len(flow):
        return np.zeros(6)
    some = slice(None, None, -(-len(flow) // 600))
    flow = Flow(flow.time, flow.points[some], flow.speeds[some], flow.areas[some])
    outside = ~_inside(flow, boxes).any(axis=0)
    use = outside if outside.sum() >= 20 else np.ones(len(flow), bool)
    points, speeds, weights = (a[use].astype(np.float64) for a in (flow.points, flow.speeds, flow.areas))
    away = np.abs(speeds - np.median(speeds, axis=0)).max(axis=1)
    weights = weights * (away <= 3 * np.median(away) + 10)
    centre, mean = np.average(points, 0, weights), np.average(speeds, 0, weights)
    r, v = points - centre, speeds - mean
    square = float(weights @ (r**2).sum(axis=1)) + 1e-9
    zoom = float(weights @ (r * v).sum(axis=1)) / square
    turn = float(weights @ (r[:, 0] * v[:, 1] - r[:, 1] * v[:, 0])) / square
    return np.array([*centre, *mean, zoom, turn])


def drift(flow: Flow, boxes: Array, view: Array) -> Drift:
    """Tell how boxes (N, 4: centre x, y, width, height) move in a picture: medians of the vectors inside them.

    Args:
        view: the motion of the whole picture, see ``camera``.
    """
    r = boxes[:, :2] - view[:2]
    speeds = np.column_stack([view[2:4] + view[4] * r + view[5] * (r[:, ::-1] * (-1, 1)), np.full(len(boxes), view[4])])
    size = np.sqrt(boxes[:, 2] * boxes[:, 3])
    doubts = (0.5 * size) ** 2
    box, part = np.nonzero(_inside(flow, boxes))
    if not len(box):
        return Drift(speeds, doubts, np.zeros(len(boxes), bool))
    half = np.maximum(boxes[:, 2:] / 2, LEAST_HALF)
    apart = (flow.points[part] - boxes[box, :2]) / half[box]
    weights = flow.areas[part] * np.prod(1 - apart**2, axis=1).clip(0.01)
    moves = flow.speeds[part].astype(np.float64)
    middle = np.column_stack([_medians(box, moves[:, axis], weights, len(boxes)) for axis in (0, 1)])
    off = np.abs(moves - middle[box]).max(axis=1)
    spread = _medians(box, off, weights, len(boxes))
    count = np.bincount(box, minlength=len(boxes))
    cover = np.bincount(box, flow.areas[part], len(boxes)) / (4 * half.prod(axis=1))
    known = (count >= LEAST_COUNT) & (cover >= LEAST_COVER) & (spread <= DISAGREE * size)
    speeds[known, :2] = middle[known]
    speeds[known, 2] = _zooms(box, apart * half[box], moves - middle[box], weights * (off <= spread[box] + 1), half)[
        known
    ]
    doubts[known] = (spread[known] + 0.02 * size[known]) ** 2
    return Drift(speeds, doubts, known)


def _zooms(box: NDArray[np.int64], r: Array, v: Array, weights: Array, half: Array) -> Array:
    """Fit how boxes grow, per second; drawn towards none as if a quarter of a box of vectors said so."""
    count = len(half)
    along = np.bincount(box, weights * (r * v).sum(axis=1), count)
    square = np.bincount(box, weights * (r**2).sum(axis=1), count)
    return np.asarray(along / (square + 0.1 * half.prod(axis=1) * (half**2).sum(axis=1)))


def _inside(flow: Flow, boxes: Array) -> NDArray[np.bool_]:
    """Tell which parts (N boxes, V) have their centre in which box."""
    half = np.maximum(boxes[:, 2:] / 2, LEAST_HALF).astype(np.float32)
    low, high = np.float32(boxes[:, :2]) - half, np.float32(boxes[:, :2]) + half
    x, y = flow.points[:, 0], flow.points[:, 1]
    inside: Any = (x >= low[:, :1]) & (x <= high[:, :1]) & (y >= low[:, 1:]) & (y <= high[:, 1:])
    return np.asarray(inside, bool)


def _medians(groups: NDArray[np.int64], values: Array, weights: Array, count: int) -> Array:
    """Give the weighted median of each of ``count`` groups; 0 of an empty one."""
    order = np.lexsort((values, groups))
    total = np.bincount(groups, weights, count)
    ends = np.cumsum(total)
    middle = np.searchsorted(np.cumsum(weights[order]), ends - total / 2)
    return np.where(total > 0, values[order][np.minimum(middle, len(values) - 1)], 0.0)


@dataclass(slots=True)
class Way:
    """The way on which one object's box was carried.

    Attributes:
        box: (4,) where it is now: centre x, y, width, height.
        since: seconds at the last detection.
        rows: since then, one a picture: time, offset x, y, log of size, variance, whether vectors told it.
        settled: before it: time, offset x, y, log of size.
        told: whether vectors told its way right from the detection before the last to the last.
        tries, trust: ways from detection to detection, and those of them that vectors told right.
    """

    box: Array
    since: float
    rows: list[tuple[float, ...]] = field(default_factory=list)
    settled: array[float] = field(default_factory=lambda: array("d"))
    told: bool = True
    tries: int = 0
    trust: int = 0

    def offset(self) -> Array:
        """Give the offset at the last detection."""
        return np.array(self.settled[-3:]) if self.settled else np.zeros(3)


class Carrier:
    """Carry the boxes of all tracks that are followed.

    ``move`` with every picture's flow; at a look ``guide`` the tracker, let it update, and ``correct``; at the end
    ``through`` draws a track through all frames.
    """

    def __init__(self) -> None:
        self._ways: dict[int, Way] = {}
        self._open: set[int] = set()
        self._flows: deque[tuple[float, Flow, Array]] = deque(maxlen=HELD)
        self._last: Flow | None = None

    def move(self, flows: Iterable[Flow]) -> None:
        """Carry all boxes on through the next pictures. One without vectors moves as the one before it did."""
        for flow in flows:
            last, step = self._last, 0.0 if self._last is None else flow.time - self._last.time
            self._last = flow if len(flow) or last is None else replace(last, time=flow.time)
            if self._open and step > 0:
                self._forward(step, self._last)

    def _forward(self, step: float, flow: Flow) -> None:
        ways = [self._ways[number] for number in sorted(self._open)]
        boxes = np.array([way.box for way in ways])
        view = camera(flow, boxes)
        self._flows.append((step, flow, view))
        found = drift(flow, boxes, view)
        moved = advance(boxes, found.speeds * step)
        rows = np.column_stack([found.speeds * step, found.doubts * step**2])
        for way, box, row, known in zip(ways, moved, rows, found.known.tolist(), strict=True):
            before = way.rows[-1][1:5] if way.rows else (0.0,) * 4
            way.box = box
            way.rows.append((flow.time, *(a + b for a, b in zip(before, row.tolist(), strict=True)), float(known)))

    def guide(self, tracks: Iterable[Tracklet]) -> None:
        """Give tracks the speed that the vectors tell since their last detection, where they tell it mostly."""
        for track in tracks:
            way = self._ways.get(track.id)
            told = (
                way is not None
                and way.told
                and track.id in self._open
                and np.mean([row[5] for row in way.rows] or [0]) > 0.5
            )
            if told and way is not None and track.motion is not None:
                track.motion.state[:2, 1] = np.array(way.rows[-1][1:3]) / (way.rows[-1][0] - way.since)

    def asks(self) -> bool:
        """Whether a box has been carried so far that a look is due, whatever else changes in the picture."""
        return self.unsure() > UNSURE

    def unsure(self) -> float:
        """Give the largest standard deviation of a carried box, in its sizes."""
        ways = [self._ways[number] for number in self._open]
        return max((float(np.sqrt(w.rows[-1][4] / w.box[2:].prod())) for w in ways if w.rows), default=0.0)

    def correct(self, time: float, ids: Sequence[int], boxes: Array, live: Iterable[Tracklet]) -> None:
        """Take in the detections (N, 4) of a look, the track of each (-1 for none), and which tracks still live."""
        pairs = [(number, box) for number, box in zip(ids, to_centre(boxes), strict=True) if number >= 0]
        known = [(self._ways[number], box) for number, box in pairs if number in self._open]
        for (way, box), back in zip(known, self._backward([w for w, _ in known], [b for _, b in known]), strict=True):
            settle(way, back, box)
        for number, box in pairs:
            way = self._ways.setdefault(number, Way(box, time))
            way.box, way.since, way.rows = box, time, []
            if not way.settled:
                way.settled.extend((time, 0.0, 0.0, 0.0))
        self._open = {track.id for track in live} & self._ways.keys()

    def _backward(self, ways: list[Way], boxes: list[Array]) -> list[Array]:
        """Carry detections back to the last ones: of each way (T, 4) offsets and variance to now, latest first."""
        backs: list[list[Array]] = [[np.zeros(4)] for _ in ways]
        now = np.array(boxes).reshape(-1, 4)
        for step, flow, view in reversed(self._flows):
            active = [i for i, way in enumerate(ways) if flow.time > way.since]
            if not active:
                break
            found = drift(flow, now[active], view)
            now[active] = advance(now[active], -found.speeds * step)
            for i, speed, doubt in zip(active, found.speeds, found.doubts, strict=True):
                backs[i].append(backs[i][-1] + np.array([*(-speed * step), doubt * step**2]))
        return [np.array(back) for back in backs]

    def through(self, part: Tracklet, times: Array, shown: Size) -> Array:
        """Draw a track through the frames from its first to its last detection, see ``Tracklet.through``."""
        way = self._ways.get(part.id)
        if way is None or way.trust < TRUSTED * way.tries or not way.tries:
            return part.through(times, shown)
        rows = np.array(way.settled).reshape(-1, 4)
        seen = part.detections
        at = times[(times >= part.start) & (times <= part.end)]
        there, here = (
            np.column_stack([np.interp(t, rows[:, 0], rows[:, i]) for i in (1, 2, 3)]) for t in (seen[:, 0], at)
        )
        still = to_corners(advance(to_centre(seen[:, 1:5]), -there))
        drawn = advance(to_centre(curve(seen[:, 0], still, at)), here)
        return np.column_stack([at, clip(to_corners(drawn), *shown), np.interp(at, seen[:, 0], seen[:, 5])])


def advance(boxes: Array, offsets: Array) -> Array:
    """Move boxes (N, 4: centre form) by offsets (N, 3): x, y, and log of the size."""
    return np.column_stack([boxes[:, :2] + offsets[:, :2], boxes[:, 2:] * np.exp(offsets[:, 2:])])


def settle(way: Way, back: Array, box: Array) -> None:
    """Blend the forward way since the last detection with the backward way from the one now, and keep it.

    The variance of each decides the shares. A way that does not lead from the one detection to the other, such as that
    of an evenly coloured thing in which an encoder finds no motion, gives way to the straight one.

    Args:
        back: (T, 4) offsets from now and variance, latest first.
        box: (4,) the detection now, in centre form.
    """
    if not way.rows:
        return
    rows = np.array(way.rows)
    forward, behind = rows[:, 1:5], back[: len(rows)][::-1]
    whole, way_out = forward[-1, :3], forward[:, :3]
    if len(back) > len(rows):
        whole = (forward[-1, :3] - back[-1, :3]) / 2
        share = (forward[:, 3] / (forward[:, 3] + behind[:, 3] + 1e-12))[:, None]
        way_out = (1 - share) * forward[:, :3] + share * (whole + behind[:, :3])
    start = way.box[:2] - forward[-1, :2]
    moved, size = box[:2] - start, np.sqrt(box[2:].prod())
    error = float(np.hypot(*(moved - whole[:2])))
    way.told = error <= max(EXPLAINED * float(np.hypot(*moved)), 0.05 * float(size))
    way.tries += 1
    way.trust += way.told
    if not way.told:
        passed = (rows[:, 0] - way.since) / (rows[-1, 0] - way.since)
        way_out = passed[:, None] * np.array([*moved, 0.0])
    way.settled.extend(np.column_stack([rows[:, 0], way.offset() + way_out]).ravel().tolist())
