import json
from dataclasses import dataclass, fields

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.options import option
from kinoscope.pipeline.trainings import TRAININGS
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.generation.options import GenerationOptions
from kinoscope.training.options import TrainingOptions, new_or_resumed_options, read_saved_options, save_options
from kinoscope.training.prediction.options import PredictionOptions


@dataclass(frozen=True, kw_only=True)
class Plain(TrainingOptions):
    steps: int = option(3, "steps", low=1)
    rate: float = option(0.5, "rate", low=0)
    wide: bool = option(True, "whether it is wide")
    name: str = option("x", "name")


def options_of(data, pairs, resume=None):
    return new_or_resumed_options(Plain, "this", data, pairs, resume, "a folder of clips")


def test_options_have_the_types_of_what_they_replace():
    assert options_of("clips", ["steps=4", "rate=2", "wide=no", "name=y=z"])[0] == Plain(
        steps=4, rate=2.0, wide=False, name="y=z"
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "step=4",
            r"there is no option step; did you mean steps\? options of train this: steps, rate, wide, name",
        ),
        ("steps=many", "steps=many cannot be read; give a whole number"),
        ("wide=perhaps", "wide=perhaps cannot be read; give true or false"),
        ("name", "name is no option; give key=value, such as name=x"),
        ("steps=0", "steps=0 is not possible; give 1 or more"),
        ("rate=-1", "rate=-1 is not possible; give 0 or more"),
        ("seed=-1", "seed=-1 is not possible; give 0 to 2147483647"),
        ("device=gpu", "device=gpu is unknown; did you mean cpu\\? choose from auto, cpu, cuda"),
    ],
)
def test_options_that_cannot_be(word, message):
    with pytest.raises(OptionError, match=message):
        options_of("clips", [word])


def test_a_run_resumes_with_its_options_and_data(tmp_path):
    save_options(tmp_path / "options.json", Plain(steps=7), {"task": "this", "data": "clips"})
    assert options_of(None, ["rate=1"], tmp_path) == (Plain(steps=7, rate=1.0), "clips")
    assert options_of("rate=1", [], tmp_path) == (Plain(steps=7, rate=1.0), "clips")
    assert options_of("others", ["steps=2"]) == (Plain(steps=2), "others")
    with pytest.raises(OptionError, match=r"^no clips are given; train this needs a folder of clips$"):
        options_of("rate=1", [])


def test_a_run_of_another_training_is_named(tmp_path):
    save_options(tmp_path / "options.json", PredictionOptions(), {"task": "predict", "data": "clips"})
    with pytest.raises(ModelError, match=r"is a run of train predict, not this; resume it with `kinoscope train pred"):
        options_of(None, [], tmp_path)


def test_a_run_without_the_name_of_its_data_needs_it(tmp_path):
    save_options(tmp_path / "options.json", Plain(steps=7), {})
    assert options_of("clips", [], tmp_path) == (Plain(steps=7), "clips")
    with pytest.raises(OptionError, match=r"^no clips are given"):
        options_of(None, [], tmp_path)


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"file is no training run: it has no options.json"):
        options_of(None, [], tmp_path / "file")


def test_damaged_options(tmp_path):
    for options in ({"steps": 3, "other": 1}, {"steps": 0}, {"steps": "3"}):
        (tmp_path / "options.json").write_text(json.dumps({"options": options}))
        with pytest.raises(ModelError, match="is damaged"):
            read_saved_options(tmp_path / "options.json", Plain)


def test_old_names_of_options_are_accepted_with_a_warning(capsys):
    options = PredictionOptions.parse(["before=4", "horizon=5"], owner="train predict")
    assert (options.context, options.horizon) == (4, 5)
    assert capsys.readouterr().err == (
        "kinoscope: option before of train predict is now called context; the old name goes with the next release\n"
    )
    assert ClassificationOptions.parse(["heat=0.2"], owner="train classify").temperature == 0.2
    assert "option heat of train classify is now called temperature" in capsys.readouterr().err
    assert ClassificationOptions.parse(["augment.place=centre"]).augmentation.crop_position == "centre"
    saved = {"heat": 0.2, "augment_options": {"place": "centre", "flip": 0}, "epochs": 3}
    assert ClassificationOptions.rename(saved) == {
        "temperature": 0.2, "augment_options": {"crop_position": "centre", "flip": 0}, "epochs": 3,
    }  # fmt: skip


def test_every_old_name_has_a_present_one():
    kinds = {name: training.options_class for name, training in TRAININGS.items()}
    assert {name for name, kind in kinds.items() if kind.renamed} == {"classify", "generate", "lipsync", "predict"}
    for kind in kinds.values():
        names = {old: new for old, new in kind.renamed.items() if "." not in old}
        present = {field.name for field in fields(kind)}
        assert set(names.values()) <= present
        assert not names.keys() & present


def test_options_of_a_run_of_an_earlier_release_are_read(tmp_path, capsys):
    saved = GenerationOptions(disc_frames=3, gan_loss="hinge", diversity_weight=2.0).to_dict()
    old = {present: name for name, present in GenerationOptions.renamed.items()}
    plain = {"task": "generate", "data": "x", "options": {old.get(name, name): value for name, value in saved.items()}}
    (tmp_path / "options.json").write_text(json.dumps(plain))
    options, metadata = read_saved_options(tmp_path / "options.json", GenerationOptions)
    assert (options.to_dict(), metadata["data"]) == (saved, "x")
    assert capsys.readouterr().err == ""
