"""Models that generate frames, as objects."""

import numpy as np
import pytest
import torch

from kinoscope.core.errors import OptionError, SourceError
from kinoscope.models.trainable import predictors
from kinoscope.models.trainable.generators import GeneratorMetadata, new_generator, save_generator
from kinoscope.models.trainable.predictors import PredictorMetadata, new_predictor, save_predictor
from kinoscope.pipeline.evaluation.options import ScoredClipOptions
from kinoscope.pipeline.generation import GeneratedClipOptions, generate_clips
from kinoscope.pipeline.generative_models import FramePredictor, Generator
from kinoscope.source.video_object import Video
from tests.api.test_predict import Brighter


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    metadata = GeneratorMetadata(network="mocogan", width=4, frames=5, rate=10.0, classes=("jump", "run"))
    save_generator(tmp_path / "generator", new_generator(metadata), metadata)
    return tmp_path / "generator"


def test_a_generator_returns_the_clips_of_the_verb(folder):
    generator = Generator(str(folder), "cpu")
    clips = generator(3, seed=4)
    assert clips.shape == (3, 5, 64, 64, 3)
    assert clips.dtype == np.uint8
    np.testing.assert_array_equal(clips, generate_clips(folder, 3, seed=4, device="cpu").pixels)
    np.testing.assert_array_equal(generator(seed=4), clips[:1])
    options = GeneratedClipOptions(classes="run", frames=7)
    assert generator(2, clips=options).shape == (2, 7, 64, 64, 3)
    assert (generator.name, generator.labels, generator.metadata.frames) == ("generator", ("jump", "run"), 5)


def test_options_of_a_generator_are_checked(folder):
    generator = Generator(str(folder), "cpu")
    with pytest.raises(OptionError, match="there is no class 'walk'"):
        generator(clips=GeneratedClipOptions(classes="walk"))
    with pytest.raises(OptionError, match="n 0 is not possible"):
        generator(0)


def test_a_generator_is_scored_by_the_verb(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "kinoscope.pipeline.evaluation.run.evaluate_model", lambda *args, **options: calls.append((args, options))
    )
    clips = ScoredClipOptions(n=8)
    Generator(str(folder), "cpu").evaluate("data", features="fight", clips=clips, out="scores")
    ((args, options),) = calls
    assert args == (str(folder), "data")
    assert options == {
        "compare": None, "features": "fight", "classifier": None, "clips": clips, "out": "scores", "overwrite": False,
        "device": "cpu",
    }  # fmt: skip


@pytest.fixture
def predictor(monkeypatch, tmp_path) -> FramePredictor:
    monkeypatch.setitem(predictors.NETWORKS, "brighter", Brighter)
    metadata = PredictorMetadata(network="brighter", context=3, horizon=2, rate=10.0, size=16)
    save_predictor(tmp_path / "model", new_predictor(metadata), metadata)
    return FramePredictor(str(tmp_path / "model"), "cpu")


def greys(count: int) -> np.ndarray:
    return np.full((count, 16, 32, 3), np.arange(count, dtype=np.uint8)[:, None, None, None])


def test_a_predictor_continues_a_clip(predictor, tmp_path):
    for frames in (greys(9), list(greys(9)), iter(greys(9))):
        following = predictor(frames, 3)
        assert following.shape == (3, 16, 32, 3)
        assert following[:, 0, 0, 0].tolist() == [18, 28, 38]
    with pytest.raises(SourceError, match="the clip has 2 frames, and the model reads 3"):
        predictor(greys(2))
    with pytest.raises(OptionError, match="count 0 is not possible"):
        predictor(greys(9), 0)
    result = predictor.predict(Video.from_frames(greys(9), rate=10), out=tmp_path / "next.mkv")
    assert result.pixels is not None
    assert result.pixels[:, 0, 0, 0].tolist() == [18, 28]
    assert (result.source, result.written) == ("frames", [tmp_path / "next.mkv"])
    assert (predictor.name, predictor.metadata.horizon) == ("model", 2)


def test_a_clip_without_frames_or_of_several_sizes_is_refused(predictor):
    with pytest.raises(SourceError, match="the clip has 0 frames, and the model reads 3"):
        predictor([])
    with pytest.raises(SourceError, match="the frames have several sizes, such as 16x16 and 32x16; give frames of one"):
        predictor([*greys(3), np.zeros((16, 16, 3), np.uint8)])
