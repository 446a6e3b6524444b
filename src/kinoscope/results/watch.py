"""The result of ``watch``: alerts, latency and statistics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from kinoscope.core.metrics.latency import LatencyHistogram
from kinoscope.core.results import DecodeReport, Event, TaskReport
from kinoscope.results.base import Result

MAX_EVENTS = 1000
"""Alerts that the result holds, the latest ones; all are sent as they come."""


@dataclass
class WatchResult(Result):
    """The alerts and the latency of a watch. ``timeline`` has the reports of decoding and of the tasks, and no tracks.

    Attributes:
        events: the alerts, at most the latest ``MAX_EVENTS``.
        alerts: the number of all alerts.
        delays: from the arrival of a frame to the end of sending its alert.
        detection_delays: from the arrival of a frame to the end of its detection, with or without an alert.
        memory: peak memory in megabytes.
        delivered, undelivered: alerts sent to the webhook, and written to the file instead.
        clips: saved clips.
    """

    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS), repr=False)
    alerts: int = 0
    delays: LatencyHistogram = field(default_factory=LatencyHistogram)
    detection_delays: LatencyHistogram = field(default_factory=LatencyHistogram)
    memory: float = 0.0
    delivered: int = 0
    undelivered: int = 0
    clips: int = 0

    @property
    def decode(self) -> DecodeReport:
        """The report of decoding."""
        return self.timeline.decode if self.timeline else DecodeReport()

    @property
    def tasks(self) -> dict[str, TaskReport]:
        """The report of each task."""
        return self.timeline.tasks if self.timeline else {}

    @property
    def dropped(self) -> int:
        """Frames without detection because later ones came first: those dropped by the source and by the detector."""
        objects = self.tasks.get("objects")
        return self.decode.dropped + (int(objects.extra.get("dropped", 0)) if objects else 0)

    @property
    def status(self) -> int:
        """0 done; 1 the stream was lost or a task failed."""
        decode = self.decode
        if self.error:
            return self.error.status
        lost = not decode.complete and decode.errors and not decode.interrupted
        return int(lost or any(task.status == "failed" for task in self.tasks.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        decode = self.decode
        return {
            "source": self.source,
            "events": [event.to_dict() for event in self.events],
            "alerts": self.alerts,
            "delays": self.delays.to_dict(),
            "detection_delays": self.detection_delays.to_dict(),
            "frames": decode.frames,
            "dropped": self.dropped,
            "reconnects": decode.reconnects,
            "memory_mb": round(self.memory),
            "delivered": self.delivered,
            "undelivered": self.undelivered,
            "clips": self.clips,
            "tasks": {name: report.to_dict() for name, report in self.tasks.items()},
            "status": self.status,
        }
