"""The result of ``convert``: the files of other formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinoscope.results.base import Result


@dataclass
class ConvertResult(Result):
    """The files that a timeline was converted to. ``source`` is its path, ``written`` the files."""

    def to_dict(self) -> dict[str, Any]:
        """Return ``convert``: the paths of the written files."""
        return {"convert": [str(path) for path in self.written]}
