"""Groups of options that verbs share. On the command line each field is a flag of its own."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Any

from kinoscope.pipeline.arguments import choose_limits, choose_time_range, choose_video_track


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingOptions:
    """The part of a source that is read, and the limits on it.

    Attributes:
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
    """

    start: str | float | None = None
    end: str | float | None = None
    video_track: int | None = None
    bounds: str | None = None

    def resolve(self) -> dict[str, Any]:
        """Return the options of ``open_source``.

        Raises:
            OptionError: one cannot be used.
        """
        times = choose_time_range(self.start, self.end)
        return times | choose_limits(self.bounds) | choose_video_track(self.video_track)


DECODE_ALL = DecodingOptions()
"""The default: the whole source."""


def is_group(annotation: Any) -> bool:
    """Return whether a parameter of a verb is a group of options: a dataclass whose name ends in ``Options``."""
    return isinstance(annotation, type) and is_dataclass(annotation) and annotation.__name__.endswith("Options")
