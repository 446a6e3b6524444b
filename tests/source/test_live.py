import threading
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.errors import DecodeError, SourceError
from kinoscope.core.media import Audio, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.source import LazyFrame, open_source
from kinoscope.source.base import Source, black_frame
from kinoscope.source.live import LiveSource
from tests.helpers.sources import close_reader


class Scripted(Source):
    """A source of ten frames and ten audio blocks; the reader waits for ``done`` to let it run to its end."""

    def __init__(self, error=None):
        self.info, self.report, self.error = SourceInfo("scripted", 4, 4, live=True), DecodeReport(), error
        self.done, self.closed = threading.Event(), False

    def read(self, video=True, audio_rates=()):
        try:
            for i in range(10):
                yield LazyFrame(black_frame, (4, 4), Fraction(i), i)
                yield Audio(np.zeros(4, np.float32), 4, Fraction(i))
            if self.error:
                raise self.error
        finally:
            self.closed = True
            self.done.set()


class Waiting(LiveSource):
    """A reader that starts only when everything was queued, as the slowest reader would."""

    def read(self, video=True, audio_rates=()):
        items = super().read(video, audio_rates)
        yield next(items)
        assert isinstance(self._source, Scripted)
        self._source.done.wait(10)
        yield from items


def test_a_slow_reader_loses_the_oldest_frames():
    inner = Scripted()
    items = list(Waiting(inner, max_frames=3).read())
    assert [item.index for item in items if isinstance(item, LazyFrame)][-3:] == [7, 8, 9]
    frames = sum(isinstance(item, LazyFrame) for item in items)
    assert inner.report.dropped == 10 - frames
    assert 3 <= frames <= 4
    assert sum(isinstance(item, Audio) for item in items) == 10


def test_a_fast_reader_loses_nothing():
    source = LiveSource(Scripted(), max_frames=100)
    assert len(list(source.read())) == 20
    assert source.report.dropped == 0


def test_errors_reach_the_reader():
    source = LiveSource(Scripted(DecodeError("broken")), max_frames=100)
    with pytest.raises(DecodeError, match="broken"):
        list(source.read())


def test_leaving_early_closes_the_source():
    inner = Scripted()
    items = LiveSource(inner, max_frames=100).read()
    next(items)
    close_reader(items)
    assert inner.closed


def test_any_source_can_be_read_live():
    with open_source("synthetic:shapes", live=True) as source:
        frames = list(source.lazy_frames())
        assert len(frames) + source.report.dropped == 50


def test_camera_that_is_not_there():
    with pytest.raises(SourceError, match=r"camera /dev/video987 does not exist; (those here are|there is none)"):
        open_source("camera:987")


@pytest.mark.slow
def test_a_source_is_stopped_from_another_thread():
    with open_source("synthetic:shapes?duration=1000", live=True) as source:
        assert isinstance(source, LiveSource)
        items = source.read()
        next(items)
        stopper = threading.Thread(target=source.stop)
        stopper.start()
        stopper.join()
        assert len(list(items)) <= 65


def test_a_source_that_was_stopped_before_yields_nothing():
    source = LiveSource(Scripted())
    source.stop()
    assert list(source.read()) == []


def test_a_connection_that_sends_nothing_does_not_block(monkeypatch):
    monkeypatch.setattr("kinoscope.source.live.JOIN_TIMEOUT_SECONDS", 0.01)
    stuck = threading.Event()

    class Stuck(Scripted):
        def read(self, video=True, audio_rates=()):
            yield LazyFrame(black_frame, (4, 4), Fraction(0), 0)
            stuck.wait(60)

        def close(self):
            raise AssertionError("it is being read")

    source = LiveSource(Stuck())
    items = source.read()
    next(items)
    close_reader(items)
    source.close()
    assert source._thread.is_alive()  # it was not waited for
    stuck.set()
    source._thread.join(30)
    assert not source._thread.is_alive()
