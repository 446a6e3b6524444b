"""The engine of rules: pictures in, events out. Pure: the same pictures always give the same events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kinoscope.core.errors import RulesError
from kinoscope.core.media import Size
from kinoscope.core.results import Event, Observation
from kinoscope.rules.debounce import ObservationFilter
from kinoscope.rules.direction_rules import LineEvaluator, WrongWayEvaluator
from kinoscope.rules.geometry import Line, Zone
from kinoscope.rules.loader import check_size
from kinoscope.rules.rule_file import (
    WHOLE_FRAME,
    AnyRule,
    CrowdRule,
    LeftObjectRule,
    LineRule,
    LoiteringRule,
    Point,
    RuleFile,
    WrongWayRule,
    ZoneRule,
)
from kinoscope.rules.zone_rules import (
    CrowdEvaluator,
    LeftObjectEvaluator,
    LoiteringEvaluator,
    RuleEvaluator,
    ZoneEvaluator,
    ZonePresence,
)

WallClock = Callable[[float], datetime]
"""Gives the time of day, with its offset from UTC, at which the picture of a time in seconds was taken."""

ZONE_EVALUATORS: dict[type[Any], type[ZonePresence[Any]]] = {
    ZoneRule: ZoneEvaluator,
    LoiteringRule: LoiteringEvaluator,
    CrowdRule: CrowdEvaluator,
    LeftObjectRule: LeftObjectEvaluator,
    WrongWayRule: WrongWayEvaluator,
}


class RuleEngine:
    """All rules of a file, watched over one source.

    Args:
        rules: as ``read`` gives them.
        size: width and height of the displayed picture in pixels.
        clock: tells the time of day; see ``recording_clock``. Needed only by rules with ``hours`` or ``days``.
        settling: what says which tracks are confirmed, and how much their boxes tremble; as usual if not given.

    Raises:
        RulesError: a zone lies outside the picture, a direction runs along its line, or no clock tells when it is.
    """

    def __init__(
        self,
        rules: RuleFile,
        size: Size,
        clock: WallClock | None = None,
        observation_filter: ObservationFilter | None = None,
    ) -> None:
        check_size(rules, size)
        if clock is None:
            require_clock(rules)
        self._clock, self._filter = clock, observation_filter or ObservationFilter(size)
        self._watchers = [_watcher(rule, rules, size) for rule in rules.rules]

    def update(self, time: float, observations: Sequence[Observation]) -> list[Event]:
        """Take in all that is followed in the picture at ``time`` seconds, in order of time, confirmed or not.

        Returns:
            The events whose rules are met with this picture. While what one tells of lasts, later calls move its end.
        """
        now = self._clock(time) if self._clock else None
        things = self._filter(time, sorted(observations, key=lambda one: (one.task, one.id)))
        events: list[Event] = []
        for watcher in self._watchers:
            if now is not None and watcher.rule.timed and not watcher.rule.holds(now):
                watcher.clear()
            else:
                events += watcher.step(time, [one for one in things if watcher.counts(one)])
        return events


def require_clock(rules: RuleFile) -> None:
    """Refuse rules that go by the time of day where nothing tells it.

    Raises:
        RulesError: there is one.
    """
    for rule in rules.rules:
        if rule.timed:
            raise RulesError(
                f"rule {rule.name!r} goes by the time of day, and nothing says when the recording began; "
                "write it into the file of rules, such as `clock: 2026-11-26 08:00:00`"
            )


def recording_clock(rules: RuleFile, start: float) -> WallClock | None:
    """Return the clock of a recording whose first frame is at ``start`` seconds, or None if the file has none.

    Seconds are added in UTC: where a clock is put forward or back, they are not those of its hands.
    """
    if rules.clock is None:
        return None
    begin, zone = rules.clock.astimezone(UTC), rules.clock.tzinfo  # no zone: that of the machine
    return lambda time: (begin + timedelta(seconds=time - start)).astimezone(zone)


def to_pixels(rules: RuleFile, size: Size, points: Sequence[Point]) -> list[Point]:
    """Give points of the file in pixels of a picture of ``size``."""
    across, down = size if rules.units == "fractions" else (1, 1)
    return [(x * across, y * down) for x, y in points]


def _watcher(rule: AnyRule, rules: RuleFile, size: Size) -> RuleEvaluator[Any]:
    if not isinstance(rule, LineRule):
        return ZONE_EVALUATORS[type(rule)](rule, _zone(rule.zone, rules, size))
    watcher = LineEvaluator(rule, Line(rule.line, to_pixels(rules, size, rules.lines[rule.line]), size), size)
    if watcher.along:
        raise RulesError(
            f"rule {rule.name!r} wants its line {rule.line!r} crossed {rule.direction}, and the line runs that way; "
            "turn the line or the direction"
        )
    return watcher


def _zone(name: str | None, rules: RuleFile, size: Size) -> Zone:
    if name is None:
        width, height = size
        return Zone(WHOLE_FRAME, [(0, 0), (width, 0), (width, height), (0, height)], size)
    return Zone(name, to_pixels(rules, size, rules.zones[name]), size)
