"""Explanations in memory, from Python."""

from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import Interrupted, OptionError
from kinoscope.pipeline.explanation import MAX_DISPLAY_SIDE, display_size, explain_clip
from kinoscope.views.video.heatmap import explanation_frames
from tests.helpers.toy_networks import FRAMES, NETWORKS, SIDE, clip, film, save_toy


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folder of a trained model."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", NETWORKS)
    return save_toy(tmp_path / "model", "toy-conv3d")


def test_without_a_folder_nothing_is_written_and_the_frames_come_with_the_maps(model: Path, tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4", clip(3, 0))
    before = sorted(tmp_path.rglob("*"))
    result = explain_clip(str(model), video, methods=["grad-cam"], target="across")
    assert sorted(tmp_path.rglob("*")) == before
    assert (result.source, result.written, result.status) == (str(video), [], 0)
    assert (result.start, result.end, result.windows) == (0.0, 1.5, 1)
    assert result.frames is not None
    assert result.frames.shape == (FRAMES, SIDE, SIDE, 3)
    assert result.frames.dtype == np.uint8
    assert len(explanation_frames(result.explanation, result.frames)) == FRAMES


def test_ctrl_c_while_the_window_is_searched_is_no_fault_of_the_video(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kinoscope.pipeline.engine._next", interrupt)
    video = film(tmp_path / "a.mp4", clip(3, 0), clip(4, 1), clip(5, 0))
    with pytest.raises(Interrupted, match=r"a\.mp4: interrupted; nothing is explained yet$") as caught:
        explain_clip(str(model), video, methods=["grad-cam"])
    assert caught.value.status == 1


def test_no_method_is_an_error(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no method is given; choose from grad-cam"):
        explain_clip(str(model), tmp_path / "a.mp4", methods=[])


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 48), (64, 48)), ((1920, 1080), (MAX_DISPLAY_SIDE, 360)), ((7, 3000), (2, 640))]
)
def test_displayed_frames_are_even_and_not_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert display_size(size) == expected
