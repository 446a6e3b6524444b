"""Clips that are generated from Python, without files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kinoscope.core.errors import OptionError
from kinoscope.models.trainable.generators import GeneratorMetadata, new_generator, save_generator
from kinoscope.pipeline.generation import GeneratedClipOptions, generate_clips


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small generator of two classes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    metadata = GeneratorMetadata(width=8, size=16, frames=6, rate=12.5, classes=("disc", "square"))
    save_generator(folder, new_generator(metadata), metadata)
    return folder


def test_clips_are_an_array_and_nothing_is_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = generate_clips(model, 3, clips=GeneratedClipOptions(frames=4, classes="square"))
    assert result.pixels is not None
    assert result.pixels.shape == (3, 4, 16, 16, 3)
    assert result.pixels.dtype == np.uint8
    assert (result.source, result.model, result.clips, result.frames) == (str(model), "tiny", 3, 4)
    assert (result.labels, result.written, result.status) == (["square"] * 3, [], 0)
    assert "pixels" not in result.to_dict()
    assert list(tmp_path.iterdir()) == []


def test_a_smaller_number_generates_the_first_clips(model: Path) -> None:
    two, three = (generate_clips(model, n, seed=1).pixels for n in (2, 3))
    assert two is not None
    assert three is not None
    np.testing.assert_array_equal(two, three[:2])
    assert (generate_clips(model, 2, seed=2).pixels != two).any()


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (GeneratedClipOptions(enlarge=17), "enlarge 17 is not possible; give 1 to 16"),
        (GeneratedClipOptions(frames=0), "frames 0 is not possible; give 1 to 10000"),
        (GeneratedClipOptions(classes="cube"), "there is no class 'cube'"),
    ],
)
def test_options_are_checked(model: Path, clips: GeneratedClipOptions, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        generate_clips(model, clips=clips)
