import json
import re
import shutil
from pathlib import Path

import pytest

import kinoscope
from kinoscope.core.errors import OptionError
from kinoscope.core.options import format_value
from kinoscope.pipeline.training_help import options_of
from kinoscope.pipeline.trainings import TRAININGS
from tests.helpers import tiny_networks as tiny_training

# What the tests of learning make their clips and their network with.
QUICK = ("net=tiny", "augment=none", "epochs=2", "batch=4", "workers=1", "device=cpu", "lr=0.02", "val=0.33")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return tiny_training.make_clips(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Put the tiny network into the table, work in a folder of the test's own, and draw nothing, which takes long."""
    monkeypatch.setattr("kinoscope.training.classification.train.draw", lambda *_: [])
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (tiny_training.NETWORK,))
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_run_is_reported_and_can_be_used(kinoscope, clips, place):
    call = kinoscope("train", "classify", clips, *QUICK)
    folder = Path("runs/classify/clips1")
    assert call.status == 0
    assert "8 training clips, 4 validation clips" in call.out
    assert "95 % interval" in call.out
    assert "chance" in call.out
    assert f"kinoscope evaluate {folder} CLIPS" in call.out
    assert call.err.splitlines()[0].startswith("epoch 1/2  loss ")
    told = kinoscope("classify", next((clips / "dark").iterdir()), "--model", folder, "--device", "torch")
    assert told.status == 0
    assert "dark" in told.out


@pytest.mark.slow
def test_runs_are_numbered_and_named(clips, place):
    for _ in range(2):
        kinoscope.train("classify", str(clips), *QUICK, name="mine", quiet=True)
    assert sorted(path.name for path in Path("runs/classify").iterdir()) == ["mine1", "mine2"]


def test_as_json(kinoscope, clips, place):
    call = kinoscope("train", "classify", clips, *QUICK, "--out", "run", "--json")
    plain = json.loads(call.out)
    assert plain["folder"] == "run"
    assert plain["clips"] == {"train": 8, "val": 4}
    assert plain["measures"]["top1"]["uniform"] == 0.5
    assert len(plain["log"]) == 2
    assert call.err == ""


@pytest.mark.slow
def test_a_run_is_not_overwritten_but_can_go_on(kinoscope, clips, place):
    assert kinoscope("train", "classify", clips, *QUICK, "-o", "run", "--quiet").status == 0
    before = Path("run/model.safetensors").read_bytes()
    again = kinoscope("train", "classify", clips, *QUICK, "-o", "run")
    assert again.status == 2
    assert again.err == "kinoscope: run holds a run already; resume it with --resume-from run, or give another folder\n"
    for words in ((), (clips,), ("epochs=2",)):
        assert kinoscope("train", "classify", *words, "--resume-from", "run", "--quiet").status == 0
    assert Path("run/model.safetensors").read_bytes() == before
    other = kinoscope("train", "classify", clips, "epochs=9", "--resume-from", "run")
    assert other.status == 2
    assert "the run has epochs=2, not 9" in other.err
    nothing = kinoscope("train", "classify", clips, "--resume-from", place)
    assert "is no training run" in nothing.err


@pytest.mark.slow
@pytest.mark.parametrize("words", [("-o", "other"), ("--name", "mine")])
def test_a_run_resumes_in_its_own_folder_alone(kinoscope, clips, place, words):
    assert kinoscope("train", "classify", clips, *QUICK, "-o", "run", "--quiet").status == 0
    call = kinoscope("train", "classify", "--resume-from", "run", *words)
    assert call.err == ("kinoscope: out and name are for a new run, and this one resumes in run; leave them out\n")
    assert (call.status, kinoscope("train", "classify", "--resume-from", "run", "-o", "run").status) == (2, 0)


def test_ctrl_c_says_how_to_go_on(kinoscope, clips, place, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("kinoscope.training.classification.train.ClassificationTrainer.train_epoch", interrupted)
    call = kinoscope("train", "classify", clips, *QUICK, "--quiet")
    assert call.status == 1
    assert call.err == "kinoscope: interrupted: no epoch was finished; resume with --resume-from runs/classify/clips1\n"


def test_a_preview(kinoscope, clips, place):
    call = kinoscope("train", "classify", clips, "net=tiny", "--preview")
    assert call.out == "runs/classify/clips-preview.png\n"
    assert Path(call.out.strip()).stat().st_size > 1000
    assert json.loads(kinoscope("train", "classify", clips, "net=tiny", "--preview", "-o", "p", "--json").out) == {
        "preview": "p/clips-preview.png"
    }


def test_a_check(kinoscope, clips, place):
    call = kinoscope("train", "classify", clips, "net=tiny", "--check")
    assert call.out.startswith("12 clips checked")
    plain = json.loads(kinoscope("train", "classify", clips, "net=tiny", "--check", "--json").out)
    assert plain["checked"] == 12
    assert plain["counts"]["tiny"] == 12
    assert "silent" not in plain["counts"]
    assert not Path("runs").exists()


def test_a_check_that_finds_broken_clips_or_leaks_exits_with_1(kinoscope, clips, place):
    leaky = place / "leaky"
    for split in ("train", "val"):
        shutil.copytree(clips, leaky / split)
    call = kinoscope("train", "classify", leaky, "net=tiny", "--check")
    assert call.status == 1
    assert " leak: in two splits: its file, its content or its group\n" in call.out
    broken = place / "broken"
    shutil.copytree(clips, broken)
    next((broken / "dark").iterdir()).write_text("no video")
    assert kinoscope("train", "classify", broken, "net=tiny", "--check", "--json").status == 1


@pytest.mark.parametrize("task", ["generate", "predict", "sync", "lipsync"])
def test_a_check_is_of_any_training_and_never_begins_one(kinoscope, clips, place, task):
    call = kinoscope("train", task, clips, "--check", "--json")
    counts = json.loads(call.out)["counts"]
    assert counts["tiny"] == 12
    assert counts.get("silent", 0) == (12 if task in ("sync", "lipsync") else 0)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "words",
    [
        "generate synthetic:moving --check",
        "segments a.json --check",
        "predict CLIPS --preview",
        "segments a.json --dry-run",
        "segments a.json --resume-from run",
        "segments a.json --out run",
        "segments a.json --name run",
    ],
)
def test_what_a_training_does_not_do_is_not_passed_over(kinoscope, clips, place, words):
    call = kinoscope("train", *words.replace("CLIPS", str(clips)).split())
    assert call.status == 2
    assert words.rpartition("--")[2].split()[0] in call.err
    assert not Path("runs").exists()


def test_a_dry_run(kinoscope, clips, place):
    call = kinoscope("train", "classify", clips, *QUICK, "--dry-run")
    assert call.status == 0
    assert "dry run, 2 steps an epoch" in call.out
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("classify", ".", "--name", "a/b"), "name a/b is a path; give a name, or the whole folder with -o FOLDER"),
        (("classify", ".", "--name", ".."), "name .. is a path"),
        (("sync", "nowhere"), "nowhere does not exist; check the path"),
        (("clasify", "."), "there is no task 'clasify' to train; did you mean classify?"),
        (("classify",), "no clips are given"),
        (("classify", "net=tiny"), "no clips are given"),
        (("classify", "nowhere", "net=tiny"), "nowhere does not exist"),
        (("classify", ".", "epoch=3"), "there is no option epoch; did you mean epochs?"),
        (("classify", "CLIPS", "net=tine"), "no network is called 'tine'; did you mean tiny?"),
        (("classify", "CLIPS", "net=tiny", "net.wide=3"), "network tiny has no option wide; it has: dropout"),
        (("classify", "CLIPS", "net=tiny", "start=nowhere"), "nowhere is no trained model"),
    ],
)
def test_bad_options_are_reported_in_one_line(kinoscope, clips, place, words, message):
    call = kinoscope("train", *(str(clips) if word == "CLIPS" else word for word in words))
    assert call.status == 2
    assert message in call.err
    assert call.err.count("\n") == 1
    assert not [path for path in Path().rglob("*") if path.is_file() and path.parent.name != "cache"]


def test_an_empty_class_and_one_of_a_single_clip(kinoscope, place):
    root = tiny_training.make_clips(place / "clips", 1)
    single = kinoscope("train", "classify", root, *QUICK)
    assert single.status == 2
    assert "it has one clip" in single.err
    (root / "empty").mkdir()
    assert "class empty is empty" in kinoscope("train", "classify", root, *QUICK).err


def test_help_lists_the_options(kinoscope):
    text = kinoscope("train", "classify", "--help").out
    assert "weight_decay" in text
    assert "augment.flip=0" in text


def test_the_help_of_a_training_lists_its_own_options_alone(kinoscope):
    """Of all options with their defaults, each stands in the help of its task, and only there."""
    for task in TRAININGS:
        text = " ".join(kinoscope("train", task, "--help").out.split())
        listed = {word.rstrip(":") for word in re.findall(r"• (\w+):", text)}
        assert listed == {name for name, _, _ in options_of(task)}
        assert all(
            " ".join(f"{about} [{default}]".split()) in text for _, default, about in options_of(task) if default
        )
    general = kinoscope("train", "--help").out
    assert "judge" not in general
    assert set(re.findall(r"• (\w+):", general)) == set(TRAININGS)


def test_help_names_every_network():
    from kinoscope.models.trainable import classifiers

    about = next(text for name, _, text in options_of("classify") if name == "net")
    for network in classifiers.NETWORKS:
        assert network.name == "tiny" or network.name in about


def test_the_defaults_in_the_help_are_those_that_are_used():
    for task, training in TRAININGS.items():
        used = training.options_class.defaults(()).to_dict()
        told = {name: default for name, default, _ in options_of(task)}
        assert told.keys() == {name for name in used if not name.endswith("_options")}
        for name, default in told.items():
            assert default == ("" if used[name] is None else format_value(used[name]))


def test_all_options_are_checked_before_the_data():
    with pytest.raises(OptionError, match="epochs=0"):
        kinoscope.train("classify", "nowhere", "epochs=0")
