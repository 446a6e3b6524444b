import os
import shutil
from collections import namedtuple
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.errors import SourceError
from kinoscope.core.sampling import Sampling, nearest_frames
from kinoscope.source.encode.writer import Writer
from kinoscope.training.data import frame_cache as module
from kinoscope.training.data.frame_cache import DecodedFrames, FrameCache, decode, load, opened, sampled, save
from tests.helpers.clips import example, numbers, pictures, write_clip

SAMPLING = Sampling(frames=4, rate=5, size=(16, 12))


def kept(path, rate, start=None, end=None):
    with opened(str(path), start, end) as source:
        return decode(source, (16, 12), rate, end)


def at(frames, clip, start):
    return numbers(frames.clip(clip, lambda first, end: SAMPLING.times(start))[0])


def test_frames_are_those_on_screen_at_the_rate(tmp_path):
    stretch = kept(write_clip(tmp_path / "a.mkv", 25, rate=25), 10)
    assert numbers(stretch.pixels) == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 24]
    assert stretch.times.tolist() == [number / 25 for number in numbers(stretch.pixels)]
    assert stretch.end == 1.0


def test_a_slow_video_is_kept_as_it_is(tmp_path):
    assert numbers(kept(write_clip(tmp_path / "a.mkv", 6, rate=2), 10).pixels) == [0, 1, 2, 3, 4, 5]


def test_variable_frame_rate_goes_by_presentation_times(tmp_path):
    times = [Fraction(0), Fraction(1, 100), Fraction(2, 100), Fraction(1, 2), Fraction(3, 2), Fraction(151, 100)]
    path = write_clip(tmp_path / "a.mkv", 6, times=times)
    stretch = kept(path, 4)
    assert numbers(stretch.pixels) == [0, 2, 3, 4, 5]
    assert at(FrameCache(SAMPLING), example(path), 0.0) == [0, 2, 2, 3]


def test_a_clip_is_just_what_is_on_screen(tmp_path):
    """Every grid time, in every rate, shows the frame that a full decode shows."""
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, 30)) / 50
    path = write_clip(tmp_path / "a.mkv", 30, times=[Fraction(float(time)).limit_denominator(50) for time in times])
    for rate in (3, 7.5, 12):
        stretch = kept(path, rate)
        grid = times[0] + np.arange(int((times[-1] - times[0]) * rate)) / rate
        assert numbers(stretch.at(grid)) == nearest_frames(times, grid).tolist()


def test_only_the_segment_counts(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 20, rate=10)
    stretch = kept(path, 10, 0.5, 1.2)
    assert numbers(stretch.pixels) == [5, 6, 7, 8, 9, 10, 11]
    assert (stretch.first, stretch.end) == (0.5, 1.2)
    with pytest.raises(SourceError, match="start 5 s is past the end"):
        kept(path, 10, 5, 6)


def test_a_short_clip_is_played_to_and_fro(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 3, rate=5)
    clip = FrameCache(SAMPLING).clip(example(path), lambda first, end: first + np.arange(7) / 5)[0]
    assert numbers(clip) == [0, 1, 2, 2, 1, 0, 0]


def test_one_frame_is_a_clip(tmp_path):
    assert at(FrameCache(SAMPLING), example(write_clip(tmp_path / "a.mkv", 1)), 0.0) == [0, 0, 0, 0]


def test_decoded_once(tmp_path, monkeypatch, own_cache):
    path = write_clip(tmp_path / "a.mkv", 20)
    first = at(FrameCache(SAMPLING), example(path), 0.4)
    assert len(list((own_cache / "frames").rglob("*.frames"))) == 1
    monkeypatch.setattr(module, "decode", None)
    assert at(FrameCache(SAMPLING), example(path), 0.4) == first == [4, 6, 8, 10]


def test_what_is_kept_depends_on_all_that_matters(tmp_path, own_cache):
    path = write_clip(tmp_path / "a.mkv", 20)
    at(FrameCache(SAMPLING), example(path), 0.0)
    at(FrameCache(SAMPLING, margin=1.25), example(path), 0.0)
    at(FrameCache(Sampling(4, 2, (16, 12))), example(path), 0.0)
    at(FrameCache(Sampling(4, 5, (8, 6))), example(path), 0.0)
    at(FrameCache(SAMPLING), example(path, start=0.1), 0.1)
    os.utime(path, (1, 1))
    at(FrameCache(SAMPLING), example(path), 0.0)
    assert len(list((own_cache / "frames").rglob("*.frames"))) == 6


def test_sizes():
    assert FrameCache(SAMPLING).size((320, 240)) == (16, 12)
    assert FrameCache(Sampling(size=(100, 100)), margin=1.25).size((320, 110)) == (125, 110)


def test_evaluation_sees_what_the_source_decodes_at_that_size(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 4, rate=5)
    clip = FrameCache(Sampling(4, 5, (7, 5))).clip(example(path), lambda first, end: first + np.arange(4) / 5)[0]
    with opened(str(path)) as source:
        assert np.array_equal(clip, np.stack([frame.pixels for frame in source.frames((7, 5))]))


def test_a_long_video_is_decoded_clip_by_clip(tmp_path, monkeypatch, own_cache):
    path = write_clip(tmp_path / "a.mkv", 200)
    whole = [at(FrameCache(SAMPLING), example(path), start) for start in (0.0, 3.3, 19.5)]
    monkeypatch.setattr(module, "MAX_SEGMENT_BYTES", 1000)
    monkeypatch.setattr(module, "decode", None)
    frames = FrameCache(SAMPLING, cache=False)
    assert [at(frames, example(path), start) for start in (0.0, 3.3, 19.5)] == whole
    assert whole[1] == [33, 35, 37, 39]


def test_the_cache_is_bounded(tmp_path, own_cache):
    paths = [write_clip(tmp_path / f"{number}.mkv", 20, shade=number) for number in range(3)]
    frames = FrameCache(SAMPLING, max_bytes=25_000)
    for path in paths:
        assert at(frames, example(path), 0.0) == [0, 2, 4, 6]
    files = list((own_cache / "frames").rglob("*.frames"))
    assert len(files) == 2
    # A later run may remove what it has not used itself.
    for file in files:
        os.utime(file, (1, 1))
    later = FrameCache(SAMPLING, max_bytes=25_000)
    at(later, example(paths[2]), 0.0)
    assert len(list((own_cache / "frames").rglob("*.frames"))) == 2


def test_a_nearly_full_disk_is_left_alone(tmp_path, monkeypatch, own_cache):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 1))
    assert at(FrameCache(SAMPLING), example(write_clip(tmp_path / "a.mkv")), 0.0) == [0, 2, 4, 6]
    assert not list((own_cache / "frames").rglob("*.frames"))


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "file"))
    frames = FrameCache(SAMPLING)
    path = write_clip(tmp_path / "a.mkv")
    assert at(frames, example(path), 0.0) == at(frames, example(path), 0.0) == [0, 2, 4, 6]
    assert len(caplog.records) == 1


def test_a_segment_is_saved_as_it_is(tmp_path):
    stretch = DecodedFrames(np.stack(pictures(3)), np.array([0.1, 0.2, 0.4]), 0.5)
    save(tmp_path / "a.frames", stretch)
    again = load(tmp_path / "a.frames")
    assert np.array_equal(again.pixels, stretch.pixels)
    assert again.times.tolist() == [0.1, 0.2, 0.4]
    assert again.end == 0.5
    data = (tmp_path / "a.frames").read_bytes()
    for size in (0, 10, 100, len(data) - 1):
        (tmp_path / "a.frames").write_bytes(data[:size])
        assert load(tmp_path / "a.frames") is None
    assert load(tmp_path / "b.frames") is None


def test_strips_and_folders_of_frames_are_clips_too(tmp_path):
    tall = [picture[:, :12] for picture in pictures(5)]
    import cv2

    cv2.imwrite(str(tmp_path / "strip.png"), np.hstack(tall)[:, :, ::-1])
    with Writer(tmp_path / "folder" / "%03d.png", (12, 12)) as writer:
        for number, picture in enumerate(tall):
            writer.write(module_frame(picture, number))
    for name in ("strip.png", "folder"):
        with opened(str(tmp_path / name)) as source:
            stretch = decode(source, (12, 12), 25)
        assert np.array_equal(stretch.pixels, np.stack(tall))
        assert stretch.times.tolist() == [0, 0.04, 0.08, 0.12, 0.16]
        assert stretch.end == 0.2
    with opened(str(tmp_path / "strip.png"), 0.04, 0.12) as source:
        assert numbers(decode(source, (12, 12), 25).pixels) == [1, 2]


def module_frame(picture, number):
    from kinoscope.core.media import Frame

    return Frame(picture, Fraction(number))


def test_an_image_that_is_no_strip(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((10, 25, 3), np.uint8))
    with (
        pytest.raises(SourceError, match=r"a.png is 25x10: a strip holds square frames side by side"),
        opened(str(tmp_path / "a.png")),
    ):
        pass


def test_no_frames_no_samples():
    assert list(sampled([], 5)) == []
