import json

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError
from kinoscope.core.signal.sync_offset import LAGS, OffsetCalibration
from kinoscope.models.inference.sync import (
    CONTEXT_FRAMES,
    LAGS_PER_FRAME,
    METADATA_FILE,
    PADDING_FRAMES,
    WEIGHTS_FILE,
    SyncEmbedder,
    SyncModelMetadata,
    read_sync_metadata,
    save_sync_model,
)
from kinoscope.nets.syncnet import MOUTH_STREAMS, SyncNet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("lips")
    kinds = ("pixels", "points", "points")
    pairs = [SyncNet(MOUTH_STREAMS[kind]()).eval() for kind in kinds]
    calibration = OffsetCalibration((1.0, 2.0, 3.0, 4.0), 0.5)
    save_sync_model(
        place, pairs, SyncModelMetadata(pairs=kinds, calibration=calibration, data="noise", score={"25": 0.5})
    )
    return place


def test_a_model_is_read_as_it_was_written(folder):
    streams = read_sync_metadata(folder / METADATA_FILE)
    assert streams.pairs == ("pixels", "points", "points")
    assert streams.calibration == OffsetCalibration((1.0, 2.0, 3.0, 4.0), 0.5)
    assert streams.score == {"25": 0.5}


@pytest.mark.slow
def test_similarity_is_the_mean_cosine_at_each_lag(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path))
    net = SyncEmbedder(str(folder))
    generator = np.random.default_rng(0)
    points = generator.normal(0, 0.02, (20, 61, 3)).astype(np.float32)
    pixels = generator.integers(0, 256, (20, 48, 48), np.uint8)
    mel = generator.normal(0, 2, ((20 + 2 * PADDING_FRAMES) * LAGS_PER_FRAME + LAGS_PER_FRAME - 1, 40)).astype(
        np.float32
    )
    seen, heard = net.embed_mouth(points, pixels), net.embed_audio(mel)
    assert seen.shape == (20, 3 * 64)
    assert heard.shape == ((20 + 2 * PADDING_FRAMES) * LAGS_PER_FRAME, 3 * 64)
    parts = np.linalg.norm(seen.reshape(20, 3, 64), axis=2)
    np.testing.assert_allclose(parts, 1, atol=1e-4)
    inner = heard[CONTEXT_FRAMES * LAGS_PER_FRAME : -CONTEXT_FRAMES * LAGS_PER_FRAME]
    likeness = net.compare(seen, inner)
    assert likeness.shape == (20, len(LAGS))
    for frame, lag in ((0, 0), (7, 100), (19, 200), (3, 57)):
        assert likeness[frame, lag] == pytest.approx(float(seen[frame] @ inner[4 * frame + lag]) / 3, abs=1e-5)


@pytest.mark.slow
def test_audio_that_is_a_frame_later_matches_a_frame_later(folder):
    net = SyncEmbedder(str(folder))
    mel = np.random.default_rng(1).normal(0, 2, (163, 40)).astype(np.float32)
    both = net.embed_audio(np.concatenate([mel, mel[-1:]])[1:]), net.embed_audio(mel)
    # In the middle, the embedding at a step is that of the next step before.
    np.testing.assert_allclose(both[0][60:100], both[1][61:101], atol=0.05)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "newer version than 1"),
        ({"task": "classify"}, "was trained to classify, not to sync"),
        ({"pairs": ["os.system"]}, "damaged"),
        ({"pairs": []}, "damaged"),
        ({"calibration": {}}, "damaged"),
    ],
)
def test_a_damaged_model_is_refused(folder, tmp_path, change, said):
    plain = json.loads((folder / METADATA_FILE).read_text()) | change
    (tmp_path / METADATA_FILE).write_text(json.dumps(plain))
    (tmp_path / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes())
    with pytest.raises(ModelError, match=said):
        SyncEmbedder(str(tmp_path))


def test_a_folder_that_is_no_model_is_refused(folder, tmp_path):
    with pytest.raises(ModelError, match=r"it has no model\.json"):
        SyncEmbedder(str(tmp_path))
    (tmp_path / METADATA_FILE).write_text((folder / METADATA_FILE).read_text())
    (tmp_path / WEIGHTS_FILE).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        SyncEmbedder(str(tmp_path))
