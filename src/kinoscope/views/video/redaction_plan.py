"""Redaction plan: the masks that hide tracks, which are their boxes grown in space and in time.

A track has a box at each frame from its first to its last detection, so missed detections in between are covered too;
the faster it moves, the more its box is grown, forwards and backwards. Before the first and after the last detection
the box stays for a while and grows, because the object was probably there already, or still is; it also continues in
the direction of motion until it has left the frame, and extends to a nearby edge. An object that left over an edge soon
before the end of the video is covered there once more at the end, since it may return in frames that are too few to
detect it; one that entered soon after the beginning is covered there in the first frames. If one track ends and another
begins nearby soon after, the region of both is covered in between. While frames may show damage, in which a detector
finds nothing, a box stays as long. No mask extends over a cut.
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
from kinoscope.core.results import Track
from kinoscope.views.timeline import Timeline

KINDS: dict[str, tuple[str, str | None]] = {
    "faces": ("faces", None),
    "people": ("objects", "person"),
    "text": ("text", None),
}
"""Kind of redacted region -> the task that tracks it, and the label of its tracks if the task has other labels too."""

Method = Literal["blur", "pixels", "solid"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Methods of redaction, see ``views.video.redact``."""

BOX_MARGIN = 0.2
"""Fraction of its size by which a box is grown on each side: detectors cut off hair and chins."""

EXTENSION_SECONDS, GROWTH_PER_SECOND = 0.5, 1.0
"""Seconds before the first and after the last detection that are covered too, and the fraction of its size by which a
box grows on each side per second meanwhile: the farther in time, the farther away it may be."""

MOTION_MARGIN_SECONDS = 0.08
"""Seconds of its motion by which a box is grown on each side: its position between two detections is an estimate."""

MAX_EXIT_SECONDS = 5.0
"""Seconds before the first and after the last detection within which a box that moves to an edge is followed out."""

SPEED_WINDOW_SECONDS = 0.4
"""Seconds at the end of a track from which its speed there is estimated."""

DAMAGE_SECONDS = 5.0
"""Seconds after damage in which frames may still be predicted from damaged ones: people are visible in them although
detectors miss them."""

EDGE_MARGIN = 0.5
"""Fraction of its size within which a box at the end of its track is extended to an edge of the frame: it came from
there."""

MAX_GAP_SECONDS = 2.0
"""Seconds between two tracks up to which they may be one object that was lost and found again."""

MAX_SAMPLE_DISTANCE = 0.6
"""Distance between two samples of one face track up to which it shows one person; above it, identities may have been
switched. In 21 tracks of one person each it was at most 0.53."""

TIME_REVERSAL = np.array([-1.0, 1, 1, 1, 1])
"""Factor that reverses the time of keyframes (N, 5)."""

TIME_TOLERANCE = 2e-6
"""Seconds by which a time in a file may differ from the exact time of a frame: files hold microseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Mask of one track, or of the gap between two tracks.

    Attributes:
        kind: a key of ``KINDS``.
        track: the track; for a gap, the one that ends there.
        keyframes: (N, 5) time in seconds and x1, y1, x2, y2 in pixels; boxes are interpolated linearly in between.
        next_track: id of the track after the gap, for the mask of a gap.
    """

    kind: str
    track: Track
    keyframes: Float64Array
    next_track: int | None = None

    @property
    def start(self) -> float:
        """Start of the mask, in seconds."""
        return float(self.keyframes[0, 0])

    @property
    def end(self) -> float:
        """End of the mask, in seconds."""
        return float(self.keyframes[-1, 0])

    def at(self, time: float) -> Float64Array:
        """Return the box (4,) at a time in seconds; the first box before all keyframes, the last one after them."""
        return np.array([np.interp(time, self.keyframes[:, 0], self.keyframes[:, i]) for i in range(1, 5)])

    def extent(self, size: Size) -> list[int]:
        """Return the smallest box of whole pixels, clipped to a frame of ``size``, that contains all its boxes."""
        low, high = self.keyframes[:, 1:3].min(axis=0), self.keyframes[:, 3:5].max(axis=0)
        x1, y1, x2, y2 = clip(np.concatenate([np.floor(low), np.ceil(high)])[None], *size)[0].astype(int).tolist()
        return [x1, y1, x2, y2]


@dataclass(frozen=True, slots=True)
class VideoBounds:
    """Limits of the masks of a video in space and time.

    Attributes:
        cuts: times of hard cuts in seconds.
        size: (2,) width and height of the frame in pixels.
        damaged: intervals in seconds in which frames may show damage.
    """

    cuts: list[float]
    size: Float64Array
    damaged: list[tuple[float, float]]

    def unseen_before(self, time: float) -> float:
        """Return for how many seconds before its first detection at ``time`` an object may have been visible."""
        begins = [begin for begin, end in self.damaged if begin <= time - EXTENSION_SECONDS and time <= end]
        return time - min(begins, default=time - EXTENSION_SECONDS)

    def unseen_after(self, time: float) -> float:
        """Return for how many seconds after its last detection at ``time`` an object may still be visible."""
        ends = [end for begin, end in self.damaged if begin <= time + EXTENSION_SECONDS <= end]
        return max(ends, default=time + EXTENSION_SECONDS) - time


@dataclass(frozen=True, slots=True)
class RedactionPlan:
    """Masks of a video, and the tracks that are exempt from redaction.

    Attributes:
        masks: in order of their start.
        exempt: tracks that are not hidden, with their kind.
    """

    masks: list[Mask] = field(default_factory=list)
    exempt: list[tuple[str, Track]] = field(default_factory=list)


def plan(timeline: Timeline, kinds: Collection[str], visible_names: Collection[str] = ()) -> RedactionPlan:
    """Return the masks that hide every track of some kinds, except those recognized as a person to keep visible.

    Args:
        timeline: with completed tasks for all kinds.
        kinds: keys of ``KINDS``.
        visible_names: only a track that was recognized as a person of one of these names, and shows nobody else, is
            exempt.

    Raises:
        PrivacyError: a task did not process the whole video, so that something might stay visible.
    """
    _check_done(timeline, kinds, visible_names)
    masks: list[Mask] = []
    exempt: list[tuple[str, Track]] = []
    bounds = VideoBounds(_cuts(timeline), _frame_size(timeline), _damaged_intervals(timeline))
    for kind in kinds:
        tracks = _tracks(timeline, kind)
        visible = [track for track in tracks if _is_exempt(track, visible_names)]
        exempt += [(kind, track) for track in visible]
        hidden = [track for track in tracks if not any(track is other for other in visible)]
        masks += [Mask(kind, track, _extend(track, bounds)) for track in hidden]
        masks += [mask for track in hidden for mask in _reentry_masks(kind, track, bounds, timeline.times)]
        masks += [_gap_mask(kind, a, b) for a, b in _successive_tracks(hidden, bounds.cuts)]
    return RedactionPlan(sorted(masks, key=lambda mask: mask.start), exempt)


def _is_exempt(track: Track, visible_names: Collection[str]) -> bool:
    """Return whether a track was recognized as a person to keep visible, and shows that person alone.

    ``extra["known_by"]`` says by what the task ``recognize`` knew its name; without it the name was not recognized.
    ``extra["apart"]`` is the largest distance between the samples of a face track, which is large if it shows two.
    """
    return (
        "known_by" in track.extra
        and track.identity in visible_names
        and float(track.extra.get("apart", 0)) <= MAX_SAMPLE_DISTANCE
    )


def _check_done(timeline: Timeline, kinds: Collection[str], visible_names: Collection[str]) -> None:
    if not timeline.decode.complete:
        raise PrivacyError(f"reading stopped early ({(timeline.decode.errors or ['no reason given'])[-1]})")
    for task in dict.fromkeys([*(KINDS[kind][0] for kind in kinds), *(["recognize"] if visible_names else [])]):
        report = timeline.tasks.get(task)
        if report is None or report.status != "ok":
            reason = f"{report.status}: {report.reason or 'no reason given'}" if report else "not run"
            raise PrivacyError(f"task {task} is not done ({reason})")


def _tracks(timeline: Timeline, kind: str) -> list[Track]:
    task, label = KINDS[kind]
    return [track for track in timeline.tracks(task) if len(track.boxes) and label in (None, track.label)]


def _cuts(timeline: Timeline) -> list[float]:
    """Return the times of hard cuts, across which positions have no continuity."""
    return [event.start for event in timeline.events("shots") if event.extra.get("transition") == "cut"]


def _damaged_intervals(timeline: Timeline) -> list[tuple[float, float]]:
    """Return the intervals in seconds in which frames may show damage; overlapping ones are merged."""
    intervals: list[tuple[float, float]] = []
    for begin, damage_end in sorted([*timeline.decode.damaged, *timeline.decode.missing]):
        end = damage_end + DAMAGE_SECONDS
        if intervals and begin <= intervals[-1][1]:
            previous_begin, previous_end = intervals.pop()
            intervals.append((previous_begin, max(previous_end, end)))
        else:
            intervals.append((begin, end))
    return intervals


def _frame_size(timeline: Timeline) -> Float64Array:
    """Return width and height of the frame; infinite if unknown, so that no box is near an edge."""
    sides = [float(timeline.source.get(side) or math.inf) for side in ("width", "height")]
    return np.array(sides)


def _extend(track: Track, bounds: VideoBounds) -> Float64Array:
    """Return the grown boxes (N, 5) of a track with those before its first and after its last detection."""
    boxes, cuts = track.boxes[:, :5], bounds.cuts
    first, last = bisect_right(cuts, track.start + TIME_TOLERANCE), bisect_right(cuts, track.end + TIME_TOLERANCE)
    max_seconds_before = track.start - cuts[first - 1] if first else math.inf
    # A mask ends before the frame at the next cut: its end is extended by the tolerance below, and by ``Redactor``;
    # the time of the cut may be off by a third one, and the fourth keeps the two apart.
    max_seconds_after = cuts[last] - 4 * TIME_TOLERANCE - track.end if last < len(cuts) else math.inf
    reversed_boxes, stay_before = boxes[::-1] * TIME_REVERSAL, bounds.unseen_before(track.start)
    before = _extrapolate(reversed_boxes, max_seconds_before, bounds.size, stay_before)[::-1] * TIME_REVERSAL
    after = _extrapolate(boxes, max_seconds_after, bounds.size, bounds.unseen_after(track.end))
    before[:, 0] -= TIME_TOLERANCE
    after[:, 0] += TIME_TOLERANCE
    return np.concatenate([before, _grow_by_motion(boxes), after])


def _reentry_masks(kind: str, track: Track, bounds: VideoBounds, times: Float64Array) -> list[Mask]:
    """Return masks for objects that come back: in the last frames where a track left, in the first where it entered."""
    if not len(times):
        return []
    keyframes, begin, end = track.boxes[:, :5], float(times[0]), float(times[-1])
    shots = [bisect_right(bounds.cuts, time + TIME_TOLERANCE) for time in (begin, track.start, track.end, end)]
    reentries = []
    if shots[0] == shots[1]:
        reentries += [_reentry_keyframes(keyframes[::-1] * TIME_REVERSAL, -begin, bounds.size)[::-1] * TIME_REVERSAL]
    if shots[2] == shots[3]:
        reentries += [_reentry_keyframes(keyframes, end, bounds.size)]
    return [Mask(kind, track, mask_keyframes) for mask_keyframes in reentries if len(mask_keyframes)]


def _reentry_keyframes(keyframes: Float64Array, end: float, size: Float64Array) -> Float64Array:
    """Return the keyframes (0 or 2, 5) of a mask where an object left the frame, until the end of the video.

    Args:
        keyframes: (N, 5) time and box of its detections.
        end: of the video, in seconds.
        size: (2,) width and height of the frame.
    """
    last, box = keyframes[-1, 0], keyframes[-1, 1:]
    exit_time = last + _seconds_to_exit(box, _speed(keyframes), size)
    if not exit_time <= end <= last + MAX_EXIT_SECONDS:
        return np.zeros((0, 5))
    grown = _extend_to_edges(_grow_unseen(box, EXTENSION_SECONDS), box, size)
    return np.array([[max(exit_time, end - EXTENSION_SECONDS), *grown], [end + TIME_TOLERANCE, *grown]])


def _grow_by_motion(keyframes: Float64Array) -> Float64Array:
    """Expand boxes (N, 5: time and box) by ``BOX_MARGIN``, and by their motion at their time."""
    grown = _grow(keyframes, BOX_MARGIN)
    if len(keyframes) > 1:
        speed = np.abs(np.gradient(keyframes[:, 1:], keyframes[:, 0], axis=0))
        step = MOTION_MARGIN_SECONDS * np.maximum(speed[:, :2], speed[:, 2:])
        grown[:, 1:] += np.concatenate([-step, step], axis=1)
    return grown


def _extrapolate(keyframes: Float64Array, max_seconds: float, size: Float64Array, stay_seconds: float) -> Float64Array:
    """Return the keyframes (1 or 2, 5) of the mask after the last detection.

    The union of a box that stays and grows and one that continues to move; and, if the latter reaches an edge of the
    frame later but soon, a box that does so.

    Args:
        keyframes: (N, 5) time and box of the detections.
        max_seconds: seconds after the last keyframe at which the mask ends at the latest.
        size: (2,) width and height of the frame.
        stay_seconds: seconds for which the box stays.
    """
    last, box, speed = keyframes[-1, 0], keyframes[-1, 1:], _speed(keyframes)
    seconds = min(stay_seconds, max_seconds)
    static = _extend_to_edges(_grow_unseen(box, seconds), box, size)
    moving = _grow_unseen(box + speed * seconds, seconds)
    union = np.concatenate([np.minimum(static[:2], moving[:2]), np.maximum(static[2:], moving[2:])])
    mask_keyframes = [[last + seconds, *union]]
    exit_seconds = _seconds_to_exit(box, speed, size)
    if seconds < exit_seconds <= MAX_EXIT_SECONDS:
        exit_seconds = min(exit_seconds, max_seconds)
        mask_keyframes.append([last + exit_seconds, *_grow_unseen(box + speed * exit_seconds, EXTENSION_SECONDS)])
    return np.array(mask_keyframes)


def _speed(keyframes: Float64Array) -> Float64Array:
    """Return the mean speed (4,) of the sides of a box at its last keyframes, in pixels per second."""
    first = max(
        0, min(len(keyframes) - 2, int(np.searchsorted(keyframes[:, 0], keyframes[-1, 0] - SPEED_WINDOW_SECONDS)))
    )
    seconds = keyframes[-1, 0] - keyframes[first, 0]
    return np.asarray((keyframes[-1, 1:] - keyframes[first, 1:]) / seconds) if seconds else np.zeros(4)


def _seconds_to_exit(box: Float64Array, speed: Float64Array, size: Float64Array) -> float:
    """Return the seconds until a box that moves at ``speed`` has left the frame; infinite if it never does."""
    distance = np.concatenate([size - box[:2], box[2:]])
    towards = np.concatenate([speed[:2], -speed[2:]])
    moving = towards > 1e-6
    return float(min(distance[moving] / towards[moving], default=math.inf))


def _grow_unseen(box: Float64Array, seconds: float) -> Float64Array:
    """Expand a box (4,) that has not been detected for some seconds."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    grow = (BOX_MARGIN + GROWTH_PER_SECOND * seconds) * (high - low)
    return np.concatenate([low - grow, high + grow])


def _extend_to_edges(grown: Float64Array, box: Float64Array, size: Float64Array) -> Float64Array:
    """Extend a grown box (4,) to the edges of the frame that the original box is near."""
    near = EDGE_MARGIN * (box[2:] - box[:2])
    low = np.where(box[:2] < near, np.minimum(grown[:2], 0), grown[:2])
    high = np.where(box[2:] > size - near, np.maximum(grown[2:], size), grown[2:])
    return np.concatenate([low, high])


def _grow(keyframes: Float64Array, fraction: float) -> Float64Array:
    """Expand boxes (N, 5: time and box) by a fraction of their size on each side."""
    grow = fraction * (keyframes[:, 3:5] - keyframes[:, 1:3])
    return np.concatenate([keyframes[:, :1], keyframes[:, 1:3] - grow, keyframes[:, 3:5] + grow], axis=1)


def _successive_tracks(tracks: Sequence[Track], cuts: Sequence[float]) -> list[tuple[Track, Track]]:
    """Pair each track with the next one that begins soon after its end and nearby."""
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
    """Mask, between two tracks, the region in which one ended and the other begins."""
    ends = _grow(np.stack([a.boxes[-1, :5], b.boxes[0, :5]]), BOX_MARGIN)
    union = np.concatenate([ends[:, 1:3].min(axis=0), ends[:, 3:5].max(axis=0)])
    return Mask(kind, a, np.array([[a.end, *union], [b.start, *union]]), b.id)
