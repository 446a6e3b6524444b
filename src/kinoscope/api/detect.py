"""``kinoscope detect``: detection and tracking of objects, their trajectories, and counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kinoscope.api.analyze import interrupted
from kinoscope.api.arguments import (
    choose_device,
    choose_labels,
    choose_limits,
    choose_model,
    choose_time_range,
    choose_tracker,
    choose_video_track,
)
from kinoscope.api.deprecations import accept_old_names
from kinoscope.api.outputs import SourceStatus, analyze_in_memory
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError, wrap_error
from kinoscope.core.results import Track
from kinoscope.core.trajectories import estimate_counts, is_scenery, trajectory_stats
from kinoscope.core.validation import require_known, require_positive
from kinoscope.pipeline import analysis, inputs
from kinoscope.views.timeline import Timeline

Appearance = Literal["none", "colours", "cnn"]

FILES = ("detections.json", "events.csv", "tracks.csv", "trajectories.csv")
"""Files that are written beside timeline.json."""

MAX_COUNT_TIMES = 2000
"""Times at which objects are counted."""


@dataclass
class DetectResult(SourceStatus):
    """The objects of one source.

    Attributes:
        every: seconds between two counts.
        timeline: the whole result; None if ``error`` is set.
        written: the written files.
    """

    source: str
    every: float = 1.0
    timeline: Timeline | None = None
    error: KinoscopeError | None = None
    written: list[Path] = field(default_factory=list)

    @property
    def tracks(self) -> list[Track]:
        """The tracks, in order of their start."""
        return self.timeline.tracks("objects") if self.timeline else []

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types: ``tracks`` with trajectories, ``counts`` by label; of an image, boxes."""
        if self.timeline is None:
            return {"source": self.source, "error": str(self.error)}
        if len(self.timeline.times) == 1:
            return {"source": self.source, "objects": [_object(track) for track in self.tracks]}
        return {"source": self.source, "tracks": [_track(track) for track in self.tracks], "counts": self.counts()}

    def counts(self) -> dict[str, list[dict[str, Any]]]:
        """Return label -> counts in the middle of each interval of ``every`` seconds; at most ``MAX_COUNT_TIMES``."""
        assert self.timeline is not None
        times = self.timeline.times
        if not len(times):
            return {}
        step = max(self.every, (times[-1] - times[0]) / MAX_COUNT_TIMES)
        at = np.arange(times[0], times[-1], step) + step / 2
        size = int(self.timeline.source.get("width", 0)), int(self.timeline.source.get("height", 0))
        labels = dict.fromkeys(track.label for track in self.tracks)
        return {
            label: [
                count.to_dict()
                for count in estimate_counts(
                    [track for track in self.tracks if track.label == label], at[at <= times[-1]], size
                )
            ]
            for label in labels
        }


def _object(track: Track) -> dict[str, Any]:
    box = [round(v, 1) for v in track.boxes[0, 1:5].tolist()]
    return {"id": track.id, "label": track.label, "score": round(track.score, 4), "box": box}


def _track(track: Track) -> dict[str, Any]:
    row = {"id": track.id, "label": track.label, "score": round(track.score, 4), "counts": not is_scenery(track)}
    return row | {"start": round(track.start, 3), "end": round(track.end, 3)} | trajectory_stats(track).to_dict()


@accept_old_names
def detect(
    *sources: str | Path,
    labels: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    model: str = "auto",
    tracker: str = "buffered",
    camera: bool = False,
    appearance: Appearance = "none",
    rate: float | None = None,
    every: float = 1.0,
    start: str | float | None = None,
    end: str | float | None = None,
    bounds: str | None = None,
    video_track: int | None = None,
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
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        annotate: also write annotated.mp4, with boxes and names drawn in; needs -o.
        overwrite: replace kinoscope's own results of another source or command in the folder.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The objects of each source, in order. One that cannot be read never stops the others.

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
        source_options=choose_time_range(start, end) | choose_limits(bounds) | choose_video_track(video_track),
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

    def fits(name: str, folder: Path) -> bool:
        return analysis.can_hold_results(name, folder, options)

    names = inputs.expand(sources)
    folders = [None] * len(names) if out is None else inputs.result_folders(names, Path(out), fits)
    results = [DetectResult(name, every) for name in names]
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
            job = analysis.Analysis(result.source, folder)
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
