"""MiniLM: sentence embeddings; sentences of similar meaning have a high cosine similarity.

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
"""Word pieces in the vocabulary, and positions in a sentence."""

LAYER_PARTS = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
)
"""Modules of a layer as the published weights name them, in the order of those of ``TransformerLayer``."""


def published_names(layers: int = 6) -> Iterator[str]:
    """Yield the names of the published tensors in the order in which ``MiniLM`` declares its own."""
    yield from (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type"))
    for part in ("embeddings.LayerNorm", *(f"encoder.layer.{n}.{part}" for n in range(layers) for part in LAYER_PARTS)):
        yield from (f"{part}.weight", f"{part}.bias")


class TransformerLayer(nn.Module):
    """Self-attention, then a perceptron; each with a shortcut and a layer norm after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.merge = (nn.Linear(width, width) for _ in range(4))
        self.merge_norm = nn.LayerNorm(width, eps=1e-12)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.narrow_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (N, L, D); ``mask`` (N, 1, 1, L) is 0 at a token and very negative at padding."""
        x = self.merge_norm(x + self.merge(self.attend(x, mask)))
        y: Tensor = self.narrow_norm(x + self.narrow(nn.functional.gelu(self.widen(x))))
        return y

    def attend(self, x: Tensor, mask: Tensor) -> Tensor:
        """Compute multi-head self-attention (N, L, D); ``mask`` as in ``forward``."""
        query, key, value = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5 + mask
        mixed: Tensor = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        return mixed


class MiniLM(nn.Module):
    """uint8 token ids (N, L, 2), low byte and high byte -> embeddings (N, D) of unit length.

    Id 0 is padding and is ignored; ids past the vocabulary are clamped to its last.
    """

    def __init__(self, vocabulary: int = VOCABULARY_SIZE, width: int = 384, layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        self.word, self.position, self.kind = (nn.Embedding(count, width) for count in (vocabulary, MAX_TOKENS, 2))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))

    def forward(self, pairs: Tensor) -> tuple[Tensor]:
        """Return the mean of the last layer over the tokens, scaled to unit length."""
        ids = (pairs[..., 0].int() + 256 * pairs[..., 1].int()).clamp(max=self.word.num_embeddings - 1)
        is_token = (ids > 0).float()
        x = self.word(ids) + self.position.weight[: ids.shape[1]] + self.kind.weight[0]
        x, mask = self.norm(x), (is_token[:, None, None] - 1) * 1e9
        for layer in self.layers:
            x = layer(x, mask)
        total = (x * is_token[..., None]).sum(dim=1)
        # The mean and the sum have the same direction, and the length is 1 in the end.
        return (torch.nn.functional.normalize(total, dim=1),)
