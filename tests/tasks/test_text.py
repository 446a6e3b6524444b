from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event
from kinoscope.models.inference.ocr import TextLines
from kinoscope.tasks.base import Skip
from kinoscope.tasks.text import Text, is_same_text
from kinoscope.views.timeline import Timeline

SIZE = (320, 192)


class WhiteFinder:
    """Takes white rectangles for lines of text."""

    card = SimpleNamespace(name="white", licence="MIT")
    input_size = staticmethod(lambda displayed_size, max_side: SIZE)

    def __init__(self, *_):
        self.looks = 0

    def __call__(self, picture, shown):
        self.looks += 1
        y, x = np.nonzero(picture.min(axis=2) > 200)
        if not len(x):
            return TextLines(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4, 2)))
        x1, y1, x2, y2 = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) * shown[0] / SIZE[0]
        corners = np.array([[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]])
        return TextLines(np.array([[x1, y1, x2, y2]]), np.array([0.9]), corners)


class ShadeReader:
    """Reads how bright a line is."""

    card = SimpleNamespace(name="shades")

    def __init__(self, *_):
        self.read = 0

    def __call__(self, line):
        self.read += 1
        return f"{line.mean():.0f}", 0.95


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.text.TextDetector", WhiteFinder)
    monkeypatch.setattr("kinoscope.tasks.text.TextRecognizer", ShadeReader)

    def made(**options):
        task = Text(**options)
        needs = task.needs(SourceInfo("a.mp4", 2 * SIZE[0], 2 * SIZE[1], rate=Fraction(25)))
        assert needs.sizes == (SIZE,)
        return task

    return made


def show(task, script, duration, rate=2.5):
    times = np.arange(0, duration, 1 / rate).round(3)
    pictures = []
    for time in times:
        picture = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        if (place := script(time)) is not None:
            x, y = place
            picture[y : y + 20, x : x + 100] = 250
        pictures.append(picture)
    task.process_frames(FrameBatch(np.stack(pictures), times, np.arange(len(times))))
    return times


def test_a_line_is_one_track_and_one_event_with_its_text(make):
    task = make()
    times = show(task, lambda time: (20 + round(10 * time), 60), 4)
    result = task.finish(Timeline(times=times))
    (track,) = result.tracks
    assert (track.id, track.task, track.label, track.extra) == (1, "text", "text", {})
    assert np.abs(track.boxes[:, 1:5] - [[40 + 20 * t, 120, 240 + 20 * t, 160] for t in times]).max() < 8
    (event,) = result.events
    assert event == Event("text", 0.0, times[-1], "text", 0.95, event.text, {"track": 1})
    assert int(event.text) > 230  # white, but for its edge
    assert (result.report.model, result.report.extra["inferences"]) == ("white, shades", len(times))
    assert task._recognizer.read == 1


def test_an_unchanged_frame_is_inferred_once(make):
    task = make()
    times = show(task, lambda _: (20, 60), 4)
    assert task.finish(Timeline(times=times)).tracks[0].end == times[-1]
    assert task._detector.looks == 1


def test_a_short_track_is_reported_only_on_request_and_never_read(make):
    def script(time):
        return (20, 60) if 1.9 < time < 2.1 else None

    task = make()
    assert task.finish(Timeline(times=show(task, script, 4))).tracks == []
    task = make(include_doubtful=True)
    result = task.finish(Timeline(times=show(task, script, 4)))
    assert [(t.start, t.end, t.extra) for t in result.tracks] == [(2.0, 2.0, {"doubtful": True})]
    assert result.events == []
    assert task._recognizer.read == 0


def test_without_recognition_nothing_is_read(make):
    task = make(read_text=False)
    result = task.finish(Timeline(times=show(task, lambda time: (20 + round(10 * time), 60), 4)))
    assert (len(result.tracks), result.events, result.report.model) == (1, [], "white")


def test_a_source_without_video_is_skipped():
    with pytest.raises(Skip, match="there is no video"):
        Text().needs(SourceInfo("a.mp3"))


def written(words, shift=0, shade=30, noise=2.0):
    """A line as it is cut out to be read: dark on light."""
    line = np.full((48, 360, 3), 235, np.uint8)
    cv2.putText(line, words, (8 + shift, 36), cv2.FONT_HERSHEY_DUPLEX, 1.1, (shade,) * 3, 2, cv2.LINE_AA)
    rng = np.random.default_rng(shift)
    return (line + rng.normal(0, noise, line.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shift", [0, 2, 5])
def test_samples_of_one_text_are_alike(shift):
    assert is_same_text(written("Apples are red"), written("Apples are red", shift, shade=60, noise=4))


@pytest.mark.parametrize("other", ["Bananas grow", "Apples are rot", "12:34:05", ""])
def test_samples_of_two_texts_are_not(other):
    assert not is_same_text(written("Apples are red"), written(other))


def test_one_digit_is_another_text():
    assert not is_same_text(written("12:34:05"), written("12:34:06"))


class SlideReader(ShadeReader):
    """Reads on which side of a line its dark marks are; nothing where they are faint."""

    def __call__(self, line):
        self.read += 1
        halves = [half.mean() for half in np.array_split(line, 2, axis=1)]
        return ("Left" if halves[0] < halves[1] else "Right"), 0.95 if np.percentile(line[16:32], 5) < 120 else 0.3


def slides(script):
    """Draw a white line with dark marks on the side, and of the darkness, that ``script(time)`` says."""

    def picture(time):
        side, shade = script(time)
        drawn = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        drawn[60:80, 20:120] = 250
        left = 24 if side == "Left" else 76
        drawn[64:76, left : left + 40 : 4] = shade
        return drawn

    return picture


def read_slides(task, script, duration=6, rate=2.5):
    times = np.arange(0, duration, 1 / rate).round(3)
    task.process_frames(FrameBatch(np.stack([slides(script)(time) for time in times]), times, np.arange(len(times))))
    result = task.finish(Timeline(times=times))
    return [(event.start, event.end, event.text) for event in result.events], result


@pytest.fixture
def reading(make, monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.text.TextRecognizer", SlideReader)
    return make()


def test_text_that_changes_in_place_is_another_line(reading):
    events, result = read_slides(reading, lambda time: ("Left" if time < 3 else "Right", 60))
    assert events == [(0.0, 2.8, "Left"), (3.2, 5.6, "Right")]
    assert [(track.start, track.end) for track in result.tracks] == [(0.0, 2.8), (3.2, 5.6)]
    assert [event.extra["track"] for event in result.events] == [1, 2]


def test_text_that_comes_back_is_three_lines(reading):
    events, _ = read_slides(reading, lambda time: ("Right" if 2 <= time < 4 else "Left", 60))
    assert [text for *_, text in events] == ["Left", "Right", "Left"]


def test_one_sample_that_reads_otherwise_or_not_at_all_splits_nothing(reading):
    events, _ = read_slides(reading, lambda time: ("Right" if 1.9 < time < 2.1 else "Left", 60))
    assert events == [(0.0, 5.6, "Left")]


def test_what_cannot_be_read_splits_nothing(reading):
    events, _ = read_slides(reading, lambda time: ("Right", 180) if 2 <= time < 4 else ("Left", 60))
    assert events == [(0.0, 5.6, "Left")]
