"""The result of ``search``: moments of the videos of a library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.library import SearchHit


@dataclass
class SearchResult(Result):
    """The moments that match a query. ``source`` is the path of the library.

    Attributes:
        query: its text, with the name of the image that moments are similar to.
        count: number of videos in the library.
        clips: the moments, the best first.
        notes: names that the library lacks, if there are results nevertheless.
    """

    query: str
    count: int
    clips: list[SearchHit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types; ``from`` and ``to`` are player times, ``start`` and ``end`` timestamps."""
        clips = [
            clip.to_dict()
            | {"name": clip.video.name, "from": clip.player_time(clip.start), "to": clip.player_time(clip.end)}
            for clip in self.clips
        ]
        plain = {"query": self.query, "library": self.source, "clips": clips}
        return plain | {"notes": self.notes, "written": [str(path) for path in self.written]}
