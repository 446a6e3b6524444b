"""MiniLM: the meaning of a sentence as a vector; sentences of like meaning lie close together.

Papers: Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained
Transformers", NeurIPS 2020 (arXiv 2002.10957); Reimers and Gurevych, "Sentence-BERT", EMNLP 2019 (arXiv 1908.10084).
The network is the encoder of BERT (Devlin et al., arXiv 1810.04805) with six layers.
Weights: all-MiniLM-L6-v2 of Sentence-Transformers, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

VOCABULARY_SIZE, MAX_TOKENS = 30522, 512
"""Pieces of words in the vocabulary, and positions in a sentence."""

LAYER_PARTS = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
)
"""Parts of a layer as the published weights name them, in the order in which ``TransformerLayer`` declares its own."""


def published_names(layers: int = 6) -> Iterator[str]:
    """Give the names of the published tensors in the order in which ``MiniLM`` declares its own."""
    yield from (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type"))
    for part in ("embeddings.LayerNorm", *(f"encoder.layer.{n}.{part}" for n in range(layers) for part in LAYER_PARTS)):
        yield from (f"{part}.weight", f"{part}.bias")


class TransformerLayer(nn.Module):
    """Attention, then two linear maps; each is added to what it was given, and the sum normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.merge = (nn.Linear(width, width) for _ in range(4))
        self.merge_norm = nn.LayerNorm(width, eps=1e-12)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.narrow_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Map (N, L, D); ``hidden`` (N, 1, 1, L) is 0 where there is a word and very negative where there is none."""
        x = self.merge_norm(x + self.merge(self.attend(x, hidden)))
        y: Tensor = self.narrow_norm(x + self.narrow(nn.functional.gelu(self.widen(x))))
        return y

    def attend(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Give each word the mean of all values, weighted by how their keys meet its query: (N, L, D)."""
        query, key, value = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5 + hidden
        mixed: Tensor = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        return mixed


class MiniLM(nn.Module):
    """uint8 (N, L, 2), the low and the high byte of the number of each piece of a word -> (N, D) of length 1.

    Number 0 fills up shorter sentences, and counts for nothing; numbers past the vocabulary are its last.
    """

    def __init__(self, words: int = VOCABULARY_SIZE, width: int = 384, layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        self.word, self.position, self.kind = (nn.Embedding(count, width) for count in (words, MAX_TOKENS, 2))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))

    def forward(self, pairs: Tensor) -> tuple[Tensor]:
        """Give the mean of the last layer over the words, as long as 1."""
        numbers = (pairs[..., 0].int() + 256 * pairs[..., 1].int()).clamp(max=self.word.num_embeddings - 1)
        there = (numbers > 0).float()
        x = self.word(numbers) + self.position.weight[: numbers.shape[1]] + self.kind.weight[0]
        x, hidden = self.norm(x), (there[:, None, None] - 1) * 1e9
        for layer in self.layers:
            x = layer(x, hidden)
        total = (x * there[..., None]).sum(dim=1)
        # The mean and the sum have one direction, and the length is 1 in the end.
        return (torch.nn.functional.normalize(total, dim=1),)
