"""The engine: one decode, many tasks.

The calling thread decodes and scales; every task runs in a thread of its own behind a bounded queue, so that
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
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.addresses import mask
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import KinoscopeError, MissingExtra, describe_error, first_line, wrap_error
from kinoscope.core.interrupts import Interrupts
from kinoscope.core.media import Audio, Frame, FrameBatch
from kinoscope.core.results import TaskReport, TaskResult, describe_source
from kinoscope.core.time import FrameSampler
from kinoscope.pipeline.result_checks import check_needs, check_result
from kinoscope.tasks.base import Needs, PostTask, Skip, Task
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.source.base import LazyFrame, Source

log = logging.getLogger("kinoscope")


MAX_QUEUED_BATCHES = 3
"""Batches by which decoding may run ahead of a task."""


def run(
    source: Source,
    tasks: Sequence[Task],
    *,
    timeline: Timeline | None = None,
    progress: ProgressCallback | None = None,
    threaded: bool = True,
) -> Timeline:
    """Read ``source`` once, feed every task, and collect their results.

    Args:
        source: an open source; it is read from its current position to its end.
        tasks: in the order in which they finish; later ones may read the results of earlier ones.
        timeline: results of earlier tasks to add to.
        progress: called with the seconds decoded and the total.
        threaded: False runs everything in the calling thread, one task after another, and counts each
            task's CPU seconds instead of its share of the wall-clock seconds.

    Returns:
        The timeline. After Ctrl-C, or if the source fails midway, it holds the results until then, and
        ``decode.complete`` is False.
    """
    timeline = timeline or Timeline()
    before = source.info
    timeline.source = describe_source(before) | timeline.source
    with Interrupts() as interrupts:
        with interrupts.allowed:
            feeds = _prepare(tasks, source, timeline, threaded)
        # Tasks that only read the timeline need no decoding if the frames were counted before.
        reads = any(not isinstance(feed.task, PostTask) for feed in feeds) or (feeds and not timeline.decode.frames)
        times = _decode(source, feeds, progress, interrupts) if reads else array("d")
        if source.info != before:  # some of it is known only after decoding
            known = describe_source(source.info)
            timeline.source |= {name: known[name] for name in ("duration", "variable") if name in known}
        if reads or not timeline.decode.frames:  # where nothing is read, what was read for earlier tasks stands
            timeline.times, timeline.decode = np.array(times, np.float64), source.report
        _finish(feeds, timeline, interrupts)
        if interrupts.consume():
            timeline.decode.mark_interrupted()
    return timeline


def _prepare(tasks: Sequence[Task], source: Source, timeline: Timeline, threaded: bool) -> list[TaskFeed]:
    """Load the models of all tasks, in parallel, and create a feed for each task that can run."""
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
    """Read the source to its end, or to Ctrl-C, and distribute frames and audio; return all frame times in seconds."""
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
    """Wait until every task has processed its last frames; Ctrl-C drops what is still in the queues."""
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
    """Wait until each task has finished its current batch; a second Ctrl-C discards its result."""
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
    """A clock that divides the elapsed time among all running tasks, so that their shares add up to it.

    Args:
        clock: returns the elapsed seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._share, self._last, self._working = 0.0, clock(), 0

    def enter(self) -> float:
        """Start counting; the returned value is passed to ``leave``."""
        return self._change(1)

    def leave(self, entered: float) -> float:
        """Stop counting, and return the seconds that are the caller's share."""
        return self._change(-1) - entered

    def _change(self, by: int) -> float:
        """Return the share in seconds of a caller that has been running all along."""
        with self._lock:
            now = self._clock()
            self._share += (now - self._last) / max(1, self._working)
            self._last, self._working = now, self._working + by
            return self._share


@dataclass
class TaskFeed:
    """The connection from the decoder to one task: samples frames, batches them, and queues them for its thread."""

    task: Task
    needs: Needs
    clock: SharedClock
    live: bool = False
    report: TaskReport = field(default_factory=TaskReport)

    def __post_init__(self) -> None:
        self._sampler = FrameSampler(self.needs.rate)
        self._frames: list[list[Frame]] = [[] for _ in self.needs.sizes]
        self._queue: Queue[tuple[FrameBatch, ...] | Audio | None] = Queue(1 if self.live else MAX_QUEUED_BATCHES)
        self._worker: Thread | None = None
        self._stopped = False
        # Not Thread.join: in Python 3.11, one that Ctrl-C interrupts marks the thread as ended while it still runs.
        self._ended = Event()

    @classmethod
    def open(cls, task: Task, source: Source, clock: SharedClock) -> TaskFeed:
        """Create the feed of a task from its needs; a task that skips or fails is marked in the report."""
        report, needs, start = TaskReport(), Needs(), clock.enter()
        try:
            needs = check_needs(task.needs(source.info))
        except (Skip, MissingExtra) as reason:
            report = TaskReport("skipped", reason=str(reason))
        except Exception as error:
            report = _failure(task, error)
        report.extra["load"] = round(clock.leave(start), 3)
        return cls(task, needs, clock, source.info.live, report)

    def start(self, threaded: bool) -> None:
        """Start the thread of the task."""
        if threaded:
            self._worker = Thread(target=self._work, name=f"kinoscope-{self.task.name}", daemon=True)
            self._worker.start()

    def offer(self, item: LazyFrame | Audio) -> None:
        """Pass on a frame or audio if the task needs it; blocks while the task is behind, but drops live frames."""
        if self.report.status != "ok":
            return
        if isinstance(item, Audio):
            if item.rate == self.needs.audio_rate:
                self._put(item)
            return
        if self.needs.sizes and self._sampler.due(item.time):
            self._collect(item)

    def _collect(self, lazy_frame: LazyFrame) -> None:
        for frames, size in zip(self._frames, self.needs.sizes, strict=True):
            frames.append(lazy_frame.frame(size))
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
            self._process(item)
        elif self.live and self._queue.full() and not isinstance(item, Audio):
            # The current frame matters more than past ones, and a slow task must not delay the others.
            self.report.extra["dropped"] = self.report.extra.get("dropped", 0) + 1
        else:
            self._queue.put(item)

    def close(self) -> None:
        """Pass on the last frames, and mark the end."""
        self._flush()
        if self._worker:
            self._queue.put(None)

    def wait(self) -> None:
        """Wait until the task has processed its queue."""
        if self._worker:
            self._ended.wait()

    def stop(self) -> None:
        """Drop what the task has not processed yet."""
        self._stopped = True
        if self._worker and not self._ended.is_set():
            self._queue.put(None)
            self._ended.wait()

    def _work(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                # After a failure the queue is still emptied, so that the decode never waits for a dead task.
                if self.report.status == "ok" and not self._stopped:
                    self._process(item)
        finally:
            self._ended.set()

    def _process(self, item: tuple[FrameBatch, ...] | Audio) -> None:
        with self._guard():
            if isinstance(item, Audio):
                self.task.process_audio(item)
            else:
                self.task.process_frames(*item)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the result of the task, with the report of its feed."""
        result = TaskResult()
        if self.report.status == "ok":
            with self._guard():
                result = check_result(self.task.name, self.task.finish(timeline), self.task.images_of)
        report, feed_report = result.report, self.report
        report.frames, report.seconds, report.extra = (
            feed_report.frames,
            feed_report.seconds,
            feed_report.extra | report.extra,
        )
        if feed_report.status != "ok":
            report.status, report.reason = feed_report.status, feed_report.reason
        return result

    def _guard(self) -> _Guard:
        return _Guard(self)


class _Guard:
    """Measures the time of a part of a task's work, and turns its failure into an entry of the report."""

    def __init__(self, feed: TaskFeed) -> None:
        self.feed = feed

    def __enter__(self) -> None:
        self.start = self.feed.clock.enter()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        report = self.feed.report
        report.seconds += self.feed.clock.leave(self.start)
        if isinstance(error, (Skip, MissingExtra)):
            report.status, report.reason = "skipped", str(error)
        elif isinstance(error, Exception | SystemExit):  # the latter would end the thread, and decoding wait for it
            failure = _failure(self.feed.task, error)
            report.status, report.reason = failure.status, failure.reason
        return error is None or isinstance(error, Exception | SystemExit)


def _failure(task: Task, error: Exception | SystemExit) -> TaskReport:
    log.debug("task %s failed", task.name, exc_info=error)
    reason = first_line(error) if isinstance(error, KinoscopeError) else mask(describe_error(error))
    return TaskReport("failed", reason=reason)
