"""Models: the registry, their weights and the runtimes.

Example::

    runner = load("efficientnet-lite0")
    features, logits = runner(pixels)  # uint8 (N, 224, 224, 3) -> float32 (N, 1280), (N, 1000)
"""

from __future__ import annotations

from kinoscope.core.errors import OptionError, WeightsMissing
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.registry import CARDS, all_cards, card_names, cards_for_task, find, is_path
from kinoscope.models.runtime.runner import Runner, make_runner
from kinoscope.models.samples import SAMPLES, sample
from kinoscope.models.store import fetch, is_cached, pull, status

__all__ = [
    "CARDS",
    "SAMPLES",
    "Card",
    "Runner",
    "WeightFile",
    "all_cards",
    "card_names",
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
    """Return a model ready for inference; download its weights if they are not cached.

    Args:
        name: a card, a task (its best card, see ``choose``), or else the folder of a trained model.
        model: card for the task ``name``; ``auto`` or None selects the best.
        device, precision, threads: see ``make_runner``.

    Raises:
        OptionError: there is no such model, task, device or precision.
        WeightsMissing: the weights are not available.
    """
    card = _find_by_name(name) if model in (None, "auto") else find(str(model))
    return make_runner(card, device, precision, threads)


def _find_by_name(name: str) -> Card:
    """Return the card of a name; a folder counts as a model only if no card and no task has its name."""
    return find(name) if is_path(name) and not cards_for_task(name) else choose(name)


def choose(name: str) -> Card:
    """Return the card of that name, or the best card of that task; never a trained model, even if a folder has the
    name.

    Cached cards take precedence over those that have to be downloaded: a run gives the same results with and without a
    network. ``kinoscope models pull`` downloads the better ones.
    """
    if name in card_names():
        return find(name)
    cards = cards_for_task(name)
    if not cards:
        tasks = sorted({card.task for card in all_cards()})
        raise OptionError(f"no model or task is called {name}; tasks: {', '.join(tasks)}; see `kinoscope models list`")
    available = [card for card in cards if card.bundled or is_cached(card)]
    return available[0] if available else _fetch_first(cards)


def _fetch_first(cards: list[Card]) -> Card:
    """Return the first card whose weights can be fetched; raise the error of the first card if there is none."""
    first_error: WeightsMissing | None = None
    for card in cards:
        try:
            fetch(card)
            return card
        except WeightsMissing as error:
            first_error = first_error or error
    raise first_error or AssertionError("a task has a card")
