"""The result of ``recognize``: the people and objects of a gallery in a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinoscope.core.results import Event, Track
from kinoscope.results.base import Result


@dataclass
class RecognizeResult(Result):
    """The people and objects that were recognized in one source."""

    @property
    def seen(self) -> list[Event]:
        """An event for each interval in which a name of the gallery appears, in order of time."""
        return self.timeline.events("recognize") if self.timeline else []

    @property
    def strangers(self) -> dict[str, list[Track]]:
        """Generated name -> face tracks of each person who is not in the gallery."""
        tracks: dict[str, list[Track]] = defaultdict(list)
        for track in self.timeline.tracks("faces") if self.timeline else ():
            if "known_by" not in track.extra:
                tracks[track.identity or f"face #{track.id}"].append(track)
        return dict(tracks)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON; times in seconds."""
        plain: dict[str, Any] = {"source": self.source}
        plain["seen"] = [self._seen_row(event) for event in self.seen]
        plain["strangers"] = [_stranger_row(name, tracks) for name, tracks in self.strangers.items()]
        return plain | ({"error": str(self.error)} if self.error else {})

    def _seen_row(self, event: Event) -> dict[str, Any]:
        assert self.timeline is not None
        ids = [tuple(pair) for pair in event.extra["tracks"]]
        tracks = [track for track in self.timeline.all_tracks if (track.task, track.id) in ids]
        best = min(tracks, key=lambda track: float(track.extra["distance"]))
        return {
            "name": event.label,
            "start": round(event.start, 3),
            "end": round(event.end, 3),
            "score": round(event.score, 4),
            "distance": best.extra["distance"],
            "margin": best.extra.get("margin"),
            "known_by": best.extra["known_by"],
        }


def _stranger_row(name: str, tracks: Sequence[Track]) -> dict[str, Any]:
    nearest = min(tracks, key=lambda track: float(track.extra.get("distance", float("inf"))))
    return {
        "name": name,
        "start": round(min(track.start for track in tracks), 3),
        "end": round(max(track.end for track in tracks), 3),
        "nearest": nearest.extra.get("nearest"),
        "distance": nearest.extra.get("distance"),
    }
