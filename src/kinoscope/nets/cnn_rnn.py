"""CNN-RNN: frame features of a 2-D CNN, a recurrent network over time, and attention pooling.

Papers: Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition and Description", CVPR 2015
(arXiv 1411.4389); Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Cho et al., 2014 (arXiv 1406.1078), for
the GRU; the attention is that over words of Yang et al., "Hierarchical Attention Networks", NAACL 2016.
Weights: those of the backbone that is passed in; the rest is initialized at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Attention(nn.Module):
    """Attention pooling weights: states (N, T, D) -> weights (N, T) that sum to 1 over T."""

    def __init__(self, size: int) -> None:
        super().__init__()
        # The last layer has no bias, since the softmax would cancel it.
        self.score = nn.Sequential(nn.Linear(size, size // 2), nn.Tanh(), nn.Linear(size // 2, 1, bias=False))

    def forward(self, states: Tensor) -> Tensor:
        """Return the weights (N, T)."""
        scores: Tensor = self.score(states)[..., 0]
        return scores.softmax(1)


class CnnRnn(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, D), logits (N, K).

    Args:
        cnn: the backbone; maps frames (N, H, W, 3) to feature maps (N, features, H', W').
        stages: stages of ``cnn`` that may be frozen, from the input on.
        features: channels of the feature maps.
        classes: number of classes K.
        rnn: kind of the recurrent layer.
        bidirectional: whether it runs in both directions.
        hidden: width of the RNN's state; D is that, or twice that if it is bidirectional.
        dropout: dropout rate of the backbone's features and of the embedding.

    Attributes:
        maps: the backbone; its output are the feature maps of the N * T frames.
        attention: the module whose output is the weight of each frame (N, T).
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
        """Return the embedding (N, D) and the class logits (N, K)."""
        features = self.maps(pixels.flatten(0, 1)).mean((2, 3))
        features = features.reshape(pixels.shape[0], pixels.shape[1], -1)
        states = self.rnn(self.dropout(features))[0]
        embedding = (self.attention(states)[..., None] * states).sum(1)
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Return the stages of the backbone, from the input on."""
        return list(self._stages)
