"""``kinoscope models``: what models there are, and their weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kinoscope.models.card import Card


def models(action: Literal["list", "show", "pull", "check"] = "list", *names: str) -> list[dict[str, Any]]:
    """List the models, show what their cards say, download their weights, or check those that are here.

    check: hash all weights in the cache, and fetch anew what is not as its card pins it.

    Args:
        action: list, show, pull or check.
        names: cards to show, pull or check; all if none is named. Of several cards for one task, one is enough to pull.

    Returns:
        One row for each card; after a check, ``verified`` is the number of its files that hold what the card pins, and
        ``renewed`` says whether some of them were altered and have been fetched anew.

    Raises:
        ModelError: weights that were asked for could not be had.
    """
    from kinoscope.models import store
    from kinoscope.models.registry import CARDS, find

    cards = [find(name) for name in names] or list(CARDS)
    if action == "pull":
        _pull(cards, strict=bool(names))
    checked = _check(cards) if action == "check" else {}
    return [_card_row(card) | {"weights": store.status(card)} | checked.get(card.name, {}) for card in cards]


def _card_row(card: Card) -> dict[str, Any]:
    row = {f.name: getattr(card, f.name) for f in fields(card) if f.name not in ("net", "classes")}
    return row | {"files": {file.name: file.sha256 for file in card.files}, "labels": len(card.labels)}


def _pull(cards: Sequence[Card], strict: bool) -> None:
    from kinoscope.models import store

    errors = store.pull(cards, _report)
    good = [card for card in cards if card.name not in errors]
    failed = [card for card in cards if card.name in errors]
    fatal = next((card for card in failed if strict or not _stand_in(card, good)), None)
    for card in failed:
        if card is not fatal:
            print(f"{errors[card.name]}{_what_serves(card, good)}", file=sys.stderr)
    if fatal is not None:
        raise errors[fatal.name]
    _convert(good)


def _stand_in(card: Card, good: Sequence[Card]) -> Card | None:
    """Return a card that does the same as another; the networks of one place do one task together, not each alone."""
    return next((one for one in good if one.task == card.task and one.sources != card.sources), None)


def _what_serves(card: Card, good: Sequence[Card]) -> str:
    other = _stand_in(card, good)
    return f"; {other.name} is there and does the same task ({card.task})" if other else ""


def _convert(cards: Sequence[Card]) -> None:
    """Make all that a processor needs of the networks, so that the cache may be read-only from now on."""
    from kinoscope.models.runtime.openvino import Unconvertible, openvino_model_path

    for card in cards:
        if card.net is not None:
            with suppress(Unconvertible):  # torch runs it
                openvino_model_path(card)


def _check(cards: Sequence[Card]) -> dict[str, dict[str, Any]]:
    """Check cards; return what was found of each, by name.

    Raises:
        ModelError: weights that were altered could not be had.
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
