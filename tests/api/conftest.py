"""Images and videos of drawn people, whose faces are found by their colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kinoscope.core.results import TaskResult
from kinoscope.source.synthetic.video import SyntheticSource
from tests.helpers.people import SIZE, ColourEmbedder, ColourFinder, draw


@pytest.fixture
def colour_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find and compare faces by their colour, in place of the networks."""
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", ColourFinder)
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceEmbedder", ColourEmbedder)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an image, or a video of intervals (people, seconds, brightness)."""

    def write(name: str, *stretches: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if path.suffix == ".png":
            cv2.imwrite(str(path), cv2.cvtColor(draw(stretches[0]), cv2.COLOR_RGB2BGR))
            return path
        shown = [(people, light) for people, seconds, *light in stretches for _ in range(round(seconds * 10))]
        frames = [(draw(people) * (light[0] if light else 1.0)).astype(np.uint8) for people, light in shown]
        source = SyntheticSource("people", lambda n, _: frames[n], TaskResult(), SIZE, len(frames) / 10, 10)
        return source.write(path, lossless=True)

    return write
