"""What watches for one rule: it sees picture after picture and says when the rule is met.

An event is told once, in the moment in which its rule is met (``extra["at"]``); it starts when what it tells of began,
and its ``end`` moves on while that lasts. Trembling boxes make no events: who crosses an edge is over it by a
margin, and for a moment, on either side.
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
"""The task of the events of rules."""

MAX_CROWD_GAP_SECONDS = 1.0
"""Seconds for which a crowd may seem smaller without ending: detectors overlook some for a moment."""

MAX_STILL_SHIFT = 0.25
"""How far a thing that stands still may seem to move, in diagonals of its box."""

FACE_LABEL = "face"
"""Faces count only for rules that name them: whoever has one is followed as a person already."""

RuleT = TypeVar("RuleT", bound=AnyRule)


@dataclass(slots=True)
class ZoneVisit:
    """A thing and a zone: when it was last seen, whether it is inside, and since when.

    Attributes:
        coming: ``enter`` or ``leave`` where it did so, and is not confirmed yet.
        change: the same in the frame in which that is reported.
        event: that it is part of, while it stays.
    """

    seen: float
    side: Side
    since: float
    coming: str = ""
    change: str = ""
    event: Event | None = None

    @property
    def inside(self) -> bool:
        """Whether it is inside."""
        return self.side.over

    def see(self, time: float, depth: float, margin: float) -> None:
        """Take in how deep inside it stands, in pixels."""
        before, sure = self.inside, self.side.sure
        held = self.side.see(time, depth, margin)
        self.seen, self.change = time, ""
        if self.inside != before:
            self.since, self.event = self.side.since, None
            self.coming = ("enter" if self.inside else "leave") if sure else self.coming
        if held and self.coming == ("leave" if self.inside else "enter"):
            self.coming = ""  # it never was inside, or is back before it was confirmed

    def report(self, confirmed: bool) -> None:
        """Add what the track did to the changes of this frame, once the track is confirmed."""
        if confirmed and self.side.sure:
            self.change, self.coming = self.coming, ""


class ZoneVisits:
    """Who is in a zone."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._known: dict[TrackKey, ZoneVisit] = {}
        self._start: float | None = None

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> list[tuple[TrackedObservation, ZoneVisit]]:
        """Give every thing of this picture, and how it stands with regard to the zone."""
        self._start = time if self._start is None else self._start
        drop_stale(self._known, time)
        return [(one, self._place(time, one)) for one in seen]

    def inside(self, time: float, seen: Sequence[TrackedObservation]) -> list[tuple[TrackedObservation, ZoneVisit]]:
        """Give the things that are inside."""
        return [pair for pair in self.step(time, seen) if pair[1].inside]

    def _place(self, time: float, one: TrackedObservation) -> ZoneVisit:
        depth = self.zone.depth(ground_point(one, self.zone.size))
        stay = self._known.get((one.task, one.id))
        if stay is None:
            # Who comes over the border of the frame, which is no edge of the zone, enters as well.
            coming = "enter" if one.came and one.since >= (self._start or 0.0) else ""
            stay = self._known[one.task, one.id] = ZoneVisit(time, Side(depth >= 0), time, coming)
        stay.see(time, depth, self.zone.margin(one.margin, depth))
        stay.report(one.confirmed)
        return stay

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._start = None


class RuleEvaluator(ABC, Generic[RuleT]):
    """Watches for one rule."""

    def __init__(self, rule: RuleT, place: str) -> None:
        self.rule, self._place = rule, place
        self._last = -inf

    @abstractmethod
    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Take in all that counts in the picture at ``time`` seconds; give the events that begin with it."""

    @abstractmethod
    def clear(self) -> None:
        """Forget what was seen: the rule does not hold now."""

    def counts(self, one: TrackedObservation) -> bool:
        """Whether the rule is about this thing."""
        rule = self.rule
        named = one.label in rule.labels if rule.labels else one.label != FACE_LABEL
        known = rule.identities is None or one.identity in rule.identities
        return named and known and one.score >= rule.score

    def tell(self, time: float, start: float, things: Sequence[TrackedObservation]) -> Event | None:
        """Make an event, unless the last one is too short a time ago or a thing may be a ghost."""
        if time - self._last < self.rule.cooldown or not all(one.confirmed for one in things):
            return None
        self._last = time
        where = "line" if self.rule.kind == "line" else "zone"
        extra: dict[str, Any] = {"kind": self.rule.kind, where: self._place, "at": round(time, 6)}
        extra["tracks"] = [[one.task, one.id] for one in things]
        extra["labels"] = sorted({one.label for one in things})
        if names := sorted({one.identity for one in things if one.identity}):
            extra["identities"] = names
        score = sum(one.score for one in things) / len(things)
        return Event(TASK, start, time, self.rule.name, score, extra=extra)


class ZonePresence(RuleEvaluator[RuleT]):
    """Watches a zone."""

    def __init__(self, rule: RuleT, zone: Zone) -> None:
        super().__init__(rule, zone.name)
        self.stays, self.size = ZoneVisits(zone), zone.size

    def clear(self) -> None:
        """Forget who is inside."""
        self.stays.clear()

    def lasting(self, state: Any, time: float, start: float, one: TrackedObservation) -> Iterator[Event]:
        """Let the event of a state last, or begin it."""
        if state.event is not None:
            state.event.end = time
        elif event := self.tell(time, start, [one]):
            state.event = event
            yield event


class ZoneEvaluator(ZonePresence[ZoneRule]):
    """Sees who comes, who leaves, who is there."""

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """See who came or left with this picture, or who is inside."""
        for one, stay in self.stays.step(time, seen):
            if self.rule.when == "inside" and stay.inside:
                yield from self.lasting(stay, time, stay.since, one)
            elif stay.change == self.rule.when and (event := self.tell(time, stay.since, [one])):
                yield event


class LoiteringEvaluator(ZonePresence[LoiteringRule]):
    """Sees who stays for long."""

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """See who has been inside for long enough."""
        for one, stay in self.stays.inside(time, seen):
            if time - stay.since >= self.rule.seconds:
                yield from self.lasting(stay, time, stay.since, one)


class CrowdEvaluator(ZonePresence[CrowdRule]):
    """Sees when many are there at once."""

    def __init__(self, rule: CrowdRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._since: float | None = None
        self._full = -inf
        self._event: Event | None = None

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """Count who is inside."""
        there = [one for one, _ in self.stays.inside(time, seen) if one.confirmed]
        if time - self._full > MAX_CROWD_GAP_SECONDS:
            self._since = self._event = None
        if len(there) < self.rule.count:
            return
        self._full = time
        self._since = time if self._since is None else self._since
        if self._event is not None:
            self._event.end = time
        elif time - self._since >= self.rule.seconds and (event := self.tell(time, self._since, there)):
            self._event = event
            yield event

    def clear(self) -> None:
        """Forget who is inside, and since when they are many."""
        super().clear()
        self._since, self._full, self._event = None, -inf, None


@dataclass(slots=True)
class StationaryObject:
    """A thing that rests: where, since when nobody was near, and when it was last seen."""

    label: str
    where: Point
    since: float
    seen: float
    event: Event | None = None


class LeftObjectEvaluator(ZonePresence[LeftObjectRule]):
    """Sees things that stand still while nobody is near."""

    def __init__(self, rule: LeftObjectRule, zone: Zone) -> None:
        super().__init__(rule, zone)
        self._rests: dict[TrackKey, StationaryObject] = {}

    def counts(self, one: TrackedObservation) -> bool:
        """Whether it is a thing that may be left, or somebody who may have left it."""
        return one.label in self.rule.people or super().counts(one)

    def step(self, time: float, seen: Sequence[TrackedObservation]) -> Iterator[Event]:
        """See what rests, and whether somebody is near."""
        drop_stale(self._rests, time)
        people = [one for one in seen if one.label in self.rule.people and one.confirmed]
        things = [one for one in seen if one.label not in self.rule.people]
        present = {(one.task, one.id) for one in things}
        for one, _ in self.stays.inside(time, things):
            rest = self._rest(time, one, present)
            if any(self._near(person, one) for person in people):
                rest.since, rest.event = time, None
            if time - rest.since >= self.rule.seconds:
                yield from self.lasting(rest, time, rest.since, one)

    def _rest(self, time: float, one: TrackedObservation, present: set[TrackKey]) -> StationaryObject:
        """Give the rest of a thing, which may be that of a track which broke off here."""
        key, where = (one.task, one.id), ground_point(one, self.size)
        reach = MAX_STILL_SHIFT * hypot(one.box[2] - one.box[0], height(one))
        if key not in self._rests:
            lost = (k for k, r in self._rests.items() if k not in present and r.label == one.label)
            same = next((k for k in lost if distance(self._rests[k].where, where) <= reach), None)
            self._rests[key] = StationaryObject(one.label, where, time, time) if same is None else self._rests.pop(same)
        rest = self._rests[key]
        rest.seen = time
        if distance(rest.where, where) > reach:
            rest.where, rest.since, rest.event = where, time, None
        return rest

    def _near(self, person: TrackedObservation, thing: TrackedObservation) -> bool:
        return distance(ground_point(person, self.size), ground_point(thing, self.size)) < self.rule.near * height(
            person
        )

    def clear(self) -> None:
        """Forget what rests."""
        super().clear()
        self._rests.clear()
