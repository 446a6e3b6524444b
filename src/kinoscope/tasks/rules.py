"""Which rules are met, and when: the tracks of a recording, replayed picture by picture. See ``kinoscope.rules``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, Observation, TaskReport, TaskResult, Timeline, Track
from kinoscope.rules import RuleFile, read_rules
from kinoscope.rules.engine import RuleEngine, recording_clock, to_pixels
from kinoscope.tasks.base import Needs, Skip

TRACKING_TASKS = ("objects", "faces")
"""The tasks whose tracks rules go by."""


class Rules:
    """Tells when the rules of a file are met; is not fed, and reads what earlier tasks followed.

    Events: one an alert, ``label`` the rule's name; ``extra`` holds its ``kind``, the ``zone`` or ``line``, the
    ``tracks`` as ``[task, id]``, their ``labels`` and ``identities``, and ``at``, when the rule was met. Report:
    ``extra["zones"]`` and ``extra["lines"]`` in pixels.

    Args:
        rules: a file of rules as ``read_rules`` gives it, or its path.
        device, model, threads: not used: no network runs here.
    """

    name = "rules"

    def __init__(
        self, *, rules: RuleFile | str | Path, device: str = "auto", model: str = "auto", threads: int = 1
    ) -> None:
        self._rules = rules if isinstance(rules, RuleFile) else read_rules(rules)

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for nothing; see that the zones fit the picture."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        self._size = info.size
        self._book = RuleEngine(self._rules, info.size, recording_clock(self._rules, float(info.start)))
        return Needs()

    def process_frames(self, *batches: FrameBatch) -> None:
        """Not called: no pictures are asked for."""

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Replay the tracks."""
        if not any(name in timeline.tasks for name in TRACKING_TASKS):
            raise Skip(f"neither {' nor '.join(TRACKING_TASKS)} were looked for; rules go by what is followed")
        followed = [track for name in TRACKING_TASKS for track in timeline.tracks_of(name)]
        tracks = [track for track in followed if not track.extra.get("doubtful")]
        events: list[Event] = []
        for time, seen in replay(tracks, timeline.times):
            events += self._book.update(time, seen)
        return TaskResult(events=events, report=self._report())

    def _report(self) -> TaskReport:
        """Tell where the zones and lines are."""
        rules, size = self._rules, self._size
        zones = {name: to_pixels(rules, size, points) for name, points in rules.zones.items()}
        lines = {name: to_pixels(rules, size, points) for name, points in rules.lines.items()}
        return TaskReport(extra={"rules": len(rules.rules), "zones": zones, "lines": lines})


def replay(tracks: Iterable[Track], times: Float64Array) -> Iterator[tuple[float, list[Observation]]]:
    """Give, for each of ``times`` (N,) in seconds, all that is followed then, as a live look would have told it.

    Without ``times`` those of the boxes serve. Box times need only be near: files keep them to the microsecond.
    """
    tracks = [track for track in tracks if len(track.boxes)]
    if not len(times):
        times = np.unique(np.concatenate([np.zeros(0), *(track.boxes[:, 0] for track in tracks)]))
    present: dict[int, list[tuple[Track, int]]] = defaultdict(list)
    for track in tracks:
        for row, place in enumerate(_nearest(times, track.boxes[:, 0]).tolist()):
            present[place].append((track, row))
    for place, time in enumerate(times.tolist()):
        yield time, [_seen(track, row) for track, row in present.pop(place, ())]


def _nearest(times: Float64Array, boxes: Float64Array) -> NDArray[np.intp]:
    """Give, for each of the sorted times of boxes (M,), the index of the nearest of ``times``."""
    middles = (times[1:] + times[:-1]) / 2
    return np.searchsorted(middles, boxes)


def _seen(track: Track, row: int) -> Observation:
    _, x1, y1, x2, y2, score = track.boxes[row].tolist()
    return Observation(track.task, track.id, track.label, (x1, y1, x2, y2), score, track.identity)
