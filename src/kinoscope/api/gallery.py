"""``kinoscope gallery``: the names in a gallery, their maintenance, and the error rates of their recognition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known
from kinoscope.galleries import read_gallery
from kinoscope.pipeline import gallery_actions, gallery_check
from kinoscope.pipeline.arguments import choose_device
from kinoscope.results.gallery import GalleryResult

Action = Literal["list", "rename", "remove", "export", "check"]

NAME_COUNTS = {"list": (0, 0), "rename": (2, 2), "remove": (1, None), "export": (0, 0), "check": (0, 1)}
"""Action -> the minimum and the maximum of names that it takes."""

USAGE = {
    "list": "it takes none",
    "rename": "give the old name and the new one",
    "remove": "give the names to remove",
    "export": "it takes none; the folder goes after -o",
    "check": "give at most one folder, which holds a folder of videos for each name",
}


@accept_old_names
def gallery(
    action: Action,
    path: str | Path,
    *names: str,
    out: str | Path | None = None,
    far: float = 0.001,
    kind: Literal["face"] = "face",
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> GalleryResult:
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
    path, result = Path(path), GalleryResult(str(path))
    choose_device(device)
    if not 0 < far < 1:
        raise OptionError(f"far {far:g} is no rate of errors; give one between 0 and 1, such as 0.001")
    _check_count(action, names)
    if action == "rename":
        result.renamed, result.samples = (names[0], names[1]), gallery_actions.rename(path, *names)
    elif action == "remove":
        result.removed, result.samples = list(names), gallery_actions.remove(path, names)
    elif action == "export":
        result.written = gallery_actions.export(path, out, overwrite)
    elif action == "check":
        with gallery_check.claim_curves(path, out, overwrite):
            videos = Path(names[0]) if names else None
            pairs = gallery_check.compare_all(read_gallery(path), kind, videos, device, quiet)
            result.check = gallery_check.verification_scores(pairs, kind, far)
            result.written = [] if out is None else [gallery_check.write_curves(pairs, kind, Path(out))]
    else:
        result.names = gallery_actions.list_names(read_gallery(path))
    return result


def _check_count(action: str, names: Sequence[str]) -> None:
    """Raise OptionError unless an action takes so many names."""
    require_known(action, NAME_COUNTS, "action of gallery")
    minimum, maximum = NAME_COUNTS[action]
    if len(names) < minimum or (maximum is not None and len(names) > maximum):
        raise OptionError(f"gallery {action} got {len(names)} names; {USAGE[action]}")
