"""A library: what was seen in many videos, kept on disk or on object storage, and looked after.

    library = Library("films.lance", create=True)
    library.add(content, "street.mp4", timeline)

Two processes may add to one library at once: on one machine they wait for one another, on object storage Lance orders
their commits. A process that is killed leaves rows that no video names; they are not seen, and the next one that adds
sweeps them up.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kinoscope.core.arrays import Int64Array
from kinoscope.core.errors import LibraryError
from kinoscope.core.results import Timeline
from kinoscope.core.untrusted import is_sha256, parse_json
from kinoscope.core.validation import suggest
from kinoscope.library.encode import Rows, encode_task, rows_digest, stored_tasks
from kinoscope.library.tables import RESULT_TABLES, SCHEMA, VECTOR_SPACES, LibraryTables, column, lance_errors, schemas

CHUNK_ROWS = 2000
"""Rows that are made ready and written at once."""

MIN_ORPHAN_SECONDS = 3600
"""Seconds after which rows on object storage that no video names are left over, not about to be named."""

Change = Literal["added", "changed", "moved", "same"]


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A video of a library.

    Attributes:
        id: sha256 of its content. path: where it was when it was added last.
        start, duration: in seconds, as its container says them. added: when, in UTC.
        facts: of its source. takes: of each task the number of its findings and what they are.
    """

    id: str
    path: str
    name: str
    start: float
    duration: float
    added: str
    facts: dict[str, Any]
    takes: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, rows: Sequence[dict[str, Any]]) -> list[StoredVideo]:
        """Read rows of ``videos``, and check them: whoever made the library may have meant harm.

        Raises:
            ValueError: a value is not what kinoscope writes.
        """
        # Of a thousand videos, one long text is read three times as fast as a thousand short ones.
        facts, takes = (parse_json(f"[{','.join(str(row[name]) for row in rows)}]") for name in ("facts", "takes"))
        names = [name for name in cls.__slots__ if name not in ("facts", "takes")]
        plain = ({name: row[name] for name in names} for row in rows)
        videos = [cls(**one, facts=f, takes=t) for one, f, t in zip(plain, facts, takes, strict=True)]
        for video in videos:
            video.check()
        return videos

    def check(self) -> None:
        """Check that all values are such as kinoscope writes.

        Raises:
            ValueError: one is not.
        """
        if not is_sha256(self.id):
            raise ValueError(f"a video has the id {str(self.id)[:80]!r}, which is no sha256")
        if not all(isinstance(text, str) for text in (self.path, self.name, self.added)):
            raise ValueError(f"video {self.id[:12]} has no path, name or date")
        if not all(isinstance(time, float) and math.isfinite(time) for time in (self.start, self.duration)):
            raise ValueError(f"video {self.id[:12]} has no start or duration in seconds")
        if not isinstance(self.facts, dict) or not isinstance(self.takes, dict):
            raise ValueError(f"video {self.id[:12]} has damaged metadata")
        if not all(_is_run(take) for take in self.takes.values()):
            raise ValueError(f"video {self.id[:12]} has a damaged list of tasks")

    def to_row(self) -> dict[str, Any]:
        """Give the row."""
        plain = {key: getattr(self, key) for key in ("id", "path", "name", "start", "duration", "added")}
        return plain | {"facts": json.dumps(self.facts), "takes": json.dumps(self.takes), "schema": SCHEMA}

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain = {key: getattr(self, key) for key in ("id", "path", "start", "duration", "added")}
        found = {name: {key: take[key] for key in ("events", "tracks")} for name, take in self.takes.items()}
        return plain | {"tasks": found}


class Library:
    """A library that is open.

    Args:
        place: its folder, or its address on object storage.
        create: whether one that is not there is begun.

    Raises:
        LibraryError: there is none, or it cannot be opened.
        MissingExtra: LanceDB is not installed.
    """

    def __init__(self, place: str | Path, create: bool = False) -> None:
        self.tables = LibraryTables(place, create)
        self.place = self.tables.place

    def videos(self) -> list[StoredVideo]:
        """Give all videos, the first added first.

        Raises:
            LibraryError: it cannot be read, or is of a newer schema.
        """
        with lance_errors(self.place):
            rows = self.tables.rows("videos", schemas()["videos"].names).to_pylist()
            newer = [row["schema"] for row in rows if (row["schema"] or 0) > SCHEMA]
            if newer:
                why = f"schema {newer[0]}, newer than {SCHEMA}, which this version reads"
                raise LibraryError(f"library {self.place} has {why}; update kinoscope")
            return sorted(StoredVideo.read(rows), key=lambda video: (video.added, video.path))

    def find(self, name: str) -> StoredVideo:
        """Give the video of a path, a file name, or the beginning of an id.

        Raises:
            LibraryError: there is none, or there are several.
        """
        videos = self.videos()
        found = [v for v in videos if name in (v.path, v.id)] or [v for v in videos if v.name == Path(name).name]
        found = found or [v for v in videos if len(name) >= 6 and v.id.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(video.path for video in found[:5])
            raise LibraryError(f"{len(found)} videos of {self.place} are called {name}: {paths}; give a path or an id")
        near = suggest(name, [video.name for video in videos])
        raise LibraryError(f"{name} is not in {self.place}; {near}see `kinoscope library list {self.place}`")

    def add(
        self,
        content: str,
        path: str,
        timeline: Timeline,
        meanings: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Change:
        """Keep what was found in a video; when this returns, it is on the disk.

        What is there already is not written again. A task that was not run this time keeps what it found before.

        Args:
            content: sha256 of the video's content, which it is known by.
            path: where it is.
            timeline: with its features and pictures.
            meanings: by task, of each of its events that has text, in order, the vector of what it means, (N, 384).
            facts: to keep beside those of the source.

        Returns:
            ``added``; ``changed``: it was there, and what was found is not the same; ``moved``: only its path is
            another; ``same``.

        Raises:
            LibraryError: it cannot be written, or another process keeps it busy.
        """
        with self.tables.lock():
            self._sweep()
            before = self._known(content)
            takes, stale = self._write(timeline, before.takes if before else {}, meanings or {})
            change = _change(before, path, takes)
            all_facts = {**timeline.source, **(facts or {})}
            if change != "same" or (before and before.facts.get("preview") != all_facts.get("preview")):
                spans = float(timeline.source.get("start", 0.0)), _duration(timeline)
                added = before.added if before else datetime.now(UTC).isoformat(timespec="microseconds")
                self._name(StoredVideo(content, path, Path(path).name, *spans, added, all_facts, takes))
                self._forget(stale)
            self._tidy()
        return change

    def remove(self, names: Iterable[str]) -> list[StoredVideo]:
        """Forget videos, with all that was found in them: nothing of it is left on the disk.

        Raises:
            LibraryError: one is not there (nothing is removed then), or it cannot be written.
        """
        with self.tables.lock():
            gone = [self.find(name) for name in names]
            for video in gone:
                self.tables["videos"].delete(column("id") == video.id)
            self._forget([take["take"] for video in gone for take in video.takes.values()], purge=True)
            self.tables.purge("videos")
        return gone

    def check(self) -> dict[str, Any]:
        """Sweep up what a killed process left, and count what there is.

        Raises:
            LibraryError: it cannot be read.
        """
        with self.tables.lock():
            swept = self._sweep()
            for name in ("videos", *RESULT_TABLES):
                self.tables.tidy(name)
            counts = {name: int(self.tables[name].count_rows()) for name in ("videos", *RESULT_TABLES)}
        missing = [video.path for video in self.videos() if "://" not in video.path and not Path(video.path).exists()]
        return {"library": self.place, "rows": counts, "swept": swept, "missing": missing}

    def describe(self, name: str) -> dict[str, Any]:
        """Give what is known of a video, as :meth:`find` finds it.

        Raises:
            LibraryError: it is not there.
        """
        video = self.find(name)
        takes = np.array([take["take"] for take in video.takes.values()], np.int64)
        return video.to_dict() | {"facts": video.facts, "names": self.names(takes)}

    def names(self, takes: Int64Array | None = None) -> dict[str, int]:
        """Give all that can be asked for by name, labels and who was recognised, and how often each is there.

        Args:
            takes: only in what they found.
        """
        return {name: sum(kinds.values()) for name, kinds in self.kinds(takes).items()}

    def kinds(self, takes: Int64Array | None = None) -> dict[str, dict[str, int]]:
        """Give of each name how often it is there as what: the label of an ``event`` or ``track``, or an ``identity``.

        Args:
            takes: only in what they found.
        """
        rows = self.tables.rows("names", ["take", "name", "kind", "count"])
        valid = np.isin(rows["take"].to_numpy(), self._takes() if takes is None else takes)
        groups = rows.filter(valid).group_by(["name", "kind"], use_threads=False).aggregate([("count", "sum")])
        found: dict[str, dict[str, int]] = {}
        for row in groups.to_pylist():
            found.setdefault(row["name"], {})[row["kind"]] = row["count_sum"]
        return found

    def _known(self, content: str) -> StoredVideo | None:
        rows = self.tables.rows("videos", schemas()["videos"].names, column("id") == content).to_pylist()
        return next(iter(StoredVideo.read(rows)), None)

    def _write(
        self, timeline: Timeline, before: dict[str, dict[str, Any]], meanings: Mapping[str, Any]
    ) -> tuple[dict[str, dict[str, Any]], list[int]]:
        """Write what is new; give the takes that the video has then, and those that it has no more."""
        takes, stale = dict(before), []
        for task in stored_tasks(timeline):
            take = (int(time.time()) << 28) | secrets.randbits(28)
            rows = encode_task(timeline, task, take)
            if task in meanings:
                rows["sentences"] = _sentence_rows(rows["speech"], meanings[task])
            digest = rows_digest(rows)
            if before.get(task, {}).get("digest") == digest:
                continue
            self._put(rows)
            counts = {"events": len(rows["events"]), "tracks": len(rows["tracks"])}
            stale += [before[task]["take"]] if task in before else []
            takes[task] = {"take": take, "digest": digest, **counts}
        return takes, stale

    def _put(self, rows: Rows) -> None:
        import pyarrow as pa

        for name, some in rows.items():
            for first in range(0, len(some), CHUNK_ROWS):
                chunk = pa.Table.from_pylist(some[first : first + CHUNK_ROWS], schema=schemas()[name])
                self.tables[name].add(chunk)

    def _name(self, video: StoredVideo) -> None:
        """Write the video's row: from now on it is in the library."""
        import pyarrow as pa

        row = pa.Table.from_pylist([video.to_row()], schema=schemas()["videos"])
        update = self.tables["videos"].merge_insert("id")
        update.when_matched_update_all().when_not_matched_insert_all().execute(row)

    def _takes(self) -> Int64Array:
        """Give all takes that videos name."""
        return np.array([take["take"] for video in self.videos() for take in video.takes.values()], np.int64)

    def _sweep(self) -> int:
        """Remove rows that no video names, on object storage only old ones; give how many takes that were."""
        named, orphans = self._takes(), set[int]()
        for name in RESULT_TABLES:
            found = np.unique(self.tables.rows(name, ["take"])["take"].to_numpy())
            orphans |= set(found[~np.isin(found, named)].tolist())
        if self.tables.remote:
            orphans = {take for take in orphans if (take >> 28) < time.time() - MIN_ORPHAN_SECONDS}
        self._forget(sorted(orphans))
        return len(orphans)

    def _forget(self, takes: Sequence[int], purge: bool = False) -> None:
        """Remove the rows of takes; from the disk too if asked for."""
        if not takes:
            return
        where = column("take").isin([int(take) for take in takes])
        for name in RESULT_TABLES:
            if not self.tables.rows(name, ["take"], where).num_rows:
                continue
            self.tables[name].delete(where)
            if purge:
                self.tables.purge(name)

    def _tidy(self) -> None:
        for name in ("videos", *RESULT_TABLES):
            if self.tables.crowded(name):
                self.tables.tidy(name)


def _is_run(take: Any) -> bool:
    """Return whether a value is what a video keeps of a task."""
    counts = [take.get(name) for name in ("take", "events", "tracks")] if isinstance(take, dict) else [None]
    return all(type(count) is int and 0 <= count < 1 << 63 for count in counts)


def _change(before: StoredVideo | None, path: str, takes: dict[str, dict[str, Any]]) -> Change:
    if before is None:
        return "added"
    if before.takes != takes:
        return "changed"
    return "same" if before.path == path else "moved"


def _duration(timeline: Timeline) -> float:
    """Give the seconds that a video lasts: as declared, else up to the last picture."""
    declared = timeline.source.get("duration")
    seen = float(timeline.times[-1]) - float(timeline.source.get("start", 0.0)) if len(timeline.times) else 0.0
    return float(declared) if declared is not None else seen


def _sentence_rows(speech: list[dict[str, Any]], vectors: Any) -> list[dict[str, Any]]:
    """Give the rows of what sentences mean, in the space ``sentences``."""
    keys = ("take", "number", "start", "end")
    return [
        {key: row[key] for key in keys} | {"model": "minilm", "vector": np.asarray(vector, np.float32)}
        for row, vector in zip(speech, vectors, strict=True)
    ]


__all__ = ["VECTOR_SPACES", "Change", "Library", "StoredVideo"]
