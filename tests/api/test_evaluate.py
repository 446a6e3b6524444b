from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinoscope.api.evaluate import evaluate
from kinoscope.core.errors import DatasetError, ModelError, OptionError
from kinoscope.pipeline.evaluation.options import ScoredClipOptions
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.data.splits import save_splits
from kinoscope.training.evaluation.scores import load_scores
from tests.helpers.colour_clips import film

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Nine clips in folders that are called a little otherwise than the classes; one blue clip is red."""
    folder = tmp_path / "clips"
    for name in ("red", "green", "blue"):
        for number in range(3):
            colour = "red" if (name, number) == ("blue", 2) else name
            film(folder / f"_{name.upper()}" / f"{number}.mp4", (colour, 1))
    return folder


def test_scores_report_and_images_are_written(kinoscope: Any, tiny: Make, clips: Path, tmp_path: Path) -> None:
    call = kinoscope("evaluate", tiny(temperature=2.0), clips, "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    scores = load_scores(tmp_path / "out" / "scores.json")
    assert scores.measures["top1"].value == pytest.approx(8 / 9)
    assert scores.confusion == ((3, 0, 0), (0, 3, 0), (1, 0, 2))
    assert (scores.model, scores.split, scores.views, scores.groups) == ("model", "all", 3, 9)
    assert (scores.clips[0].path, scores.clips[0].predicted) == (str(clips / "_BLUE" / "2.mp4"), ("red",))
    assert scores.calibration.temperature == 2
    assert "88.9 %" in call.out
    assert "33.3 %" in call.out
    written = [Path(line.strip()) for line in call.out.splitlines() if str(tmp_path / "out") in line]
    assert {"scores.json", "report.html"} <= {path.name for path in written}
    assert all(path.is_file() for path in written)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg") <= 1  # pictures are JSON, not markup
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len(data["images"]) == 9
    assert data["scores"] == json.loads((tmp_path / "out" / "scores.json").read_text())


def test_json_stands_alone(kinoscope: Any, tiny: Make, clips: Path, tmp_path: Path) -> None:
    plain = json.loads(kinoscope("evaluate", tiny(), clips, "--views", "1", "-o", tmp_path / "out", "--json").out)
    assert plain["scores"]["measures"]["top1"]["value"] == pytest.approx(8 / 9)
    assert plain["scores"]["views"] == 1
    assert plain["written"][0].endswith("scores.json")


def test_two_models_are_compared_on_the_same_clips(kinoscope: Any, tiny: Make, clips: Path, tmp_path: Path) -> None:
    # The second knows the colours by each other's names, but for green.
    good, bad = tiny("good"), tiny("bad", classes=("blue", "green", "red"))
    call = kinoscope("evaluate", good, clips, "--compare", bad, "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    assert "good against bad, on the same 9 clips" in call.out
    found = evaluate(str(good), clips, compare=str(bad), out=tmp_path / "out", quiet=True).comparison
    assert found is not None
    top1 = found.measures["top1"]
    # The bad one tells the green clips, and the red one that is labelled blue.
    assert (top1.first, top1.second) == pytest.approx((4 / 9, 8 / 9))
    assert (len(found.only_first), len(found.only_second)) == (1, 5)
    assert found.p == 14 / 64


def test_a_clip_that_cannot_be_read_is_counted(kinoscope: Any, tiny: Make, clips: Path, tmp_path: Path) -> None:
    (clips / "_RED" / "bad.mp4").write_text("no video")
    call = kinoscope("evaluate", tiny(), clips, "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    assert "1 clip could not be read" in call.out
    scores = load_scores(tmp_path / "out" / "scores.json")
    assert list(scores.unreadable) == [str(clips / "_RED" / "bad.mp4")]
    assert len(scores.clips) == 9


def test_what_cannot_be_scored_is_one_line(kinoscope: Any, tiny: Make, clips: Path, tmp_path: Path) -> None:
    damaged = tiny("damaged")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    for name in ("red", "green"):
        (broken / name).mkdir(parents=True)
        (broken / name / "a.mp4").write_text("no video")
    others = tiny("others", classes=("cat", "dog", "green"))
    for model, data, message in (
        (
            others,
            clips,
            "others does not know _BLUE, _RED: the data has _BLUE, _GREEN, _RED, and the model cat, dog, green",
        ),
        (
            tiny("painter", task="painting"),
            clips,
            "is a model for painting, and does not classify clips; choose a folder",
        ),
        ("nanodet", clips, "is a model for objects"),
        (damaged, clips, "model.safetensors cannot be read"),
        (tmp_path / "empty", clips, "it has no model.json"),
        (tiny(), tmp_path / "empty", "empty"),
        (tiny(), tmp_path / "gone", "does not exist"),
        (tiny(), broken, "none of the 2 clips can be read"),
    ):
        call = kinoscope("evaluate", model, data, "-o", tmp_path / "out")
        assert (call.status, call.err.count("\n")) == (2, 1), call.err
        assert message in call.err


def test_the_split_is_the_datas_own(tiny: Make, tmp_path: Path) -> None:
    folder = tmp_path / "split"
    for split, count in (("train", 3), ("test", 2)):
        for name in ("red", "green"):
            for number in range(count):
                film(folder / split / name / f"{number}.mp4", (name, 1))
    options: dict[str, Any] = {"out": tmp_path / "out", "quiet": True}
    scores = evaluate(str(tiny()), folder, clips=ScoredClipOptions(views=1), **options).scores
    assert scores is not None
    assert (scores.split, len(scores.clips)) == ("test", 4)
    everything = evaluate(str(tiny()), folder, clips=ScoredClipOptions(views=1, split="all"), **options).scores
    assert everything is not None
    assert len(everything.clips) == 10
    with pytest.raises(DatasetError, match="has no clips of split val: it has train, test; give --split all"):
        evaluate(str(tiny()), folder, clips=ScoredClipOptions(views=1, split="val"), **options)
    with pytest.raises(OptionError, match="there is no split 'some'; known: train, val, test, all"):
        evaluate(str(tiny()), folder, clips=ScoredClipOptions(views=1, split="some"), **options)


def test_a_model_is_scored_on_what_it_has_not_learned(tiny: Make, clips: Path, tmp_path: Path) -> None:
    dataset = read_dataset(clips)
    model = tiny()
    val = [example for example in dataset.examples if example.path.endswith("2.mp4")]
    train = [example for example in dataset.examples if example not in val]
    save_splits(model / "splits.json", {"train": train, "val": val, "test": []}, dataset)
    options: dict[str, Any] = {"out": tmp_path / "out", "quiet": True}
    scores = evaluate(str(model), clips, clips=ScoredClipOptions(views=1), **options).scores
    assert scores is not None
    assert (scores.split, len(scores.clips)) == ("val", 3)
    assert "best epoch" in scores.notes[0]
    scores = evaluate(str(model), clips, clips=ScoredClipOptions(views=1, split="all"), **options).scores
    assert scores is not None
    assert "was trained on 6 of these clips" in scores.notes[0]
    scores = evaluate(str(tiny("other")), clips, clips=ScoredClipOptions(views=1), **options, overwrite=True).scores
    assert scores is not None
    assert (scores.split, scores.notes) == ("all", ())


def test_groups_make_the_intervals(tiny: Make, clips: Path, tmp_path: Path) -> None:
    grouped = ScoredClipOptions(group="number", views=1)
    found = evaluate(str(tiny()), clips, clips=grouped, out=tmp_path / "out", quiet=True).scores
    assert found is not None
    assert found.groups == 3
    model = tiny("grouped")
    (model / "options.json").write_text('{"options": {"group": "number"}}')
    again = evaluate(
        str(model), clips, clips=ScoredClipOptions(views=1), out=tmp_path / "out", quiet=True, overwrite=True
    ).scores
    assert again is not None
    assert again.measures == found.measures


def test_many_labels_need_a_model_for_them(tiny: Make, tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", ("red", 1))
    film(tmp_path / "b.mp4", ("blue", 1))
    table = tmp_path / "clips.csv"
    table.write_text("path,label\na.mp4,red\nb.mp4,blue|red\n")
    found = evaluate(
        str(tiny(multilabel=True)), table, clips=ScoredClipOptions(views=1), out=tmp_path / "out", quiet=True
    ).scores
    assert found is not None
    assert list(found.measures) == ["map"]
    with pytest.raises(DatasetError, match="model2 predicts one class of each"):
        evaluate(str(tiny("model2")), table, out=tmp_path / "out")


def test_timed_segments_are_scored(kinoscope: Any, tiny: Make, tmp_path: Path) -> None:
    film(tmp_path / "videos" / "one.mp4", ("red", 4), ("blue", 4))
    film(tmp_path / "videos" / "v_two.mp4", ("green", 6))
    film(tmp_path / "videos" / "three.mp4", ("red", 2))

    def entry(subset: str, *segments: tuple[str, float, float]) -> dict[str, Any]:
        return {"subset": subset, "annotations": [{"label": a, "segment": [b, c]} for a, b, c in segments]}

    database = {
        "one": entry("validation", ("Red", 0, 4), ("blue", 5, 8)),
        "two": entry("validation", ("green", 0, 6)),
        "three": entry("training", ("red", 1, 2)),
        "gone": entry("validation", ("red", 1, 2)),
    }
    table = tmp_path / "annotations.json"
    table.write_text(json.dumps({"database": database}))
    call = kinoscope("evaluate", tiny(), table, "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    plain = json.loads((tmp_path / "out" / "scores.json").read_text())
    # Red and green are found exactly; blue is found from 4 to 8, which overlaps 5 to 8 by 3/4: right up to 0.75.
    precisions = plain["segments"]["precisions"]
    assert precisions == {"blue": [1.0] * 6 + [0.0] * 4, "green": [1.0] * 10, "red": [1.0] * 10}
    assert plain["segments"]["average_map"] == pytest.approx(2.6 / 3)
    assert "there is no file for gone" in plain["segments"]["unreadable"]["gone"]
    assert {segment["video"] for segment in plain["found"]} == {"one", "two"}
    assert "average mAP 86.7 %" in call.out
    every = kinoscope("evaluate", tiny(), table, "-o", tmp_path / "out", "--split", "all", "--json")
    assert json.loads(every.out)["segments"]["precisions"]["red"][0] == pytest.approx(0.5 + 0.5 * 2 / 3, abs=0.2)
    with pytest.raises(DatasetError, match="has no video with segments of split test; it has: train, val"):
        evaluate(str(tiny()), table, clips=ScoredClipOptions(split="test"), out=tmp_path / "out")
    with pytest.raises(OptionError, match="--compare takes labelled clips"):
        evaluate(str(tiny()), table, compare=str(tiny("b")), out=tmp_path / "new")


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", '{"database": 3}', '{"database": {"a": {"annotations": [{"label": "x", "segment": [3, 1]}]}}}'],
)
def test_a_table_that_is_none_is_one_line(tiny: Make, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match="is no ActivityNet table") as told:
        evaluate(str(tiny()), tmp_path / "a.json", out=tmp_path / "out")
    assert "\n" not in str(told.value)
    with pytest.raises(DatasetError, match="check the path"):
        evaluate(str(tiny()), tmp_path / "gone.json", out=tmp_path / "out")


def test_labels_are_matched_but_never_guessed() -> None:
    from kinoscope.models import find
    from kinoscope.models.inference.classifier import match_labels

    card = find("mc3-18-fights")
    assert match_labels(("fight", "noFight"), card) == {"fight": "fight", "noFight": "no fight"}
    assert match_labels(("No_Fight", "FIGHT"), card) == {"No_Fight": "no fight", "FIGHT": "fight"}
    with pytest.raises(
        ModelError, match=r"does not know calm: the data has calm, fight, and the model fight, no fight;"
    ):
        match_labels(("calm", "fight"), card)
    twins = replace(card, classes=("A b", "ab"))
    assert match_labels(("ab", "A b", "AB"), twins) == {"ab": "ab", "A b": "A b", "AB": "A b"}
    assert match_labels(("+", "-"), replace(card, classes=("-", "+"))) == {"+": "+", "-": "-"}
