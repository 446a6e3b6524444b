"""The recipes of the bundled generators: their data, and that they resume."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinoscope.models.trainable.generators import TrainedGenerator

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generators", ROOT / "recipes" / "generators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_names_actions_and_persons(recipe: ModuleType, tmp_path: Path) -> None:
    for folder in recipe.ACTIONS:
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number in (3, 17):
            (tmp_path / "data" / folder / f"{number:08d}.jpg").write_bytes(b"")
    with recipe.table(tmp_path / "data", tmp_path / "out").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert {row["label"] for row in rows} == {"one hand waves", "two hands wave", "jumping jack", "bend"}
    assert [row["group"] for row in rows[:2]] == ["person0", "person2"]


@pytest.mark.slow
def test_a_recipe_trains_and_resumes(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        recipe.OPTIONS, "shapes", ("size=16", "frames=4", "width=8", "disc_width=8", "batch=3", "steps=1")
    )
    for epochs in ("1", "2"):
        monkeypatch.setattr(sys, "argv", ["generators.py", "shapes", str(tmp_path), "--epochs", epochs])
        recipe.main()
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 2
    generator = TrainedGenerator(tmp_path / "model", "cpu")
    assert generator.metadata.data == "synthetic:moving"
    assert generator.metadata.score["clips"] == 300
    ours, theirs = (TrainedGenerator(tmp_path / name, "cpu").sample(3).astype(int) for name in ("run", "model"))
    assert np.abs(ours - theirs).max() <= 2
