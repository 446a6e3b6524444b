import json
from dataclasses import dataclass
from typing import Any

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.options import parse_options as classification_options
from kinoscope.training.generation.options import GenerationOptions
from kinoscope.training.lipsync.options import LipSyncOptions
from kinoscope.training.options import (
    RENAMED,
    demand_minimum,
    new_or_resumed_options,
    parse_options,
    read_saved_options,
    rename_saved,
    save_options,
)
from kinoscope.training.prediction.options import PredictionOptions


@dataclass(frozen=True)
class Plain:
    steps: int = 3
    rate: float = 0.5
    wide: bool = True
    name: str = "x"

    def to_dict(self):
        return self.__dict__


def test_options_have_the_types_of_what_they_replace():
    assert parse_options(["steps=4", "rate=2", "wide=no", "name=y=z"], Plain(), "this") == Plain(4, 2.0, False, "y=z")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("step=4", "no option of train this 'step'; did you mean steps"),
        ("steps=many", "steps=many is no int; give such as steps=3"),
        ("wide=perhaps", "wide=perhaps is no true or false; give such as wide=True"),
        ("name", "name has no value; give name=x"),
    ],
)
def test_options_that_cannot_be(word, message):
    with pytest.raises(OptionError, match=message):
        parse_options([word], Plain(), "this")


def test_a_run_resumes_with_its_options_and_data(tmp_path):
    save_options(tmp_path / "options.json", Plain(7), {"task": "this", "data": "clips"})
    assert new_or_resumed_options(None, ["rate=1"], tmp_path, Plain(), "this") == (Plain(7, 1.0), "clips")
    assert new_or_resumed_options("rate=1", [], tmp_path, Plain(), "this") == (Plain(7, 1.0), "clips")
    assert new_or_resumed_options("others", ["steps=2"], None, Plain(), "this") == (Plain(2), "others")
    with pytest.raises(OptionError, match="no clips are given"):
        new_or_resumed_options("rate=1", [], None, Plain(), "this")


def test_damaged_options(tmp_path):
    (tmp_path / "options.json").write_text('{"options": {"steps": 3, "other": 1}}')
    with pytest.raises(ModelError, match="is damaged"):
        read_saved_options(tmp_path / "options.json", Plain)


def test_numbers_that_are_too_small():
    demand_minimum(Plain(), {"steps": 3})
    with pytest.raises(OptionError, match="steps is 3; give 4 or more"):
        demand_minimum(Plain(), {"steps": 4})
    with pytest.raises(OptionError, match="rate is -1; give 0 or more"):
        demand_minimum(Plain(rate=-1), {})


def test_old_names_of_options_are_accepted_with_a_warning(capsys):
    options = parse_options(["before=4", "horizon=5"], PredictionOptions(), "predict")
    assert (options.context, options.horizon) == (4, 5)
    assert capsys.readouterr().err == (
        "kinoscope: option before of train predict is now called context; the old name goes with the next release\n"
    )
    assert classification_options(["heat=0.2"]).temperature == 0.2
    assert "option heat of train classify is now called temperature" in capsys.readouterr().err
    assert classification_options(["augment.place=centre"]).augmentation.crop_position == "centre"
    saved = {"heat": 0.2, "augment_options": {"place": "centre", "flip": 0}, "epochs": 3}
    assert rename_saved("classify", saved) == {
        "temperature": 0.2, "augment_options": {"crop_position": "centre", "flip": 0}, "epochs": 3,
    }  # fmt: skip


def test_every_old_name_has_a_present_one():
    present: dict[str, Any] = {
        "classify": ClassificationOptions(),
        "generate": GenerationOptions(),
        "lipsync": LipSyncOptions(),
        "predict": PredictionOptions(),
    }
    for task, renamed in RENAMED.items():
        names = {old: new for old, new in renamed.items() if "." not in old}
        assert set(names.values()) <= present[task].to_dict().keys()
        assert not names.keys() & present[task].to_dict().keys()


def test_options_of_a_run_of_an_earlier_release_are_read(tmp_path, capsys):
    saved = GenerationOptions(disc_frames=3, gan_loss="hinge", diversity_weight=2.0).to_dict()
    old = {present: name for name, present in RENAMED["generate"].items()}
    plain = {"task": "generate", "data": "x", "options": {old.get(name, name): value for name, value in saved.items()}}
    (tmp_path / "options.json").write_text(json.dumps(plain))
    options, metadata = read_saved_options(tmp_path / "options.json", GenerationOptions)
    assert (options.to_dict(), metadata["data"]) == (saved, "x")
    assert capsys.readouterr().err == ""
