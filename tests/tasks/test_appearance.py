from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kinoscope.core.media import SourceInfo
from kinoscope.core.results import TaskReport, Track
from kinoscope.tasks.appearance import Appearance
from kinoscope.tasks.base import Needs, Skip
from kinoscope.views.timeline import Timeline


class MeanColour:
    """Embeds an image as its mean colour."""

    name, digest, length = "mean-colour", "c0ffee", 3
    card, runner = SimpleNamespace(licence="MIT"), SimpleNamespace(runtime="fake")

    def __init__(self, *_):
        pass

    def __call__(self, pictures):
        return np.array([picture.mean((0, 1)) for picture in pictures], np.float32).reshape(-1, 3)


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.reid.AppearanceEmbedder", MeanColour)
    made = Appearance()
    assert made.needs(SourceInfo("a.mp4", 64, 48)) == Needs()
    return made


def jpeg(colour):
    return cv2.imencode(".jpg", np.full((20, 10, 3), colour[::-1], np.uint8))[1].tobytes()


def track(number, task="objects"):
    return Track(number, task, "person", 0.9, np.array([[0, 0, 0, 9, 9, 0.9]]))


def test_each_track_with_an_image_has_an_embedding(task):
    timeline = Timeline(tasks={"objects": TaskReport()}, tracks=[track(1), track(2), track(7), track(3, "faces")])
    timeline.images = {"objects-7": jpeg((0, 200, 0)), "objects-1": jpeg((200, 0, 0)), "faces-3": jpeg((9, 9, 9))}
    result = task.finish(timeline)
    assert result.features["appearance.tracks"].tolist() == [1, 7]
    assert result.features["appearance.embeddings"] == pytest.approx(np.array([[200, 0, 0], [0, 200, 0]]), abs=3)
    assert (result.report.model, result.report.runtime) == ("mean-colour", "fake")
    assert result.report.extra == {"inferences": 2, "digest": "c0ffee"}
    assert (result.events, result.tracks) == ([], [])


def test_nobody_followed_leaves_empty_features_and_no_objects_asked_is_a_skip(task):
    result = task.finish(Timeline(tasks={"objects": TaskReport()}))
    assert result.features["appearance.embeddings"].shape == (0, 3)
    with pytest.raises(Skip, match="objects did not run; run it too"):
        task.finish(Timeline())


def test_audio_alone_is_skipped():
    with pytest.raises(Skip, match="no video"):
        Appearance().needs(SourceInfo("a.wav", 0, 0))
