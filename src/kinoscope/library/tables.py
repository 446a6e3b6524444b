"""The Lance tables of a library: their schemas, and how they are opened, locked and compacted.

``videos`` has one row a video: its identity (``id``, the sha256 of its content), its last known path, and in ``runs``
the id of each task's run, by which the rows of the other tables refer to it. Rows that no row of ``videos`` refers to
are not in the library: so a video is added, replaced or removed by one commit to one table, whatever happens before or
after.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from warnings import catch_warnings, filterwarnings, simplefilter

from kinoscope.core.addresses import Address, reveal
from kinoscope.core.errors import LibraryError
from kinoscope.core.optional import require_extra

SCHEMA = 1
"""Version of the schema."""

VECTOR_SPACES: dict[str, int] = {"scenes": 1280, "faces": 128, "appearance": 1544, "sentences": 384}
"""Vector spaces, each a table, and the dimension of their vectors: what a second of a video shows, faces, the
appearance of tracked objects, and the meaning of sentences."""

DISTANCE_METRICS: dict[str, Literal["l2", "cosine"]] = {
    "scenes": "cosine",
    "faces": "l2",
    "appearance": "cosine",
    "sentences": "cosine",
}
"""Distance metric of each space."""

RESULT_TABLES = ("names", "events", "tracks", "speech", "images", *VECTOR_SPACES)
"""Tables whose rows ``runs`` refer to."""

LOCK_TIMEOUT_SECONDS = 60.0
"""Seconds to wait for another process that is writing to the same library."""

MIN_FRAGMENTS_TO_COMPACT = 24
"""Small fragments of a table from which on it is compacted."""

BATCH_ROWS = 100_000
"""Rows that are read at once."""

MIN_INDEXED_VECTORS = 20_000
"""Vectors of a space from which on they are indexed: fewer are compared one by one, which is exact."""


def column(name: str) -> Any:
    """Return a column to build conditions of: values are bound to these, never pasted into a text of SQL."""
    return require_extra("lancedb.expr", "library").col(name)


def schemas() -> dict[str, Any]:
    """Return the Arrow schema of each table."""
    pa = require_extra("pyarrow", "library")
    text, time, score = pa.string(), pa.float64(), pa.float32()
    key = {"run": pa.int64(), "number": pa.int32(), "start": time, "end": time}
    columns: dict[str, dict[str, Any]] = {
        "videos": {"id": text, "path": text, "name": text, "start": time, "duration": time, "added": text,
                   "metadata": text, "runs": text, "schema": pa.int32()},
        "names": {"run": pa.int64(), "name": text, "kind": text, "count": pa.int32()},
        "events": key | {"task": text, "label": text, "score": score, "text": text, "extra": text},
        "tracks": key | {"task": text, "label": text, "identity": text, "score": score, "boxes": pa.binary()},
        "speech": key | {"text": text, "score": score},
        "images": key | {"name": text, "jpeg": pa.binary()},
    }  # fmt: skip
    for space, length in VECTOR_SPACES.items():
        columns[space] = key | {"model": text, "vector": pa.list_(pa.float32(), length)}
    return {name: pa.schema(list(fields.items())) for name, fields in columns.items()}


class LibraryTables:
    """The open tables of a library.

    Args:
        path: a folder such as ``films.lance``, or an address on object storage (``s3://bucket/films.lance``).
        create: whether to create a library that does not exist.

    Raises:
        LibraryError: there is none, or it cannot be opened.
        MissingExtra: LanceDB is not installed.
    """

    def __init__(self, path: str | Path, create: bool = False) -> None:
        lancedb = require_extra("lancedb", "library")
        # Lance warns of each forked process, though ours never use the library.
        filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
        self.path = Address(str(path).removeprefix("file://"))
        self.remote = "://" in self.path
        if not create and not self.remote and not Path(self.path, "videos.lance").is_dir():
            raise _not_found(path)
        if create and not self.remote and Path(self.path).is_file():
            raise LibraryError(f"{path} is a file, not a library; give another path, such as films.lance")
        if not self.remote:
            _check_files(Path(self.path))
        with lance_errors(self.path):
            if create and not self.remote:
                _make_folder(Path(self.path))
            self.database = lancedb.connect(reveal(self.path))
            names = set(self.database.list_tables().tables)
            if not names and not create:
                raise _not_found(self.path)
            if "videos" in names and "runs" not in self.database.open_table("videos").schema.names:
                raise LibraryError(
                    f"library {self.path} is of an earlier release, with other columns; make a new one "
                    "with `kinoscope analyze VIDEO --library NEW`"
                )
            if not names.issuperset(schemas()):
                self._create_tables()
            self._tables: dict[str, Any] = {name: self.database.open_table(name) for name in schemas()}

    def _create_tables(self) -> None:
        """Create missing tables: one process at a time, and also those that a killed process did not finish."""
        with self.lock():
            existing = set(self.database.list_tables().tables)
            for name, schema in schemas().items():
                table = self.database.create_table(name, schema=schema, exist_ok=True)
                if name not in existing and not self.remote:
                    # The folder of the library may be readable by others.
                    Path(self.path, f"{name}.lance").chmod(0o700)
                if name == "speech" and not table.list_indices():
                    config = require_extra("lancedb.index", "library").FTS(with_position=True, remove_stop_words=False)
                    table.create_index("text", config=config)

    def __getitem__(self, name: str) -> Any:
        return self._tables[name]

    def rows(self, name: str, columns: list[str], where: Any = None) -> Any:
        """Return columns of a table as an Arrow table, of the rows that meet a condition built from ``column``."""
        self[name].checkout_latest()
        query = self[name].search().select(columns)
        # Each batch waits once: with the default 1,024 rows a batch, most of the time is spent waiting.
        return (query if where is None else query.where(where)).to_batches(BATCH_ROWS).read_all()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the library against other processes of this machine. On object storage Lance's own commits do that.

        Raises:
            LibraryError: another process holds the lock for too long, or the library cannot be written to.
        """
        if self.remote:
            with lance_errors(self.path):
                yield
            return
        from filelock import FileLock, Timeout

        try:
            with FileLock(Path(self.path, ".lock"), timeout=LOCK_TIMEOUT_SECONDS), lance_errors(self.path):
                yield
        except Timeout:
            why = f"has been in use by another process for {LOCK_TIMEOUT_SECONDS:g} s"
            raise LibraryError(f"library {self.path} {why}; try again later") from None
        except OSError as error:
            raise LibraryError(f"cannot write library {self.path} ({error.strerror or error}); give another") from None

    def compact(self, name: str) -> None:
        """Merge a table's small files and update its indices."""
        self[name].optimize()
        if name in VECTOR_SPACES:
            self._index_vectors(name)

    def purge(self, name: str) -> None:
        """Delete all earlier versions of a table too, so that removed rows are gone from the disk."""
        table = self[name]
        # A deleted row stays in its file beside the others until the file is rewritten.
        table.update(values_sql={(column := table.schema.names[0]): column})
        with catch_warnings():
            # Lance warns that readers of earlier versions fail, which is intended; ours check out the latest.
            simplefilter("ignore", UserWarning)
            table.optimize(cleanup_older_than=timedelta(0), delete_unverified=not self.remote)

    def _index_vectors(self, name: str) -> None:
        table = self[name]
        if table.count_rows() < MIN_INDEXED_VECTORS or table.list_indices():
            return
        table.create_index(
            "vector", config=require_extra("lancedb.index", "library").IvfSq(distance_type=DISTANCE_METRICS[name])
        )

    def is_fragmented(self, name: str) -> bool:
        """Return whether a table consists of many small files."""
        return bool(self[name].stats()["fragment_stats"]["num_small_fragments"] >= MIN_FRAGMENTS_TO_COMPACT)


def _not_found(path: str | Path) -> LibraryError:
    return LibraryError(f"there is no library {path}; make one with `kinoscope analyze VIDEO --library {path}`")


def _check_files(folder: Path) -> None:
    """Check that a library consists of files and folders only: Lance would wait for a pipe, and follow any link.

    Raises:
        LibraryError: there is something else in it.
    """
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                mode = os.lstat(os.path.join(root, name)).st_mode
            except FileNotFoundError:  # another process compacts it
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise LibraryError(f"library {folder} has {name}, which is neither file nor folder; remove it")


def _make_folder(path: Path) -> None:
    """Make the folder of a new library, readable by its owner alone: it holds the names of people."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"library {path} cannot be made ({error.strerror}); give another path") from None


@contextmanager
def lance_errors(path: str) -> Iterator[None]:
    """Raise a one-line LibraryError in place of whatever Lance raises.

    Raises:
        LibraryError: something went wrong.
    """
    try:
        yield
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        raise LibraryError(
            f"library {path} cannot be used ({first}); check it with `kinoscope library check {path}`"
        ) from None
