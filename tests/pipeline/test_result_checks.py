"""What a task may return: a mistake fails the task that made it, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinoscope as package
from kinoscope.core.errors import TimelineError
from kinoscope.core.media import SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.pipeline.options import OutputOptions
from kinoscope.pipeline.result_checks import check_result
from kinoscope.tasks.base import Needs, Task
from kinoscope.tasks.scenes import Scenes
from kinoscope.views.timeline import Timeline

QUIET = OutputOptions(report=False, quiet=True)
BOX = [0.0, 1, 1, 2, 2, 0.5]


class Wrong(Task):
    """A task that returns what it must not."""

    name = "wrong"

    def __init__(self, returned: Any = None, requested: Any = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.returned, self.requested = returned, requested

    def needs(self, info: SourceInfo) -> Needs:
        return self.requested or Needs()

    def finish(self, timeline: Timeline) -> TaskResult:
        return self.returned


class Right(Task):
    """A task that reports that it ran."""

    name = "right"

    def needs(self, info: SourceInfo) -> Needs:
        return Needs(sizes=((4, 4),))

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(events=[Event("right", 0, 1, "done", extra={"mean": np.float32(0.5)})])


def event(**changes: Any) -> TaskResult:
    values: dict[str, Any] = {"task": "wrong", "start": 0, "end": 1, "label": "a"}
    return TaskResult(events=[Event(**values | changes)])


def track(boxes: Any, **changes: Any) -> TaskResult:
    values: dict[str, Any] = {"id": 1, "task": "wrong", "label": "a", "score": 1, "boxes": boxes}
    return TaskResult(tracks=[Track(**values | changes)])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "finish returned NoneType; return kinoscope.TaskResult"),
        ([Event("wrong", 0, 1, "a")], "finish returned list; return kinoscope.TaskResult"),
        (TaskResult(events=5), "events is int; give a list"),  # type: ignore[arg-type]
        (TaskResult(events=["a"]), "str 'a' is no Event; give a kinoscope.Event"),  # type: ignore[list-item]
        (TaskResult(report=None), "report is NoneType; give a kinoscope.TaskReport"),
        (event(task="shots"), "event 'a' is of the task 'shots'; give 'wrong'"),
        (event(label=None), "label None is NoneType; give a text"),
        (event(start=float("nan")), "event 'a' has a time or a score that is no finite number"),
        (event(extra={"x": {1, 2}}), r"extra {'x': {1, 2}} cannot be written as JSON (set has no plain form); give"),
        (event(extra={"x": float("inf")}), "extra {'x': inf} cannot be written as JSON (Out of range"),
        (event(extra={"task": "shots"}), "extra has the key 'task', which the row has itself; give another"),
        (track([]), "track 1 has no box, or one with a value that is no finite number"),
        (track([[float("nan"), *BOX[1:]]]), "track 1 has no box, or one with a value that is no finite number"),
        (track([BOX], task="faces"), "track 'a' is of the task 'faces'; give 'wrong'"),
        (TaskResult(features={"other.f": np.ones(1)}), "'other.f' is no name of the task wrong; give wrong.NAME"),
        (TaskResult(features={"wrong.f": np.array(["a"])}), "feature wrong.f is an array of <U1; give numbers"),
        (TaskResult(images={"faces-0": b""}), "'faces-0' is no name of the task wrong; give wrong-NAME"),
        (TaskResult(images={"wrong-0": "a"}), "image wrong-0 is str; give the bytes"),  # type: ignore[dict-item]
    ],
)
def test_a_wrong_result_is_described(result: Any, message: str) -> None:
    with pytest.raises(TimelineError) as caught:
        check_result("wrong", result)
    assert message in str(caught.value)


def test_a_right_result_is_unchanged_and_a_list_of_numbers_becomes_an_array() -> None:
    rows = [Event("wrong", 0, 1, "a", extra={"path": Path("a")})]
    result = TaskResult(events=rows, features={"wrong.f": [1, 2]})  # type: ignore[dict-item]
    checked = check_result("wrong", result)
    assert checked.events == rows
    assert checked.features["wrong.f"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Wrong(returned=5), "finish returned int; return kinoscope.TaskResult"),
        (Wrong(returned=event(end=float("inf"))), "event 'a' has a time or a score that is no finite number"),
        (Wrong(requested=5), "needs returned int; return kinoscope.Needs"),
    ],
)
def test_the_other_tasks_finish(task: Task, reason: str, tmp_path: Path) -> None:
    done = package.analyze(np.zeros((5, 8, 8, 3), np.uint8), out=tmp_path, tasks=[task, Right()], output=QUIET)
    assert done.error is None
    timeline = Timeline.load(tmp_path)
    assert (timeline.tasks["wrong"].status, timeline.tasks["wrong"].reason) == ("failed", reason)
    assert (timeline.tasks["right"].status, timeline.tasks["right"].frames) == ("ok", 5)
    assert timeline.events("right")[0].extra == {"mean": 0.5}
    assert timeline.decode.complete


def test_a_report_alone_is_a_result() -> None:
    assert check_result("wrong", TaskResult(report=TaskReport(model="m"))).report.model == "m"


def test_a_task_may_return_images_of_the_events_of_another_that_it_names() -> None:
    result = TaskResult(images={"wrong-0": b"", "shots-1": b""})
    assert set(check_result("wrong", result, {"shots"}).images) == {"wrong-0", "shots-1"}
    with pytest.raises(TimelineError, match="'shots-1' is no name of the task wrong"):
        check_result("wrong", result, {"faces"})
    assert Scenes.images_of == {"shots"}
