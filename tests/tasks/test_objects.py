from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kinoscope.core.boxes import iou
from kinoscope.core.detections import Detections as Found
from kinoscope.core.errors import WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskResult
from kinoscope.models import sample
from kinoscope.pipeline import engine
from kinoscope.source.synthetic.video import SHAPE_COLOURS, SyntheticSource, cuts, shapes
from kinoscope.tasks import objects
from kinoscope.tasks.base import Skip
from kinoscope.tasks.objects import Objects, crop_box
from kinoscope.tasks.tracking.association import STRATEGIES
from kinoscope.views.timeline import Timeline


class ColourDetector:
    """Finds the coloured shapes of the synthetic videos; a label for each colour."""

    runner = SimpleNamespace(
        card=SimpleNamespace(name="colours", licence="MIT", labels=tuple(SHAPE_COLOURS)), runtime="fake"
    )
    card = runner.card

    def __init__(self, *_):
        pass

    def input_size(self, shown):
        return shown

    def __call__(self, pictures, shown):
        return [self.find(picture, shown) for picture in pictures]

    def find(self, picture, shown):
        rows = [(self.box(picture, colour), n) for n, colour in enumerate(SHAPE_COLOURS.values())]
        seen = [(box, n) for box, n in rows if box]
        scale = np.tile([shown[0] / picture.shape[1], shown[1] / picture.shape[0]], 2)
        boxes = np.array([box for box, _ in seen], np.float64).reshape(-1, 4) * scale
        return Found(boxes, np.full(len(seen), 0.9), np.array([n for _, n in seen], np.int64))

    def box(self, picture, colour):
        y, x = np.nonzero(np.abs(picture.astype(int) - colour).max(axis=2) < 20)
        return [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else None


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.detector.ObjectDetector", ColourDetector)


def analyse(source, **options):
    return engine.run(source, [Objects(**options)], threaded=False)


@pytest.mark.slow
def test_every_shape_is_one_track_with_a_box_at_every_frame():
    source = shapes(duration=4, count=3, width=640, height=480)
    timeline = analyse(source)
    assert [t.label for t in timeline.all_tracks] == ["red", "green", "blue"]
    assert [t.id for t in timeline.all_tracks] == [1, 2, 3]
    for track, truth in zip(timeline.all_tracks, source.truth.tracks, strict=True):
        last = int(np.flatnonzero(truth.boxes[:, 0] == track.end)[0])
        assert track.boxes[:, 0].tolist() == truth.boxes[: last + 1, 0].tolist()
        assert last >= 95
        overlaps = np.diag(iou(track.boxes[:, 1:5], truth.boxes[: last + 1, 1:5]))
        assert overlaps.mean() > 0.85
        assert np.quantile(overlaps, 0.1) > 0.6


def test_times_that_begin_late_are_kept():
    timeline = analyse(shapes(duration=2, count=1, start=7))
    (track,) = timeline.all_tracks
    assert (track.start, round(track.end, 2)) == (7.0, 8.8)


def test_a_report_says_what_was_run_and_how_often():
    report = analyse(shapes(duration=2, count=1)).tasks["objects"]
    assert (report.model, report.runtime, report.licence, report.frames) == ("colours", "fake", "MIT", 20)
    assert report.extra["rate"] == 10.0
    assert 10 <= report.extra["inferences"] <= 20


def test_nothing_is_inferred_on_an_unchanged_frame_and_the_track_continues():
    frame = next(iter(shapes(count=2).frames())).pixels
    task = Objects()
    task.needs(SourceInfo("a.mp4", 320, 240, rate=Fraction(25)))
    times = np.arange(30) / 10
    batch = FrameBatch(np.repeat(frame[None], 30, axis=0), times, np.arange(30))
    task.process_frames(batch, batch)
    result = task.finish(Timeline(times=times))
    assert result.report.extra["inferences"] == 1
    assert [(t.start, t.end) for t in result.tracks] == [(0.0, 2.9)] * 2


def test_inferring_on_all_frames_is_an_option():
    assert (
        analyse(shapes(duration=1), rate=None, idle_rate=None, static_levels=-1).tasks["objects"].extra["inferences"]
        == 25
    )


def painted(colours_at, duration=4):
    """A task that has seen a square in one place whose colour depends on the time, on a background that does too."""
    task = Objects()
    task.needs(SourceInfo("a.mp4", 320, 240, rate=Fraction(25)))
    times = np.arange(0, duration, 0.1)
    pictures = np.zeros((len(times), 240, 320, 3), np.uint8)
    for picture, time in zip(pictures, times, strict=True):
        colour, background = colours_at(time)
        picture[:] = background
        picture[100:180, 100 + round(10 * time) : 160 + round(10 * time)] = SHAPE_COLOURS[colour]
    for n in range(0, len(times), 8):
        batch = FrameBatch(pictures[n : n + 8], times[n : n + 8], np.arange(len(times))[n : n + 8])
        task.process_frames(batch, batch)
    return task, times


def test_a_cut_ends_a_track_though_the_next_scene_has_the_same_object_there():
    task, times = painted(lambda time: ("red", 40 if time < 2 else 160))
    result = task.finish(Timeline(times=times))
    assert [(round(t.start, 1), round(t.end, 1)) for t in result.tracks] == [(0.0, 1.8), (2.0, 3.8)]


def test_a_cut_that_the_shots_found_ends_a_track_too():
    task, times = painted(lambda _: ("red", 40))
    shots = [Event("shots", 0, 2, "shot"), Event("shots", 2, 4, "shot", extra={"transition": "cut"})]
    result = task.finish(Timeline(times=times, events=shots))
    assert [(round(t.start, 1), round(t.end, 1)) for t in result.tracks] == [(0.0, 1.8), (2.0, 3.8)]
    assert list(result.images) == ["objects-1", "objects-2"]


def test_a_short_track_is_not_reported():
    task, times = painted(lambda time: ("red" if time < 0.25 else "green", 40))
    assert [t.label for t in task.finish(Timeline(times=times)).tracks] == ["green"]


def test_each_track_has_an_image_of_its_object():
    source = shapes(duration=2, count=2, width=640, height=480)
    timeline = analyse(source)
    assert list(timeline.images) == ["objects-1", "objects-2"]
    for name, colour in zip(timeline.images, ("red", "green"), strict=True):
        shown = cv2.imdecode(np.frombuffer(timeline.images[name], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert max(shown.shape[:2]) <= 200
        middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
        assert np.abs(middle.astype(int) - SHAPE_COLOURS[colour]).max() < 25


def test_images_are_bounded(monkeypatch):
    monkeypatch.setattr(objects, "MAX_THUMBNAILS", 1)
    timeline = analyse(shapes(duration=2, count=3))
    assert len(timeline.all_tracks) == 3
    assert len(timeline.images) == 1


def test_a_whole_object_makes_a_better_image_than_one_that_is_cut_off():
    boxes = np.array([[0.0, 10, 100, 110], [10, 10, 110, 110], [10, 10, 40, 40]])
    cut_off, whole, small = objects.crop_quality(boxes, np.ones(3), (640, 480))
    assert whole > cut_off
    assert whole > small


def test_a_source_without_video_is_skipped():
    with pytest.raises(Skip, match="there is no video"):
        Objects().needs(SourceInfo("a.mp3"))


def test_a_video_without_objects_or_frames_has_no_tracks():
    assert analyse(cuts(duration=1)).all_tracks == []
    task = Objects()
    task.needs(SourceInfo("a.mp4", 320, 240))
    assert task.finish(Timeline()) == TaskResult(report=task.finish(Timeline()).report)


@pytest.mark.models
@pytest.mark.slow
def test_a_real_person_is_tracked(monkeypatch):
    monkeypatch.undo()
    try:
        picture = cv2.cvtColor(cv2.imread(str(sample("astronaut.png"))), cv2.COLOR_BGR2RGB)
        task = Objects()
        needs = task.needs(SourceInfo("a.mp4", 512, 512, rate=Fraction(25)))
    except WeightsMissing as error:
        pytest.skip(str(error))
    times = np.arange(8) / 5
    moved = [np.roll(picture, 6 * n, axis=1) for n in range(8)]
    batches = [FrameBatch(np.stack([cv2.resize(p, size) for p in moved]), times, np.arange(8)) for size in needs.sizes]
    task.process_frames(*batches)
    people = [t for t in task.finish(Timeline(times=times)).tracks if t.label == "person"]
    assert len(people) == 1
    centres = people[0].boxes[:, [1, 3]].mean(axis=1)
    assert np.polyfit(people[0].boxes[:, 0], centres, 1)[0] == pytest.approx(30, abs=12)


def test_tracked_objects_are_reported_at_once():
    told = []
    analyse(
        shapes(duration=2, count=2),
        rate=None,
        idle_rate=None,
        static_levels=-1,
        on_observations=lambda time, seen: told.append((time, seen)),
    )
    assert len(told) == 50
    assert [time for time, _ in told] == sorted(time for time, _ in told)
    assert {(one.id, one.label) for _, seen in told for one in seen} == {(0, "red"), (1, "green")}
    assert all(one.task == "objects" and len(one.box) == 4 for _, seen in told for one in seen)


@pytest.mark.slow
@pytest.mark.parametrize("tracker", STRATEGIES)
def test_every_tracker_follows_the_shapes(tracker):
    timeline = analyse(shapes(duration=1, count=3, width=640, height=480), tracker=tracker, rate=None, idle_rate=None)
    assert [t.label for t in timeline.all_tracks] == ["red", "green", "blue"]
    assert timeline.tasks["objects"].extra["tracker"] == tracker


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"camera": True}, {"appearance": "colours"}])
def test_camera_motion_and_appearance_may_help(options):
    timeline = analyse(shapes(duration=2, count=3, width=640, height=480), **options)
    assert [t.label for t in timeline.all_tracks] == ["red", "green", "blue"]


def test_crops_for_appearance_lie_inside_the_frame():
    full = np.zeros((50, 100, 3), np.uint8)
    assert crop_box(full, np.array([-20.0, 20, 40, 60]), (200, 100)).shape == (20, 20, 3)
    assert crop_box(full, np.array([300.0, 200, 340, 260]), (200, 100)).shape == (1, 1, 3)


@pytest.mark.parametrize("camera", [False, True])
def test_a_camera_that_jumps_is_taken_out(camera):
    rng, relief = np.random.default_rng(0), np.zeros((600, 1000))
    for cell in (100, 50, 25, 10):
        grid = rng.uniform(-1, 1, (600 // cell, 1000 // cell)) * cell
        relief += cv2.resize(grid, (1000, 600), interpolation=cv2.INTER_CUBIC)
    wall = np.clip(120 + relief / 3, 0, 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    for colour, (x, y) in zip(("red", "green"), ((450, 250), (600, 330)), strict=True):
        wall[y : y + 40, x : x + 40] = SHAPE_COLOURS[colour]

    def draw(index, time):
        x, y = 350 + 45 * (index % 2), 160 + 45 * (index // 2 % 2)
        return np.ascontiguousarray(wall[y : y + 240, x : x + 320])

    source = SyntheticSource("jumps", draw, TaskResult(), (320, 240), 2, 10)
    timeline = analyse(source, rate=None, idle_rate=None, camera=camera, tracker="bytetrack")
    lasting = [track for track in timeline.all_tracks if track.end - track.start == pytest.approx(1.9)]
    assert len(lasting) == (2 if camera else 0)


def test_a_frame_without_objects_has_no_appearance():
    timeline = analyse(
        SyntheticSource("dark", lambda *_: np.zeros((48, 64, 3), np.uint8), TaskResult(), (64, 48), 1, 10),
        appearance="colours",
        rate=None,
        idle_rate=None,
    )
    assert (timeline.tasks["objects"].status, timeline.all_tracks) == ("ok", [])


def test_reported_tracks_can_be_discarded(monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.tracking.tracker.MAX_STORED_DETECTIONS", 2)
    told = []
    task = Objects(
        rate=None,
        idle_rate=None,
        static_levels=-1,
        keep_tracks=False,
        on_observations=lambda time, seen: told.append(seen),
    )
    timeline = engine.run(shapes(duration=1, count=2), [task], threaded=False)
    assert len(told) == 25
    assert {one.id for seen in told for one in seen} == {0, 1}
    assert timeline.images == {}
    assert all(track.start >= 0.8 for track in timeline.all_tracks)
