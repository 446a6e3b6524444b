"""``kinoscope enroll`` and ``kinoscope gallery``: people and objects that are recognized by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kinoscope.api.gallery_check import check_gallery
from kinoscope.core.errors import OptionError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.validation import require_known
from kinoscope.galleries import (
    MATCH_THRESHOLDS,
    Gallery,
    GallerySample,
    SampleKind,
    check_name,
    edit_gallery,
    export_gallery,
    read_gallery,
)
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.enrollment import extract_samples, open_extractor

OUTLIER_RATIO = 4 / 3
"""Multiple of the threshold; a sample farther than that from all others of its name is reported as an outlier."""


@dataclass
class EnrollResult:
    """The samples that were added to a gallery.

    Attributes:
        gallery: the gallery's file.
        name: of the person or object.
        kind: face, person or object.
        samples: the new samples.
        already: the number of samples that the gallery had before.
        notes: samples that a person should check.
    """

    gallery: Path
    name: str
    kind: str
    samples: list[GallerySample] = field(default_factory=list)
    already: int = 0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "gallery": str(self.gallery),
            "name": self.name,
            "kind": self.kind,
            "added": [sample.to_dict() for sample in self.samples],
            "already": self.already,
            "notes": self.notes,
        }


def enroll(
    gallery: str | Path,
    name: str,
    *sources: str | Path,
    kind: SampleKind = "face",
    largest: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> EnrollResult:
    """Add a person or an object to a gallery, so that `analyze --gallery` and `recognize` know them by name.

    Either all sources are enrolled, or none. The gallery is one file; it is created if it does not exist.

    Args:
        gallery: the gallery's file, such as people.gallery.
        name: of the person or the object. Samples are added to a name that is there already.
        sources: images, videos, or folders of them, each of this one person or object.
        kind: face; person: from head to foot with the clothes, so good for a day; object: should fill the image, so
            crop it.
        largest: of several faces in an image take the largest, of several people in a video the one who is
            visible for the most time.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Raises:
        GalleryError: a source shows no person, or several; or the gallery cannot be used.
        SourceError: a source cannot be read.
    """
    check_name(name)
    if not sources:
        raise OptionError(f"no source is given for {name}; give an image or a video")
    require_known(kind, get_args(SampleKind), "kind")
    extractor = open_extractor(kind, choose_device(device))
    if Path(gallery).exists():
        read_gallery(gallery).check_model(kind, extractor.model)
    samples = [sample for source in sources for sample in extract_samples(extractor, name, source, largest, quiet)]
    with edit_gallery(gallery, create=True) as opened:
        added = opened.add(samples, extractor.model)
    notes = _notes(opened, name, kind, added)
    return EnrollResult(Path(gallery), name, kind, added, len(samples) - len(added), notes)


def _notes(gallery: Gallery, name: str, kind: str, added: Sequence[GallerySample]) -> list[str]:
    """Return a line for each sample that resembles another name, or none of the samples of its own."""
    notes = []
    for sample in added:
        distances = gallery.distances(kind, sample.embedding[None])[0].tolist()
        for other, distance in zip(gallery.names(kind), distances, strict=True):
            if other != name and distance <= MATCH_THRESHOLDS[kind]:
                notes.append(f"{sample.source} resembles {other} too (distance {distance:.2f}); is it the right one?")
        others = [other for other in gallery.samples_of(name) if other.kind == kind and other is not sample]
        nearest = min((float(np.linalg.norm(sample.embedding - other.embedding)) for other in others), default=0.0)
        if nearest > OUTLIER_RATIO * MATCH_THRESHOLDS[kind]:
            notes.append(
                f"{sample.source} resembles no other sample of {name} (distance {nearest:.2f}); is it the right one?"
            )
    return notes


def gallery(
    action: Literal["list", "rename", "remove", "export", "check"],
    path: str | Path,
    *names: str,
    out: str | Path | None = None,
    far: float = 0.001,
    kind: Literal["face"] = "face",
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> dict[str, Any]:
    """List, change, export or check a gallery.

    list: all names. rename OLD NEW. remove NAME...: remove names with all their embeddings and portraits. export: write
    embeddings (gallery.json) and portraits into a folder. check [FOLDER]: measure how often faces are confused, with
    the curves of both kinds of error; FOLDER holds a folder of videos for each name, and people who are not in the
    gallery count as strangers.

    Args:
        action: list, rename, remove, export or check.
        path: the gallery's file.
        names: for rename the old name and the new one, for remove the names to remove, for check a folder of videos.
        out: folder to export to (-o), by default the gallery's name without its ending; or of the curves of check.
        far: false accept rate (between 0 and 1) for which check reports the threshold.
        kind: of samples, for check.
        overwrite: replace kinoscope's own results of another gallery or command in the folder.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The names of the gallery, or what the action changed or measured.

    Raises:
        GalleryError: the gallery cannot be used, or does not know a name; nothing is changed then.
        OptionError: more or fewer names are given than the action takes.
    """
    path = Path(path)
    choose_device(device)
    if not 0 < far < 1:
        raise OptionError(f"far {far:g} is no rate of errors; give one between 0 and 1, such as 0.001")
    _check_count(action, names)
    if action == "rename":
        with edit_gallery(path) as opened:
            return {"renamed": names[0], "to": names[1], "samples": opened.rename(*names)}
    if action == "remove":
        with edit_gallery(path) as opened:
            return {"removed": list(names), "samples": sum(opened.remove(name) for name in names)}
    if action == "export":
        folder = Path(out) if out else path.with_suffix("")
        if folder == path:
            raise OptionError(f"there is no folder to export {path} to; give one with -o")
        by = command_id("gallery export", [path])
        with claim_output(folder, by, [path], names=["gallery.json"], overwrite=overwrite, private=True):
            return {"written": [str(file) for file in export_gallery(read_gallery(path), folder)]}
    if action == "check":
        videos = Path(names[0]) if names else None
        if out is None:
            return check_gallery(read_gallery(path), videos, far, kind, None, device, quiet)
        by = command_id("gallery check", [path])
        with claim_output(out, by, [path], names=["errors.png"], overwrite=overwrite):
            return check_gallery(read_gallery(path), videos, far, kind, Path(out), device, quiet)
    return {"gallery": str(path), "names": _rows(read_gallery(path))}


NAME_COUNTS = {"list": (0, 0), "rename": (2, 2), "remove": (1, None), "export": (0, 0), "check": (0, 1)}
"""Action -> the minimum and the maximum of names that it takes."""

USAGE = {
    "list": "it takes none",
    "rename": "give the old name and the new one",
    "remove": "give the names to remove",
    "export": "it takes none; the folder goes after -o",
    "check": "give at most one folder, which holds a folder of videos for each name",
}


def _check_count(action: str, names: Sequence[str]) -> None:
    """Raise OptionError unless an action takes so many names."""
    minimum, maximum = NAME_COUNTS[action]
    if len(names) < minimum or (maximum is not None and len(names) > maximum):
        raise OptionError(f"gallery {action} got {len(names)} names; {USAGE[action]}")


def _rows(gallery: Gallery) -> list[dict[str, Any]]:
    """Return a row for each name and kind."""
    rows = []
    for kind in sorted(gallery.models):
        for name in gallery.names(kind):
            samples = [sample for sample in gallery.samples_of(name) if sample.kind == kind]
            row = {"name": name, "kind": kind, "samples": len(samples), "model": gallery.models[kind].name}
            best = round(max(sample.quality for sample in samples), 3)
            rows.append(row | {"best": best, "sources": sorted({sample.source for sample in samples})})
    return rows
