from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.errors import ModelError, WeightsMissing
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.models import load
from kinoscope.models.card import Card
from kinoscope.pipeline.engine import run
from kinoscope.source.synthetic.video import shapes
from kinoscope.tasks.actions import MAX_INTERVAL_SECONDS, Actions, ActionWindow, cell_motion, fight_events
from kinoscope.tasks.base import Skip
from kinoscope.views.timeline import Timeline

SIZE = WIDTH, HEIGHT = 112, 112
RATE, WINDOW = 8.0, 16


def fake_card(labels=("fight", "no fight"), name="fake", frames=WINDOW, size=SIZE, rate=RATE, task="actions"):
    return Card(
        name=name, task=task, about="", licence="MIT", files=(), sources=(), input=(frames, size[1], size[0], 3),
        outputs=((3,), (len(labels),)), classes=labels, rate=rate,
    )  # fmt: skip


class FakeNet:
    """Takes red for a fight: its probability is the mean of red, 0 to 1, over the last frame."""

    runtime = "fake"

    def __init__(self, card):
        self.card = card
        self.looks = 0

    def __call__(self, batch):
        assert batch.shape == (1, *self.card.input)
        self.looks += 1
        score = np.clip(batch[0, -1, 0, 0, 0] / 255, 1e-6, 1 - 1e-6)
        logits = np.log([[score if label.casefold() == "fight" else 1 - score for label in self.card.labels]])
        return np.zeros((1, 3), np.float32), logits.astype(np.float32)


@pytest.fixture
def made(monkeypatch):
    """Returns the task with a model of that card."""

    def make(card):
        monkeypatch.setattr("kinoscope.tasks.actions.choose", lambda name: card)
        monkeypatch.setattr("kinoscope.tasks.actions.make_runner", lambda card, *_, **__: FakeNet(card))
        task = Actions()
        needs = task.needs(SourceInfo("a.mp4", 640, 360))
        assert (needs.sizes, needs.rate) == ((card.size,), card.rate)
        return task

    return make


@pytest.fixture
def task(made):
    return made(fake_card())


def film(seconds, lively=lambda second: True, red=lambda second: 0.0, share=0.2):
    """Return frames in whose lower part a pattern flickers if lively, and whose upper left corner is the score."""
    pixels = np.full((int(seconds * RATE), HEIGHT, WIDTH, 3), 100, np.uint8)
    for i, picture in enumerate(pixels):
        if lively(i / RATE):
            picture[round(HEIGHT * (1 - share)) :] += np.uint8(60 * (i % 2))
        picture[0, 0, 0] = round(255 * red(i / RATE))
    return pixels


def show(task, pixels, start=0.0):
    for i in range(0, len(pixels), 8):
        part = pixels[i : i + 8]
        indices = np.arange(i, i + len(part))
        task.process_frames(FrameBatch(part, start + indices / RATE, indices))


def between(first, last, score=0.92):
    return lambda second: score if first <= second < last else 0.0


def test_motion_is_the_mean_change_of_each_cell():
    pixels = np.zeros((3, 115, 163, 3), np.uint8)
    pixels[1, :8, 8:16] = 10
    expected = np.zeros((2, 14, 20))
    expected[:, 0, 1] = 10
    assert np.array_equal(cell_motion(pixels), expected)


def test_a_fight_yields_one_event_with_its_highest_score(task):
    show(task, film(30, red=between(12, 16)), start=100)
    result = task.finish(Timeline())
    (found,) = result.events
    assert (found.task, found.label, found.score) == ("actions", "fight", pytest.approx(0.92, abs=0.01))
    # Windows end every second with the frame before it; those that end in the fight begin two seconds earlier.
    assert (found.start, found.end) == (111, 100 + 16 - 1 / RATE)
    assert result.features["actions.scores"].max() == pytest.approx(0.92, abs=0.01)
    assert np.all(np.diff(result.features["actions.times"]) > 0)


def test_calm_is_sampled_now_and_then(task):
    show(task, film(60))
    result = task.finish(Timeline())
    assert task._net.looks == 60 // MAX_INTERVAL_SECONDS + 1
    assert result.report.extra == {"inferences": task._net.looks * WINDOW}
    assert result.events == []


def test_everything_around_a_suspicion_is_inferred(task):
    show(task, film(20, red=between(6, 14, 0.6)))
    result = task.finish(Timeline())
    times = result.features["actions.times"]
    around = times[(times > 2) & (times < 14)]
    assert np.diff(around).max() == pytest.approx(1)
    assert result.events == []


def test_more_motion_is_inferred_at_once(task):
    pixels = film(4)
    pixels[16:, 90:] += 60 * (np.arange(16) % 2).astype(np.uint8)[:, None, None, None]
    show(task, pixels)
    assert task._net.looks == 2
    assert task._last_scored[0].start == 2


@pytest.mark.parametrize(("lively", "share"), [(False, 0.2), (True, 1.0)])
def test_still_frames_and_moving_cameras_are_not_inferred(task, lively, share):
    show(task, film(10, lively=lambda second: lively, share=share, red=lambda second: 1.0))
    result = task.finish(Timeline())
    assert task._net.looks == 0
    assert result.events == []
    assert result.features["actions.scores"].tolist() == [0] * 9


@pytest.mark.parametrize("count", [2, 9, 15, 16, 19])
def test_a_short_video_is_one_window(task, count):
    show(task, film(3, red=lambda second: 1.0)[:count])
    (found,) = task.finish(Timeline()).events
    assert found.start == 0
    assert found.end == pytest.approx(min(count, 16) / RATE - 1 / RATE)


def test_one_frame_has_no_fight(task):
    show(task, film(1, red=lambda second: 1.0)[:1])
    assert task.finish(Timeline()).events == []


def test_no_frames_have_no_scores(task):
    result = task.finish(Timeline())
    assert (result.events, len(result.features["actions.times"]), len(result.features["actions.scores"])) == ([], 0, 0)


def test_the_end_of_the_video_is_inferred(task):
    show(task, film(10.6, red=between(9.9, 11)))
    scores = task.finish(Timeline()).features["actions.scores"]
    assert (scores.argmax(), scores.max()) == (len(scores) - 1, pytest.approx(0.92, abs=0.01))


def test_few_windows_are_buffered(task):
    for i in range(20):
        show(task, film(3), start=3 * i)
        assert len(task._postponed) <= MAX_INTERVAL_SECONDS
        assert len(task._frames) == WINDOW


def test_events_need_a_high_score_and_last_to_a_low_one():
    rows = np.array([[i, i + 2, score] for i, score in enumerate([0.6, 0.9, 0.6, 0.7, 0.4, 0.7])])
    assert [(e.start, e.end, e.score) for e in fight_events(rows, "fight")] == [(1, 5, 0.9)]


def test_one_high_score_is_an_event_only_if_there_is_no_other():
    rows = np.array([[0, 2, 1.0], [1, 3, 0.2]])
    assert fight_events(rows, "fight") == []
    assert len(fight_events(rows[:1], "fight")) == 1


def test_a_window_of_few_frames_repeats_them():
    from kinoscope.core.media import Frame

    frames = [Frame(picture, Fraction(i)) for i, picture in enumerate(film(1)[:4])]
    window = ActionWindow.from_frames(frames, WINDOW)
    assert window.pixels.shape == (WINDOW, HEIGHT, WIDTH, 3)
    assert np.array_equal(window.pixels[[0, -1]], np.stack([frames[0].pixels, frames[-1].pixels]))
    assert (window.start, window.end) == (0, 3)


def test_any_model_of_clips_may_be_used(made):
    task = made(fake_card(("calm", "Fight"), frames=9, size=(160, 120), rate=4.0, task="classify"))
    pixels = film(30)[:48].repeat(2, 2)[:, :, :160].repeat(2, 1)[:, :120]
    pixels[:, 0, 0, 0] = 240
    pixels[:, 100:] = film(30)[:48, 92:, :1].repeat(160, 2)
    for i, picture in enumerate(pixels):
        task.process_frames(FrameBatch(picture[None], np.array([i / 4]), np.array([i])))
    (found,) = task.finish(Timeline()).events
    assert (found.label, found.start, found.score) == ("Fight", 0, pytest.approx(240 / 255, abs=1e-3))


def test_a_model_that_does_not_classify_clips_is_refused():
    with pytest.raises(ModelError, match="nanodet is a model for objects, and does not classify clips"):
        Actions(model="nanodet").needs(SourceInfo("a.mp4", 640, 360))


def test_audio_alone_has_no_actions():
    with pytest.raises(Skip, match=r"^no video$"):
        Actions().needs(SourceInfo("a.wav", has_audio=True))


@pytest.mark.models
def test_squares_that_pass_by_do_not_fight():
    try:
        load("mc3-18-fights")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    found = run(shapes(duration=2), [Actions()], threaded=False)
    assert (found.tasks["actions"].status, found.all_events) == ("ok", [])
    assert found.tasks["actions"].extra["inferences"] == WINDOW
