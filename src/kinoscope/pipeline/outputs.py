"""Output of the verbs that run one task: a timeline of each source, in memory or in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from kinoscope import __version__
from kinoscope.core import files
from kinoscope.core.addresses import short_name
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import Interrupted, OutputError, OutputExists, wrap_error
from kinoscope.pipeline import analysis, inputs
from kinoscope.results.base import Result
from kinoscope.views.console.progress import bar
from kinoscope.views.timeline import Timeline

SaveTimeline = Callable[[Timeline], None]
ClaimFolder = Callable[[], AbstractContextManager[SaveTimeline]]
"""Claims the folder of a source, and yields the function that saves its timeline there."""

AnalyzeSource = Callable[[str, ProgressCallback | None], Timeline]
"""Returns the timeline of a source, and calls the callback with the seconds done."""

SourceResult = TypeVar("SourceResult", bound=Result)

OUTPUT_NAMES = ("timeline.json", "features.safetensors")


def run_each(
    results: list[SourceResult], claims: Sequence[ClaimFolder], analyze: AnalyzeSource, quiet: bool
) -> list[SourceResult]:
    """Analyze the source of each result, and return the results with their timeline, or with the error that arose.

    After Ctrl-C the results of the remaining sources are left out.

    Args:
        results: one for each source, without a timeline.
        claims: of their folders, as ``claim_folders`` returns them.
        analyze: returns the timeline of a source.
        quiet: show no progress.
    """
    for number, (result, claim) in enumerate(zip(results, claims, strict=True), 1):
        try:
            with bar(short_name(result.source), quiet) as progress, claim() as save:
                timeline = analyze(result.source, progress)
                save(timeline)
            result.timeline = timeline
        except Exception as error:
            result.error = wrap_error(error, result.source)
        if isinstance(result.error, Interrupted) or (result.timeline and result.timeline.decode.interrupted):
            return results[:number]
    return results


def analyze_in_memory(source: str, options: analysis.AnalysisOptions, title: str) -> Timeline:
    """Run the tasks of an analysis without writing files, and return the timeline.

    Args:
        title: of the progress bar.
    """
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    tasks = options.make_tasks(options.tasks)
    with open_source(source, **options.source_options) as opened, bar(title, options.quiet) as progress:
        return engine.run(opened, tasks, timeline=Timeline(version=__version__), progress=progress)


def analysis_folders(
    names: Sequence[str], out: str | Path | None, options: analysis.AnalysisOptions
) -> list[Path] | list[None]:
    """Return the folder of each source for the results of an analysis; None for each without ``out``."""
    if out is None:
        return [None] * len(names)
    return inputs.result_folders(
        names, Path(out), lambda name, folder: analysis.can_hold_results(name, folder, options)
    )


def claim_folders(
    verb: str, names: Sequence[str], out: str | Path | None, overwrite: bool, private: bool = False
) -> list[ClaimFolder]:
    """Return for each source the function that claims its folder; without ``out``, nothing is written."""
    if out is None:
        return [_nowhere for _ in names]

    def claim(name: str, folder: Path) -> AbstractContextManager[SaveTimeline]:
        return _claim(verb, name, folder, overwrite, private)

    def fits(name: str, folder: Path) -> bool:
        try:
            with claim(name, folder):
                return True
        except OutputExists:
            return False
        except OutputError:  # another folder name would not help: it is reported when the source is processed
            return True

    folders = inputs.result_folders(names, Path(out), fits)
    return [partial(claim, name, folder) for name, folder in zip(names, folders, strict=True)]


@contextmanager
def _nowhere() -> Iterator[SaveTimeline]:
    yield lambda timeline: None


@contextmanager
def _claim(verb: str, name: str, folder: Path, overwrite: bool, private: bool) -> Iterator[SaveTimeline]:
    from kinoscope.views.formats.json import EARLIER_IMAGES_FOLDER, save

    def write(timeline: Timeline) -> None:
        files.prepare_folder(folder)
        save(timeline, folder)
        files.remove_replaced(folder / "timeline.json", ["images", EARLIER_IMAGES_FOLDER])

    by = files.command_id(verb, [name])
    with files.claim_output(
        folder, by, inputs.files_of(name), names=OUTPUT_NAMES, overwrite=overwrite, private=private
    ):
        yield write
