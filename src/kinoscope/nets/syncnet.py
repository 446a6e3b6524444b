"""Two streams that tell whether lips and sound agree: a CNN over the mouth, a CNN over log-mel, compared in time.

After Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshop 2016 (SyncNet), and "Perfect
match", ICASSP 2019 (arXiv 1809.08001: many candidates at once instead of pairs). Here each frame has an embedding of
its own, from less than a second around it, so that evidence adds up over windows of any length; a mouth is seen as
points of a face mesh, as pixels, or as both; several pairs of streams, from other random starts, are asked together.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

MEL_BANDS = 40
"""Mel bands of the sound."""

MEL_FRAMES_PER_VIDEO_FRAME = 4
"""Steps of the sound, 10 ms each, to a frame of the picture."""

MOUTH_POINTS = 61
"""Points of a mouth, see ``models.inference.mouth_tracker.stabilized_mouth_points``."""

MOUTH_SIZE = 48
"""Side of a mouth's picture in pixels."""

WIDTH, EMBEDDING_DIM = 96, 64


class ResidualConv1d(nn.Module):
    """A temporal convolution beside the identity: (N, C, T) -> (N, C, T)."""

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Add what three neighbours say."""
        added: Tensor = self.drop(functional.gelu(self.norm(self.conv(x))))
        return x + added


def _residuals(count: int, drop: float) -> nn.Sequential:
    return nn.Sequential(*[ResidualConv1d(WIDTH, drop) for _ in range(count)])


def _unit(x: Tensor) -> Tensor:
    """Give embeddings of length 1, time before channels."""
    return functional.normalize(x, dim=1).transpose(1, 2)


class AudioStream(nn.Module):
    """Log-mel (N, T * 4, 40) -> (N, T, 64), each of length 1; each band's mean over time is taken away."""

    def __init__(self, drop: float = 0.2) -> None:
        super().__init__()
        self.into = nn.Sequential(
            *(nn.Conv1d(MEL_BANDS, WIDTH, 5, padding=2), nn.BatchNorm1d(WIDTH), nn.GELU()),
            *(nn.Conv1d(WIDTH, WIDTH, 5, padding=2), nn.BatchNorm1d(WIDTH), nn.GELU()),
        )
        self.down = nn.Conv1d(
            WIDTH,
            WIDTH,
            2 * MEL_FRAMES_PER_VIDEO_FRAME,
            stride=MEL_FRAMES_PER_VIDEO_FRAME,
            padding=MEL_FRAMES_PER_VIDEO_FRAME // 2,
        )
        self.body = _residuals(3, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Embed the sound at each frame's time."""
        x = (mel - mel.mean(1, keepdim=True)).transpose(1, 2) / 4
        return _unit(self.out(self.body(functional.gelu(self.down(self.into(x))))))


class PointStream(nn.Module):
    """Points of a mouth (N, T, 61 * 3), in distances of the eyes -> (N, T, 64), each of length 1.

    Their mean over time is taken away: how a mouth looks at rest does not matter.
    """

    def __init__(self, drop: float = 0.3) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.Conv1d(MOUTH_POINTS * 3, WIDTH, 1), nn.BatchNorm1d(WIDTH), nn.GELU())
        self.body = _residuals(3, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, points: Tensor) -> Tensor:
        """Embed how the mouth moves at each frame."""
        x = (points - points.mean(1, keepdim=True)).transpose(1, 2) * 20
        return _unit(self.out(self.body(self.into(x))))


class PixelStream(nn.Module):
    """Grey pictures of a mouth (N, T, 48, 48), uint8 or float in [0, 255] -> (N, T, 64), each of length 1."""

    def __init__(self, drop: float = 0.3) -> None:
        super().__init__()
        widths = (16, 32, 48, 64)
        self.motion = nn.Conv3d(1, widths[0], 5, stride=(1, 2, 2), padding=2)
        self.norm = nn.BatchNorm3d(widths[0])
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.shape = nn.Sequential(*layers)
        self.drop = nn.Dropout(drop)
        self.join = nn.Linear(widths[-1] * 9, WIDTH)
        self.body = _residuals(2, drop)
        self.out = nn.Conv1d(WIDTH, EMBEDDING_DIM, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed how the mouth looks at each frame; brightness and contrast of the whole clip do not matter."""
        x = pixels.float() / 255
        x = x - x.mean((1, 2, 3), keepdim=True)
        x = x / ((x * x).mean((1, 2, 3), keepdim=True).sqrt() + 1e-3)
        x = functional.relu(self.norm(self.motion(x[:, None]))).transpose(1, 2)
        seen = self.join(self.drop(self.shape(x.flatten(0, 1)).flatten(1)))
        return _unit(self.out(self.body(seen.reshape(x.shape[0], x.shape[1], -1).transpose(1, 2))))


class SyncNet(nn.Module):
    """A stream of the mouth and one of the sound, trained together; ``scale`` makes cosines logits."""

    def __init__(self, mouth: nn.Module) -> None:
        super().__init__()
        self.mouth, self.sound = mouth, AudioStream()
        self.scale = nn.Parameter(torch.tensor(2.3))


MOUTH_STREAMS: dict[str, Callable[[], nn.Module]] = {"points": PointStream, "pixels": PixelStream}
"""What a pair may see of the mouth."""


class Ensemble(nn.Module):
    """Streams of one kind, side by side: their embeddings in one of unit length, so that cosines are averaged."""

    def __init__(self, streams: list[nn.Module]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Give (N, T, 64 * S)."""
        return (torch.cat([stream(x) for stream in self.streams], 2),)
