"""Identification of people and objects: matches the tracks of earlier tasks to a gallery.

A face is matched by the mean embedding of its best samples; its identity applies to the face tracks of the same group,
and to the person (a track of ``objects``) around the face. Persons and objects are matched by their appearance if the
gallery has such samples. A track may stay unknown. See ``galleries``, ``core.identity_matching`` and ``tasks.faces``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.boxes import areas
from kinoscope.core.identity_matching import IdentityMatch, match_identities, spans_overlap
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.galleries import MATCH_THRESHOLDS, SAMPLE_KINDS, EmbeddingModel, Gallery, read_gallery
from kinoscope.tasks.base import PostTask, Skip
from kinoscope.tasks.options import RecognizeOptions
from kinoscope.views.timeline import Timeline

MAX_EVENT_GAP_SECONDS = 2.0
"""Seconds between two appearances of one person up to which they are one event."""

MIN_FACE_INSIDE_SHARE, MIN_TIME_INSIDE_SHARE = 0.8, 0.5
"""Share of a face's box that lies inside the person's box, and share of the face's time for which it does."""

MAX_FACE_HEIGHT_SHARE = 0.6
"""Maximum distance of the center of a face from the top of the person's box, in box heights; so low only in
close-ups."""

EMBEDDING_TASKS = {"face": "faces", "person": "appearance", "object": "appearance"}
"""The task that computes the embeddings of each kind, in its features."""


class Recognize(PostTask):
    """Names the tracks of ``faces`` and ``objects`` that match a gallery; requests neither frames nor audio.

    Tracks: ``identity`` becomes the name; ``extra`` gets ``distance`` to the nearest known sample, ``margin`` to the
    next other name, ``nearest`` (the name of the nearest, if unknown), ``known_by`` (``face``, ``group``, ``person`` or
    ``object``) and ``group`` (the identity that it had before). Events: one per appearance, ``label`` the name,
    ``score`` the confidence (``identity_confidence``), ``extra["tracks"]`` as ``[task, id]``.

    Args:
        gallery: a gallery, or the path of its file.
    """

    name = "recognize"
    options_type = RecognizeOptions
    required_input = "a gallery; give --gallery FILE, as `kinoscope enroll` wrote it"
    depends_on = frozenset({"objects", "faces", "appearance"})
    biometric = True

    options: RecognizeOptions

    def __init__(self, *, gallery: Gallery | str | Path, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.gallery = gallery if isinstance(gallery, Gallery) else read_gallery(gallery)
        self.thresholds = MATCH_THRESHOLDS | dict(self.options.thresholds)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Name the tracks and return the appearances of each name.

        Raises:
            Skip: no task that ran computed embeddings to compare.
            GalleryError: the gallery was made by another model.
        """
        kinds = [
            kind
            for kind in SAMPLE_KINDS
            if self.gallery.names(kind) and f"{EMBEDDING_TASKS[kind]}.tracks" in timeline.features
        ]
        if not kinds:
            raise Skip(self._skip_reason())
        _undo_recognition(timeline)
        for kind in kinds:
            self._recognize(timeline, kind)
            if kind == "face":
                _propagate_in_groups(timeline.tracks("faces"))
                _propagate_to_persons(timeline.tracks("faces"), timeline.tracks("objects"))
        models = ", ".join(dict.fromkeys(self.gallery.models[kind].name for kind in kinds))
        return TaskResult(events=self._events(timeline), report=TaskReport(model=models, extra=self._extra(timeline)))

    def _skip_reason(self) -> str:
        needed_tasks = dict.fromkeys(EMBEDDING_TASKS[kind] for kind in SAMPLE_KINDS if self.gallery.names(kind))
        if not needed_tasks:
            return "the gallery is empty; add a person with `kinoscope enroll`"
        return f"the gallery has nothing to compare with the tasks that ran; run {' or '.join(needed_tasks)} too"

    def _extra(self, timeline: Timeline) -> dict[str, object]:
        tracks = [track for track in timeline.all_tracks if "known_by" in track.extra]
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
            row[[_is_elsewhere(track, name, timeline.tracks(track.task)) for name in names]] = np.inf
        for track, matched in zip(tracks, match_identities(distances, spans, self.thresholds[kind]), strict=True):
            _annotate(track, matched, names, kind)

    def _events(self, timeline: Timeline) -> list[Event]:
        """Return the appearances of each name; short gaps are bridged."""
        by_name: dict[str, list[Track]] = defaultdict(list)
        for track in timeline.all_tracks:
            if "known_by" in track.extra and len(track.boxes):
                by_name[str(track.identity)].append(track)
        return [
            self._event(name, appearance_tracks)
            for name, tracks in by_name.items()
            for appearance_tracks in _group_appearances(tracks)
        ]

    def _event(self, name: str, tracks: Sequence[Track]) -> Event:
        score = max(identity_confidence(t.extra["distance"], self.thresholds[_kind(t)]) for t in tracks)
        extra = {"tracks": [[track.task, track.id] for track in tracks]}
        return Event(self.name, tracks[0].start, max(track.end for track in tracks), name, score, extra=extra)


def identity_confidence(distance: float, threshold: float) -> float:
    """Return the confidence that a distance means one person, 1 to 0: a half at the threshold.

    A logistic curve whose width is a tenth of the threshold: genuine and impostor distances of faces are normally
    distributed about 0.2 to each side of the threshold, with a standard deviation near 0.1, of which such a curve is
    the ratio. It ranks matches; it is no calibrated probability.
    """
    return 1 / (1 + math.exp(min(50.0, (distance - threshold) / (0.1 * threshold))))


def _kind(track: Track) -> str:
    """Return the kind of sample by which a track was recognized: its own, or that of the face it has its name from."""
    known_by = str(track.extra["known_by"])
    return known_by if known_by in SAMPLE_KINDS else "face"


def _comparable(timeline: Timeline, kind: str) -> tuple[list[Track], list[int]]:
    """Return the unnamed tracks of a kind that have an embedding, and the rows of their embeddings."""
    task = "faces" if kind == "face" else "objects"
    tracks = {track.id: track for track in timeline.tracks(task) if _may_be(track, kind)}
    ids = timeline.features[f"{EMBEDDING_TASKS[kind]}.tracks"].tolist()
    rows = [row for row, number in enumerate(ids) if number in tracks]
    return [tracks[ids[row]] for row in rows], rows


def _may_be(track: Track, kind: str) -> bool:
    is_kind = kind == "face" or (kind == "person") == (track.label == "person")
    return is_kind and "known_by" not in track.extra and len(track.boxes) > 0


def _annotate(track: Track, matched: IdentityMatch, names: Sequence[str], kind: str) -> None:
    """Record the identity of a track, or the nearest identity of an unknown one."""
    if not math.isfinite(matched.distance):
        return
    track.extra["distance"] = round(matched.distance, 4)
    if math.isfinite(matched.margin):
        track.extra["margin"] = round(matched.margin, 4)
    if matched.person is None:
        track.extra["nearest"] = names[matched.nearest]
    else:
        _name(track, names[matched.person], kind)


def _name(track: Track, name: str, source: str) -> None:
    track.extra.pop("nearest", None)
    track.extra |= {"group": track.identity, "known_by": source}
    track.identity = name


def _undo_recognition(timeline: Timeline) -> None:
    """Remove the results of an earlier recognition, so that another gallery starts from the same state."""
    for track in timeline.all_tracks:
        if "known_by" in track.extra:
            track.identity = track.extra["group"]
        for key in ("known_by", "group", "distance", "margin", "nearest"):
            track.extra.pop(key, None)


def _propagate_in_groups(faces: Sequence[Track]) -> None:
    """Apply a name to the other face tracks of its group, if all known tracks of the group are one person."""
    groups: dict[str, list[Track]] = defaultdict(list)
    for track in faces:
        groups[str(track.extra.get("group") or track.identity)].append(track)
    for group in groups.values():
        known = [track for track in group if "known_by" in track.extra]
        if len({track.identity for track in known}) == 1:
            for track in group:
                if "known_by" not in track.extra and not _is_elsewhere(track, str(known[0].identity), faces):
                    _name(track, str(known[0].identity), "group")


def _is_elsewhere(track: Track, name: str, others: Iterable[Track]) -> bool:
    """Return whether another track has that name at the same time."""
    named = [other for other in others if other is not track and other.identity == name and "known_by" in other.extra]
    spans = [(shown_track.start, shown_track.end) for shown_track in (track, *named)]
    return bool(spans_overlap(spans)[0].any())


def _propagate_to_persons(faces: Sequence[Track], objects: Sequence[Track]) -> None:
    """Apply the name of a recognized face to the person around it, in descending order of common time."""
    persons = [track for track in objects if track.label == "person" and len(track.boxes)]
    pairs = [
        (_overlap_in_time(face, person), face, person)
        for face in faces
        if "known_by" in face.extra
        for person in persons
    ]
    for (share, seconds), face, person in sorted(pairs, key=lambda pair: -pair[0][1]):
        name = str(face.identity)
        if (
            share >= MIN_TIME_INSIDE_SHARE
            and seconds > 0
            and "known_by" not in person.extra
            and not _is_elsewhere(person, name, persons)
        ):
            _name(person, name, "face")
            person.extra |= {key: face.extra[key] for key in ("distance", "margin", "apart") if key in face.extra}


def _overlap_in_time(face: Track, person: Track) -> tuple[float, float]:
    """Return the share, and the seconds, of the common time in which the face lies where the person's face would be."""
    times = face.boxes[:, 0]
    times = times[(times >= person.start) & (times <= person.end)]
    if not len(times):
        return 0.0, 0.0
    face_boxes, person_boxes = _boxes(face, times), _boxes(person, times)
    intersection = np.maximum(
        np.minimum(face_boxes[:, 2:], person_boxes[:, 2:]) - np.maximum(face_boxes[:, :2], person_boxes[:, :2]), 0
    ).prod(axis=1)
    face_height = (face_boxes[:, 1] + face_boxes[:, 3]) / 2 - person_boxes[:, 1]
    is_inside = (intersection >= MIN_FACE_INSIDE_SHARE * areas(face_boxes)) & (
        face_height <= MAX_FACE_HEIGHT_SHARE * (person_boxes[:, 3] - person_boxes[:, 1])
    )
    visible_seconds = len(times) / len(face.boxes) * (face.end - face.start)
    return float(is_inside.mean()), float(is_inside.mean()) * visible_seconds


def _boxes(track: Track, times: Float64Array) -> Float64Array:
    """Return the boxes (N, 4) of a track at times (N,) in seconds."""
    return np.stack([np.interp(times, track.boxes[:, 0], track.boxes[:, i]) for i in range(1, 5)], axis=1)


def _group_appearances(tracks: Sequence[Track]) -> list[list[Track]]:
    """Split tracks into groups between which the person is absent for longer than ``MAX_EVENT_GAP_SECONDS``."""
    groups: list[list[Track]] = []
    end = -math.inf
    for track in sorted(tracks, key=lambda track: track.start):
        if track.start - end > MAX_EVENT_GAP_SECONDS:
            groups.append([])
        groups[-1].append(track)
        end = max(end, track.end)
    return groups
