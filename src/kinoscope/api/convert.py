"""``kinoscope convert``: conversion of an earlier analysis to other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.core.files import claim_output, command_id, is_private, prepare_folder
from kinoscope.core.manifest import find
from kinoscope.pipeline.arguments import choose_views


def convert(
    timeline: str | Path, to: str | Sequence[str], out: str | Path | None = None, overwrite: bool = False
) -> list[Path]:
    """Convert an earlier analysis to other formats.

    Args:
        timeline: a timeline.json, or the folder that holds it.
        to: formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl, json.
        out: folder to write to (-o); beside the timeline if not given.
        overwrite: replace kinoscope's own results of another source or command there.

    Returns:
        The files written.
    """
    from kinoscope.views.formats.json import load
    from kinoscope.views.registry import VIEWS

    names = choose_views(to, "to")
    if not names:
        raise OptionError(f"no format is given; choose from {', '.join(VIEWS)}")
    path = Path(timeline)
    loaded = load(path)
    file = path / "timeline.json" if path.is_dir() else path
    folder = Path(out) if out else file.parent
    outputs = [name for view in names for name in VIEWS[view].paths]
    with claim_output(folder, _command_of(file), [file], names=outputs, overwrite=overwrite, private=is_private(file)):
        prepare_folder(folder)
        written = [folder / VIEWS[name].filename for name in names]
        for name, target in zip(names, written, strict=True):
            VIEWS[name].write(loaded, target)
        return written


def _command_of(file: Path) -> str:
    """Return the command that wrote a timeline, as if it had written the other formats too."""
    entry = find(file)
    return entry.by if entry and entry.by else command_id("convert", [file])
