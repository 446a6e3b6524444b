import json
from dataclasses import fields

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.options import read_saved_options, save_options


def parse_options(pairs, start=None):
    return ClassificationOptions.parse(pairs, start, "train classify")


def test_options_have_their_types():
    options = parse_options(
        ["net=cnn-lstm", "net.hidden=256", "net.bidirectional=true", "epochs=3", "lr=1e-4", "size=128x96",
         "balance=yes", "bf16=no", "augment=none", "augment.flip=0.5", "augment.crop_position=centre",
         "unfreeze=auto", "epochs=4"]
    )  # fmt: skip
    assert options.net == "cnn-lstm"
    assert options.net_options == {"hidden": 256, "bidirectional": True}
    assert options.epochs == 4
    assert options.lr == 1e-4
    assert options.size == (128, 96)
    assert options.balance is True
    assert options.bf16 is False
    assert options.unfreeze is None
    assert options.augmentation.flip == 0.5
    assert options.augmentation.crop == 1
    assert options.augmentation.crop_position == "centre"
    assert parse_options(["size=64"]).size == (64, 64)


def test_options_add_to_earlier_ones():
    first = parse_options(["net.hidden=8", "epochs=3"])
    assert parse_options(["net.dropout=0.1"], first).net_options == {"hidden": 8, "dropout": 0.1}
    assert parse_options([], first) == first


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("epoch=3", "there is no option epoch; did you mean epochs?"),
        ("augment.flp=0", "there is no option augment.flp; did you mean augment.flip?"),
        ("nets.hidden=3", "there is no option nets.hidden"),
        ("epochs", "epochs is no option; give key=value"),
        ("epochs=many", "epochs=many cannot be read; give a whole number"),
        ("lr=fast", "lr=fast cannot be read; give a number"),
        ("size=3x4x5", "size=3x4x5 cannot be read; give a size such as 160x160"),
        ("balance=perhaps", "give true or false"),
        ("loss=foccal", "loss=foccal is unknown; did you mean focal? choose from auto, cross-entropy"),
        ("epochs=0", "epochs=0 is not possible; give 1 to"),
        ("lr=nan", "lr=nan is not possible"),
        ("unfreeze=2", "unfreeze=2 is not possible; give 0 to 1"),
        ("fold=6/5", "fold=6/5 is not possible; give which of how many, such as 1/5"),
        ("fold=two", "fold=two is not possible; give which of how many, such as 1/5"),
        ("augment.flip=2", "flip=2 is not possible"),
        ("augment.flip=x", "augment.flip=x is no number"),
        ("size=0", "size=0x0 is not possible"),
    ],
)
def test_bad_options_are_reported_in_one_line(word, message):
    with pytest.raises(OptionError) as error:
        parse_options([word])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_does_not_go_together():
    with pytest.raises(OptionError, match=r"set augment\.mixup=0"):
        parse_options(["loss=triplet", "augment.mixup=0.2"])
    with pytest.raises(OptionError, match="a batch of at least 4"):
        parse_options(["loss=contrastive", "batch=2"])


def test_every_option_has_help():
    rows = ClassificationOptions.describe()
    named = {name for name, _, _ in rows}
    assert named == {field.name for field in fields(ClassificationOptions) if not field.name.endswith("_options")}
    assert all(text and default != "None" for _, default, text in rows)


def test_the_network_fills_what_is_open():
    own = Sampling(16, 8, (160, 160))
    assert ClassificationOptions().sampling(own) == own
    assert parse_options(["frames=4", "size=32"]).sampling(own) == Sampling(4, 8, (32, 32))


def test_saved_and_read_again(tmp_path):
    options = parse_options(["net.hidden=8", "size=64x48", "augment.flip=0", "epochs=3"])
    save_options(tmp_path / "options.json", options, {"task": "classify", "data": "clips"})
    assert read_saved_options(tmp_path / "options.json", ClassificationOptions) == (
        options,
        {"task": "classify", "data": "clips"},
    )


@pytest.mark.parametrize("text", [None, "{", "{}", '{"options": 3}', json.dumps({"options": {"size": None, "new": 1}})])
def test_what_is_no_run_is_reported(tmp_path, text):
    if text is not None:
        (tmp_path / "options.json").write_text(text)
    with pytest.raises(ModelError, match="no training run" if text is None else "damaged"):
        read_saved_options(tmp_path / "options.json", ClassificationOptions)


def test_strong_varies_more():
    light, strong = ClassificationOptions().augmentation, parse_options(["augment=strong"]).augmentation
    assert strong.crop < light.crop
    assert strong.erase > light.erase
    assert not strong.mixes
