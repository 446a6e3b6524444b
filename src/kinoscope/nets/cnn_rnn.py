"""A CNN looks at each picture, an RNN follows them through time, and attention weighs the moments.

Papers: Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition and Description", CVPR 2015
(arXiv 1411.4389); Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Cho et al., 2014 (arXiv 1406.1078), for
the GRU; the attention is that over words of Yang et al., "Hierarchical Attention Networks", NAACL 2016.
Weights: those of the CNN that it is given; the rest starts random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Attention(nn.Module):
    """States (N, T, D) -> how much each moment counts (N, T), which adds up to 1 over T."""

    def __init__(self, size: int) -> None:
        super().__init__()
        # The last layer has no bias, since the softmax would cancel it.
        self.score = nn.Sequential(nn.Linear(size, size // 2), nn.Tanh(), nn.Linear(size // 2, 1, bias=False))

    def forward(self, states: Tensor) -> Tensor:
        """Give the weights."""
        scores: Tensor = self.score(states)[..., 0]
        return scores.softmax(1)


class CnnRnn(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, D), logits (N, K).

    Args:
        cnn: maps pictures (N, H, W, 3) to maps (N, features, H', W').
        stages: those of ``cnn`` that may be frozen, the input's first.
        features: channels of the maps.
        hidden: width of the RNN's state; D is that, or twice that where it runs in both directions.
        dropout: share of the CNN's features, and of the embedding, that is dropped in training.

    Attributes:
        maps: the CNN; its output are the maps of the N * T pictures.
        attention: the module whose output is how much each moment counts, (N, T).
    """

    def __init__(
        self,
        cnn: nn.Module,
        stages: Sequence[nn.Module],
        features: int,
        classes: int,
        rnn: Literal["gru", "lstm"] = "gru",
        bidirectional: bool = False,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.maps = cnn
        self.rnn = CELLS[rnn](features, hidden, batch_first=True, bidirectional=bidirectional)
        size = hidden * (2 if bidirectional else 1)
        self.attention = Attention(size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size, classes)
        self._stages = tuple(stages)  # in a tuple, the stages are not registered a second time

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the embedding and the class logits."""
        features = self.maps(pixels.flatten(0, 1)).mean((2, 3))
        features = features.reshape(pixels.shape[0], pixels.shape[1], -1)
        states = self.rnn(self.dropout(features))[0]
        embedding = (self.attention(states)[..., None] * states).sum(1)
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Give the stages of the CNN."""
        return list(self._stages)
