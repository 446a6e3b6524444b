"""The preview counts from the source's start, in exact times, with its audio."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.media import Audio, Frame, FrameBatch, SourceInfo
from kinoscope.pipeline.preview import Preview
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import flash_and_beep
from kinoscope.views.timeline import Timeline

PIXELS = np.zeros((24, 32, 3), np.uint8)


def preview(path, times, start, audio_from=None):
    task = Preview(path, audio_from)
    task.needs(SourceInfo("a.mkv", 32, 24, Fraction(25), start))
    for first in range(0, len(times), 16):
        task.process_frames(FrameBatch.stack([Frame(PIXELS, time, first) for time in times[first : first + 16]]))
    task.finish(Timeline())
    return path


@settings(max_examples=15)
@given(
    st.integers(0, 10**8),
    st.lists(st.integers(1, 900), min_size=1, max_size=20),
    st.sampled_from([1000, 90_000, 30_000]),
)
def test_any_start_and_any_times(tmp_path_factory, start, steps, base):
    stamps = (start + np.cumsum([0, *steps])).tolist()
    times = [Fraction(stamp, base) for stamp in stamps]
    path = preview(tmp_path_factory.mktemp("preview") / "preview.mp4", times, times[0])
    with open_source(path) as source:
        written = [picture.time for picture in source.lazy_frames()]
    assert written == [time - times[0] for time in times]


def test_a_placeholder_is_shown_until_the_first_frame(tmp_path):
    times = [Fraction(3, 10) + Fraction(i, 30) for i in range(10)]
    path = preview(tmp_path / "preview.mp4", times, Fraction(1, 10))
    with open_source(path) as source:
        assert [picture.time for picture in source.lazy_frames()] == [0, *(time - Fraction(1, 10) for time in times)]


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, Fraction(7, 5), 95_364])
def test_frames_and_audio_stay_together(tmp_path, start):
    """A beep is heard when its flash is seen, wherever the source starts."""
    flash_and_beep(duration=2, start=start).write(tmp_path / "a.mkv")
    path = tmp_path / "preview.mp4"
    with open_source(tmp_path / "a.mkv") as source:
        task = Preview(path, str(tmp_path / "a.mkv"))
        size = task.needs(source.info).sizes[0]
        task.process_frames(FrameBatch.stack([picture.frame(size) for picture in source.lazy_frames()]))
        task.finish(Timeline())
    with open_source(path) as source:
        items = list(source.read(audio_rates=(8000,)))
    flash = next(item.time for item in items if not isinstance(item, Audio) and item.pixels().mean() > 100)
    sounds = [item for item in items if isinstance(item, Audio)]
    wave = np.concatenate([sound.samples for sound in sounds])
    beep = sounds[0].start + Fraction(int(np.argmax(np.abs(wave) > 0.2)), 8000)
    assert abs(flash - beep) < Fraction(1, 25)
    assert all(b.start == a.end for a, b in pairwise(sounds))
