"""Evaluate the recognition of enrolled people, and the clustering of clips by person.

    python benchmarks/recognition.py --data FOLDER [--plot docs/recognition.png]

``FOLDER/talking`` holds clips of speakers, ``FOLDER/faces`` a photo each of other people, and ``FOLDER/clips`` and
``FOLDER/detect`` films without any of these. Each speaker is enrolled from one frame of the first half of their first
clip, and searched for in the second half of that clip and in their other clips. Each photo is enrolled too. Distances
are those of ``recognize``: from a face track's pooled embedding to the samples of a name. Clustering takes the first
and the second half of every clip as separate clips.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from measure import machine

import kinoscope
from kinoscope.core.arrays import Float32Array, Int64Array
from kinoscope.core.errors import KinoscopeError
from kinoscope.core.metrics.verification import equal_error_rate, operating_point, threshold_at_far
from kinoscope.core.time import parse_time
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, read_gallery
from kinoscope.models.samples import sample
from kinoscope.pipeline.recognition import recognize_source
from kinoscope.source import open_source
from kinoscope.source.images import VIDEO_SUFFIXES
from kinoscope.tasks.people.clustering import MAX_CLUSTER_DISTANCE, cluster_tracks
from kinoscope.views.plots.training import error_rates
from kinoscope.views.timeline import Timeline

SAME_PERSON = {"grid_swwp2s": "grid_pwij3p", "retalking_3": "hdtf_1"}
"""Clips of the same person as another clip."""

DLIB_THRESHOLD = 0.6
"""Maximum distance of two faces of one person by the network's authors."""


@dataclass
class Half:
    """The result on half a clip: its timeline, and the embedding of the face track with the largest duration."""

    clip: str
    number: int
    timeline: Timeline
    embedding: Float32Array

    @property
    def person(self) -> str:
        return SAME_PERSON.get(self.clip, self.clip)


def enroll_frame(video: Path, path: Path, gallery: Path, name: str) -> float | None:
    """Enroll a person from the first usable of some frames of the first half; return its time, or None.

    Args:
        video: of the person.
        path: where the frame is saved as an image.
        gallery: the gallery.
        name: of the person.
    """
    with open_source(video) as source:
        start, end = (float(time) for time in source.span())
        for share in (0.1, 0.2, 0.3, 0.4, 0.05, 0.15, 0.25, 0.35, 0.45):
            time = start + share * (end - start)
            (frame,) = list(source.at([_exact(time)]))
            cv2.imwrite(str(path), np.ascontiguousarray(frame.pixels()[..., ::-1]))
            try:
                kinoscope.enroll(gallery, name, path, largest=True)
            except KinoscopeError:
                continue
            return time
    return None


def _exact(time: float) -> Fraction:
    return parse_time(round(time, 3))


def halves(video: Path, known: Gallery) -> Iterator[Half]:
    with open_source(video) as source:
        start, end = (float(time) for time in source.span())
    for number, limits in enumerate(((None, (start + end) / 2), ((start + end) / 2, None))):
        spans = {"start": limits[0] and _exact(limits[0]), "end": limits[1] and _exact(limits[1])}
        timeline = recognize_source(str(video), known, source_options=spans)
        tracks = {track.id: track.end - track.start for track in timeline.tracks("faces")}
        ids = timeline.features["faces.tracks"].tolist()
        if ids:
            row = max(range(len(ids)), key=lambda i: tracks[ids[i]])
            yield Half(video.stem, number, timeline, timeline.features["faces.embeddings"][row])


def pairwise_f1(groups: Int64Array, people: list[str]) -> tuple[float, float, float]:
    """Return precision, recall and F1 over all pairs of clips."""
    pairs = list(combinations(range(len(people)), 2))
    predicted = {(i, j) for i, j in pairs if groups[i] == groups[j]}
    true = {(i, j) for i, j in pairs if people[i] == people[j]}
    hits = len(predicted & true)
    precision, recall = hits / max(len(predicted), 1), hits / max(len(true), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def print_quantiles(name: str, values: list[float]) -> None:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    print(f"| {name} | {len(values)} | {min(values):.3f} | {low:.3f} | {middle:.3f} | {high:.3f} | {max(values):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    clips = sorted(path for path in (options.data / "talking").iterdir() if path.suffix in VIDEO_SUFFIXES)
    clips.append(sample("carphone_pristine.mp4"))
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder, "people.gallery")
        firsts = [video for video in clips if video.stem not in SAME_PERSON]
        for video in firsts:
            time = enroll_frame(video, Path(folder, f"{video.stem}.png"), gallery, video.stem)
            print(
                f"<!-- {video.stem}: enrolled from {time:.2f} s -->"
                if time
                else f"<!-- {video.stem}: no usable frame -->"
            )
        for photo in sorted((options.data / "faces").glob("*.jpg")):
            kinoscope.enroll(gallery, photo.stem, photo)
        known = read_gallery(gallery)
    found = [half for video in clips for half in halves(video, known)]
    enrolled = set(known.names("face"))
    sought = [half for half in found if half.person in enrolled and (half.number == 1 or half.clip in SAME_PERSON)]
    report_names(sought, [half for half in found if half.person not in enrolled])
    genuine, impostor = report_distances(sought, known)
    report_others(options.data, known)
    report_groups(found)
    report_parity(known, found)
    if options.plot:
        error_rates(genuine, impostor, options.plot, MATCH_THRESHOLDS["face"])


def report_names(sought: list[Half], strangers: list[Half]) -> None:
    """Print the people that were found, missed and confused."""
    right = wrong = 0
    for half in (*sought, *strangers):
        names = {event.label for event in half.timeline.events("recognize")}
        right += half.person in names
        if names != {half.person} and half in sought:
            print(f"<!-- {half.clip}, half {half.number + 1}: {sorted(names) or 'nobody'} -->")
        wrong += len(names - {half.person})
    print(f"found {right} of {len(sought)}, and nobody in {len(strangers)} of people who are not enrolled: ", end="")
    print(f"{wrong} wrong names")


def report_distances(sought: list[Half], known: Gallery) -> tuple[list[float], list[float]]:
    """Print the distances of tracks to their own and to other names, and the error rates at thresholds."""
    names = known.names("face")
    distances = known.distances("face", np.stack([half.embedding for half in sought]))
    genuine = [float(row[names.index(half.person)]) for row, half in zip(distances, sought, strict=True)]
    others = [
        [float(d) for d, name in zip(row, names, strict=True) if name != half.person]
        for row, half in zip(distances, sought, strict=True)
    ]
    impostor = [distance for row in others for distance in row]
    print("| distances | pairs | min | 5 % | median | 95 % | max |\n|---|---|---|---|---|---|---|")
    print_quantiles("track to its own name", genuine)
    print_quantiles("track to other names", impostor)
    print_quantiles("track to the nearest other name", [min(row) for row in others])
    print("| threshold | FAR | FRR |\n|---|---|---|")
    for threshold in (0.35, 0.4, MATCH_THRESHOLDS["face"], 0.5, 0.55, DLIB_THRESHOLD):
        point = operating_point(genuine, impostor, threshold)
        low, high = point.far_interval
        print(f"| {threshold} | {point.far:.2%} [{low:.2%}, {high:.2%}] | {point.frr:.1%} |")
    point = threshold_at_far(genuine, impostor, 0.001)
    print(f"threshold for FAR 0.1 %: {point.threshold:.3f} (FRR {point.frr:.1%}); equal error rate ", end="")
    print(f"{equal_error_rate(genuine, impostor):.2%}")
    return genuine, impostor


def report_others(data: Path, known: Gallery) -> None:
    """Print the false matches in films without enrolled people."""
    films = sorted(
        path for kind in ("clips", "detect") for path in (data / kind).iterdir() if path.suffix in VIDEO_SUFFIXES
    )
    films.append(sample("bikes.mp4"))
    tracks = accepted = 0
    nearest: list[float] = []
    for film in films:
        timeline = recognize_source(str(film), known)
        tracks += len(timeline.features["faces.tracks"])
        accepted += len(timeline.events("recognize"))
        for event in timeline.events("recognize"):
            print(f"<!-- {film.stem}: {event.label} at {event.start:.1f} s, {event.score:.2f} -->")
        if len(timeline.features["faces.tracks"]):
            nearest += known.distances("face", timeline.features["faces.embeddings"]).min(axis=1).tolist()
    print(f"{len(films)} other films, {tracks} face tracks: {accepted} false matches; nearest {min(nearest):.3f}")


def report_groups(found: list[Half]) -> None:
    """Print how well the halves of all clips are clustered by person."""
    people = [half.person for half in found]
    spans = np.array([[10.0 * i, 10.0 * i + 1] for i in range(len(found))])
    embeddings = np.stack([half.embedding for half in found])
    for threshold in (0.3, 0.35, 0.4, MAX_CLUSTER_DISTANCE, 0.5, 0.55, DLIB_THRESHOLD):
        precision, recall, f1 = pairwise_f1(cluster_tracks(embeddings, spans, threshold), people)
        print(f"clustering {len(found)} half clips of {len(set(people))} people at {threshold}: ", end="")
        print(f"precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}")


def report_parity(known: Gallery, found: list[Half]) -> None:
    """Print how often images and tracks obey the authors' threshold: one person under 0.6, two people over it."""
    rows = [(entry.name, entry.embedding) for entry in known.samples]
    rows += [(half.person, half.embedding) for half in found]
    same, other = [], []
    for (a, first), (b, second) in combinations(rows, 2):
        (same if a == b else other).append(float(np.linalg.norm(first - second)))
    under, over = np.mean(np.array(same) < DLIB_THRESHOLD), np.mean(np.array(other) > DLIB_THRESHOLD)
    print(f"images and tracks: {len(same)} pairs of one person, {under:.1%} under {DLIB_THRESHOLD}; ", end="")
    print(f"{len(other)} of two, {over:.1%} over it; max and min {max(same):.3f}, {min(other):.3f}")


if __name__ == "__main__":
    main()
