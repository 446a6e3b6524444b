"""The rule engine: observations in, events out. Pure: the same observations always yield the same events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kinoscope.core.errors import RulesError
from kinoscope.core.media import Size
from kinoscope.core.results import Event, Observation
from kinoscope.rules.debounce import ObservationFilter
from kinoscope.rules.direction_rules import LineEvaluator, WrongDirectionEvaluator
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
    WrongDirectionRule,
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
"""Returns the time of day, with its offset from UTC, at which the frame of a time in seconds was recorded."""

ZONE_EVALUATORS: dict[type[Any], type[ZonePresence[Any]]] = {
    ZoneRule: ZoneEvaluator,
    LoiteringRule: LoiteringEvaluator,
    CrowdRule: CrowdEvaluator,
    LeftObjectRule: LeftObjectEvaluator,
    WrongDirectionRule: WrongDirectionEvaluator,
}


class RuleEngine:
    """Evaluator of all rules of a file on one source.

    Args:
        rules: as ``read_rules`` returns them.
        size: width and height of the displayed frame in pixels.
        clock: returns the time of day; see ``recording_clock``. Needed only by rules with ``hours`` or ``days``.
        observation_filter: decides which tracks are confirmed, and measures their jitter; the default one if None.

    Raises:
        RulesError: a zone lies outside the frame, a direction runs along its line, or a clock is needed.
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
        self._evaluators = [_make_evaluator(rule, rules, size) for rule in rules.rules]

    def update(self, time: float, observations: Sequence[Observation]) -> list[Event]:
        """Process all objects tracked in the frame at ``time`` seconds, in order of time, confirmed or not.

        Returns:
            The events whose rules are met with this frame. While the condition of one lasts, later calls advance its
            end.
        """
        now = self._clock(time) if self._clock else None
        tracked = self._filter(time, sorted(observations, key=lambda observation: (observation.task, observation.id)))
        events: list[Event] = []
        for evaluator in self._evaluators:
            if now is not None and evaluator.rule.timed and not evaluator.rule.holds(now):
                evaluator.clear()
            else:
                events += evaluator.update(
                    time, [observation for observation in tracked if evaluator.matches(observation)]
                )
        return events


def require_clock(rules: RuleFile) -> None:
    """Require a time of day for rules that depend on it, where the source has none.

    Raises:
        RulesError: there is such a rule.
    """
    for rule in rules.rules:
        if rule.timed:
            raise RulesError(
                f"rule {rule.name!r} depends on the time of day, and the start of the recording is unknown; "
                "write it into the rule file, such as `clock: 2026-11-26 08:00:00`"
            )


def recording_clock(rules: RuleFile, start: float) -> WallClock | None:
    """Return the clock of a recording whose first frame is at ``start`` seconds, or None if the file has none.

    Seconds are added in UTC: across a change of daylight saving time, they are not those of local time.
    """
    if rules.clock is None:
        return None
    begin, zone = rules.clock.astimezone(UTC), rules.clock.tzinfo  # no zone: that of the machine
    return lambda time: (begin + timedelta(seconds=time - start)).astimezone(zone)


def to_pixels(rules: RuleFile, size: Size, points: Sequence[Point]) -> list[Point]:
    """Return points of the file in pixels of a frame of ``size``."""
    across, down = size if rules.units == "fractions" else (1, 1)
    return [(x * across, y * down) for x, y in points]


def _make_evaluator(rule: AnyRule, rules: RuleFile, size: Size) -> RuleEvaluator[Any]:
    if not isinstance(rule, LineRule):
        return ZONE_EVALUATORS[type(rule)](rule, _zone(rule.zone, rules, size))
    evaluator = LineEvaluator(rule, Line(rule.line, to_pixels(rules, size, rules.lines[rule.line]), size), size)
    if evaluator.along:
        raise RulesError(
            f"rule {rule.name!r} needs line {rule.line!r} crossed {rule.direction}, and the line runs in that "
            "direction; turn the line or the direction"
        )
    return evaluator


def _zone(name: str | None, rules: RuleFile, size: Size) -> Zone:
    if name is None:
        width, height = size
        return Zone(WHOLE_FRAME, [(0, 0), (width, 0), (width, height), (0, height)], size)
    return Zone(name, to_pixels(rules, size, rules.zones[name]), size)
