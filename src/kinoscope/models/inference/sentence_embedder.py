"""Sentence embeddings: vectors that are close together if the sentences mean the same.

The tokenizer is that of the Tokenizers library, which faster-whisper depends on too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.core.arrays import Float32Array, UInt8Array
from kinoscope.core.optional import require_extra
from kinoscope.models import fetch, load

MAX_TOKENS = 256
"""Maximum number of tokens of a sentence, as in the network's training."""

SENTENCES_PER_BATCH = 64
"""Sentences that are padded to one length together, sorted by length to reduce padding."""


class SentenceEmbedder:
    """A sentence embedder; vectors have length 1, and their dot product is the similarity in meaning.

    Raises:
        MissingExtra: the Tokenizers library is not installed.
        WeightsMissing: the weights are not available.
    """

    length = 384

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = None) -> None:
        tokenizers = require_extra("tokenizers", "library")
        self.runner = load("sentences", model, device, threads=threads)
        self.card = self.runner.card
        self._tokenizer = tokenizers.Tokenizer.from_file(str(fetch(self.card)["tokenizer.json"]))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def __call__(self, sentences: Sequence[str]) -> Float32Array:
        """Embed sentences: (N, D), each of length 1."""
        token_ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(sentences))]
        vectors = np.zeros((len(token_ids), self.length), np.float32)
        order = sorted(range(len(token_ids)), key=lambda index: len(token_ids[index]))
        for first in range(0, len(order), SENTENCES_PER_BATCH):
            batch = order[first : first + SENTENCES_PER_BATCH]
            (vectors[batch],) = self.runner(pack_tokens([token_ids[index] for index in batch]))
        return vectors


def pack_tokens(token_ids: Sequence[Sequence[int]]) -> UInt8Array:
    """Pack token ids into the network's input: (N, L, 2) bytes, little-endian, padded with 0."""
    table = np.zeros((len(token_ids), max(map(len, token_ids), default=0)), "<u2")
    for row, batch in zip(table, token_ids, strict=True):
        row[: len(batch)] = batch
    return table.view(np.uint8).reshape(*table.shape, 2)
