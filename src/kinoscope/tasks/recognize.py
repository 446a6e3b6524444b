"""Who the people are, and which things are known: what earlier tasks followed, matched to a gallery.

A face is matched by the mean of its best looks; its identity goes over to the face tracks of the same group, and to the
person (a track of ``objects``) that it is the face of. Persons and things are matched by their appearance where the
gallery has such looks. Unknown is an answer. See ``galleries``, ``core.identity_matching`` and ``tasks.faces``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.boxes import areas
from kinoscope.core.identity_matching import IdentityMatch, match_identities, spans_overlap
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track
from kinoscope.galleries import MATCH_THRESHOLDS, SAMPLE_KINDS, EmbeddingModel, Gallery, read_gallery
from kinoscope.tasks.base import Needs, Skip

MAX_EVENT_GAP_SECONDS = 2.0
"""Seconds between two appearances of one person up to which they are one event."""

MIN_FACE_INSIDE_SHARE, MIN_TIME_INSIDE_SHARE = 0.8, 0.5
"""Share of a face's box that lies in the box of the person it belongs to, and of the face's time for which it does."""

MAX_FACE_HEIGHT_SHARE = 0.6
"""How far down a person's box the middle of the face may be, in its heights; so low only in close-ups."""

EMBEDDING_TASKS = {"face": "faces", "person": "appearance", "object": "appearance"}
"""The task that leaves the embeddings of each kind, in its features."""


class Recognize:
    """Names the tracks of ``faces`` and ``objects`` that are in a gallery; is not fed, and reads what they left.

    Tracks: ``identity`` becomes the name; ``extra`` gets ``distance`` to the nearest known look, ``margin`` to the next
    other name, ``nearest`` (the name of the nearest, where unknown), ``known_by`` (``face``, ``group``, ``person`` or
    ``object``) and ``group`` (the identity that it had before). Events: one an appearance, ``label`` the name,
    ``score`` how sure that is (``identity_confidence``), ``extra["tracks"]`` as ``[task, id]``.

    Args:
        gallery: a gallery, or the path of its file.
        thresholds: largest distance that is taken for the same, by kind; the others are ``galleries.MATCH_THRESHOLDS``.
        device, model, threads: not used: no network runs here.
    """

    name = "recognize"

    def __init__(
        self,
        *,
        gallery: Gallery | str | Path,
        thresholds: Mapping[str, float] | None = None,
        device: str = "auto",
        model: str = "auto",
        threads: int = 1,
    ) -> None:
        self.gallery = gallery if isinstance(gallery, Gallery) else read_gallery(gallery)
        self.thresholds = MATCH_THRESHOLDS | dict(thresholds or {})

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for nothing: all is there at the end."""
        return Needs()

    def process_frames(self, *batches: FrameBatch) -> None:
        """Not called: no picture is asked for."""

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Name the tracks, and tell when each name appears.

        Raises:
            Skip: no task that was run left what could be compared.
            GalleryError: the gallery was made by another model.
        """
        kinds = [
            kind
            for kind in SAMPLE_KINDS
            if self.gallery.names(kind) and f"{EMBEDDING_TASKS[kind]}.tracks" in timeline.features
        ]
        if not kinds:
            raise Skip(self._why_not())
        _forget(timeline)
        for kind in kinds:
            self._recognize(timeline, kind)
            if kind == "face":
                _spread(timeline.tracks_of("faces"))
                _lend(timeline.tracks_of("faces"), timeline.tracks_of("objects"))
        models = ", ".join(dict.fromkeys(self.gallery.models[kind].name for kind in kinds))
        return TaskResult(events=self._events(timeline), report=TaskReport(model=models, extra=self._extra(timeline)))

    def _why_not(self) -> str:
        wanted = dict.fromkeys(EMBEDDING_TASKS[kind] for kind in SAMPLE_KINDS if self.gallery.names(kind))
        if not wanted:
            return "the gallery is empty; add someone with `kinoscope enroll`"
        return f"the gallery has nothing to compare with what was run; run {' or '.join(wanted)} too"

    def _extra(self, timeline: Timeline) -> dict[str, object]:
        tracks = [track for track in timeline.tracks if "known_by" in track.extra]
        return {"known": sorted({str(track.identity) for track in tracks}), "named_tracks": len(tracks)}

    def _recognize(self, timeline: Timeline, kind: str) -> None:
        """Name the tracks of a kind by their embeddings."""
        task = EMBEDDING_TASKS[kind]
        report = timeline.tasks.get(task, TaskReport())
        self.gallery.check_model(kind, EmbeddingModel(report.model or task, str(report.extra.get("digest"))))
        tracks, rows = _comparable(timeline, kind)
        if not tracks:
            return
        names, spans = self.gallery.names(kind), [(track.start, track.end) for track in tracks]
        distances = self.gallery.distances(kind, timeline.features[f"{task}.embeddings"][rows])
        for row, track in zip(distances, tracks, strict=True):
            row[[_elsewhere(track, name, timeline.tracks_of(track.task)) for name in names]] = np.inf
        for track, found in zip(tracks, match_identities(distances, spans, self.thresholds[kind]), strict=True):
            _tell(track, found, names, kind)

    def _events(self, timeline: Timeline) -> list[Event]:
        """Give the appearances of each name, those that hardly part joined."""
        by_name: dict[str, list[Track]] = defaultdict(list)
        for track in timeline.tracks:
            if "known_by" in track.extra and len(track.boxes):
                by_name[str(track.identity)].append(track)
        return [self._event(name, run) for name, tracks in by_name.items() for run in _runs(tracks)]

    def _event(self, name: str, tracks: Sequence[Track]) -> Event:
        score = max(identity_confidence(t.extra["distance"], self.thresholds[_kind(t)]) for t in tracks)
        extra = {"tracks": [[track.task, track.id] for track in tracks]}
        return Event(self.name, tracks[0].start, max(track.end for track in tracks), name, score, extra=extra)


def identity_confidence(distance: float, threshold: float) -> float:
    """Give how sure a distance makes one that two looks are of one person, 1 to 0: a half at the threshold.

    A logistic curve whose width is a tenth of the threshold: genuine and impostor distances of faces are normally
    spread about 0.2 to each side of the threshold, with a standard deviation near 0.1, of which such a curve is the
    ratio. It ranks; it promises no frequency.
    """
    return 1 / (1 + math.exp(min(50.0, (distance - threshold) / (0.1 * threshold))))


def _kind(track: Track) -> str:
    """Give the kind of looks by which a track is known: its own, or that of the face that it has its name from."""
    known = str(track.extra["known_by"])
    return known if known in SAMPLE_KINDS else "face"


def _comparable(timeline: Timeline, kind: str) -> tuple[list[Track], list[int]]:
    """Give the tracks that have an embedding and may be of a kind, unnamed as yet, and the rows of their embeddings."""
    task = "faces" if kind == "face" else "objects"
    tracks = {track.id: track for track in timeline.tracks_of(task) if _may_be(track, kind)}
    ids = timeline.features[f"{EMBEDDING_TASKS[kind]}.tracks"].tolist()
    rows = [row for row, number in enumerate(ids) if number in tracks]
    return [tracks[ids[row]] for row in rows], rows


def _may_be(track: Track, kind: str) -> bool:
    fits = kind == "face" or (kind == "person") == (track.label == "person")
    return fits and "known_by" not in track.extra and len(track.boxes) > 0


def _tell(track: Track, found: IdentityMatch, names: Sequence[str], kind: str) -> None:
    """Write down who a track is, or whom an unknown one is nearest to."""
    if not math.isfinite(found.distance):
        return
    track.extra["distance"] = round(found.distance, 4)
    if math.isfinite(found.margin):
        track.extra["margin"] = round(found.margin, 4)
    if found.person is None:
        track.extra["nearest"] = names[found.nearest]
    else:
        _name(track, names[found.person], kind)


def _name(track: Track, name: str, by: str) -> None:
    track.extra.pop("nearest", None)
    track.extra |= {"group": track.identity, "known_by": by}
    track.identity = name


def _forget(timeline: Timeline) -> None:
    """Take back what an earlier recognition wrote, so that another gallery starts anew."""
    for track in timeline.tracks:
        if "known_by" in track.extra:
            track.identity = track.extra["group"]
        for key in ("known_by", "group", "distance", "margin", "nearest"):
            track.extra.pop(key, None)


def _spread(faces: Sequence[Track]) -> None:
    """Give a name to the other face tracks of its group, if all that are known there are one person."""
    groups: dict[str, list[Track]] = defaultdict(list)
    for track in faces:
        groups[str(track.extra.get("group") or track.identity)].append(track)
    for group in groups.values():
        known = [track for track in group if "known_by" in track.extra]
        if len({track.identity for track in known}) == 1:
            for track in group:
                if "known_by" not in track.extra and not _elsewhere(track, str(known[0].identity), faces):
                    _name(track, str(known[0].identity), "group")


def _elsewhere(track: Track, name: str, others: Iterable[Track]) -> bool:
    """Whether somebody of that name is in another track at the same time."""
    named = [other for other in others if other is not track and other.identity == name and "known_by" in other.extra]
    spans = [(one.start, one.end) for one in (track, *named)]
    return bool(spans_overlap(spans)[0].any())


def _lend(faces: Sequence[Track], objects: Sequence[Track]) -> None:
    """Give the person around a recognised face its name, the longest together first."""
    persons = [track for track in objects if track.label == "person" and len(track.boxes)]
    pairs = [
        (_together(face, person), face, person) for face in faces if "known_by" in face.extra for person in persons
    ]
    for (share, seconds), face, person in sorted(pairs, key=lambda pair: -pair[0][1]):
        name = str(face.identity)
        if (
            share >= MIN_TIME_INSIDE_SHARE
            and seconds > 0
            and "known_by" not in person.extra
            and not _elsewhere(person, name, persons)
        ):
            _name(person, name, "face")
            person.extra |= {key: face.extra[key] for key in ("distance", "margin", "apart") if key in face.extra}


def _together(face: Track, person: Track) -> tuple[float, float]:
    """Give the share, and the seconds, of the time both are seen in which the face lies where the person's would."""
    times = face.boxes[:, 0]
    times = times[(times >= person.start) & (times <= person.end)]
    if not len(times):
        return 0.0, 0.0
    inner, outer = _boxes(face, times), _boxes(person, times)
    shared = np.maximum(np.minimum(inner[:, 2:], outer[:, 2:]) - np.maximum(inner[:, :2], outer[:, :2]), 0).prod(axis=1)
    height = (inner[:, 1] + inner[:, 3]) / 2 - outer[:, 1]
    within = (shared >= MIN_FACE_INSIDE_SHARE * areas(inner)) & (
        height <= MAX_FACE_HEIGHT_SHARE * (outer[:, 3] - outer[:, 1])
    )
    shown = len(times) / len(face.boxes) * (face.end - face.start)
    return float(within.mean()), float(within.mean()) * shown


def _boxes(track: Track, times: Float64Array) -> Float64Array:
    """Give the boxes (N, 4) of a track at times (N,)."""
    return np.stack([np.interp(times, track.boxes[:, 0], track.boxes[:, i]) for i in range(1, 5)], axis=1)


def _runs(tracks: Sequence[Track]) -> list[list[Track]]:
    """Part tracks into runs between which nobody is seen for longer than ``MAX_EVENT_GAP_SECONDS``."""
    runs: list[list[Track]] = []
    end = -math.inf
    for track in sorted(tracks, key=lambda track: track.start):
        if track.start - end > MAX_EVENT_GAP_SECONDS:
            runs.append([])
        runs[-1].append(track)
        end = max(end, track.end)
    return runs
