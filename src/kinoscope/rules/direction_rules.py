"""What watches how things move: across a line, and against the right way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from kinoscope.core.media import Size
from kinoscope.core.results import Event
from kinoscope.rules.debounce import TrackedObservation, TrackKey, drop_stale
from kinoscope.rules.geometry import Line, Side, Zone, distance, ground_point, height
from kinoscope.rules.rule_file import LineRule, Point, WrongWayRule, unit_vector
from kinoscope.rules.zone_rules import RuleEvaluator, ZonePresence


@dataclass(slots=True)
class DirectionProgress:
    """How a thing moves along the right way: the farthest that it came, since when, and how far back it went."""

    where: Point
    since: float
    seen: float
    low: float = inf
    event: Event | None = None


class WrongWayEvaluator(ZonePresence[WrongWayRule]):
    """Sees what moves against the direction of a zone."""

    def __init__(self, rule: WrongWayRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._way = unit_vector(rule.direction)
        self._courses: dict[TrackKey, DirectionProgress] = {}

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """See how far each came, and who went back by more than a box may tremble."""
        drop_stale(self._courses, time)
        for one, stay in self.stays.step(time, seen):
            key, where = (one.task, one.id), ground_point(one, self.size)
            if not stay.inside or key not in self._courses:
                self._courses.pop(key, None)
                if stay.inside:
                    self._courses[key] = DirectionProgress(where, time, time)
                continue
            yield from self._follow(self._courses[key], time, where, one)

    def _follow(self, course: DirectionProgress, time: float, where: Point, one: TrackedObservation) -> Iterator[Event]:
        course.seen = time
        limit = self.rule.distance * sqrt((one.box[2] - one.box[0]) * height(one))
        back, moved = self._along(course.where) - self._along(where), distance(course.where, where)
        if course.event is not None and back > course.low:
            course.low, course.event.end = back, time
        elif course.event is not None and course.low - back < limit:
            return
        elif course.event is None and back >= limit and back >= moved / 2:
            yield from self.lasting(course, time, course.since, one)
            course.low = back if course.event else inf
        elif back <= 0 or course.event is not None or moved >= 4 * limit:
            # It goes the right way, or across: from here on it is measured anew.
            course.where, course.since, course.event, course.low = where, time, None, inf

    def _along(self, point: Point) -> float:
        return point[0] * self._way[0] + point[1] * self._way[1]

    def clear(self) -> None:
        """Forget how things moved."""
        super().clear()
        self._courses.clear()


@dataclass(slots=True)
class LineCrossing:
    """A thing and a line.

    Attributes:
        side: on which side it is. where: it was last. seen: when.
        net, at: how it has passed through the line since it was on one side for sure, and when last.
        crossed: the same of a crossing that is sure, and not reported yet.
        began: time of that crossing in seconds.
    """

    side: Side
    where: Point
    seen: float
    net: int = 0
    at: float = 0.0
    crossed: int = 0
    began: float = 0.0

    def see(self, time: float, where: Point, way: int, distance: float, margin: float) -> None:
        """Take in where it stands; ``way`` is how the way there leads through the line: 1, -1 or 0."""
        if way:
            self.net, self.at = self.net + way, time
        self.where, self.seen = where, time
        before = self.side.over if self.side.sure else None
        if not self.side.see(time, distance, margin):
            return
        if self.side.over != before:
            # Who went around the end of the line did not pass through it.
            self.crossed, self.began = (0 if before is None else self.net), self.at
        self.net = 0


class LineEvaluator(RuleEvaluator[LineRule]):
    """Sees what crosses a line."""

    def __init__(self, rule: LineRule, line: Line, size: Size) -> None:
        super().__init__(rule, line.name)
        self._line, self._size = line, size
        self._known: dict[TrackKey, LineCrossing] = {}
        way = None if rule.direction == "any" else unit_vector(rule.direction)
        self._turn = 0.0 if way is None else way[0] * line.normal[0] + way[1] * line.normal[1]

    @property
    def along(self) -> bool:
        """Whether the direction of the rule runs along the line, so that nothing can ever cross it so."""
        return self.rule.direction != "any" and abs(self._turn) < 0.02

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """See what is over the line for sure that was on the other side before."""
        drop_stale(self._known, time)
        for one in seen:
            where = ground_point(one, self._size)
            distance = self._line.side(where)
            passage = self._known.setdefault((one.task, one.id), LineCrossing(Side(distance >= 0), where, time))
            way = self._line.crossed(passage.where, where)
            passage.see(time, where, way, distance, self._line.margin(one.margin, distance))
            if passage.crossed and one.confirmed:
                yield from self._report(passage, time, one)

    def _report(self, passage: LineCrossing, time: float, one: TrackedObservation) -> Iterator[Event]:
        way, passage.crossed = passage.crossed, 0
        if way * self._turn >= 0 and (event := self.tell(time, passage.began, [one])):
            yield event

    def clear(self) -> None:
        """Forget who is where."""
        self._known.clear()
