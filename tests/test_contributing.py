"""The examples of CONTRIBUTING.md, run as they stand there."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kinoscope.core.results import Event
from kinoscope.pipeline import engine
from kinoscope.source.synthetic.video import flash_and_beep
from kinoscope.views.timeline import Timeline
from tests.conftest import Call

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", TEXT, flags=re.S))


def names_of(path: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLES[f"src/kinoscope/{path}"], path, "exec"), names)
    return names


def test_each_kind_of_extension_has_its_example() -> None:
    paths = ("tasks/dark.py", "views/formats/chapters.py", "nets/brightness.py", "training/autoencode.py")
    assert set(EXAMPLES) == {f"src/kinoscope/{path}" for path in paths}


def test_the_task_finds_what_is_between_flashes() -> None:
    task = names_of("tasks/dark.py")["Dark"]()
    # Flashes of 0.08 s at 0.4, 1.4 and 2.4 s, each in one of five frames per second.
    timeline = engine.run(flash_and_beep(duration=3, rate=25), [task])
    assert timeline.tasks["dark"].status == "ok"
    assert [(e.start, e.end) for e in timeline.all_events] == [(0.0, 0.2), (0.6, 1.2), (1.6, 2.2), (2.6, 2.8)]


def test_the_view_writes_a_line_for_each_shot(tmp_path: Path) -> None:
    timeline = Timeline(events=[Event("shots", 0, 61.5, "shot"), Event("shots", 61.5, 70, "shot")])
    names_of("views/formats/chapters.py")["write_chapters"](timeline, tmp_path / "chapters.txt")
    assert (tmp_path / "chapters.txt").read_text() == "00:00:00 Shot 1\n00:01:01 Shot 2\n"


def test_the_network_separates_the_quarters() -> None:
    torch = pytest.importorskip("torch")
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    pixels[:, :2, 2:] = 255
    found = names_of("nets/brightness.py")["Brightness"]()(torch.from_numpy(pixels))
    assert found[0].tolist() == pytest.approx([0, 1, 0, 0])


@pytest.fixture
def autoencode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the training of the example to the table, as its row stands there."""
    from kinoscope.pipeline import trainings

    module = ModuleType("kinoscope.training.autoencode")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(EXAMPLES["src/kinoscope/training/autoencode.py"], "autoencode.py", "exec"), module.__dict__)
    (row,) = re.findall(r"```python\n(Training\(.*?)```", TEXT, flags=re.S)
    training = eval(row, vars(trainings))
    monkeypatch.setattr(trainings, "TRAININGS", {**trainings.TRAININGS, training.name: training})


@pytest.mark.usefixtures("autoencode")
def test_the_training_learns_and_resumes_exactly(
    kinoscope: Callable[..., Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "autoencode", "synthetic:moving", "steps=20", "batch=4", "lr=0.01")
    for epochs, out in ((4, "whole"), (2, "cut")):
        assert kinoscope(*words, f"epochs={epochs}", "-o", tmp_path / out, "--quiet").status == 0
    call = kinoscope("train", "autoencode", "epochs=4", "--resume-from", tmp_path / "cut", "--json")
    losses = [row["loss"] for row in json.loads(call.out)["log"]]
    assert len(losses) == 4
    assert losses[-1] < 0.5 * losses[0]
    whole, cut = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    assert "dry run: all fits" in kinoscope(*words, "--dry-run").out
    assert "numbers that a frame is compressed to [32]" in " ".join(
        kinoscope("train", "autoencode", "--help").out.split()
    )
    assert "width=0 is not possible; give 1 or more" in kinoscope(*words, "width=0").err


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_pass_the_linter(path: str, tmp_path: Path) -> None:
    example = tmp_path / path
    example.parent.mkdir(parents=True)
    example.write_text(EXAMPLES[path])
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(example)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (0, "All checks passed!\n")
