"""A file at the speed of the clock."""

from fractions import Fraction
from itertools import pairwise

import pytest

from kinoscope.core.media import Audio
from kinoscope.source.paced import RealtimeSource
from kinoscope.source.synthetic.video import flash_and_beep, shapes


class Clock:
    """A clock that advances only in ``wait``."""

    def __init__(self):
        self.now = 100.0

    def wait(self, seconds):
        self.now += seconds

    def time(self):
        return self.now


def paced(source, clock, **options):
    return RealtimeSource(source, wait=clock.wait, clock=clock.time, **options)


def test_each_frame_is_yielded_at_its_time():
    clock = Clock()
    source = paced(shapes(duration=1, rate=10, start=5), clock)
    assert source.info.live
    assert source.info.duration is None
    came = [(frame.time, clock.now) for frame in source.lazy_frames()]
    assert [time for time, _ in came] == [5 + Fraction(i, 10) for i in range(10)]
    assert [now for _, now in came] == pytest.approx([100 + i / 10 for i in range(10)])


def test_a_slow_reader_does_not_wait_more():
    clock, came = Clock(), []
    for frame in paced(shapes(duration=1, rate=10), clock).lazy_frames():
        came.append(clock.now)
        clock.now += 0.5 if frame.time == 0 else 0
    assert came == pytest.approx([100, 100.5, 100.5, 100.5, 100.5, 100.5, 100.6, 100.7, 100.8, 100.9])


def test_over_and_over_times_go_on():
    frames = paced(shapes(duration=1, rate=10), Clock(), loop=True).lazy_frames()
    times = [next(frames).time for _ in range(25)]
    assert times == [Fraction(i, 10) for i in range(25)]


def test_a_part_begins_at_once_and_is_looped_without_a_gap():
    clock = Clock()
    part = shapes(duration=2, rate=10).limit(Fraction(1), Fraction(3, 2), None)
    frames = paced(part, clock, loop=True, start=Fraction(1)).lazy_frames()
    came = [(next(frames).time, clock.now) for _ in range(8)]
    assert [time for time, _ in came] == [1 + Fraction(i, 10) for i in range(8)]
    assert [now for _, now in came] == pytest.approx([100 + i / 10 for i in range(8)])


def test_audio_is_paced_too():
    source = paced(flash_and_beep(duration=1), Clock(), loop=True)
    items = source.read(audio_rates=(8000,))
    blocks = [item for item in (next(items) for _ in range(120)) if isinstance(item, Audio)]
    assert all(a.end == b.start for a, b in pairwise(blocks))


def test_nothing_is_not_looped_for_ever():
    assert not list(paced(shapes(duration=1).limit(Fraction(50), None, None), Clock(), loop=True).lazy_frames())
