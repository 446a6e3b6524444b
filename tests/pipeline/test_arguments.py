from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.pipeline.arguments import choose_models, choose_tasks
from kinoscope.tasks.classify import Classify
from kinoscope.tasks.registry import TASKS, find_task
from tests.helpers.colour_clips import film

Make = Callable[..., Path]


def test_what_needs_a_model_is_no_default() -> None:
    on_request = {name for name in TASKS if find_task(name).required_input}
    by_name = {name for name in TASKS if not find_task(name).by_default}
    assert (on_request, by_name) == ({"classify", "recognize", "rules"}, {"anomalies", "text"})
    assert set(TASKS) - set(choose_tasks(None)) == on_request | by_name
    assert choose_tasks("anomalies") == ["anomalies"]
    assert choose_tasks(None, on_request) == [name for name in TASKS if name not in by_name]
    assert choose_tasks("shots", {"classify": "x"}) == ["shots", "classify"]
    with pytest.raises(OptionError, match="task classify needs a model; give --model classify=FOLDER"):
        choose_tasks("classify")


def test_a_model_is_given_for_a_task_or_knows_its_own(tiny: Make) -> None:
    folder = tiny()
    assert choose_models(f"classify={folder},objects=nanodet") == {"classify": str(folder), "objects": "nanodet"}
    assert choose_models(str(folder)) == {"classify": str(folder)}
    assert choose_models([f"actions={folder}", "yolox-nano"]) == {"actions": str(folder), "objects": "yolox-nano"}


def test_an_unknown_model_is_reported(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is no trained model: it has no model\.json"):
        choose_models(str(tmp_path))
    with pytest.raises(OptionError, match="model dance=x is no trained model's folder and is not TASK=CARD; tasks: "):
        choose_models("dance=x")
    with pytest.raises(OptionError, match="is for painting, which is no task of an analysis"):
        choose_models(str(tiny("painter", task="painting")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("--model", "{}"), ("--model", "classify={}"), ("--tasks", "classify", "--model", "{}")]
)
def test_analyze_uses_a_trained_model(
    kinoscope: Any, light: dict[str, Any], tiny: Make, tmp_path: Path, words: tuple[str, ...]
) -> None:
    light["classify"] = Classify
    video = film(tmp_path / "a.mp4", ("red", 4), ("blue", 4))
    folder = tiny()
    call = kinoscope("analyze", video, "-o", tmp_path / "out", "--no-report", *(word.format(folder) for word in words))
    assert (call.status, call.err) == (0, "")
    timeline = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert ("shots" in timeline["tasks"]) == ("--tasks" not in words)
    found = [(e["label"], e["start"], e["end"]) for e in timeline["events"] if e["task"] == "classify"]
    assert found == [("red", 0, 4), ("blue", 4, 8)]
    assert timeline["tasks"]["classify"]["model"] == "model"
    assert len(timeline["tasks"]["classify"]["top"]) == 3
