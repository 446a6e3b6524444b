"""The loop over sources of the verbs that run one task."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import Interrupted, OutputError, SourceError
from kinoscope.pipeline.outputs import ClaimFolder, SaveTimeline, claim_folders, run_each
from kinoscope.results.base import Result
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinoscope.core.callbacks import ProgressCallback


def nowhere() -> nullcontext[SaveTimeline]:
    return nullcontext(lambda timeline: None)


def run(analyze: object, *names: str, claim: ClaimFolder = nowhere) -> list[Result]:
    results = [Result(name) for name in names]
    return run_each(results, [claim] * len(names), analyze, quiet=True)  # type: ignore[arg-type]


def test_each_source_gets_its_timeline_or_its_error() -> None:
    def analyze(source: str, progress: ProgressCallback | None) -> Timeline:
        if source == "bad":
            raise SourceError("bad is empty")
        return Timeline(version=source)

    bad, good = run(analyze, "bad", "good")
    assert (str(bad.error), bad.timeline, bad.status) == ("bad is empty", None, 2)
    assert good.timeline
    assert (good.timeline.version, good.error, good.status) == ("good", None, 0)


def test_an_interruption_leaves_out_the_remaining_sources() -> None:
    def analyze(source: str, progress: ProgressCallback | None) -> Timeline:
        timeline = Timeline()
        timeline.decode.interrupted = source == "b"
        return timeline

    assert [result.source for result in run(analyze, "a", "b", "c")] == ["a", "b"]


def test_an_interruption_without_a_result_leaves_out_the_remaining_sources_too() -> None:
    def analyze(source: str, progress: ProgressCallback | None) -> Timeline:
        raise Interrupted(f"{source}: interrupted")

    (result,) = run(analyze, "a", "b")
    assert (str(result.error), result.status) == ("a: interrupted", 1)


def test_a_timeline_that_cannot_be_saved_is_an_error() -> None:
    @contextmanager
    def full() -> Iterator[SaveTimeline]:
        def save(timeline: Timeline) -> None:
            raise OutputError("the disk is full")

        yield save

    (result,) = run(lambda *_: Timeline(), "a", claim=full)
    assert (str(result.error), result.timeline) == ("the disk is full", None)


def test_a_folder_is_claimed_for_each_source_and_the_timeline_is_written(tmp_path: Path) -> None:
    claims = claim_folders("classify", ["a.mp4", "b.mp4"], tmp_path, overwrite=False)
    run_each([Result("a.mp4"), Result("b.mp4")], claims, lambda *_: Timeline(), quiet=True)
    assert sorted(path.parent.name for path in tmp_path.glob("*/timeline.json")) == ["a", "b"]
