"""``kinoscope recognize``: who is in a video, of those that a gallery knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope import __version__
from kinoscope.api.arguments import choose_device, choose_limits, choose_time_range
from kinoscope.api.outputs import ClaimFolder, claim_folders
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, SourceError, wrap_error
from kinoscope.core.results import PARTIAL_STATUSES, Event, Timeline, Track
from kinoscope.core.validation import require_positive
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, read_gallery
from kinoscope.pipeline import analysis, inputs
from kinoscope.views.console.progress import bar


@dataclass
class RecognizeResult:
    """Who is in one source.

    Attributes:
        seen: appearances of those who are known, in order of time.
        strangers: the others, by the name that stands for them.
        timeline: all that was found; None where ``error`` says why there is nothing.
    """

    source: str
    seen: list[Event] = field(default_factory=list)
    strangers: dict[str, list[Track]] = field(default_factory=dict)
    timeline: Timeline | None = None
    error: KinoscopeError | None = None

    @property
    def status(self) -> int:
        """0 done; 1 not all of it could be read; 2 it cannot be opened."""
        if self.error or self.timeline is None:
            return self.error.status if self.error else 2
        return int(not self.timeline.ok)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain: dict[str, Any] = {"source": self.source}
        plain["seen"] = [self._seen(event) for event in self.seen]
        plain["strangers"] = [self._stranger(name, tracks) for name, tracks in self.strangers.items()]
        return plain | ({"error": str(self.error)} if self.error else {})

    def _seen(self, event: Event) -> dict[str, Any]:
        assert self.timeline is not None
        ids = [tuple(pair) for pair in event.extra["tracks"]]
        best = min((t for t in self.timeline.tracks if (t.task, t.id) in ids), key=lambda t: float(t.extra["distance"]))
        told = {"name": event.label, "start": round(event.start, 3), "end": round(event.end, 3)}
        told |= {"score": round(event.score, 4), "distance": best.extra["distance"], "margin": best.extra.get("margin")}
        return told | {"known_by": best.extra["known_by"]}

    @staticmethod
    def _stranger(name: str, tracks: Sequence[Track]) -> dict[str, Any]:
        told = {"name": name, "start": round(min(track.start for track in tracks), 3)}
        nearest = min(tracks, key=lambda track: float(track.extra.get("distance", float("inf"))))
        facts = {key: nearest.extra.get(key) for key in ("nearest", "distance")}
        return told | {"end": round(max(track.end for track in tracks), 3)} | facts


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
    """Recognize people and things of a gallery in videos: who is there when, and with what confidence.

    Args:
        sources: video files, folders of videos or images, pictures, URLs, camera:0.
        gallery: what `kinoscope enroll` wrote.
        threshold: largest distance of two faces that are taken for one person; 0.45 if not given. `kinoscope gallery
            check` measures which suits your gallery.
        out: folder for a timeline.json of each source (-o); nothing is written if not given.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        Who is in each source, in order. One that cannot be read never stops the others.

    Raises:
        GalleryError: the gallery cannot be used; nothing has been read then.
        OptionError: an option cannot be used.
    """
    require_positive("threshold", threshold, MATCH_THRESHOLDS["face"])
    choose_device(device)
    known = read_gallery(gallery)
    limits = choose_time_range(start, end) | choose_limits(bounds)
    done: list[RecognizeResult] = []
    names = inputs.expand(sources)
    for name, claim in zip(names, claim_folders("recognize", names, out, overwrite, private=True), strict=True):
        one = RecognizeResult(name)
        with bar(short_name(name), quiet) as progress:
            _recognize(one, claim, known, threshold, limits, device, progress)
        done.append(one)
    return done


def _recognize(
    one: RecognizeResult,
    claim: ClaimFolder,
    known: Gallery,
    threshold: float | None,
    limits: dict[str, Any],
    device: str,
    progress: Any,
) -> None:
    try:
        with claim() as save:
            timeline = recognize_source(one.source, known, threshold, limits, device, progress)
            save(timeline)
    except Exception as error:
        one.error = wrap_error(error, one.source)
        return
    one.timeline, one.seen = timeline, timeline.events_of("recognize")
    one.strangers = unknown_faces(timeline)


def recognize_source(
    source: str,
    known: Gallery,
    threshold: float | None = None,
    limits: dict[str, Any] | None = None,
    device: str = "auto",
    progress: Any = None,
) -> Timeline:
    """Follow what a gallery has looks of, and name it.

    Raises:
        KinoscopeError: nothing could be compared.
    """
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    settings: dict[str, Any] = {"gallery": known}
    if threshold is not None:
        settings["thresholds"] = {"face": threshold}
    tasks = analysis.make_tasks(gallery_tasks(known), device=device, settings={"recognize": settings})
    with open_source(source, **(limits or {})) as opened:
        timeline = engine.run(opened, tasks, timeline=Timeline(version=__version__), progress=progress)
    report = timeline.tasks["recognize"]
    if report.status not in ("ok", *PARTIAL_STATUSES):
        first = next((task.reason for task in timeline.tasks.values() if task.status != "ok" and task.reason), None)
        raise SourceError(f"{source}: {first or report.reason}")
    return timeline


def gallery_tasks(known: Gallery) -> list[str]:
    """Give the tasks whose results a gallery can be compared with."""
    things = {"person", "object"} & set(known.models)
    faces = "face" in known.models or not things
    return ["shots", *(["objects"] if things else []), *(["faces"] if faces else []), *(
        ["appearance"] if things else []), "recognize"]  # fmt: skip


def unknown_faces(timeline: Timeline) -> dict[str, list[Track]]:
    """Give the faces that are not known, by the name that stands for each person."""
    found: dict[str, list[Track]] = defaultdict(list)
    for track in timeline.tracks_of("faces"):
        if "known_by" not in track.extra:
            found[track.identity or f"face #{track.id}"].append(track)
    return dict(found)
