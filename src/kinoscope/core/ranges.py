"""Range checks of numbers from users and from files of other origin."""

from __future__ import annotations

from collections.abc import Mapping

from kinoscope.core.errors import OptionError

Limits = tuple[int, int] | tuple[float, float]
"""The minimum and the maximum; where the minimum is an int, only whole numbers are valid."""


def check_ranges(values: object, limits: Mapping[str, Limits]) -> None:
    """Check that attributes of an object lie within their limits.

    Raises:
        OptionError: one is no number, or out of range; the message names it and the limits.
    """
    for name, (low, high) in limits.items():
        value = getattr(values, name)
        types = (int,) if type(low) is int else (int, float)
        if type(value) not in types or not low <= value <= high:
            expected = "a whole number" if type(low) is int else "a number"
            raise OptionError(f"{name} is {str(value)[:80]}; give {expected} from {low:g} to {high:g}")
