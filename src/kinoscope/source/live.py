"""Live sources, read in a thread of their own: a slow reader loses the oldest frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from kinoscope.core.results import DecodeReport
from kinoscope.source.base import Item, LazyFrame, Source

MAX_QUEUED_FRAMES = 64
"""Frames that are queued for the reader."""

JOIN_TIMEOUT_SECONDS = 3.0
"""Seconds for which the end of a read waits for a connection that sends nothing."""

MAX_ITEMS_PER_FRAME = 16
"""Queued items, mostly audio blocks, for each frame that may be queued."""


class LiveSource(Source):
    """Another source that never waits for its reader.

    At most ``max_frames`` frames are queued for the reader; the oldest are dropped, counted in ``report.dropped``.
    """

    def __init__(self, source: Source, max_frames: int = MAX_QUEUED_FRAMES) -> None:
        self._source, self._max_frames = source, max_frames
        self.info = source.info
        self._queue: LatestFrameQueue | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def report(self) -> DecodeReport:  # type: ignore[override]
        """Decode report of the source."""
        return self._source.report

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield the queued frames and audio, dropping the oldest."""
        if self._stopped.is_set():
            return
        items = self._source.read(video, tuple(audio_rates))
        queue = self._queue = LatestFrameQueue(self._max_frames)
        thread = self._thread = threading.Thread(target=queue.fill, args=(items, self._source), daemon=True)
        thread.start()
        if self._stopped.is_set():  # stopped while the thread was starting
            queue.close()
        try:
            yield from queue
        finally:
            queue.close()
            thread.join(JOIN_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Stop the read, from any thread; what is queued is still yielded."""
        self._stopped.set()
        if self._queue is not None:
            self._queue.close()

    def close(self) -> None:
        """Close the source, unless a connection that sends nothing still blocks it: it ends with the process then."""
        if self._thread is None or not self._thread.is_alive():
            self._source.close()


class LatestFrameQueue:
    """A queue of items from one thread to another, in order, with at most ``max_frames`` frames."""

    def __init__(self, max_frames: int) -> None:
        self._max_frames = max_frames
        self._items: deque[Item] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None

    def fill(self, items: Iterator[Item], source: Source) -> None:
        """Append all ``items``, until the reader closes the queue; an error is raised in the reader's thread."""
        try:
            for item in items:
                if not self._put(item, source):
                    break
        except BaseException as error:
            self._error = error
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            self.close()

    def _put(self, item: Item, source: Source) -> bool:
        with self._condition:
            self._items.append(item)
            self._drop_oldest(source)
            self._condition.notify()
            return not self._closed

    def _drop_oldest(self, source: Source) -> None:
        frames = [item for item in self._items if isinstance(item, LazyFrame)]
        if len(frames) > self._max_frames:
            self._items.remove(frames[0])
            source.report.dropped += 1
        if len(self._items) > self._max_frames * MAX_ITEMS_PER_FRAME:
            self._items.popleft()

    def close(self) -> None:
        """Close the queue to further items."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._items or self._closed)
                if not self._items:
                    break
                item = self._items.popleft()
            yield item
        if self._error is not None:
            raise self._error
