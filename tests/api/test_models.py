"""What is said of weights that are pulled and checked."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinoscope.api.models import models
from kinoscope.core.errors import WeightsMissing
from kinoscope.models import registry, store
from kinoscope.models.card import Card, WeightFile
from kinoscope.results.models import ModelsResult

CONTENT = b"weights"
PIN = WeightFile("net.bin", hashlib.sha256(CONTENT).hexdigest())


def card(name: str, task: str, source: str) -> Card:
    return Card(name=name, task=task, about="a toy", licence="MIT", files=(PIN,), sources=(source,))


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three cards in place of the real ones; one of two for a task cannot be had."""
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KINOSCOPE_MODELS", raising=False)
    monkeypatch.delenv("KINOSCOPE_OFFLINE", raising=False)
    here = f"folder:{tmp_path}"
    (tmp_path / "net.bin").write_bytes(CONTENT)
    table = (card("good", "objects", here), card("better", "objects", f"{here}/none"), card("other", "text", here))
    monkeypatch.setattr(registry, "CARDS", table)
    return f"better are missing ({here}/none: it has no net.bin); check the network and run `kinoscope models pull bet"


def test_a_pull_says_why_one_failed_and_what_does_its_task(toys: str, kinoscope: Any) -> None:
    call = kinoscope("models", "pull")
    assert call.status == 0
    (line,) = [line for line in call.err.splitlines() if "weights of" in line]
    assert line.startswith(f"weights of {toys}")
    assert line.endswith("a folder with net.bin; good is there and does the same task (objects)")
    assert kinoscope("models", "pull", "better").err.count("weights of better") == 1


def test_a_part_of_a_network_does_not_stand_for_the_others(
    toys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"folder:{tmp_path}"
    lost = replace(card("rnet", "faces", source), files=(WeightFile("no.bin", PIN.sha256),))
    monkeypatch.setattr(registry, "CARDS", (card("pnet", "faces", source), lost))
    with pytest.raises(WeightsMissing, match="weights of rnet are missing"):
        models("pull")


def test_a_check_says_what_was_verified(toys: str, tmp_path: Path, kinoscope: Any) -> None:
    kinoscope("models", "pull")
    lines = kinoscope("models", "check").out.splitlines()
    assert [line.split("│")[-2].strip() for line in lines[3:6]] == ["1 file", "not here", "1 file"]
    assert lines[-1] == "2 files of 2 models verified; none was altered"
    path = store.weights_folder(registry.CARDS[2]) / "net.bin"
    path.chmod(0o600)
    path.write_bytes(b"altered")
    call = kinoscope("models", "check")
    assert call.out.splitlines()[-1] == "2 files of 2 models verified; other was altered, and fetched again"
    assert path.read_bytes() == CONTENT
    assert "verified" not in kinoscope("models", "list").out


def test_each_action_returns_the_state_of_the_weights(toys: str) -> None:
    def states(result: ModelsResult) -> list[tuple[str, str, int | None]]:
        return [(one.card.name, one.weights, one.verified) for one in result.models]

    assert states(models("list", "other")) == [("other", "available", None)]
    assert states(models("pull", "good")) == [("good", "cached", None)]
    checked = models("check", "good", "better")
    assert states(checked) == [("good", "cached", 1), ("better", "missing", 0)]
    assert [row["verified"] for row in checked.to_dict()["models"]] == [1, 0]
    assert "verified" not in models("show", "good").to_dict()["models"][0]
