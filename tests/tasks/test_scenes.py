from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskResult
from kinoscope.models import load
from kinoscope.pipeline.engine import run
from kinoscope.source.synthetic.video import shapes
from kinoscope.tasks.base import Skip
from kinoscope.tasks.scenes import Scenes, SceneThumbnails
from kinoscope.views.timeline import Timeline

LABELS = ("dark", "medium", "bright", "glaring")


class FakeNet:
    """Knows the brightness: one of four classes, with a set confidence; the feature is the brightness."""

    card = SimpleNamespace(name="fake", licence="MIT", labels=LABELS, size=(32, 32))
    runtime = "fake"

    def __init__(self):
        self.looks = 0
        self.sure = 5

    def __call__(self, batch):
        self.looks += len(batch)
        level = batch.mean((1, 2, 3))
        logits = np.full((len(batch), len(self.card.labels)), -self.sure, np.float32)
        logits[np.arange(len(batch)), (level // 64).astype(int)] = self.sure
        return np.repeat(level[:, None], 1280, 1).astype(np.float32), logits


@pytest.fixture
def task(monkeypatch):
    net = FakeNet()
    monkeypatch.setattr("kinoscope.tasks.scenes.load", lambda *_, **__: net)
    made = Scenes()
    needs = made.needs(SourceInfo("a.mp4", 640, 360, rate=Fraction(25)))
    assert (needs.sizes, needs.rate) == (((32, 32), (320, 180)), 1.0)
    return made


def show(task, levels, start=0):
    """Show a frame of one grey every second."""
    for i, level in enumerate(levels):
        time, index = np.array([start + float(i)]), np.array([i])
        large, small = np.full((1, 32, 32, 3), level, np.uint8), np.full((1, 18, 32, 3), level, np.uint8)
        task.process_frames(FrameBatch(large, time, index), FrameBatch(small, time, index))


def timeline(*spans):
    made = Timeline()
    made.add("shots", TaskResult([Event("shots", a, b, "shot") for a, b in spans]))
    return made


def grey(jpeg):
    return round(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean())


def test_every_shot_has_its_label_and_its_image(task):
    show(task, [30, 30, 30, 90, 100, 200], start=10)
    result = task.finish(timeline((10, 13), (13, 15), (15, 16)))
    assert [(e.start, e.end, e.label) for e in result.events] == [
        (10, 13, "dark"),
        (13, 15, "medium"),
        (15, 16, "glaring"),
    ]
    assert len(result.events[1].extra["top"]) == 3
    assert result.events[1].extra["top"][0] == ["medium", pytest.approx(1, abs=1e-3)]
    assert [grey(result.images[f"scenes-{i}"]) for i in range(3)] == [30, 100, 200]


def test_features_are_kept_with_their_times(task):
    show(task, [10, 20, 200], start=5)
    features = task.finish(timeline((5, 8))).features
    assert features["scenes.features"].dtype == np.float16
    assert features["scenes.features"].shape == (3, 1280)
    assert features["scenes.features"][:, 0].tolist() == [10, 20, 200]
    assert features["scenes.times"].tolist() == [5, 6, 7]


def test_the_same_frame_is_not_classified_twice(task):
    show(task, [50, 50, 51, 50, 150, 150])
    result = task.finish(timeline((0, 6)))
    assert task._net.looks == 2
    assert result.report.extra == {"inferences": 2}
    assert result.features["scenes.features"][:, 0].tolist() == [50, 50, 50, 50, 150, 150]


def test_an_uncertain_shot_has_an_image_but_no_label(task):
    task._net.sure = 0.0
    task._net.card = SimpleNamespace(**vars(FakeNet.card) | {"labels": LABELS * 4})
    show(task, [10, 250])
    result = task.finish(timeline((0, 1), (1, 2)))
    assert result.events == []
    assert sorted(result.images) == ["shots-0", "shots-1"]


def test_a_shot_between_two_samples_has_neither(task):
    show(task, [30, 30])
    result = task.finish(timeline((0, 0.2), (0.2, 0.8), (0.8, 2)))
    assert [e.start for e in result.events] == [0, 0.8]
    assert sorted(result.images) == ["scenes-0", "scenes-1"]


def test_without_shots_the_whole_is_one(task):
    show(task, [200, 200])
    made = Timeline(times=np.array([0, 0.5, 1, 1.5]))
    result = task.finish(made)
    assert [(e.start, round(e.end, 6), e.label) for e in result.events] == [(0, 1.5, "glaring")]
    assert list(result.images) == ["scenes-0"]


def test_one_frame_is_enough(task):
    show(task, [90])
    assert [e.label for e in task.finish(Timeline(times=np.zeros(1))).events] == ["medium"]


def test_no_frames_yield_nothing(task):
    result = task.finish(Timeline())
    assert (result.events, result.features, result.images) == ([], {}, {})


def test_audio_alone_has_no_scenes():
    with pytest.raises(Skip, match=r"^no video$"):
        Scenes().needs(SourceInfo("a.wav", has_audio=True))


def test_an_album_is_thinned_out_evenly():
    album = SceneThumbnails(max_count=10)
    for second in range(1000):
        album.add(second, np.full((2, 2, 3), 9, np.uint8))
        assert len(album._images) <= 10
    steps = np.diff([time for time, _ in album._images])
    assert set(steps.tolist()) == {128}
    assert album.nearest(120, 140) is not None
    assert album.nearest(130, 140) is None


@pytest.mark.models
def test_the_real_network_runs_in_the_engine():
    try:
        load("efficientnet-lite0")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    found = run(shapes(duration=2), [Scenes()], threaded=False)
    assert found.tasks["scenes"].status == "ok"
    assert found.features["scenes.features"].shape == (2, 1280)
    assert len(found.images) == 1
