"""Several processes that share a training."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.distributed as dist

from kinoscope.core.errors import OptionError, TrainingError
from kinoscope.core.launcher import Launch
from kinoscope.core.sampling import Sampling
from kinoscope.training.data.streams import SyntheticClipStream
from kinoscope.training.distributed import Processes, process_group
from kinoscope.training.generation.options import GenerationOptions
from kinoscope.training.generation.train import GeneratorTrainer
from kinoscope.training.prediction.data import SyntheticPredictionClips
from kinoscope.training.prediction.options import PredictionOptions
from kinoscope.training.prediction.train import PredictionTrainer

TWO = Processes(0, 2)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the calls of a group of two processes that is not there."""
    calls: list[str] = []
    monkeypatch.setattr("kinoscope.training.distributed.current_launch", lambda: Launch(1, 2, 0))
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: calls.append("join"))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: calls.append("leave"))
    return calls


@pytest.mark.parametrize(
    "error", [RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), dist.DistBackendError("nccl")]
)
def test_a_process_whose_group_is_broken_points_at_the_others(group: list[str], error: Exception) -> None:
    with pytest.raises(TrainingError, match=r"^another process of this training has ended; see its message"):
        _fail(error)
    assert group == ["join", "leave"]


def test_errors_of_its_own_are_those_of_a_process(group: list[str]) -> None:
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2"):
        _fail(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert group == ["join", "leave"]


def _fail(error: Exception) -> None:
    with process_group("cpu") as processes:
        assert processes == Processes(1, 2, torch.device("cpu"))
        raise error


def test_a_batch_that_cannot_be_shared_is_refused_before_a_folder_is_made() -> None:
    message = re.escape("a batch of 3 clips cannot be divided into 2 equal parts; give a multiple of 2")
    small: dict[str, Any] = {"batch": 3, "width": 4}
    generation = GenerationOptions(disc_width=4, frames=4, **small)
    with pytest.raises(OptionError, match=message):
        GeneratorTrainer(generation, SyntheticClipStream(Sampling(4, 25, (64, 64))), processes=TWO)
    prediction = PredictionOptions(size=16, **small)
    with pytest.raises(OptionError, match=message):
        PredictionTrainer(prediction, SyntheticPredictionClips(prediction, TWO), processes=TWO)
