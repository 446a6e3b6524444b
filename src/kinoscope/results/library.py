"""The result of ``library``: the contents of a library, or what an action changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.library import StoredVideo


@dataclass
class LibraryResult(Result):
    """The contents of a library; the fields of other actions are None. ``source`` is its path.

    Attributes:
        videos: its videos, in the order in which they were added (list).
        shown: metadata, tasks and names of each video that was asked for (show).
        names: name that can be searched for -> how often it occurs (show without a video).
        removed: the videos that were removed (remove).
        check: ``rows`` of each table, ``swept`` leftovers, and the paths of ``missing`` files (check).
    """

    videos: list[StoredVideo] | None = None
    shown: list[dict[str, Any]] | None = None
    names: dict[str, int] | None = None
    removed: list[StoredVideo] | None = None
    check: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return ``library``, its path, and the field of the action, as plain types for JSON."""
        plain: dict[str, Any] = {"library": self.source}
        for name in ("videos", "removed"):
            if (videos := getattr(self, name)) is not None:
                plain[name] = [video.to_dict() for video in videos]
        plain |= {name: rows for name in ("shown", "names") if (rows := getattr(self, name)) is not None}
        return plain | (self.check or {})
