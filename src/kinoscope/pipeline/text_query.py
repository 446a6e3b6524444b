"""Sentence embeddings of speech and of queries, for semantic search in a library."""

from __future__ import annotations

import logging

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.errors import MissingExtra, WeightsMissing
from kinoscope.views.timeline import Timeline

log = logging.getLogger("kinoscope")


def embed_speech(timeline: Timeline, device: str = "auto") -> dict[str, Float32Array]:
    """Return the vectors (N, 384) of all sentences, by task; nothing if the model is unavailable."""
    from kinoscope.models.inference.sentence_embedder import SentenceEmbedder

    sentences = [event.text for event in timeline.events("speech") if event.text]
    if not sentences:
        return {}
    try:
        return {"speech": SentenceEmbedder(device=device)(sentences)}
    except (MissingExtra, WeightsMissing) as error:
        log.warning("speech is searchable by words only, not by meaning: %s", error)
        return {}


def embed_text(text: str, device: str = "auto") -> Float32Array:
    """Return the vector (384,) of a text.

    Raises:
        MissingExtra, WeightsMissing: the model is unavailable.
    """
    from kinoscope.models.inference.sentence_embedder import SentenceEmbedder

    return np.asarray(SentenceEmbedder(device=device)([text])[0], np.float32)
