"""``kinoscope analyze``: run several tasks on videos, and write a timeline, a report and other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline import batch
from kinoscope.pipeline.inputs import SourceName, one_or_several
from kinoscope.pipeline.options import (
    DECODE_ALL,
    DEFAULT_OUTPUT,
    DEFAULT_PROCESSING,
    NO_ALERTS,
    NO_REDACTION,
    AlertOptions,
    DecodingOptions,
    OutputOptions,
    ProcessingOptions,
    RedactionOptions,
)
from kinoscope.pipeline.own_tasks import TaskLike
from kinoscope.results.analysis import Analysis


@accept_old_names
@one_or_several
def analyze(
    sources: Sequence[SourceName],
    *,
    out: str | Path | None = None,
    tasks: TaskLike | Sequence[TaskLike] | None = None,
    model: str | Sequence[str] | None = None,
    device: str = "auto",
    decoding: DecodingOptions = DECODE_ALL,
    processing: ProcessingOptions = DEFAULT_PROCESSING,
    alerts: AlertOptions = NO_ALERTS,
    redaction: RedactionOptions = NO_REDACTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> list[Analysis]:
    """Analyze videos: read each once, and report what is in it.

    Each source gets a folder with timeline.json, features, images and report.html. One that fails never stops
    the others; Ctrl-C leaves what is done so far as a valid result. Analyzing the same file again into its folder keeps
    the results of other tasks; files that kinoscope did not write are never replaced.

    Args:
        sources: video files, folders of videos or images (with the folders below), image patterns, URLs (http, rtsp,
            udp), camera:0.
        out: folder for the results (-o); runs/analyze/NAME if not given, or NAME-2, NAME-3... where that holds the
            results of another source. Several sources get a folder each in it.
        tasks: which tasks to run, separated by commas: shots, scenes, objects, faces, text, appearance, recognize,
            rules, actions, anomalies, classify, speech, sync. If not given, all but text and anomalies; classify,
            recognize and rules only with --model, --gallery and --rules.
        model: TASK=CARD to use another model for a task, separated by commas (see `kinoscope models list`); or the
            folder of a model that you trained, which adds the task classify.
        device: auto (a GPU if there is one), cpu or cuda.
        decoding: the part of a source that is read.
        processing: the number of frames, a gallery, and the options of the tasks.
        alerts: rules, and what is done with their alerts.
        redaction: people and text that a copy of the video must not show.
        output: files that are written, and those that may be replaced.

    Returns:
        The Analysis of the source; of a list of sources a list, in order.

    Raises:
        OptionError, GalleryError, RulesError, LibraryError, MissingExtra: an option cannot be used; raised before
            anything is read or written.
    """
    options = batch.plan(tasks, model, device, decoding, processing, alerts, redaction, output)
    return batch.analyze_all(sources, None if out is None else Path(out), options, alerts, output.library)
