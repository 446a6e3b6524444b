import pytest
import torch

from kinoscope.core.errors import ModelError
from kinoscope.models.inference.sync import SyncModelMetadata, save_sync_model
from kinoscope.nets.syncnet import MOUTH_STREAMS, SyncNet
from kinoscope.training.lipsync.sync_loss import load_expert


def folder(path, *kinds):
    torch.manual_seed(0)
    save_sync_model(path, [SyncNet(MOUTH_STREAMS[kind]()) for kind in kinds], SyncModelMetadata(pairs=kinds))
    return str(path)


def test_an_expert_is_frozen_and_has_a_gradient_to_pixels(tmp_path):
    expert = load_expert(folder(tmp_path, "points", "pixels"))
    mouths = torch.rand(2, 10, 3, 48, 48, requires_grad=True)
    similarity = expert(mouths, torch.randn(2, 40, 40))
    assert similarity.shape == (2,)
    assert (similarity.abs() <= 1).all()
    similarity.sum().backward()
    assert mouths.grad is not None
    assert mouths.grad.abs().sum() > 0


def test_our_own_is_an_expert():
    similarity = load_expert()(torch.rand(1, 10, 3, 48, 48), torch.randn(1, 40, 40))
    assert torch.isfinite(similarity).all()


def test_points_alone_are_no_expert(tmp_path):
    with pytest.raises(ModelError, match="train sync with pairs=pixels"):
        load_expert(folder(tmp_path, "points"))
