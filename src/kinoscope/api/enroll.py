"""``kinoscope enroll`` and ``kinoscope gallery``: who and what is known by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kinoscope.api.arguments import choose_device
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
from kinoscope.pipeline.enrollment import extract_samples, open_extractor

OUTLIER_RATIO = 4 / 3
"""Times the threshold from which on a look is unlike the other looks of its name."""


@dataclass
class EnrollResult:
    """What was enrolled.

    Attributes:
        looks: what was added; ``already`` were there before.
        notes: what a person may want to look at again.
    """

    gallery: Path
    name: str
    kind: str
    looks: list[GallerySample] = field(default_factory=list)
    already: int = 0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain = {"gallery": str(self.gallery), "name": self.name, "kind": self.kind}
        return plain | {"added": [look.to_dict() for look in self.looks], "already": self.already, "notes": self.notes}


def enroll(
    gallery: str | Path,
    name: str,
    *sources: str | Path,
    kind: SampleKind = "face",
    largest: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> EnrollResult:
    """Add a person or a thing to a gallery, so that `analyze --gallery` and `recognize` know them by name.

    Either all that is given is enrolled, or nothing. The gallery is one file; it is made if it is not there.

    Args:
        gallery: the gallery's file, such as people.gallery.
        name: of the person or the thing. Samples are added to a name that is there already.
        sources: images, videos, or folders of them, each of this one person or thing.
        kind: face; person: from head to foot with the clothes, so good for a day; object: a thing, which should fill
            the image, so crop it.
        largest: of several faces in an image take the largest, of several people in a video the one that is in it
            longest.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Raises:
        GalleryError: a source shows nobody, or several; or the gallery cannot be used.
        SourceError: a source cannot be read.
    """
    check_name(name)
    if not sources:
        raise OptionError(f"nothing is given to know {name} by; give a picture or a video")
    require_known(kind, get_args(SampleKind), "kind")
    eye = open_extractor(kind, choose_device(device))
    if Path(gallery).exists():
        read_gallery(gallery).check_model(kind, eye.model)
    looks = [look for source in sources for look in extract_samples(eye, name, source, largest, quiet)]
    with edit_gallery(gallery, create=True) as known:
        added = known.add(looks, eye.model)
    return EnrollResult(Path(gallery), name, kind, added, len(looks) - len(added), _notes(known, name, kind, added))


def _notes(known: Gallery, name: str, kind: str, added: Sequence[GallerySample]) -> list[str]:
    """Say where a look is like somebody else, or unlike the others of its name."""
    notes = []
    for look in added:
        far = dict(zip(known.names(kind), known.distances(kind, look.embedding[None])[0].tolist(), strict=True))
        for other, distance in far.items():
            if other != name and distance <= MATCH_THRESHOLDS[kind]:
                notes.append(f"{look.source} looks like {other} too (distance {distance:.2f}); is it the right one?")
        own = [other for other in known.of(name) if other.kind == kind and other is not look]
        nearest = min((float(np.linalg.norm(look.embedding - one.embedding)) for one in own), default=0.0)
        if nearest > OUTLIER_RATIO * MATCH_THRESHOLDS[kind]:
            notes.append(f"{look.source} is unlike all else of {name} (distance {nearest:.2f}); is it the right one?")
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
        names: for rename the old name and the new one, for remove those to forget, for check a folder of videos.
        out: folder to export to (-o), by default the gallery's name without its ending; or of the curves of check.
        far: false accept rate (between 0 and 1) for which check reports the threshold.
        kind: of samples that check compares.
        overwrite: replace kinoscope's own results of another gallery or command in the folder.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        What is known, or what was done.

    Raises:
        GalleryError: the gallery cannot be used, or does not know a name; nothing is changed then.
        OptionError: more or fewer names are given than the action takes.
    """
    place = Path(path)
    choose_device(device)
    if not 0 < far < 1:
        raise OptionError(f"far {far:g} is no rate of errors; give one between 0 and 1, such as 0.001")
    _check_count(action, names)
    if action == "rename":
        with edit_gallery(place) as known:
            return {"renamed": names[0], "to": names[1], "looks": known.rename(*names)}
    if action == "remove":
        with edit_gallery(place) as known:
            return {"removed": list(names), "looks": sum(known.remove(name) for name in names)}
    if action == "export":
        folder = Path(out) if out else place.with_suffix("")
        if folder == place:
            raise OptionError(f"where to export {place} to? give a folder with -o")
        by = command_id("gallery export", [place])
        with claim_output(folder, by, [place], names=["gallery.json"], overwrite=overwrite, private=True):
            return {"written": [str(file) for file in export_gallery(read_gallery(place), folder)]}
    if action == "check":
        clips = Path(names[0]) if names else None
        if out is None:
            return check_gallery(read_gallery(place), clips, far, kind, None, device, quiet)
        by = command_id("gallery check", [place])
        with claim_output(out, by, [place], names=["errors.png"], overwrite=overwrite):
            return check_gallery(read_gallery(place), clips, far, kind, Path(out), device, quiet)
    return {"gallery": str(place), "names": _rows(read_gallery(place))}


NAME_COUNTS = {"list": (0, 0), "rename": (2, 2), "remove": (1, None), "export": (0, 0), "check": (0, 1)}
"""How many names each action takes: at least, and at most."""

USAGE = {
    "list": "it takes none",
    "rename": "give the old name and the new one",
    "remove": "give the names to forget",
    "export": "it takes none; the folder goes after -o",
    "check": "give at most one folder, which holds a folder of videos a name",
}


def _check_count(action: str, names: Sequence[str]) -> None:
    least, most = NAME_COUNTS[action]
    if len(names) < least or (most is not None and len(names) > most):
        raise OptionError(f"gallery {action} got {len(names)} names; {USAGE[action]}")


def _rows(known: Gallery) -> list[dict[str, Any]]:
    """Give a row for each name and kind."""
    rows = []
    for kind in sorted(known.models):
        for name in known.names(kind):
            looks = [look for look in known.of(name) if look.kind == kind]
            row = {"name": name, "kind": kind, "looks": len(looks), "model": known.models[kind].name}
            best = round(max(look.quality for look in looks), 3)
            rows.append(row | {"best": best, "sources": sorted({look.source for look in looks})})
    return rows
