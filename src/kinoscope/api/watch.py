"""``kinoscope watch``: rules on a camera or a stream, with alerts in real time."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.addresses import Address
from kinoscope.core.errors import KinoscopeError, OptionError, RulesError
from kinoscope.core.files import prepare_folder
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.metrics.latency import LatencyHistogram
from kinoscope.core.results import DecodeReport, Event, Observation, ObservationCallback, TaskResult, describe_source
from kinoscope.core.time import parse_time
from kinoscope.core.validation import require_number
from kinoscope.pipeline.alerts.dispatch import open_webhook, read_rules
from kinoscope.pipeline.arguments import choose_device, choose_limits, choose_model
from kinoscope.source.base import Item, LazyFrame, Source
from kinoscope.tasks.base import Needs, Task
from kinoscope.views.formats.jsonl import LineWriter
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.recorder import Recorder
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleEngine, RuleFile

MAX_ARRIVAL_TIMES = 4096
"""Frames whose time of arrival is remembered."""

MAX_EVENTS = 1000
"""Alerts that the result holds, the latest ones; all are sent as they come."""

MAX_QUEUED_FRAMES = 8
"""Frames that may wait for the detector; of more, the oldest are dropped, so that alerts are not delayed."""

MAX_QUEUED_ALERTS = 1000
"""Alerts that may wait for the webhook."""

SHUTDOWN_SECONDS = 5.0
"""Time for which waiting alerts are still sent to the webhook at the end."""


@dataclass
class WatchResult:
    """The alerts and the latency of a watch.

    Attributes:
        events: the alerts, at most the latest ``MAX_EVENTS``.
        alerts: the number of all alerts.
        delays: from the arrival of a frame to the end of sending its alert.
        detection_delays: from the arrival of a frame to the end of its detection, with or without an alert.
        timeline: the source's metadata and the reports of decoding and of the tasks; no tracks.
        memory: peak memory in megabytes.
        delivered, undelivered: alerts sent to the webhook, and written to the file instead.
        clips: saved clips.
    """

    source: str
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS), repr=False)
    alerts: int = 0
    delays: LatencyHistogram = field(default_factory=LatencyHistogram)
    detection_delays: LatencyHistogram = field(default_factory=LatencyHistogram)
    timeline: Timeline = field(default_factory=Timeline)
    memory: float = 0.0
    delivered: int = 0
    undelivered: int = 0
    clips: int = 0

    @property
    def dropped(self) -> int:
        """Frames without detection because later ones came first: those dropped by the source and by the detector."""
        objects = self.timeline.tasks.get("objects")
        return self.timeline.decode.dropped + (int(objects.extra.get("dropped", 0)) if objects else 0)

    @property
    def status(self) -> int:
        """0 done; 1 the stream was lost or a task failed."""
        decode = self.timeline.decode
        lost = not decode.complete and decode.errors and not decode.interrupted
        return int(lost or any(task.status == "failed" for task in self.timeline.tasks.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        decode = self.timeline.decode
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
            "tasks": {name: report.to_dict() for name, report in self.timeline.tasks.items()},
            "status": self.status,
        }


@accept_old_names
def watch(
    source: str,
    *,
    rules: str | Path,
    webhook: str | None = None,
    webhook_secret: str | Path | None = None,
    undelivered: str | Path = "undelivered.jsonl",
    clips_to: str | Path | None = None,
    before: float = 3.0,
    after: float = 3.0,
    for_: str | float | None = None,
    live: bool = False,
    realtime: bool = False,
    loop: bool = False,
    bounds: str | None = None,
    model: str | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> WatchResult:
    """Watch a camera or a stream by rules, and print each alert at once, as a line of JSON on standard output.

    Args:
        source: camera:0, a URL (rtsp, http, udp...), or a file.
        rules: YAML file of rules (see examples/rules.yaml).
        webhook: http or https address to which each alert is posted as well.
        webhook_secret: file with the secret that signs what is sent; KINOSCOPE_WEBHOOK_SECRET if not given.
        undelivered: file to which alerts are added that cannot be delivered to the webhook.
        clips_to: folder in which a clip of each alert is saved; no clips if not given.
        before: seconds of a clip before the alert.
        after: seconds of a clip after it.
        for_: stop after so many seconds (or a clock, 00:10:00); otherwise at the end of the source, or on Ctrl-C.
        live: treat an http or https address as live, as cameras and rtsp streams are: alerts carry the time of day,
            and a lost connection is opened again.
        realtime: play a file at its own speed, as a camera would, to test rules.
        loop: play a file at its own speed, again and again.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        model: a card of the task objects (see `kinoscope models list`); the best that can be had if not given.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: do not print the alerts.

    Returns:
        The alerts, and statistics: delays, dropped frames, reconnects, memory.

    Raises:
        RulesError, OptionError, SourceError, OutputError: an option or the source cannot be used; raised before the
            first frame is read.
    """
    from kinoscope.pipeline import engine
    from kinoscope.source.live import LiveSource

    card = "auto" if model is None else choose_model("objects", model.removeprefix("objects="))
    _check_options(webhook, webhook_secret, device, bounds, before, after)
    seconds, paced = _duration(for_), realtime or loop
    if live:
        _check_live(str(source), paced)
    rule_file = read_rules(rules, ["objects"], {"objects": card}, recording=False)
    source = Address(source)
    result = WatchResult(str(source))
    with ExitStack() as stack:
        opened = open_webhook(webhook, webhook_secret, Path(undelivered), MAX_QUEUED_ALERTS, SHUTDOWN_SECONDS)
        hook = stack.enter_context(opened)
        arrivals = stack.enter_context(_open(source, paced, loop, live, bounds))
        recorder = _recorder(clips_to, before, after)
        alerts = _publisher(result, rule_file, arrivals, paced, quiet, hook, recorder)
        reader = LiveSource(arrivals, MAX_QUEUED_FRAMES) if arrivals.info.live else arrivals
        stack.enter_context(_until(reader.stop, seconds))
        tasks = _tasks(alerts.process_observations, card, device, reader.stop)
        timeline = Timeline(version=__version__, source={"path": result.source})
        result.timeline = engine.run(reader, tasks + ([recorder] if recorder else []), timeline=timeline)
    return _with_statistics(result, hook)


def _check_options(
    webhook: str | None,
    webhook_secret: str | Path | None,
    device: str,
    bounds: str | None,
    before: float,
    after: float,
) -> None:
    """Check the options that need neither source nor rules.

    Raises:
        OptionError: one cannot be used.
    """
    if webhook_secret is not None and webhook is None:
        raise OptionError("webhook-secret signs what is sent; give --webhook URL")
    choose_device(device)
    choose_limits(bounds)
    _check_margins(before, after)


def _publisher(
    result: WatchResult,
    rule_file: RuleFile,
    arrivals: ArrivalTimes,
    paced: bool,
    quiet: bool,
    hook: Webhook | None,
    recorder: Recorder | None,
) -> AlertPublisher:
    """Return the publisher of alerts, by the clock of the machine for a camera, else by that of the recording."""
    from kinoscope.rules.engine import recording_clock

    is_camera = arrivals.info.live and not paced
    clock = _wall_clock if is_camera else recording_clock(rule_file, float(arrivals.info.start))
    rule_engine = _rule_engine(rule_file, arrivals.info, clock)
    lines = None if quiet else LineWriter(sys.stdout, describe_source(arrivals.info), __version__)
    return AlertPublisher(result, rule_engine, arrivals, lines, hook, recorder, clock)


def _with_statistics(result: WatchResult, hook: Webhook | None) -> WatchResult:
    """Return the result with memory, clips and deliveries filled in."""
    result.memory = _peak_memory()
    recording = result.timeline.tasks.get("recording") if result.timeline else None
    result.clips = int(recording.extra.get("clips", 0)) if recording else 0
    if hook:
        result.delivered, result.undelivered = hook.delivered, hook.undelivered
    return result


def _check_live(source: str, realtime: bool) -> None:
    """Raise OptionError unless a source may be a camera at an address."""
    if realtime:
        raise OptionError("live is about a camera, realtime and loop about a recording; choose one")
    if "://" not in source:
        raise OptionError(
            f"{source} is no address of a camera; leave live out (realtime shows a file as a camera would)"
        )


def _rule_engine(rules: RuleFile, info: SourceInfo, clock: Callable[[float], datetime] | None) -> RuleEngine:
    """Return the rule engine; an error about the time of day also suggests ``--live`` for a camera at an address."""
    from kinoscope.rules.engine import RuleEngine

    try:
        return RuleEngine(rules, info.size, clock)
    except RulesError as error:
        if clock is None and "://" in info.path and any(rule.timed for rule in rules.rules):
            raise RulesError(f"{error}; or give --live if {info.path} is a camera") from None
        raise


def _open(source: str, realtime: bool, loop: bool, live: bool, limit: str | None) -> ArrivalTimes:
    """Open the source; a file with ``realtime`` plays at its own speed, and with ``loop`` without end."""
    from kinoscope.source import open_source
    from kinoscope.source.paced import RealtimeSource

    opened = open_source(source, live=False, limit=limit, endless=live)
    if not opened.info.width:
        opened.close()
        raise OptionError(f"{source} has no video to watch")
    if realtime:
        opened = RealtimeSource(opened, loop)
    return ArrivalTimes(opened)


def _duration(for_: str | float | None) -> float | None:
    """Return the number of seconds to watch, or None for no limit."""
    seconds = None if for_ is None else float(parse_time(for_))
    if seconds is not None and seconds <= 0:
        raise OptionError(f"for {seconds:g} s is no time to watch; give more than 0, such as 60")
    return seconds


def _check_margins(before: float, after: float) -> None:
    from kinoscope.pipeline.alerts.recorder import MAX_CLIP_SECONDS

    require_number("before", before, 0, MAX_CLIP_SECONDS / 2)
    require_number("after", after, 0, MAX_CLIP_SECONDS / 2)


@contextmanager
def _until(stop: Callable[[], None], seconds: float | None) -> Iterator[None]:
    """Stop after some seconds."""
    timer = threading.Timer(seconds or 0, stop)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tasks(on_observations: ObservationCallback, card: str, device: str, stop: Callable[[], None]) -> list[Task]:
    """Return the detector, which stops the source when it fails."""
    from kinoscope.tasks.objects import Objects

    objects = Objects(
        model=card, device=device, threads=os.cpu_count() or 1, keep_tracks=False, on_observations=on_observations
    )
    return [RequiredTask(objects, stop)]


def _recorder(clips: str | Path | None, before: float, after: float) -> Recorder | None:
    """Return the recorder of clips; None without a folder for them."""
    from kinoscope.pipeline.alerts.recorder import Recorder

    if clips is None:
        return None
    prepare_folder(Path(clips))
    return Recorder(Path(clips), before, after, prefix=f"{datetime.now():%Y%m%d-%H%M%S}-")


def _wall_clock(time: float) -> datetime:
    """Return the time of day of a live frame: now."""
    return datetime.now().astimezone()


def _peak_memory() -> float:
    """Return the peak memory of the process in megabytes; 0 where the system does not report it."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


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


class RequiredTask(Task):
    """Wrapper of a required task: if it fails, the source is stopped."""

    def __init__(self, task: Task, stop: Callable[[], None]) -> None:
        super().__init__()
        self._task, self._stop, self.name = task, stop, task.name

    def needs(self, info: SourceInfo) -> Needs:
        """Return what the wrapped task needs."""
        with self._stop_on_error():
            return self._task.needs(info)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Pass batches of frames to the task."""
        with self._stop_on_error():
            self._task.process_frames(*batches)

    def process_audio(self, audio: Audio) -> None:
        """Pass audio to the task."""
        with self._stop_on_error():
            self._task.process_audio(audio)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the result of the task."""
        return self._task.finish(timeline)

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stop()
            raise


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
