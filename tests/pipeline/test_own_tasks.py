"""Tasks that a caller passes as instances or classes: their names, their creation, and what the call sets for them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinoscope as package
from kinoscope.core.errors import OptionError
from kinoscope.core.options import Options, option
from kinoscope.core.results import TaskReport, TaskResult
from kinoscope.pipeline.batch import plan
from kinoscope.pipeline.options import (
    DECODE_ALL,
    DEFAULT_OUTPUT,
    DEFAULT_PROCESSING,
    NO_ALERTS,
    NO_REDACTION,
    AlertOptions,
    OutputOptions,
    ProcessingOptions,
    RedactionOptions,
)
from kinoscope.pipeline.own_tasks import make_own, split_tasks
from kinoscope.tasks.base import Task
from kinoscope.tasks.faces import Faces
from kinoscope.tasks.objects import Objects
from kinoscope.views.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class LevelOptions(Options):
    """Options of ``Level``."""

    threshold: float = option(0.5, "level from which a frame counts", low=0, high=1)


class Level(Task):
    """Reports its threshold."""

    name = "level"
    options_type = LevelOptions
    options: LevelOptions

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(report=TaskReport(extra={"threshold": self.options.threshold}))


def named(name: Any) -> type[Task]:
    return type("Odd", (Task,), {"name": name})


def planned(tasks: Any, **groups: Any) -> Any:
    """Return the options of an analysis with some tasks, with other groups of options if given."""
    defaults = {"processing": DEFAULT_PROCESSING, "alerts": NO_ALERTS, "redaction": NO_REDACTION}
    chosen: dict[str, Any] = defaults | groups
    return plan(tasks, None, "cpu", DECODE_ALL, output=DEFAULT_OUTPUT, **chosen)


def test_tasks_are_split_into_names_and_own_ones() -> None:
    task = Level()
    assert split_tasks("shots,faces") == (["shots", "faces"], {})
    assert split_tasks(["shots,scenes", task]) == (["shots", "scenes", "level"], {"level": task})
    assert split_tasks(Level) == (["level"], {"level": Level})
    assert split_tasks(task) == (["level"], {"level": task})


@pytest.mark.parametrize("name", ["", "a,b", "a b", "../a", "a/b", "a.b", "a\nb", "-a", "1", "preview", 3, None])
def test_a_name_that_no_file_or_option_can_have_is_refused(name: Any) -> None:
    for task in (named(name), named(name)()):
        with pytest.raises(OptionError, match=r"task Odd has .*; set name to letters, digits, - and _, such as 'dark'"):
            split_tasks([task])


def test_what_is_no_task_or_has_the_name_of_another_is_refused() -> None:
    with pytest.raises(OptionError, match="task Unnamed has no name; set name to letters"):
        split_tasks([type("Unnamed", (Task,), {})])
    for other in (5, print, dict):
        with pytest.raises(OptionError, match=r"give a name, or an instance or a subclass of kinoscope\.Task"):
            split_tasks([other])  # type: ignore[list-item]
    with pytest.raises(OptionError, match="two tasks are called level; give them different names"):
        split_tasks([Level(), Level])


class Locked(Level):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Bare(Level):
    def __init__(self, **arguments: Any) -> None:
        self.count = 0


class Renamed(Level):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.name = "other"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Locked(), r"task level cannot be copied for each source \(TypeError: cannot pickle '_thread.lock' object\)"),
        (Locked, r"task level cannot be created \(TypeError: .*'model'\); let its __init__ pass \*\*arguments on"),
        (Bare(), r"task level is not initialized; call super\(\).__init__\(\*\*arguments\) in its __init__"),
        (Bare, "task level is not initialized"),
        (Renamed, "task level calls itself 'other' when it is created; give an instance"),
    ],
)
def test_a_task_that_cannot_be_created_is_reported_before_anything_is_read(task: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        planned([task])


def test_a_copy_runs_on_the_device_of_the_call_unless_it_has_its_own() -> None:
    assert make_own("level", Level(), "auto", "cpu", 3, {}).device == "cpu"
    chosen = make_own("level", Level(device="cuda"), "auto", "cpu", 3, {})
    assert (chosen.device, chosen.threads) == ("cuda", 3)


def test_a_class_takes_the_options_of_the_call_and_an_instance_keeps_its_own(tmp_path: Path) -> None:
    processing = ProcessingOptions(option="level.threshold=0.7")
    (task,) = planned([Level], processing=processing).make_tasks(["level"])
    assert task.options == LevelOptions(threshold=0.7)
    with pytest.raises(OptionError, match="threshold=7 is not possible; give 0 to 1"):
        planned([Level], processing=ProcessingOptions(option="level.threshold=7"))
    for own, groups in (
        (Level(), {"processing": processing}),
        (Objects(), {"processing": ProcessingOptions(tracker="sort")}),
    ):
        with pytest.raises(OptionError, match=f"task {own.name} is given as an instance, which keeps its own options"):
            planned([own], **groups)
    rules = tmp_path / "rules.yaml"
    rules.write_text("options: {objects: {rate: 5}}\nrules: [{name: a, kind: crowd, count: 2}]\n")
    with pytest.raises(OptionError, match="but the call sets rate for it; give its class or its name"):
        planned([Objects()], alerts=AlertOptions(rules=rules))


def test_what_is_blurred_is_never_searched_with_other_options_than_those_of_redaction() -> None:
    with pytest.raises(OptionError, match=r"task faces is given as an instance, .* include_doubtful"):
        planned([Faces(rate=1)], redaction=RedactionOptions(blur="faces"))
    assert planned([Faces], redaction=RedactionOptions(blur="faces")).settings["faces"]["include_doubtful"]


class Labelled(Level):
    """A task that an attribute distinguishes."""

    def __init__(self, label: str = "a", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.label, self.secret, self.best = label, "token-7", float("inf")
        self.parts = (object(),)


class Renewed(Labelled):
    """Another class of that name."""


def test_resume_runs_a_task_again_that_is_another_one_or_has_other_attributes(tmp_path: Path) -> None:
    source, output = np.zeros((3, 8, 8, 3), np.uint8), OutputOptions(report=False, quiet=True, resume=True)

    def resumed(task: Any, threshold: float | None = None) -> bool:
        processing = ProcessingOptions(option=None if threshold is None else f"level.threshold={threshold}")
        done = package.analyze(source, out=tmp_path / "out", tasks=[task], processing=processing, output=output)
        assert done.error is None
        return done.resumed

    assert [resumed(Labelled("a")), resumed(Labelled("a"))] == [False, True]
    assert [resumed(Labelled("b")), resumed(Labelled("b"))] == [False, True]
    assert [resumed(Labelled("b", threshold=0.7)), resumed(Labelled("b", threshold=0.7))] == [False, True]
    assert [resumed(Renewed("b", threshold=0.7)), resumed(Renewed)] == [False, False]
    assert [resumed(Renewed), resumed(Renewed, 0.7), resumed(Renewed, 0.7)] == [True, False, True]
    assert "token-7" not in (tmp_path / "out" / "timeline.json").read_text()
