"""Log of a training run: a line of JSON for each epoch, and TensorBoard events if it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinoscope.core.errors import ModelError
from kinoscope.core.files import append, atomic_write, remove, write_error
from kinoscope.core.media import Pixels
from kinoscope.core.untrusted import parse_json
from kinoscope.results.train import Row as Row

EVENTS = "tensorboard"
"""Folder of the TensorBoard events, in the folder of a run."""


class Log:
    """The rows of a run's log.

    Args:
        folder: of the run.
        epochs: number of finished epochs; rows of later ones, of an interrupted run, are dropped.
        tensorboard: whether to write TensorBoard events, too.

    Attributes:
        rows: all rows so far.
    """

    def __init__(self, folder: Path, epochs: int = 0, tensorboard: bool = True) -> None:
        self.path = folder / "log.jsonl"
        self.rows: list[Row] = [row for row in read_log(self.path) if row["epoch"] <= epochs] if epochs else []
        if self.rows:
            with atomic_write(self.path, grows=True) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), "utf-8")
        else:
            remove(self.path)
        self._events: Any = None
        with self._guard_events():
            self._events = _open_events(folder, epochs) if tensorboard else None

    def write(self, row: Row) -> None:
        """Append a row.

        Raises:
            OutputError: it cannot be written.
        """
        self.rows.append(row)
        append(self.path, json.dumps(row, allow_nan=False))
        with self._guard_events():
            for name, value in row.items():
                if self._events and name != "epoch" and value is not None:
                    self._events.add_scalar(name, value, row["epoch"])

    def add_image(self, name: str, pixels: Pixels, epoch: int) -> None:
        """Add an image (H, W, 3) to the TensorBoard events.

        Raises:
            OutputError: it cannot be written.
        """
        with self._guard_events():
            if self._events:
                self._events.add_image(name, pixels, epoch, dataformats="HWC")

    def close(self) -> None:
        """Flush and close the TensorBoard events.

        Raises:
            OutputError: they cannot be written.
        """
        with self._guard_events():
            if self._events:
                self._events.close()

    @contextmanager
    def _guard_events(self) -> Iterator[None]:
        """Drop the TensorBoard writer when it fails, and raise the error in one line.

        The writer's thread still holds what could not be written; used again, it would fail again.
        """
        try:
            yield
        except OSError as error:
            self._events = None
            raise write_error(self.path.parent / EVENTS, error) from None


def read_log(path: Path) -> list[Row]:
    """Read the rows of a log; none if there is no such file.

    Raises:
        ModelError: it is damaged.
    """
    try:
        return [_parse_row(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error}); remove its last line and try again") from None


def _parse_row(line: str) -> Row:
    """Return a row of a log.

    Raises:
        ValueError: it is none.
    """
    row = parse_json(line, allow_nan=True)
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
        raise ValueError("a line of it is no row with an epoch")
    return row


def _open_events(folder: Path, epochs: int) -> Any:
    """Return a TensorBoard writer, or None if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / EVENTS), purge_step=epochs + 1 if epochs else None)
