"""Frames that are predicted from Python, of clips in memory and without an output."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Frame
from kinoscope.models.trainable import predictors
from kinoscope.models.trainable.predictors import PredictorMetadata, load_predictor, new_predictor, save_predictor
from kinoscope.pipeline.prediction import predict_next_frames, predict_video
from kinoscope.source.encode.writer import Writer
from tests.api.test_predict import Brighter


@pytest.fixture(params=[3, 1], ids=["colour", "grey"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a model that predicts two frames, ten and twenty grey levels brighter than the last of three."""
    monkeypatch.setitem(predictors.NETWORKS, "brighter", Brighter)
    Brighter.seen.clear()
    metadata = PredictorMetadata(network="brighter", context=3, horizon=2, rate=10.0, size=16, channels=request.param)
    save_predictor(tmp_path / "model", new_predictor(metadata), metadata)
    return tmp_path / "model"


def grey_clip(frames: int) -> np.ndarray:
    """Return a clip (T, 16, 32, 3) whose grey level is the number of the frame."""
    return np.full((frames, 16, 32, 3), np.arange(frames, dtype=np.uint8)[:, None, None, None])


@pytest.mark.parametrize(("count", "levels"), [(None, [18, 28]), (3, [18, 28, 38]), (1, [18])])
def test_the_frames_after_a_clip_in_memory(model: Path, count: int | None, levels: list[int]) -> None:
    predicted = predict_next_frames(load_predictor(model), grey_clip(9), count)
    assert predicted.shape == (len(levels), 16, 32, 3)
    assert predicted.dtype == np.uint8
    assert [frame.min() for frame in predicted] == [frame.max() for frame in predicted] == levels
    assert Brighter.seen[0][0, :, 0, 0, 0].tolist() == [6, 7, 8]


def test_a_clip_that_is_too_short_is_an_error(model: Path) -> None:
    with pytest.raises(SourceError, match="the clip has 2 frames, and the model reads 3; give 3 or more"):
        predict_next_frames(load_predictor(model), grey_clip(2))


def test_without_an_output_the_frames_are_returned_and_nothing_is_written(model: Path, tmp_path: Path) -> None:
    with Writer(tmp_path / "in.mkv", (32, 16), 20, lossless=True) as writer:
        for number, pixels in enumerate(grey_clip(9)):
            writer.write(Frame(pixels, Fraction(number, 20), number))
    before = sorted(tmp_path.rglob("*"))
    result = predict_video(model, tmp_path / "in.mkv", frames=1)
    assert sorted(tmp_path.rglob("*")) == before
    assert (result.source, result.read, result.frames, result.written) == (str(tmp_path / "in.mkv"), 3, 1, [])
    assert result.pixels is not None
    assert result.pixels.shape == (1, 16, 32, 3)
    assert set(result.pixels.ravel().tolist()) == {18}
