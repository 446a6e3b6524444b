"""Names that users type: found, or answered with the nearest that there is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf

from kinoscope.core.errors import OptionError

MAX_LISTED_NAMES = 20
"""Names that are listed in a message; of more, how many more."""


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is most like another, or None if none is."""
    return next(iter(get_close_matches(name, list(known), 1)), None)


def suggest(name: str, known: Iterable[str]) -> str:
    """Give what a message says of the nearest name: ``did you mean X? ``, or nothing."""
    near = closest_name(name, known)
    return f"did you mean {near}? " if near else ""


def require_known(name: str, known: Iterable[str], kind: str) -> str:
    """Give a name back if it is known.

    Args:
        kind: of what it is a name, as a message says it.

    Raises:
        OptionError: it is not known; the message offers the nearest name and lists the others.
    """
    names = list(known)
    if name in names:
        return name
    more = len(names) - MAX_LISTED_NAMES
    shown = ", ".join(names[:MAX_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")
    raise OptionError(f"there is no {kind} {name!r}; {suggest(name, names)}known: {shown}")


def require_number(name: str, value: float | None, low: float, high: float = inf) -> None:
    """Demand that a number that may be left out lies in [low, high] and is finite.

    Raises:
        OptionError: it does not; the message names the option, the value and the limits.
    """
    if value is not None and not (low <= value <= high and value < inf):
        limits = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
        raise OptionError(f"{name} {value:g} is not possible; give {limits}")


def require_positive(name: str, value: float | None, example: float) -> None:
    """Demand that a number that may be left out is above 0 and finite.

    Raises:
        OptionError: it is not; the message gives the example.
    """
    if value is not None and not 0 < value < inf:
        raise OptionError(f"{name} {value:g} is not possible; give a number above 0, such as {example:g}")


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things in words, in the singular for one."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def slugify(name: str, nothing: str) -> str:
    """Give a name as part of a file's: letters, digits and dashes, at most 60; ``nothing`` where none is left."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in name.casefold())
    return "-".join(filter(None, letters.split("-")))[:60] or nothing
