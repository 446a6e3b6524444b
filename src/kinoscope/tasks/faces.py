"""Whose faces there are, and where they are in every frame.

The whole picture is searched every other time; in between, the last network of the cascade alone follows the faces that
are known. A face's best samples are embedded when its track ends; where they are of two people the track is split. The
tracks of one person are grouped at the end.
See ``models.inference.faces``, ``tracking``, ``looks``, ``identity`` and ``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Audio, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult, Timeline, Track
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.imaging.thumbnail import thumbnail
from kinoscope.models.inference import faces as models
from kinoscope.models.registry import find
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.people.clustering import cluster_tracks
from kinoscope.tasks.people.face_samples import FaceSample, FaceSamples, identity_changes, max_distance, mean_embedding
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, hard_cuts

FRAME_RATE, FULL_SEARCH_RATE = 5.0, 2.5
"""Pictures looked at each second, and those searched all over; more hardly change the tracks, see
benchmarks/agreement.py."""

MAX_FRAME_SIDE, MIN_FACE_SIDE = 960, 28
"""Longer side of the pictures looked at, and side of the smallest face looked for in them, in pixels."""

MIN_TRACK_SCORE = 0.9
"""Score from which a face may begin a track."""

TRACK_FILTER = TrackFilter(count=3, seconds=0.3, score=0.99)
"""Hands and folds of cloth reach 0.98; faces from the side fall under it too, while they stay so."""

SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0.0, score=MIN_TRACK_SCORE)
"""In a source of a single picture."""

MAX_THUMBNAILS = 200

FaceTrack = tuple[Tracklet, FaceSamples]


class Faces:
    """MTCNN at a rate, a tracker, dlib's embedding: one track a face, grouped into ``person 1``, ``person 2``, ...

    Tracks: label ``face``; ``identity`` is the person, in order of first appearance; ``extra["points"]`` holds, at each
    detection's time, a row of the time and of x and y of eyes, nose and corners of the mouth, left before right;
    ``extra["apart"]`` is how far its best looks are apart.
    ``seen`` is, after ``finish``, each track that was seen well enough with its best looks.
    Features: ``faces.embeddings`` (N, 128) and ``faces.tracks`` (N,), the tracks' ids. Pictures: ``faces-<id>``.

    Args:
        device, model, threads: see ``models.load``; ``model`` is a card of the task ``identity``.
        rate: pictures looked at each second; None for every frame.
        search: pictures searched all over each second; None for all that are looked at.
        calm: frames processed each second while little changes; None for all that come.
        much: share of the frame that changes from which all frames are processed, and searched all over; if not
            given, only a cut is a reason to search before it is due.
        still: largest change in grey levels (0 to 255) of a picture that is not looked at again; -1 looks at all.
        longest, smallest: longer side of the pictures looked at, and side of the smallest face looked for in them.
        least: scores that the three networks of the cascade must give. sure: score from which a face begins a track.
        glimpses: also give what was seen too briefly or too doubtfully to be told: tracks with ``extra["doubtful"]``.
    """

    name = "faces"

    def __init__(
        self,
        *,
        device: str = "auto",
        model: str = "auto",
        threads: int = 1,
        rate: float | None = FRAME_RATE,
        search: float | None = FULL_SEARCH_RATE,
        calm: float | None = None,
        much: float | None = None,
        still: float = 8,
        longest: int = MAX_FRAME_SIDE,
        smallest: float = MIN_FACE_SIDE,
        least: tuple[float, float, float] = models.MIN_SCORES,
        sure: float = MIN_TRACK_SCORE,
        glimpses: bool = False,
    ) -> None:
        self.device, self.model, self.threads = device, model, threads
        self.rate, self.longest, self.smallest, self.least, self.glimpses = rate, longest, smallest, least, glimpses
        self._pause = 0.9 / search if search else 0.0  # frames seldom come just when a search is due
        self._searched = -np.inf
        self._watch, self._hurries = ChangeGate(calm, still, much=much), much is not None
        self._tracker = Tracker(high=sure)
        self._looks: dict[int, FaceSamples] = defaultdict(FaceSamples)
        self._kept: list[FaceTrack] = []
        self._counts = {"inferences": 0, "searches": 0}
        self.seen: list[tuple[Track, list[FaceSample]]] = []

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures large enough to show small faces."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        self._finder = models.FaceDetector(self.device, self.threads, self.smallest, self.least)
        self._embedder = models.FaceEmbedder(self.model, self.device, self.threads)
        self._shown = info.size
        self._worth = SINGLE_FRAME_FILTER if info.frames == 1 else TRACK_FILTER
        return Needs(sizes=(info.fit(self.longest),), rate=self.rate, batch=4)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Find and track faces in the next pictures."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            advice = self._watch.update(pixels, time)
            if advice == "skip":
                continue
            found = self._look(pixels, time, advice)
            ids = self._tracker.update(time, found.boxes, found.scores)
            self._remember(pixels, time, found, ids.tolist())
            self._keep(self._tracker.take())

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the tracks, numbered from 1 in order of appearance, and the people."""
        self._keep(self._tracker.finish())
        cuts = hard_cuts(timeline)
        wholes = [(whole, looks, sorted([*cuts, *identity_changes(looks, cuts)])) for whole, looks in self._kept]
        parts = [(part, looks) for whole, looks, ends in wholes for part in whole.split(ends) if self._wanted(part)]
        parts.sort(key=lambda item: (item[0].start, item[0].id))
        tracks = [self._track(number, *part, timeline.times) for number, part in enumerate(parts, 1)]
        result = TaskResult(tracks=tracks, images=self._pictures(parts), report=self._report())
        self._name(result, parts)
        return result

    def _look(self, pixels: Pixels, time: float, advice: GateDecision) -> models.FaceDetections:
        """Find the faces, unless the picture is the one that was looked at last."""
        if advice == "cut":
            self._tracker.cut()
        if advice != "unchanged":
            fast = self._hurries and self._watch.fast
            search = advice == "cut" or fast or time - self._searched >= self._pause
            self._searched = time if search else self._searched
            self._counts["inferences"] += 1
            self._counts["searches"] += search
            self._found = self._finder(pixels, self._shown, self._tracker.expect(time), search)
        return self._found

    def _remember(self, pixels: Pixels, time: float, found: models.FaceDetections, ids: list[int]) -> None:
        """Keep the points and, if it is a good one, the look of each tracked face."""
        scale = np.array([pixels.shape[1] / self._shown[0], pixels.shape[0] / self._shown[1]])
        for box, points, score, number in zip(found.boxes, found.points, found.scores, ids, strict=True):
            if number >= 0:
                looks, draw = self._looks[number], partial(thumbnail, pixels, (box * np.tile(scale, 2)).tolist(), 0.25)
                looks.points.extend((time, *points.ravel()))
                looks.offer(time, points * scale, float(score), pixels, draw)

    def _keep(self, ended: list[Tracklet]) -> None:
        """Embed the looks of tracks that have ended and are worth it, and forget the others'."""
        for tracklet in ended:
            looks = self._looks.pop(tracklet.id)
            if self._worth(tracklet):
                looks.embed(self._embedder)
            else:
                looks.best.kept.clear()
            if self._wanted(tracklet):
                self._kept.append((tracklet, looks))

    def _wanted(self, part: Tracklet) -> bool:
        return self.glimpses or self._worth(part)

    def _track(self, number: int, part: Tracklet, looks: FaceSamples, times: Float64Array) -> Track:
        rows = np.array(looks.points).reshape(-1, 11)
        rows = rows[(rows[:, 0] >= part.start) & (rows[:, 0] <= part.end)]
        points = [[round(row[0], 6), *(round(value, 1) for value in row[1:])] for row in rows.tolist()]
        extra: dict[str, Any] = {"points": points} | ({} if self._worth(part) else {"doubtful": True})
        return Track(number, self.name, "face", part.score, part.through(times, self._shown), extra=extra)

    def _pictures(self, parts: list[FaceTrack]) -> dict[str, bytes]:
        best = {n: looks.best.within(part.start, part.end)[:1] for n, (part, looks) in enumerate(parts, 1)}
        shown = sorted((n for n in best if best[n]), key=lambda n: -best[n][0].value)[:MAX_THUMBNAILS]
        return {f"{self.name}-{n}": best[n][0].picture for n in sorted(shown)}

    def _name(self, result: TaskResult, parts: list[FaceTrack]) -> None:
        """Embed each track that was seen well enough, and name its person."""
        seen = [
            (track, looks.best.within(part.start, part.end))
            for track, (part, looks) in zip(result.tracks, parts, strict=True)
            if "doubtful" not in track.extra
        ]
        self.seen = seen = [(track, looks) for track, looks in seen if looks]
        for track, looks in seen:
            track.extra["apart"] = round(max_distance(looks), 3)
        embeddings = np.array([mean_embedding(looks) for _, looks in seen], np.float32).reshape(-1, 128)
        spans = np.array([(track.start, track.end) for track, _ in seen]).reshape(-1, 2)
        for (track, _), person in zip(seen, cluster_tracks(embeddings, spans).tolist(), strict=True):
            track.identity = f"person {person + 1}"
        ids = np.array([track.id for track, _ in seen], np.int64)
        result.features = {"faces.embeddings": embeddings, "faces.tracks": ids}

    def _report(self) -> TaskReport:
        runner = self._embedder.runner
        model, extra = f"mtcnn, {runner.card.name}", self._counts | {"rate": self.rate, "digest": runner.card.digest}
        licences = dict.fromkeys((find("mtcnn-pnet").licence, runner.card.licence))
        return TaskReport(model=model, runtime=runner.runtime, licence=", ".join(licences), extra=extra)
