"""The result of ``gallery``: the names in a gallery, or what an action changed or measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinoscope.results.base import Result


@dataclass
class GalleryResult(Result):
    """The names in a gallery; the fields of other actions are None. ``source`` is the gallery's file.

    Attributes:
        names: a row for each name and kind: ``name``, ``kind``, ``samples``, ``model``, ``best`` quality, ``sources``
            (list).
        renamed: the old name and the new one (rename).
        removed: the names that were removed (remove).
        samples: how many samples were renamed or removed.
        check: verification scores: ``kind``, the numbers of ``genuine`` and ``impostor`` pairs, ``equal_error``, and
            the error rates at the ``default`` threshold and ``at_far`` (check).
    """

    names: list[dict[str, Any]] | None = None
    renamed: tuple[str, str] | None = None
    removed: list[str] | None = None
    samples: int | None = None
    check: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the field of the action, as plain types for JSON."""
        if self.names is not None:
            return {"gallery": self.source, "names": self.names}
        plain: dict[str, Any] = dict(zip(("renamed", "to"), self.renamed or (), strict=False))
        plain |= {"removed": self.removed} if self.removed is not None else {}
        plain |= {"samples": self.samples} if self.samples is not None else {}
        plain |= self.check or {}
        return plain | ({"written": [str(path) for path in self.written]} if self.written else {})
