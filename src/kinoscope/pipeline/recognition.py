"""Recognition of the people and objects of a gallery in one source."""

from __future__ import annotations

from typing import Any

from kinoscope import __version__
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import SourceError
from kinoscope.core.results import PARTIAL_STATUSES
from kinoscope.galleries import Gallery
from kinoscope.pipeline import analysis, engine
from kinoscope.views.timeline import Timeline


def recognize_source(
    source: str,
    gallery: Gallery,
    threshold: float | None = None,
    source_options: dict[str, Any] | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Timeline:
    """Track what a gallery has samples of, name it, and return the timeline.

    Args:
        source: a video or an image.
        gallery: with the samples of each name.
        threshold: maximum distance of two faces of one person; the default of the task if not given.
        source_options: options of ``open_source``, such as start and end.
        device: auto, cpu or cuda.
        progress: called with the seconds done and those of the source.

    Raises:
        KinoscopeError: nothing could be compared.
    """
    from kinoscope.source import open_source

    settings: dict[str, Any] = {"gallery": gallery}
    if threshold is not None:
        settings["thresholds"] = {"face": threshold}
    names = gallery_tasks(gallery)
    tasks = analysis.AnalysisOptions(names, device=device, settings={"recognize": settings}).make_tasks(names)
    with open_source(source, **(source_options or {})) as opened:
        timeline = engine.run(opened, tasks, timeline=Timeline(version=__version__), progress=progress)
    report = timeline.tasks["recognize"]
    if report.status not in ("ok", *PARTIAL_STATUSES):
        first = next((task.reason for task in timeline.tasks.values() if task.status != "ok" and task.reason), None)
        raise SourceError(f"{source}: {first or report.reason}")
    return timeline


def gallery_tasks(gallery: Gallery) -> list[str]:
    """Return the tasks whose results can be compared with the samples of a gallery."""
    objects = {"person", "object"} & set(gallery.models)
    faces = "face" in gallery.models or not objects
    return ["shots", *(["objects"] if objects else []), *(["faces"] if faces else []), *(
        ["appearance"] if objects else []), "recognize"]  # fmt: skip
