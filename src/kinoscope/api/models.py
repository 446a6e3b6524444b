"""``kinoscope models``: the cards of the models, and their weights."""

from __future__ import annotations

from typing import Literal

from kinoscope.api.deprecations import accept_old_names
from kinoscope.results.models import ModelsResult, ModelStatus


@accept_old_names
def models(action: Literal["list", "show", "pull", "check"] = "list", *names: str) -> ModelsResult:
    """List the models, show their cards, download their weights, or check the cached weights.

    check: hash all weights in the cache, and fetch again those that differ from the hash of their card.

    Args:
        action: list, show, pull or check.
        names: cards to show, pull or check; all if none is named. Pull succeeds if it gets one of several cards for a
            task.

    Returns:
        The cards; after a check, ``verified`` is the number of files of each with the right hash, and
        ``renewed`` whether some of them were altered and have been fetched again.

    Raises:
        ModelError: there is no such card, or the requested weights could not be downloaded.
    """
    from kinoscope.models import store
    from kinoscope.models.registry import all_cards, find
    from kinoscope.pipeline.weights import check_weights, pull_weights

    cards = [find(name) for name in names] or all_cards()
    if action == "check":
        return ModelsResult(action, models=check_weights(cards))
    if action == "pull":
        pull_weights(cards, strict=bool(names))
    return ModelsResult(action, models=[ModelStatus(card, store.status(card)) for card in cards])
