"""Models as objects: what they take and return."""

import copy
import dataclasses
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import ModelError, OptionError, SourceError
from kinoscope.models import find
from kinoscope.models.runtime.runner import Runner
from kinoscope.pipeline.evaluation.options import ScoredClipOptions
from kinoscope.pipeline.loaded_models import Classifier, FeatureExtractor, SyncModel
from kinoscope.pipeline.options import DecodingOptions
from kinoscope.results.sync import SyncResult
from kinoscope.source.video_object import Video
from tests.helpers.colour_clips import COLOURS, film


def clip(name: str, frames: int = 10) -> np.ndarray:
    """Return a clip (T, 12, 16, 3) of one colour."""
    return np.full((frames, 12, 16, 3), COLOURS[name], np.uint8)


@pytest.fixture
def classifier(tiny) -> Classifier:
    return Classifier(str(tiny()), "cpu")


def test_a_clip_has_a_probability_of_each_class(classifier):
    probabilities = classifier(clip("green"))
    assert next(iter(probabilities)) == "green"
    assert sum(probabilities.values()) == pytest.approx(1)
    assert probabilities["green"] == pytest.approx(1 / (1 + 2 * np.exp(-8 * 210 / 255)), rel=1e-4)
    assert classifier(iter(clip("green", 3))) == pytest.approx(probabilities)
    rows = classifier.probabilities([clip("green"), list(clip("red", 2))])
    assert rows.argmax(1).tolist() == [1, 0]


def test_frames_are_spread_over_the_clip(classifier):
    clips = np.concatenate([clip("red", 30), clip("blue", 10)])  # three of the four frames are red
    assert next(iter(classifier(clips))) == "red"
    large = np.repeat(np.repeat(clips, 5, 1), 5, 2)
    assert classifier(large) == pytest.approx(classifier(clips))


def test_what_is_no_clip_is_refused(classifier):
    with pytest.raises(OptionError, match="the clip has no frame"):
        classifier([])
    with pytest.raises(SourceError, match="frame 0 of frames is float32"):
        classifier(clip("red").astype(np.float32))


def test_a_classifier_predicts_the_segments_of_a_video(classifier, tmp_path):
    video = film(tmp_path / "a.mp4", ("red", 4), ("blue", 3))
    result = classifier.predict(video, out=tmp_path / "out")
    assert [(e.label, e.start, e.end) for e in result.segments] == [("red", 0, 4), ("blue", 4, 7)]
    assert (tmp_path / "out" / "timeline.json").exists()
    late = classifier.predict(Video(video, start=4), top=1)
    assert [label for label, _ in late.top] == ["blue"]
    early = classifier.predict(clip("green", 100), decoding=DecodingOptions(end=1))
    assert (early.source, type(early.source), early.top[0][0]) == ("frames", str, "green")


def test_one_video_is_taken_at_a_time(classifier, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        film(tmp_path / name, ("red", 1))
    for several, given in (
        (tmp_path, f"{tmp_path}, which stands for 2"),
        ([clip("red"), clip("red")], "a list of 2"),
        ([clip("red")], "a list of 1"),
    ):
        message = f"one video is taken at a time, not {given}; use a loop, or the verb of that"
        with pytest.raises(OptionError, match=re.escape(message)):
            classifier.predict(several)


def test_a_classifier_explains_a_clip(classifier, tmp_path):
    result = classifier.explain(clip("red", 40), out=tmp_path / "out", method="occlusion", target="red")
    assert (result.source, result.explanation.target) == ("frames", 0)
    assert (tmp_path / "out" / "explanation.json") in result.written


def test_a_classifier_is_scored_on_labelled_clips(classifier, tmp_path):
    for name in ("red", "green", "blue"):
        for number in range(2):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            film(tmp_path / "data" / name / f"{number}.mp4", (name, 1))
    result = classifier.evaluate(tmp_path / "data", clips=ScoredClipOptions(views=1), out=tmp_path / "out")
    assert result.scores is not None
    assert result.scores.measures["top1"].value == 1
    assert (tmp_path / "out" / "scores.json") in result.written
    assert classifier.evaluate(tmp_path / "data", clips=ScoredClipOptions(views=1)).written == []


def test_a_classifier_says_what_it_is(classifier):
    assert (classifier.name, classifier.labels) == ("model", ("red", "green", "blue"))
    assert classifier.card.task == "classify"
    assert repr(classifier).endswith("model'; labels: red, green, blue; openvino-fp32)")


def test_a_sync_model_measures_the_offset_of_a_video(monkeypatch):
    calls = []

    def measure(source, options):
        calls.append((source, options.models, options.device, options.source_options))
        return SyncResult(source)

    monkeypatch.setattr("kinoscope.pipeline.sync_measurement.measure", measure)
    model = SyncModel("lips-audio", "cpu")
    result = model.predict(Video("a.mp4", end=5), audio_track=1, decoding=DecodingOptions(start=2))
    assert (result.source, type(result.source)) == ("a.mp4", str)
    ((source, models, device, options),) = calls
    assert (source.options, models, device) == ({"end": 5}, {"sync": "auto"}, "cpu")
    assert (options["audio_track"], options["start"]) == (1, 2)
    assert set(model.metadata.pairs) <= {"points", "pixels"}
    with pytest.raises(OptionError, match="audio_track -1 is not possible"):
        model.predict("a.mp4", audio_track=-1)


def test_a_damaged_sync_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is no trained model: it has no model\.json"):
        SyncModel(str(tmp_path))


@pytest.fixture
def runner(monkeypatch):
    """Let runners return the mean of their input in place of each output; return the inputs."""
    seen = []

    def make(card, device, threads):
        def infer(array):
            seen.append(array)
            mean = array.reshape(len(array), -1).mean(1).astype(np.float32)
            return tuple(mean for _ in card.outputs)

        return Runner(card, "fake", infer, 100)

    monkeypatch.setattr("kinoscope.models.runtime.runner.make_runner", make)
    return seen


def test_images_are_resized_and_outputs_named(runner):
    extractor = FeatureExtractor("efficientnet-lite0")
    one = extractor(np.full((40, 60, 3), 7, np.uint8))
    assert {name: float(value) for name, value in one.items()} == {"features": 7, "logits": 7}
    several = extractor([np.full((40, 60, 3), level, np.uint8) for level in (1, 2)])
    assert several["features"].tolist() == [1, 2]
    assert [array.shape for array in runner] == [(1, 224, 224, 3), (2, 224, 224, 3)]
    assert extractor.outputs == ("features", "logits")
    assert extractor.labels[0] == "tench"


def test_clips_are_resized(runner):
    extractor = FeatureExtractor("transnetv2")
    assert extractor(np.full((100, 40, 60, 3), 3, np.uint8))["cut"] == 3
    assert extractor(np.zeros((2, 100, 40, 60, 3), np.uint8))["transition"].tolist() == [0, 0]
    assert [array.shape for array in runner] == [(1, 100, 27, 48, 3), (2, 100, 27, 48, 3)]
    with pytest.raises(
        OptionError, match=r"transnetv2 takes uint8 \(N, 100, 27, 48, 3\), not uint8 \(1, 9, 27, 48, 3\)"
    ):
        extractor(np.zeros((9, 40, 60, 3), np.uint8))


def test_outputs_without_names_are_numbered(runner, monkeypatch):
    card = dataclasses.replace(find("efficientnet-lite0"), name="mine", input=(3,), dtype="float32", output_names=())
    monkeypatch.setattr("kinoscope.pipeline.loaded_models.find", lambda name: card)
    extractor = FeatureExtractor("mine")
    assert extractor([1.0, 2, 6])["output0"] == 3
    assert extractor(np.zeros((2, 3)))["output1"].tolist() == [0, 0]


def test_texts_are_embedded(runner, monkeypatch):
    monkeypatch.setattr(
        "kinoscope.models.inference.sentence_embedder.SentenceEmbedder",
        lambda model, device: lambda texts: np.array([[len(text)] for text in texts], np.float32),
    )
    extractor = FeatureExtractor("minilm")
    assert extractor("a cat")["embedding"].tolist() == [5]
    assert extractor(["a", "bc"])["embedding"].tolist() == [[1], [2]]


@pytest.mark.parametrize(("name", "task"), [("whisper-tiny.en", "speech"), ("ppocr-v4-rec", "text")])
def test_a_model_that_does_not_run_alone_names_the_verb(name, task):
    with pytest.raises(ModelError, match=f"{name} does not run alone; give it to a verb, as in .*tasks='{task}'"):
        FeatureExtractor(name)


def test_paths_are_accepted(tiny, tmp_path):
    assert isinstance(tmp_path, Path)
    assert Classifier(str(tiny())).predict(film(tmp_path / "b.mp4", ("blue", 1))).top[0][0] == "blue"


def test_no_clip_has_no_probability_and_no_frame_is_an_error(classifier, runner):
    assert classifier.probabilities([]).shape == (0, 3)
    for nothing in (list[np.ndarray](), iter(())):
        with pytest.raises(SourceError, match="frames has no frame; give at least one"):
            FeatureExtractor("efficientnet-lite0")(nothing)


def _is_free(lock: threading.RLock) -> bool:
    """Return whether another thread could take a lock now."""
    found = []
    other = threading.Thread(target=lambda: found.append(lock.acquire(blocking=False)))
    other.start()
    other.join()
    return found == [True]


def test_calls_from_several_threads_wait_for_one_another(classifier, runner):
    extractor, free = FeatureExtractor("efficientnet-lite0"), []
    for model, call in ((classifier, lambda: classifier(clip("red"))), (extractor, lambda: extractor(clip("red")))):

        def infer(array, model=model, inner=model._runner):
            free.append(_is_free(model._lock))
            return inner(array)

        model._runner = infer
        call()
        assert _is_free(model._lock)
    assert free == [False, False]


def test_a_copy_is_the_model_itself_so_that_a_task_can_hold_one(classifier):
    assert copy.deepcopy({"model": classifier})["model"] is classifier
