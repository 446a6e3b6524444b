"""The table of trainings: every row can be listed without torch, and loads what it names."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from kinoscope.core import plugins as core_plugins
from kinoscope.core.errors import OptionError, PluginError
from kinoscope.core.options import Options
from kinoscope.pipeline import trainings as table
from kinoscope.pipeline.training_help import help_of
from kinoscope.pipeline.trainings import PLUGINS, TRAININGS, Training, find_training, training_names
from kinoscope.results.train import describe_epoch
from kinoscope.training.options import TrainingOptions
from kinoscope.training.trainer import Trainer

NAMES = list(TRAININGS)


def test_the_six_trainings_are_listed_in_order():
    assert NAMES == ["classify", "segments", "sync", "lipsync", "generate", "predict"]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_loads_its_options_and_its_trainer(name):
    row = TRAININGS[name]
    assert row.name == name
    assert row.learns
    assert row.data
    assert issubclass(row.options_class, TrainingOptions)
    build = EntryPoint(name, row.trainer, PLUGINS).load()
    assert callable(build)
    kinds = {kind.task: kind for kind in _subclasses(Trainer)}
    assert name in kinds
    assert all(command.format("MODEL").count("MODEL") == 1 for command in row.usage)
    values = {"epoch": 1} | dict.fromkeys(row.columns, 0.25)
    assert describe_epoch(values, row.columns, 2).startswith("epoch 1/2  ")


def _subclasses(kind):
    return [one for direct in kind.__subclasses__() for one in [direct, *_subclasses(direct)]]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described_and_declared_once(name):
    kind = TRAININGS[name].options_class
    rows = kind.describe()
    assert all(text and not text.endswith(".") for _, _, text in rows)
    assert len({option for option, _, _ in rows}) == len(rows)
    assert {"seed", "device"} <= {option for option, _, _ in rows}
    assert kind.from_dict(kind().to_dict()) == kind()
    assert set(kind.changeable) <= set(kind().to_dict())


def test_only_one_class_parses_options():
    for name in NAMES:
        kind = TRAININGS[name].options_class
        assert not {"parse", "from_dict", "describe"} & {
            attribute for one in kind.__mro__ for attribute in vars(one) if one is not Options
        }


def test_the_help_of_every_training_loads_no_torch():
    script = (
        "import sys\n"
        "from kinoscope.pipeline.training_help import help_of\n"
        f"texts = [help_of(name) for name in {[None, *NAMES]}]\n"
        "print([name for name in ('torch', 'cv2', 'av') if name in sys.modules], len(texts))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[] 7\n"


def test_the_line_of_an_epoch():
    row = {"epoch": 3, "train_loss": 0.5, "val_loss": 0.25, "val_top1": 0.8, "other": 1.0, "seconds": 2.04}
    line = "epoch 3/9  loss 0.500  val loss 0.250  top-1 80.0 %  2.0 s"
    assert describe_epoch(row, find_training("classify").columns, 9) == line
    columns = find_training("sync").columns
    assert describe_epoch({"epoch": 2, "pair": 1, "loss": 3.5}, columns) == "epoch 2  pair 1  loss 3.500"


def test_an_unknown_training_is_refused():
    with pytest.raises(OptionError, match=r"there is no task 'clasify' to train; did you mean classify\? choose from"):
        find_training("clasify")


PLUGIN = Training(
    name="brightness", learns="the brightness", data="clips", options="tests.pipeline.test_trainings:TrainingOptions",
    trainer="tests.pipeline.test_trainings:no_trainer", columns={"loss": "loss {:.1f}"}, usage=("kinoscope x {}",),
)  # fmt: skip


def test_a_plugin_adds_a_training_but_replaces_none(monkeypatch):
    entries = {
        name: EntryPoint(name, "tests.pipeline.test_trainings:PLUGIN", PLUGINS) for name in ("brightness", "classify")
    }
    for module in (core_plugins, table):
        monkeypatch.setattr(module, "plugins", lambda group: entries if group == PLUGINS else {})
    assert training_names() == [*NAMES, "brightness"]
    assert find_training("brightness") == PLUGIN
    assert find_training("classify") is TRAININGS["classify"]
    assert "**brightness**: a plugin." in help_of()
    assert "Train brightness: learn the brightness." in help_of("brightness")
    entries["brightness"] = EntryPoint("brightness", "tests.pipeline.test_trainings:NAMES", PLUGINS)
    with pytest.raises(PluginError, match=r"plugin brightness of kinoscope\.trainings is no Training; update its"):
        find_training("brightness")
