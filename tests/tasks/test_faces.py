from fractions import Fraction

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event
from kinoscope.models import sample
from kinoscope.models.inference.faces import TEMPLATE
from kinoscope.tasks.base import Skip
from kinoscope.tasks.faces import Faces
from kinoscope.views.timeline import Timeline
from tests.helpers.people import FACE, PEOPLE, SIZE, ColourEmbedder, ColourFinder, draw


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", ColourFinder)
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceEmbedder", ColourEmbedder)
    made = Faces()
    needs = made.needs(SourceInfo("a.mp4", 2 * SIZE[0], 2 * SIZE[1], rate=Fraction(25)))
    assert (needs.sizes, needs.rate) == (((640, 480),), 5.0)
    return made


def show(task, script, duration):
    """Show what ``script(time)`` draws, five times a second; return the times."""
    times = np.arange(0, duration, 0.2).round(3)
    pictures = np.stack([script(time) for time in times])
    for n in range(0, len(times), 4):
        task.process_frames(FrameBatch(pictures[n : n + 4], times[n : n + 4], np.arange(n, n + len(times[n : n + 4]))))
    return times


def people_of(result):
    return [(round(t.start, 1), round(t.end, 1), t.identity) for t in result.tracks]


def test_a_face_is_one_track_with_its_points_and_its_person(task):
    times = show(task, lambda t: draw({"ann": (40 + round(15 * t), 80)}), 4)
    (track,) = task.finish(Timeline(times=times)).tracks
    assert (track.id, track.label, track.identity, track.score) == (1, "face", "person 1", pytest.approx(0.999))
    assert track.boxes[:, 0].tolist() == times.tolist()
    truth = np.array([[80 + 30 * t, 160, 200 + 30 * t, 280] for t in times])
    assert np.abs(track.boxes[:, 1:5] - truth).max() < 6
    points = np.array(track.extra["points"])
    assert points[:, 0].tolist() == times.tolist()
    assert np.abs(points[0, 1:].reshape(5, 2) - (np.array([80, 160]) + TEMPLATE * 120 / 150)).max() < 0.1


def test_two_at_once_are_two_people_and_one_who_returns_is_himself(task):
    def script(time):
        people = {"ann": (30 + round(2 * time), 80)}
        if time < 2 or time > 5:
            people["bob"] = (200 - round(2 * time), 90)
        return draw(people)

    result = task.finish(Timeline(times=show(task, script, 7)))
    assert people_of(result) == [(0.0, 6.8, "person 1"), (0.0, 1.8, "person 2"), (5.2, 6.8, "person 2")]
    assert result.features["faces.tracks"].tolist() == [1, 2, 3]
    assert result.features["faces.embeddings"].shape == (3, 128)


def test_searches_take_turns_with_following(task):
    times = show(task, lambda t: draw({"ann": (40 + round(15 * t), 80)}), 4)
    report = task.finish(Timeline(times=times)).report
    assert task._detector.searches == [True, False] * 10
    assert {k: report.extra[k] for k in ("inferences", "searches")} == {"inferences": 20, "searches": 10}
    assert (report.model, report.licence, report.extra["rate"]) == ("mtcnn, colours", "MIT", 5.0)


def test_where_something_moves_fast_every_frame_is_searched_if_asked_for(task):
    task = Faces(rate=None, idle_rate=5.0, motion_share=0.005)
    task.needs(SourceInfo("a.mp4", 2 * SIZE[0], 2 * SIZE[1], rate=Fraction(25)))
    times = np.arange(20) / 25
    pictures = np.stack([draw({"ann": (20 + (12 * n if n < 8 else 84), 80)}) for n in range(20)])
    task.process_frames(FrameBatch(pictures, times, np.arange(20)))
    assert task._detector.searches == [True] * 8
    assert people_of(task.finish(Timeline(times=times))) == [(0.0, 0.8, "person 1")]


def test_nothing_is_inferred_on_an_unchanged_frame(task):
    result = task.finish(Timeline(times=show(task, lambda _: draw({"ann": (40, 80)}), 6)))
    assert result.report.extra["inferences"] == 1
    assert people_of(result) == [(0.0, 5.8, "person 1")]


def test_a_new_scene_is_searched_at_once_and_ends_the_tracks(task):
    def script(time):
        return draw({"ann" if time < 2.2 else "bob": (40 + round(3 * time), 80)}, 40 if time < 2.2 else 160)

    result = task.finish(Timeline(times=show(task, script, 4)))
    assert people_of(result) == [(0.0, 2.0, "person 1"), (2.2, 3.8, "person 2")]


def test_a_cut_that_the_shots_found_splits_a_track_and_its_samples(task):
    def script(time):
        return draw({"ann" if time < 2 else "eve": (40 + round(3 * time), 80)})

    times = show(task, script, 4)
    shots = [Event("shots", 0, 2, "shot"), Event("shots", 2, 4, "shot", extra={"transition": "cut"})]
    result = task.finish(Timeline(times=times, events=shots))
    assert people_of(result) == [(0.0, 1.8, "person 1"), (2.0, 3.8, "person 2")]
    assert list(result.images) == ["faces-1", "faces-2"]
    assert [len(t.extra["points"]) for t in result.tracks] == [10, 10]


def test_a_track_that_another_person_takes_over_is_split_although_no_cut_was_found(task):
    def script(time):
        return draw({"ann" if time < 2 else "eve": (40 + round(3 * time) + (6 if time >= 2 else 0), 80)})

    result = task.finish(Timeline(times=show(task, script, 4)))
    assert people_of(result) == [(0.0, 1.8, "person 1"), (2.0, 3.8, "person 2")]
    assert all(track.extra["apart"] < 0.6 for track in result.tracks)


def test_each_track_has_an_image_with_a_margin_around_the_face(task):
    result = task.finish(Timeline(times=show(task, lambda t: draw({"bob": (40 + round(9 * t), 80)}), 2)))
    shown = cv2.imdecode(np.frombuffer(result.images["faces-1"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert max(shown.shape[:2]) == pytest.approx(1.5 * FACE, abs=2)
    middle = shown[FACE // 2 : FACE, FACE // 2 : FACE].mean((0, 1))
    assert np.abs(middle - PEOPLE["bob"]).max() < 15


def test_ended_tracks_are_embedded_early_and_short_ones_never(task):
    def script(time):
        return draw({"ann": (40 + round(9 * time), 80)} if time < 1 else {"bob": (200, 20)} if 1.5 < time < 1.7 else {})

    times = show(task, script, 6)
    assert len(task._finished) == 1
    assert task._samples == {}
    assert people_of(task.finish(Timeline(times=times))) == [(0.0, 0.8, "person 1")]
    assert len(task._embedder.embedded) == 1


def test_a_video_without_faces_or_frames_has_no_tracks(task):
    result = task.finish(Timeline(times=show(task, lambda t: draw({}, 40 + round(20 * t)), 1)))
    assert (result.tracks, result.images) == ([], {})
    assert result.features["faces.embeddings"].shape == (0, 128)


def test_a_source_without_video_is_skipped():
    with pytest.raises(Skip, match="there is no video"):
        Faces().needs(SourceInfo("a.mp3"))


@pytest.mark.models
def test_a_real_face_is_tracked_and_named():
    try:
        picture = cv2.cvtColor(cv2.imread(str(sample("astronaut.png"))), cv2.COLOR_BGR2RGB)
        task = Faces()
        needs = task.needs(SourceInfo("a.mp4", 512, 512, rate=Fraction(25)))
    except WeightsMissing as error:
        pytest.skip(str(error))
    assert needs.sizes == ((512, 512),)
    times = np.arange(6) / 5
    task.process_frames(FrameBatch(np.stack([np.roll(picture, 5 * n, axis=1) for n in range(6)]), times, np.arange(6)))
    result = task.finish(Timeline(times=times))
    assert [(t.identity, t.start, t.end) for t in result.tracks] == [("person 1", 0.0, 1.0)]
    centres = result.tracks[0].boxes[:, [1, 3]].mean(axis=1)
    assert np.polyfit(times, centres, 1)[0] == pytest.approx(25, abs=4)
