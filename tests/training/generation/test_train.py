import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.generators import Generator, read_generator
from kinoscope.training.data.streams import SyntheticClipStream
from kinoscope.training.generation.adversarial import PATIENCE
from kinoscope.training.generation.inversion import project
from kinoscope.training.generation.losses import GAN_LOSSES
from kinoscope.training.generation.options import ABOUT, GAN_LOSS_NAMES, GenerationOptions, defaults_of
from kinoscope.training.generation.train import GeneratorTrainer, too_alike
from kinoscope.training.options import read_choices
from kinoscope.training.trainer import fit

SMALL = GenerationOptions(size=16, frames=4, width=8, judge_width=8, epochs=2, steps=2, batch=3, lazy=2)


def feed(options=SMALL):
    return SyntheticClipStream(Sampling(options.frames, options.rate, (options.size, options.size)))


class Flat:
    """Clips of one brightness for each class, to be learned in seconds."""

    classes = ("dark", "light")
    broken: dict = {}  # noqa: RUF012, a feed has it

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
    return fit(GeneratorTrainer(SMALL, feed(), "some/shapes"), out, data="shapes")


def test_a_run_leaves_a_generator_its_log_and_previews(run):
    names = {path.name for path in run.written}
    assert names == {"options.json", "log.jsonl", "model.json", "model.safetensors", "preview.png", "preview.gif"}
    assert {"judge_loss", "judge_right", "maker_loss", "diversity", "motion", "varied"} <= run.rows[-1].keys()
    assert "slope" in run.rows[0]
    facts = read_generator(run.folder)
    assert (facts.size, facts.frames, facts.classes) == (16, 4, ("square", "disc", "triangle"))
    assert facts.data == "shapes"
    assert Generator(run.folder).sample(2).shape == (2, 4, 16, 16, 3)
    assert run.examples == (0, 0)


def test_a_run_that_goes_on_ends_as_if_it_had_never_stopped(run, tmp_path):
    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="what epoch 1 gave is kept; go on with --resume-from"):
        fit(GeneratorTrainer(SMALL, feed()), tmp_path, data="shapes", told=stop)
    torch.rand(5)
    fit(GeneratorTrainer(SMALL, feed()), tmp_path, data="shapes", resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == (run.folder / "model.safetensors").read_bytes()


def test_a_run_goes_on_longer_but_not_otherwise(run, tmp_path):
    longer = read_choices(["epochs=3"], SMALL, "generate")
    for name in ("checkpoints", "log.jsonl"):
        (tmp_path / name).symlink_to(run.folder / name)
    with pytest.raises(OptionError, match=r"the run has lr=0\.0004, not 0\.1"):
        fit(GeneratorTrainer(read_choices(["lr=0.1"], SMALL, "generate"), feed()), tmp_path, resume=True)
    learner = GeneratorTrainer(longer, feed())
    learner.net.moving.begin = torch.nn.Linear(1, 1)
    with pytest.raises(ModelError, match="is of another network"):
        fit(learner, tmp_path, resume=True)


def test_a_dry_run_takes_a_step_and_writes_nothing(tmp_path):
    done = fit(GeneratorTrainer(SMALL, feed()), tmp_path / "x", dry_run=True)
    assert math.isfinite(done.rows[0]["maker_loss"])
    assert not (tmp_path / "x").exists()


def test_what_is_no_longer_a_number_stops_and_the_last_good_model_is_kept(tmp_path):
    learner = GeneratorTrainer(SMALL, feed())

    def spoil(row):
        torch.nn.init.constant_(learner.net.moving.begin.weight, math.nan)

    with pytest.raises(TrainingError, match="no longer a number"):
        fit(learner, tmp_path, told=spoil)
    assert np.isfinite(Generator(tmp_path).sample(1)).all()


def test_memory_that_runs_out_names_the_knobs(tmp_path):
    learner = GeneratorTrainer(SMALL, feed())

    def fail(*args):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    learner.draw = fail
    with pytest.raises(TrainingError, match="out of memory; give a smaller batch, then a smaller width or size"):
        fit(learner, tmp_path)


def test_classes_are_learned():
    options = GenerationOptions(
        size=16, frames=4, width=8, judge_width=8, epochs=1, steps=60, batch=8, lr=2e-3, judge_lr=2e-3, augment="none",
        ema=0.9, penalty=0.5,
    )  # fmt: skip
    learner = GeneratorTrainer(options, Flat())
    first = learner.learn()
    assert first["judge_loss"] != pytest.approx(math.log(2), abs=1e-3)
    clips = learner.preview()
    assert clips[:8].mean() + 40 < clips[8:].mean()


def test_mocogan_learns_in_the_same_way(tmp_path):
    words = ("net=mocogan", "width=8", "judge_width=8", "size=64", "frames=13", "epochs=1", "steps=2", "batch=2")
    options = read_choices(words, defaults_of(words), "generate")
    assert (options.game, options.penalty, options.augment) == ("non-saturating", 0.0, "none")
    run = fit(GeneratorTrainer(options, feed(options)), tmp_path)
    assert "slope" not in run.rows[0]
    assert Generator(tmp_path).sample(2, frames=12).shape == (2, 12, 64, 64, 3)
    with pytest.raises(OptionError, match="mocogan's judge needs 13 or more"):
        GeneratorTrainer(read_choices(["frames=8"], options, "generate"), feed(options))


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"diversity": 0.1, "motion": 1, "judge_loss": 0.5, "judge_right": 0.8}, "the clips have collapsed"),
        ({"diversity": 1, "motion": 0.1, "judge_loss": 0.5, "judge_right": 0.8}, "moves 10 % as much as real clips"),
        ({"diversity": 1, "motion": 1, "judge_loss": 0.1, "judge_right": 0.99}, "the judge is right 99 %"),
        ({"diversity": 1, "motion": 1, "judge_loss": 0.693, "judge_right": 0.5}, "it cannot tell made from real"),
    ],
)
def test_what_goes_wrong_is_named_with_its_cure(row, advice):
    learner = GeneratorTrainer(SMALL, feed())
    assert learner.advise(row) is None
    learner.step = PATIENCE
    assert advice in learner.advise(row)
    assert learner.advise({"diversity": 1, "motion": 1, "judge_loss": 0.4, "judge_right": 0.8}) is None


def test_every_option_is_described_and_every_game_named():
    assert list(GenerationOptions().to_dict()) == list(ABOUT)
    assert set(GAN_LOSS_NAMES) == set(GAN_LOSSES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["game=chess"], "no game 'chess'"),
        (["augment=much"], "no augment 'much'"),
        (["net=gan"], "there is no net 'gan'"),
        (["target=0.4"], "a target above 0.5"),
        (["batch=0"], "batch is 0; give 1 or more"),
        (["bf16=maybe"], "no bf16 'maybe'"),
    ],
)
def test_options_that_cannot_be(words, message):
    with pytest.raises(OptionError, match=message):
        read_choices(words, defaults_of(tuple(words)), "generate")


def test_a_size_that_no_network_makes():
    with pytest.raises(OptionError, match="size is 48; choose 64, 128 or 256"):
        GeneratorTrainer(read_choices(["size=48"], SMALL, "generate"), feed())


def test_a_clip_that_a_generator_made_is_found_again(run):
    generator = Generator(run.folder)
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
    assert float(too_alike(real, real, labels)) == 0
    assert float(too_alike(real, 2 * real, labels)) == 0
    assert float(too_alike(real, real / 2, labels)) == pytest.approx(0.25, abs=1e-4)
    one_of_each = torch.tensor([0.1, 0.1, 0.9, 0.9])[:, None, None, None, None].expand_as(real)
    assert float(too_alike(real, one_of_each, labels)) == pytest.approx(1, abs=1e-4)
    assert float(too_alike(real, real * 0, torch.arange(4))) == 0  # no two of a class
    moving = real + torch.tensor([0.2, -0.2])[None, :, None, None, None]
    assert float(too_alike(real, moving, labels)) == pytest.approx(0, abs=1e-6)


def test_the_wish_to_differ_reaches_the_generator():
    options = replace(SMALL, batch=6)
    wishing, plain = (GeneratorTrainer(replace(options, spread=spread), feed(), "shapes") for spread in (1.0, 0.0))
    assert wishing.try_out()["judge_loss"] == plain.try_out()["judge_loss"]
    pairs = zip(wishing.net.parameters(), plain.net.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)
