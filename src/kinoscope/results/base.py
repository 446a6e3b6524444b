"""The base class of the results of all verbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import KinoscopeError

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline


@dataclass
class Result:
    """The result of a verb for one source.

    Attributes:
        source: what the verb was applied to: a video, a folder, a model or a library.
        timeline: the whole result of an analysis; None for verbs without one, or if ``error`` is set.
        error: what stopped the verb; None if nothing did.
        written: the written files.
    """

    source: str
    timeline: Timeline | None = field(default=None, kw_only=True)
    error: KinoscopeError | None = field(default=None, kw_only=True)
    written: list[Path] = field(default_factory=list, kw_only=True)

    @property
    def status(self) -> int:
        """The exit status: 0 done; 1 done in part; 2 the source or the output cannot be used."""
        if self.error:
            return self.error.status
        return 0 if self.timeline is None or self.timeline.ok else 1

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        plain = {"source": self.source, "written": [str(path) for path in self.written]}
        return plain | ({"error": str(self.error)} if self.error else {})
