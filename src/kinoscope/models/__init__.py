"""Models: the table of them, their weights, and what runs them.

runner = load("efficientnet-lite0")
features, logits = runner(pixels)          # uint8 (N, 224, 224, 3) -> float32 (N, 1280), (N, 1000)
"""

from __future__ import annotations

from kinoscope.core.errors import OptionError, WeightsMissing
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.registry import CARDS, cards_for_task, find, is_path
from kinoscope.models.runtime.runner import Runner, make_runner
from kinoscope.models.samples import SAMPLES, sample
from kinoscope.models.store import fetch, is_cached, pull, status

__all__ = [
    "CARDS",
    "SAMPLES",
    "Card",
    "Runner",
    "WeightFile",
    "cards_for_task",
    "choose",
    "fetch",
    "find",
    "load",
    "pull",
    "sample",
    "status",
]


def load(
    name: str,
    model: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> Runner:
    """Give a model that is ready to run, fetching its weights if need be.

    Args:
        name: of a card, of a task (its best card then, see ``choose``), or else the folder of a trained model.
        model: the card to use for a task named by ``name``; ``auto`` or None leaves the choice.
        device, precision, threads: see ``make_runner``.

    Raises:
        OptionError: there is no such model, task, device or precision.
        WeightsMissing: the weights cannot be had.
    """
    card = _find_by_name(name) if model in (None, "auto") else find(str(model))
    return make_runner(card, device, precision, threads)


def _find_by_name(name: str) -> Card:
    """Return the card of a name: a folder is taken for a model only if no card and no task is called so."""
    return find(name) if is_path(name) and not cards_for_task(name) else choose(name)


def choose(name: str) -> Card:
    """Return the card of that name, or the best card of that task; never a trained model, whatever folders there are.

    The best is sought among those in the cache, else among those that can be had.
    What is in the cache is not passed over for a better card that is not: a run gives the same answers whether or not
    there is a network today. ``kinoscope models pull`` brings the better one.
    """
    if any(card.name == name for card in CARDS):
        return find(name)
    cards = cards_for_task(name)
    if not cards:
        tasks = sorted({card.task for card in CARDS})
        raise OptionError(f"no model or task is called {name}; tasks: {', '.join(tasks)}; see `kinoscope models list`")
    here = [card for card in cards if card.shipped or is_cached(card)]
    return here[0] if here else _fetch_first(cards)


def _fetch_first(cards: list[Card]) -> Card:
    first: WeightsMissing | None = None
    for card in cards:
        try:
            fetch(card)
            return card
        except WeightsMissing as error:
            first = first or error
    raise first or AssertionError("a task has a card")
