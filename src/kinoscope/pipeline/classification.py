"""Classification of one source by a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import Interrupted, SourceError
from kinoscope.pipeline import engine
from kinoscope.pipeline.outputs import claim_folders, run_each
from kinoscope.results.classify import ClassifyResult
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.source.base import Source


def classify_each(
    names: Sequence[str],
    model: str,
    *,
    top: int = 5,
    source_options: dict[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[ClassifyResult]:
    """Classify each source; an error ends up in its result, and after Ctrl-C the remaining sources are left out.

    Args:
        names: as ``inputs.expand`` returns them.
        model: folder of a trained model, or a card that classifies clips.
        top: number of classes in each result.
        source_options: options of ``open_source``, such as start and end.
        out: folder for a timeline.json of each source; None writes nothing.
    """

    def analyze(source: str, progress: ProgressCallback | None) -> Timeline:
        return classify_source(source, model, device, source_options, top, progress)

    results = [ClassifyResult(name) for name in names]
    return run_each(results, claim_folders("classify", names, out, overwrite), analyze, quiet)


def classify_source(
    source: str,
    model: str,
    device: str = "auto",
    source_options: dict[str, Any] | None = None,
    top: int = 5,
    progress: ProgressCallback | None = None,
    learned: bool = True,
) -> Timeline:
    """Run a classifier over a source with a sliding window, and return the timeline.

    Args:
        source: a video, a folder of frames, a strip of square frames, or an image.
        model: folder of a trained model, or a card that classifies clips.
        device: auto, cpu or cuda.
        source_options: options of ``open_source``, such as start and end.
        top: number of classes in the report of the task.
        progress: called with the seconds done and those of the source.
        learned: use the model's segment refiner, if it has one.

    Raises:
        KinoscopeError: no frame could be classified.
    """
    from kinoscope.tasks.classify import Classify

    task = Classify(model=model, device=device, threads=0, top=top, refine=learned)
    with _open(source, source_options or {}) as opened:
        timeline = engine.run(opened, [task], timeline=Timeline(version=__version__), progress=progress)
    report = timeline.tasks["classify"]
    if "top" not in report.extra:
        if timeline.decode.interrupted:
            raise Interrupted(f"{source}: interrupted; no clip of it was classified yet")
        why = report.reason or next(iter(timeline.decode.errors), "no frame can be decoded")
        raise SourceError(f"{source}: {why}; give a video")
    return timeline


def _open(path: str, source_options: dict[str, Any]) -> Source:
    """Open a source; an image that is a row of square frames is a strip, any other image a video of one frame."""
    from kinoscope.source import open_clip, open_source
    from kinoscope.source.image_strip import is_image_file

    if is_image_file(path):
        with suppress(SourceError):
            return open_clip(path, **source_options)
    return open_source(path, **source_options)
