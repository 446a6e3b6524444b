"""The schema of a rule file: zones and lines drawn on the frame, and the rules that use them.

These classes are the one definition of the file: they validate it, and ``rules.schema.json`` is generated from them.
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
"""x to the right and y down, as shares of the frame's width and height or in pixels; see ``RuleFile.units``."""

WHOLE_FRAME = "whole frame"
"""The zone name in the events of a rule that names none."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DIRECTIONS: dict[str, Point] = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}

_ZONED = re.compile(r"(.*\d(?:Z|[+-]\d\d:?\d\d)?)\s*\[?([A-Za-z_]+(?:/[\w+-]+)*)\]?")
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


def validation_error(message: str) -> PydanticCustomError:
    """Return an error whose whole text is ``message``."""
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


def _parse_zoned(value: Any) -> Any:
    """Parse a time with a time zone's name, such as ``2026-10-24 21:00:00 Europe/Berlin``; return others unchanged."""
    match = _ZONED.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] in ("Z", "z"):
        return value
    try:
        time = datetime.fromisoformat(match[1])
        zone = ZoneInfo(match[2])
    except (ValueError, LookupError, OSError) as error:
        part = f"the time {match[1]!r}" if isinstance(error, ValueError) else f"the time zone {match[2]!r}"
        raise validation_error(
            f"has {part}, which cannot be read; write 2026-11-26 08:00:00 Europe/Berlin, or leave the zone out"
        ) from None
    return time.replace(tzinfo=zone) if time.tzinfo is None else time.astimezone(zone)


def _check_year(clock: datetime) -> datetime:
    if not 1900 <= clock.year <= 9000:
        raise validation_error(f"must lie in the years 1900 to 9000, not {clock.year}")
    return clock


def _check_hours(text: Any) -> Any:
    if not isinstance(text, str) or not _HOURS.fullmatch(text.strip()):
        raise validation_error(f'must be like "22:00-06:00", not {text!r}')
    return text.strip()


def _check_direction(value: Any) -> Any:
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
Clock = Annotated[datetime, BeforeValidator(_parse_zoned), AfterValidator(_check_year)]
Hours = Annotated[str, BeforeValidator(_check_hours)]
Direction = Annotated[Literal["right", "left", "down", "up"] | Point, BeforeValidator(_check_direction)]
"""A direction in the frame: a word, or x and y of a vector."""

Duration = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")]
Labels = Annotated[list[str], Field(min_length=1)]


def unit_vector(direction: str | Point) -> Point:
    """Return a direction as a vector of length 1."""
    x, y = DIRECTIONS[direction] if isinstance(direction, str) else direction
    return x / hypot(x, y), y / hypot(x, y)


def parse_hours(hours: str) -> tuple[int, int]:
    """Parse ``22:00-06:00`` into minutes of the day; the second is smaller where the span lasts past midnight."""
    match = _HOURS.fullmatch(hours)
    assert match is not None
    first, second, third, fourth = map(int, match.groups())
    return 60 * first + second, 60 * third + fourth


class StrictModel(BaseModel):
    """A part of the file that rejects unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BaseRule(StrictModel):
    """Fields that every rule may have."""

    name: Name
    """Label of its events."""
    labels: Labels | None = None
    """Only objects of these labels count, such as person; all objects where it is left out."""
    identities: Labels | None = None
    """Only people and objects of these names count; needs a gallery."""
    score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Minimum score of a detection that counts."""
    cooldown: Wait = 0.0
    """Seconds after an event of this rule in which it reports no other."""
    hours: Annotated[list[Hours], Field(min_length=1)] | None = None
    """Times of the day at which it holds, such as ["22:00-06:00"]; always where it is left out."""
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)] | None = None
    """Days of the week on which it holds; a span past midnight counts for the day on which it begins."""

    @property
    def timed(self) -> bool:
        """Whether it depends on the time of day."""
        return self.hours is not None or self.days is not None

    def holds(self, now: datetime) -> bool:
        """Return whether ``now`` is within one of its hours, on one of its days."""
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
    """An object enters a zone, leaves it, or is inside."""

    kind: Literal["zone"]
    zone: Name
    """Name of a zone."""
    when: Literal["enter", "leave", "inside"] = "inside"
    """enter: detected outside, then inside, or first detected at the border of the frame inside the zone (not objects
    that are there when the video begins, or appear away from the border: those were mostly occluded or missed).
    leave: detected inside, then outside. inside: is there, however it came."""


class LineRule(BaseRule):
    """An object crosses a line."""

    kind: Literal["line"]
    line: Name
    """Name of a line."""
    direction: Direction | Literal["any"] = "any"
    """Direction of a crossing that counts: right, left, down, up, [x, y], or any."""


class LoiteringRule(BaseRule):
    """An object stays in a zone."""

    kind: Literal["loitering"]
    zone: Name | None = None
    """Name of a zone; the whole frame where it is left out."""
    seconds: Duration
    """Minimum time that it must stay."""


class CrowdRule(BaseRule):
    """Many objects are in a zone at once."""

    kind: Literal["crowd"]
    zone: Name | None = None
    """Name of a zone; the whole frame where it is left out."""
    count: Annotated[int, Field(ge=1, le=10_000)]
    """Minimum number of objects."""
    seconds: Wait = 0.0
    """Minimum duration."""


class LeftObjectRule(BaseRule):
    """An object stands still, and nobody is near."""

    kind: Literal["left-object"]
    zone: Name | None = None
    """Name of a zone; the whole frame where it is left out."""
    labels: Labels | None = ["backpack", "handbag", "suitcase"]
    """Objects that may be left."""
    people: Labels = ["person"]
    """Labels of those who may have left it."""
    seconds: Duration
    """Minimum time that it must stand still with nobody near."""
    near: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Distance within which a person is near, in heights of that person."""


class WrongDirectionRule(BaseRule):
    """An object moves against the direction of a zone."""

    kind: Literal["wrong-way"]
    zone: Name | None = None
    """Name of a zone; the whole frame where it is left out."""
    direction: Direction
    """The permitted direction: right, left, down, up, or [x, y]."""
    distance: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Minimum distance that it must move against the direction, in sizes of its own box."""


AnyRule = ZoneRule | LineRule | LoiteringRule | CrowdRule | LeftObjectRule | WrongDirectionRule


class RuleFile(StrictModel):
    """Rules, and the zones and lines that they use."""

    units: Literal["fractions", "pixels"] = "fractions"
    """Unit of points: fractions of the frame's width and height, or pixels of the displayed frame."""
    clock: Clock | None = None
    """Start of the recording, such as 2026-11-26 08:00:00, in the time zone of the machine, or with a named zone
    (2026-11-26 08:00:00 Europe/Berlin), in which hours and days are evaluated, also across daylight saving changes.
    An offset alone (+01:00) never changes. Live video uses the clock of the machine."""
    zones: dict[Name, Polygon] = {}
    """Polygons by name: three corners [x, y] or more."""
    lines: dict[Name, Segment] = {}
    """Lines by name: two ends [x, y]."""
    options: dict[Name, dict[Name, bool | int | float | str]] = {}
    """Options of tasks, by task and name, as in ``objects: {rate: 5}``; those of the command line come first."""
    rules: Annotated[list[Annotated[AnyRule, Field(discriminator="kind")]], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> RuleFile:
        names = [rule.name for rule in self.rules]
        if duplicate := next((name for name in names if names.count(name) > 1), None):
            raise validation_error(f"two rules are named {duplicate!r}; give each a unique name")
        return self

    def option_pairs(self) -> list[str]:
        """Return the options of tasks as ``TASK.NAME=VALUE`` pairs."""
        return [f"{task}.{name}={value}" for task, values in self.options.items() for name, value in values.items()]

    def points(self) -> dict[str, list[Point]]:
        """Return the points of every zone and line, by their name in messages."""
        zones = {f"zone {name!r}": points for name, points in self.zones.items()}
        return zones | {f"line {name!r}": points for name, points in self.lines.items()}
