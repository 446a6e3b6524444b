"""The result of ``train``: a training run, a preview, or a check of the clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.training.data.checks import DatasetReport

Row = dict[str, Any]
"""Metrics of one epoch by name, ``epoch`` among them."""


def describe_epoch(row: Row, columns: Mapping[str, str], epochs: int | None = None) -> str:
    """Return the metrics of an epoch as a line.

    Args:
        row: metrics of the epoch.
        columns: metric -> template of its part of the line.
        epochs: of the whole training, if known.
    """
    parts = [f"epoch {row['epoch']}" + (f"/{epochs}" if epochs else "")]
    parts += [text.format(row[name]).replace("%", " %") for name, text in columns.items() if name in row]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))


@dataclass(kw_only=True)
class RunDetails:
    """Results of a training beside the metrics of its epochs; each training has a class of its own."""

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON; its keys go into that of the run."""
        return asdict(self)


@dataclass(kw_only=True)
class TrainingRun(Result):
    """The result of a training; ``source`` is the name of its data.

    Attributes:
        task: name of the training.
        folder: of the run or of the model; None if nothing is written.
        options: of the training, an instance of its ``TrainingOptions``, fully resolved.
        dry_run: whether it was a dry run.
        rows: metrics of each epoch, as in ``log.jsonl``.
        examples: numbers of training and validation examples; 0 for endless.
        parameters: of the saved model.
        unreadable: clip -> why it could not be used.
        advice: one-line diagnosis and fix; None if nothing is wrong.
        details: what the training reports beside; None if there is nothing.
        columns: metric -> template of its part of the line of an epoch, such as ``loss {:.3f}``.
        usage: the commands that use the model.
    """

    task: str
    folder: Path | None
    options: Any
    dry_run: bool = False
    rows: list[Row] = field(default_factory=list)
    examples: tuple[int, int] = (0, 0)
    parameters: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    advice: str | None = None
    details: Any = None
    columns: Mapping[str, str] = field(default_factory=dict)
    usage: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        plain = {
            "folder": None if self.folder is None else str(self.folder),
            "dry_run": self.dry_run,
            "examples": {"train": self.examples[0], "val": self.examples[1]},
            "parameters": self.parameters,
            "epochs": len(self.rows),
            "log": self.rows,
            "unreadable": self.unreadable,
            "advice": self.advice,
            "options": self.options.to_dict(),
            "written": [str(path) for path in self.written],
        }
        return plain | (self.details.to_dict() if self.details else {})


@dataclass
class TrainResult(Result):
    """The result of ``train``; ``source`` is the name of the data.

    Attributes:
        run: the training; None for a preview or a check.
        preview_path: image of a few clips as training will see them.
        report: what a check of the clips found.
    """

    run: TrainingRun | None = None
    preview_path: Path | None = None
    report: DatasetReport | None = None

    @property
    def status(self) -> int:
        """0 for success; 1 if a check found clips that are unreadable, or in two splits."""
        return self.report.status if self.report else 0

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        if self.report:
            return {"checked": self.report.checked, "counts": self.report.count(), "findings": self.report.rows()}
        if self.preview_path:
            return {"preview": str(self.preview_path)}
        return self.run.to_dict() if self.run else {}
