"""What sentences mean: vectors that lie close together where the meaning does, whatever the words.

The pieces of words are told by the Tokenizers library, which faster-whisper needs too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.core.arrays import Float32Array, UInt8Array
from kinoscope.core.optional import require_extra
from kinoscope.models import fetch, load

MAX_TOKENS = 256
"""Pieces of words of a sentence that are looked at, as many as the network was trained on."""

SENTENCES_PER_BATCH = 64
"""Sentences that are filled up to one length together; those of like length, so that little is wasted."""


class SentenceEmbedder:
    """Give sentences vectors of length 1, whose product tells how alike they are in meaning.

    Raises:
        MissingExtra: the Tokenizers library is not installed.
        WeightsMissing: the weights cannot be had.
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
        numbers = [encoding.ids for encoding in self._tokenizer.encode_batch(list(sentences))]
        vectors = np.zeros((len(numbers), self.length), np.float32)
        order = sorted(range(len(numbers)), key=lambda index: len(numbers[index]))
        for first in range(0, len(order), SENTENCES_PER_BATCH):
            some = order[first : first + SENTENCES_PER_BATCH]
            (vectors[some],) = self.runner(pack_tokens([numbers[index] for index in some]))
        return vectors


def pack_tokens(numbers: Sequence[Sequence[int]]) -> UInt8Array:
    """Give rows of numbers as the network takes them: (N, L, 2) bytes, the low before the high, filled up with 0."""
    table = np.zeros((len(numbers), max(map(len, numbers), default=0)), "<u2")
    for row, some in zip(table, numbers, strict=True):
        row[: len(some)] = some
    return table.view(np.uint8).reshape(*table.shape, 2)
