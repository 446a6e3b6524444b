import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import kinoscope
from kinoscope.core.errors import DatasetError, OptionError, OutputError
from kinoscope.core.files import atomic_write, lock_exclusively
from kinoscope.models.inference.sync import LAGS_PER_FRAME, SyncEmbedder
from kinoscope.pipeline import run_folder
from kinoscope.pipeline.training_data import sync as module
from kinoscope.training.sync.data import AUDIO_CONTEXT_FRAMES, TalkingClip
from kinoscope.training.sync.pair import PairTraining


def talk(seed, frames=60):
    generator = np.random.default_rng(seed)
    mel = torch.from_numpy(
        generator.normal(-8, 2, ((frames + 2 * AUDIO_CONTEXT_FRAMES) * LAGS_PER_FRAME, 40)).astype(np.float32)
    )
    points = torch.from_numpy(generator.normal(0, 0.02, (frames, 61, 3)).astype(np.float32))
    pictures = torch.from_numpy(generator.integers(0, 256, (frames, 64, 64), np.uint8))
    return TalkingClip(f"{seed}.mp4", f"person {seed}", points, pictures, mel)


@pytest.fixture
def clips(monkeypatch):
    monkeypatch.setattr(module, "read_talking_clips", lambda *_: ([talk(n) for n in range(4)], {"x.mp4": "no face"}))


WORDS = ("pairs=points,pixels", "steps=3", "batch=4", "align=none", "val=0.25")


@pytest.mark.slow
def test_a_model_is_trained_scored_on_others_and_kept(clips, tmp_path):
    told = kinoscope.train("sync", str(tmp_path), *WORDS, out=tmp_path / "run", quiet=True).to_dict()
    assert told["clips"] == told["people"] == {"train": 3, "val": 1}
    assert told["unreadable"] == {"x.mp4": "no face"}
    assert set(told["within_a_frame"]) == {"15", "25", "50"}  # no talk is as long as 125 frames
    assert len(told["losses"]) == 2
    assert SyncEmbedder(str(tmp_path / "run")).metadata.pairs == ("points", "pixels")
    plain = json.loads((tmp_path / "run" / "model.json").read_text())
    assert plain["score"] == told["within_a_frame"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_pair_that_is_missing(clips, tmp_path, monkeypatch):
    run = tmp_path / "run"
    kinoscope.train("sync", str(tmp_path), *WORDS, out=tmp_path / "whole", quiet=True)
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    trained: list[str] = []
    real = PairTraining.train_steps

    def train_steps(pair, *args):
        if trained == ["points"]:
            trained.append("Ctrl-C")
            raise KeyboardInterrupt
        trained.append(pair.kind)
        return real(pair, *args)

    monkeypatch.setattr(PairTraining, "train_steps", train_steps)
    with pytest.raises(KeyboardInterrupt, match="epoch 1 is saved; resume with --resume-from"):
        kinoscope.train("sync", str(tmp_path), *WORDS, out=run, quiet=True)
    assert not (run / "model.safetensors").exists()
    kinoscope.train("sync", str(tmp_path), *WORDS, resume_from=run, quiet=True)
    assert trained == ["points", "Ctrl-C", "pixels"]
    assert (run / "model.safetensors").read_bytes() == whole


def test_a_model_of_another_training_is_never_replaced(clips, tmp_path):
    run = tmp_path / "run"
    with atomic_write(run / "model.json") as path:
        path.write_text("{}")
    with pytest.raises(OptionError, match="run holds a model already; give another folder"):
        kinoscope.train("sync", str(tmp_path), *WORDS, out=run, quiet=True)
    with pytest.raises(OptionError, match="run holds a model already; give another folder"):
        run_folder.prepare_run(run)
    assert (run / "model.json").read_text() == "{}"


@pytest.mark.slow
def test_pairs_that_learned_from_other_clips_are_not_taken_for_these(clips, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    kinoscope.train("sync", str(tmp_path / "a"), *WORDS, out=tmp_path / "run", quiet=True)
    whole = (tmp_path / "run" / "model.safetensors").read_bytes()
    with pytest.raises(OptionError, match="run holds a run already; resume it with --resume-from"):
        kinoscope.train("sync", str(tmp_path / "b"), *WORDS, out=tmp_path / "run", quiet=True)
    with pytest.raises(OptionError, match="learned from 3 clips of 3 people in a, not from 3 clips of 3 people in b"):
        kinoscope.train("sync", str(tmp_path / "b"), *WORDS, resume_from=tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == whole


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs locks on folders")
def test_two_trainings_never_share_a_folder(clips, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with (
        lock_exclusively(run),
        pytest.raises(OutputError, match="run is in use by another process; wait until it is done"),
    ):
        kinoscope.train("sync", str(tmp_path), *WORDS, out=run, quiet=True)
    kinoscope.train("sync", str(tmp_path), *WORDS, out=run, quiet=True)


def test_runs_that_begin_at_once_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: run_folder.numbered(tmp_path / "runs", "clips", create=True), range(8)))
    assert sorted(folder.name for folder in folders) == [f"clips{number}" for number in range(1, 9)]


def test_a_dry_run_writes_nothing(clips, tmp_path):
    told = kinoscope.train("sync", str(tmp_path), *WORDS, out=tmp_path / "run", dry_run=True, quiet=True).to_dict()
    assert told["folder"] is None
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("stps=3", "there is no option stps; did you mean steps"),
        ("steps=many", "steps=many cannot be read; give a whole number"),
        ("pairs=lips", "pairs=lips is unknown; choose from points, pixels"),
        ("pairs=", "pairs is empty"),
        ("steps=1", "steps=1 is not possible; give 2 or more"),
        ("val=1", "val=1 is not possible; give 0 or more, less than 1"),
        ("align=by-hand", "align=by-hand is unknown; choose from auto, none"),
        ("device=tpu", "device=tpu is unknown; did you mean cpu"),
    ],
)
def test_options_that_cannot_be_are_refused(clips, tmp_path, word, said):
    with pytest.raises(OptionError, match=said):
        kinoscope.train("sync", str(tmp_path), "align=none", word, out=tmp_path / "run", quiet=True)


def test_too_few_people_to_keep_some_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "read_talking_clips", lambda *_: ([talk(0), talk(1)], {}))
    with pytest.raises(DatasetError, match="2 people talk in the clips"):
        kinoscope.train("sync", str(tmp_path), "align=none", out=tmp_path / "run", quiet=True)
    with pytest.raises(OptionError, match="no clips are given; train sync needs a folder of videos in which"):
        kinoscope.train("sync", quiet=True)
