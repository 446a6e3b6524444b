"""What is to be hidden, where and when: the boxes of tracks, grown in space and in time.

A track has a box at each frame from its first to its last detection, so what is missed between two looks is covered
too. Before the first and after the last one the box stays for a while and grows, since something was probably there
already, or is still; and where one track ends and another begins near it soon after, the place of both is covered in
between. Nothing reaches over a cut.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from kinoscope.core.boxes import Array, clip, intersections
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

MARGIN = 0.2
"""Share of its size by which a box is grown on each side: detectors cut off hair and chins."""

EXTENSION, GROWTH = 0.5, 1.0
"""Seconds before the first and after the last detection that are covered too, and the share of its size by which a box
grows on each side meanwhile, a second: farther in time it may be farther away."""

BRIDGE = 2.0
"""Seconds between two tracks up to which they may be one thing that was lost and found."""

MIXED = 0.6
"""Distance between two looks of one face track from which it may show two people, one of whom was taken for the other
as they passed. In 21 tracks of one person each it was at most 0.53."""

SLACK = 2e-6
"""Seconds by which a time in a file may differ from the frame's exact one: files hold microseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """What hides one track, or the gap between two.

    Attributes:
        kind: of what is hidden, of ``KINDS``.
        track: the track; before a gap, the one that ends there.
        rows: (N, 5) time in seconds and x1, y1, x2, y2 in pixels; between two rows a box moves evenly.
        bridge: id of the track after the gap, for what hides one.
    """

    kind: str
    track: Track
    rows: Array
    bridge: int | None = None

    @property
    def start(self) -> float:
        """Time from which it covers, in seconds."""
        return float(self.rows[0, 0])

    @property
    def end(self) -> float:
        """Time until which it covers, in seconds."""
        return float(self.rows[-1, 0])

    def at(self, time: float) -> Array:
        """Give x1, y1, x2, y2 at a time; outside its own, the first or the last box."""
        return np.array([np.interp(time, self.rows[:, 0], self.rows[:, i]) for i in range(1, 5)])

    def extent(self, size: Size) -> list[int]:
        """Give the smallest whole-pixel box in a picture of ``size`` that holds all its boxes."""
        low, high = self.rows[:, 1:3].min(axis=0), self.rows[:, 3:5].max(axis=0)
        x1, y1, x2, y2 = clip(np.concatenate([np.floor(low), np.ceil(high)])[None], *size)[0].astype(int).tolist()
        return [x1, y1, x2, y2]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be hidden in a video, and who is spared.

    Attributes:
        covers: what hides, in order of time.
        kept: tracks that are not hidden, with their kind.
    """

    covers: list[Cover] = field(default_factory=list)
    kept: list[tuple[str, Track]] = field(default_factory=list)


def plan(timeline: Timeline, kinds: Collection[str], keep: Collection[str] = ()) -> Plan:
    """Say what hides every track of some kinds, but for those that the gallery knows by a name to keep.

    Args:
        timeline: in which the tasks of all kinds are done.
        kinds: of ``KINDS``.
        keep: names; only a track that was recognised as one of them, and shows nobody else, is spared.

    Raises:
        PrivacyError: a task did not see the whole video, so that something might stay visible.
    """
    _check_done(timeline, kinds, keep)
    covers: list[Cover] = []
    kept: list[tuple[str, Track]] = []
    cuts = _cuts(timeline)
    for kind in kinds:
        tracks = _tracks(timeline, kind)
        spared = [track for track in tracks if _is_spared(track, keep)]
        kept += [(kind, track) for track in spared]
        hidden = [track for track in tracks if not any(track is other for other in spared)]
        covers += [Cover(kind, track, _drawn_out(track, cuts)) for track in hidden]
        covers += [_bridge(kind, a, b) for a, b in _gaps(hidden, cuts)]
    return Plan(sorted(covers, key=lambda cover: cover.start), kept)


def _is_spared(track: Track, keep: Collection[str]) -> bool:
    return "known_by" in track.extra and track.identity in keep and float(track.extra.get("apart", 0)) <= MIXED


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


def _drawn_out(track: Track, cuts: Sequence[float]) -> Array:
    """Give the grown boxes of a track with those before and after it."""
    rows = _grown(track.boxes[:, :5], MARGIN)
    first, last = bisect_right(cuts, track.start + SLACK), bisect_right(cuts, track.end + SLACK)
    begin = max(track.start - EXTENSION, cuts[first - 1] if first else -math.inf)
    end = min(track.end + EXTENSION, cuts[last] - 4 * SLACK if last < len(cuts) else math.inf)
    before = _grown(track.boxes[:1, :5], MARGIN + GROWTH * (track.start - begin))
    after = _grown(track.boxes[-1:, :5], MARGIN + GROWTH * (end - track.end))
    before[:, 0], after[:, 0] = begin - SLACK, end + SLACK
    return np.concatenate([before, rows, after])


def _grown(rows: Array, share: float) -> Array:
    """Grow boxes (N, 5: time and box) by a share of their size on each side."""
    grow = share * (rows[:, 3:5] - rows[:, 1:3])
    return np.concatenate([rows[:, :1], rows[:, 1:3] - grow, rows[:, 3:5] + grow], axis=1)


def _gaps(tracks: Sequence[Track], cuts: Sequence[float]) -> list[tuple[Track, Track]]:
    """Pair tracks with the next that begins near where they end."""
    pairs = []
    for a in tracks:
        soon = [b for b in tracks if 0 < b.start - a.end <= BRIDGE]
        near = [b for b in soon if _is_near(a, b) and bisect_right(cuts, a.end) == bisect_right(cuts, b.start)]
        pairs += [(a, min(near, key=lambda b: b.start))] if near else []
    return pairs


def _is_near(a: Track, b: Track) -> bool:
    last, first = _grown(a.boxes[-1:, :5], 1.0)[:, 1:], _grown(b.boxes[:1, :5], 1.0)[:, 1:]
    return bool(intersections(last, first)[0, 0] > 0)


def _bridge(kind: str, a: Track, b: Track) -> Cover:
    """Cover, between two tracks, the place where one ended and the other begins."""
    ends = _grown(np.stack([a.boxes[-1, :5], b.boxes[0, :5]]), MARGIN)
    whole = np.concatenate([ends[:, 1:3].min(axis=0), ends[:, 3:5].max(axis=0)])
    return Cover(kind, a, np.array([[a.end, *whole], [b.start, *whole]]), b.id)
