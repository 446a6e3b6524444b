"""Check that numbers lie within their limits: those that users give, and those that files from others hold."""

from __future__ import annotations

from collections.abc import Mapping

from kinoscope.core.errors import OptionError

Limits = tuple[int, int] | tuple[float, float]
"""The lowest and the highest value; where the lowest is an int, only whole numbers count."""


def check_ranges(values: object, limits: Mapping[str, Limits]) -> None:
    """Check attributes of an object by name.

    Raises:
        OptionError: one is no number, or lies outside its limits; the message names it and them.
    """
    for name, (low, high) in limits.items():
        value = getattr(values, name)
        kinds = (int,) if type(low) is int else (int, float)
        if type(value) not in kinds or not low <= value <= high:
            kind = "a whole number" if type(low) is int else "a number"
            raise OptionError(f"{name} is {str(value)[:80]}; give {kind} from {low:g} to {high:g}")
