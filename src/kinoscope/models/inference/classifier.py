"""Clip classifiers among the cards: their input clips, their calibrated probabilities, and the match of their classes
with a data set's.

A card is a classifier if it takes clips (T, H, W, 3) at its own rate, and its last output are the logits of its
classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import ModelError
from kinoscope.core.metrics.classification import sigmoid, softmax
from kinoscope.core.sampling import Sampling
from kinoscope.models.card import Card
from kinoscope.models.registry import all_cards, find

CLASSIFIER_TASKS = ("classify", "actions")
"""Tasks of cards that classify clips."""


def find_classifier(name: str) -> Card:
    """Return the card of that name, or of the trained model in that folder, if it classifies clips.

    Raises:
        OptionError: there is none.
        ModelError: it is for another task, or the folder is damaged.
    """
    card = find(name)
    if not is_classifier(card):
        choices = ", ".join(other.name for other in all_cards() if is_classifier(other)) or "none"
        raise ModelError(
            f"{name} is a model for {card.task}, and does not classify clips; "
            f"choose a folder that `kinoscope train classify` wrote, or one of the cards {choices}"
        )
    return card


def is_classifier(card: Card) -> bool:
    """Return whether a card classifies clips."""
    takes_clips = len(card.input) == 4 and card.rate is not None
    return (
        takes_clips
        and card.task in CLASSIFIER_TASKS
        and bool(card.labels)
        and card.outputs[-1:] == ((len(card.labels),),)
    )


def get_sampling(card: Card) -> Sampling:
    """Return the sampling of a classifier's input clips."""
    frames, size = card.input[0], card.size
    assert frames is not None
    assert size is not None
    assert card.rate is not None
    return Sampling(frames, card.rate, size)


def probabilities(card: Card, logits: ArrayLike) -> Float64Array:
    """Return the calibrated probabilities (N, K) of a card's logits (N, K)."""
    scaled = np.asarray(logits, np.float64) / card.temperature
    return sigmoid(scaled) if card.multilabel else softmax(scaled)


def match_labels(classes: Sequence[str], card: Card) -> dict[str, str]:
    """Match the classes of a data set with those of the card, up to case and spaces: ``noFight`` is ``no fight``.

    Returns:
        The card's label of each class.

    Raises:
        ModelError: the card does not have one of them; the message names both lists.
    """
    exact = set(card.labels)
    loose = {_normalize(label): label for label in reversed(card.labels)}
    matches = {name: name if name in exact else loose.get(_normalize(name)) for name in classes}
    missing = [name for name, label in matches.items() if label is None]
    if missing:
        raise ModelError(
            f"{card.name} does not know {_join_names(missing)}: the data has {_join_names(classes)}, and the "
            f"model {_join_names(card.labels)}; rename the classes of the data, or choose a model trained on them"
        )
    return {name: label for name, label in matches.items() if label is not None}


def _normalize(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum()) or name


def _join_names(names: Sequence[str], limit: int = 10) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
