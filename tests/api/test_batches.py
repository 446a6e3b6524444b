"""Whatever goes wrong with one source of a call, the others are done, and a person reads one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

import kinoscope
from kinoscope.core.errors import KinoscopeError, OptionError, UnexpectedError, wrap_error
from kinoscope.galleries import edit_gallery
from kinoscope.pipeline import analysis, classification, engine, recognition, sync_measurement
from kinoscope.results.analysis import Analysis
from kinoscope.results.base import Result
from kinoscope.source.base import Source
from kinoscope.source.synthetic.video import shapes
from kinoscope.views.timeline import Timeline


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "in"
    return [shapes(duration=0.2, width=64, height=48).write(folder / f"{name}.mp4") for name in ("bad", "good")]


def test_any_exception_becomes_an_error_of_ours() -> None:
    assert str(wrap_error(OptionError("as it is"), "x.mp4")) == "as it is"
    error = wrap_error(ZeroDivisionError("first\nsecond"), "x.mp4")
    assert isinstance(error, UnexpectedError)
    assert error.status == 1
    assert str(error).splitlines() == [
        "x.mp4: ZeroDivisionError: first; this is a bug of kinoscope; see the details with --debug"
    ]
    assert "no message" in str(wrap_error(MemoryError(), "x.mp4"))


def test_an_unforeseen_exception_never_stops_an_analysis_of_others(
    kinoscope: Any,
    light: Any,
    videos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    look = analysis._decode_and_run

    def fail(job: Analysis, *rest: Any) -> None:
        if "bad" in job.source:
            raise IndexError("not foreseen")
        look(job, *rest)

    monkeypatch.setattr(analysis, "_decode_and_run", fail)
    call = kinoscope("analyze", *videos, "-o", tmp_path / "out", "--tasks", "shots", "--quiet")
    assert call.status == 1
    assert "bad.mp4: IndexError: not foreseen" in call.err
    assert not caplog.records
    with caplog.at_level("DEBUG", "kinoscope"):
        kinoscope("analyze", videos[0], "-o", tmp_path / "again", "--tasks", "shots", "--quiet")
    assert "Traceback" in caplog.text
    assert (tmp_path / "out" / "good" / "timeline.json").exists()


def test_nor_a_detection_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinoscope.pipeline.detection.analyze_in_memory", fail)
    demand_two_errors(kinoscope.detect(["x.mp4", "y.mp4"]))


def test_nor_a_measurement_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_measurement, "analyze_in_memory", fail)
    demand_two_errors(kinoscope.sync(["x.mp4", "y.mp4"]))


def test_nor_a_recognition_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "recognize_source", fail)
    with edit_gallery(tmp_path / "g", create=True):
        pass
    demand_two_errors(kinoscope.recognize(["x.mp4", "y.mp4"], gallery=tmp_path / "g"))


def demand_two_errors(results: Sequence[Result]) -> None:
    assert all(isinstance(one.error, KinoscopeError) for one in results)
    assert [str(one.error).split(";")[0] for one in results] == [
        "x.mp4: IndexError: not foreseen",
        "y.mp4: IndexError: not foreseen",
    ]


def fail(*_: Any, **__: Any) -> NoReturn:
    raise IndexError("not foreseen")


def test_nor_a_classification_of_others(videos: list[Path], tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    classify_source = classification.classify_source

    def fail_on_bad(source: str, *rest: Any) -> Timeline:
        return fail() if "bad" in source else classify_source(source, *rest)

    monkeypatch.setattr(classification, "classify_source", fail_on_bad)
    bad, good = kinoscope.classify(videos, model=str(tiny()))
    assert isinstance(bad.error, KinoscopeError)
    assert "bad.mp4: IndexError: not foreseen" in str(bad.error)
    assert (bad.timeline, bad.top, bad.segments, good.error) == (None, [], [], None)


def test_results_before_an_unforeseen_exception_are_saved(light: Any) -> None:
    class Failing(Source):
        def __init__(self) -> None:
            self.inner = shapes(duration=1, width=64, height=48)
            self.info, self.report = self.inner.info, self.inner.report

        def read(self, video: bool = True, audio_rates: Any = ()) -> Any:
            for number, item in enumerate(self.inner.read(video, audio_rates)):
                if number == 10:
                    raise IndexError("not foreseen")
                yield item

    timeline = engine.run(Failing(), analysis.AnalysisOptions(["shots"]).make_tasks(["shots"]), timeline=Timeline())
    assert len(timeline.times) == 10
    assert not timeline.decode.complete
    assert "IndexError: not foreseen" in timeline.decode.errors[0]
    assert timeline.events("shots")


def test_the_command_line_reports_a_fault_in_one_line(kinoscope: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinoscope.cli.commands import COMMANDS

    def fail() -> None:
        raise IndexError("not foreseen")

    monkeypatch.setitem(COMMANDS, "bench", fail)
    call = kinoscope("bench")
    assert call.status == 1
    assert call.err.splitlines() == [
        "kinoscope: bench: IndexError: not foreseen; this is a bug of kinoscope; see the details with --debug"
    ]
    with pytest.raises(IndexError):
        kinoscope("bench", "--debug")


def test_limits_are_an_option_of_the_command_line(
    kinoscope: Any, light: Any, videos: list[Path], tmp_path: Path
) -> None:
    small = ["--bounds", "pixels=1000"]
    call = kinoscope("analyze", videos[0], "-o", tmp_path / "out", "--tasks", "shots", "--quiet", *small)
    assert call.status == 2
    assert "is 64x48, 3,072 pixels, more than the limit of 1,000; raise that with --bounds pixels" in call.err
    call = kinoscope("analyze", videos[0], "-o", tmp_path / "other", "--bounds", "pixel=3")
    assert call.status == 2
    assert "limit 'pixel=3' is unknown" in call.err
    assert not (tmp_path / "other").exists()
