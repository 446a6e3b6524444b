import itertools
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.media import Audio
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import SHAPE_COLOURS, SyntheticSource, cuts, flash_and_beep, shapes
from tests.helpers.sources import audio_of


def test_boxes_are_where_the_colour_is():
    video = shapes(count=2)
    for frame in video.frames():
        track = video.truth.tracks[1]
        x1, y1, x2, y2 = track.box_at(float(frame.time))[:4].astype(int)
        ys, xs = np.nonzero((frame.pixels == SHAPE_COLOURS["green"]).all(-1))
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x1, y1, x2, y2)


def test_boxes_stay_inside():
    for track in shapes(duration=20, count=6).truth.tracks:
        assert track.boxes[:, 1:3].min() >= 0
        assert (track.boxes[:, 3:5] <= (320, 240)).all()


@pytest.mark.slow
def test_cuts_are_where_they_are_said():
    video = cuts(times=(1, 2), dissolves=[(Fraction(5, 2), 3)], duration=4)
    assert [(e.start, e.end) for e in video.truth.events if e.label == "shot"] == [(0, 1), (1, 2), (2, 2.75), (2.75, 4)]
    assert [(e.start, e.end) for e in video.truth.events if e.label == "dissolve"] == [(2.5, 3)]
    means = [frame.pixels.mean((0, 1)) for frame in video.frames()]
    jumps = [Fraction(i, 25) for i in range(1, 100) if np.abs(means[i] - means[i - 1]).max() > 30]
    assert jumps == [1, 2]
    steps = [np.abs(means[i] - means[i - 1]).max() for i in range(63, 76)]
    assert min(steps[1:]) > 1


def test_flash_and_beep_are_offset():
    video = flash_and_beep(offset=Fraction(-1, 10))
    flashes, beeps = ([e.start for e in video.truth.events if e.label == label] for label in ("flash", "beep"))
    assert flashes == [0.4, 1.4, 2.4, 3.4]
    assert beeps == [0.3, 1.3, 2.3, 3.3]
    blocks = [item for item in video.read(audio_rates=(16_000,)) if isinstance(item, Audio)]
    for before, after in itertools.pairwise(blocks):
        assert before.end == after.start
    samples = np.concatenate([audio.samples for audio in blocks])
    assert len(samples) == 64_000
    assert np.flatnonzero(np.abs(samples) > 0.3)[0] == pytest.approx(4800, abs=2)


def test_address_takes_every_option():
    with open_source("synthetic:shapes?duration=1&rate=30000/1001&width=64&height=48&start=1.5&count=1") as source:
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert source.info.size == (64, 48)
    assert times == [Fraction(3, 2) + Fraction(1001, 30000) * i for i in range(30)]
    with open_source("synthetic:cuts?times=1&dissolves=2-2.5&duration=3") as source:
        assert isinstance(source, SyntheticSource)
        assert len([e for e in source.truth.events if e.label == "shot"]) == 3


def test_limits():
    with open_source("synthetic:flash_and_beep", start=1, end=2, rate=5) as source:
        assert [p.time for p in source.lazy_frames()] == [1 + Fraction(i, 5) for i in range(5)]
        assert sum(len(s.samples) for s in audio_of(source.read(video=False, audio_rates=(8000,)))) == 8000


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("synthetic:shape", "synthetic video 'shape' is unknown; choose one of shapes, cuts, flash_and_beep"),
        ("synthetic:shapes?speed=2", "synthetic:shapes has no option 'speed'; it has duration, rate, width, height"),
        ("synthetic:shapes?width=0", "width=0 is not a whole number from 1 to 16384"),
        ("synthetic:shapes?rate=0", "rate=0 is not between 0 and 100000"),
        ("synthetic:cuts?dissolves=2", "dissolve '2' is not a span; write 2-2.5"),
    ],
)
def test_bad_address(address, message):
    with pytest.raises(OptionError, match=message.replace("?", r"\?")):
        open_source(address)


def test_a_file_that_is_called_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("synthetic:shapes", "synthetic:none.mp4", "camera:0"):
        shapes(duration=0.2, rate=10, width=32, height=16).write(tmp_path / "a.mp4")
        (tmp_path / "a.mp4").rename(tmp_path / name)
        with open_source(name) as source:
            assert source.info.size == (32, 16)
    with open_source("synthetic:shapes?duration=1&width=64&height=48") as source:
        assert source.info.size == (64, 48)
    with pytest.raises(OptionError, match="synthetic video"):
        open_source(f"synthetic:{'x' * 5000}")
