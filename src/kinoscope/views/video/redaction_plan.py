"""What is to be hidden, where and when: the boxes of tracks, grown in space and in time.

A track has a box at each frame from its first to its last detection, so what is missed between two looks is covered
too; the faster it moves, the larger is what is hidden, before it and behind. Before the first and after the last one
the box stays for a while and grows, since something was probably there already, or is still; it also goes on as the
track moved there, until it has left the picture, and reaches to an edge that is near. What left over an edge soon
before the video ends is covered there once more at the end, since it may come back when no frame is left to find it in;
what came over one soon after the beginning is covered there in the first frames. Where one track ends and another
begins near it soon after, the place of both is covered in between. Where frames may show damage, in which a detector
finds nothing, a box stays for as long. Nothing reaches over a cut.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.boxes import clip, intersections
from kinoscope.core.errors import PrivacyError
from kinoscope.core.media import Size
from kinoscope.core.results import Timeline, Track

KINDS: dict[str, tuple[str, str | None]] = {
    "faces": ("faces", None),
    "people": ("objects", "person"),
    "text": ("text", None),
}
"""What can be hidden -> the task that follows it, and the label of its tracks if it has others too."""

Method = Literal["blur", "pixels", "solid"]
METHODS: tuple[Method, ...] = get_args(Method)
"""How things are hidden, see ``hide``."""

BOX_MARGIN = 0.2
"""Share of its size by which a box is grown on each side: detectors cut off hair and chins."""

EXTENSION_SECONDS, GROWTH_PER_SECOND = 0.5, 1.0
"""Seconds before the first and after the last detection that are covered too, and the share of its size by which a box
grows on each side meanwhile, a second: farther in time it may be farther away."""

MOTION_MARGIN_SECONDS = 0.08
"""Seconds of its motion by which a box is grown on each side: where it is between two detections is a guess."""

MAX_EXIT_SECONDS = 5.0
"""Seconds before the first and after the last detection within which what moves to an edge is followed out."""

SPEED_WINDOW_SECONDS = 0.4
"""Seconds at the end of a track from which its motion there is taken."""

DAMAGE_SECONDS = 5.0
"""Seconds after damage in which frames may still be made from damaged ones:
people are visible in them although detectors miss them."""

EDGE_MARGIN = 0.5
"""Share of its size within which a box reaches to the picture's edge where its track ends: it comes from there."""

MAX_GAP_SECONDS = 2.0
"""Seconds between two tracks up to which they may be one thing that was lost and found."""

MAX_SAMPLE_DISTANCE = 0.6
"""Distance between two looks of one face track from which it may show two people, one of whom was taken for the other
as they passed. In 21 tracks of one person each it was at most 0.53."""

TIME_REVERSAL = np.array([-1.0, 1, 1, 1, 1])
"""Turns rows (N, 5) of time and box to what they are when the time runs backwards."""

TIME_TOLERANCE = 2e-6
"""Seconds by which a time in a file may differ from the frame's exact one: files hold microseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """What hides one track, or the gap between two.

    Attributes:
        kind: of what is hidden, of ``KINDS``.
        track: the track; before a gap, the one that ends there.
        rows: (N, 5) time in seconds and x1, y1, x2, y2 in pixels; between two rows a box moves evenly.
        bridge: id of the track after the gap, for what hides one.
    """

    kind: str
    track: Track
    rows: Float64Array
    bridge: int | None = None

    @property
    def start(self) -> float:
        """Time from which it covers, in seconds."""
        return float(self.rows[0, 0])

    @property
    def end(self) -> float:
        """Time until which it covers, in seconds."""
        return float(self.rows[-1, 0])

    def at(self, time: float) -> Float64Array:
        """Give x1, y1, x2, y2 at a time; outside its own, the first or the last box."""
        return np.array([np.interp(time, self.rows[:, 0], self.rows[:, i]) for i in range(1, 5)])

    def extent(self, size: Size) -> list[int]:
        """Give the smallest whole-pixel box in a picture of ``size`` that holds all its boxes."""
        low, high = self.rows[:, 1:3].min(axis=0), self.rows[:, 3:5].max(axis=0)
        x1, y1, x2, y2 = clip(np.concatenate([np.floor(low), np.ceil(high)])[None], *size)[0].astype(int).tolist()
        return [x1, y1, x2, y2]


@dataclass(frozen=True, slots=True)
class VideoBounds:
    """What bounds the covers of a video.

    Attributes:
        cuts: times of hard cuts in seconds.
        size: (2,) of the frame in pixels.
        spoilt: first and last times, in seconds, between which frames may show damage.
    """

    cuts: list[float]
    size: Float64Array
    spoilt: list[tuple[float, float]]

    def before(self, time: float) -> float:
        """Return for how many seconds what is first seen at a time may have been there unseen."""
        begins = [begin for begin, end in self.spoilt if begin <= time - EXTENSION_SECONDS and time <= end]
        return time - min(begins, default=time - EXTENSION_SECONDS)

    def after(self, time: float) -> float:
        """Return for how many seconds what is last seen at a time may still be there unseen."""
        ends = [end for begin, end in self.spoilt if begin <= time + EXTENSION_SECONDS <= end]
        return max(ends, default=time + EXTENSION_SECONDS) - time


@dataclass(frozen=True, slots=True)
class RedactionPlan:
    """All that is to be hidden in a video, and who is spared.

    Attributes:
        covers: what hides, in order of time.
        kept: tracks that are not hidden, with their kind.
    """

    covers: list[Mask] = field(default_factory=list)
    kept: list[tuple[str, Track]] = field(default_factory=list)


def plan(timeline: Timeline, kinds: Collection[str], keep: Collection[str] = ()) -> RedactionPlan:
    """Say what hides every track of some kinds, but for those that the gallery knows by a name to keep.

    Args:
        timeline: in which the tasks of all kinds are done.
        kinds: of ``KINDS``.
        keep: names; only a track that was recognised as one of them, and shows nobody else, is spared.

    Raises:
        PrivacyError: a task did not see the whole video, so that something might stay visible.
    """
    _check_done(timeline, kinds, keep)
    covers: list[Mask] = []
    kept: list[tuple[str, Track]] = []
    scene = VideoBounds(_cuts(timeline), _frame_size(timeline), _damaged_intervals(timeline))
    for kind in kinds:
        tracks = _tracks(timeline, kind)
        spared = [track for track in tracks if _is_exempt(track, keep)]
        kept += [(kind, track) for track in spared]
        hidden = [track for track in tracks if not any(track is other for other in spared)]
        covers += [Mask(kind, track, _extend(track, scene)) for track in hidden]
        covers += [cover for track in hidden for cover in _return_masks(kind, track, scene, timeline.times)]
        covers += [_gap_mask(kind, a, b) for a, b in _successive_tracks(hidden, scene.cuts)]
    return RedactionPlan(sorted(covers, key=lambda cover: cover.start), kept)


def _is_exempt(track: Track, keep: Collection[str]) -> bool:
    return (
        "known_by" in track.extra
        and track.identity in keep
        and float(track.extra.get("apart", 0)) <= MAX_SAMPLE_DISTANCE
    )


def _check_done(timeline: Timeline, kinds: Collection[str], keep: Collection[str]) -> None:
    if not timeline.decode.complete:
        raise PrivacyError(f"reading stopped early ({(timeline.decode.errors or ['no reason given'])[-1]})")
    for task in dict.fromkeys([*(KINDS[kind][0] for kind in kinds), *(["recognize"] if keep else [])]):
        report = timeline.tasks.get(task)
        if report is None or report.status != "ok":
            why = f"{report.status}: {report.reason or 'no reason given'}" if report else "not run"
            raise PrivacyError(f"task {task} is not done ({why})")


def _tracks(timeline: Timeline, kind: str) -> list[Track]:
    task, label = KINDS[kind]
    return [track for track in timeline.tracks_of(task) if len(track.boxes) and label in (None, track.label)]


def _cuts(timeline: Timeline) -> list[float]:
    """Give the times of hard cuts: nothing is at the same place before and after one."""
    return [event.start for event in timeline.events_of("shots") if event.extra.get("transition") == "cut"]


def _damaged_intervals(timeline: Timeline) -> list[tuple[float, float]]:
    """Return from when to when frames may show damage, in seconds; what overlaps is one."""
    spoilt: list[tuple[float, float]] = []
    for begin, end in sorted([*timeline.decode.damaged, *timeline.decode.missing]):
        first = spoilt.pop()[0] if spoilt and begin <= spoilt[-1][1] else begin
        spoilt.append((first, end + DAMAGE_SECONDS))
    return spoilt


def _frame_size(timeline: Timeline) -> Float64Array:
    """Return the picture's width and height; infinite where they are not known, so that nothing is near an edge."""
    sides = [float(timeline.source.get(side) or math.inf) for side in ("width", "height")]
    return np.array(sides)


def _extend(track: Track, scene: VideoBounds) -> Float64Array:
    """Return the grown boxes (N, 5) of a track with those before and after it."""
    seen, cuts = track.boxes[:, :5], scene.cuts
    first, last = bisect_right(cuts, track.start + TIME_TOLERANCE), bisect_right(cuts, track.end + TIME_TOLERANCE)
    room_before = track.start - cuts[first - 1] if first else math.inf
    room_after = cuts[last] - 4 * TIME_TOLERANCE - track.end if last < len(cuts) else math.inf
    before = (
        _extrapolate(seen[::-1] * TIME_REVERSAL, room_before, scene.size, scene.before(track.start))[::-1]
        * TIME_REVERSAL
    )
    after = _extrapolate(seen, room_after, scene.size, scene.after(track.end))
    before[:, 0] -= TIME_TOLERANCE
    after[:, 0] += TIME_TOLERANCE
    return np.concatenate([before, _grow_by_motion(seen), after])


def _return_masks(kind: str, track: Track, scene: VideoBounds, times: Float64Array) -> list[Mask]:
    """Cover, in the last frames, where a track left the picture, and in the first ones, where it entered."""
    if not len(times):
        return []
    rows, begin, end = track.boxes[:, :5], float(times[0]), float(times[-1])
    shots = [bisect_right(scene.cuts, time + TIME_TOLERANCE) for time in (begin, track.start, track.end, end)]
    parts = []
    if shots[0] == shots[1]:
        parts += [_return_rows(rows[::-1] * TIME_REVERSAL, -begin, scene.size)[::-1] * TIME_REVERSAL]
    if shots[2] == shots[3]:
        parts += [_return_rows(rows, end, scene.size)]
    return [Mask(kind, track, part) for part in parts if len(part)]


def _return_rows(rows: Float64Array, end: float, size: Float64Array) -> Float64Array:
    """Return what is covered (0 or 2, 5) until the video's end where the thing of some rows left the picture."""
    last, box = rows[-1, 0], rows[-1, 1:]
    leaves = last + _seconds_to_exit(box, _speed(rows), size)
    if not leaves <= end <= last + MAX_EXIT_SECONDS:
        return np.zeros((0, 5))
    grown = _extend_to_edges(_grow_unseen(box, EXTENSION_SECONDS), box, size)
    return np.array([[max(leaves, end - EXTENSION_SECONDS), *grown], [end + TIME_TOLERANCE, *grown]])


def _grow_by_motion(rows: Float64Array) -> Float64Array:
    """Grow boxes (N, 5) by their share, and by their motion where they are."""
    grown = _grow(rows, BOX_MARGIN)
    if len(rows) > 1:
        speed = np.abs(np.gradient(rows[:, 1:], rows[:, 0], axis=0))
        step = MOTION_MARGIN_SECONDS * np.maximum(speed[:, :2], speed[:, 2:])
        grown[:, 1:] += np.concatenate([-step, step], axis=1)
    return grown


def _extrapolate(rows: Float64Array, room: float, size: Float64Array, stay: float) -> Float64Array:
    """Return what is covered (1 or 2, 5) after the last of some rows.

    A box that stays and grows together with one that goes on as it did, and, where that comes to the picture's edge
    later but soon, a box that does so.

    Args:
        rows: (N, 5) time and box.
        room: seconds after the last row that are not exceeded.
        size: (2,) of the picture.
        stay: seconds for which the box stays.
    """
    last, box, speed = rows[-1, 0], rows[-1, 1:], _speed(rows)
    until = min(stay, room)
    stays, goes = _extend_to_edges(_grow_unseen(box, until), box, size), _grow_unseen(box + speed * until, until)
    both = np.concatenate([np.minimum(stays[:2], goes[:2]), np.maximum(stays[2:], goes[2:])])
    out = [[last + until, *both]]
    leaves = _seconds_to_exit(box, speed, size)
    if until < leaves <= MAX_EXIT_SECONDS:
        leaves = min(leaves, room)
        out.append([last + leaves, *_grow_unseen(box + speed * leaves, EXTENSION_SECONDS)])
    return np.array(out)


def _speed(rows: Float64Array) -> Float64Array:
    """Return the mean motion (4,) of the sides of a box at the end of its rows, in pixels a second of its time."""
    first = max(0, min(len(rows) - 2, int(np.searchsorted(rows[:, 0], rows[-1, 0] - SPEED_WINDOW_SECONDS))))
    seconds = rows[-1, 0] - rows[first, 0]
    return np.asarray((rows[-1, 1:] - rows[first, 1:]) / seconds) if seconds else np.zeros(4)


def _seconds_to_exit(box: Float64Array, speed: Float64Array, size: Float64Array) -> float:
    """Return the seconds until a box that moves at a speed has left the picture; infinite where it never does."""
    distance = np.concatenate([size - box[:2], box[2:]])
    towards = np.concatenate([speed[:2], -speed[2:]])
    moving = towards > 1e-6
    return float(min(distance[moving] / towards[moving], default=math.inf))


def _grow_unseen(box: Float64Array, seconds: float) -> Float64Array:
    """Grow a box (4,) as one that was not seen for some seconds."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    grow = (BOX_MARGIN + GROWTH_PER_SECOND * seconds) * (high - low)
    return np.concatenate([low - grow, high + grow])


def _extend_to_edges(grown: Float64Array, box: Float64Array, size: Float64Array) -> Float64Array:
    """Stretch a grown box (4,) to the picture's edges that the box is near."""
    near = EDGE_MARGIN * (box[2:] - box[:2])
    low = np.where(box[:2] < near, np.minimum(grown[:2], 0), grown[:2])
    high = np.where(box[2:] > size - near, np.maximum(grown[2:], size), grown[2:])
    return np.concatenate([low, high])


def _grow(rows: Float64Array, share: float) -> Float64Array:
    """Grow boxes (N, 5: time and box) by a share of their size on each side."""
    grow = share * (rows[:, 3:5] - rows[:, 1:3])
    return np.concatenate([rows[:, :1], rows[:, 1:3] - grow, rows[:, 3:5] + grow], axis=1)


def _successive_tracks(tracks: Sequence[Track], cuts: Sequence[float]) -> list[tuple[Track, Track]]:
    """Pair tracks with the next that begins near where they end."""
    pairs = []
    for a in tracks:
        soon = [b for b in tracks if 0 < b.start - a.end <= MAX_GAP_SECONDS]
        near = [b for b in soon if _is_near(a, b) and bisect_right(cuts, a.end) == bisect_right(cuts, b.start)]
        pairs += [(a, min(near, key=lambda b: b.start))] if near else []
    return pairs


def _is_near(a: Track, b: Track) -> bool:
    last, first = _grow(a.boxes[-1:, :5], 1.0)[:, 1:], _grow(b.boxes[:1, :5], 1.0)[:, 1:]
    return bool(intersections(last, first)[0, 0] > 0)


def _gap_mask(kind: str, a: Track, b: Track) -> Mask:
    """Cover, between two tracks, the place where one ended and the other begins."""
    ends = _grow(np.stack([a.boxes[-1, :5], b.boxes[0, :5]]), BOX_MARGIN)
    whole = np.concatenate([ends[:, 1:3].min(axis=0), ends[:, 3:5].max(axis=0)])
    return Mask(kind, a, np.array([[a.end, *whole], [b.start, *whole]]), b.id)
