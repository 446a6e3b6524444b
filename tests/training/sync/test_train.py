import numpy as np
import pytest
import torch

from kinoscope.core.errors import DatasetError, OptionError, TrainingError
from kinoscope.models.inference.sync import LAGS_PER_FRAME
from kinoscope.nets.syncnet import MOUTH_STREAMS, SyncNet
from kinoscope.training.sync import train as module
from kinoscope.training.sync.data import (
    AUDIO_CONTEXT_FRAMES,
    ClipRow,
    SyncSampler,
    TalkingClip,
    read_table,
    read_talking_clips,
)
from kinoscope.training.sync.evaluation import similarity_curves, window_agreement
from kinoscope.training.sync.options import SyncOptions
from kinoscope.training.sync.pair import LOSS_STEPS, MAX_SHIFT, PairTraining, contrastive_loss, similarity
from kinoscope.training.sync.train import SyncTrainer
from kinoscope.training.trainer import fit


def talk(seed, frames=120, person=None):
    """A mouth that opens as far as the audio is loud, with nothing else to go by."""
    generator = np.random.default_rng(seed)
    steps = np.arange((frames + 2 * AUDIO_CONTEXT_FRAMES) * LAGS_PER_FRAME)
    loud = np.interp(steps / 12, np.arange(len(steps)), generator.normal(0, 1, len(steps)))
    mel = torch.from_numpy((2 * loud[:, None] + generator.normal(0, 0.1, (len(steps), 40)) - 8).astype(np.float32))
    open_by = torch.from_numpy(
        loud[AUDIO_CONTEXT_FRAMES * LAGS_PER_FRAME : -AUDIO_CONTEXT_FRAMES * LAGS_PER_FRAME : LAGS_PER_FRAME].astype(
            np.float32
        )
    )
    points = torch.zeros(frames, 61, 3)
    below = torch.arange(40) % 20 < 11
    points[:, :40, 1] = torch.where(below, 0.05, -0.05) * (1 + open_by[:, None])
    mouths = (128 + 40 * open_by[:, None, None] * torch.linspace(-1, 1, 64)[None, :, None]).expand(-1, 64, 64)
    return TalkingClip(f"{seed}.mp4", person or str(seed), points, mouths.clamp(0, 255).to(torch.uint8), mel)


def test_similarity_is_the_cosine_at_each_shift():
    seen, heard = torch.randn(2, 5, 8), torch.randn(2, 5 + 2 * 3, 8)
    told = similarity(seen, heard)
    assert told.shape == (2, 5, 7)
    assert told[1, 4, 6] == pytest.approx(float(seen[1, 4] @ heard[1, 10]), abs=1e-5)


def test_segments_are_cut_alike_from_mouth_and_audio():
    one = talk(0)
    for seed in range(5):
        example = SyncSampler([one], MAX_SHIFT, True, seed).sample(60)
        assert example.points.shape == (60, 61, 3)
        assert example.mouths is not None
        assert example.mouths.shape == (60, 48, 48)
        assert example.mel.shape == ((60 + 2 * MAX_SHIFT) * LAGS_PER_FRAME, 40)
        assert abs(example.delay_frames) <= 0.5
        open_by = (example.points[:, 25] - example.points[:, 35]).norm(dim=1)
        loud = example.mel.mean(1)
        there, apart = (
            np.corrcoef(
                open_by,
                loud[MAX_SHIFT * LAGS_PER_FRAME + round(4 * example.delay_frames) + step :: LAGS_PER_FRAME][:60],
            )[0, 1]
            for step in (0, 12)
        )
        assert there > 0.75
        assert apart < there


def test_what_is_sampled_depends_on_the_seed_alone():
    clips = [talk(0), talk(1)]
    first, again, other = (SyncSampler(clips, MAX_SHIFT, False, seed).sample(15) for seed in (3, 3, 4))
    assert torch.equal(first.mel, again.mel)
    assert torch.equal(first.points, again.points)
    assert not torch.equal(first.mel, other.mel)


def test_a_right_pair_has_less_loss_than_a_wrong_one():
    torch.manual_seed(0)
    examples = [SyncSampler([talk(n) for n in range(3)], MAX_SHIFT, False, 0).sample(10) for _ in range(4)]
    pair = SyncNet(MOUTH_STREAMS["points"]())
    loss = contrastive_loss(pair, examples, 0.45)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(31 + 3), rel=0.15)
    assert all(parameter.grad is not None for parameter in pair.parameters())


@pytest.mark.slow
def test_pairs_learn_what_there_is_to_learn_and_find_it_on_others():
    torch.set_num_threads(1)
    training = PairTraining("points", [talk(n) for n in range(6)], 60, 8, 0, torch.device("cpu"))
    training.train_steps(10)
    first = training.losses
    training.train_steps(50)
    assert len(training.losses) == LOSS_STEPS == 50
    assert np.mean(training.losses[-10:]) < 0.75 * np.mean(first)
    pair = training.net.eval()
    held = [talk(100), talk(101)]
    assert window_agreement([("points", pair)], held, 25) > 0.8
    assert window_agreement([("points", pair)], held, 500) is None
    rows = similarity_curves([("points", pair)], held[0], 120, 1)
    assert rows.shape == (1, 241)
    assert abs(int(rows.argmax()) - 120) <= LAGS_PER_FRAME


PAIRS = SyncOptions(pairs=("points", "pixels"), steps=5, batch=4, seed=3, device="cpu")


def new_trainer(options=PAIRS, clips=("a", "b")):
    return SyncTrainer(options, [talk(n, person=name) for n, name in enumerate(clips)], [talk(9)], "clips")


def test_training_is_repeatable():
    first, again = new_trainer(), new_trainer()
    for trainer in (first, again):
        run = fit(trainer, None)
        assert [(row["epoch"], row["pair"]) for row in run.rows] == [(1, 1), (2, 2)]
    assert len(run.details.losses) == 2
    for name, value in first.tensors().items():
        assert torch.equal(value, again.tensors()[name]), name


def test_a_resumed_run_ends_as_if_it_had_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EPOCH_STEPS", 2)
    whole = fit(new_trainer(), tmp_path / "whole")
    assert [(row["epoch"], row["pair"]) for row in whole.rows] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    for stop in (2, 3, 4):
        out = tmp_path / str(stop)

        def interrupt(row, last=stop):
            if row["epoch"] == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt, match=f"epoch {stop} is saved; resume with --resume-from"):
            fit(new_trainer(), out, on_epoch=interrupt)
        torch.rand(7)
        resumed = fit(new_trainer(), out, resume=True)
        assert (out / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
        assert resumed.details.losses == whole.details.losses
        assert [row["loss"] for row in resumed.rows] == [row["loss"] for row in whole.rows]


def test_a_run_of_other_options_or_clips_is_not_resumed(tmp_path):
    fit(new_trainer(), tmp_path)
    with pytest.raises(OptionError, match="the run has steps=5, not 6"):
        fit(new_trainer(SyncOptions(pairs=("points", "pixels"), steps=6, batch=4, seed=3)), tmp_path, resume=True)
    with pytest.raises(OptionError, match="learned from 2 clips of 2 people in clips, not from 3 clips of 3 people"):
        fit(new_trainer(clips=("a", "b", "c")), tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_training():
    broken = talk(0)
    broken.mel.fill_(torch.nan)
    with pytest.raises(TrainingError, match="the loss of step 1 is nan"):
        fit(SyncTrainer(SyncOptions(pairs=("points",), steps=3, batch=2), [broken]), None)


def test_tables_of_clips(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("clip,person,offset\na,Ada,0.12\nb,,\n")
    assert read_table(path) == {"a": ClipRow("Ada", 0.12), "b": ClipRow(None, 0.0)}
    path.write_text("clip,offset\na,late\n")
    with pytest.raises(DatasetError, match="no table of clips"):
        read_table(path)
    with pytest.raises(DatasetError, match="no clip of a talking face"):
        read_talking_clips(tmp_path, {})
