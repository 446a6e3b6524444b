"""The tables of a library, as Lance keeps them, and how they are opened.

``videos`` has a row a video: what it is known by (``id``, the sha256 of its content), where it was last seen, and in
``takes`` the number under which each task's findings lie in the other tables. What no row of ``videos`` names is not in
the library: so a video is added, replaced or removed by one commit to one table, whatever happens before or after it.
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

VECTOR_SPACES: dict[str, int] = {"scenes": 1280, "faces": 128, "looks": 1544, "sentences": 384}
"""Spaces of vectors, each a table, and the length of their vectors: what a second of a video shows, faces, how followed
objects look, and what sentences mean."""

DISTANCE_METRICS: dict[str, Literal["l2", "cosine"]] = {
    "scenes": "cosine",
    "faces": "l2",
    "looks": "cosine",
    "sentences": "cosine",
}
"""How the vectors of each space are compared."""

RESULT_TABLES = ("names", "events", "tracks", "speech", "images", *VECTOR_SPACES)
"""Tables whose rows are named by ``takes``."""

LOCK_TIMEOUT_SECONDS = 60.0
"""Seconds to wait for another process that is writing to the same library."""

MIN_FRAGMENTS_TO_COMPACT = 24
"""Fragments of a table from which on they are joined."""

BATCH_ROWS = 100_000
"""Rows that are read at once."""

MIN_INDEXED_VECTORS = 20_000
"""Vectors of a space from which on they are indexed: fewer are compared one by one, which is exact."""


def column(name: str) -> Any:
    """Return a column, to build conditions of: values are bound to these, never pasted into a text of SQL."""
    return require_extra("lancedb.expr", "library").col(name)


def schemas() -> dict[str, Any]:
    """Give the Arrow schema of each table."""
    pa = require_extra("pyarrow", "library")
    text, time, score = pa.string(), pa.float64(), pa.float32()
    take = {"take": pa.int64(), "number": pa.int32(), "start": time, "end": time}
    plain: dict[str, dict[str, Any]] = {
        "videos": {"id": text, "path": text, "name": text, "start": time, "duration": time, "added": text,
                   "facts": text, "takes": text, "schema": pa.int32()},
        "names": {"take": pa.int64(), "name": text, "kind": text, "count": pa.int32()},
        "events": take | {"task": text, "label": text, "score": score, "text": text, "extra": text},
        "tracks": take | {"task": text, "label": text, "identity": text, "score": score, "boxes": pa.binary()},
        "speech": take | {"text": text, "score": score},
        "images": take | {"name": text, "jpeg": pa.binary()},
    }  # fmt: skip
    for space, length in VECTOR_SPACES.items():
        plain[space] = take | {"model": text, "vector": pa.list_(pa.float32(), length)}
    return {name: pa.schema(list(fields.items())) for name, fields in plain.items()}


class LibraryTables:
    """The open tables of a library.

    Args:
        place: a folder such as ``films.lance``, or the address of one on object storage (``s3://bucket/films.lance``).
        create: whether a library that is not there is begun.

    Raises:
        LibraryError: there is none, or it cannot be opened.
        MissingExtra: LanceDB is not installed.
    """

    def __init__(self, place: str | Path, create: bool = False) -> None:
        lancedb = require_extra("lancedb", "library")
        # Others may start processes by forking, which never touch the library; it warns of each.
        filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
        self.place = Address(str(place).removeprefix("file://"))
        self.remote = "://" in self.place
        if not create and not self.remote and not Path(self.place, "videos.lance").is_dir():
            raise LibraryError(
                f"there is no library {place}; make one with `kinoscope analyze VIDEO --library {place}`"
            )
        if create and not self.remote and Path(self.place).is_file():
            raise LibraryError(f"{place} is a file, not a library; give another path, such as films.lance")
        if not self.remote:
            _check_files(Path(self.place))
        with lance_errors(self.place):
            if create and not self.remote:
                _make_folder(Path(self.place))
            self.base = lancedb.connect(reveal(self.place))
            names = set(self.base.list_tables().tables)
            if not names and not create:
                raise _not_found(self.place)
            if not names.issuperset(schemas()):
                self._begin()
            self._open: dict[str, Any] = {name: self.base.open_table(name) for name in schemas()}

    def _begin(self) -> None:
        """Make the tables that are not there: one process at a time, and again what a killed one did not finish."""
        with self.lock():
            there = set(self.base.list_tables().tables)
            for name, schema in schemas().items():
                table = self.base.create_table(name, schema=schema, exist_ok=True)
                if name not in there and not self.remote:
                    # The folder of the library may be one that others can look into.
                    Path(self.place, f"{name}.lance").chmod(0o700)
                if name == "speech" and not table.list_indices():
                    config = require_extra("lancedb.index", "library").FTS(with_position=True, remove_stop_words=False)
                    table.create_index("text", config=config)

    def __getitem__(self, name: str) -> Any:
        return self._open[name]

    def rows(self, name: str, columns: list[str], where: Any = None) -> Any:
        """Return columns of a table as an Arrow table, of the rows that a condition, made of ``column``, holds for."""
        self[name].checkout_latest()
        query = self[name].search().select(columns)
        # Each batch is a wait: in those of the usual 1,024 rows, most of the time goes there.
        return (query if where is None else query.where(where)).to_batches(BATCH_ROWS).read_all()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes of this machine from writing. On object storage Lance's own commits do.

        Raises:
            LibraryError: another process keeps it busy for too long, or it cannot be written to.
        """
        if self.remote:
            with lance_errors(self.place):
                yield
            return
        from filelock import FileLock, Timeout

        try:
            with FileLock(Path(self.place, ".lock"), timeout=LOCK_TIMEOUT_SECONDS), lance_errors(self.place):
                yield
        except Timeout:
            why = f"has been in use by another process for {LOCK_TIMEOUT_SECONDS:g} s"
            raise LibraryError(f"library {self.place} {why}; try again later") from None
        except OSError as error:
            raise LibraryError(f"cannot write library {self.place} ({error.strerror or error}); give another") from None

    def tidy(self, name: str) -> None:
        """Join a table's small files and bring its indices up to date."""
        self[name].optimize()
        if name in VECTOR_SPACES:
            self._index(name)

    def purge(self, name: str) -> None:
        """Let go of all earlier versions of a table too, so that what was removed is gone from the disk."""
        table = self[name]
        # A deleted row stays in its file beside those that are kept, until the file is written anew.
        table.update(values_sql={(column := table.schema.names[0]): column})
        with catch_warnings():
            # It warns that readers of earlier versions fail, which is what this is for; ours ask again.
            simplefilter("ignore", UserWarning)
            table.optimize(cleanup_older_than=timedelta(0), delete_unverified=not self.remote)

    def _index(self, name: str) -> None:
        table = self[name]
        if table.count_rows() < MIN_INDEXED_VECTORS or table.list_indices():
            return
        table.create_index(
            "vector", config=require_extra("lancedb.index", "library").IvfSq(distance_type=DISTANCE_METRICS[name])
        )

    def crowded(self, name: str) -> bool:
        """Whether a table lies in many small files."""
        return bool(self[name].stats()["fragment_stats"]["num_small_fragments"] >= MIN_FRAGMENTS_TO_COMPACT)


def _not_found(place: str) -> LibraryError:
    return LibraryError(f"there is no library {place}; make one with `kinoscope analyze VIDEO --library {place}`")


def _check_files(folder: Path) -> None:
    """Check that a library is made of files and folders alone: Lance would wait for a pipe, and follow any link.

    Raises:
        LibraryError: there is something else in it.
    """
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                mode = os.lstat(os.path.join(root, name)).st_mode
            except FileNotFoundError:  # another process tidies up
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise LibraryError(f"library {folder} has {name}, which is no file or folder; remove it")


def _make_folder(place: Path) -> None:
    """Make the folder of a new library, for its owner alone: who people are is nobody's business."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"library {place} cannot be made ({error.strerror}); give another path") from None


@contextmanager
def lance_errors(place: str) -> Iterator[None]:
    """Tell what goes wrong in Lance in one line.

    Raises:
        LibraryError: something went wrong.
    """
    try:
        yield
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        raise LibraryError(
            f"library {place} cannot be used ({first}); check it with `kinoscope library check {place}`"
        ) from None
