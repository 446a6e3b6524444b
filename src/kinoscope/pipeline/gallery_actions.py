"""Actions on the file of a gallery: list its names, rename and remove them, export it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.files import claim_output, command_id
from kinoscope.galleries import Gallery, edit_gallery, export_gallery, read_gallery


def list_names(gallery: Gallery) -> list[dict[str, Any]]:
    """Return a row for each name and kind, with the number of samples, the best quality and the sources."""
    rows = []
    for kind in sorted(gallery.models):
        for name in gallery.names(kind):
            samples = [sample for sample in gallery.samples_of(name) if sample.kind == kind]
            row = {"name": name, "kind": kind, "samples": len(samples), "model": gallery.models[kind].name}
            best = round(max(sample.quality for sample in samples), 3)
            rows.append(row | {"best": best, "sources": sorted({sample.source for sample in samples})})
    return rows


def rename(path: Path, old: str, new: str) -> int:
    """Rename a name of a gallery, and return the number of its samples.

    Raises:
        GalleryError: the gallery does not know the old name, or the new one cannot be used.
    """
    with edit_gallery(path) as gallery:
        return gallery.rename(old, new)


def remove(path: Path, names: Sequence[str]) -> int:
    """Remove names with all their samples, and return the number of samples.

    Raises:
        GalleryError: the gallery does not know a name; nothing is removed then.
    """
    with edit_gallery(path) as gallery:
        return sum(gallery.remove(name) for name in names)


def export(path: Path, out: str | Path | None, overwrite: bool) -> list[Path]:
    """Write the embeddings and portraits of a gallery into a folder, and return the paths.

    Args:
        path: the gallery's file.
        out: the folder, by default the gallery's name without its ending.
        overwrite: replace kinoscope's own results of another gallery or command in the folder.

    Raises:
        OptionError: no folder is given, and the gallery's name has no ending.
        OutputError: the folder holds other files.
    """
    folder = Path(out) if out else path.with_suffix("")
    if folder == path:
        raise OptionError(f"there is no folder to export {path} to; give one with -o")
    by = command_id("gallery export", [path])
    with claim_output(folder, by, [path], names=["gallery.json"], overwrite=overwrite, private=True):
        return export_gallery(read_gallery(path), folder)
