"""``kinoscope convert``: conversion of an earlier analysis to other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.pipeline.arguments import choose_views
from kinoscope.pipeline.conversion import convert_timeline
from kinoscope.results.convert import ConvertResult


@accept_old_names
def convert(
    timeline: str | Path, to: str | Sequence[str], out: str | Path | None = None, overwrite: bool = False
) -> ConvertResult:
    """Convert an earlier analysis to other formats.

    Args:
        timeline: a timeline.json, or the folder that holds it.
        to: formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl, json.
        out: folder to write to (-o); beside the timeline if not given.
        overwrite: replace kinoscope's own results of another source or command there.

    Returns:
        The written files, in ``written``.

    Raises:
        OptionError: there is no such format.
        TimelineError: the timeline cannot be read.
        OutputError: the folder cannot be written.
    """
    from kinoscope.views.registry import view_names

    views = choose_views(to, "to")
    if not views:
        raise OptionError(f"no format is given; choose from {', '.join(view_names())}")
    written = convert_timeline(Path(timeline), views, Path(out) if out else None, overwrite)
    return ConvertResult(str(timeline), written=written)
