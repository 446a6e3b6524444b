"""Measurement of the offset between the audio and the lips of one source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import short_name
from kinoscope.core.errors import SourceError, wrap_error
from kinoscope.pipeline import analysis
from kinoscope.pipeline.analysis import AnalysisOptions
from kinoscope.pipeline.outputs import analyze_in_memory
from kinoscope.results.analysis import Analysis
from kinoscope.results.sync import SyncResult


def sync_options(
    source_options: dict[str, Any] | None = None,
    model: str = "auto",
    device: str = "auto",
    overwrite: bool = False,
    quiet: bool = False,
) -> AnalysisOptions:
    """Return the options of an analysis that measures the offset, and who speaks when.

    Args:
        source_options: options of ``open_source``, such as start and audio_track.
        model: folder of a trained model; auto is the bundled one.
        device: auto, cpu or cuda.
        overwrite: replace kinoscope's own results of another source or command in the folder.
        quiet: show no progress.
    """
    return AnalysisOptions(
        tasks=["sync"],
        source_options=source_options or {},
        models={"sync": model},
        settings={"sync": {"hits": True}},
        device=device,
        quiet=quiet,
        overwrite=overwrite,
        command="sync",
    )


def measure_each(names: Sequence[str], folders: Sequence[Path | None], options: AnalysisOptions) -> list[SyncResult]:
    """Measure the offset of each source; after Ctrl-C the remaining sources are left out."""
    results: list[SyncResult] = []
    for name, folder in zip(names, folders, strict=True):
        results.append(measure(name, options, folder))
        if (timeline := results[-1].timeline) and timeline.decode.interrupted:
            break
    return results


def measure(source: str, options: AnalysisOptions | None = None, folder: Path | None = None) -> SyncResult:
    """Measure the offset of a source; an error ends up in the result.

    Args:
        source: a video.
        options: as ``sync_options`` returns them, which are the default.
        folder: where the timeline and the report are written; nothing is written if not given.
    """
    result, options = SyncResult(source), options or sync_options()
    try:
        _analyze(result, options, folder)
        if result.timeline and (report := result.timeline.tasks["sync"]).status == "failed":
            raise SourceError(f"{source}: {report.reason}")
    except Exception as error:
        result.error = wrap_error(error, source)
    return result


def _analyze(result: SyncResult, options: AnalysisOptions, folder: Path | None) -> None:
    title = short_name(result.source)
    if folder is None:
        result.timeline = analyze_in_memory(result.source, options, title)
        return
    job = Analysis(result.source, folder)
    analysis.run(job, options, title)
    result.timeline, result.error, result.written = job.timeline, job.error, job.written
