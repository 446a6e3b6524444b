"""The task with a network that reads the opening of the lips and the loudness: offsets are known to the millisecond."""

from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskResult, Track
from kinoscope.core.signal.sync_offset import OffsetCalibration, SyncOffset
from kinoscope.models.card import Card
from kinoscope.models.inference.face_mesh import LIPS, RIGID_POINTS
from kinoscope.models.inference.mouth_tracker import CANONICAL_POINTS, TrackedFace
from kinoscope.models.inference.sync import LAGS_PER_FRAME, SyncEmbedder, SyncModelMetadata
from kinoscope.tasks import sync as module
from kinoscope.tasks.base import Skip
from kinoscope.tasks.sync import Sync, _offset_event
from kinoscope.views.timeline import Timeline

pytestmark = pytest.mark.slow

RATE = 16_000
GENERATOR = np.random.default_rng(5)
KNOTS = GENERATOR.normal(0, 1, 3000)


def opening(times):
    """How far the mouth is open at times in seconds: smooth, and like itself at no other time."""
    return np.interp(np.asarray(times) * 8, np.arange(len(KNOTS)) - 200, KNOTS)


def mesh_of(open_by, at=(50.0, 50.0)):
    mesh = np.zeros((468, 3), np.float32)
    mesh[:, :2] = at
    mesh[RIGID_POINTS] = CANONICAL_POINTS * 40 + (*at, 0)
    below = np.arange(40) % 20 < 11
    mesh[LIPS, 1] = at[1] + 20 + np.where(below, 2, -2) * open_by
    mesh[152, :2] = at[0], at[1] + 45
    return mesh


class Follower:
    """Sees in the first pixels of a frame how far each face's mouth is open; 0 is no face."""

    def __init__(self, *_):
        self.base = 0

    def __call__(self, picture, time, cut=False):
        self.base += 10 * cut
        values = picture[0, :2, 0].astype(float)
        return [
            TrackedFace(self.base + n, mesh_of((value - 128) / 30, (30.0 + 60 * n, 50.0)), 1.0)
            for n, value in enumerate(values.tolist())
            if value
        ]


class Net(SyncEmbedder):
    """Lips against loudness, each as it is."""

    def __init__(self, *_):
        self.metadata = SyncModelMetadata(pairs=("points",), calibration=OffsetCalibration((-2.0, 0.0, 50.0, 0.0), 0.0))
        self.cards = [cast(Card, SimpleNamespace(name="lips-points", licence="Apache-2.0", digest="0"))]
        self.runtime = "numpy"

    def embed_mouth(self, points, pixels):
        open_by = (points[:, 25, 1] - points[:, 35, 1]) * 10
        return (open_by - open_by.mean())[:, None]

    def embed_audio(self, mel):
        count = (len(mel) - LAGS_PER_FRAME + 1) // LAGS_PER_FRAME * LAGS_PER_FRAME
        loud = mel[:count].mean(axis=1)
        loud = np.maximum(loud, np.median(loud) - 4)  # silence says as little as a pause
        return ((loud - loud.mean()) / 3)[:, None].astype(np.float32)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(module, "FaceTracker", Follower)
    monkeypatch.setattr(module, "SyncEmbedder", Net)
    monkeypatch.setattr(module, "load_voice_detector", lambda: module._detect_loudness)


def sound_of(start, end, late=0.0, drift=0.0):
    """Noise as loud as the mouth is open, ``late`` seconds after it."""
    times = np.arange(round(start * RATE), round(end * RATE)) / RATE
    loud = np.exp(opening((times - late) / (1 + drift)))
    return (0.02 * loud * np.random.default_rng(1).normal(0, 1, len(times))).astype(np.float32)


def run(times, samples, start=0.0, faces=(opening,), timeline=None, chunk=1600):
    """Feed a task with frames at times and with audio, in order of time."""
    task = Sync()
    info = SourceInfo("x.mp4", width=96, height=96, has_audio=True)
    assert task.needs(info).audio_rate == RATE
    fed = 0
    for time in times:
        values = [0 if face is None else np.clip(np.round(128 + 30 * face(time)), 1, 255) for face in faces]
        picture = np.zeros((1, 96, 96, 3), np.uint8)
        picture[0, 0, : len(values)] = np.array(values)[:, None]
        task.process_frames(FrameBatch(picture, np.array([float(time)]), np.array([0])))
        while fed < len(samples) and start + fed / RATE <= time + 0.5:
            task.process_audio(Audio(samples[fed : fed + chunk], RATE, Fraction(start) + Fraction(fed, RATE)))
            fed += chunk
    return task.finish(timeline or Timeline())


def offset_of(result):
    (event,) = [event for event in result.events if "offset" in event.extra]
    return event


@pytest.mark.parametrize("late", [0.0, 0.4, -0.4, 0.123, -0.777, 0.04])
def test_the_offset_is_found_to_a_few_milliseconds(late):
    event = offset_of(run(np.arange(0, 12, 0.04), sound_of(0, 12, late)))
    assert event.extra["offset"] == pytest.approx(late, abs=0.01)
    assert event.extra["low"] <= late + 0.01
    assert event.extra["high"] >= late - 0.01
    assert event.score > 0.9
    assert event.label == ("in sync" if abs(late) <= 0.04 else "audio late" if late > 0 else "audio early")


RATES = {
    "23.976": np.arange(0, 10, 1001 / 24000),
    "29.97": np.arange(0, 10, 1001 / 30000),
    "60": np.arange(0, 10, 1 / 60),
    "uneven": np.cumsum(np.random.default_rng(3).choice([0.02, 0.04, 0.06], 250)),
    "15": np.arange(0, 10, 1 / 15),
}


@pytest.mark.parametrize("rate", RATES)
def test_whatever_the_rate(rate):
    times = RATES[rate]
    event = offset_of(run(times, sound_of(0, times[-1], 0.16)))
    assert event.extra["offset"] == pytest.approx(0.16, abs=0.01)


def test_times_that_do_not_begin_at_zero_and_audio_that_starts_late_or_ends_early():
    event = offset_of(run(np.arange(40, 52, 0.04), sound_of(40.4, 51.2, -0.2), start=40.4))
    assert event.extra["offset"] == pytest.approx(-0.2, abs=0.01)
    assert event.start == pytest.approx(40)


def test_one_second_is_enough_or_is_said_not_to_be():
    result = run(np.arange(0, 1.0, 0.04), sound_of(0, 1.0, 0.08))
    (event,) = [event for event in result.events if event.label != "speaking"]
    assert event.label == "not measurable" or event.extra["offset"] == pytest.approx(0.08, abs=0.02)


def test_a_clock_that_is_a_thousandth_slow_is_found():
    event = offset_of(run(np.arange(0, 60, 0.04), sound_of(0, 60, 0.05, 0.001)))
    assert event.extra["drift"] == pytest.approx(0.001, abs=2e-4)
    assert event.extra["at_start"] == pytest.approx(0.05, abs=0.01)
    assert event.extra["at_end"] == pytest.approx(0.11, abs=0.015)
    assert "slow" in event.text


def test_each_segment_between_cuts_has_its_own_offset_where_they_differ():
    timeline = Timeline()
    cut = Event("shots", 10.0, 20.0, "shot", extra={"transition": "cut"})
    timeline.add("shots", TaskResult(events=[cut]))
    samples = np.concatenate([sound_of(0, 10, 0.0), sound_of(10, 20, 0.3)])
    events = [e for e in run(np.arange(0, 20, 0.04), samples, timeline=timeline).events if "offset" in e.extra]
    assert [(e.start, e.end) for e in events] == [(0.0, 10.0), (10.0, pytest.approx(19.96))]
    assert [e.extra["offset"] for e in events] == pytest.approx([0.0, 0.3], abs=0.02)


def test_the_speaker_is_reported_and_named():
    timeline = Timeline()
    boxes = [[t, 0.0, 0.0, 60.0, 96.0, 1.0] for t in (0.0, 12.0)]
    known = Track(1, "faces", "face", 1.0, np.array(boxes), "person 1")
    timeline.add("faces", TaskResult(tracks=[known]))
    result = run(np.arange(0, 12, 0.04), sound_of(0, 12, 0.1), faces=(opening, lambda t: 0.5), timeline=timeline)
    assert offset_of(result).extra["offset"] == pytest.approx(0.1, abs=0.01)
    spoken = [event for event in result.events if event.label == "speaking"]
    first = sum(event.end - event.start for event in spoken if event.extra["face"] == 1)
    second = sum(event.end - event.start for event in spoken if event.extra["face"] == 2)
    assert first > 8
    assert second < 2
    assert {event.text for event in spoken if event.extra["face"] == 1} == {"person 1"}
    track = result.tracks[0]
    assert track.label == "speaking"
    assert track.boxes[:, 3].max() <= 96


def test_hits_are_gone_by_where_no_face_is_seen():
    at = np.cumsum(np.random.default_rng(0).uniform(0.4, 1.1, 14))
    click = np.zeros(12 * RATE, np.float32)
    for first in np.round((at[at < 11.5] + 0.2) * RATE).astype(int):
        click[first : first + 300] = np.random.default_rng(1).normal(0, 0.5, 300)
    task = Sync(hits=True)
    task.needs(SourceInfo("x.mp4", width=96, height=96, has_audio=True))
    for n in range(300):
        # A ball that turns round at each hit.
        turns = np.searchsorted(at, n / 25)
        edges = np.concatenate([[0.0], at, [12.0]])
        share = (n / 25 - edges[turns]) / (edges[turns + 1] - edges[turns])
        x = 20 + 50 * (share if turns % 2 else 1 - share)
        picture = np.full((96, 96, 3), 40, np.uint8)
        picture[0, :2] = 0
        picture[40:54, int(x) : int(x) + 14] = 230
        task.process_frames(FrameBatch(picture[None], np.array([n / 25]), np.array([n])))
        task.process_audio(Audio(click[n * 640 : (n + 1) * 640], RATE, Fraction(n, 25)))
    event = offset_of(task.finish(Timeline()))
    assert event.extra["hits"] >= 10
    assert event.extra["offset"] == pytest.approx(0.2, abs=0.04)
    assert event.text.endswith("visible and audible onsets")


def reason(result):
    (event,) = [event for event in result.events if event.label == "not measurable"]
    assert event.score == 0
    return event.text


def test_what_cannot_be_measured_says_why(monkeypatch):
    times = np.arange(0, 6, 0.04)
    assert reason(run(times, np.zeros(6 * RATE, np.float32))) == "the audio is silent"
    assert reason(run(times, sound_of(0, 6), faces=(None,))).startswith("no visible face")
    assert reason(run(times, sound_of(0, 6), faces=(lambda t: 0.3,))).startswith("no mouth moves")
    assert reason(run(np.arange(0, 6, 0.2), sound_of(0, 6))).startswith("5.2 frames per second are too few")
    assert "no offset up to a second fits" in reason(run(times, sound_of(0, 6), faces=(lambda t: opening(t + 55),)))
    monkeypatch.setattr(
        module, "load_voice_detector", lambda: lambda samples: np.zeros(len(samples) // 512, np.float32)
    )
    assert reason(run(times, sound_of(0, 6))).startswith("there is no speech")


def test_a_voice_over_without_a_face_meanwhile(monkeypatch):
    faces = (lambda t: opening(t) if t < 2 else 0,)

    class Gone(Follower):
        def __call__(self, picture, time, cut=False):
            return super().__call__(picture, time, cut) if time < 2 else []

    monkeypatch.setattr(module, "FaceTracker", Gone)
    heard = np.concatenate([np.zeros(5 * RATE, np.float32), sound_of(5, 9)])
    loud = lambda samples: (np.abs(samples.reshape(-1, 512)).max(axis=1) > 0).astype(np.float32)  # noqa: E731
    monkeypatch.setattr(module, "load_voice_detector", lambda: loud)
    assert reason(run(np.arange(0, 9, 0.04), heard, faces=faces)) == ("no face is visible during speech: a voice-over")


def test_a_source_without_audio_or_video_is_skipped():
    with pytest.raises(Skip, match="no audio"):
        Sync().needs(SourceInfo("x.mp4", width=96, height=96))
    with pytest.raises(Skip, match="no video"):
        Sync().needs(SourceInfo("x.mp3", has_audio=True))
    task = Sync()
    task.needs(SourceInfo("x.mp4", width=96, height=96, has_audio=True))
    with pytest.raises(Skip, match="no audio"):
        task.finish(Timeline())


def test_little_is_buffered_however_long_it_is():
    task = Sync()
    task.needs(SourceInfo("x.mp4", width=96, height=96, has_audio=True))
    picture = np.full((1, 96, 96, 3), 130, np.uint8)
    for n in range(2500):
        task.process_frames(FrameBatch(picture, np.array([n * 0.04]), np.array([n])))
        task.process_audio(Audio(np.zeros(640, np.float32), RATE, Fraction(n, 25)))
    assert max(len(mouth.times) for mouth in task._mouths.values()) < 400
    assert len(task._audio._samples) < 12 * RATE


def test_an_offset_is_called_what_its_number_says():
    event = _offset_event("sync", 0.0, 5.0, SyncOffset(0.15149, 0.12, 0.18, 0.99, 5.0))
    assert (event.extra["offset"], event.text) == (0.1515, "audio is 152 ms late")
