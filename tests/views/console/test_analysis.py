import io

from hypothesis import given, settings
from rich.console import Console

from kinoscope.core.results import TaskReport
from kinoscope.views.console.analysis import headline, print_summary, summary_rows
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines


def _printed(timeline, width=100):
    stream = io.StringIO()
    print_summary(timeline, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_results_of_each_task(golden):
    rows = {row.task: row for row in summary_rows(golden)}
    assert {name: (row.results, row.details) for name, row in rows.items() if name != "speech"} == {
        "shots": ("2 shots", "shot at 00:00, 00:01"),
        "scenes": ("1 scene", "=street at 00:00"),
        "objects": ("2 tracks", 'person, @dog, "big"'),
        "faces": ("1 track, 1 person", "Zoë 你好"),
        "actions": ("failed: 1 event", "weights of mc3-18-fights are missing; fight at 00:00"),
    }
    assert rows["speech"].results == "3 sentences"
    assert rows["speech"].details.startswith("“3 < 4 & <script>alert(1)</script> --> 2 00:00:01” “I would")
    assert (rows["objects"].model, rows["objects"].seconds) == ("nanodet", 1.5)


def test_scenes_are_listed_by_duration(half_minute):
    row = next(row for row in summary_rows(half_minute) if row.task == "scenes")
    seconds = [float(part.split()[-2]) for part in row.details.split(", ")]
    assert seconds == sorted(seconds, reverse=True)


def test_the_headline(golden):
    assert headline(golden) == "videos/straße.mp4, 128x112, 00:02, 8 frames, 1 undecodable"
    golden.decode.complete = False
    assert headline(golden).endswith(", not read to the end")
    assert headline(Timeline()) == "video, 00:00, 0 frames"


def test_what_did_not_run_says_why():
    timeline = Timeline(tasks={"speech": TaskReport("skipped", reason="there is no audio")})
    (row,) = summary_rows(timeline)
    assert (row.results, row.details) == ("skipped", "there is no audio")


def test_it_fits_a_screen(half_minute):
    lines = _printed(half_minute).splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 100 for line in lines)
    for name in half_minute.tasks:
        assert sum(line.strip().startswith(name) for line in lines) == 1


def test_labels_are_no_markup():
    timeline = Timeline(tasks={"x": TaskReport("failed", reason="[bold]a[/bold] [/nope]")})
    assert "[bold]a[/bold] [/nope]" in _printed(timeline)


def test_an_empty_timeline_is_a_headline_only():
    assert _printed(Timeline()) == "video, 00:00, 0 frames\n"


@settings(max_examples=25)
@given(timelines())
def test_any_timeline_can_be_printed(timeline):
    assert "\x1b" not in _printed(timeline)


def test_tasks_without_events_say_what_they_did():
    timeline = Timeline(tasks={
        "appearance": TaskReport(frames=0, seconds=0.25, extra={"inferences": 3}),
        "preview": TaskReport(frames=250, seconds=1.25),
        "rules": TaskReport(seconds=0.5),
    })  # fmt: skip
    assert [row.results for row in summary_rows(timeline)] == ["3 embeddings", "250 frames", "0 alerts"]
    assert _printed(timeline).splitlines()[-2].split() == ["all", "2.0"]
