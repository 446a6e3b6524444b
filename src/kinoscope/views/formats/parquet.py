"""A timeline as ``events.parquet`` and ``tracks.parquet``, typed columns for data frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.core.optional import require_extra
from kinoscope.views.formats.tables import BOX_COLUMNS, EVENT_COLUMNS, box_rows, event_rows
from kinoscope.views.timeline import Timeline

ROW_GROUP_SIZE = 50_000
"""Rows of a row group, which are in memory at a time."""

_TEXT_COLUMNS = frozenset(("task", "label", "text", "identity", "extra"))


FILES = ("events.parquet", "tracks.parquet")


def write(timeline: Timeline, folder: Path) -> None:
    """Write both tables into ``folder``; missing strings are null.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    _write(folder / "events.parquet", EVENT_COLUMNS, event_rows(timeline))
    _write(folder / "tracks.parquet", BOX_COLUMNS, box_rows(timeline))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    arrow, parquet = require_extra("pyarrow", "export"), require_extra("pyarrow.parquet", "export")
    types = {"id": arrow.int64()} | dict.fromkeys(_TEXT_COLUMNS, arrow.string())
    schema = arrow.schema([(name, types.get(name, arrow.float64())) for name in columns])
    # A Python file object, so that a full disk raises an OSError with its errno.
    with atomic_write(path) as temporary, temporary.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(rows):
            columns_of_group = zip(*group, strict=True)
            arrays = [arrow.array(values, field.type) for values, field in zip(columns_of_group, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    rows = iter(rows)
    while group := list(islice(rows, ROW_GROUP_SIZE)):
        yield group
