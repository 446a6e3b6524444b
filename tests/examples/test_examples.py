"""The examples for students: each runs on a synthetic video, so that it needs no download."""

from __future__ import annotations

import importlib.util
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from kinoscope import open_source

ROOT = Path(__file__).parents[2]
VIDEO = "synthetic:shapes?duration=5&rate=12&width=96&height=72"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["opencv_preprocess", "keras_features", "pytorch_rnn"])
def test_an_example_is_short(name: str) -> None:
    assert len((ROOT / "examples" / f"{name}.py").read_text().splitlines()) < 80


def test_opencv_crops_rotates_and_flips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("opencv_preprocess")
    example.main(VIDEO, str(tmp_path / "out.mp4"))
    assert "36 frames of 96x72" in capsys.readouterr().out
    with open_source(tmp_path / "out.mp4") as source:
        assert len(list(source.frames())) == 36
    ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], 24, 0).repeat(3, 2)
    flipped = example.preprocess(ramp, example.flip_matrix(24))
    assert np.array_equal(flipped, ramp[:, ::-1])


@pytest.mark.skipif(find_spec("keras") is None, reason="the extra keras is not installed")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on PyTorch and NumPy 2
def test_keras_features_are_similar_within_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    load("keras_features").main("synthetic:cuts?times=2,4,6&duration=8&rate=12&width=96&height=72")
    output = capsys.readouterr().out
    assert "features of length 32" in output
    within, across = map(float, re.findall(r"(-?[\d.]+) (?:within|across)", output))
    assert within > across


@pytest.mark.slow
def test_an_rnn_classifies_order_and_a_mean_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    load("pytorch_rnn").main(VIDEO)
    gru, mean = map(int, re.findall(r"(?:GRU|order) (\d+) %", capsys.readouterr().out))
    assert gru > 80
    assert mean < 65


def plain_generator(noise: np.ndarray, params: list[np.ndarray], frames: int) -> np.ndarray:
    """Compute the generator of the PyTensor example in NumPy."""
    half = noise.shape[1] // 2
    times = np.linspace(-1, 1, frames, dtype=np.float32).reshape(1, frames, 1)
    x = (noise[:, None, :half] + noise[:, None, half:] * times).reshape(-1, half)
    for weight, bias in zip(params[:4:2], params[1:4:2], strict=True):
        x = np.maximum(x @ weight + bias, 0)
    return (0.5 + 0.5 * np.tanh(x @ params[4] + params[5])).reshape(len(noise), frames, -1)


def test_the_generator_in_torch_returns_the_same_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = load("pytensor_video_gan")
    random = np.random.default_rng(0)
    params = example.weights(random, example.NOISE, example.WIDTH, example.WIDTH, example.PIXELS)
    noise = random.normal(size=(4, 2 * example.NOISE)).astype(np.float32)
    clips = plain_generator(noise, params, example.FRAMES)
    named = {f"w{i}": weight for i, weight in enumerate(params)}
    frames = example.generator(example.Torch(), torch.from_numpy(noise), [torch.from_numpy(w) for w in params])
    assert np.abs(frames.numpy() - clips).max() < 1e-4
    np.savez(tmp_path / "pytensor.npz", noise=noise, clips=clips, **named)
    example.check(str(tmp_path))
    assert (tmp_path / "pytensor.gif").is_file()
    np.savez(tmp_path / "pytensor.npz", noise=noise, clips=clips + 0.01, **named)
    with pytest.raises(SystemExit, match="the frames of PyTorch and PyTensor differ"):
        example.check(str(tmp_path))


@pytest.mark.skipif(find_spec("pytensor") is None, reason="the extra pytensor is not installed")
def test_the_gan_in_pytensor_trains(tmp_path: Path) -> None:
    example = load("pytensor_video_gan")
    assert example.train(str(tmp_path), steps=100).shape == (16, example.FRAMES, example.PIXELS)
    example.check(str(tmp_path))


def test_real_clips_of_the_gan_show_one_disc() -> None:
    example = load("pytensor_video_gan")
    clips = example.real_clips(np.random.default_rng(0), 8)
    assert clips.shape == (8, example.FRAMES, example.PIXELS)
    assert clips.min() == 0
    assert clips.max() == 1
    areas = clips.sum(2)
    assert areas.min() > 15
    assert areas.max() < 25
