"""SyncNet: a two-stream network of audio-visual synchronization; a CNN on the mouth and a CNN on log-mel.

Papers: Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshop 2016 (SyncNet), and "Perfect
match", ICASSP 2019 (arXiv 1809.08001: multi-way matching instead of pairs).
Differences: each frame has an embedding of its own, from less than a second around it, so that cosine similarities add
up over windows of any length; the input is mouth landmarks of a face mesh, or pixels; several networks of different
random seeds form an ensemble.
Weights: trained with the recipe recipes/sync.py, and come with kinoscope.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

MEL_BANDS = 40
"""Mel bands of the audio."""

MEL_PER_FRAME = 4
"""Log-mel frames of 10 ms to a video frame."""

MOUTH_POINTS = 61
"""Landmarks of a mouth, see ``models.inference.mouth_tracker.stabilized_mouth_points``."""

MOUTH_SIZE = 48
"""Side of a mouth crop in pixels."""

WIDTH, EMBEDDING_DIM = 96, 64


class ResidualConv1d(nn.Module):
    """A temporal convolution with a shortcut: (N, C, T) -> (N, C, T)."""

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape (N, C, T)."""
        residual: Tensor = self.drop(functional.gelu(self.norm(self.conv(x))))
        return x + residual


def _residuals(count: int, drop: float) -> nn.Sequential:
    return nn.Sequential(*[ResidualConv1d(WIDTH, drop) for _ in range(count)])


def _normalize(x: Tensor) -> Tensor:
    """Return embeddings (N, T, C) of unit length from (N, C, T)."""
    return functional.normalize(x, dim=1).transpose(1, 2)


class AudioStream(nn.Module):
    """Log-mel (N, T * 4, 40) -> embeddings (N, T, 64) of unit length; each band's mean over time is subtracted."""

    def __init__(self, drop: float = 0.2) -> None:
        super().__init__()
        self.into = nn.Sequential(
            *(nn.Conv1d(MEL_BANDS, WIDTH, 5, padding=2), nn.BatchNorm1d(WIDTH), nn.GELU()),
            *(nn.Conv1d(WIDTH, WIDTH, 5, padding=2), nn.BatchNorm1d(WIDTH), nn.GELU()),
        )
        self.down = nn.Conv1d(
            WIDTH,
            WIDTH,
            2 * MEL_PER_FRAME,
            stride=MEL_PER_FRAME,
            padding=MEL_PER_FRAME // 2,
        )
        self.body = _residuals(3, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the embedding of the audio at each video frame's time."""
        x = (mel - mel.mean(1, keepdim=True)).transpose(1, 2) / 4
        return _normalize(self.out(self.body(functional.gelu(self.down(self.into(x))))))


class PointStream(nn.Module):
    """Mouth landmarks (N, T, 61 * 3), in distances of the eyes -> embeddings (N, T, 64) of unit length.

    Their mean over time is subtracted, so that the shape of a mouth at rest has no effect.
    """

    def __init__(self, drop: float = 0.3) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.Conv1d(MOUTH_POINTS * 3, WIDTH, 1), nn.BatchNorm1d(WIDTH), nn.GELU())
        self.body = _residuals(3, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, points: Tensor) -> Tensor:
        """Return the embedding of the mouth's motion at each frame."""
        x = (points - points.mean(1, keepdim=True)).transpose(1, 2) * 20
        return _normalize(self.out(self.body(self.into(x))))


class PixelStream(nn.Module):
    """Grey mouth crops (N, T, 48, 48), uint8 or float in [0, 255] -> embeddings (N, T, 64) of unit length."""

    def __init__(self, drop: float = 0.3) -> None:
        super().__init__()
        widths = (16, 32, 48, 64)
        self.motion = nn.Conv3d(1, widths[0], 5, stride=(1, 2, 2), padding=2)
        self.norm = nn.BatchNorm3d(widths[0])
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.shape = nn.Sequential(*layers)
        self.drop = nn.Dropout(drop)
        self.join = nn.Linear(widths[-1] * 9, WIDTH)
        self.body = _residuals(2, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the embedding of the mouth at each frame, invariant to brightness and contrast of the whole clip."""
        x = pixels.float() / 255
        x = x - x.mean((1, 2, 3), keepdim=True)
        x = x / ((x * x).mean((1, 2, 3), keepdim=True).sqrt() + 1e-3)
        x = functional.relu(self.norm(self.motion(x[:, None]))).transpose(1, 2)
        features = self.join(self.drop(self.shape(x.flatten(0, 1)).flatten(1)))
        return _normalize(self.out(self.body(features.reshape(x.shape[0], x.shape[1], -1).transpose(1, 2))))


class SyncNet(nn.Module):
    """A mouth stream and an audio stream that are trained together.

    Attributes:
        mouth: the mouth stream, see ``MOUTH_STREAMS``.
        sound: the audio stream.
        scale: log of the learned factor from cosine similarities to logits.
    """

    def __init__(self, mouth: nn.Module) -> None:
        super().__init__()
        self.mouth, self.sound = mouth, AudioStream()
        self.scale = nn.Parameter(torch.tensor(2.3))


MOUTH_STREAMS: dict[str, Callable[[], nn.Module]] = {"points": PointStream, "pixels": PixelStream}
"""Mouth streams by the kind of their input."""


class Ensemble(nn.Module):
    """Streams of one kind whose embeddings are concatenated, so that the dot product sums their cosine similarities."""

    def __init__(self, streams: list[nn.Module]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the concatenated embeddings (N, T, 64 * S) of S streams."""
        return (torch.cat([stream(x) for stream in self.streams], 2),)
