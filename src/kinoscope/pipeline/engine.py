"""One decode, many tasks.

The calling thread decodes and scales; every task works in a thread of its own behind a bounded queue, so that
decoding and inference overlap (PyAV, OpenVINO and torch release the GIL) and memory does not grow with the
length of the video. A task that fails is reported as failed, and the others finish.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Queue
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.addresses import mask
from kinoscope.core.errors import KinoscopeError, MissingExtra, wrap_error
from kinoscope.core.interrupts import Interrupts
from kinoscope.core.media import Audio, Frame, FrameBatch
from kinoscope.core.progress import ProgressCallback
from kinoscope.core.results import TaskReport, TaskResult, Timeline, describe_source
from kinoscope.core.time import FrameSampler
from kinoscope.tasks.base import Needs, Skip, Task

if TYPE_CHECKING:
    from kinoscope.source.base import LazyFrame, Source

log = logging.getLogger("kinoscope")


MAX_QUEUED_BATCHES = 3
"""How far decoding may run ahead of a task, in batches."""


def run(
    source: Source,
    tasks: Sequence[Task],
    *,
    timeline: Timeline | None = None,
    progress: ProgressCallback | None = None,
    threaded: bool = True,
) -> Timeline:
    """Read ``source`` once, feed every task, and gather what they found.

    Args:
        source: an open source; it is read from where it stands to its end.
        tasks: in the order in which they finish; later ones may look at what earlier ones found.
        timeline: results of earlier tasks to add to.
        progress: told now and then how far the decode is.
        threaded: False runs everything in the calling thread, one thing after another, and counts each
            task's CPU seconds instead of its share of the wall seconds.

    Returns:
        The timeline. After Ctrl-C, or a source that breaks off, it holds what was found until then, and
        ``decode.complete`` is False.
    """
    timeline = timeline or Timeline()
    before = source.info
    timeline.source = describe_source(before) | timeline.source
    with Interrupts() as interrupts:
        with interrupts.allowed:
            feeds = _prepare(tasks, source, timeline, threaded)
        times = _decode(source, feeds, progress, interrupts)
        if source.info != before:  # some of it is known only now
            known = describe_source(source.info)
            timeline.source |= {name: known[name] for name in ("duration", "variable") if name in known}
        if feeds or not timeline.decode.frames:  # where nothing is read, what was read for earlier tasks stands
            timeline.times, timeline.decode = np.array(times, np.float64), source.report
        _finish(feeds, timeline, interrupts)
        if interrupts.consume():
            timeline.decode.mark_interrupted()
    return timeline


def _prepare(tasks: Sequence[Task], source: Source, timeline: Timeline, threaded: bool) -> list[TaskFeed]:
    """Ask every task what it needs (which loads its models, side by side) and make a feed for each that can run."""
    clock = SharedClock(time.perf_counter if threaded else time.process_time)
    with ThreadPoolExecutor(max_workers=max(1, len(tasks)) if threaded else 1) as pool:
        feeds = list(pool.map(lambda task: TaskFeed.open(task, source, clock), tasks))
    for feed in feeds:
        if feed.report.status != "ok":
            timeline.add(feed.task.name, TaskResult(report=feed.report))
    running = [feed for feed in feeds if feed.report.status == "ok"]
    for feed in running:
        feed.start(threaded)
    return running


def _decode(
    source: Source, feeds: list[TaskFeed], progress: ProgressCallback | None, interrupts: Interrupts
) -> array[float]:
    """Read the source to its end, or to Ctrl-C, and hand out what was asked for; give all frame times."""
    times = array("d")
    try:
        items = _read(source, feeds)
        while (item := _next(items, interrupts)) is not None:
            for feed in feeds:
                feed.offer(item)
            if not isinstance(item, Audio):
                times.append(float(item.time))
                if progress:
                    progress(float(item.time - source.info.start), _length(source))
    except KeyboardInterrupt:
        source.report.mark_interrupted()
    except Exception as error:
        source.report.mark_incomplete(str(wrap_error(error, source.info.path)))
    _close(feeds, source, interrupts)
    return times


def _next(items: Iterator[LazyFrame | Audio], interrupts: Interrupts) -> LazyFrame | Audio | None:
    with interrupts.allowed:
        return next(items, None)


def _close(feeds: list[TaskFeed], source: Source, interrupts: Interrupts) -> None:
    """Let every task see its last frames; Ctrl-C drops what still waits in the queues."""
    try:
        for feed in feeds:
            feed.close()
        for feed in feeds:
            with interrupts.allowed:
                feed.wait()
    except KeyboardInterrupt:
        source.report.mark_interrupted()
        _stop(feeds, interrupts)


def _stop(feeds: list[TaskFeed], interrupts: Interrupts) -> None:
    """Wait until each task has done what it is at; whoever presses Ctrl-C again does without its result."""
    for feed in feeds:
        try:
            with interrupts.allowed:
                feed.stop()
        except KeyboardInterrupt:
            feed.report.status = "interrupted"


def _read(source: Source, feeds: list[TaskFeed]) -> Iterator[LazyFrame | Audio]:
    rates = tuple(sorted({feed.needs.audio_rate for feed in feeds if feed.needs.audio_rate}))
    return source.read(video=source.info.width > 0 and bool(feeds), audio_rates=rates)


def _length(source: Source) -> float | None:
    return None if source.info.duration is None else float(source.info.duration)


def _finish(feeds: list[TaskFeed], timeline: Timeline, interrupts: Interrupts) -> None:
    for feed in feeds:
        try:
            with interrupts.allowed:
                result = feed.finish(timeline)
        except KeyboardInterrupt:
            timeline.decode.mark_interrupted()
            result = TaskResult(report=feed.report)
        if result.report.status == "ok" and not timeline.decode.complete:
            result.report.status = "interrupted" if timeline.decode.interrupted else "incomplete"
        timeline.add(feed.task.name, result)


class SharedClock:
    """Seconds of those who work, divided among as many as work at once, so that they add up to the time that passes.

    Args:
        clock: gives the seconds that have passed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._share, self._last, self._working = 0.0, clock(), 0

    def enter(self) -> float:
        """Begin to work; what is returned is for ``leave``."""
        return self._change(1)

    def leave(self, entered: float) -> float:
        """Stop working, and return the seconds that count as one's own."""
        return self._change(-1) - entered

    def _change(self, by: int) -> float:
        """Return the seconds that one who had worked all along would have by now."""
        with self._lock:
            now = self._clock()
            self._share += (now - self._last) / max(1, self._working)
            self._last, self._working = now, self._working + by
            return self._share


@dataclass
class TaskFeed:
    """The way from the decode to one task: picks its frames, batches them, and runs it behind a bounded queue."""

    task: Task
    needs: Needs
    clock: SharedClock
    live: bool = False
    report: TaskReport = field(default_factory=TaskReport)

    def __post_init__(self) -> None:
        self._ticker = FrameSampler(self.needs.rate)
        self._frames: list[list[Frame]] = [[] for _ in self.needs.sizes]
        self._queue: Queue[tuple[FrameBatch, ...] | Audio | None] = Queue(1 if self.live else MAX_QUEUED_BATCHES)
        self._worker: Thread | None = None
        self._stopped = False

    @classmethod
    def open(cls, task: Task, source: Source, clock: SharedClock) -> TaskFeed:
        """Ask the task for its needs; one that skips or fails is marked so in the report."""
        report, needs, start = TaskReport(), Needs(), clock.enter()
        try:
            needs = task.needs(source.info)
        except (Skip, MissingExtra) as reason:
            report = TaskReport("skipped", reason=str(reason))
        except Exception as error:
            report = _failure(task, error)
        report.extra["load"] = round(clock.leave(start), 3)
        return cls(task, needs, clock, source.info.live, report)

    def start(self, threaded: bool) -> None:
        """Begin to work off the queue, in a thread of the task's own."""
        if threaded:
            self._worker = Thread(target=self._work, name=f"kinoscope-{self.task.name}", daemon=True)
            self._worker.start()

    def offer(self, item: LazyFrame | Audio) -> None:
        """Take a decoded picture or sound if the task wants it; waits while it is behind, but drops live pictures."""
        if self.report.status != "ok":
            return
        if isinstance(item, Audio):
            if item.rate == self.needs.audio_rate:
                self._put(item)
            return
        if self.needs.sizes and self._ticker.due(item.time):
            self._collect(item)

    def _collect(self, picture: LazyFrame) -> None:
        for frames, size in zip(self._frames, self.needs.sizes, strict=True):
            frames.append(picture.frame(size))
        self.report.frames += 1
        # A live source must not wait for a full batch.
        if len(self._frames[0]) >= (1 if self.live else self.needs.batch):
            self._flush()

    def _flush(self) -> None:
        if self._frames and self._frames[0]:
            batches = tuple(FrameBatch.stack(frames) for frames in self._frames)
            self._frames = [[] for _ in self.needs.sizes]
            self._put(batches)

    def _put(self, item: tuple[FrameBatch, ...] | Audio) -> None:
        if not self._worker:
            self._do(item)
        elif self.live and self._queue.full() and not isinstance(item, Audio):
            # What is on screen now matters more than what was; and no slow task makes the others late.
            self.report.extra["dropped"] = self.report.extra.get("dropped", 0) + 1
        else:
            self._queue.put(item)

    def close(self) -> None:
        """Hand over the last frames, and say that they are the last."""
        self._flush()
        if self._worker:
            self._queue.put(None)

    def wait(self) -> None:
        """Wait until the task has seen all that it was handed."""
        if self._worker:
            self._worker.join()

    def stop(self) -> None:
        """Drop what the task has not seen yet."""
        self._stopped = True
        if self._worker and self._worker.is_alive():
            self._queue.put(None)
            self._worker.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            # After a failure the queue is still emptied, so that the decode never waits for a dead task.
            if self.report.status == "ok" and not self._stopped:
                self._do(item)

    def _do(self, item: tuple[FrameBatch, ...] | Audio) -> None:
        with self._guard():
            if isinstance(item, Audio):
                self.task.process_audio(item)
            else:
                self.task.process_frames(*item)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Ask the task for its result; the report says how it went."""
        result = TaskResult()
        if self.report.status == "ok":
            with self._guard():
                result = self.task.finish(timeline)
        own, mine = result.report, self.report
        own.frames, own.seconds, own.extra = mine.frames, mine.seconds, mine.extra | own.extra
        if mine.status != "ok":
            own.status, own.reason = mine.status, mine.reason
        return result

    def _guard(self) -> _Guard:
        return _Guard(self)


class _Guard:
    """Count the time of a stretch of a task's work, and turn its failure into a line of its report."""

    def __init__(self, feed: TaskFeed) -> None:
        self.feed = feed

    def __enter__(self) -> None:
        self.start = self.feed.clock.enter()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        report = self.feed.report
        report.seconds += self.feed.clock.leave(self.start)
        if isinstance(error, (Skip, MissingExtra)):
            report.status, report.reason = "skipped", str(error)
        elif isinstance(error, Exception):
            failure = _failure(self.feed.task, error)
            report.status, report.reason = failure.status, failure.reason
        return error is None or isinstance(error, Exception)


def _failure(task: Task, error: Exception) -> TaskReport:
    log.debug("task %s failed", task.name, exc_info=error)
    lines = str(error).strip().splitlines() or ["no message"]
    reason = lines[0] if isinstance(error, KinoscopeError) else mask(f"{type(error).__name__}: {lines[0]}")
    return TaskReport("failed", reason=reason)
