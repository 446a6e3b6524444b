"""Download and verification of the weights of several models."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from kinoscope.models import store
from kinoscope.models.card import Card
from kinoscope.results.models import ModelStatus


def pull_weights(cards: Sequence[Card], strict: bool) -> None:
    """Download and convert the weights of cards, and print the errors that another card for the task makes up for.

    Raises:
        ModelError: weights could not be downloaded, and no other card does the task; with ``strict``, any error.
    """
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


def check_weights(cards: Sequence[Card]) -> list[ModelStatus]:
    """Hash the cached weights of cards, fetch altered ones again, and return what was found.

    Raises:
        ModelError: altered weights could not be fetched again.
    """
    renewed: set[str] = set()

    def report(card: Card, state: str) -> None:
        renewed.add(card.name)
        _report(card, state)

    for error in store.repair(cards, report).values():
        raise error
    return [
        ModelStatus(
            card, store.status(card), len(card.files) if store.is_cached(card) else 0, renewed=card.name in renewed
        )
        for card in cards
    ]


def _report(card: Card, state: str) -> None:
    if state != "cached":
        print(f"{card.name}: {state}", file=sys.stderr)
