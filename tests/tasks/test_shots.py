from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.models import load
from kinoscope.pipeline.engine import run
from kinoscope.source.synthetic.video import cuts
from kinoscope.tasks.base import Skip
from kinoscope.tasks.shots import (
    FRAME_SIZE,
    MARGIN_FRAMES,
    STRIDE_FRAMES,
    WINDOW_FRAMES,
    Shots,
    ShotWindows,
    may_contain_transition,
    shot_events,
)
from kinoscope.views.timeline import Timeline

RATE = 25


def numbered(count):
    """Return frames that hold their own number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, 3)


def windows(pixels, size):
    cutter = ShotWindows()
    out = [w for i in range(0, len(pixels), size) for w in cutter.add(pixels[i : i + size])]
    return out + list(cutter.close())


@pytest.mark.parametrize("count", [1, 49, 50, 51, 100, 149, 203])
@pytest.mark.parametrize("size", [1, 7, 50, 500])
def test_middles_of_windows_cover_every_frame_once_and_ends_are_repeated(count, size):
    found = windows(numbered(count), size)
    assert all(w.shape == (WINDOW_FRAMES, 1, 1, 3) for w in found)
    assert len(found) == -(-count // STRIDE_FRAMES)
    middles = np.concatenate([w[MARGIN_FRAMES:-MARGIN_FRAMES, 0, 0, 0] for w in found])
    assert middles.tolist() == [min(i, count - 1) for i in range(len(middles))]
    for number, window in enumerate(found):
        first = number * STRIDE_FRAMES - MARGIN_FRAMES
        assert window[:, 0, 0, 0].tolist() == [min(max(0, first + i), count - 1) for i in range(WINDOW_FRAMES)]


def test_no_frames_have_no_windows():
    assert windows(numbered(0), 5) == []


def test_windows_hold_few_frames():
    cutter = ShotWindows()
    for _ in range(20):
        list(cutter.add(numbered(50)))
        assert sum(len(part) for part in cutter._buffer) < WINDOW_FRAMES + 50


def scene(seed):
    return np.random.default_rng(seed).integers(0, 256, (27, 48, 3)).astype(np.float64)


def window(change):
    """Return a window between two scenes; ``change`` says for a frame's number how much of the second is in it."""
    first, second = scene(0), scene(1)
    shares = [float(np.clip(change(i), 0, 1)) for i in range(WINDOW_FRAMES)]
    return np.stack([(1 - s) * first + s * second for s in shares]).round().astype(np.uint8)


def test_a_cut_in_the_middle_needs_inference():
    assert may_contain_transition(window(lambda i: i >= 50))
    assert may_contain_transition(window(lambda i: i >= WINDOW_FRAMES - MARGIN_FRAMES))


def test_a_cut_that_another_window_will_see_is_not():
    assert not may_contain_transition(window(lambda i: i >= 10))
    assert not may_contain_transition(window(lambda i: i >= 95))


@pytest.mark.parametrize("length", [4, 12, 25, 50])
def test_a_dissolve_needs_inference(length):
    assert may_contain_transition(window(lambda i: (i - 50) / length + 0.5))


def test_still_and_moving_frames_need_none():
    assert not may_contain_transition(window(lambda i: 0))
    wide = np.random.default_rng(2).integers(0, 256, (27, 48 + 2 * WINDOW_FRAMES, 3)).astype(np.uint8)
    assert not may_contain_transition(np.stack([wide[:, 2 * i : 2 * i + 48] for i in range(WINDOW_FRAMES)]))


def scores(count, changes=(), gradual=()):
    """Return certain scores: changes at (frame, score), and transitions over (first, past) frames."""
    single, many = np.zeros((2, count), np.float32)
    for frame, score in changes:
        single[frame] = many[frame] = score
    for first, past in gradual:
        many[first:past] = 0.9
    return single, many


def test_shots_begin_after_the_peak_and_leave_no_gap():
    times = 10 + np.arange(100) / RATE
    found = shot_events(times, 14.0, *scores(100, [(24, 0.9), (59, 0.6), (60, 0.8)], [(55, 66)]))
    assert [(e.start, e.end) for e in found] == [(10, 11), (11, times[61]), (times[61], 14)]
    assert [round(e.score, 3) for e in found] == [1, 0.9, 0.8]
    assert [e.extra.get("transition") for e in found] == [None, "cut", "gradual"]


def test_a_change_after_the_last_frame_is_none():
    assert len(shot_events(np.arange(5) / RATE, 0.2, *scores(5, [(4, 0.9)]))) == 1


class FakeNet:
    """Sees a cut where the brightness jumps."""

    card = SimpleNamespace(name="fake", licence="MIT")
    runtime = "fake"

    def __init__(self):
        self.looks = 0

    def __call__(self, batch):
        self.looks += 1
        level = batch[..., 0].astype(float).mean((2, 3))
        jumps = (np.abs(np.diff(level, append=level[:, -1:])) > 20).astype(np.float32)
        return jumps, jumps


@pytest.fixture
def task(monkeypatch):
    net = FakeNet()
    monkeypatch.setattr("kinoscope.tasks.shots.load", lambda *_, **__: net)
    made = Shots()
    assert made.needs(SourceInfo("a.mp4", 320, 180, rate=Fraction(RATE))).sizes == (FRAME_SIZE,)
    return made


def step(task, pixels, size=30):
    for i in range(0, len(pixels), size):
        indices = np.arange(i, min(i + size, len(pixels)))
        task.process_frames(FrameBatch(pixels[i : i + size], indices / RATE, indices))


def flat(*lengths):
    """Return scenes of one grey each, of so many frames."""
    levels = np.concatenate([np.full(n, 40 * (1 + i % 5), np.uint8) for i, n in enumerate(lengths)])
    return np.broadcast_to(levels[:, None, None, None], (len(levels), 27, 48, 3)).copy()


def test_the_network_runs_only_where_the_frame_changes(task):
    step(task, flat(120, 300, 80))
    result = task.finish(Timeline())
    assert [(e.start, e.end) for e in result.events] == [(0, 4.8), (4.8, 16.8), (16.8, 20)]
    assert task._net.looks == 2
    assert result.report.extra["inferences"] == 2 * STRIDE_FRAMES


@pytest.mark.parametrize("count", [1, 2, 60])
def test_a_break_at_any_frame_leaves_whole_shots(task, count):
    step(task, flat(50, 50)[:count])
    found = task.finish(Timeline()).events
    assert (found[0].start, found[-1].end) == (0, count / RATE)
    assert len(found) == (2 if count > 50 else 1)


def test_no_frames_have_no_shots(task):
    assert task.finish(Timeline()).events == []


def test_without_a_rate_the_last_frame_lasts_as_long_as_the_one_before(task):
    task._rate = None
    step(task, flat(3))
    assert task.finish(Timeline()).events[0].end == pytest.approx(3 / RATE)


def test_audio_alone_has_no_shots():
    with pytest.raises(Skip, match=r"^no video$"):
        Shots().needs(SourceInfo("a.wav", has_audio=True))


@pytest.mark.models
@pytest.mark.slow
def test_cuts_and_dissolves_are_found_by_the_real_network():
    """F1 is 1.0: every cut to the frame, every dissolve inside it, and nothing else."""
    try:
        load("transnetv2")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    source = cuts(times=(0.6, Fraction("1.4")), dissolves=[(2, Fraction("2.4")), (3, Fraction("3.8"))], duration=5)
    found = run(source, [Shots()], threaded=False).all_events
    starts = [e.start for e in found]
    assert [e.extra.get("transition") for e in found] == [None, "cut", "cut", "gradual", "gradual"]
    assert starts[:3] == [0, 0.6, 1.4]
    assert 2 < starts[3] < 2.4
    assert 3 < starts[4] < 3.8
    assert found[-1].end == 5


def alike():
    """Two frames before the same wall, that differ by ten grey levels on the mean; light noise on every frame."""
    wall = cv2.resize(np.random.default_rng(3).uniform(60, 200, (9, 16, 3)), FRAME_SIZE, interpolation=cv2.INTER_CUBIC)
    persons = []
    for seed in (4, 5):
        person = wall.copy()
        person[8:, 16:32] = np.random.default_rng(seed).uniform(30, 230, (1, 1, 3))
        person[10:20, 18:30] = cv2.resize(
            np.random.default_rng(seed + 2).uniform(30, 230, (5, 5, 3)), (12, 10), interpolation=cv2.INTER_CUBIC
        )
        persons.append(person)
    return persons


def noisy(frames):
    return np.clip(np.stack(frames) + np.random.default_rng(0).normal(0, 1, (len(frames), 27, 48, 3)), 0, 255).astype(
        np.uint8
    )


class BlindNet(FakeNet):
    """Sees nothing."""

    def __call__(self, batch):
        return np.zeros((2, 1, WINDOW_FRAMES), np.float32)


def starts_of(task, frames):
    step(task, frames)
    return [round(event.start * RATE) for event in task.finish(Timeline()).events[1:]]


@pytest.mark.parametrize("cut", [1, 2, 13, 49, 50, 60, 75, 118])
def test_a_difference_far_above_its_neighbours_is_a_cut_whatever_the_network_says(task, cut):
    task._net = BlindNet()
    one, other = alike()
    assert starts_of(task, noisy([one] * cut + [other] * (120 - cut))) == [cut]


def test_a_blended_frame_between_the_two_does_not_hide_a_cut(task):
    task._net = BlindNet()
    one, other = alike()
    other = np.clip(2 * other - one, 0, 255)
    (start,) = starts_of(task, noisy([one] * 60 + [(2 * one + other) / 3] + [other] * 60))
    assert start in (60, 61)


@pytest.mark.parametrize("length", [1, 2, 5, 12])
@pytest.mark.parametrize("light", [lambda x: x + 60, lambda x: 2 * x, lambda x: 0.2 * x + 200])
@pytest.mark.parametrize("net", [BlindNet, FakeNet])
def test_a_flash_is_no_cut(task, length, light, net):
    task._net = net()
    one, _ = alike()
    frames = noisy([one] * 60 + [np.clip(light(one), 0, 255)] * length + [one] * (60 - length))
    assert starts_of(task, frames) == []


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_flash_that_fades_is_no_cut(task, length):
    one, _ = alike()
    fading = [np.clip(one + 120 * (1 - n / length), 0, 255) for n in range(length)]
    assert starts_of(task, noisy([one] * 60 + fading + [one] * (60 - length))) == []


@pytest.mark.parametrize("total", [60, 101, 120])
@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("light", [lambda x: x + 60, lambda x: 0.2 * x + 200, lambda x: 0 * x + 255])
@pytest.mark.parametrize("net", [BlindNet, FakeNet])
def test_a_flash_at_an_end_of_the_video_is_no_cut(task, total, length, begins, light, net):
    task._net = net()
    one, _ = alike()
    flash, rest = [np.clip(light(one), 0, 255)] * length, [one] * (total - length)
    assert starts_of(task, noisy(flash + rest if begins else rest + flash)) == []


def test_a_cut_that_a_flash_hides_is_a_cut_still(task):
    task._net = FakeNet()
    one, other = alike()
    flash = [np.clip(0.2 * one + 200, 0, 255)] * 3
    assert starts_of(task, noisy([one] * 57 + flash + [other] * 60)) != []


def test_a_short_shot_that_is_not_light_is_kept(task):
    task._net = BlindNet()
    one, other = alike()
    assert starts_of(task, noisy([one] * 60 + [other] * 20 + [one] * 40)) == [60, 80]


def test_a_light_that_is_switched_is_no_cut(task):
    task._net = BlindNet()
    one, _ = alike()
    assert starts_of(task, noisy([0.4 * one] * 60 + [one] * 60)) == []


@pytest.mark.parametrize("speed", [1, 4, 12, 40])
@pytest.mark.parametrize("ramp", [1, 6])
def test_a_fast_pan_is_no_cut(task, speed, ramp):
    task._net = BlindNet()
    narrow = np.random.default_rng(6).uniform(30, 220, (3, 400, 3))
    wide = cv2.resize(narrow, (2000, 27), interpolation=cv2.INTER_CUBIC)
    speeds = np.convolve([0] * 50 + [speed] * 30 + [0] * 50, np.ones(ramp) / ramp, "same")
    places = np.cumsum(speeds).round().astype(int)
    assert starts_of(task, noisy([wide[:, x : x + 48] for x in places])) == []
