"""Nothing that was altered in the cache is ever run: weights, converted networks, compiled ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from kinoscope.models import find
from kinoscope.models.runtime.runner import compile_network, make_runner
from kinoscope.models.trainable import classifiers
from tests.helpers.tiny_models import NETWORK, train_tiny


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["weights/*/model.safetensors", "ir/*/model.bin", "compiled/*/*.blob"])
def test_an_altered_file_of_the_cache_changes_no_answer(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr(classifiers, "NETWORKS", (NETWORK,))
    model = str(train_tiny(tmp_path / "model"))
    clips = np.full((1, 4, 12, 16, 3), (200, 100, 50), np.uint8)

    def logits() -> list[float]:
        compile_network.cache_clear()
        return make_runner(find(model), device="cpu", threads=1)(clips)[1][0].tolist()

    right = logits()
    (path,) = cache.glob(pattern)
    data = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data[: len(data) // 2] + bytes(byte ^ 0x10 for byte in data[len(data) // 2 :]))
    os.utime(path, (1, 1))
    assert logits() == right
    (again,) = cache.glob(pattern)
    assert len(again.read_bytes()) == len(data)
