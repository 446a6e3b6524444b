"""Evaluators of rules on motion: across a line, and against a direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from kinoscope.core.media import Size
from kinoscope.core.results import Event
from kinoscope.rules.debounce import TrackedObservation, TrackKey, drop_stale
from kinoscope.rules.geometry import Line, Side, Zone, distance, ground_point, height
from kinoscope.rules.rule_file import LineRule, Point, WrongDirectionRule, unit_vector
from kinoscope.rules.zone_rules import RuleEvaluator, ZonePresence


@dataclass(slots=True)
class DirectionProgress:
    """Progress of an object along the permitted direction: its farthest point, since when, and how far back it went."""

    point: Point
    since: float
    last_time: float
    low: float = inf
    event: Event | None = None


class WrongDirectionEvaluator(ZonePresence[WrongDirectionRule]):
    """Evaluator of motion against the direction of a zone."""

    def __init__(self, rule: WrongDirectionRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._direction = unit_vector(rule.direction)
        self._progress: dict[TrackKey, DirectionProgress] = {}

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events for objects that moved back by more than the jitter of a box."""
        drop_stale(self._progress, time)
        for observation, visit in self.visits.update(time, observations):
            key, point = (observation.task, observation.id), ground_point(observation, self.size)
            if not visit.inside or key not in self._progress:
                self._progress.pop(key, None)
                if visit.inside:
                    self._progress[key] = DirectionProgress(point, time, time)
                continue
            yield from self._follow(self._progress[key], time, point, observation)

    def _follow(
        self, progress: DirectionProgress, time: float, point: Point, observation: TrackedObservation
    ) -> Iterator[Event]:
        progress.last_time = time
        limit = self.rule.distance * sqrt((observation.box[2] - observation.box[0]) * height(observation))
        back, moved = self._along(progress.point) - self._along(point), distance(progress.point, point)
        if progress.event is not None and back > progress.low:
            progress.low, progress.event.end = back, time
        elif progress.event is not None and progress.low - back < limit:
            return
        elif progress.event is None and back >= limit and back >= moved / 2:
            yield from self.extend_or_begin(progress, time, progress.since, observation)
            progress.low = back if progress.event else inf
        elif back <= 0 or progress.event is not None or moved >= 4 * limit:
            # It moves in the permitted direction, or across: measure from here.
            progress.point, progress.since, progress.event, progress.low = point, time, None, inf

    def _along(self, point: Point) -> float:
        return point[0] * self._direction[0] + point[1] * self._direction[1]

    def clear(self) -> None:
        """Remove the progress of all objects."""
        super().clear()
        self._progress.clear()


@dataclass(slots=True)
class LineCrossing:
    """An object and a line.

    Attributes:
        side: on which side it is.
        point: its last ground point.
        last_time: when.
        net, at: net crossings of the line since it was settled on one side, and when the last one was.
        crossed: the same of a settled crossing that is not reported yet.
        began: time of that crossing in seconds.
    """

    side: Side
    point: Point
    last_time: float
    net: int = 0
    at: float = 0.0
    crossed: int = 0
    began: float = 0.0

    def update(self, time: float, point: Point, direction: int, distance: float, margin: float) -> None:
        """Update with its ground point; ``direction`` is how the path there crosses the line: 1, -1 or 0."""
        if direction:
            self.net, self.at = self.net + direction, time
        self.point, self.last_time = point, time
        previous_side = self.side.over if self.side.settled else None
        if not self.side.update(time, distance, margin):
            return
        if self.side.over != previous_side:
            # An object that went around the end of the line did not cross it.
            self.crossed, self.began = (0 if previous_side is None else self.net), self.at
        self.net = 0


class LineEvaluator(RuleEvaluator[LineRule]):
    """Evaluator of line crossings."""

    def __init__(self, rule: LineRule, line: Line, size: Size) -> None:
        super().__init__(rule, line.name)
        self._line, self._size = line, size
        self._crossings: dict[TrackKey, LineCrossing] = {}
        direction = None if rule.direction == "any" else unit_vector(rule.direction)
        self._alignment = 0.0 if direction is None else direction[0] * line.normal[0] + direction[1] * line.normal[1]

    @property
    def along(self) -> bool:
        """Whether the direction of the rule runs along the line, so that nothing can cross it in that direction."""
        return self.rule.direction != "any" and abs(self._alignment) < 0.02

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events for objects that are settled on the other side of the line than before."""
        drop_stale(self._crossings, time)
        for observation in observations:
            point = ground_point(observation, self._size)
            distance = self._line.side(point)
            crossing = self._crossings.setdefault(
                (observation.task, observation.id), LineCrossing(Side(distance >= 0), point, time)
            )
            direction = self._line.crossed(crossing.point, point)
            crossing.update(time, point, direction, distance, self._line.margin(observation.margin, distance))
            if crossing.crossed and observation.confirmed:
                yield from self._report(crossing, time, observation)

    def _report(self, crossing: LineCrossing, time: float, observation: TrackedObservation) -> Iterator[Event]:
        direction, crossing.crossed = crossing.crossed, 0
        if direction * self._alignment >= 0 and (event := self.make_event(time, crossing.began, [observation])):
            yield event

    def clear(self) -> None:
        """Remove the crossings of all objects."""
        self._crossings.clear()
