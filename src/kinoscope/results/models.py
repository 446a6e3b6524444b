"""The result of ``models``: cards of models, and the state of their weights."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.models.card import Card


UNLISTED_FIELDS = ("net", "classes", "output_names")
"""Fields of a card that are not printed."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model and its weights.

    Attributes:
        card: its card.
        weights: ``cached``, ``available`` (in an installed package or on the network) or ``missing``.
        verified: number of its files whose hash is right; None if they were not checked.
        renewed: whether a check found altered files, and fetched them again.
    """

    card: Card
    weights: str
    verified: int | None = None
    renewed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the card and the state of its weights as plain types for JSON."""
        names = [field.name for field in fields(self.card) if field.name not in UNLISTED_FIELDS]
        row: dict[str, Any] = {name: getattr(self.card, name) for name in names}
        row["files"] = {file.name: file.sha256 for file in self.card.files}
        row |= {"labels": len(self.card.labels), "weights": self.weights}
        return row if self.verified is None else row | {"verified": self.verified, "renewed": self.renewed}


@dataclass
class ModelsResult(Result):
    """Models and the state of their weights. ``source`` is the action: list, show, pull or check.

    Attributes:
        models: in the order of the registry, or in that in which they were named.
    """

    models: list[ModelStatus] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return ``models``: a row for each."""
        return {"models": [model.to_dict() for model in self.models]}
