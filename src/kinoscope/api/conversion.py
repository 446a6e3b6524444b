"""``kinoscope convert``: an earlier analysis in other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope import places
from kinoscope.api.choices import choose_views
from kinoscope.core.errors import OptionError


def convert(timeline: str | Path, to: str | Sequence[str], out: str | Path | None = None) -> list[Path]:
    """Convert an earlier analysis to other formats.

    Args:
        timeline: a timeline.json, or the folder that holds it.
        to: formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl, json.
        out: folder to write to (-o); beside the timeline if not given.

    Returns:
        The files written.
    """
    from kinoscope.views import VIEWS
    from kinoscope.views.json import load

    names = choose_views(to, "to")
    if not names:
        raise OptionError(f"no format is given; choose from {', '.join(VIEWS)}")
    place = Path(timeline)
    loaded = load(place)
    folder = Path(out) if out else (place if place.is_dir() else place.parent)
    places.prepare(folder)
    written = [folder / VIEWS[name].filename for name in names]
    for name, path in zip(names, written, strict=True):
        VIEWS[name].write(loaded, path)
    return written
