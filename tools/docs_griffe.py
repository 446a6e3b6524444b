"""Extension of griffe, which reads the docstrings for the documentation site.

Parameters that share a description (``start, end: only [start, end) is read``) become one entry each, and the mark of
a code block (``::``) becomes a colon.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SHARED = re.compile(r"^( +)(\w+(?:, \w+)+)(:.*(?:\n\1 +\S.*)*)", flags=re.M)
"""Line of several names, and the deeper lines after it."""


class SplitSharedDescriptions(griffe.Extension):
    """Split the entries of docstrings that describe several parameters."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = split_shared(re.sub(r"::$", ":", obj.docstring.value, flags=re.M))


def split_shared(docstring: str) -> str:
    """Return a docstring with an entry for each parameter."""
    text, marker, errors = docstring.partition("Raises:")  # whose entries are classes, not parameters
    return SHARED.sub(_repeat, text) + marker + errors


def _repeat(match: re.Match[str]) -> str:
    return "\n".join(f"{match[1]}{name}{match[3]}" for name in match[2].split(", "))
