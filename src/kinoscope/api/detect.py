"""``kinoscope detect``: detection and tracking of objects, their trajectories, and counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_positive
from kinoscope.pipeline import analysis
from kinoscope.pipeline.arguments import choose_device, choose_labels, choose_model
from kinoscope.pipeline.detection import DEFAULT_OBJECTS, FILES, detect_all, object_settings
from kinoscope.pipeline.inputs import SourceName, one_or_several
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.results.detect import DetectResult
from kinoscope.tasks.options import ObjectsOptions


@accept_old_names
@one_or_several
def detect(
    sources: Sequence[SourceName],
    *,
    out: str | Path | None = None,
    model: str = "auto",
    objects: ObjectsOptions = DEFAULT_OBJECTS,
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
        out: folder for timeline.json, detections.json and tables of each source (-o); nothing is written if not given.
        model: a card of the task objects (see `kinoscope models list`).
        objects: how objects are detected and tracked.
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
    require_positive("every", every, 1)
    if annotate and out is None:
        raise OptionError("annotate writes a video; give its folder with -o FOLDER")
    choose_labels(objects.labels, choose_model("objects", model))
    options = analysis.AnalysisOptions(
        tasks=["objects"],
        source_options=decoding.resolve(),
        models={"objects": model},
        device=choose_device(device),
        settings={"objects": object_settings(objects)},
        annotate=annotate,
        report=False,
        overwrite=overwrite,
        command="detect",
        extra_files=FILES,
        quiet=quiet,
    )
    return detect_all(sources, out, options, every)
