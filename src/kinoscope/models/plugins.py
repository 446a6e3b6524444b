"""Cards of other packages: entry points of the group ``kinoscope.models``.

``[project.entry-points."kinoscope.models"]`` in the pyproject.toml of a package has a row ``NAME = "module:CARD"``,
where ``CARD`` is a ``Card`` with that name.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint

from kinoscope.core.errors import PluginError
from kinoscope.core.plugins import load_entry, plugins
from kinoscope.models.card import Card

GROUP = "kinoscope.models"
"""Group of the entry points of cards."""

log = logging.getLogger("kinoscope")


def plugin_names() -> list[str]:
    """Return the names of the cards of other packages; none is imported."""
    return list(plugins(GROUP))


def plugin_card(name: str) -> Card:
    """Return the card of another package.

    Raises:
        PluginError: the package cannot be imported, or its object is no card of that name.
    """
    entry = plugins(GROUP)[name]
    card = load_entry(entry)
    if not isinstance(card, Card) or card.name != name:
        package = entry.dist.name if entry.dist else "its package"
        found = f"the card {card.name}" if isinstance(card, Card) else type(card).__name__
        raise PluginError(
            f"plugin {name} ({entry.value}) of {package} is {found}, not a card named {name}; update {package}"
        )
    return card


def plugin_cards() -> list[Card]:
    """Return the cards of other packages, without those that cannot be loaded, each of which is reported once."""
    cards = (_load_or_report(name, entry) for name, entry in plugins(GROUP).items())
    return [card for card in cards if card is not None]


@cache
def _load_or_report(name: str, entry: EntryPoint) -> Card | None:
    try:
        return plugin_card(name)
    except PluginError as error:
        log.warning("%s", error)
        return None
