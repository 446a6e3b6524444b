"""Odd events in a drawn video of known things: among squares that pass, one is green and one runs."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.models import load
from kinoscope.tasks.anomalies import (
    Anomalies,
    anomaly_scores,
    direction_histogram,
    neighbor_distances,
    scores_over_time,
)
from kinoscope.tasks.base import Skip
from kinoscope.views.timeline import Timeline

WIDTH, HEIGHT, SIDE = 192, 108, 24
BACK = np.random.default_rng(0).integers(90, 110, (HEIGHT, WIDTH, 3)).astype(np.uint8)


class FakeNet:
    """Sees the mean colour."""

    card = SimpleNamespace(name="fake", licence="MIT", size=(16, 16))
    runtime = "fake"

    def __call__(self, batch):
        return (batch.mean((1, 2)).astype(np.float32), np.zeros((len(batch), 1), np.float32))


def picture(time, movers):
    canvas = np.pad(BACK, ((0, 0), (SIDE, SIDE), (0, 0)), mode="edge")
    for start, speed, y, colour in movers:
        x = round(speed * (time - start))
        if time >= start and x < WIDTH + SIDE:
            canvas[y : y + SIDE, x : x + SIDE] = colour
            canvas[y + 8 : y + 16, x + 8 : x + 16] = np.array(colour) // 2
    return np.ascontiguousarray(canvas[:, SIDE:-SIDE])


RED, GREEN = (220, 40, 40), (30, 220, 60)
USUAL = [(4.0 + 6 * i, 60, 30 + 10 * (i % 3), RED) for i in range(18)]
"""A red square every six seconds, that takes 3.6 s to pass."""


def find(monkeypatch, movers, seconds=110, rate=10):
    monkeypatch.setattr("kinoscope.tasks.anomalies.load", lambda *_, **__: FakeNet())
    task = Anomalies()
    needs = task.needs(SourceInfo("a.mp4", WIDTH, HEIGHT, rate=Fraction(rate), duration=Fraction(seconds)))
    assert needs.rate == 10
    for i in range(seconds * rate):
        time = i / rate
        batch = FrameBatch(picture(time, movers)[None], np.array([time]), np.array([i]))
        task.process_frames(batch, batch)
    return task.finish(Timeline())


@pytest.mark.slow
def test_unusual_appearance_or_motion_ranks_first(monkeypatch):
    odd = [(55.0, 60, 40, GREEN), (80.0, 240, 20, RED)]
    result = find(monkeypatch, [m for m in USUAL if m[0] not in (52.0, 76.0)] + odd)
    first, second = result.events[:2]
    assert {first.label, second.label} == {"odd appearance", "odd motion"}
    green, fast = sorted((first, second), key=lambda event: event.start)
    assert green.label == "odd appearance"
    assert 54.5 <= green.start <= green.end <= 60
    assert 79.5 <= fast.start <= fast.end <= 82
    assert [event.extra["rank"] for event in result.events] == list(range(1, len(result.events) + 1))
    scores = [event.score for event in result.events]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.slow
def test_the_track_follows_the_unusual_object(monkeypatch):
    result = find(monkeypatch, [m for m in USUAL if m[0] != 52.0] + [(53.0, 60, 20, GREEN)])
    event = result.events[0]
    track = next(track for track in result.tracks if track.id == event.extra["track"])
    middle = track.boxes[len(track.boxes) // 2]
    x = 60 * (middle[0] - 53.0) - SIDE
    assert abs((middle[1] + middle[3]) / 2 - (x + SIDE / 2)) < 4
    assert abs((middle[2] + middle[4]) / 2 - 32) < 4


def test_without_anything_that_moves_there_is_nothing(monkeypatch):
    result = find(monkeypatch, [], seconds=40)
    assert not result.events
    assert not result.features["anomalies.scores"].any()


@pytest.mark.parametrize("seconds", [10, 29])
def test_a_short_video_is_skipped(seconds):
    with pytest.raises(Skip, match="shorter than 30 s"):
        Anomalies().needs(SourceInfo("a.mp4", 64, 36, duration=Fraction(seconds)))


def test_a_moving_camera_is_skipped(monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.anomalies.load", lambda *_, **__: FakeNet())
    task = Anomalies()
    task.needs(SourceInfo("a.mp4", WIDTH, HEIGHT, duration=Fraction(40)))
    noise = np.random.default_rng(1).integers(0, 255, (20, HEIGHT, WIDTH, 3)).astype(np.uint8)
    for i in range(400):
        batch = FrameBatch(noise[i % 20][None], np.array([i / 10]), np.array([i]))
        task.process_frames(batch, batch)
    with pytest.raises(Skip, match="camera moves"):
        task.finish(Timeline())


def test_directions_by_hand():
    flow, mask = np.zeros((20, 20, 2)), np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 255
    flow[5:15, 5:10] = (90, 0)
    flow[5:15, 10:15] = (0, -40)
    found = direction_histogram(flow, mask, np.array([5.0, 5, 15, 15]))
    assert found == pytest.approx([np.sqrt(4.5), 0, 0, 0, 0, 0, np.sqrt(2), 0], abs=1e-6)


def test_the_third_nearest_at_other_times_counts():
    rows = np.array([[0], [0.1], [1], [2], [4]], np.float32)
    times = np.array([0, 5, 20, 40, 60.0])  # the second is too near in time to the first
    assert neighbor_distances(rows, times)[0] == pytest.approx(4)
    assert neighbor_distances(rows, times)[4] == pytest.approx(3.9)


def test_too_few_others_are_no_surprise():
    assert neighbor_distances(np.zeros((2, 1), np.float32), np.array([0, 50.0])).tolist() == [0, 0]
    assert anomaly_scores([]).shape == (2, 0)


def test_each_moment_has_the_most_unusual_of_its_objects():
    times = np.arange(20.0)
    scores = scores_over_time(times, np.array([10.0, 10, 11]), np.array([7, 14, 7.0]))
    assert scores[10] == pytest.approx(3)
    assert scores[3] == 0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.anomalies.MAX_OBJECTS", 50)
    result = find(monkeypatch, USUAL, seconds=60)
    assert result.report.extra["inferences"] < 300


@pytest.mark.models
@pytest.mark.slow
def test_the_real_network_sees_what_is_odd(monkeypatch):
    try:
        net = load("scenes", "auto", "cpu", threads=2)
    except WeightsMissing as error:
        pytest.skip(str(error))
    monkeypatch.setattr(f"{__name__}.FakeNet", lambda: net)
    result = find(monkeypatch, [m for m in USUAL if m[0] != 40.0] + [(41.0, 60, 40, GREEN)], seconds=80)
    assert 40.5 <= result.events[0].start <= result.events[0].end <= 46
