"""What a file of rules holds: zones and lines drawn on the picture, and the rules that go by them.

These classes are the one description of the file: they check it, and ``rules.rules_schema.json`` is made from them.
"""

from __future__ import annotations

import re
from datetime import datetime
from math import hypot, isfinite
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Point = tuple[float, float]
"""x to the right and y down, as shares of the picture's width and height or in pixels; see ``RuleFile.units``."""

WHOLE_FRAME = "whole picture"
"""What an event calls the zone of a rule that names none."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DIRECTIONS: dict[str, Point] = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}

_ZONED = re.compile(r"(.*\d(?:Z|[+-]\d\d:?\d\d)?)\s*\[?([A-Za-z_]+(?:/[\w+-]+)*)\]?")
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


def validation_error(message: str) -> PydanticCustomError:
    """Give an error whose whole text is ``message``."""
    return PydanticCustomError("rules", "{message}", {"message": message})


def _polygon(points: list[Point]) -> list[Point]:
    if len(points) < 3:
        raise validation_error(f"must have 3 corners or more, not {len(points)}")
    shifted = points[1:] + points[:1]
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, shifted, strict=True)) / 2
    if abs(area) < 1e-9:
        raise validation_error("encloses nothing: its corners lie on one line")
    return points


def _segment(points: list[Point]) -> list[Point]:
    if len(points) != 2 or points[0] == points[1]:
        raise validation_error("must have two ends that differ, such as [[0.2, 0.5], [0.8, 0.5]]")
    return points


def _finite(point: Point) -> Point:
    if not all(map(isfinite, point)):
        raise validation_error("must be two finite numbers, x and y")
    return point


def _zoned(value: Any) -> Any:
    """Read a time with the name of a time zone, such as ``2026-10-24 21:00:00 Europe/Berlin``; leave others alone."""
    match = _ZONED.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] in ("Z", "z"):
        return value
    try:
        time = datetime.fromisoformat(match[1])
        zone = ZoneInfo(match[2])
    except (ValueError, LookupError, OSError) as error:
        what = f"the time {match[1]!r}" if isinstance(error, ValueError) else f"the time zone {match[2]!r}"
        raise validation_error(
            f"has {what}, which cannot be read; write 2026-11-26 08:00:00 Europe/Berlin, or leave the zone out"
        ) from None
    return time.replace(tzinfo=zone) if time.tzinfo is None else time.astimezone(zone)


def _of_our_time(clock: datetime) -> datetime:
    if not 1900 <= clock.year <= 9000:
        raise validation_error(f"must lie in the years 1900 to 9000, not {clock.year}")
    return clock


def _hours(text: Any) -> Any:
    if not isinstance(text, str) or not _HOURS.fullmatch(text.strip()):
        raise validation_error(f'must be like "22:00-06:00", not {text!r}')
    return text.strip()


def _way(value: Any) -> Any:
    if isinstance(value, str) and value not in DIRECTIONS:
        raise validation_error(f"must be one of {', '.join(DIRECTIONS)}, or [x, y] such as [1, -0.5], not {value!r}")
    if isinstance(value, (list, tuple)) and all(isinstance(part, (int, float)) for part in value):
        if len(value) != 2 or not isfinite(length := hypot(*value)) or length == 0:
            raise validation_error("must be [x, y], not both 0, such as [1, -0.5] for right and a little up")
    elif not isinstance(value, str):
        raise validation_error(f"must be one of {', '.join(DIRECTIONS)}, or [x, y] such as [1, -0.5]")
    return value


Corner = Annotated[Point, AfterValidator(_finite)]
Polygon = Annotated[list[Corner], AfterValidator(_polygon)]
Segment = Annotated[list[Corner], AfterValidator(_segment)]
Clock = Annotated[datetime, BeforeValidator(_zoned), AfterValidator(_of_our_time)]
Hours = Annotated[str, BeforeValidator(_hours)]
Direction = Annotated[Literal["right", "left", "down", "up"] | Point, BeforeValidator(_way)]
"""A direction in the picture: a word, or x and y of an arrow."""

Duration = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")]
Labels = Annotated[list[str], Field(min_length=1)]


def unit_vector(way: str | Point) -> Point:
    """Give a direction as an arrow of length 1."""
    x, y = DIRECTIONS[way] if isinstance(way, str) else way
    return x / hypot(x, y), y / hypot(x, y)


def parse_hours(hours: str) -> tuple[int, int]:
    """Read ``22:00-06:00`` as minutes of the day; the second is smaller where it lasts past midnight."""
    match = _HOURS.fullmatch(hours)
    assert match is not None
    first, second, third, fourth = map(int, match.groups())
    return 60 * first + second, 60 * third + fourth


class StrictModel(BaseModel):
    """A part of the file that takes no other fields than its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BaseRule(StrictModel):
    """What every rule may have."""

    name: Name
    """What its events are called."""
    labels: Labels | None = None
    """Only things of these labels count, such as person; all objects where it is left out."""
    identities: Labels | None = None
    """Only who is known by one of these names counts; needs a gallery."""
    score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least score of a detection that counts."""
    cooldown: Wait = 0.0
    """Seconds after an event of this rule in which it gives no other."""
    hours: Annotated[list[Hours], Field(min_length=1)] | None = None
    """Times of the day at which it holds, such as ["22:00-06:00"]; always where it is left out."""
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)] | None = None
    """Days of the week on which it holds; what lasts past midnight counts for the day on which it begins."""

    @property
    def timed(self) -> bool:
        """Whether it goes by the time of day."""
        return self.hours is not None or self.days is not None

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` is one of its hours, on one of its days."""
        minute, today = now.hour * 60 + now.minute, now.weekday()
        for first, last in map(parse_hours, self.hours or ["00:00-24:00"]):
            if first < last:
                inside, day = first <= minute < last, today
            else:  # past midnight
                inside, day = minute >= first or minute < last, today if minute >= first else (today - 1) % 7
            if inside and (self.days is None or DAYS[day] in self.days):
                return True
        return False


class ZoneRule(BaseRule):
    """Something comes into a zone, leaves it, or is in it."""

    kind: Literal["zone"]
    zone: Name
    """Name of a zone."""
    when: Literal["enter", "leave", "inside"] = "inside"
    """enter: seen outside, then inside, or first seen at the border of the frame inside the zone (not who is there when
    the video begins, or appears away from the border: that is mostly somebody who was hidden or overlooked).
    leave: seen inside, then outside. inside: is there, however it came."""


class LineRule(BaseRule):
    """Something crosses a line."""

    kind: Literal["line"]
    line: Name
    """Name of a line."""
    direction: Direction | Literal["any"] = "any"
    """Way across the line that counts: right, left, down, up, [x, y], or any."""


class LoiteringRule(BaseRule):
    """Something stays in a zone."""

    kind: Literal["loitering"]
    zone: Name | None = None
    """Name of a zone; the whole picture where it is left out."""
    seconds: Duration
    """How long it must stay."""


class CrowdRule(BaseRule):
    """Many are in a zone at once."""

    kind: Literal["crowd"]
    zone: Name | None = None
    """Name of a zone; the whole picture where it is left out."""
    count: Annotated[int, Field(ge=1, le=10_000)]
    """How many there must be, or more."""
    seconds: Wait = 0.0
    """For how long."""


class LeftObjectRule(BaseRule):
    """A thing stands still, and nobody is near."""

    kind: Literal["left-object"]
    zone: Name | None = None
    """Name of a zone; the whole picture where it is left out."""
    labels: Labels | None = ["backpack", "handbag", "suitcase"]
    """Things that may be left."""
    people: Labels = ["person"]
    """Labels of those who may have left it."""
    seconds: Duration
    """For how long it must stand still with nobody near."""
    near: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Who is nearer than this is near, in heights of that person."""


class WrongWayRule(BaseRule):
    """Something moves against the direction of a zone."""

    kind: Literal["wrong-way"]
    zone: Name | None = None
    """Name of a zone; the whole picture where it is left out."""
    direction: Direction
    """The right way: right, left, down, up, or [x, y]."""
    distance: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How far it must come the wrong way, in sizes of its own box."""


AnyRule = ZoneRule | LineRule | LoiteringRule | CrowdRule | LeftObjectRule | WrongWayRule


class RuleFile(StrictModel):
    """Rules, and the zones and lines that they go by."""

    units: Literal["fractions", "pixels"] = "fractions"
    """What points count: shares of the picture's width and height, or pixels of the displayed picture."""
    clock: Clock | None = None
    """When the recording begins, such as 2026-11-26 08:00:00, in the time zone of the machine, or with a zone that is
    named (2026-11-26 08:00:00 Europe/Berlin), by whose clock hours and days count, also when it is put forward or back.
    An offset alone (+01:00) never changes. Live video goes by the clock of the machine."""
    zones: dict[Name, Polygon] = {}
    """Polygons by name: three corners [x, y] or more."""
    lines: dict[Name, Segment] = {}
    """Lines by name: two ends [x, y]."""
    rules: Annotated[list[Annotated[AnyRule, Field(discriminator="kind")]], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> RuleFile:
        names = [rule.name for rule in self.rules]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise validation_error(f"two rules are called {double!r}; give each a name of its own")
        return self

    def points(self) -> dict[str, list[Point]]:
        """Give the points of every zone and line, by what a message calls it."""
        zones = {f"zone {name!r}": points for name, points in self.zones.items()}
        return zones | {f"line {name!r}": points for name, points in self.lines.items()}
