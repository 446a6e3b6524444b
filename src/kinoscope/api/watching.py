"""``kinoscope watch``: rules on a camera or a stream, with alerts as things happen."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope import __version__
from kinoscope.api.choices import choose_models
from kinoscope.core.errors import KinoscopeError, OptionError, RulesError
from kinoscope.core.results import DecodeReport, Event, Seen, Timeline, describe_source
from kinoscope.source.base import Item, Picture, Source
from kinoscope.views.jsonl import LineWriter

if TYPE_CHECKING:
    from kinoscope.rules import Rulebook, RuleFile
    from kinoscope.rules.webhook import Webhook
    from kinoscope.tasks.base import Task
    from kinoscope.tasks.recording import Recorder

ARRIVALS = 4096
"""Pictures whose time of arrival is remembered."""
MOST = 100_000
"""Alerts and delays that are remembered for the summary."""
SECRET = "KINOSCOPE_WEBHOOK_SECRET"
"""The variable that holds the secret that alerts are signed with."""


@dataclass
class Watched:
    """How a watch went.

    Attributes:
        events: the alerts, the latest hundred thousand of them.
        delays: seconds from the arrival of a picture to its alert being out.
        timeline: the source's facts, how reading and the tasks went; no tracks.
        memory: most megabytes in use.
        delivered, undelivered: alerts sent to the webhook, and written to the file instead.
    """

    source: str
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MOST))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))
    timeline: Timeline = field(default_factory=Timeline)
    memory: float = 0.0
    delivered: int = 0
    undelivered: int = 0
    clips: int = 0

    def delay(self, percent: float) -> float | None:
        """Give the delay in seconds that so many percent of the alerts do not exceed; None without alerts."""
        return float(np.percentile(np.array(self.delays), percent)) if self.delays else None

    @property
    def status(self) -> int:
        """0 done; 1 the stream was lost or a task failed."""
        lost = not self.timeline.decode.complete and not _stopped_by_user(self.timeline)
        return int(lost or any(task.status == "failed" for task in self.timeline.tasks.values()))

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        decode = self.timeline.decode
        return {
            "source": self.source,
            "events": [event.to_dict() for event in self.events],
            "delay_p50": _rounded(self.delay(50)),
            "delay_p95": _rounded(self.delay(95)),
            "frames": decode.frames,
            "dropped": decode.dropped,
            "reconnects": decode.reconnects,
            "memory_mb": round(self.memory),
            "delivered": self.delivered,
            "undelivered": self.undelivered,
            "clips": self.clips,
            "tasks": {name: report.to_dict() for name, report in self.timeline.tasks.items()},
            "status": self.status,
        }


def watch(
    source: str,
    rules: str | Path,
    *,
    webhook: str | None = None,
    undelivered: str | Path = "undelivered.jsonl",
    clips: str | Path | None = None,
    before: float = 3.0,
    after: float = 3.0,
    seconds: float | None = None,
    realtime: bool = False,
    loop: bool = False,
    model: str | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> Watched:
    """Watch a camera or a stream by rules, and tell of alerts at once, one JSON object a line on standard output.

    Args:
        source: camera:0, a URL (rtsp, http, udp...), or a file.
        rules: the file of rules (YAML).
        webhook: web address that each alert is sent to as well, signed with the secret in the variable
            KINOSCOPE_WEBHOOK_SECRET if there is one.
        undelivered: file to which alerts are added that cannot be delivered there.
        clips: folder to which a clip of each alert is saved.
        before: seconds of a clip before the alert.
        after: seconds of a clip after it.
        seconds: stop after so many seconds; otherwise at the end of the source, or on Ctrl-C.
        realtime: show a file as a camera would, to try rules out.
        loop: begin a file again at its end.
        model: another detector (see `kinoscope models list`).
        device: auto, cpu or cuda.
        quiet: do not print the alerts.

    Returns:
        The alerts, and how the watch went: delays, dropped frames, reconnects, memory.

    Raises:
        RulesError, OptionError, SourceError, OutputError: what is given cannot be used; nothing has been watched then.
    """
    from kinoscope import engine
    from kinoscope.rules.book import Rulebook, recorded
    from kinoscope.source.live import LiveSource

    card = "auto" if model is None else choose_models(model).get("objects", "auto")
    chosen = _read_rules(rules, card)
    done = Watched(source)
    with ExitStack() as stack:
        arrivals = stack.enter_context(_open(source, realtime or loop, loop, seconds))
        camera = arrivals.info.live and not (realtime or loop)
        clock = _wall_clock if camera else recorded(chosen, float(arrivals.info.start))
        book = Rulebook(chosen, arrivals.info.size, clock)
        recorder = _recorder(clips, before, after)
        hook = _hook(webhook, Path(undelivered))
        if hook:
            stack.callback(hook.close)
        lines = None if quiet else LineWriter(sys.stdout, describe_source(arrivals.info), __version__)
        alerts = Alerts(done, book, arrivals, lines, hook, recorder)
        reader = LiveSource(arrivals, seconds=seconds) if arrivals.info.live else arrivals
        tasks = _tasks(alerts, card, device, recorder)
        done.timeline = engine.run(reader, tasks, timeline=Timeline(version=__version__))
    done.memory = _memory()
    done.clips = int(done.timeline.tasks["recording"].extra.get("clips", 0)) if recorder else 0
    if hook:
        done.delivered, done.undelivered = hook.delivered, hook.failed
    return done


def _read_rules(path: str | Path, card: str) -> RuleFile:
    """Read the file of rules; what it goes for must be what the detector can tell."""
    from kinoscope.models import find, for_task
    from kinoscope.rules import read

    cards = for_task("objects") if card == "auto" else [find(card)]
    rules = read(path, {label for one in cards for label in one.labels})
    if who := next((rule.name for rule in rules.rules if rule.identities), None):
        raise RulesError(f"{path}: rule {who!r} is about who it is; only analyze --gallery --rules can tell that")
    return rules


def _open(source: str, paced: bool, loop: bool, seconds: float | None) -> Arrivals:
    from kinoscope.source import open_source
    from kinoscope.source.pace import PacedSource

    if seconds is not None and seconds <= 0:
        raise OptionError(f"seconds {seconds:g} is no time to watch for; give more than 0")
    opened = open_source(source, live=False)
    if not opened.info.width:
        opened.close()
        raise OptionError(f"{source} has no picture to watch")
    if paced:
        opened = PacedSource(opened, loop)
    return Arrivals(opened, seconds)


def _tasks(alerts: Alerts, card: str, device: str, recorder: Recorder | None) -> list[Task]:
    from kinoscope.tasks.objects import Objects

    objects: Task = Objects(model=card, device=device, threads=os.cpu_count() or 1, keep=False, tell=alerts.tell)
    return [objects, recorder] if recorder else [objects]


def _hook(url: str | None, undelivered: Path) -> Webhook | None:
    from kinoscope.rules.webhook import Webhook, check_dead, check_url

    if url is None:
        return None
    return Webhook(check_url(url), os.environ.get(SECRET), check_dead(undelivered))


def _recorder(clips: str | Path | None, before: float, after: float) -> Recorder | None:
    from kinoscope import places
    from kinoscope.tasks.recording import LONGEST, Recorder

    if not (0 <= before <= LONGEST / 2 and 0 <= after <= LONGEST / 2):
        raise OptionError(
            f"a clip of {before:g} s before and {after:g} s after cannot be made; give 0 to {LONGEST / 2:g}"
        )
    if clips is None:
        return None
    places.prepare(Path(clips))
    return Recorder(Path(clips), before, after)


def _wall_clock(time: float) -> datetime:
    """Give the time of day: of a live picture, it is now."""
    return datetime.now()


def _memory() -> float:
    """Give the most megabytes that the process has used; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def _stopped_by_user(timeline: Timeline) -> bool:
    return any(line.startswith("interrupted") for line in timeline.decode.errors)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


class Arrivals(Source):
    """Another source, which notes when each picture arrives, and stops after some seconds of the clock."""

    def __init__(
        self, source: Source, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._seconds, self._clock = source, seconds, clock
        self._times: deque[tuple[float, float]] = deque(maxlen=ARRIVALS)
        self._lock = threading.Lock()
        self.info = source.info

    @property
    def report(self) -> DecodeReport:  # type: ignore[override]
        """How the read goes."""
        return self._source.report

    def read(self, video: bool = True, sound_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield what there is until the time is up."""
        begun = self._clock()
        for item in self._source.read(video, tuple(sound_rates)):
            now = self._clock()
            if isinstance(item, Picture):
                with self._lock:
                    self._times.append((float(item.time), now))
            yield item
            if self._seconds is not None and now - begun >= self._seconds:
                return

    def age(self, time: float) -> float | None:
        """Give how many seconds ago the picture of a time in seconds arrived; None if that is forgotten."""
        with self._lock:
            found = next((now for shown, now in reversed(self._times) if abs(shown - time) < 1e-6), None)
        return None if found is None else self._clock() - found

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class Alerts:
    """Takes what is followed, asks the rules, and sends alerts wherever they should go."""

    def __init__(
        self,
        done: Watched,
        book: Rulebook,
        source: Arrivals,
        lines: LineWriter | None,
        hook: Webhook | None,
        recorder: Recorder | None,
    ) -> None:
        self._done, self._book, self._source = done, book, source
        self._lines, self._hook, self._recorder = lines, hook, recorder

    def tell(self, time: float, seen: list[Seen]) -> None:
        """Take what is followed in a picture, see ``core.results.Tell``."""
        for event in self._book.step(time, seen):
            self._send(event, time)
            self._done.events.append(event)
            age = self._source.age(time)
            if age is not None:
                self._done.delays.append(age)

    def _send(self, event: Event, time: float) -> None:
        if self._recorder:
            event.extra["clip"] = str(self._recorder.want(event.label, time))
        if self._hook:
            self._hook.send({"source": Path(self._done.source).name, "event": event.to_dict()})
        if self._lines:
            self._print(event)

    def _print(self, event: Event) -> None:
        assert self._lines is not None
        try:
            self._lines.write(event)
        except KinoscopeError as error:  # who read the lines has gone; whoever else is told goes on being told
            self._lines = None
            print(f"kinoscope: {error}", file=sys.stderr)
