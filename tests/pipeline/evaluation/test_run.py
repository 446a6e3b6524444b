"""Evaluation from Python: a model on the data that fits it, without files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.pipeline.evaluation.options import ScoredClipOptions
from kinoscope.pipeline.evaluation.run import evaluate_model, model_name
from tests.helpers.colour_clips import film

Make = Callable[..., Path]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A red, a green and a blue clip in folders of their classes; one more blue clip is red."""
    for name, colour in (("red/a", "red"), ("green/b", "green"), ("blue/c", "blue"), ("blue/d", "red")):
        film(tmp_path / "clips" / f"{name}.mp4", (colour, 1))
    return tmp_path / "clips"


def test_clips_are_scored_and_nothing_is_written(tiny: Make, clips: Path, tmp_path: Path) -> None:
    model = str(tiny())
    result = evaluate_model(model, clips, clips=ScoredClipOptions(views=1))
    assert list(tmp_path.rglob("scores.json")) == []
    assert (result.source, result.model, result.written, result.status) == (str(clips), "model", [], 0)
    assert result.scores is not None
    assert result.scores.measures["top1"].value == 3 / 4
    assert result.comparison is None


def test_a_model_is_compared_with_itself(tiny: Make, clips: Path) -> None:
    model = str(tiny())
    result = evaluate_model(model, clips, compare=model, clips=ScoredClipOptions(views=1))
    assert result.comparison is not None
    assert (result.comparison.first, result.comparison.second) == (model, model)
    assert result.comparison.measures["top1"].difference == 0


def test_segments_are_scored_and_nothing_is_written(tiny: Make, tmp_path: Path) -> None:
    film(tmp_path / "one.mp4", ("red", 4), ("blue", 4))
    annotations = [{"label": "red", "segment": [0, 4]}, {"label": "blue", "segment": [4, 8]}]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"database": {"one": {"subset": "validation", "annotations": annotations}}}))
    model = str(tiny())
    result = evaluate_model(model, table)
    assert list(tmp_path.rglob("scores.json")) == []
    assert result.segments is not None
    assert result.segments.average_map == 1
    assert (result.written, result.unreadable) == ([], {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ScoredClipOptions(split="some"), "there is no split 'some'; known: train, val, test, all"),
        (ScoredClipOptions(views=0), "views 0 is not possible; give 1 to 100000"),
        (ScoredClipOptions(batch=0), "batch 0 is not possible; give 1 to 100000"),
        (ScoredClipOptions(n=0), "n 0 is not possible; give 1 to 100000"),
        (ScoredClipOptions(seed=-1), "seed -1 is not possible; give 0 to 2.14748e"),
    ],
)
def test_options_are_checked_before_the_model(tmp_path: Path, options: ScoredClipOptions, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        evaluate_model(str(tmp_path / "no model"), tmp_path, clips=options)


def test_options_of_the_other_kind_of_model_are_errors(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="features is for a generator; leave it out"):
        evaluate_model(str(tiny()), tmp_path, features="x3d")
    with pytest.raises(OptionError, match="split is for a model that classifies clips; leave it out"):
        evaluate_model("shapes", tmp_path, clips=ScoredClipOptions(split="val"))


def test_two_models_of_one_name_are_called_as_they_were_typed(tiny: Make, tmp_path: Path) -> None:
    first, second = str(tiny("a")), str(tiny("b"))
    assert (model_name(first), model_name(first, second), model_name(first, first)) == ("a", "a", first)
    assert model_name("shapes") == "shapes"
    with pytest.raises(ModelError):
        model_name(str(tmp_path))
