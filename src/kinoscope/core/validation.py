"""Validation of option values, with messages that suggest the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf
from numbers import Real

from kinoscope.core.errors import OptionError

MAX_LISTED_NAMES = 20
"""Names that a message lists; of more, the number that is left out."""


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to another, or None if none is."""
    return next(iter(get_close_matches(name, list(known), 1)), None)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the suggestion of a message, ``did you mean X? ``, or an empty string."""
    closest = closest_name(name, known)
    return f"did you mean {closest}? " if closest else ""


def require_known(name: str, known: Iterable[str], kind: str) -> str:
    """Return a name if it is known.

    Args:
        kind: what is named, as the message says it.

    Raises:
        OptionError: it is not known; the message suggests the nearest name and lists the others.
    """
    names = list(known)
    if name in names:
        return name
    more = len(names) - MAX_LISTED_NAMES
    shown = ", ".join(names[:MAX_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")
    raise OptionError(f"there is no {kind} {name!r}; {suggest(str(name), names)}known: {shown}")


def require_number(name: str, value: float | None, low: float, high: float = inf) -> None:
    """Require an optional number to lie in [low, high] and to be finite.

    Raises:
        OptionError: it does not, or is no number; the message names the option, the value and the limits.
    """
    limits = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
    _require_real(name, value, limits)
    if value is not None and not (low <= value <= high and value < inf):
        raise OptionError(f"{name} {value:g} is not possible; give {limits}")


def require_positive(name: str, value: float | None, example: float) -> None:
    """Require an optional number to be above 0 and finite.

    Raises:
        OptionError: it is not, or is no number; the message gives the example.
    """
    _require_real(name, value, f"a number above 0, such as {example:g}")
    if value is not None and not 0 < value < inf:
        raise OptionError(f"{name} {value:g} is not possible; give a number above 0, such as {example:g}")


def _require_real(name: str, value: object, valid: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
        raise OptionError(f"{name} {value!r} is no number; give {valid}")


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, in the singular for one."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def slugify(name: str, default: str) -> str:
    """Return a name for use in a file name: alphanumerics and dashes, at most 60; ``default`` if none remain."""
    text = "".join(letter if letter.isalnum() else "-" for letter in name.casefold())
    return "-".join(filter(None, text.split("-")))[:60] or default
