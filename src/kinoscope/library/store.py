"""A library: the results of many videos, stored on disk or on object storage.

    library = Library("films.lance", create=True)
    library.add(content, "street.mp4", timeline)

Two processes may add to one library at once: on one machine they wait for one another, on object storage Lance orders
their commits. A process that is killed leaves rows that no video refers to; they are never returned, and the next
process that adds removes them.
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
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kinoscope.core.arrays import Int64Array
from kinoscope.core.errors import LibraryError
from kinoscope.core.untrusted import is_sha256, parse_json
from kinoscope.core.validation import suggest
from kinoscope.library.encode import Rows, encode_task, rows_digest, stored_tasks
from kinoscope.library.tables import RESULT_TABLES, SCHEMA, VECTOR_SPACES, LibraryTables, column, lance_errors, schemas

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline

CHUNK_ROWS = 2000
"""Rows that are converted and written at once."""

MIN_ORPHAN_SECONDS = 3600
"""Age in seconds from which rows on object storage that no video refers to are orphans: newer ones may be committed
yet."""

Change = Literal["added", "changed", "moved", "same"]


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A video of a library.

    Attributes:
        id: sha256 of its content.
        path: where it was when it was added last.
        name: its file name.
        start, duration: in seconds, as its container declares them.
        added: when, in UTC.
        metadata: of its source.
        runs: task -> the id (``run``) and digest of its run, and the number of its events and tracks.
    """

    id: str
    path: str
    name: str
    start: float
    duration: float
    added: str
    metadata: dict[str, Any]
    runs: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, rows: Sequence[dict[str, Any]]) -> list[StoredVideo]:
        """Return the videos of rows of ``videos``, validated: the library may be a hostile file.

        Raises:
            ValueError: a value is not one that kinoscope writes.
        """
        # One long JSON text is parsed three times as fast as a thousand short ones.
        metadata, runs = (parse_json(f"[{','.join(str(row[name]) for row in rows)}]") for name in ("metadata", "runs"))
        names = [name for name in cls.__slots__ if name not in ("metadata", "runs")]
        plain = ({name: row[name] for name in names} for row in rows)
        videos = [cls(**fields, metadata=m, runs=r) for fields, m, r in zip(plain, metadata, runs, strict=True)]
        for video in videos:
            video.check()
        return videos

    def check(self) -> None:
        """Check that all values are valid.

        Raises:
            ValueError: one is not.
        """
        if not is_sha256(self.id):
            raise ValueError(f"a video has the id {str(self.id)[:80]!r}, which is no sha256")
        if not all(isinstance(text, str) for text in (self.path, self.name, self.added)):
            raise ValueError(f"video {self.id[:12]} has no path, name or date")
        if not all(isinstance(time, float) and math.isfinite(time) for time in (self.start, self.duration)):
            raise ValueError(f"video {self.id[:12]} has no start or duration in seconds")
        if not isinstance(self.metadata, dict) or not isinstance(self.runs, dict):
            raise ValueError(f"video {self.id[:12]} has damaged metadata")
        if not all(_is_run(run) for run in self.runs.values()):
            raise ValueError(f"video {self.id[:12]} has a damaged list of tasks")

    def to_row(self) -> dict[str, Any]:
        """Return the row of ``videos``."""
        plain = {key: getattr(self, key) for key in ("id", "path", "name", "start", "duration", "added")}
        return plain | {"metadata": json.dumps(self.metadata), "runs": json.dumps(self.runs), "schema": SCHEMA}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        plain = {key: getattr(self, key) for key in ("id", "path", "start", "duration", "added")}
        tasks = {name: {key: run[key] for key in ("events", "tracks")} for name, run in self.runs.items()}
        return plain | {"tasks": tasks}


class Library:
    """An open library.

    Args:
        path: its folder, or its address on object storage.
        create: whether to create one that does not exist.

    Raises:
        LibraryError: there is none, or it cannot be opened.
        MissingExtra: LanceDB is not installed.
    """

    def __init__(self, path: str | Path, create: bool = False) -> None:
        self.tables = LibraryTables(path, create)
        self.path = self.tables.path

    def videos(self) -> list[StoredVideo]:
        """Return all videos, in the order in which they were added.

        Raises:
            LibraryError: it cannot be read, or is of a newer schema.
        """
        with lance_errors(self.path):
            rows = self.tables.rows("videos", schemas()["videos"].names).to_pylist()
            newer = [row["schema"] for row in rows if (row["schema"] or 0) > SCHEMA]
            if newer:
                why = f"schema {newer[0]}, newer than {SCHEMA}, which this version reads"
                raise LibraryError(f"library {self.path} has {why}; update kinoscope")
            return sorted(StoredVideo.read(rows), key=lambda video: (video.added, video.path))

    def find(self, name: str) -> StoredVideo:
        """Return the video with a path, a file name, or an id that begins with ``name``.

        Raises:
            LibraryError: there is none, or there are several.
        """
        videos = self.videos()
        matches = [v for v in videos if name in (v.path, v.id)] or [v for v in videos if v.name == Path(name).name]
        matches = matches or [v for v in videos if len(name) >= 6 and v.id.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            paths = ", ".join(video.path for video in matches[:5])
            raise LibraryError(f"{len(matches)} videos of {self.path} are called {name}: {paths}; give a path or an id")
        suggestion = suggest(name, [video.name for video in videos])
        raise LibraryError(f"{name} is not in {self.path}; {suggestion}see `kinoscope library list {self.path}`")

    def add(
        self,
        content: str,
        path: str,
        timeline: Timeline,
        sentence_vectors: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Change:
        """Store the results of a video; when this returns, they are on the disk.

        Unchanged results are not written again. A task that was not run this time keeps its previous results.

        Args:
            content: sha256 of the video's content, which identifies it.
            path: where it is.
            timeline: with its features and images.
            sentence_vectors: task -> (N, 384), for each of its N events with text, in order, the embedding of the text.
            metadata: to store beside that of the source.

        Returns:
            ``added``; ``changed``: it was there, with other results; ``moved``: only its path is another; ``same``.

        Raises:
            LibraryError: it cannot be written, or another process holds the lock.
        """
        with self.tables.lock():
            self._remove_orphans()
            before = self._find_by_content(content)
            runs, stale = self._write(timeline, before.runs if before else {}, sentence_vectors or {})
            change = _compare(before, path, runs)
            all_metadata = {**timeline.source, **(metadata or {})}
            if change != "same" or (before and before.metadata.get("preview") != all_metadata.get("preview")):
                spans = float(timeline.source.get("start", 0.0)), _duration(timeline)
                added = before.added if before else datetime.now(UTC).isoformat(timespec="microseconds")
                self._commit(StoredVideo(content, path, Path(path).name, *spans, added, all_metadata, runs))
                self._delete_runs(stale)
            self._compact()
        return change

    def remove(self, names: Iterable[str]) -> list[StoredVideo]:
        """Remove videos with all their results from the library and from the disk, and return them.

        Raises:
            LibraryError: one is not there (nothing is removed then), or it cannot be written.
        """
        with self.tables.lock():
            removed = [self.find(name) for name in names]
            for video in removed:
                self.tables["videos"].delete(column("id") == video.id)
            self._delete_runs([run["run"] for video in removed for run in video.runs.values()], purge=True)
            self.tables.purge("videos")
        return removed

    def check(self) -> dict[str, Any]:
        """Remove what a killed process left, and return the numbers of rows and the videos whose files are missing.

        Raises:
            LibraryError: it cannot be read.
        """
        with self.tables.lock():
            swept = self._remove_orphans()
            for name in ("videos", *RESULT_TABLES):
                self.tables.compact(name)
            counts = {name: int(self.tables[name].count_rows()) for name in ("videos", *RESULT_TABLES)}
        missing = [video.path for video in self.videos() if "://" not in video.path and not Path(video.path).exists()]
        return {"library": self.path, "rows": counts, "swept": swept, "missing": missing}

    def describe(self, name: str) -> dict[str, Any]:
        """Return all metadata of a video, which is found as by :meth:`find`.

        Raises:
            LibraryError: it is not there.
        """
        video = self.find(name)
        runs = np.array([run["run"] for run in video.runs.values()], np.int64)
        return video.to_dict() | {"metadata": video.metadata, "names": self.names(runs)}

    def names(self, runs: Int64Array | None = None) -> dict[str, int]:
        """Return the searchable names, labels and identities, and how often each occurs.

        Args:
            runs: (N,) int64, only in these runs.
        """
        return {name: sum(kinds.values()) for name, kinds in self.kinds(runs).items()}

    def kinds(self, runs: Int64Array | None = None) -> dict[str, dict[str, int]]:
        """Count each name by kind: the label of an ``event`` or ``track``, or an ``identity``.

        Args:
            runs: (N,) int64, only in these runs.
        """
        rows = self.tables.rows("names", ["run", "name", "kind", "count"])
        valid = np.isin(rows["run"].to_numpy(), self._runs() if runs is None else runs)
        groups = rows.filter(valid).group_by(["name", "kind"], use_threads=False).aggregate([("count", "sum")])
        counts: dict[str, dict[str, int]] = {}
        for row in groups.to_pylist():
            counts.setdefault(row["name"], {})[row["kind"]] = row["count_sum"]
        return counts

    def _find_by_content(self, content: str) -> StoredVideo | None:
        rows = self.tables.rows("videos", schemas()["videos"].names, column("id") == content).to_pylist()
        return next(iter(StoredVideo.read(rows)), None)

    def _write(
        self, timeline: Timeline, before: dict[str, dict[str, Any]], sentence_vectors: Mapping[str, Any]
    ) -> tuple[dict[str, dict[str, Any]], list[int]]:
        """Write new results; return the runs that the video then has, and the ids of those that are obsolete."""
        runs, stale = dict(before), []
        for task in stored_tasks(timeline):
            run = (int(time.time()) << 28) | secrets.randbits(28)
            rows = encode_task(timeline, task, run)
            if task in sentence_vectors:
                rows["sentences"] = _sentence_rows(rows["speech"], sentence_vectors[task])
            digest = rows_digest(rows)
            if before.get(task, {}).get("digest") == digest:
                continue
            self._insert(rows)
            counts = {"events": len(rows["events"]), "tracks": len(rows["tracks"])}
            stale += [before[task]["run"]] if task in before else []
            runs[task] = {"run": run, "digest": digest, **counts}
        return runs, stale

    def _insert(self, rows: Rows) -> None:
        import pyarrow as pa

        for name, table_rows in rows.items():
            for first in range(0, len(table_rows), CHUNK_ROWS):
                chunk = pa.Table.from_pylist(table_rows[first : first + CHUNK_ROWS], schema=schemas()[name])
                self.tables[name].add(chunk)

    def _commit(self, video: StoredVideo) -> None:
        """Write the video's row: from now on it is in the library."""
        import pyarrow as pa

        row = pa.Table.from_pylist([video.to_row()], schema=schemas()["videos"])
        update = self.tables["videos"].merge_insert("id")
        update.when_matched_update_all().when_not_matched_insert_all().execute(row)

    def _runs(self) -> Int64Array:
        """Return the ids of all runs that videos refer to."""
        return np.array([run["run"] for video in self.videos() for run in video.runs.values()], np.int64)

    def _remove_orphans(self) -> int:
        """Remove rows that no video refers to, on object storage only old ones, and return the number of their runs."""
        referenced, orphans = self._runs(), set[int]()
        for name in RESULT_TABLES:
            stored = np.unique(self.tables.rows(name, ["run"])["run"].to_numpy())
            orphans |= set(stored[~np.isin(stored, referenced)].tolist())
        if self.tables.remote:
            orphans = {run for run in orphans if (run >> 28) < time.time() - MIN_ORPHAN_SECONDS}
        self._delete_runs(sorted(orphans))
        return len(orphans)

    def _delete_runs(self, runs: Sequence[int], purge: bool = False) -> None:
        """Delete the rows of runs; with ``purge`` from the disk too."""
        if not runs:
            return
        where = column("run").isin([int(run) for run in runs])
        for name in RESULT_TABLES:
            if not self.tables.rows(name, ["run"], where).num_rows:
                continue
            self.tables[name].delete(where)
            if purge:
                self.tables.purge(name)

    def _compact(self) -> None:
        for name in ("videos", *RESULT_TABLES):
            if self.tables.is_fragmented(name):
                self.tables.compact(name)


def _is_run(run: Any) -> bool:
    """Return whether a value is a valid entry of ``StoredVideo.runs``."""
    counts = [run.get(name) for name in ("run", "events", "tracks")] if isinstance(run, dict) else [None]
    return all(type(count) is int and 0 <= count < 1 << 63 for count in counts)


def _compare(before: StoredVideo | None, path: str, runs: dict[str, dict[str, Any]]) -> Change:
    if before is None:
        return "added"
    if before.runs != runs:
        return "changed"
    return "same" if before.path == path else "moved"


def _duration(timeline: Timeline) -> float:
    """Return the duration of a video in seconds: as declared, else up to the last frame."""
    declared = timeline.source.get("duration")
    observed = float(timeline.times[-1]) - float(timeline.source.get("start", 0.0)) if len(timeline.times) else 0.0
    return float(declared) if declared is not None else observed


def _sentence_rows(speech: list[dict[str, Any]], vectors: Any) -> list[dict[str, Any]]:
    """Return the rows of the space ``sentences``."""
    keys = ("run", "number", "start", "end")
    return [
        {key: row[key] for key in keys} | {"model": "minilm", "vector": np.asarray(vector, np.float32)}
        for row, vector in zip(speech, vectors, strict=True)
    ]


__all__ = ["VECTOR_SPACES", "Change", "Library", "StoredVideo"]
