from dataclasses import replace

import numpy as np
import pytest

from kinoscope.core.errors import ModelError
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.sampling import nearest_frames
from kinoscope.models.card import Card
from kinoscope.pipeline.engine import run
from kinoscope.source.synthetic.video import shapes
from kinoscope.tasks.base import Skip
from kinoscope.tasks.classify import BATCH_WINDOWS, Classify, mean_over_windows
from kinoscope.views.timeline import Timeline

FRAMES, RATE = 4, 4.0
CARD = Card(
    name="fake", task="classify", about="", licence="MIT", files=(), sources=(), input=(FRAMES, 6, 8, 3),
    outputs=((3,), (2,)), classes=("calm", "red"), rate=RATE,
)  # fmt: skip


class FakeNet:
    """Says ``red`` of a window with a probability that is the share of its frames that are red."""

    runtime = "fake"

    def __init__(self, card=CARD):
        self.card, self.sizes, self.windows = card, [], []

    def __call__(self, batch):
        assert batch.shape[1:] == self.card.input
        self.sizes.append(len(batch))
        self.windows += list(batch)
        share = np.clip((batch[:, :, 0, 0, 0] > 127).mean(1), 1e-3, 1 - 1e-3)
        logits = np.log(np.stack([1 - share, share], 1)).astype(np.float32)
        return np.zeros((len(batch), 3), np.float32), logits


@pytest.fixture
def net(monkeypatch):
    made = FakeNet()
    monkeypatch.setattr("kinoscope.tasks.classify.find_classifier", lambda name: made.card)
    monkeypatch.setattr("kinoscope.tasks.classify.make_runner", lambda card, *_, **__: made)
    return made


def watch(times, red=lambda time: False, info=None):
    """Show frames at (N,) times in seconds, red or not, whose green is their number; return the task's result."""
    task = Classify(model="mine")
    needs = task.needs(info or SourceInfo("a.mp4", 640, 360))
    assert (needs.sizes, needs.rate) == (((8, 6),), None)
    pixels = np.zeros((len(times), 6, 8, 3), np.uint8)
    pixels[..., 0] = np.array([255 * red(time) for time in times]).reshape(-1, 1, 1)
    pixels[..., 1] = np.arange(len(times))[:, None, None]
    for i in range(0, len(times), needs.batch):
        part = slice(i, i + needs.batch)
        task.process_frames(FrameBatch(pixels[part], np.asarray(times[part], float), np.arange(len(times))[part]))
    return task.finish(Timeline())


def test_a_window_slides_by_half_its_length(net):
    result = watch(np.arange(48) / 8 + 10)
    # Six seconds from 10 s on; windows of one second, one every half.
    assert result.features["classify.times"].tolist() == [10.5 + i / 2 for i in range(11)]
    assert result.features["classify.scores"].shape == (11, 2)
    assert result.report.extra == {"inferences": 44, "top": [["calm", pytest.approx(0.999)], ["red", 0.001]]}
    assert (result.report.model, result.report.runtime) == ("fake", "fake")


@pytest.mark.parametrize("rate", [2, 4, 5, 7.3, 25])
def test_a_window_sees_what_is_on_screen_whatever_the_frame_rate(net, rate):
    times = 3 + np.arange(round(4 * rate)) / rate
    watch(times)
    for i, window in enumerate(net.windows[:-1]):
        wanted = 3 + i / 2 + np.arange(FRAMES) / RATE
        assert window[:, 0, 0, 1].tolist() == nearest_frames(times, wanted).tolist()


def test_an_event_lasts_as_long_as_the_class_is_probable(net):
    result = watch(np.arange(80) / 8, lambda time: 4 <= time < 7)
    assert [(e.label, e.start, e.end) for e in result.events if e.label == "red"] == [("red", 4.0, 7.0)]
    (red,) = [e for e in result.events if e.label == "red"]
    assert red.score == pytest.approx(0.999)
    assert [(e.start, e.end) for e in result.events if e.label == "calm"] == [(0, 4), (7, 10)]
    assert all(e.task == "classify" for e in result.events)


def test_the_end_is_classified(net):
    result = watch(np.arange(27) / 8, lambda time: time >= 2.5)
    # 3.375 s are 14 pictures for the model: windows from picture 0, 2, ... 10, the last being the end.
    assert len(net.windows) == 6
    assert result.features["classify.scores"][-1, 1] == pytest.approx(0.999)
    (red,) = [e for e in result.events if e.label == "red"]
    assert red.end == pytest.approx(27 / 8)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_video_no_longer_than_a_window_has_one_event(net, count):
    result = watch(5 + np.arange(count) / 8, lambda time: True)
    (event,) = result.events
    assert (event.label, event.start) == ("red", 5)
    assert event.end == pytest.approx(5 + (count / 8 if count > 1 else 1 / RATE))
    assert len(net.windows) == 1


def test_a_short_video_is_played_to_and_fro(net):
    watch(np.arange(2) / 4)
    # Half a second of a window of one: pictures at 0, .25 and back from .5.
    assert net.windows[0][:, 0, 0, 1].tolist() == [0, 1, 1, 0]


def test_windows_go_through_the_network_together(net):
    watch(np.arange(8 * 30) / 8)
    assert len(net.windows) == 59
    assert max(net.sizes) >= BATCH_WINDOWS
    assert len(net.sizes) < 10


def test_a_live_source_is_classified_at_once(net):
    task = Classify(model="mine")
    task.needs(SourceInfo("camera:0", 640, 360, live=True))
    for i in range(10):
        task.process_frames(FrameBatch(np.zeros((1, 6, 8, 3), np.uint8), np.array([i / 8]), np.array([i])))
    # The fourth picture for the model, of 0.75 s, is over when that of 0.875 s comes.
    assert net.sizes == [1]


def test_invalid_timestamps_do_not_stall(net):
    result = watch(np.concatenate([np.arange(16) / 8, 95_000 + np.arange(16) / 8]))
    assert len(net.windows) <= 7
    assert np.all(np.diff(result.features["classify.times"]) > 0)


def test_no_video_no_model_and_no_frames():
    with pytest.raises(Skip, match=r"^no video$"):
        Classify().needs(SourceInfo("a.wav", has_audio=True))


def test_no_frames_have_no_events(net):
    result = watch(np.zeros(0))
    assert (result.events, result.features["classify.scores"].shape) == ([], (0, 2))


def test_a_model_must_be_given(monkeypatch):
    monkeypatch.setattr("kinoscope.tasks.classify.cards_for_task", lambda task: [])
    with pytest.raises(ModelError, match="--model classify=FOLDER"):
        Classify().needs(SourceInfo("a.mp4", 640, 360))


def test_many_labels_have_probabilities_of_their_own(net):
    from dataclasses import replace

    net.card = replace(CARD, multilabel=True, temperature=2.0)
    result = watch(np.arange(32) / 8, lambda time: True)
    # Logits ln 0.001 and ln 0.999, halved: odds of the square roots.
    odds = np.sqrt([0.001, 0.999])
    assert result.features["classify.scores"][0] == pytest.approx(odds / (1 + odds), rel=1e-4)


def test_the_mean_over_time_of_a_worked_case():
    # Windows 0-4, 2-6 and, apart, 10-14.
    edges, means = mean_over_windows(np.array([0, 2, 10]), 4, np.array([[1.0], [0.0], [0.6]]))
    assert edges.tolist() == [0, 2, 4, 6, 10, 14]
    assert means[:, 0] == pytest.approx([1, 0.5, 0, 0, 0.6])


def test_the_engine_runs_it(net):
    found = run(shapes(duration=3, rate=10), [Classify(model="mine")], threaded=False)
    assert found.tasks["classify"].status == "ok"
    assert [(e.label, e.start, e.end) for e in found.all_events] == [("calm", 0, 3)]
    assert isinstance(found.tasks["classify"].extra["top"], list)


def test_fake_cards_are_classifiers():
    from kinoscope.models.inference.classifier import is_classifier

    assert is_classifier(CARD)
    of_frames = replace(CARD, task="scenes", input=(6, 8, 3), outputs=((1,),), classes=("a",), rate=None)
    assert not is_classifier(of_frames)
