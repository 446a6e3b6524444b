"""Alert rules on a recording: replays its tracks frame by frame. See ``kinoscope.rules``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import SourceInfo
from kinoscope.core.results import Event, Observation, TaskReport, TaskResult, Track
from kinoscope.rules import RuleFile, read_rules
from kinoscope.rules.engine import RuleEngine, recording_clock, to_pixels
from kinoscope.tasks.base import Needs, PostTask, Skip
from kinoscope.views.timeline import Timeline

TRACKING_TASKS = ("objects", "faces")
"""The tasks whose tracks the rules use."""


class Rules(PostTask):
    """Evaluates the rules of a file on the tracks of earlier tasks; requests neither frames nor audio.

    Events: one per alert, ``label`` the rule's name; ``extra`` holds its ``kind``, the ``zone`` or ``line``, the
    ``tracks`` as ``[task, id]``, their ``labels`` and ``identities``, and ``at``, when the rule matched. Report:
    ``extra["zones"]`` and ``extra["lines"]`` in pixels.

    Args:
        rules: a file of rules as ``read`` returns it, or its path.
    """

    name = "rules"
    required_input = "rules; give --rules FILE, see examples/rules.yaml"
    depends_on = frozenset({"objects"})

    def __init__(self, *, rules: RuleFile | str | Path, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._rules = rules if isinstance(rules, RuleFile) else read_rules(rules)

    def needs(self, info: SourceInfo) -> Needs:
        """Check that the zones fit the frame, and request nothing.

        Raises:
            Skip: there is no video.
        """
        if not info.width or not info.height:
            raise Skip("there is no video")
        self._size = info.size
        self._engine = RuleEngine(self._rules, info.size, recording_clock(self._rules, float(info.start)))
        return Needs()

    def finish(self, timeline: Timeline) -> TaskResult:
        """Replay the tracks and return the alerts.

        Raises:
            Skip: no task that ran tracks objects.
        """
        if not any(name in timeline.tasks for name in TRACKING_TASKS):
            raise Skip(f"neither {' nor '.join(TRACKING_TASKS)} ran; rules use their tracks")
        tracked = [track for name in TRACKING_TASKS for track in timeline.tracks(name)]
        tracks = [track for track in tracked if not track.extra.get("doubtful")]
        events: list[Event] = []
        for time, observations in replay(tracks, timeline.times):
            events += self._engine.update(time, observations)
        return TaskResult(events=events, report=self._report())

    def _report(self) -> TaskReport:
        """Return the positions of the zones and lines."""
        rules, size = self._rules, self._size
        zones = {name: to_pixels(rules, size, points) for name, points in rules.zones.items()}
        lines = {name: to_pixels(rules, size, points) for name, points in rules.lines.items()}
        return TaskReport(extra={"rules": len(rules.rules), "zones": zones, "lines": lines})


def replay(tracks: Iterable[Track], times: Float64Array) -> Iterator[tuple[float, list[Observation]]]:
    """Yield each of ``times`` (N,) in seconds with all objects tracked then, as live tracking would have reported them.

    Without ``times`` those of the boxes are used. Box times need only be near: files round them to microseconds.
    """
    tracks = [track for track in tracks if len(track.boxes)]
    if not len(times):
        times = np.unique(np.concatenate([np.zeros(0), *(track.boxes[:, 0] for track in tracks)]))
    present: dict[int, list[tuple[Track, int]]] = defaultdict(list)
    for track in tracks:
        for row, frame in enumerate(_nearest(times, track.boxes[:, 0]).tolist()):
            present[frame].append((track, row))
    for frame, time in enumerate(times.tolist()):
        yield time, [_observation(track, row) for track, row in present.pop(frame, ())]


def _nearest(times: Float64Array, box_times: Float64Array) -> NDArray[np.intp]:
    """Return, for each of the sorted times of boxes (M,), the index of the nearest of ``times``."""
    middles = (times[1:] + times[:-1]) / 2
    return np.searchsorted(middles, box_times)


def _observation(track: Track, row: int) -> Observation:
    _, x1, y1, x2, y2, score = track.boxes[row].tolist()
    return Observation(track.task, track.id, track.label, (x1, y1, x2, y2), score, track.identity)
