"""The whole default analysis of a real video: what is in it must be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from kinoscope.core.errors import ModelError
from tests.conftest import Call

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def bikes() -> Path:
    from kinoscope.models.samples import sample

    try:
        return sample("bikes.mp4")
    except ModelError as error:
        pytest.skip(f"the sample video cannot be had: {error}")


@pytest.mark.slow
def test_a_street_video_is_reported_truly(kinoscope: Callable[..., Call], bikes: Path, tmp_path: Path) -> None:
    call = kinoscope("analyze", bikes, "-o", tmp_path, "--export", "csv,vtt", "--annotate")
    found = json.loads((tmp_path / "timeline.json").read_text())
    missing = [task["reason"] for task in found["tasks"].values() if "missing" in task.get("reason", "")]
    if missing:
        pytest.skip(missing[0])
    assert call.status == 0, call.err
    assert {name: task["status"] for name, task in found["tasks"].items()} == {
        **dict.fromkeys(("shots", "scenes", "objects", "faces", "appearance", "actions"), "ok"),
        "speech": "skipped",
        "sync": "skipped",
    }
    assert found["tasks"]["speech"]["reason"] == "no audio"
    shots = [event for event in found["events"] if event["task"] == "shots"]
    assert len(shots) == 6
    assert (shots[0]["start"], shots[-1]["end"]) == (0.0, 10.0)
    assert all(a["end"] == b["start"] for a, b in pairwise(shots))
    # A man on a bicycle waits in the third shot, at 5 s; cars drive through the fourth.
    waiting = [t for t in found["tracks"] if t["label"] == "person" and t["boxes"][0][0] <= 5 <= t["boxes"][-1][0]]
    assert waiting
    assert "car" in {t["label"] for t in found["tracks"]}
    assert {"report.html", "annotated.mp4", "features.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    assert not [event for event in found["events"] if event["label"] == "fight"]
