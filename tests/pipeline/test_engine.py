"""The engine against a source and tasks whose every answer is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from threading import Event as Signal
from typing import Any, cast

import numpy as np
import pytest

from kinoscope.core.errors import DecodeError, MissingExtra
from kinoscope.core.media import Audio, Frame, FrameBatch, SourceInfo
from kinoscope.core.results import DecodeReport, Event, TaskReport, TaskResult
from kinoscope.pipeline import engine
from kinoscope.source import Source
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.views.timeline import Timeline


class Still:
    """A decoded frame that counts how often it is scaled."""

    def __init__(self, index: int, scaled: list[tuple[int, int]]) -> None:
        self.index, self.time, self.scaled = index, Fraction(index, 10), scaled

    def frame(self, size: tuple[int, int]) -> Frame:
        self.scaled.append(size)
        return Frame(np.full((size[1], size[0], 3), self.index, np.uint8), self.time, self.index)


class Stills:
    """A source of ``count`` frames, ten a second, with a block of audio after each fifth."""

    def __init__(self, count: int, breaks: BaseException | None = None, at: int = -1, live: bool = False) -> None:
        self.info = SourceInfo("stills", 8, 6, Fraction(10), duration=Fraction(count, 10), has_audio=True, live=live)
        self.report = DecodeReport()
        self.count, self.breaks, self.at = count, breaks, at
        self.scaled: list[tuple[int, int]] = []
        self.reads: list[dict[str, Any]] = []

    def read(self, **wants: Any) -> Iterator[Any]:
        self.reads.append(wants)
        for index in range(self.count):
            if index == self.at and self.breaks:
                raise self.breaks
            self.report.frames += 1
            yield Still(index, self.scaled)
            if index % 5 == 4:
                for rate in wants["audio_rates"]:
                    yield Audio(np.zeros(rate // 2, np.float32), rate, Fraction(index - 4, 10))


class Notebook(Task):
    """A task that writes down what it is given, and can be made to break."""

    def __init__(self, name: str = "notebook", wants: Needs | None = None, /, **breaks: BaseException) -> None:
        super().__init__()
        self.name, self.breaks = name, breaks
        self.wanted = wants or Needs(((4, 2),))
        self.batches: list[tuple[FrameBatch, ...]] = []
        self.sounds: list[Audio] = []
        self.saw: list[str] = []

    def _break(self, where: str) -> None:
        if where in self.breaks:
            raise self.breaks[where]

    def needs(self, info: SourceInfo) -> Needs:
        self._break("needs")
        return self.wanted

    def process_frames(self, *batches: FrameBatch) -> None:
        self._break("step")
        self.batches.append(batches)

    def process_audio(self, audio: Audio) -> None:
        self._break("listen")
        self.sounds.append(audio)

    def finish(self, timeline: Timeline) -> TaskResult:
        self._break("finish")
        self.saw = [e.label for e in timeline.all_events]
        seen = sum(len(b[0]) for b in self.batches)
        return TaskResult(events=[Event(self.name, 0, 1, f"{self.name} saw {seen}")], report=TaskReport(model="m"))


@pytest.fixture(params=[True, False], ids=["threaded", "inline"])
def run(request: pytest.FixtureRequest) -> Any:
    def go(source: Any, *tasks: Any, **options: Any) -> Timeline:
        return engine.run(source, tasks, threaded=request.param, **options)

    return go


def test_every_task_gets_what_it_asked_for(run: Any) -> None:
    every = Notebook("every", Needs(((4, 2),), batch=4))
    some = Notebook("some", Needs(((4, 2), (8, 6)), rate=2, batch=3))
    timeline = run(Stills(22), every, some)
    assert [len(b) for (b,) in every.batches] == [4, 4, 4, 4, 4, 2]
    assert np.concatenate([b.indices for (b,) in every.batches]).tolist() == list(range(22))
    assert np.concatenate([b.indices for b, _ in some.batches]).tolist() == [0, 5, 10, 15, 20]
    small, large = some.batches[0]
    assert (small.size, large.size, small.times.tolist()) == ((4, 2), (8, 6), large.times.tolist())
    assert timeline.times.tolist() == [i / 10 for i in range(22)]
    assert timeline.tasks["some"].frames == 5
    assert timeline.ok


def test_audio_is_delivered_to_each_task_at_its_rate(run: Any) -> None:
    low, high, deaf = (
        Notebook("low", Needs(audio_rate=8000)),
        Notebook("high", Needs(audio_rate=16000)),
        Notebook("deaf"),
    )
    source = Stills(10)
    run(source, low, high, deaf)
    assert [(s.rate, s.start) for s in low.sounds] == [(8000, 0), (8000, Fraction(1, 2))]
    assert [s.rate for s in high.sounds] == [16000, 16000]
    assert (deaf.sounds, source.reads) == ([], [{"video": True, "audio_rates": (8000, 16000)}])


def test_later_tasks_see_what_earlier_ones_found(run: Any) -> None:
    first, second = Notebook("first"), Notebook("second")
    run(Stills(3), first, second)
    assert (first.saw, second.saw) == ([], ["first saw 3"])


@pytest.mark.parametrize("where", ["needs", "step", "finish"])
def test_a_task_that_fails_leaves_the_others_alone(run: Any, where: str) -> None:
    bad, good = Notebook("bad", **{where: RuntimeError("out of paper\nand ink")}), Notebook("good")
    timeline = run(Stills(40), bad, good)
    assert timeline.tasks["bad"].status == "failed"
    assert timeline.tasks["bad"].reason == "RuntimeError: out of paper"
    assert timeline.tasks["good"].status == "ok"
    assert [e.label for e in timeline.all_events] == ["good saw 40"]
    assert not timeline.ok


@pytest.mark.parametrize("where", ["needs", "step", "finish"])
@pytest.mark.parametrize("reason", [Skip("no sound"), MissingExtra("no sound")])
def test_a_task_that_does_not_apply_is_skipped(run: Any, where: str, reason: Exception) -> None:
    timeline = run(Stills(3), Notebook("speech", **{where: reason}))
    assert (timeline.tasks["speech"].status, timeline.tasks["speech"].reason) == ("skipped", "no sound")
    assert timeline.ok


def test_interrupting_keeps_what_is_done(run: Any) -> None:
    task = Notebook("task", Needs(((4, 2),), batch=4))
    timeline = run(Stills(100, KeyboardInterrupt(), at=10), task)
    assert [e.label for e in timeline.all_events] == ["task saw 10"]
    assert timeline.tasks["task"].status == "interrupted"
    assert (timeline.decode.complete, timeline.decode.errors) == (False, ["interrupted (Ctrl-C)"])
    assert len(timeline.times) == 10


def test_interrupting_the_last_step_keeps_the_others(run: Any) -> None:
    slow, done = Notebook("slow", finish=KeyboardInterrupt()), Notebook("done")
    timeline = run(Stills(5), slow, done)
    assert timeline.tasks["slow"].status == "interrupted"
    assert [e.label for e in timeline.all_events] == ["done saw 5"]


def test_interrupting_twice_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(self: engine.TaskFeed) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine.TaskFeed, "wait", impatient)
    timeline = engine.run(cast(Source, Stills(100, KeyboardInterrupt(), at=10)), [Notebook("task")])
    assert (timeline.decode.complete, timeline.decode.errors) == (False, ["interrupted (Ctrl-C)"])
    assert timeline.tasks["task"].status == "interrupted"


def test_a_source_that_breaks_off_leaves_a_partial_result(run: Any) -> None:
    timeline = run(Stills(100, DecodeError("frame 7 is broken"), at=7), Notebook())
    assert timeline.decode.errors == ["frame 7 is broken"]
    assert not timeline.ok
    assert [e.label for e in timeline.all_events] == ["notebook saw 7"]


def test_a_live_source_does_not_wait_for_full_batches(run: Any) -> None:
    task = Notebook("task", Needs(((4, 2),), batch=8))
    run(Stills(3, live=True), task)
    assert {len(b) for (b,) in task.batches} == {1}


def test_a_slow_task_drops_live_frames_and_does_not_delay_others() -> None:
    read = Signal()

    class Slow(Notebook):
        def process_frames(self, *batches: FrameBatch) -> None:
            super().process_frames(*batches)
            assert read.wait(60)

    class Once(Stills):
        def read(self, **wants: Any) -> Iterator[Any]:
            yield from super().read(**wants)
            read.set()

    task = Slow("slow")
    timeline = engine.run(cast(Source, Once(50, live=True)), [task])  # would never end if the source had to wait
    assert timeline.decode.frames == 50
    assert 1 <= len(task.batches) <= 2
    assert timeline.tasks["slow"].extra["dropped"] == 50 - len(task.batches)


def test_progress_counts_from_the_start(run: Any) -> None:
    told: list[tuple[float, float | None]] = []
    run(Stills(3), Notebook(), progress=lambda done, total: told.append((done, total)))
    assert told == [(0.0, 0.3), (0.1, 0.3), (0.2, 0.3)]


def test_earlier_results_are_added_to(run: Any) -> None:
    timeline = run(Stills(3), Notebook("first"))
    timeline = run(Stills(3), Notebook("second"), timeline=timeline)
    assert list(timeline.tasks) == ["first", "second"]


def test_what_was_read_before_stands_where_nothing_is_read_now(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    timeline = run(Stills(3), Notebook("first"))
    timeline.decode.corrupt, timeline.decode.damaged = 1, [[0.1, 0.2]]
    source = Stills(3)
    monkeypatch.setattr(source, "read", lambda **wants: iter(()))
    timeline = run(source, Notebook("second", needs=Skip("no sound")), timeline=timeline)
    assert timeline.tasks["second"].status == "skipped"
    assert timeline.decode == DecodeReport(frames=3, corrupt=1, damaged=[[0.1, 0.2]])
    assert timeline.times.tolist() == [0.0, 0.1, 0.2]


def test_without_video_only_the_audio_is_read(run: Any) -> None:
    source = Stills(0)
    source.info = SourceInfo("sound only", has_audio=True)
    run(source, Notebook("ear", Needs(audio_rate=16000)))
    assert source.reads == [{"video": False, "audio_rates": (16000,)}]


def test_seconds_of_those_who_work_at_once_add_up_to_the_time_that_passes() -> None:
    now = 0.0
    clock = engine.SharedClock(lambda: now)
    first = clock.enter()  # alone for 2 s, with another for 2 s
    now = 2.0
    second = clock.enter()
    now = 4.0
    assert clock.leave(first) == 3.0
    now = 6.0
    assert clock.leave(second) == 3.0
    now = 9.0  # nobody works
    third = clock.enter()
    now = 9.5
    assert clock.leave(third) == 0.5


def test_tasks_never_take_longer_together_than_the_whole() -> None:
    tasks = [Notebook(name, Needs(((64, 48),), batch=2)) for name in ("a", "b", "c")]
    began = time.perf_counter()
    timeline = engine.run(Stills(60), tasks)  # type: ignore[arg-type]
    passed = time.perf_counter() - began
    assert 0 < sum(report.seconds + report.extra["load"] for report in timeline.tasks.values()) <= passed + 0.003


def test_a_task_that_exits_fails_and_decoding_never_waits_for_it(run: Any) -> None:
    leaving = Notebook("leaving", Needs(((8, 6),), batch=1), step=SystemExit(3))
    staying = Notebook("staying", Needs(((8, 6),), batch=1))
    timeline = run(Stills(30), leaving, staying)
    assert (timeline.tasks["leaving"].status, timeline.tasks["leaving"].reason) == ("failed", "SystemExit: 3")
    assert (timeline.tasks["staying"].status, timeline.decode.frames) == ("ok", 30)
