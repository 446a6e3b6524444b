"""Tasks of one's own, and options of tasks, in an analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kinoscope as package
from kinoscope.core.errors import OptionError
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskResult
from kinoscope.pipeline.arguments import parse_task_options
from kinoscope.pipeline.options import AlertOptions, OutputOptions, ProcessingOptions
from kinoscope.source.synthetic.video import shapes
from kinoscope.tasks.base import Needs, PostTask, Task
from kinoscope.views.timeline import Timeline
from tests.conftest import Counting

QUIET = OutputOptions(report=False, quiet=True)


class Frames(Task):
    """Counts frames; the label of its event is an argument."""

    name = "frames"

    def __init__(self, label: str = "frame", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.label, self.count = label, 0

    def needs(self, info: SourceInfo) -> Needs:
        return Needs(((16, 12),))

    def process_frames(self, *batches: FrameBatch) -> None:
        self.count += len(batches[0])

    def finish(self, timeline: Timeline) -> TaskResult:
        shots = len(timeline.events("shots"))
        return TaskResult(events=[Event(self.name, 0, 1, f"{self.count} {self.label}, {shots} shot")])


class Summary(PostTask):
    """Counts the events of the others."""

    name = "summary"

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(events=[Event(self.name, 0, 1, f"{len(timeline.events())} events")])


@pytest.fixture
def videos(tmp_path: Path, light: Any) -> list[Path]:
    """Write two videos of a second each; the task shots is a light one."""
    return [shapes(duration=1, width=32, height=24, rate=10).write(tmp_path / name) for name in ("a.mp4", "b.mp4")]


def labels(timeline: Timeline | None, task: str) -> list[str]:
    assert timeline is not None
    return [event.label for event in timeline.events(task)]


def test_a_task_of_ones_own_runs_beside_others_on_each_source(videos: list[Path], tmp_path: Path) -> None:
    task = Frames("still")
    results = package.analyze(videos, out=tmp_path / "out", tasks=["shots", task, Summary], output=QUIET)
    assert [labels(one.timeline, "frames") for one in results] == [["10 still, 1 shot"]] * 2
    assert [labels(one.timeline, "summary") for one in results] == [["2 events"]] * 2
    assert task.count == 0  # it is a template


def test_a_task_of_ones_own_can_replace_one_of_the_same_name(videos: list[Path], tmp_path: Path) -> None:
    class Loud(Counting):
        def finish(self, timeline: Timeline) -> TaskResult:
            return TaskResult(events=[Event("shots", 0, 1, "loud")])

    done = package.analyze(videos[0], out=tmp_path / "out", tasks=[Loud()], output=QUIET)
    assert labels(done.timeline, "shots") == ["loud"]


def test_a_task_that_only_reads_the_timeline_decodes_nothing_again(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.analyze(videos[0], out=tmp_path / "out", tasks="shots", output=QUIET)
    monkeypatch.setattr("kinoscope.pipeline.engine._decode", lambda *_: 1 / 0)
    done = package.analyze(videos[0], out=tmp_path / "out", tasks=[Summary], output=QUIET)
    assert done.timeline is not None
    assert (labels(done.timeline, "summary"), done.timeline.decode.frames, len(done.timeline.times)) == (
        ["1 events"], 10, 10,
    )  # fmt: skip


def test_a_first_analysis_by_such_a_task_alone_counts_the_frames(videos: list[Path], tmp_path: Path) -> None:
    done = package.analyze(videos[0], out=tmp_path / "out", tasks=[Summary], output=QUIET)
    assert done.timeline is not None
    assert done.timeline.decode.frames == 10


def test_options_of_tasks_are_typed_and_checked() -> None:
    pairs = ["objects.rate=5", "objects.labels=person,car", "faces.max_side=640", "recognize.threshold.face=0.4"]
    assert parse_task_options(pairs) == {
        "objects": {"rate": 5.0, "labels": ("person", "car")},
        "faces": {"max_side": 640},
        "recognize": {"thresholds": {"face": 0.4}},
    }
    with pytest.raises(OptionError, match=r"option rate=5 names no task; give TASK\.NAME=VALUE"):
        parse_task_options("rate=5")
    with pytest.raises(OptionError, match="there is no option speed; options of task objects: labels, tracker"):
        parse_task_options("objects.speed=5")
    with pytest.raises(OptionError, match="tracker=deep is unknown; choose from sort"):
        parse_task_options("objects.tracker=deep")
    with pytest.raises(OptionError, match="there is no task 'dance'"):
        parse_task_options("dance.rate=5")


def test_an_option_of_a_task_that_does_not_run_is_an_error(videos: list[Path]) -> None:
    with pytest.raises(OptionError, match=r"there is no task 'faces'|configures the task faces, which is not run"):
        package.analyze(videos[0], tasks="shots", processing=ProcessingOptions(option="faces.rate=2"))


def test_a_file_of_rules_holds_options_too_and_the_command_line_precedes(tmp_path: Path) -> None:
    from kinoscope.pipeline.batch import plan
    from kinoscope.pipeline.options import DECODE_ALL, NO_REDACTION

    rules = tmp_path / "rules.yaml"
    rules.write_text("options: {objects: {rate: 5, tracker: sort}}\nrules: [{name: a, kind: crowd, count: 2}]\n")
    for given, tracker in ((None, "sort"), ("bytetrack", "bytetrack")):
        options = plan(
            "objects", None, "cpu", DECODE_ALL, ProcessingOptions(tracker=given), AlertOptions(rules=rules),
            NO_REDACTION, QUIET,
        )  # fmt: skip
        assert options.settings["objects"] == {"rate": 5.0, "tracker": tracker}


def test_a_task_of_ones_own_is_measured(videos: list[Path]) -> None:
    done = package.bench(videos[0], tasks=["shots", Frames()], where=True)
    assert set(done.parts or ()) == {"shots", "frames", "loading models", "decode and scale"}
    assert done.frames == 10


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(OptionError, match=r"there is no action of gallery 'shuffle'; known: list"):
        package.gallery("shuffle", "people.gallery")  # type: ignore[arg-type]
