import json
import math

import pytest
import torch
from torch import nn

from kinoscope.core.errors import DatasetError, ModelError, OptionError
from kinoscope.models.inference.face_compositor import generated_mask
from kinoscope.models.inference.lipsync import load_lipsync
from kinoscope.training.lipsync import data as faces
from kinoscope.training.lipsync.data import read_talking_faces
from kinoscope.training.lipsync.losses import (
    LipSyncLosses,
    MomentSampler,
    diagnose,
    new_state,
    train_epoch,
    train_frames,
    validate,
    voice_loss,
)
from kinoscope.training.lipsync.options import LipSyncOptions
from kinoscope.training.lipsync.train import LipSyncTrainer
from kinoscope.training.logging import read_log
from kinoscope.training.options import read_saved_options
from kinoscope.training.trainer import fit
from tests.helpers.talking import DrawnFollower, write

SMALL = LipSyncOptions(epochs=2, steps=2, batch=2, width=8, features=0, warmup_epochs=1, val=0.25)
MASK = torch.from_numpy(generated_mask())[None, None]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write(folder / "a.mp4")
    write(folder / "silent.mp4", rate=None)
    patch = pytest.MonkeyPatch()
    patch.setattr(faces, "FaceTracker", DrawnFollower)
    found, unreadable = read_talking_faces(folder)
    patch.undo()
    assert unreadable == {"silent.mp4": "silent.mp4 has no audio"}
    return found


def test_a_clip_is_read(people):
    (one,) = people
    assert (one.name, len(one), tuple(one.crops.shape)) == ("a.mp4", 50, (50, 3, 112, 112))
    assert one.mel(0).shape == (53, 40)
    assert one.displacements.mean() == pytest.approx(0, abs=1e-6)
    again = one.project(torch.from_numpy(one.displacements[5:8]), 5)
    assert again.numpy() == pytest.approx(one.landmarks[5:8], abs=1e-3)


def test_held_out_clips_are_never_sampled(people):
    moments = MomentSampler(people, SMALL, 0)
    assert moments.ends == [train_frames(people[0], 0.25)] == [38]
    assert all(len(references.landmarks) == 38 for references in moments.references)
    faces, dots, others, mel = moments.faces(3)
    assert [tuple(one.shape) for one in (faces, dots, others, mel)] == [
        (3, 3, 112, 112),
        (3, 3, 112, 112),
        (3, 2, 6, 112, 112),
        (3, 53, 40),
    ]
    mel, moved = moments.voices(4)
    assert (tuple(mel.shape), tuple(moved.shape)) == ((8, 53, 40), (8, 61, 3))


def test_a_right_voice_costs_nothing():
    moved = torch.randn(4, 61, 3)

    class RightVoice(nn.Module):
        def forward(self, mel):
            return moved, None

    assert float(voice_loss(RightVoice(), torch.zeros(4, 53, 40), moved)) == 0


def test_only_what_is_generated_counts():
    losses = LipSyncLosses(SMALL, MASK)
    real = torch.rand(2, 3, 112, 112)
    dots = torch.zeros(2, 3, 112, 112)
    assert float(losses.l1(real + (MASK == 0), real, dots)) == 0
    assert float(losses.l1(real + 0.25, real, dots)) == pytest.approx(0.25)


def test_maps_are_compared_by_their_own_size():
    losses = LipSyncLosses(SMALL, MASK, features=lambda pictures: [pictures, 100 * pictures])
    real = torch.ones(2, 3, 8, 8)
    assert float(losses.feature_loss(real, real)) == 0
    assert float(losses.feature_loss(1.5 * real, real)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.slow
def test_losses_fall_and_a_voice_is_learned(people):
    options = LipSyncOptions(epochs=1, steps=12, batch=2, width=8, features=0, gan_weight=0, lr=3e-3, ema=0.8)
    state, losses = new_state(options), LipSyncLosses(options, MASK)
    first = validate(state, people, losses)
    train_epoch(state, people, losses)
    last = validate(state, people, losses)
    assert last["val_l1"] < first["val_l1"]
    assert last["val_psnr"] > first["val_psnr"]
    assert state.step == 12


def test_a_sync_expert_matches_the_voice_to_the_generated_mouth(people):
    seen = []

    def expert(mouths, mel):
        seen.append((tuple(mouths.shape), tuple(mel.shape)))
        return mouths.mean((1, 2, 3, 4)) * mel.mean()

    options = LipSyncOptions(epochs=1, steps=1, batch=2, width=8, features=0, gan_weight=0, sync=1.0)
    state = new_state(options)
    row = train_epoch(state, people, LipSyncLosses(options, MASK, expert=expert))
    assert seen == [((1, 10, 3, 48, 48), (1, 40, 40))] * 2
    assert row["sync"] == pytest.approx(math.log(2), abs=0.6)
    assert len(state.sync_losses) == 1


def test_a_stall_of_the_expert_is_named_with_its_fix():
    state = new_state(SMALL)
    state.sync_losses = [0.693] * 400
    assert "check the clips with `kinoscope sync`" in diagnose(state, {})
    state.sync_losses = [0.3] * 400
    assert diagnose(state, {}) is None


def run_training(options, people, out, *, data="", on_epoch=None, **running):
    return fit(LipSyncTrainer(options, people, data), out, data=data, on_epoch=on_epoch, **running)


@pytest.fixture(scope="module")
def run(people, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return run_training(SMALL, people, out, data="clips")


@pytest.mark.slow
def test_a_run_writes_a_generator_its_log_and_a_preview(run, people):
    names = {path.name for path in run.written}
    assert names == {"options.json", "log.jsonl", "model.json", "model.safetensors", "preview.png"}
    rows = read_log(run.folder / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert "disc_loss" not in rows[0]
    assert {"disc_loss", "disc_accuracy", "gen_loss", "l1", "voice", "val_psnr"} <= rows[1].keys()
    _, facts = load_lipsync(run.folder)
    assert (facts.width, facts.data) == (8, "clips")
    assert run.examples == (38, 12)
    assert json.loads(json.dumps(run.to_dict()))["epochs"] == 2


@pytest.mark.slow
def test_a_resumed_run_ends_as_if_it_had_never_stopped(run, people, tmp_path):
    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="epoch 1 is saved; resume with --resume-from"):
        run_training(SMALL, people, tmp_path, data="clips", on_epoch=stop)
    options, facts = read_saved_options(tmp_path / "options.json", LipSyncOptions)
    assert (options, facts["data"]) == (SMALL, "clips")
    torch.rand(7)
    run_training(options, people, tmp_path, data="clips", resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()
    with pytest.raises(OptionError, match="the run has batch=2, not 3"):
        run_training(LipSyncOptions.parse(["batch=3"], options), people, tmp_path, resume=True)


def test_a_dry_run_writes_nothing(people, tmp_path):
    done = run_training(SMALL, people, tmp_path / "x", dry_run=True)
    assert done.folder is None
    assert "disc_loss" in done.rows[0]
    assert not (tmp_path / "x").exists()


def test_too_little_to_learn_from(people, tmp_path):
    with pytest.raises(DatasetError, match="38 frames of faces to learn from"):
        run_training(LipSyncOptions.parse(["batch=20"], SMALL), people, tmp_path)
    with pytest.raises(DatasetError, match=r"no clip ada to learn from; choose from a\.mp4"):
        run_training(LipSyncOptions.parse(["paint=ada"], SMALL), people, tmp_path)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("epoch=3", "did you mean epochs"),
        ("epochs=many", "epochs=many cannot be read; give a whole number"),
        ("epochs", "epochs"),
        ("width=30", "give a multiple of 8"),
        ("val=1", "val=1 is not possible; give 0 or more, less than 1"),
        ("batch=0", "batch=0 is not possible; give 1 or more"),
    ],
)
def test_options_that_cannot_be(word, message):
    with pytest.raises(OptionError, match=message):
        LipSyncOptions.parse([word], LipSyncOptions())


def test_every_option_is_described():
    assert list(LipSyncOptions().to_dict()) == [name for name, _, text in LipSyncOptions.describe() if text]


def test_no_run_to_resume(tmp_path):
    with pytest.raises(ModelError, match="is no training run"):
        read_saved_options(tmp_path / "options.json", LipSyncOptions)
