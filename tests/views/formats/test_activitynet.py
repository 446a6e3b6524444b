import json

from kinoscope.views.formats.activitynet import write
from kinoscope.views.timeline import Timeline


def test_segments_count_from_players_zero(golden, tmp_path):
    write(golden, tmp_path / "a.json")
    plain = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert set(plain) == {"version", "results", "external_data"}
    assert plain["results"] == {
        "straße": [
            {"label": "=street", "score": 0.7, "segment": [0.0, 1.0], "task": "scenes"},
            {"label": "fight", "score": 0.875, "segment": [0.5, 1.5], "task": "actions"},
        ]
    }


def test_an_empty_timeline(tmp_path):
    write(Timeline(), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["results"] == {"video": []}
