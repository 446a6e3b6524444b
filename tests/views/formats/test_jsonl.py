import errno
import io
import json

import pytest
from hypothesis import given, settings

from kinoscope.core.errors import OutputError
from kinoscope.core.results import Event, TaskReport
from kinoscope.views.formats.jsonl import LineWriter, lines, write
from tests.helpers.strategies import timelines


@pytest.mark.slow
@settings(max_examples=40)
@given(timelines())
def test_a_line_each_holds_all(timeline):
    text = "\n".join(lines(timeline))
    rows = [json.loads(line) for line in text.split("\n")]
    plain = json.loads(json.dumps(timeline.to_dict()))
    assert rows[0] == {"source": plain["source"], "schema": 1, "kinoscope": plain["kinoscope"]}
    assert [row["event"] for row in rows if "event" in row] == plain["events"]
    assert [row["track"] for row in rows if "track" in row] == plain["tracks"]
    assert {row["task"]: row["report"] for row in rows if "task" in row} == plain["tasks"]
    assert rows[-1] == {"decode": plain["decode"]}


def test_live_lines_are_those_of_the_file(golden, tmp_path):
    stream = io.StringIO()
    writer = LineWriter(stream, golden.source, golden.version)
    for item in [*golden.all_events, *golden.all_tracks]:
        writer.write(item)
    for task, report in golden.tasks.items():
        writer.report(task, report)
    write(golden, tmp_path / "t.jsonl")
    assert (tmp_path / "t.jsonl").read_text("utf-8").startswith(stream.getvalue())


def test_each_line_is_on_its_way_when_the_call_returns(tmp_path):
    path = tmp_path / "live.jsonl"
    with path.open("w") as stream:
        writer = LineWriter(stream, {"path": "camera:0"})
        assert len(path.read_text().splitlines()) == 1
        writer.write(Event("actions", 1, 2, "fight", 0.9))
        assert json.loads(path.read_text().splitlines()[1])["event"]["label"] == "fight"
        writer.report("actions", TaskReport())
        assert json.loads(path.read_text().splitlines()[2])["task"] == "actions"


def test_a_full_disk_is_one_line():
    class Full(io.StringIO):
        name = "live.jsonl"

        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError) as caught:
        LineWriter(Full(), {})
    assert str(caught.value).startswith("cannot write live.jsonl: the disk is full; ")
