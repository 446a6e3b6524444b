from dataclasses import dataclass

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.training.classification.options import save_options
from kinoscope.training.options import begin_or_go_on, demand_least, read_choices, read_saved


@dataclass(frozen=True)
class Plain:
    steps: int = 3
    rate: float = 0.5
    wide: bool = True
    name: str = "x"

    def to_dict(self):
        return self.__dict__


def test_words_are_typed_as_what_they_replace():
    assert read_choices(["steps=4", "rate=2", "wide=no", "name=y=z"], Plain(), "this") == Plain(4, 2.0, False, "y=z")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("step=4", "no option of train this 'step'; did you mean steps"),
        ("steps=many", "steps=many is no int; give such as steps=3"),
        ("wide=perhaps", "wide=perhaps is no true or false; give such as wide=True"),
        ("name", "name has no value; give name=x"),
    ],
)
def test_words_that_cannot_be(word, message):
    with pytest.raises(OptionError, match=message):
        read_choices([word], Plain(), "this")


def test_a_run_goes_on_with_its_options_and_data(tmp_path):
    save_options(tmp_path / "options.json", Plain(7), {"task": "this", "data": "clips"})
    assert begin_or_go_on(None, ["rate=1"], tmp_path, Plain(), "this") == (Plain(7, 1.0), "clips")
    assert begin_or_go_on("rate=1", [], tmp_path, Plain(), "this") == (Plain(7, 1.0), "clips")
    assert begin_or_go_on("others", ["steps=2"], None, Plain(), "this") == (Plain(2), "others")
    with pytest.raises(OptionError, match="no clips are given"):
        begin_or_go_on("rate=1", [], None, Plain(), "this")


def test_damaged_options(tmp_path):
    (tmp_path / "options.json").write_text('{"options": {"steps": 3, "other": 1}}')
    with pytest.raises(ModelError, match="is damaged"):
        read_saved(tmp_path / "options.json", Plain)


def test_numbers_that_are_too_small():
    demand_least(Plain(), {"steps": 3})
    with pytest.raises(OptionError, match="steps is 3; give 4 or more"):
        demand_least(Plain(), {"steps": 4})
    with pytest.raises(OptionError, match="rate is -1; give 0 or more"):
        demand_least(Plain(rate=-1), {})
