"""Parse addresses of synthetic videos, such as ``synthetic:shapes?duration=2&rate=25``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qsl

from kinoscope.core.errors import OptionError
from kinoscope.core.time import parse_time
from kinoscope.source.synthetic.bouncing_shapes import bouncing
from kinoscope.source.synthetic.moving_shapes import moving
from kinoscope.source.synthetic.video import SyntheticSource, cuts, flash_and_beep, shapes

GENERATORS: dict[str, Callable[..., SyntheticSource]] = {
    "shapes": shapes, "cuts": cuts, "flash_and_beep": flash_and_beep, "bouncing": bouncing,
    "moving": moving,
}  # fmt: skip
"""Name in a ``synthetic:`` address -> function that builds the source."""


def source_from_address(address: str) -> SyntheticSource:
    """Return the source that an address such as ``synthetic:shapes?duration=2&rate=25`` names.

    Raises:
        OptionError: there is no such kind or option, or a value is no number.
    """
    name, _, query = address.removeprefix("synthetic:").partition("?")
    if name not in GENERATORS:
        raise OptionError(f"synthetic video {name!r} is unknown; choose one of {', '.join(GENERATORS)}")
    known = inspect.signature(GENERATORS[name]).parameters
    options: dict[str, Any] = {}
    for key, text in parse_qsl(query):
        if key not in known:
            raise OptionError(f"synthetic:{name} has no option {key!r}; it has {', '.join(known)}")
        options[key] = text if isinstance(known[key].default, str | tuple) else _parse_number(key, text)
    return GENERATORS[name](**options)


def _parse_number(key: str, text: str) -> int | Fraction:
    value = parse_time(text)
    if key in ("width", "height", "count", "size"):
        if value.denominator != 1 or not 1 <= value <= 16_384:
            raise OptionError(f"{key}={text} is not a whole number from 1 to 16384")
        return int(value)
    if key in ("rate", "duration", "period") and not 0 < value <= 100_000:
        raise OptionError(f"{key}={text} is not between 0 and 100000")
    return value
