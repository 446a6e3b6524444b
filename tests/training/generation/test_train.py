import math
import shutil
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.generators import TrainedGenerator, read_generator
from kinoscope.training.checkpoint import (
    LAST_CHECKPOINT,
    RENAMED_KEYS,
    RENAMED_PARTS,
    read_checkpoint,
    save_checkpoint,
)
from kinoscope.training.data.streams import SyntheticClipStream
from kinoscope.training.generation.adversarial import MIN_STALL_STEPS
from kinoscope.training.generation.inversion import project
from kinoscope.training.generation.losses import GAN_LOSSES
from kinoscope.training.generation.options import GenerationOptions
from kinoscope.training.generation.train import GeneratorTrainer, diversity_loss
from kinoscope.training.logging import read_log
from kinoscope.training.trainer import fit

SMALL = GenerationOptions(size=16, frames=4, width=8, disc_width=8, epochs=2, steps=2, batch=3, r1_interval=2)


def clips(options=SMALL):
    return SyntheticClipStream(Sampling(options.frames, options.rate, (options.size, options.size)))


class Flat:
    """Clips of one brightness for each class, to be learned in seconds."""

    classes = ("dark", "light")
    unreadable: dict = {}  # noqa: RUF012, as a ClipStream has it

    def __len__(self):
        return 0

    def batches(self, epoch, steps, batch, processes):
        for _ in range(steps):
            labels = np.arange(batch) % 2
            clips = np.full((batch, 4, 16, 16, 3), 40, np.uint8)
            clips[labels == 1] = 210
            yield clips, labels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return fit(GeneratorTrainer(SMALL, clips(), "some/shapes"), out, data="shapes")


def test_a_run_leaves_a_generator_its_log_and_previews(run):
    names = {path.name for path in run.written}
    assert names == {"options.json", "log.jsonl", "model.json", "model.safetensors", "preview.png", "preview.gif"}
    assert {"disc_loss", "disc_accuracy", "gen_loss", "diversity", "motion", "augment_probability"} <= run.rows[
        -1
    ].keys()
    assert "gradient_penalty" in run.rows[0]
    facts = read_generator(run.folder)
    assert (facts.size, facts.frames, facts.classes) == (16, 4, ("square", "disc", "triangle"))
    assert facts.data == "shapes"
    assert TrainedGenerator(run.folder).sample(2).shape == (2, 4, 16, 16, 3)
    assert run.examples == (0, 0)


def test_a_resumed_run_ends_as_if_it_had_never_stopped(run, tmp_path):
    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="epoch 1 is saved; resume with --resume-from"):
        fit(GeneratorTrainer(SMALL, clips()), tmp_path, data="shapes", on_epoch=stop)
    torch.rand(5)
    fit(GeneratorTrainer(SMALL, clips()), tmp_path, data="shapes", resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()


def test_a_run_of_an_earlier_release_is_resumed(run, tmp_path):
    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(GeneratorTrainer(SMALL, clips()), tmp_path, data="shapes", on_epoch=stop)
    tensors, metadata = read_checkpoint(tmp_path / LAST_CHECKPOINT)
    parts = {present: old for old, present in RENAMED_PARTS.items()}
    split = {tuple(name.split(".", 1)): tensor for name, tensor in tensors.items()}
    tensors = {f"{parts.get(part, part)}.{rest}": tensor for (part, rest), tensor in split.items()}
    keys = {present: old for old, present in RENAMED_KEYS.items()}
    options = {present: old for old, present in GenerationOptions.renamed.items()}
    metadata["options"] = {options.get(name, name): value for name, value in metadata["options"].items()}
    metadata = {keys.get(name, name): value for name, value in metadata.items()}
    assert {"judge", "judge_optimizer"} < {name.partition(".")[0] for name in tensors}
    save_checkpoint(tmp_path / LAST_CHECKPOINT, tensors, metadata)
    fit(GeneratorTrainer(SMALL, clips()), tmp_path, data="shapes", resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()


def test_a_run_is_resumed_for_more_epochs(run, tmp_path):
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    longer = fit(GeneratorTrainer(GenerationOptions.parse(["epochs=3"], SMALL), clips()), copy, resume=True)
    rows = read_log(copy / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[:2] == read_log(run.folder / "log.jsonl")
    assert longer.rows[-1]["epoch"] == 3
    assert (copy / "model.safetensors").read_bytes() != (run.folder / "model.safetensors").read_bytes()


def test_a_run_is_not_resumed_otherwise(run, tmp_path):
    longer = GenerationOptions.parse(["epochs=3"], SMALL)
    for name in ("checkpoints", "log.jsonl"):
        (tmp_path / name).symlink_to(run.folder / name)
    with pytest.raises(OptionError, match=r"the run has lr=0\.0004, not 0\.1"):
        fit(GeneratorTrainer(GenerationOptions.parse(["lr=0.1"], SMALL), clips()), tmp_path, resume=True)
    trainer = GeneratorTrainer(longer, clips())
    trainer.net.moving.begin = torch.nn.Linear(1, 1)
    with pytest.raises(ModelError, match="is of another network"):
        fit(trainer, tmp_path, resume=True)


def test_a_dry_run_takes_a_step_and_writes_nothing(tmp_path):
    done = fit(GeneratorTrainer(SMALL, clips()), tmp_path / "x", dry_run=True)
    assert math.isfinite(done.rows[0]["gen_loss"])
    assert not (tmp_path / "x").exists()


def test_what_is_no_longer_a_number_stops_and_the_last_good_model_is_kept(tmp_path):
    trainer = GeneratorTrainer(SMALL, clips())

    def spoil(row):
        torch.nn.init.constant_(trainer.net.moving.begin.weight, math.nan)

    with pytest.raises(TrainingError, match="no longer finite"):
        fit(trainer, tmp_path, on_epoch=spoil)
    assert np.isfinite(TrainedGenerator(tmp_path).sample(1)).all()


def test_memory_that_runs_out_names_the_knobs(tmp_path, monkeypatch):
    trainer = GeneratorTrainer(SMALL, clips())

    def fail(*args):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(trainer, "sample_inputs", fail)
    with pytest.raises(TrainingError, match="out of memory; give a smaller batch, then a smaller width or size"):
        fit(trainer, tmp_path)


@pytest.mark.slow
def test_classes_are_learned():
    options = GenerationOptions(
        size=16, frames=4, width=8, disc_width=8, epochs=1, steps=60, batch=8, lr=2e-3, disc_lr=2e-3, augment="none",
        ema=0.9, r1_weight=0.5,
    )  # fmt: skip
    trainer = GeneratorTrainer(options, Flat())
    first = trainer.train_epoch()
    assert first["disc_loss"] != pytest.approx(math.log(2), abs=1e-3)
    clips = trainer.preview()
    assert clips[:8].mean() + 40 < clips[8:].mean()


@pytest.mark.slow
def test_mocogan_is_trained_alike(tmp_path):
    words = ("net=mocogan", "width=8", "disc_width=8", "size=64", "frames=13", "epochs=1", "steps=2", "batch=2")
    options = GenerationOptions.parse(words, GenerationOptions.defaults(words))
    assert (options.gan_loss, options.r1_weight, options.augment) == ("non-saturating", 0.0, "none")
    run = fit(GeneratorTrainer(options, clips(options)), tmp_path)
    assert "gradient_penalty" not in run.rows[0]
    assert TrainedGenerator(tmp_path).sample(2, frames=12).shape == (2, 12, 64, 64, 3)
    with pytest.raises(OptionError, match="mocogan's discriminator needs 13 or more"):
        GeneratorTrainer(GenerationOptions.parse(["frames=8"], options), clips(options))


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"diversity": 0.1, "motion": 1, "disc_loss": 0.5, "disc_accuracy": 0.8}, "the clips have collapsed"),
        ({"diversity": 1, "motion": 0.1, "disc_loss": 0.5, "disc_accuracy": 0.8}, "move 10 % as much as real ones"),
        ({"diversity": 1, "motion": 1, "disc_loss": 0.1, "disc_accuracy": 0.99}, "accuracy is 99 %"),
        (
            {"diversity": 1, "motion": 1, "disc_loss": 0.693, "disc_accuracy": 0.5},
            "cannot distinguish generated from real",
        ),
    ],
)
def test_what_goes_wrong_is_named_with_its_fix(row, advice):
    trainer = GeneratorTrainer(SMALL, clips())
    assert trainer.diagnose(row) is None
    trainer.step = MIN_STALL_STEPS
    assert advice in trainer.diagnose(row)
    assert trainer.diagnose({"diversity": 1, "motion": 1, "disc_loss": 0.4, "disc_accuracy": 0.8}) is None


def test_every_option_is_described_and_every_game_named():
    assert list(GenerationOptions().to_dict()) == [name for name, _, text in GenerationOptions.describe() if text]
    assert set(get_args(get_type_hints(GenerationOptions)["gan_loss"])) == set(GAN_LOSSES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gan_loss=chess"], "gan_loss=chess is unknown; choose from relativistic"),
        (["augment=much"], "augment=much is unknown"),
        (["net=gan"], "net=gan is unknown; did you mean mocogan"),
        (["target=0.4"], "target=0.4 is not possible; give more than 0.5, less than 1"),
        (["batch=0"], "batch=0 is not possible; give 1 or more"),
        (["bf16=maybe"], "bf16=maybe is unknown"),
    ],
)
def test_options_that_cannot_be(words, message):
    with pytest.raises(OptionError, match=message):
        GenerationOptions.parse(words, GenerationOptions.defaults(words))


def test_a_size_that_no_network_makes():
    with pytest.raises(OptionError, match="size is 48; choose 64, 128 or 256"):
        GeneratorTrainer(GenerationOptions.parse(["size=48"], SMALL), clips())


def test_a_clip_that_a_generator_made_is_found_again(run):
    generator = TrainedGenerator(run.folder)
    made = generator.sample(70, seed=0)[5]
    codes, psnr = project(generator, made, seed=0, steps=2)
    assert psnr > 30
    assert codes.labels.tolist() == [5 % 3]
    codes, other = project(generator, made, seed=0, label=0, steps=2)
    assert codes.labels.tolist() == [0]
    assert other < psnr


def test_made_clips_of_a_class_are_to_differ_as_much_as_real_ones():
    labels = torch.tensor([0, 0, 1, 1])
    shades = torch.tensor([0.0, 0.4, -0.8, -0.4])[:, None, None, None, None]
    real = shades.expand(4, 2, 3, 16, 16)
    assert float(diversity_loss(real, real, labels)) == 0
    assert float(diversity_loss(real, 2 * real, labels)) == 0
    assert float(diversity_loss(real, real / 2, labels)) == pytest.approx(0.25, abs=1e-4)
    one_of_each = torch.tensor([0.1, 0.1, 0.9, 0.9])[:, None, None, None, None].expand_as(real)
    assert float(diversity_loss(real, one_of_each, labels)) == pytest.approx(1, abs=1e-4)
    assert float(diversity_loss(real, real * 0, torch.arange(4))) == 0  # no two of a class
    moving = real + torch.tensor([0.2, -0.2])[None, :, None, None, None]
    assert float(diversity_loss(real, moving, labels)) == pytest.approx(0, abs=1e-6)


def test_the_wish_to_differ_reaches_the_generator():
    options = replace(SMALL, batch=6)
    diverse, plain = (
        GeneratorTrainer(replace(options, diversity_weight=weight), clips(), "shapes") for weight in (1.0, 0.0)
    )
    assert diverse.dry_run_step()["disc_loss"] == plain.dry_run_step()["disc_loss"]
    pairs = zip(diverse.net.parameters(), plain.net.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)
