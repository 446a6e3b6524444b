"""Views of a Timeline: exchange formats, HTML pages, console tables and video. ``VIEWS`` lists the exchange formats.

Importing this package loads no optional dependency: each view imports what it needs when it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinoscope.core.results import Timeline
from kinoscope.views.formats import activitynet, coco, csv, json, jsonl, mot, otio, parquet, srt, vtt


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


VIEWS: dict[str, View] = {
    "json": View("timeline.json", json.write, "everything but features and images, schema 1"),
    "jsonl": View("timeline.jsonl", jsonl.write, "one event or track per line"),
    "csv": View("csv", csv.write, "events.csv, tracks.csv and trajectories.csv, for spreadsheets", csv.FILES),
    "parquet": View("parquet", parquet.write, "events.parquet and tracks.parquet, for data frames", parquet.FILES),
    "coco": View("coco.json", coco.write, "tracks as COCO annotations of the frames"),
    "mot": View("mot", mot.write, "tracks as MOTChallenge text, one file per task", ("seqinfo.ini", "objects.txt")),
    "activitynet": View("activitynet.json", activitynet.write, "events as ActivityNet segments"),
    "vtt": View("subtitles.vtt", vtt.write, "speech as WebVTT subtitles"),
    "srt": View("subtitles.srt", srt.write, "speech as SubRip subtitles"),
    "otio": View("timeline.otio", otio.write, "shots as clips and events as markers, for video editors"),
}
"""The exchange formats by name. A new format is one file in ``formats`` and one entry here."""
