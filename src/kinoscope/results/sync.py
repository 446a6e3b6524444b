"""The result of ``sync``: the offset between audio and lips, active speakers, and the repair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinoscope.core.results import Event
from kinoscope.results.base import Result

MIN_REPAIR_CONFIDENCE = 0.9
"""Confidence from which a video is repaired without ``force``."""


@dataclass
class SyncResult(Result):
    """The offset of one source, and its repair.

    Attributes:
        fixed: the repaired file.
        after: its measured offset.
        left_out: streams that its container cannot hold.
    """

    fixed: Path | None = None
    after: SyncResult | None = None
    left_out: tuple[str, ...] = ()

    @property
    def offsets(self) -> list[Event]:
        """The measured offsets: one for the whole video, or one for each segment between changes."""
        return [event for event in self._events if "offset" in event.extra]

    @property
    def certain_offset(self) -> float | None:
        """The offset in seconds, positive where the audio is late, if its confidence suffices for a repair."""
        certain = [event for event in self.offsets if event.score >= MIN_REPAIR_CONFIDENCE]
        return float(certain[0].extra["offset"]) if len(certain) == 1 else None

    @property
    def reason(self) -> str | None:
        """The reason why there is no offset; None if there is one."""
        if self.timeline is None or self.offsets:
            return None
        reasons = (event.text for event in self._events if event.label == "not measurable")
        return self.timeline.tasks["sync"].reason or next(reasons, None)

    @property
    def speaking(self) -> list[Event]:
        """The active speakers: an event for each interval of speech."""
        return [event for event in self._events if event.label == "speaking"]

    @property
    def _events(self) -> list[Event]:
        return self.timeline.events("sync") if self.timeline else []

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON; times in seconds, offsets positive where the audio is late."""
        if self.timeline is None:
            return {"source": self.source, "error": str(self.error)}
        plain: dict[str, Any] = {"source": self.source, "measurable": bool(self.offsets)}
        if self.error:
            plain["error"] = str(self.error)
        if not self.offsets:
            return plain | {"reason": self.reason}
        plain["offsets"] = [_offset_to_dict(event) for event in self.offsets]
        plain["speaking"] = [
            {"start": e.start, "end": e.end, "score": round(e.score, 3), "identity": e.text} | e.extra
            for e in self.speaking
        ]
        if self.fixed and self.after:
            plain |= {"fixed": str(self.fixed), "left_out": list(self.left_out), "after": self.after.to_dict()}
        return plain


def _offset_to_dict(event: Event) -> dict[str, Any]:
    row = {"start": round(event.start, 3), "end": round(event.end, 3), "label": event.label, "text": event.text}
    return row | {"confidence": round(event.score, 4)} | event.extra
