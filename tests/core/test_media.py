from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.media import Audio, Clip, Frame, FrameBatch, SourceInfo


def frame(time: float, height: int = 4, width: int = 6) -> Frame:
    return Frame(np.full((height, width, 3), int(time), np.uint8), Fraction(time), int(time))


def test_a_frame_knows_its_size() -> None:
    assert frame(0).size == (6, 4)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.float32), np.zeros((4, 6, 4), np.uint8)]
)
def test_a_frame_is_rgb_bytes(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 HWC"):
        Frame(pixels, Fraction(0))


def test_a_batch_keeps_times_and_order() -> None:
    batch = FrameBatch.stack([frame(1), frame(2), frame(4)])
    assert batch.pixels.shape == (3, 4, 6, 3)
    assert batch.size == (6, 4)
    assert batch.times.tolist() == [1, 2, 4]
    assert [(f.index, f.time, f.pixels[0, 0, 0]) for f in batch] == [
        (1, Fraction(1), 1),
        (2, Fraction(2), 2),
        (4, Fraction(4), 4),
    ]


def test_a_batch_goes_forward_in_time() -> None:
    with pytest.raises(ValueError, match="must not decrease"):
        FrameBatch.stack([frame(2), frame(1)])


def test_audio_ends_after_its_last_sample() -> None:
    sound = Audio(np.zeros(8000, np.float32), 16000, Fraction(1))
    assert sound.end == Fraction(3, 2)
    with pytest.raises(ValueError, match="float32"):
        Audio(np.zeros(4, np.int16), 16000, Fraction(0))


def test_a_clip_spans_its_frames() -> None:
    clip = Clip(FrameBatch.stack([frame(1), frame(3)]))
    assert (clip.start, clip.end) == (1, 3)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((1280, 720), 640, (640, 360)),
        ((720, 1280), 640, (360, 640)),
        ((320, 240), 640, (320, 240)),
        ((17, 31), 16, (8, 16)),
        ((8000, 20), 64, (64, 2)),
    ],
)
def test_fitting_keeps_the_shape(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert SourceInfo("x", *size).fit(longest) == expected
