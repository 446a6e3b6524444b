"""Watching of a camera or a stream: one detector, alert rules, and what sends and records their alerts."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope import __version__
from kinoscope.core.errors import OptionError, RulesError
from kinoscope.core.files import prepare_folder
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import ObservationCallback, TaskResult, describe_source
from kinoscope.core.time import parse_time
from kinoscope.core.validation import require_number
from kinoscope.pipeline import engine
from kinoscope.pipeline.alerts.dispatch import open_webhook, read_rules
from kinoscope.pipeline.alerts.publisher import AlertPublisher, ArrivalTimes
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.results.watch import WatchResult
from kinoscope.tasks.base import Needs, Task
from kinoscope.views.formats.jsonl import LineWriter
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.recorder import Recorder
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleEngine, RuleFile
    from kinoscope.rules.engine import WallClock

MAX_QUEUED_FRAMES = 8
"""Frames that may wait for the detector; of more, the oldest are dropped, so that alerts are not delayed."""

MAX_QUEUED_ALERTS = 1000
"""Alerts that may wait for the webhook."""

SHUTDOWN_SECONDS = 5.0
"""Time for which waiting alerts are still sent to the webhook at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """Delivery of alerts: a webhook, a file of undelivered ones, and a clip of each.

    Attributes:
        webhook: http or https address to which each alert is posted as well.
        webhook_secret: file with the secret that signs what is sent; KINOSCOPE_WEBHOOK_SECRET if not given.
        undelivered: file to which alerts are added that cannot be delivered to the webhook.
        clips_to: folder in which a clip of each alert is saved; no clips if not given.
        before: seconds of a clip before the alert.
        after: seconds of a clip after it.
    """

    webhook: str | None = None
    webhook_secret: str | Path | None = None
    undelivered: str | Path = "undelivered.jsonl"
    clips_to: str | Path | None = None
    before: float = 3.0
    after: float = 3.0

    def check(self) -> None:
        """Check what can be checked before anything is opened.

        Raises:
            OptionError: an option cannot be used.
        """
        from kinoscope.pipeline.alerts.recorder import MAX_CLIP_SECONDS

        if self.webhook_secret is not None and self.webhook is None:
            raise OptionError("webhook-secret signs what is sent; give --webhook URL")
        require_number("before", self.before, 0, MAX_CLIP_SECONDS / 2)
        require_number("after", self.after, 0, MAX_CLIP_SECONDS / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Duration of a watch, and whether the source is a camera or plays like one.

    Attributes:
        for_: stop after so many seconds (or a clock, 00:10:00); otherwise at the end of the source, or on Ctrl-C.
        live: treat an http or https address as live, as cameras and rtsp streams are: alerts carry the time of day,
            and a lost connection is opened again.
        realtime: play a file at its own speed, as a camera would, to test rules.
        loop: play a file at its own speed, again and again.
    """

    for_: str | float | None = None
    live: bool = False
    realtime: bool = False
    loop: bool = False

    @property
    def paced(self) -> bool:
        """Whether a file plays at its own speed."""
        return self.realtime or self.loop

    def seconds(self) -> float | None:
        """Return the number of seconds to watch, or None for no limit.

        Raises:
            OptionError: it is not positive.
        """
        seconds = None if self.for_ is None else float(parse_time(self.for_))
        if seconds is not None and seconds <= 0:
            raise OptionError(f"for {seconds:g} s is no time to watch; give more than 0, such as 60")
        return seconds

    def check(self, source: str) -> None:
        """Check that a source can be read so.

        Raises:
            OptionError: it is no camera at an address, or an option cannot be used.
        """
        self.seconds()
        if self.live and self.paced:
            raise OptionError("live is about a camera, realtime and loop about a recording; choose one")
        if self.live and "://" not in source:
            raise OptionError(
                f"{source} is no address of a camera; leave live out (realtime shows a file as a camera would)"
            )


NO_DELIVERY = DeliveryOptions()
"""The default: alerts are printed, and neither posted nor recorded."""

AS_IT_COMES = StreamOptions()
"""The default: a source is read at the speed at which it comes, to its end."""


def watch_source(
    source: str,
    rules: str | Path,
    *,
    delivery: DeliveryOptions = NO_DELIVERY,
    stream: StreamOptions = AS_IT_COMES,
    decoding: DecodingOptions = DECODE_ALL,
    card: str = "auto",
    device: str = "auto",
    quiet: bool = False,
) -> WatchResult:
    """Evaluate alert rules on the objects of a source as they are detected, and send their alerts at once.

    Args:
        source: address, device or file.
        rules: path of the YAML file of rules.
        delivery: where alerts are sent besides standard output.
        stream: how long and at which speed it is read.
        decoding: the part of a file that is read, and limits.
        card: of the detector.
        device: auto, cpu or cuda.
        quiet: do not print the alerts.

    Raises:
        RulesError, OptionError, SourceError, OutputError: an option or the source cannot be used; raised before the
            first frame is read.
    """
    from kinoscope.source.live import LiveSource

    rule_file = read_rules(rules, ["objects"], {"objects": card}, recording=False)
    result = WatchResult(str(source))
    with ExitStack() as stack:
        hook = stack.enter_context(_open_webhook(delivery))
        arrivals = stack.enter_context(_open(source, stream, decoding))
        recorder = _recorder(delivery)
        clock = _clock(rule_file, arrivals.info, stream)
        rule_engine = _rule_engine(rule_file, arrivals.info, clock)
        lines = None if quiet else LineWriter(sys.stdout, describe_source(arrivals.info), __version__)
        publisher = AlertPublisher(result, rule_engine, arrivals, lines, hook, recorder, clock)
        reader = LiveSource(arrivals, MAX_QUEUED_FRAMES) if arrivals.info.live else arrivals
        stack.enter_context(_until(reader.stop, stream.seconds()))
        tasks = [_detector(publisher.process_observations, card, device, reader.stop)]
        timeline = Timeline(version=__version__, source={"path": result.source})
        result.timeline = engine.run(reader, tasks + ([recorder] if recorder else []), timeline=timeline)
    return _with_statistics(result, hook)


def _open_webhook(delivery: DeliveryOptions) -> AbstractContextManager[Webhook | None]:
    """Open the webhook of the options, if there is one."""
    return open_webhook(
        delivery.webhook, delivery.webhook_secret, Path(delivery.undelivered), MAX_QUEUED_ALERTS, SHUTDOWN_SECONDS
    )


def _open(source: str, stream: StreamOptions, decoding: DecodingOptions) -> ArrivalTimes:
    """Open the source; a file that is paced plays at its own speed, and with ``loop`` without end.

    Raises:
        SourceError: it cannot be opened.
        OptionError: it has no video.
    """
    from kinoscope.source import open_source
    from kinoscope.source.paced import RealtimeSource

    options = decoding.resolve()
    opened = open_source(source, live=False, endless=stream.live, **options)
    if not opened.info.width:
        opened.close()
        raise OptionError(f"{source} has no video to watch")
    if stream.paced:
        opened = RealtimeSource(opened, stream.loop, options["start"])
    return ArrivalTimes(opened)


def _recorder(delivery: DeliveryOptions) -> Recorder | None:
    """Return the recorder of clips; None without a folder for them."""
    from kinoscope.pipeline.alerts.recorder import Recorder

    if delivery.clips_to is None:
        return None
    folder = Path(delivery.clips_to)
    prepare_folder(folder)
    return Recorder(folder, delivery.before, delivery.after, prefix=f"{datetime.now():%Y%m%d-%H%M%S}-")


def _clock(rules: RuleFile, info: SourceInfo, stream: StreamOptions) -> WallClock | None:
    """Return the time of day of frames: of a camera that of the machine, else that which the rules declare, if any."""
    from kinoscope.rules.engine import recording_clock

    is_camera = info.live and not stream.paced
    return _wall_clock if is_camera else recording_clock(rules, float(info.start))


def _wall_clock(time: float) -> datetime:
    """Return the time of day of a live frame: now."""
    return datetime.now().astimezone()


def _rule_engine(rules: RuleFile, info: SourceInfo, clock: WallClock | None) -> RuleEngine:
    """Return the rule engine; an error about the time of day also suggests ``--live`` for a camera at an address."""
    from kinoscope.rules.engine import RuleEngine

    try:
        return RuleEngine(rules, info.size, clock)
    except RulesError as error:
        if clock is None and "://" in info.path and any(rule.timed for rule in rules.rules):
            raise RulesError(f"{error}; or give --live if {info.path} is a camera") from None
        raise


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


def _detector(on_observations: ObservationCallback, card: str, device: str, stop: Callable[[], None]) -> Task:
    """Return the detector, which stops the source when it fails."""
    from kinoscope.tasks.objects import Objects

    objects = Objects(
        model=card, device=device, threads=os.cpu_count() or 1, keep_tracks=False, on_observations=on_observations
    )
    return RequiredTask(objects, stop)


def _with_statistics(result: WatchResult, hook: Webhook | None) -> WatchResult:
    """Return the result with memory, clips and deliveries filled in."""
    result.memory = _peak_memory()
    recording = result.tasks.get("recording")
    result.clips = int(recording.extra.get("clips", 0)) if recording else 0
    if hook:
        result.delivered, result.undelivered = hook.delivered, hook.undelivered
    return result


def _peak_memory() -> float:
    """Return the peak memory of the process in megabytes; 0 where the system does not report it."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


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
