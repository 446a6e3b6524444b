import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kinoscope.core import plugins
from kinoscope.core.errors import DatasetError, ModelError, OptionError, OutputError, TrainingError
from kinoscope.models.formats.trained_model import load_net
from kinoscope.models.trainable import classifiers
from kinoscope.training.checkpoint import LAST_CHECKPOINT, read_checkpoint
from kinoscope.training.classification.train import ClassificationTrainer
from kinoscope.training.logging import read_log
from tests.helpers.tiny_networks import NETWORK, dataset, make_clips, options, train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Put the tiny network into the table, and leave out the plots, which take long."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (NETWORK,))
    monkeypatch.setattr("kinoscope.training.classification.train.draw", lambda *_: [])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    """Return the run of a training of eight epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (NETWORK,))
        patch.setenv("KINOSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(options("epochs=8", "ema=0.5"), dataset(clips), tmp_path_factory.mktemp("runs") / "whole")


def log_of(folder):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_log(folder / "log.jsonl")]


def bytes_of(folder):
    return [(folder / name).read_bytes() for name in ("model.safetensors", "model.json", LAST_CHECKPOINT)]


class Stop:
    """Presses Ctrl-C at a step."""

    def __init__(self, step):
        self.step = step

    def __call__(self, done, total):
        if done == self.step:
            raise KeyboardInterrupt


def test_a_run_learns_and_leaves_all_of_it(trained):
    folder = trained.folder
    assert trained.details.scores.measures["top1"].value == 1
    assert trained.details.scores.measures["top1"].uniform == 0.5
    assert trained.details.clips == (8, 4)
    assert trained.details.steps == 2
    assert trained.rows[-1]["train_loss"] < trained.rows[0]["train_loss"]
    assert [row["epoch"] for row in read_log(folder / "log.jsonl")] == list(range(1, 9))
    names = {path.relative_to(folder).as_posix() for path in trained.written}
    assert names == {
        "options.json", "splits.json", "log.jsonl", "model.json", "model.safetensors", "scores.json",
        "curves.png", "confusion.png", "worst.png",
    }  # fmt: skip
    assert all(path.stat().st_size for path in trained.written)
    assert list((folder / "tensorboard").iterdir())
    plain = json.loads((folder / "options.json").read_text())
    assert plain["task"] == "classify"
    assert plain["options"]["size"] == [16, 12]
    assert plain["options"]["unfreeze"] == 1


def test_what_is_kept_is_a_model(trained, clips):
    net, facts = load_net(trained.folder)
    assert facts.classes == ("bright", "dark")
    assert facts.score["val top1"] == 1
    assert facts.temperature != 1
    bright = torch.zeros(1, 4, 12, 16, 3, dtype=torch.uint8)
    bright[..., 1] = 230
    dark = torch.zeros_like(bright)
    dark[..., 1] = 30
    assert net(torch.cat([bright, dark]))[1].argmax(1).tolist() == [0, 1]


def test_the_average_of_the_best_epoch_is_saved(clips, tmp_path):
    run = train(options("epochs=1", "ema=0.5"), dataset(clips), tmp_path / "run")  # the only epoch is the best
    tensors, metadata = read_checkpoint(run.folder / LAST_CHECKPOINT)
    assert (metadata["epoch"], metadata["best"], metadata["step"], metadata["averaged"]) == (1, 1, 2, 2)
    model = load_file(run.folder / "model.safetensors")
    assert model.keys() == {name.removeprefix("average.") for name in tensors if name.startswith("average.")}
    assert all(torch.equal(model[name], tensors[f"average.{name}"]) for name in model)
    assert not torch.equal(model["head.weight"], tensors["net.head.weight"])


HARD = ("net.dropout=0.3", "schedule=one-cycle", "augment=strong", "augment.mixup=0.2", "epochs=4", "accumulate=2")


@pytest.mark.parametrize("words", [HARD, ("optimizer=sgd", "ema=0", "epochs=4"), ("loss=arcface", "epochs=4")])
@pytest.mark.parametrize("step", [1, 5])
def test_resumed_is_as_if_never_interrupted(clips, tmp_path, words, step):
    data = dataset(clips)
    train(options(*words), data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="--resume-from"):
        train(options(*words), data, tmp_path / "cut", progress=Stop(step))
    assert read_checkpoint(tmp_path / "cut" / LAST_CHECKPOINT)[1]["epoch"] == (step - 1) // 2
    assert (tmp_path / "cut" / "model.json").exists() == (step > 2)
    train(options(*words), data, tmp_path / "cut", resume=True)
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")


def test_same_seed_same_result_whatever_the_workers(clips, tmp_path):
    for name, words in {"a": (), "b": ("workers=3",), "c": ("seed=1",)}.items():
        train(options("augment=light", "net.dropout=0.2", *words), dataset(clips), tmp_path / name)
    ours, theirs, other = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(ours["head.weight"], other["head.weight"])


def test_parts_of_a_batch_make_the_same_step(clips, tmp_path):
    for name, words in {"a": (), "b": ("accumulate=4",)}.items():
        train(options("net.norm=false", *words), dataset(clips), tmp_path / name)
    assert [row["train_loss"] for row in log_of(tmp_path / "a")] == pytest.approx(
        [row["train_loss"] for row in log_of(tmp_path / "b")], abs=1e-6
    )


def test_frozen_stages_stay_as_they_were(clips, tmp_path):
    words = ("unfreeze=0.5", "freeze_norms=true", "weight_decay=0.1")
    before = read_first(options(*words), dataset(clips), tmp_path / "first")
    train(options(*words), dataset(clips), tmp_path / "run")
    after = within_net(tmp_path / "run")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("maps.0.")} <= same
    # Of the second stage, the norm alone stays.
    assert {name for name in before if name.startswith("maps.1.1.")} <= same
    assert not {"maps.1.0.weight", "head.weight"} & same


def within_net(folder):
    tensors, _ = read_checkpoint(folder / LAST_CHECKPOINT)
    return {name.removeprefix("net."): one for name, one in tensors.items() if name.startswith("net.")}


def read_first(chosen, data, folder):
    """Return the weights of a run before its first step."""
    with pytest.raises(KeyboardInterrupt):
        train(chosen, data, folder, progress=Stop(1))
    return within_net(folder)


def test_folds_validate_every_clip_once(clips, tmp_path):
    data, seen = dataset(clips), []
    for number in (1, 2, 3):
        run = train(options(f"fold={number}/3", "epochs=1"), data, tmp_path / str(number))
        plain = json.loads((tmp_path / str(number) / "splits.json").read_text())
        assert run.details.clips == (8, 4)
        seen += plain["val"]
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == len(data.examples)


def test_training_stops_when_nothing_gets_better(clips, tmp_path):
    run = train(options("lr=0", "epochs=50", "patience=3", "ema=0", "net.norm=false"), dataset(clips), tmp_path / "run")
    assert run.details.best == 1
    assert len(run.rows) == 4


def test_without_validation_the_last_epoch_is_kept(clips, tmp_path):
    run = train(options("val=0"), dataset(clips), tmp_path / "run")
    assert run.details.best == 3
    assert run.details.scores is None
    assert run.details.clips == (12, 0)
    assert not (tmp_path / "run" / "worst.png").exists()


@pytest.mark.parametrize("loss", ["focal", "triplet", "contrastive", "arcface", "cross-entropy"])
def test_every_loss_learns(clips, tmp_path, loss):
    words = ("epochs=12", "ema=0.5", "margin=0.1", "scale=10")
    run = train(options(f"loss={loss}", *words), dataset(clips), tmp_path / "run")
    assert run.details.scores.measures["top1"].value == 1


def test_data_of_several_labels(tmp_path):
    make_clips(tmp_path / "clips", 4, ("a", "a|b", "b"))
    run = train(options("epochs=2"), dataset(tmp_path / "clips"), tmp_path / "run")
    assert run.options.loss == "binary"
    assert "val_map" in run.rows[0]
    assert load_net(tmp_path / "run")[1].multilabel
    with pytest.raises(OptionError, match="set loss=binary"):
        train(options("loss=focal"), dataset(tmp_path / "clips"), tmp_path / "other")


def test_a_dry_run_writes_nothing(clips, tmp_path):
    run = train(options(), dataset(clips), tmp_path / "run", dry_run=True)
    assert run.folder is None
    assert run.rows[0]["val_loss"] > 0
    assert run.details.parameters[0] == run.details.parameters[1] == run.parameters > 0
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_and_names_the_batch(clips, tmp_path):
    with pytest.raises(TrainingError) as error:
        train(options("net.breaks=3"), dataset(clips), tmp_path / "run")
    message = str(error.value)
    assert "\n" not in message
    assert "epoch 2 of 3, step 1 of 2" in message
    assert ".mkv" in message
    assert "lr=0.002" in message
    tensors, facts = read_checkpoint(tmp_path / "run" / LAST_CHECKPOINT)
    assert facts["epoch"] == 1
    assert all(bool(torch.isfinite(one).all()) for one in tensors.values())
    assert load_net(tmp_path / "run")


def test_a_full_disk_leaves_the_last_checkpoint(clips, tmp_path, monkeypatch):
    from safetensors import torch as library

    real, calls = library.save_file, []

    def save(tensors, path, *rest):
        calls.append(path)
        if len(calls) == 5:  # the checkpoint of the second epoch
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tensors, path, *rest)

    monkeypatch.setattr(library, "save_file", save)
    with pytest.raises(OutputError, match="disk is full"):
        train(options("ema=0.5"), dataset(clips), tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / LAST_CHECKPOINT)[1]["epoch"] == 1
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("[!.]*")] == ["last.safetensors"]
    monkeypatch.setattr(library, "save_file", real)
    assert len(train(options("ema=0.5"), dataset(clips), tmp_path / "run", resume=True).rows) == 3


def copy(trained, tmp_path):
    return shutil.copytree(trained.folder, tmp_path / "copy")


def test_a_truncated_checkpoint_is_reported(trained, clips, tmp_path):
    folder = copy(trained, tmp_path)
    whole = (folder / LAST_CHECKPOINT).read_bytes()
    (folder / LAST_CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        train(trained.options, dataset(clips), folder, resume=True)
    (folder / LAST_CHECKPOINT).unlink()
    with pytest.raises(ModelError, match="nothing to resume"):
        train(trained.options, dataset(clips), folder, resume=True)


def test_a_checkpoint_of_something_else_is_reported(trained, clips, tmp_path, monkeypatch):
    folder = copy(trained, tmp_path)
    with pytest.raises(OptionError, match=r"the run has lr=0.02, not 0.5"):
        train(options("epochs=8", "ema=0.5", "lr=0.5"), dataset(clips), folder, resume=True)
    monkeypatch.setattr(ClassificationTrainer, "task", "segment")
    with pytest.raises(ModelError, match="of task classify, not segment"):
        train(trained.options, dataset(clips), folder, resume=True)


def test_a_checkpoint_of_other_classes_is_reported(trained, tmp_path):
    other = make_clips(tmp_path / "clips", 6, ("light", "night"))
    folder = copy(trained, tmp_path)
    plain = json.loads((folder / "splits.json").read_text())
    renamed = {
        name: [one.replace("bright", "light").replace("dark", "night") for one in part]
        for name, part in plain.items()
        if name != "root"
    }
    (folder / "splits.json").write_text(json.dumps(plain | renamed))
    with pytest.raises(ModelError, match="has the classes bright, dark, and the data light, night"):
        train(trained.options, dataset(other), folder, resume=True)


def test_a_network_of_a_plugin_is_trained_and_loaded(clips, tmp_path, monkeypatch):
    entry = EntryPoint("tiny", "tests.helpers.tiny_networks:NETWORK", classifiers.PLUGINS)
    monkeypatch.setattr(classifiers, "NETWORKS", ())
    for module in (plugins, classifiers):
        monkeypatch.setattr(module, "plugins", lambda group: {"tiny": entry} if group == classifiers.PLUGINS else {})
    run = train(options("epochs=1"), dataset(clips), tmp_path / "run")
    assert load_net(run.folder)[1].network == "tiny"
    with pytest.raises(OptionError, match="no network is called 'tinny'; did you mean tiny"):
        classifiers.find_network("tinny")


def test_starting_from_a_trained_model(trained, clips, tmp_path):
    run = train(options(f"start={trained.folder}", "lr=0", "epochs=1", "ema=0"), dataset(clips), tmp_path / "run")
    assert run.options.unfreeze == 0.25
    assert run.options.freeze_norms
    assert run.details.scores.measures["top1"].value == 1


def test_other_classes_start_again_on_the_same_trunk(trained, tmp_path):
    data = dataset(make_clips(tmp_path / "clips", 3, ("a", "b", "c")))
    first = read_first(options(f"start={trained.folder}"), data, tmp_path / "run")
    theirs = load_file(trained.folder / "model.safetensors")
    assert torch.equal(first["maps.0.0.weight"], theirs["maps.0.0.weight"])
    assert first["head.weight"].shape == (3, 4)
    with pytest.raises(ModelError, match=r"other options of the network \(maps.0.1"):
        train(options(f"start={trained.folder}", "net.norm=false"), data, tmp_path / "other")
    with pytest.raises(ModelError, match="no trained model"):
        train(options(f"start={tmp_path}"), data, tmp_path / "other")


def test_unreadable_clips_are_skipped_and_reported(tmp_path):
    root = make_clips(tmp_path / "clips")
    for name in ("bright/0.mkv", "dark/3.mkv"):
        (root / name).write_bytes(b"no video")
    run = train(options(), dataset(root), tmp_path / "run")
    assert sorted(Path(path).name for path in run.unreadable) == ["0.mkv", "3.mkv"]


def test_a_class_of_one_clip_is_reported(tmp_path):
    root = make_clips(tmp_path / "clips", 3)
    for name in ("1.mkv", "2.mkv"):
        (root / "dark" / name).unlink()
    with pytest.raises(DatasetError, match="class dark is missing from val"):
        train(options(), dataset(root), tmp_path / "run")


def test_clips_that_the_network_cannot_take(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(NETWORK.build, "forward", lambda self, pixels: pixels.float().reshape(7, -1))
    with pytest.raises(OptionError, match="tiny cannot take 4 frames of 16x12"):
        train(options(), dataset(clips), tmp_path / "run")


ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tests" / "helpers" / "train_in_processes.py"
FOLDERS = (str(ROOT), str(ROOT / "src"))


def free_ports(count):
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def start(world, *arguments):
    """Start processes as torchrun does, and wait for them."""
    common = os.environ | {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, arguments)],
            env=common | {"PYTHONPATH": os.pathsep.join(FOLDERS), "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for process in running:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors


def test_two_processes_learn_as_one(clips, tmp_path):
    words = ("net.norm=false", "augment=light", "epochs=4", "batch=8")
    losses = ("cross-entropy", "triplet")  # the second compares the clips of both processes
    pairs = zip(losses, free_ports(2), strict=True)
    start(2, clips, tmp_path / "two", ",".join(f"{loss}={port}" for loss, port in pairs), *words)
    for loss in losses:
        train(options(f"loss={loss}", *words), dataset(clips), tmp_path / "one" / loss)
        ours, theirs = log_of(tmp_path / "one" / loss), log_of(tmp_path / "two" / loss)
        for name in ("train_loss", "val_loss", "val_top1"):
            assert [row[name] for row in ours] == pytest.approx([row[name] for row in theirs], abs=1e-5)
        one, two = (load_file(tmp_path / name / loss / "model.safetensors") for name in ("one", "two"))
        assert all(np.allclose(one[name], two[name], atol=1e-4) for name in one)
