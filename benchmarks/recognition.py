"""Whether everyone who is enrolled is found, nobody is taken for somebody else, and clips of one person are grouped.

    python benchmarks/recognition.py --data FOLDER [--plot docs/recognition.png]

``FOLDER/talking`` holds clips of people who talk, ``FOLDER/faces`` a photo each of others who are in none of them, and
``FOLDER/clips`` and ``FOLDER/detect`` films in which none of all these is. One person is enrolled from one still of the
first half of their first clip, and looked for in the second half of that clip and in their other clips. Each photo
is enrolled too. Distances are those that ``recognize`` goes by: a face track's pooled embedding to the looks of a name.
Grouping takes the first and the second half of every clip for clips of their own.
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
from kinoscope.api.recognize import recognize_source
from kinoscope.core.arrays import Float32Array, Int64Array
from kinoscope.core.errors import KinoscopeError
from kinoscope.core.metrics.verification import equal_error_rate, operating_point, threshold_at_far
from kinoscope.core.results import Timeline
from kinoscope.core.time import parse_time
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, read_gallery
from kinoscope.models.samples import sample
from kinoscope.source import open_source
from kinoscope.source.images import VIDEO_SUFFIXES
from kinoscope.tasks.people.clustering import MAX_CLUSTER_DISTANCE, cluster_tracks
from kinoscope.views.plots.training import error_rates

ONE_PERSON = {"grid_swwp2s": "grid_pwij3p", "retalking_3": "hdtf_1"}
"""Clips that show the person of another clip."""

PHOTO = 0.6
"""Distance of two single looks up to which the network's authors call them one person."""


@dataclass
class Half:
    """What was found in half a clip: of the longest face track, the embedding."""

    clip: str
    number: int
    timeline: Timeline
    embedding: Float32Array

    @property
    def person(self) -> str:
        return ONE_PERSON.get(self.clip, self.clip)


def still(video: Path, place: Path, gallery: Path, name: str) -> float | None:
    """Enroll a person from the first of some frames of the first half that is good enough; give its time, if any is."""
    with open_source(video) as source:
        start, end = (float(time) for time in source.span())
        for share in (0.1, 0.2, 0.3, 0.4, 0.05, 0.15, 0.25, 0.35, 0.45):
            time = start + share * (end - start)
            (picture,) = list(source.at([_exact(time)]))
            cv2.imwrite(str(place), np.ascontiguousarray(picture.pixels()[..., ::-1]))
            try:
                kinoscope.enroll(gallery, name, place, largest=True)
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
        timeline = recognize_source(str(video), known, limits=spans)
        tracks = {track.id: track.end - track.start for track in timeline.tracks_of("faces")}
        ids = timeline.features["faces.tracks"].tolist()
        if ids:
            row = max(range(len(ids)), key=lambda i: tracks[ids[i]])
            yield Half(video.stem, number, timeline, timeline.features["faces.embeddings"][row])


def pairwise_f1(groups: Int64Array, people: list[str]) -> tuple[float, float, float]:
    """Give precision, recall and F1 over all pairs of clips."""
    pairs = list(combinations(range(len(people)), 2))
    together = {(i, j) for i, j in pairs if groups[i] == groups[j]}
    truly = {(i, j) for i, j in pairs if people[i] == people[j]}
    hits = len(together & truly)
    precision, recall = hits / max(len(together), 1), hits / max(len(truly), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def spread(name: str, values: list[float]) -> None:
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
        firsts = [video for video in clips if video.stem not in ONE_PERSON]
        for video in firsts:
            time = still(video, Path(folder, f"{video.stem}.png"), gallery, video.stem)
            print(
                f"<!-- {video.stem}: enrolled from {time:.2f} s -->" if time else f"<!-- {video.stem}: no fit still -->"
            )
        for photo in sorted((options.data / "faces").glob("*.jpg")):
            kinoscope.enroll(gallery, photo.stem, photo)
        known = read_gallery(gallery)
    found = [half for video in clips for half in halves(video, known)]
    enrolled = set(known.names("face"))
    sought = [half for half in found if half.person in enrolled and (half.number == 1 or half.clip in ONE_PERSON)]
    report_names(sought, [half for half in found if half.person not in enrolled])
    genuine, impostor = report_distances(sought, known)
    report_others(options.data, known)
    report_groups(found)
    report_parity(known, found)
    if options.plot:
        error_rates(genuine, impostor, options.plot, MATCH_THRESHOLDS["face"])


def report_names(sought: list[Half], strangers: list[Half]) -> None:
    """Tell who was found, missed and mistaken."""
    right = wrong = 0
    for half in (*sought, *strangers):
        names = {event.label for event in half.timeline.events_of("recognize")}
        right += half.person in names
        if names != {half.person} and half in sought:
            print(f"<!-- {half.clip}, half {half.number + 1}: {sorted(names) or 'nobody'} -->")
        wrong += len(names - {half.person})
    print(f"found {right} of {len(sought)}, and nobody in {len(strangers)} of people who are not enrolled: ", end="")
    print(f"{wrong} names given wrongly")


def report_distances(sought: list[Half], known: Gallery) -> tuple[list[float], list[float]]:
    """Tell how far tracks are from their own and from other names, and what thresholds do."""
    names = known.names("face")
    far = known.distances("face", np.stack([half.embedding for half in sought]))
    genuine = [float(row[names.index(half.person)]) for row, half in zip(far, sought, strict=True)]
    others = [
        [float(d) for d, name in zip(row, names, strict=True) if name != half.person]
        for row, half in zip(far, sought, strict=True)
    ]
    impostor = [distance for row in others for distance in row]
    print("| distances | pairs | least | 5 % | median | 95 % | most |\n|---|---|---|---|---|---|---|")
    spread("track to its own name", genuine)
    spread("track to other names", impostor)
    spread("track to the nearest other name", [min(row) for row in others])
    print("| threshold | FAR | FRR |\n|---|---|---|")
    for at in (0.35, 0.4, MATCH_THRESHOLDS["face"], 0.5, 0.55, PHOTO):
        done = operating_point(genuine, impostor, at)
        low, high = done.far_interval
        print(f"| {at} | {done.far:.2%} [{low:.2%}, {high:.2%}] | {done.frr:.1%} |")
    wanted = threshold_at_far(genuine, impostor, 0.001)
    print(f"threshold for FAR 0.1 %: {wanted.threshold:.3f} (FRR {wanted.frr:.1%}); equal error ", end="")
    print(f"{equal_error_rate(genuine, impostor):.2%}")
    return genuine, impostor


def report_others(data: Path, known: Gallery) -> None:
    """Tell whom films of strangers are taken for."""
    films = sorted(
        path for kind in ("clips", "detect") for path in (data / kind).iterdir() if path.suffix in VIDEO_SUFFIXES
    )
    films.append(sample("bikes.mp4"))
    tracks = accepted = 0
    nearest: list[float] = []
    for film in films:
        timeline = recognize_source(str(film), known)
        tracks += len(timeline.features["faces.tracks"])
        accepted += len(timeline.events_of("recognize"))
        for event in timeline.events_of("recognize"):
            print(f"<!-- {film.stem}: {event.label} at {event.start:.1f} s, {event.score:.2f} -->")
        if len(timeline.features["faces.tracks"]):
            nearest += known.distances("face", timeline.features["faces.embeddings"]).min(axis=1).tolist()
    print(f"{len(films)} other films, {tracks} face tracks: {accepted} taken for somebody; nearest {min(nearest):.3f}")


def report_groups(found: list[Half]) -> None:
    """Tell how well the halves of all clips are grouped by person."""
    people = [half.person for half in found]
    spans = np.array([[10.0 * i, 10.0 * i + 1] for i in range(len(found))])
    embeddings = np.stack([half.embedding for half in found])
    for at in (0.3, 0.35, 0.4, MAX_CLUSTER_DISTANCE, 0.5, 0.55, PHOTO):
        precision, recall, f1 = pairwise_f1(cluster_tracks(embeddings, spans, at), people)
        print(f"grouping {len(found)} half clips of {len(set(people))} people at {at}: ", end="")
        print(f"precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}")


def report_parity(known: Gallery, found: list[Half]) -> None:
    """Tell whether stills and tracks keep to the authors' rule: the same under 0.6, others over it."""
    rows = [(look.name, look.embedding) for look in known.looks]
    rows += [(half.person, half.embedding) for half in found]
    same, other = [], []
    for (a, one), (b, two) in combinations(rows, 2):
        (same if a == b else other).append(float(np.linalg.norm(one - two)))
    under, over = np.mean(np.array(same) < PHOTO), np.mean(np.array(other) > PHOTO)
    print(f"stills and tracks: {len(same)} pairs of one person, {under:.1%} under {PHOTO}; ", end="")
    print(f"{len(other)} of two, {over:.1%} over it; most and least {max(same):.3f}, {min(other):.3f}")


if __name__ == "__main__":
    main()
