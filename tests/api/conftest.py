"""A trained model that distinguishes colours, and clips of one colour each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.results import TaskResult
from kinoscope.source.synthetic.video import SyntheticSource
from tests.helpers.tiny_models import NETWORK, train_tiny

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Write trained models that distinguish colours; see ``train_tiny``."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (NETWORK,))
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))

    def make(name: str = "model", **facts: object) -> Path:
        return train_tiny(tmp_path / name, **facts)  # type: ignore[arg-type]

    return make


def film(path: Path, *stretches: tuple[str, float], rate: int = 8) -> Path:
    """Write a video of plain colours, each for some seconds."""
    colours = [COLOURS[name] for name, seconds in stretches for _ in range(round(seconds * rate))]

    def draw(index: int, time: object) -> np.ndarray:
        return np.full((24, 32, 3), colours[index], np.uint8)

    source = SyntheticSource("colours", draw, TaskResult(), (32, 24), len(colours) / rate, rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    return source.write(path, lossless=True)
