"""Which class of object a card or a folder is."""

import json

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.models import CARDS
from kinoscope.pipeline import model_loading
from kinoscope.pipeline.detectors import DETECTORS
from kinoscope.pipeline.generative_models import Generator
from kinoscope.pipeline.loaded_models import Classifier

KINDS = {
    "Detector": ["nanodet", "yolox-nano", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "ppocr-v4-det"],
    "Classifier": ["fight", "mc3-18-fights"],
    "SyncModel": ["lips-points", "lips-pixels", "lips-audio"],
}


@pytest.mark.parametrize("card", CARDS, ids=[card.name for card in CARDS])
def test_every_card_has_a_class(card, monkeypatch):
    kind = model_loading._class_of(card)
    expected = next((name for name, cards in KINDS.items() if card.name in cards), "FeatureExtractor")
    assert kind.__name__ == expected
    assert expected != "Detector" or card.task in DETECTORS


def test_a_folder_is_what_it_was_trained_for(tiny, tmp_path, monkeypatch):
    folder = tiny()
    assert isinstance(model_loading.load(str(folder)), Classifier)
    for task in ("generate", "predict", "sync"):
        (tmp_path / task).mkdir()
        (tmp_path / task / "model.json").write_text(json.dumps({"task": task}))
        calls: list[tuple] = []
        monkeypatch.setitem(model_loading.FOLDER_CLASSES, task, lambda *call, calls=calls: calls.append(call))
        model_loading.load(str(tmp_path / task), "cpu", 2)
        assert calls == [(str(tmp_path / task), "cpu", 2)]


def test_a_name_takes_precedence_over_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fight").mkdir()
    model = model_loading.load("fight", "cpu")
    assert isinstance(model, Classifier)
    assert model.card.bundled


def test_a_bundled_generator_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    model = model_loading.load("shapes", "cpu")
    assert isinstance(model, Generator)
    assert model.labels == ("square", "disc", "triangle")


def test_a_model_of_another_task_names_the_verb(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"task": "lipsync"}))
    with pytest.raises(
        ModelError, match=r"was trained to lipsync, which no object does; give it to the verb, as in kino"
    ):
        model_loading.load(str(tmp_path))


def test_a_model_of_an_unknown_task_names_those_that_can_be_loaded(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"task": "segments"}))
    with pytest.raises(ModelError, match="to segments, which no object does; load a model of: classify, generate, pre"):
        model_loading.load(str(tmp_path))


def test_a_number_of_threads_that_no_processor_has_is_refused():
    with pytest.raises(OptionError, match="threads 0 is not possible; give 1 or more"):
        model_loading.load("fight", threads=0)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"is no trained model: it has no model\.json"):
        model_loading.load(str(tmp_path))


def test_an_unknown_name_is_suggested(tmp_path):
    with pytest.raises(
        OptionError, match="no model is called nanodt, and it is no folder of a trained one; did you mean"
    ):
        model_loading.load("nanodt")
    with pytest.raises(OptionError, match="runs/nothing is no folder; give that of a trained model, or a name of"):
        model_loading.load("runs/nothing")


def test_an_unknown_device_is_an_error():
    with pytest.raises(OptionError, match="device tpu is not known"):
        model_loading.load("fight", "tpu")
