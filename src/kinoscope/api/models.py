"""``kinoscope models``: the cards of the models, and their weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kinoscope.models.card import Card


def models(action: Literal["list", "show", "pull", "check"] = "list", *names: str) -> list[dict[str, Any]]:
    """List the models, show their cards, download their weights, or check the cached weights.

    check: hash all weights in the cache, and fetch again those that differ from the hash of their card.

    Args:
        action: list, show, pull or check.
        names: cards to show, pull or check; all if none is named. Pull succeeds if it gets one of several cards for a
            task.

    Returns:
        One row for each card; after a check, ``verified`` is the number of its files with the right hash, and
        ``renewed`` whether some of them were altered and have been fetched again.

    Raises:
        ModelError: the requested weights could not be downloaded.
    """
    from kinoscope.models import store
    from kinoscope.models.registry import CARDS, find

    cards = [find(name) for name in names] or list(CARDS)
    if action == "pull":
        _pull(cards, strict=bool(names))
    checked = _check(cards) if action == "check" else {}
    return [_card_row(card) | {"weights": store.status(card)} | checked.get(card.name, {}) for card in cards]


def _card_row(card: Card) -> dict[str, Any]:
    """Return the fields of a card as plain types."""
    names = [field.name for field in fields(card) if field.name not in ("net", "classes")]
    row = {name: getattr(card, name) for name in names}
    return row | {"files": {file.name: file.sha256 for file in card.files}, "labels": len(card.labels)}


def _pull(cards: Sequence[Card], strict: bool) -> None:
    """Download and convert weights; raise the first error that no other card makes up for, or with ``strict`` any."""
    from kinoscope.models import store

    errors = store.pull(cards, _report)
    pulled = [card for card in cards if card.name not in errors]
    failed = [card for card in cards if card.name in errors]
    fatal = next((card for card in failed if strict or not _alternative(card, pulled)), None)
    for card in failed:
        if card is not fatal:
            print(f"{errors[card.name]}{_describe_alternative(card, pulled)}", file=sys.stderr)
    if fatal is not None:
        raise errors[fatal.name]
    _convert(pulled)


def _alternative(card: Card, pulled: Sequence[Card]) -> Card | None:
    """Return another card for the same task; None without one. Cards of one source do a task together."""
    candidates = (other for other in pulled if other.task == card.task and other.sources != card.sources)
    return next(candidates, None)


def _describe_alternative(card: Card, pulled: Sequence[Card]) -> str:
    """Return the end of an error message: the card that does the same task, if there is one."""
    other = _alternative(card, pulled)
    return f"; {other.name} is there and does the same task ({card.task})" if other else ""


def _convert(cards: Sequence[Card]) -> None:
    """Convert the networks for this processor, so that the cache may be read-only from now on."""
    from kinoscope.models.runtime.openvino import Unconvertible, openvino_model_path

    for card in cards:
        if card.net is not None:
            with suppress(Unconvertible):  # torch runs it
                openvino_model_path(card)


def _check(cards: Sequence[Card]) -> dict[str, dict[str, Any]]:
    """Check the cached weights, and return card name -> the columns ``verified`` and ``renewed``.

    Raises:
        ModelError: altered weights could not be fetched again.
    """
    from kinoscope.models import store

    renewed: set[str] = set()

    def report(card: Card, state: str) -> None:
        renewed.add(card.name)
        _report(card, state)

    for error in store.repair(cards, report).values():
        raise error
    counts = {card.name: len(card.files) if store.is_cached(card) else 0 for card in cards}
    return {name: {"verified": count, "renewed": name in renewed} for name, count in counts.items()}


def _report(card: Card, state: str) -> None:
    if state != "cached":
        print(f"{card.name}: {state}", file=sys.stderr)
