"""``kinoscope recognize``: the people and objects of a gallery in videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope import __version__
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, SourceError, wrap_error
from kinoscope.core.results import PARTIAL_STATUSES, Event, Track
from kinoscope.core.validation import require_positive
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, read_gallery
from kinoscope.pipeline import analysis, inputs
from kinoscope.pipeline.arguments import choose_device, choose_limits, choose_time_range
from kinoscope.pipeline.outputs import ClaimFolder, SourceStatus, claim_folders
from kinoscope.views.console.progress import bar
from kinoscope.views.timeline import Timeline


@dataclass
class RecognizeResult(SourceStatus):
    """The people and objects that were recognized in one source.

    Attributes:
        seen: an event for each interval in which a name of the gallery appears, in order of time.
        strangers: generated name -> face tracks of a person who is not in the gallery.
        timeline: the whole result; None if ``error`` is set.
    """

    source: str
    seen: list[Event] = field(default_factory=list)
    strangers: dict[str, list[Track]] = field(default_factory=dict)
    timeline: Timeline | None = None
    error: KinoscopeError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        plain: dict[str, Any] = {"source": self.source}
        plain["seen"] = [self._seen_row(event) for event in self.seen]
        plain["strangers"] = [self._stranger_row(name, tracks) for name, tracks in self.strangers.items()]
        return plain | ({"error": str(self.error)} if self.error else {})

    def _seen_row(self, event: Event) -> dict[str, Any]:
        assert self.timeline is not None
        ids = [tuple(pair) for pair in event.extra["tracks"]]
        tracks = [track for track in self.timeline.all_tracks if (track.task, track.id) in ids]
        best = min(tracks, key=lambda track: float(track.extra["distance"]))
        return {
            "name": event.label,
            "start": round(event.start, 3),
            "end": round(event.end, 3),
            "score": round(event.score, 4),
            "distance": best.extra["distance"],
            "margin": best.extra.get("margin"),
            "known_by": best.extra["known_by"],
        }

    @staticmethod
    def _stranger_row(name: str, tracks: Sequence[Track]) -> dict[str, Any]:
        nearest = min(tracks, key=lambda track: float(track.extra.get("distance", float("inf"))))
        return {
            "name": name,
            "start": round(min(track.start for track in tracks), 3),
            "end": round(max(track.end for track in tracks), 3),
            "nearest": nearest.extra.get("nearest"),
            "distance": nearest.extra.get("distance"),
        }


def recognize(
    *sources: str | Path,
    gallery: str | Path,
    threshold: float | None = None,
    out: str | Path | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    bounds: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[RecognizeResult]:
    """Recognize people and objects of a gallery in videos: when they appear, and with what confidence.

    Args:
        sources: video files, images, folders of either, URLs, camera:0.
        gallery: file that `kinoscope enroll` wrote.
        threshold: maximum distance of two faces of one person; 0.45 if not given. `kinoscope gallery check` measures
            which threshold suits your gallery.
        out: folder for a timeline.json of each source (-o); nothing is written if not given.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The recognized names of each source, in order. One that cannot be read never stops the others.

    Raises:
        GalleryError: the gallery cannot be used; raised before anything is read.
        OptionError: an option cannot be used.
    """
    require_positive("threshold", threshold, MATCH_THRESHOLDS["face"])
    choose_device(device)
    opened = read_gallery(gallery)
    limits = choose_time_range(start, end) | choose_limits(bounds)
    results: list[RecognizeResult] = []
    names = inputs.expand(sources)
    for name, claim in zip(names, claim_folders("recognize", names, out, overwrite, private=True), strict=True):
        result = RecognizeResult(name)
        with bar(short_name(name), quiet) as progress:
            _recognize(result, claim, opened, threshold, limits, device, progress)
        results.append(result)
    return results


def _recognize(
    result: RecognizeResult,
    claim: ClaimFolder,
    gallery: Gallery,
    threshold: float | None,
    limits: dict[str, Any],
    device: str,
    progress: Any,
) -> None:
    """Fill the result of one source; an error ends up in it."""
    try:
        with claim() as save:
            timeline = recognize_source(result.source, gallery, threshold, limits, device, progress)
            save(timeline)
    except Exception as error:
        result.error = wrap_error(error, result.source)
        return
    result.timeline, result.seen = timeline, timeline.events("recognize")
    result.strangers = unknown_faces(timeline)


def recognize_source(
    source: str,
    gallery: Gallery,
    threshold: float | None = None,
    limits: dict[str, Any] | None = None,
    device: str = "auto",
    progress: Any = None,
) -> Timeline:
    """Track what a gallery has samples of, name it, and return the timeline.

    Raises:
        KinoscopeError: nothing could be compared.
    """
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    settings: dict[str, Any] = {"gallery": gallery}
    if threshold is not None:
        settings["thresholds"] = {"face": threshold}
    names = gallery_tasks(gallery)
    tasks = analysis.AnalysisOptions(names, device=device, settings={"recognize": settings}).make_tasks(names)
    with open_source(source, **(limits or {})) as opened:
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


def unknown_faces(timeline: Timeline) -> dict[str, list[Track]]:
    """Return generated name -> face tracks of each person who is not in the gallery."""
    tracks: dict[str, list[Track]] = defaultdict(list)
    for track in timeline.tracks("faces"):
        if "known_by" not in track.extra:
            tracks[track.identity or f"face #{track.id}"].append(track)
    return dict(tracks)
