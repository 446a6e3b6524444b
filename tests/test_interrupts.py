"""Ctrl-C at any moment leaves one line, and a valid result of what was done so far."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

import pytest

from kinoscope.core.interrupts import Interrupts
from kinoscope.core.media import FrameBatch
from kinoscope.source.synthetic.video import shapes
from kinoscope.views.formats.json import load
from tests.conftest import Call, Counting

Cli = Callable[..., Call]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")

POINTS = 50


@pytest.fixture(autouse=True)
def listening() -> Any:
    """A shell that runs the tests in the background leaves the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


class Presser:
    """Presses Ctrl-C at one of the lines of kinoscope's code that the main thread runs."""

    def __init__(self, at: int | None = None) -> None:
        self.lines, self.at = 0, at

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if "kinoscope" not in frame.f_globals.get("__name__", ""):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                press()
        return self

    def run(self, call: Callable[[], Call]) -> Call:
        sys.settrace(self)
        try:
            return call()
        finally:
            sys.settrace(None)


@pytest.mark.slow
def test_at_any_line_of_an_analysis(kinoscope: Cli, light: Any, tmp_path: Path) -> None:
    video = shapes(duration=0.4, width=32, height=32).write(tmp_path / "a.mp4")
    out = tmp_path / "out"

    def call() -> Call:
        shutil.rmtree(out, ignore_errors=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return kinoscope("analyze", video, "-o", out, "--annotate", "--no-report", "--export", "csv")

    call()  # all is imported by now
    count = Presser()
    assert count.run(call).status == 0
    kept = 0
    for point in range(POINTS):
        # Before its first lines are run the command does not listen; its entry does.
        done = Presser(6 + point * count.lines // POINTS).run(call)
        assert "Traceback" not in done.err
        assert done.status in (0, 1), done
        assert done.err.count("\n") <= 1
        # Nothing is left but what is whole.
        assert [path.name for path in out.glob(".*") if re.match(r"\.[0-9a-f]{12}|\.part", path.name)] == []
        if (out / "timeline.json").exists():
            timeline = load(out)
            kept += 1
            assert timeline.decode.complete or timeline.decode.interrupted
            assert set(timeline.tasks) == {"shots"}
    assert kept > POINTS // 2


@pytest.mark.slow
def test_while_modules_are_imported(tmp_path: Path) -> None:
    code = """
import builtins, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Press:
    def find_spec(self, name, *_):
        if name == NAME:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Press())
from kinoscope.__main__ import main
sys.argv = ["kinoscope", "models"]
main()
"""
    for name in ("kinoscope.cli.main", "numpy", "cyclopts"):
        command = [sys.executable, "-c", code.replace("NAME", repr(name))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "kinoscope: interrupted\n")


def test_a_batch_stops_and_reports_what_is_done(
    kinoscope: Cli, light: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinoscope.pipeline import render

    def draw(*given: Any) -> None:
        press()
        given[-1](0.0, 1.0)  # a frame is done

    monkeypatch.setattr(render, "render_videos", draw)
    videos = [shapes(duration=0.4, width=32, height=32).write(tmp_path / f"{name}.mp4") for name in "ab"]
    call = kinoscope("analyze", *videos, "-o", tmp_path / "out", "--annotate")
    assert call.status == 1
    assert call.err == f"kinoscope: {videos[0]}: interrupted; the results are saved, not all videos were written\n"
    assert load(tmp_path / "out" / "a").decode.complete
    assert not (tmp_path / "out" / "b").exists()


def test_ctrl_c_is_held_back_and_raised_where_it_is_allowed() -> None:
    steps = []

    def work(interrupts: Interrupts) -> None:
        with interrupts:
            press()
            steps.append("held back")
            with interrupts.allowed:
                steps.append("not reached")

    def end(interrupts: Interrupts) -> None:
        with interrupts:
            press()
            steps.append("to the end of the block")

    with pytest.raises(KeyboardInterrupt):
        work(Interrupts())
    with pytest.raises(KeyboardInterrupt):
        end(Interrupts())
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.allowed:
            press()
        press()  # a second one, while the first is being dealt with
        assert interrupts.consume()
        assert not interrupts.pending
    assert steps == ["held back", "to the end of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_inner_block_hands_what_it_held_back_to_the_outer_one() -> None:
    with Interrupts() as outer:
        with outer.allowed, Interrupts():
            press()
        assert outer.consume()
    with Interrupts() as outer, outer.allowed:
        pass
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # what nobody listens to stays so
    signal.signal(signal.SIGINT, before)
    assert not interrupts.pending


@pytest.mark.slow
def test_nothing_of_a_stopped_reading_stays_beside_what_replaces_it(
    kinoscope: Cli, light: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinoscope.pipeline import engine

    run = engine.run

    def stopped(*given: Any, **options: Any) -> Any:
        timeline = run(*given, **options)
        timeline.decode.mark_interrupted()
        return timeline

    video, out = shapes(duration=0.4, width=32, height=32).write(tmp_path / "a.mp4"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(engine, "run", stopped)
        assert kinoscope("analyze", video, "-o", out, "--annotate", "--export", "csv,srt").status == 1
    assert {"annotated.mp4", "csv", "video.mp4"} < {path.name for path in out.iterdir()}
    (out / "csv" / "mine.csv").write_text("mine")
    assert kinoscope("generate", "shapes", "-n", "1", "-o", out / "holiday.gif", "--frames", "2").status == 0
    call = kinoscope("analyze", video, "-o", out)
    assert (call.status, "were incomplete, as reading was stopped, and are replaced" in call.out + call.err) == (
        0,
        True,
    )
    assert {str(path.relative_to(out)) for path in out.rglob("[!.]*.*")} == {
        "csv/mine.csv", "features.safetensors", "holiday.gif", "report.html", "timeline.json", "video.mp4",
    }  # fmt: skip
    assert kinoscope("analyze", video, "-o", out, "--annotate", "--no-report").status == 0
    assert {"annotated.mp4", "report.html"} < {path.name for path in out.iterdir()}  # of the same, whole reading


def test_the_task_at_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from kinoscope.pipeline import engine

    waiting, stopping, finished = Event(), Event(), Event()

    class Busy(Counting):
        """Presses Ctrl-C while it is waited for, and works on for a while after it is told to stop."""

        def process_frames(self, *batches: FrameBatch) -> None:
            super().process_frames(*batches)
            waiting.wait()
            os.kill(os.getpid(), signal.SIGINT)
            stopping.wait()
            sum(range(10_000_000))
            finished.set()

    class Feed(engine.TaskFeed):
        def wait(self) -> None:
            waiting.set()
            super().wait()

        def stop(self) -> None:
            stopping.set()
            super().stop()

    monkeypatch.setattr(engine, "TaskFeed", Feed)
    timeline = engine.run(shapes(duration=0.4, width=32, height=32), [Busy()])
    assert finished.is_set()
    assert (timeline.decode.interrupted, timeline.tasks["shots"].status) == (True, "interrupted")
