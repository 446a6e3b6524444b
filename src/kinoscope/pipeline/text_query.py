"""What spoken sentences mean, as vectors, for a library to be asked by meaning."""

from __future__ import annotations

import logging

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.errors import MissingExtra, WeightsMissing
from kinoscope.core.results import Timeline

log = logging.getLogger("kinoscope")


def embed_speech(timeline: Timeline, device: str = "auto") -> dict[str, Float32Array]:
    """Give the vectors (N, 384) of all that is said, by task; nothing where the model cannot be had."""
    from kinoscope.models.inference.sentence_embedder import SentenceEmbedder

    said = [event.text for event in timeline.events_of("speech") if event.text]
    if not said:
        return {}
    try:
        return {"speech": SentenceEmbedder(device=device)(said)}
    except (MissingExtra, WeightsMissing) as error:
        log.warning("what is said is kept as words only, not by meaning: %s", error)
        return {}


def embed_text(text: str, device: str = "auto") -> Float32Array:
    """Give the vector (384,) of a text.

    Raises:
        MissingExtra, WeightsMissing: the model cannot be had.
    """
    from kinoscope.models.inference.sentence_embedder import SentenceEmbedder

    return np.asarray(SentenceEmbedder(device=device)([text])[0], np.float32)
