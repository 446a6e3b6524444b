"""The registry of exchange formats, by name. A new format is one file in ``formats`` and one row here.

Each format, and what it depends on, is imported when it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.plugins import lazy, load_row, plugins
from kinoscope.core.validation import require_known

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline

PLUGINS = "kinoscope.views"
"""Group of the entry points by which other packages add a ``View``."""


@dataclass(frozen=True, slots=True)
class View:
    """An exchange format.

    Attributes:
        filename: default name of the file, or of the folder if the format consists of several files.
        write: writes a timeline to a path, atomically; raises OutputError if that fails.
        about: one line for the help.
        inside: names of the files in that folder that are known in advance.
    """

    filename: str
    write: Callable[[Timeline, Path], None]
    about: str
    inside: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """Paths of the files that are written, as far as they are known in advance."""
        return [f"{self.filename}/{name}" for name in self.inside] or [self.filename]


VIEWS: Mapping[str, View] = {
    "json": View(
        "timeline.json", lazy("views.formats.json:write"), "everything but features and images, schema 1"
    ),
    "jsonl": View("timeline.jsonl", lazy("views.formats.jsonl:write"), "one event or track per line"),
    "csv": View(
        "csv", lazy("views.formats.csv:write"), "events.csv, tracks.csv and trajectories.csv, for spreadsheets",
        ("events.csv", "tracks.csv", "trajectories.csv"),
    ),
    "parquet": View(
        "parquet", lazy("views.formats.parquet:write"), "events.parquet and tracks.parquet, for data frames",
        ("events.parquet", "tracks.parquet"),
    ),
    "coco": View("coco.json", lazy("views.formats.coco:write"), "tracks as COCO annotations of the frames"),
    "mot": View(
        "mot", lazy("views.formats.mot:write"), "tracks as MOTChallenge text, one file per task",
        ("seqinfo.ini", "objects.txt"),
    ),
    "activitynet": View(
        "activitynet.json", lazy("views.formats.activitynet:write"), "events as ActivityNet segments"
    ),
    "vtt": View("subtitles.vtt", lazy("views.formats.vtt:write"), "speech as WebVTT subtitles"),
    "srt": View("subtitles.srt", lazy("views.formats.srt:write"), "speech as SubRip subtitles"),
    "otio": View(
        "timeline.otio", lazy("views.formats.otio:write"), "shots as clips and events as markers, for video editors"
    ),
}  # fmt: skip
"""The exchange formats of this package."""


def view_names() -> list[str]:
    """Return the names of all formats, those of plugins last."""
    return list(dict.fromkeys([*VIEWS, *plugins(PLUGINS)]))


def find_view(name: str) -> View:
    """Return a format by name.

    Raises:
        OptionError: there is no such format.
        PluginError: it belongs to another package, which cannot be imported, or is no ``View``.
    """
    require_known(name, view_names(), "format")
    return VIEWS[name] if name in VIEWS else load_row(PLUGINS, name, View)
