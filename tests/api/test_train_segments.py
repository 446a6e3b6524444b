"""`train segments` as users run it: on videos of colours whose edges are known."""

import json
from pathlib import Path

import pytest

import kinoscope
from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.models.inference.segment_refiner import REFINER_FILE
from tests.helpers.colour_clips import film


@pytest.fixture
def table(tmp_path):
    """Write four videos of red, green and blue, and the table of their segments."""
    database = {}
    for number in range(4):
        lengths = [3.0, 4.0 + number % 2, 5.0]
        film(tmp_path / f"v{number}.mp4", *zip(("red", "green", "blue"), lengths, strict=True))
        starts = [0, lengths[0], lengths[0] + lengths[1], sum(lengths)]
        segments = [{"label": label, "segment": starts[i : i + 2]} for i, label in enumerate(("red", "green", "blue"))]
        database[f"v{number}"] = {"subset": "training" if number < 3 else "testing", "annotations": segments}
    path = tmp_path / "videos.json"
    path.write_text(json.dumps({"database": database}))
    return path


def test_learned_edges_are_written_and_used(tiny, table, tmp_path, monkeypatch):
    monkeypatch.setattr("kinoscope.training.segments.train.STEPS", 200)
    model = tiny()
    learned = kinoscope.train("segments", str(table), f"model={model}", quiet=True).run
    assert learned.details.videos == learned.examples == (3, 1)
    assert learned.written == [Path(model) / REFINER_FILE]
    assert learned.folder == Path(model)
    assert learned.details.after.average_map > 0.5
    found = kinoscope.classify(tmp_path / "v3.mp4", model=str(model), quiet=True).segments
    assert min(found, key=lambda segment: segment.start).label == "red"
    assert {"red", "green", "blue"} == {segment.label for segment in found}


def test_unusable_inputs_are_reported(tiny, table, tmp_path):
    with pytest.raises(OptionError, match="ActivityNet JSON"):
        kinoscope.train("segments", str(tmp_path), quiet=True)
    with pytest.raises(OptionError, match="model=FOLDER"):
        kinoscope.train("segments", str(table), "model=nowhere", quiet=True)
    with pytest.raises(OptionError, match="did you mean model"):
        kinoscope.train("segments", str(table), "modle=x", quiet=True)
    for number in range(2):
        (tmp_path / f"v{number}.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"1 videos with segments to learn from, and 2 are needed; v0: "):
        kinoscope.train("segments", str(table), f"model={tiny()}", quiet=True)
