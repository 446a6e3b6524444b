"""The result of ``analyze``."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from kinoscope.results.base import Result


@dataclass
class Analysis(Result):
    """The result of one source: its timeline and the folder that contains it, or the error that stopped it.

    Attributes:
        folder: of the results.
        seconds: that it took.
        resumed: whether all had been done before.
        library_change: what adding it to a library changed: ``added``, ``changed``, ``moved`` or ``same``.
        interrupted: whether the user pressed Ctrl-C.
        notes: what became of the results that the folder had before.
        failed: whether a task failed whose earlier result is kept.
        replaced: the files of earlier results that are replaced as a whole, with their size and time.
    """

    folder: Path
    seconds: float = 0.0
    resumed: bool = False
    library_change: str | None = None
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    failed: bool = False
    replaced: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The exit status: 1 also if a task failed whose earlier result is kept."""
        if self.error or self.timeline is None:
            return self.error.status if self.error else 2
        return 0 if self.timeline.ok and not self.failed else 1

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        fields: dict[str, Any] = {"source": self.source, "folder": str(self.folder), "status": self.status}
        if self.error:
            fields["error"] = str(self.error)
        fields |= {"library": self.library_change} if self.library_change else {}
        fields |= {"notes": self.notes} if self.notes else {}
        return fields | ({"timeline": self.timeline.to_dict()} if self.timeline else {})

    def _repr_html_(self) -> str:
        """Return the error, the summary and the images of the timeline, and the files written, for a notebook."""
        error = f"<p>{escape(str(self.error))}</p>" if self.error else ""
        summary = "" if self.timeline is None else self.timeline._repr_html_()
        files = "<br>".join(escape(str(path)) for path in self.written)
        return f"<div>{error}{summary}<p>{files}</p></div>"
