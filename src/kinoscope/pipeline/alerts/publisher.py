"""Alerts of a live source: when its frames arrive, and where its alerts are sent."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from kinoscope.core.errors import KinoscopeError
from kinoscope.core.metrics.latency import LatencyHistogram
from kinoscope.core.results import DecodeReport, Event, Observation
from kinoscope.results.watch import WatchResult
from kinoscope.source.base import Item, LazyFrame, Source
from kinoscope.views.formats.jsonl import LineWriter

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.recorder import Recorder
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleEngine

MAX_ARRIVAL_TIMES = 4096
"""Frames whose time of arrival is remembered."""


class ArrivalTimes(Source):
    """Wrapper of a source that records when each frame arrives."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._stopped = threading.Event()
        self._times: deque[tuple[float, float]] = deque(maxlen=MAX_ARRIVAL_TIMES)
        self._lock = threading.Lock()
        self.info = source.info

    @property
    def report(self) -> DecodeReport:  # type: ignore[override]
        """The decode report of the wrapped source."""
        return self._source.report

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield frames and audio of the wrapped source, until it is stopped."""
        for item in self._source.read(video, tuple(audio_rates)):
            if self._stopped.is_set():
                return
            if isinstance(item, LazyFrame):
                with self._lock:
                    self._times.append((float(item.time), self._clock()))
            yield item

    def stop(self) -> None:
        """Stop reading; may be called from any thread."""
        self._stopped.set()

    def age(self, time: float) -> float | None:
        """Return how many seconds ago the frame at ``time`` (seconds) arrived; None if that is no longer remembered."""
        with self._lock:
            pairs = reversed(self._times)
            arrival = next((arrival for frame_time, arrival in pairs if abs(frame_time - time) < 1e-6), None)
        return None if arrival is None else self._clock() - arrival

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class AlertPublisher:
    """Callback for tracked objects that evaluates the rules and sends the alerts to console, webhook and recorder."""

    def __init__(
        self,
        result: WatchResult,
        rule_engine: RuleEngine,
        source: ArrivalTimes,
        lines: LineWriter | None,
        hook: Webhook | None,
        recorder: Recorder | None,
        clock: Callable[[float], datetime] | None,
    ) -> None:
        self._result, self._rule_engine, self._source = result, rule_engine, source
        self._lines, self._hook, self._recorder = lines, hook, recorder
        self._clock = clock

    def process_observations(self, time: float, observations: list[Observation]) -> None:
        """Evaluate the rules on the tracked objects of a frame, see ``core.results.ObservationCallback``."""
        for event in self._rule_engine.update(time, observations):
            self._send(event, time)
            self._result.events.append(event)
            self._result.alerts += 1
            self._add_delay(self._result.delays, time)
        self._add_delay(self._result.detection_delays, time)

    def _add_delay(self, delays: LatencyHistogram, time: float) -> None:
        """Add the age of the frame at ``time``, if it is known."""
        age = self._source.age(time)
        if age is not None:
            delays.add(age)

    def _send(self, event: Event, time: float) -> None:
        """Send an alert to the recorder, the webhook and the console, in this order."""
        from kinoscope.pipeline.alerts.webhook import alert_message

        wall_time = self._clock(time) if self._clock else None
        if self._recorder:
            path, offset = self._recorder.request_clip(event.label, time)
            event.extra |= {"clip": str(path), "clip_at": offset}
        if self._hook:
            self._hook.put(alert_message(event, self._result.source, wall_time))
        if wall_time:
            event.extra["taken"] = wall_time.isoformat(timespec="milliseconds")
        if self._lines:
            self._print(event)

    def _print(self, event: Event) -> None:
        assert self._lines is not None
        try:
            self._lines.write(event)
        except KinoscopeError as error:  # the reader of standard output has gone; webhook and recorder go on
            self._lines = None
            print(f"kinoscope: {error}", file=sys.stderr)
