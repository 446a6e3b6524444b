"""Evaluators of rules: each processes frame after frame and yields the events of one rule.

An event is reported once, at the moment its rule is met (``extra["at"]``); it starts when its condition began, and its
``end`` advances while that lasts. Jitter makes no events: an object that crosses a boundary is over it by a margin,
and for a moment, on either side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, inf
from typing import Any, Generic, TypeVar

from kinoscope.core.results import Event
from kinoscope.rules.debounce import TrackedObservation, TrackKey, drop_stale
from kinoscope.rules.geometry import Side, Zone, distance, ground_point, height
from kinoscope.rules.rule_file import AnyRule, CrowdRule, LeftObjectRule, LoiteringRule, Point, ZoneRule

TASK = "rules"
"""The task name of the events of rules."""

MAX_CROWD_GAP_SECONDS = 1.0
"""Seconds for which a crowd may seem smaller without ending: detectors miss some for a moment."""

MAX_STILL_SHIFT = 0.25
"""Maximum apparent motion of an object that stands still, in diagonals of its box."""

FACE_LABEL = "face"
"""Faces count only for rules that name them: their owners are tracked as persons already."""

RuleT = TypeVar("RuleT", bound=AnyRule)


@dataclass(slots=True)
class ZoneVisit:
    """An object and a zone: when it was last detected, whether it is inside, and since when.

    Attributes:
        coming: ``enter`` or ``leave`` where it did so, and is not confirmed yet.
        change: the same in the frame in which that is reported.
        event: that it is part of, while it stays.
    """

    last_time: float
    side: Side
    since: float
    coming: str = ""
    change: str = ""
    event: Event | None = None

    @property
    def inside(self) -> bool:
        """Whether it is inside."""
        return self.side.over

    def update(self, time: float, depth: float, margin: float) -> None:
        """Update with its depth inside the zone, in pixels."""
        was_inside, was_settled = self.inside, self.side.settled
        confirmed = self.side.update(time, depth, margin)
        self.last_time, self.change = time, ""
        if self.inside != was_inside:
            self.since, self.event = self.side.since, None
            self.coming = ("enter" if self.inside else "leave") if was_settled else self.coming
        if confirmed and self.coming == ("leave" if self.inside else "enter"):
            self.coming = ""  # it never was inside, or returned before it was confirmed

    def report(self, confirmed: bool) -> None:
        """Set the change of this frame to what the track did, once the track is confirmed."""
        if confirmed and self.side.settled:
            self.change, self.coming = self.coming, ""


class ZoneVisits:
    """All visits of a zone."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._visits: dict[TrackKey, ZoneVisit] = {}
        self._start: float | None = None

    def update(
        self, time: float, observations: Sequence[TrackedObservation]
    ) -> list[tuple[TrackedObservation, ZoneVisit]]:
        """Return every object of this frame with its visit."""
        self._start = time if self._start is None else self._start
        drop_stale(self._visits, time)
        return [(observation, self._update_visit(time, observation)) for observation in observations]

    def inside(
        self, time: float, observations: Sequence[TrackedObservation]
    ) -> list[tuple[TrackedObservation, ZoneVisit]]:
        """Return the objects that are inside."""
        return [pair for pair in self.update(time, observations) if pair[1].inside]

    def _update_visit(self, time: float, observation: TrackedObservation) -> ZoneVisit:
        depth = self.zone.depth(ground_point(observation, self.zone.size))
        visit = self._visits.get((observation.task, observation.id))
        if visit is None:
            # An object that enters the frame inside the zone enters the zone as well.
            coming = "enter" if observation.entered and observation.since >= (self._start or 0.0) else ""
            visit = self._visits[observation.task, observation.id] = ZoneVisit(time, Side(depth >= 0), time, coming)
        visit.update(time, depth, self.zone.margin(observation.margin, depth))
        visit.report(observation.confirmed)
        return visit

    def clear(self) -> None:
        """Remove all visits."""
        self._visits.clear()
        self._start = None


class RuleEvaluator(ABC, Generic[RuleT]):
    """Evaluator of one rule."""

    def __init__(self, rule: RuleT, location: str) -> None:
        self.rule, self._location = rule, location
        self._last = -inf

    @abstractmethod
    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Process the matching objects of the frame at ``time`` seconds; yield the events that begin with it."""

    @abstractmethod
    def clear(self) -> None:
        """Reset the state: the rule does not hold now."""

    def matches(self, observation: TrackedObservation) -> bool:
        """Return whether the rule applies to an object."""
        rule = self.rule
        named = observation.label in rule.labels if rule.labels else observation.label != FACE_LABEL
        known = rule.identities is None or observation.identity in rule.identities
        return named and known and observation.score >= rule.score

    def make_event(self, time: float, start: float, observations: Sequence[TrackedObservation]) -> Event | None:
        """Return an event, unless the last one is too recent or an object is not confirmed."""
        if time - self._last < self.rule.cooldown or not all(observation.confirmed for observation in observations):
            return None
        self._last = time
        region = "line" if self.rule.kind == "line" else "zone"
        extra: dict[str, Any] = {"kind": self.rule.kind, region: self._location, "at": round(time, 6)}
        extra["tracks"] = [[observation.task, observation.id] for observation in observations]
        extra["labels"] = sorted({observation.label for observation in observations})
        if names := sorted({observation.identity for observation in observations if observation.identity}):
            extra["identities"] = names
        score = sum(observation.score for observation in observations) / len(observations)
        return Event(TASK, start, time, self.rule.name, score, extra=extra)


class ZonePresence(RuleEvaluator[RuleT]):
    """Base class of evaluators of a zone."""

    def __init__(self, rule: RuleT, zone: Zone) -> None:
        super().__init__(rule, zone.name)
        self.visits, self.size = ZoneVisits(zone), zone.size

    def clear(self) -> None:
        """Remove all visits."""
        self.visits.clear()

    def extend_or_begin(
        self, state: Any, time: float, start: float, observation: TrackedObservation
    ) -> Iterator[Event]:
        """Extend the event of a state, or begin it."""
        if state.event is not None:
            state.event.end = time
        elif event := self.make_event(time, start, [observation]):
            state.event = event
            yield event


class ZoneEvaluator(ZonePresence[ZoneRule]):
    """Evaluator of objects that enter, leave, or are inside a zone."""

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events for objects that entered or left with this frame, or are inside."""
        for observation, visit in self.visits.update(time, observations):
            if self.rule.when == "inside" and visit.inside:
                yield from self.extend_or_begin(visit, time, visit.since, observation)
            elif visit.change == self.rule.when and (event := self.make_event(time, visit.since, [observation])):
                yield event


class LoiteringEvaluator(ZonePresence[LoiteringRule]):
    """Evaluator of objects that stay for long."""

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events for objects that have been inside for long enough."""
        for observation, visit in self.visits.inside(time, observations):
            if time - visit.since >= self.rule.seconds:
                yield from self.extend_or_begin(visit, time, visit.since, observation)


class CrowdEvaluator(ZonePresence[CrowdRule]):
    """Evaluator of many objects at once."""

    def __init__(self, rule: CrowdRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._since: float | None = None
        self._last_full = -inf
        self._event: Event | None = None

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events while enough objects are inside."""
        present = [observation for observation, _ in self.visits.inside(time, observations) if observation.confirmed]
        if time - self._last_full > MAX_CROWD_GAP_SECONDS:
            self._since = self._event = None
        if len(present) < self.rule.count:
            return
        self._last_full = time
        self._since = time if self._since is None else self._since
        if self._event is not None:
            self._event.end = time
        elif time - self._since >= self.rule.seconds and (event := self.make_event(time, self._since, present)):
            self._event = event
            yield event

    def clear(self) -> None:
        """Remove all visits and the state of the crowd."""
        super().clear()
        self._since, self._last_full, self._event = None, -inf, None


@dataclass(slots=True)
class StationaryObject:
    """An object at rest: where, since when nobody was near, and when it was last detected."""

    label: str
    point: Point
    since: float
    last_time: float
    event: Event | None = None


class LeftObjectEvaluator(ZonePresence[LeftObjectRule]):
    """Evaluator of objects that stand still while nobody is near."""

    def __init__(self, rule: LeftObjectRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._resting: dict[TrackKey, StationaryObject] = {}

    def matches(self, observation: TrackedObservation) -> bool:
        """Return whether it is an object that may be left, or a person who may have left it."""
        return observation.label in self.rule.people or super().matches(observation)

    def update(self, time: float, observations: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Yield events for objects at rest with nobody near."""
        drop_stale(self._resting, time)
        people = [
            observation
            for observation in observations
            if observation.label in self.rule.people and observation.confirmed
        ]
        objects = [observation for observation in observations if observation.label not in self.rule.people]
        present = {(observation.task, observation.id) for observation in objects}
        for observation, _ in self.visits.inside(time, objects):
            resting = self._resting_object(time, observation, present)
            if any(self._near(person, observation) for person in people):
                resting.since, resting.event = time, None
            if time - resting.since >= self.rule.seconds:
                yield from self.extend_or_begin(resting, time, resting.since, observation)

    def _resting_object(self, time: float, observation: TrackedObservation, present: set[TrackKey]) -> StationaryObject:
        """Return the state of an object at rest, which may be that of a broken track at the same point."""
        key, point = (observation.task, observation.id), ground_point(observation, self.size)
        max_shift = MAX_STILL_SHIFT * hypot(observation.box[2] - observation.box[0], height(observation))
        if key not in self._resting:
            lost = (
                key_
                for key_, other in self._resting.items()
                if key_ not in present and other.label == observation.label
            )
            previous = next((key_ for key_ in lost if distance(self._resting[key_].point, point) <= max_shift), None)
            self._resting[key] = (
                StationaryObject(observation.label, point, time, time)
                if previous is None
                else self._resting.pop(previous)
            )
        resting = self._resting[key]
        resting.last_time = time
        if distance(resting.point, point) > max_shift:
            resting.point, resting.since, resting.event = point, time, None
        return resting

    def _near(self, person: TrackedObservation, item: TrackedObservation) -> bool:
        return distance(ground_point(person, self.size), ground_point(item, self.size)) < self.rule.near * height(
            person
        )

    def clear(self) -> None:
        """Remove all objects at rest."""
        super().clear()
        self._resting.clear()
