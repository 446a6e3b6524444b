"""Conversion of the timeline of an earlier analysis to other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.core.files import claim_output, command_id, is_private, prepare_folder
from kinoscope.core.manifest import find


def convert_timeline(timeline: Path, views: Sequence[str], out: Path | None, overwrite: bool) -> list[Path]:
    """Write a timeline in other formats, and return the written files.

    Args:
        timeline: a timeline.json, or the folder that contains it.
        views: names of formats, see ``views.registry``.
        out: folder to write to; beside the timeline if None.
        overwrite: replace kinoscope's own results of another source or command there.

    Raises:
        TimelineError: the timeline cannot be read.
        OutputError: the folder cannot be written, or contains other results.
    """
    from kinoscope.views.formats.json import load
    from kinoscope.views.registry import find_view

    loaded = load(timeline)
    file = timeline / "timeline.json" if timeline.is_dir() else timeline
    folder = out or file.parent
    names = [name for view in views for name in find_view(view).paths]
    with claim_output(folder, _command_of(file), [file], names=names, overwrite=overwrite, private=is_private(file)):
        prepare_folder(folder)
        written = [folder / find_view(view).filename for view in views]
        for view, target in zip(views, written, strict=True):
            find_view(view).write(loaded, target)
        return written


def _command_of(file: Path) -> str:
    """Return the command that wrote a timeline, as if it had written the other formats too."""
    entry = find(file)
    return entry.by if entry and entry.by else command_id("convert", [file])
