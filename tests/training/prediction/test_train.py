import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from kinoscope.core.errors import DatasetError, ModelError, OptionError, TrainingError
from kinoscope.models.trainable.predictors import load_predictor
from kinoscope.source.synthetic.bouncing_shapes import shape_items
from kinoscope.training.data.dataset import Example
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import read_log
from kinoscope.training.prediction.data import (
    FolderPredictionClips,
    SyntheticPredictionClips,
    hold_out,
    read_prediction_clips,
)
from kinoscope.training.prediction.options import PredictionOptions
from kinoscope.training.prediction.train import PredictionTrainer, measure, scores
from kinoscope.training.trainer import fit
from tests.helpers.clips import write_clip

SMALL: dict[str, Any] = {"context": 3, "horizon": 2, "width": 4, "batch": 2, "epochs": 2, "steps": 2}


def new_trainer(data="synthetic:bouncing", **options):
    chosen = PredictionOptions(**SMALL | options)
    clips = (
        SyntheticPredictionClips(chosen, val_clips=3)
        if data == "synthetic:bouncing"
        else read_prediction_clips(data, chosen)
    )
    return PredictionTrainer(chosen, clips, data)


def test_every_option_is_reported_in_a_line():
    assert [name for name, _, text in PredictionOptions.describe() if text] == list(PredictionOptions().to_dict())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"net": "oracle"}, "net=oracle is unknown; choose from convlstm, simvp"),
        ({"size": 30}, "multiples of 4"),
        ({"horizon": 0}, "horizon=0 is not possible; give 1 or more"),
        ({"val": 1.0}, "give 0 or more, less than 1"),
        ({"lr": -1.0}, "lr=-1 is not possible; give 0 or more"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(OptionError, match=said):
        PredictionOptions(**options)


def test_sampled_clips_depend_on_the_seed_and_the_step_alone():
    options = PredictionOptions(**SMALL)
    clips = SyntheticPredictionClips(options, val_clips=20)
    steps = clips.batches(0)
    first, second = next(steps), next(steps)
    assert first.shape == (2, 5, 64, 64, 1)
    assert np.array_equal(next(clips.batches(1)), second)
    assert not np.array_equal(first, second)
    assert [len(batch) for batch in clips.val_batches()] == [16, 4]
    parts = [next(SyntheticPredictionClips(options, Processes(rank, 2)).batches(0)) for rank in (0, 1)]
    assert np.array_equal(np.concatenate(parts), first)


def test_what_is_measured_shows_other_items():
    items = shape_items()
    clips = SyntheticPredictionClips(PredictionOptions(**SMALL), train_items=items[:1], val_items=items[1:2] // 2)
    assert next(clips.batches(0)).max() == 255
    assert next(clips.val_batches()).max() == 127


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for number in range(5):
        write_clip(folder / f"{number}.mp4", 12, shade=10 * number)
    write_clip(folder / "short.mp4", 3)
    return folder


def test_clips_of_a_folder_are_held_out_or_learned_from(folder):
    options = PredictionOptions(**SMALL | {"size": 12, "val": 0.4, "flip": 0.0, "batch": 3})
    clips = FolderPredictionClips(str(folder), options)
    assert clips.examples == (3, 2)
    assert list(clips.unreadable) == [str(folder / "short.mp4")]
    (held,) = clips.val_batches()
    steps = clips.batches(0)
    first, second, third = (next(steps) for _ in range(3))
    assert first.shape == (3, 5, 12, 12, 3)
    shades = [sorted(set(np.round(part[..., 1], -1).ravel().tolist())) for part in (held, first, second)]
    assert shades[1] == shades[2]
    assert sorted(shades[0] + shades[1]) == [0, 10, 20, 30, 40]
    assert (np.diff(held[..., 0].astype(int).mean((2, 3))) > 0.5).all()  # its frames follow each other
    assert np.array_equal(next(clips.batches(2)), third)


def test_groups_stay_together():
    clips = [Example(f"{number}.mp4", (), group=f"person {number // 3}") for number in range(9)]
    train, held = hold_out(clips, 0.3, 0)
    assert (len(train), len(held)) == (6, 3)
    assert len({clip.group for clip in held}) == 1
    assert hold_out(clips, 0, 0) == (clips, [])
    with pytest.raises(DatasetError, match="all 3 clips are of one group"):
        hold_out(clips[:3], 0.3, 0)


def test_too_few_clips_are_refused(tmp_path):
    write_clip(tmp_path / "a.mp4")
    write_clip(tmp_path / "b.mp4", 3)
    with pytest.raises(DatasetError, match=r"has 1 clips to learn from; 1 cannot be used: .* lasts 0.30 s"):
        read_prediction_clips(str(tmp_path), PredictionOptions(**SMALL))
    with pytest.raises(DatasetError, match="does not exist"):
        read_prediction_clips(str(tmp_path / "none"), PredictionOptions(**SMALL))


def test_scores_worked_by_hand():
    pixels = np.zeros((1, 4, 8, 8, 1), np.uint8)
    pixels[0, 1, 0, 0] = pixels[0, 2, 0, 1] = pixels[0, 3, 0, 2] = 255
    prediction = pixels[:, 2:] / 255
    prediction[0, 1, 0, 2] = 0.5
    found = scores(pixels, prediction)
    assert found.shape == (1, 4, 2)
    assert found[0, 0].tolist() == pytest.approx([0, 0.25])
    assert found[0, 2].tolist() == pytest.approx([2, 2])
    assert found[0, 1, 0] == pytest.approx(1)
    means = measure(iter([(pixels, prediction), (pixels, prediction)]))
    assert (means["mse"], means["last_frame_mse"]) == pytest.approx((0.125, 2))
    assert means["last_frame_ssim"] < means["ssim"] < 1
    assert measure(iter([])) == {}


@pytest.mark.parametrize("net", ["simvp", "convlstm"])
def test_it_learns_that_what_is_dark_stays_dark(net):
    one = new_trainer(net=net, steps=8, lr=1e-2, ema=0.5, width=8)
    first = one.train_epoch()
    assert one.step == 8
    one.epoch += 1
    assert one.train_epoch()["loss"] < 0.8 * first["loss"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return fit(new_trainer(), out, data="synthetic:bouncing")


def test_a_run_leaves_a_predictor_its_measures_and_a_preview(run):
    names = {path.name for path in run.written}
    assert names == {"options.json", "log.jsonl", "model.json", "model.safetensors", "preview.png"}
    rows = read_log(run.folder / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"loss", "lr", "mse", "ssim", "last_frame_mse", "last_frame_ssim", "seconds"} < set(rows[0])
    facts = json.loads((run.folder / "model.json").read_text())
    assert facts["score"]["mse"] == pytest.approx(rows[-1]["mse"], abs=1e-3)
    assert (facts["size"], facts["channels"], facts["data"]) == (64, 1, "synthetic:bouncing")
    prediction = load_predictor(run.folder).predict(
        next(SyntheticPredictionClips(PredictionOptions(**SMALL), val_clips=3).val_batches())[:, :3]
    )
    assert prediction.shape == (3, 2, 64, 64, 1)


def test_an_interrupted_run_resumes_exactly(run, tmp_path):
    one = new_trainer()

    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="epoch 1 is saved"):
        fit(one, tmp_path, on_epoch=stop)
    fit(new_trainer(), tmp_path, resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()


def test_another_network_does_not_resume(run):
    with pytest.raises(OptionError, match="the run has width=4, not 8"):
        fit(new_trainer(width=8), run.folder, resume=True)
    with pytest.raises(ModelError, match="nothing to resume"):
        fit(new_trainer(), run.folder / "none", resume=True)


def test_a_dry_run_writes_nothing(tmp_path):
    done = fit(new_trainer(), tmp_path / "run", dry_run=True)
    assert done.folder is None
    assert math.isfinite(done.rows[0]["loss"])
    assert not (tmp_path / "run").exists()


def test_what_is_no_number_ends_the_run():
    one = new_trainer()
    with torch.no_grad():
        next(one.net.parameters()).fill_(math.nan)
    with pytest.raises(TrainingError, match=r"not finite in step 1; try lr=0.0002"):
        one.train_epoch()


def test_a_prediction_worse_than_the_last_frame_is_reported():
    one = new_trainer()
    assert "that of repeating the last frame" in one.diagnose({"mse": 300.0, "last_frame_mse": 280.0})
    assert one.diagnose({"mse": 100.0, "last_frame_mse": 280.0}) is None
    assert one.diagnose({}) is None
