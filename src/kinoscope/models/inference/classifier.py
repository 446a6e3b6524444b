"""Cards that classify clips: what each looks at, what its answers mean, and whether its classes are those of some data.

A card is one if it takes clips (T, H, W, 3) at a rate of its own, and its last output are the logits of its classes.
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
from kinoscope.models.registry import CARDS, find

CLASSIFIER_TASKS = ("classify", "actions")
"""What a card that classifies clips may be for."""


def find_classifier(name: str) -> Card:
    """Give the card of that name, or of the trained model in the folder of that name, if it classifies clips.

    Raises:
        OptionError: there is none.
        ModelError: it does something else, or the folder is damaged.
    """
    card = find(name)
    if not is_classifier(card):
        known = ", ".join(other.name for other in CARDS if is_classifier(other)) or "none"
        raise ModelError(
            f"{name} is a model for {card.task}, and does not classify clips; "
            f"give a folder that `kinoscope train classify` wrote, or a card that does: {known}"
        )
    return card


def is_classifier(card: Card) -> bool:
    """Whether a card classifies clips."""
    takes_clips = len(card.input) == 4 and card.rate is not None
    return (
        takes_clips
        and card.task in CLASSIFIER_TASKS
        and bool(card.labels)
        and card.outputs[-1:] == ((len(card.labels),),)
    )


def get_sampling(card: Card) -> Sampling:
    """Give the clips that a card which classifies them looks at."""
    frames, size = card.input[0], card.size
    assert frames is not None
    assert size is not None
    assert card.rate is not None
    return Sampling(frames, card.rate, size)


def probabilities(card: Card, logits: ArrayLike) -> Float64Array:
    """Give the calibrated probabilities (N, K) that a card's logits (N, K) stand for."""
    scaled = np.asarray(logits, np.float64) / card.temperature
    return sigmoid(scaled) if card.multilabel else softmax(scaled)


def match_labels(wanted: Sequence[str], card: Card) -> dict[str, str]:
    """Give the card's name of each class of some data: ``noFight`` is ``no fight``, whatever the case or spaces.

    Raises:
        ModelError: the card does not know one of them; the message names both lists.
    """
    exact = set(card.labels)
    loose = {_normalize(label): label for label in reversed(card.labels)}
    found = {name: name if name in exact else loose.get(_normalize(name)) for name in wanted}
    missing = [name for name, label in found.items() if label is None]
    if missing:
        raise ModelError(
            f"{card.name} does not know {_join_names(missing)}: the data has {_join_names(wanted)}, "
            f"and the model {_join_names(card.labels)}; rename the classes of the data, or give a model trained on them"
        )
    return {name: label for name, label in found.items() if label is not None}


def _normalize(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def _join_names(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
