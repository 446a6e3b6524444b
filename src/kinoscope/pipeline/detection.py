"""Detection and tracking of objects in sources, in memory or into folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import short_name
from kinoscope.core.errors import SourceError, wrap_error
from kinoscope.core.files import atomic_write
from kinoscope.pipeline import analysis, inputs
from kinoscope.pipeline.outputs import analysis_folders, analyze_in_memory
from kinoscope.results.analysis import Analysis
from kinoscope.results.detect import DetectResult
from kinoscope.tasks.options import ObjectsOptions

DEFAULT_OBJECTS = ObjectsOptions()
"""The rates and scores of the task ``objects``."""

FILES = ("detections.json", "events.csv", "tracks.csv", "trajectories.csv")
"""Files that are written beside timeline.json."""


def object_settings(objects: ObjectsOptions) -> dict[str, Any]:
    """Return the options that differ from the defaults; at a rate that is given, every frame counts."""
    defaults = DEFAULT_OBJECTS.to_dict()
    given = {name: value for name, value in objects.to_dict().items() if value != defaults[name]}
    # Compared by identity: a rate that is given may be that of the default.
    if objects.rate is DEFAULT_OBJECTS.rate:
        return given
    idle_rate = None if objects.idle_rate is DEFAULT_OBJECTS.idle_rate else objects.idle_rate
    return given | {"rate": objects.rate, "idle_rate": idle_rate}


def detect_all(
    sources: Sequence[inputs.SourceName], out: str | Path | None, options: analysis.AnalysisOptions, every: float
) -> list[DetectResult]:
    """Detect objects in one source after the other; return the results of those that Ctrl-C did not leave out.

    Args:
        sources: as ``inputs.expand`` takes them.
        out: folder of the results; nothing is written if None.
        options: of the task ``objects`` alone.
        every: seconds between two counts.
    """
    names = inputs.expand(sources)
    inputs.require_rereadable(names, annotate=options.annotate)
    folders = analysis_folders(names, out, options)
    results = [DetectResult(name, every=every) for name in names]
    for number, (result, folder) in enumerate(zip(results, folders, strict=True), 1):
        _detect(result, folder, options)
        if result.timeline and result.timeline.decode.interrupted:
            return results[:number]
    return results


def _detect(result: DetectResult, folder: Path | None, options: analysis.AnalysisOptions) -> None:
    """Fill the result of one source; an error ends up in it."""
    title = short_name(result.source)
    try:
        if folder is None:
            result.timeline = analyze_in_memory(result.source, options, title)
            _demand_detections(result)
            return
        with analysis.claim(result.source, folder, options):
            job = Analysis(result.source, folder)
            analysis.run(job, options, title)
            result.timeline, result.error, result.written = job.timeline, job.error, job.written
            if result.timeline and not result.error:
                _demand_detections(result)
                result.written += _write(result, folder)
    except Exception as error:
        result.error = wrap_error(error, result.source)


def _demand_detections(result: DetectResult) -> None:
    """Raise SourceError if the detector failed or could not run."""
    assert result.timeline is not None
    report = result.timeline.tasks["objects"]
    if report.status in ("failed", "skipped"):
        raise SourceError(f"{result.source}: {report.reason}")


def _write(result: DetectResult, folder: Path) -> list[Path]:
    """Write the detections as JSON and CSV, and return the paths."""
    from kinoscope.views.formats.csv import write

    assert result.timeline is not None
    with atomic_write(folder / FILES[0]) as temporary:
        temporary.write_text(json.dumps(result.to_dict()), encoding="utf-8")
    write(result.timeline, folder)
    return [folder / name for name in FILES]
