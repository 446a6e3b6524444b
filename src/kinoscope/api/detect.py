"""``kinoscope detect``: detection and tracking of objects, their trajectories, and counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from kinoscope.api.analyze import interrupted
from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import OptionError, SourceError, wrap_error
from kinoscope.core.validation import require_known, require_positive
from kinoscope.pipeline import analysis, inputs
from kinoscope.pipeline.arguments import (
    choose_device,
    choose_labels,
    choose_model,
    choose_tracker,
)
from kinoscope.pipeline.inputs import SourceName, one_or_several
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.pipeline.outputs import analysis_folders, analyze_in_memory
from kinoscope.results.analysis import Analysis
from kinoscope.results.detect import DetectResult

Appearance = Literal["none", "colours", "cnn"]

FILES = ("detections.json", "events.csv", "tracks.csv", "trajectories.csv")
"""Files that are written beside timeline.json."""


@accept_old_names
@one_or_several
def detect(
    sources: Sequence[SourceName],
    *,
    labels: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    model: str = "auto",
    tracker: str = "buffered",
    camera: bool = False,
    appearance: Appearance = "none",
    rate: float | None = None,
    every: float = 1.0,
    decoding: DecodingOptions = DECODE_ALL,
    annotate: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[DetectResult]:
    """Detect and track objects in videos and images: where they are, from when to when, how fast, and how many.

    Args:
        sources: video files, images, folders of either, URLs, camera:0.
        labels: what to detect, separated by commas, such as person,car; all labels of the model if not given.
        out: folder for timeline.json, detections.json and tables of each source (-o); nothing is written if not given.
        model: a card of the task objects (see `kinoscope models list`).
        tracker: how objects are tracked: buffered, sort, bytetrack or ocsort.
        camera: compensate the camera's own motion before objects are tracked; for cameras that move.
        appearance: track by appearance, too: colours of the clothes, or the features of a CNN, which is slow.
        rate: frames per second in which objects are detected; if not given 10, and 5 where little moves.
        every: seconds between two counts.
        decoding: the part of a source that is read.
        annotate: also write annotated.mp4, with boxes and names drawn in; needs -o.
        overwrite: replace kinoscope's own results of another source or command in the folder.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The objects of the source; of a list of sources a list, in order. One that cannot be read never stops the
        others.

    Raises:
        OptionError: an option cannot be used; raised before anything is read.
    """
    require_positive("rate", rate, 5)
    require_positive("every", every, 1)
    if annotate and out is None:
        raise OptionError("annotate writes a video; give its folder with -o FOLDER")
    settings = {
        "labels": choose_labels(labels, choose_model("objects", model)),
        "tracker": choose_tracker(tracker),
        "camera": camera,
        "appearance": require_known(appearance, get_args(Appearance), "appearance"),
    }
    options = analysis.AnalysisOptions(
        tasks=["objects"],
        source_options=decoding.resolve(),
        models={"objects": model},
        device=choose_device(device),
        settings={"objects": settings | ({} if rate is None else {"rate": rate, "idle_rate": None})},
        annotate=annotate,
        report=False,
        overwrite=overwrite,
        command="detect",
        extra_files=FILES,
        quiet=quiet,
    )
    names = inputs.expand(sources)
    inputs.require_rereadable(names, annotate=annotate)
    folders = analysis_folders(names, out, options)
    results = [DetectResult(name, every=every) for name in names]
    for number, (result, folder) in enumerate(zip(results, folders, strict=True), 1):
        _detect(result, folder, options)
        if result.timeline and interrupted(result.timeline):
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
    import json

    from kinoscope.core.files import atomic_write
    from kinoscope.views.formats.csv import write

    assert result.timeline is not None
    with atomic_write(folder / FILES[0]) as temporary:
        temporary.write_text(json.dumps(result.to_dict()), encoding="utf-8")
    write(result.timeline, folder)
    return [folder / name for name in FILES]
