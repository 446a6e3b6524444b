"""Ways to show and store a Timeline, one file each. ``VIEWS`` is the table of those that are files to exchange.

Importing this loads no optional package: each view imports what it needs when it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinoscope.core.results import Timeline
from kinoscope.views.formats import activitynet, coco, csv, json, jsonl, mot, otio, parquet, srt, vtt


@dataclass(frozen=True, slots=True)
class View:
    """One format.

    Attributes:
        filename: usual name of the file, or of the folder where the format is several files.
        write: writes a timeline to a path; raises OutputError where it cannot, and leaves nothing half-written.
        about: one line for the help.
        inside: names of the files in such a folder, as far as they are known before.
    """

    filename: str
    write: Callable[[Timeline, Path], None]
    about: str
    inside: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """The files that are written, as far as they are known before."""
        return [f"{self.filename}/{name}" for name in self.inside] or [self.filename]


VIEWS: dict[str, View] = {
    "json": View("timeline.json", json.write, "everything but features and pictures, schema 1"),
    "jsonl": View("timeline.jsonl", jsonl.write, "an event or a track a line"),
    "csv": View("csv", csv.write, "events.csv, tracks.csv and journeys.csv, for spreadsheets", csv.FILES),
    "parquet": View("parquet", parquet.write, "events.parquet and tracks.parquet, for data frames", parquet.FILES),
    "coco": View("coco.json", coco.write, "tracks as COCO annotations of the frames"),
    "mot": View("mot", mot.write, "tracks as MOTChallenge text, a file a task", ("seqinfo.ini", "objects.txt")),
    "activitynet": View("activitynet.json", activitynet.write, "events as ActivityNet segments"),
    "vtt": View("subtitles.vtt", vtt.write, "speech as WebVTT subtitles"),
    "srt": View("subtitles.srt", srt.write, "speech as SubRip subtitles"),
    "otio": View("timeline.otio", otio.write, "shots as clips and events as markers, for video editors"),
}
"""A new format is one file here and one row."""
