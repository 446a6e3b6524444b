"""MoViNet-A0, streaming: a 3-D CNN for clips that can also be fed frame by frame, with the same output.

All temporal operations are causal. Fed in chunks of one frame or more, it keeps the last frames that its convolutions
need (the stream buffer) and the running sums of its global averages; memory does not grow with the video.

Paper: Kondratyuk et al., "MoViNets: Mobile Video Networks for Efficient Video Recognition", CVPR 2021
(arXiv 2103.11511): MoViNet-A0, 3.1 million parameters for 600 classes and 2.7 billion multiply-adds for 50 frames of
172 x 172. Ours has the paper's layers, widths and kernels, causal 3-D convolutions and causal squeeze-and-excitation
in each block; counted, it has 3.11 million and 2.64 billion. Unlike the later release of its authors, it neither
factorizes its kernels into space and time nor feeds the squeeze the current frame beside the average of all.
Weights: none; it is initialized at random, and there is no score of ours for Kinetics.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of each stage, its blocks: temporal kernel, spatial kernel, inner channels; then the output channels, the stride.
STAGES = (
    (((1, 5, 24),), 8, 2),
    (((3, 3, 80), (3, 3, 80), (3, 3, 80)), 32, 2),
    (((5, 3, 184), (3, 3, 112), (3, 3, 184)), 56, 2),
    (((5, 3, 184), (3, 3, 184), (3, 3, 184), (3, 3, 184)), 56, 1),
    (((5, 3, 384), (1, 5, 280), (1, 5, 280), (1, 5, 344)), 104, 2),
)
STEM_CHANNELS, HEAD_CHANNELS, EMBEDDING_DIM = 8, 480, 2048

StreamState = tuple[Tensor, ...]
"""The layers' buffers, in the order of the layers, and last the number of frames so far."""


class StreamBuffer:
    """The layers' buffers of earlier frames, read and updated once by each layer in a forward pass.

    Attributes:
        frames: number of frames before this chunk; a float scalar tensor.
        next: the updated buffers of the layers that have run so far.
    """

    def __init__(self, state: StreamState | None) -> None:
        self._past: Iterator[Tensor] = iter(state or ())
        self._empty = state is None
        self.frames = torch.zeros(()) if state is None else state[-1]
        self.next: list[Tensor] = []

    def read(self, default: Tensor) -> Tensor:
        """Return the buffer of the layer that runs now, or ``default`` if these are the first frames."""
        return default if self._empty else next(self._past)


class CausalConv(nn.Conv3d):
    """A depthwise convolution over space and over time, causal: up to the current frame."""

    def __init__(self, channels: int, frames: int, size: int, stride: int) -> None:
        kernel, padding = (frames, size, size), (0, size // 2, size // 2)
        super().__init__(channels, channels, kernel, (1, stride, stride), padding, groups=channels, bias=False)
        self.past = frames - 1

    def forward(self, x: Tensor, buffer: StreamBuffer) -> Tensor:  # type: ignore[override]  # an extra argument
        """Map (N, C, T, H, W) to (N, C, T, H / stride, W / stride)."""
        if self.past:
            x = torch.cat([buffer.read(torch.zeros_like(x[:, :, :1]).expand(-1, -1, self.past, -1, -1)), x], 2)
            buffer.next.append(x[:, :, -self.past :])
        return super().forward(x)


def cumulative_mean(x: Tensor, buffer: StreamBuffer) -> Tensor:
    """Return the mean over space and over all frames up to each frame: (N, C, T, H, W) to (N, C, T, 1, 1)."""
    frames = x.mean((3, 4), keepdim=True)
    sums = buffer.read(torch.zeros_like(frames[:, :, :1])) + frames.cumsum(2)
    buffer.next.append(sums[:, :, -1:])
    counts = buffer.frames + torch.ones_like(sums[:1, :1]).cumsum(2)
    return sums / counts


class CausalSqueezeExcite(nn.Module):
    """Squeeze-and-excitation: channel weights from the cumulative mean of all frames so far."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = round_to_multiple(channels / 4)
        self.squeeze = nn.Conv3d(channels, inner, 1)
        self.excite = nn.Conv3d(inner, channels, 1)

    def forward(self, x: Tensor, buffer: StreamBuffer) -> Tensor:
        """Scale the channels of (N, C, T, H, W)."""
        inner = functional.hardswish(self.squeeze(cumulative_mean(x, buffer)))
        return x * functional.hardsigmoid(self.excite(inner))


def round_to_multiple(channels: float, by: int = 8) -> int:
    """Round to the nearest multiple of ``by``, at least ``by`` and at least nine tenths of ``channels``."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded if rounded >= 0.9 * channels else rounded + by


def point_conv(inputs: int, outputs: int) -> list[nn.Module]:
    """Build a 1 x 1 x 1 convolution and its batch norm."""
    return [nn.Conv3d(inputs, outputs, 1, bias=False), nn.BatchNorm3d(outputs, eps=1e-3)]


class MoViNetBlock(nn.Module):
    """Inverted bottleneck: expand, causal depthwise convolution, squeeze-and-excitation, project; with a shortcut."""

    def __init__(self, inputs: int, outputs: int, frames: int, size: int, inner: int, stride: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(*point_conv(inputs, inner), nn.Hardswish())
        self.filters = CausalConv(inner, frames, size, stride)
        self.norm = nn.Sequential(nn.BatchNorm3d(inner, eps=1e-3), nn.Hardswish())
        self.weigh = CausalSqueezeExcite(inner)
        self.narrow = nn.Sequential(*point_conv(inner, outputs))
        pool = [nn.AvgPool3d((1, 3, 3), (1, stride, stride), (0, 1, 1), count_include_pad=False)]
        projection = [*(pool if stride > 1 else []), *(point_conv(inputs, outputs) if inputs != outputs else [])]
        self.shortcut = nn.Sequential(*projection)
        self.share = nn.Parameter(torch.zeros(()))
        """Learned scale of the residual, 0 at first (ReZero: Bachlechner et al., UAI 2021)."""

    def forward(self, x: Tensor, buffer: StreamBuffer) -> Tensor:
        """Map (N, C, T, H, W) to (N, C', T, H / stride, W / stride)."""
        y = self.norm(self.filters(self.widen(x), buffer))
        y = self.narrow(self.weigh(y, buffer))
        return self.shortcut(x) + self.share * y  # type: ignore[no-any-return]


class MoViNetA0(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 2048), logits (N, K).

    Args:
        classes: number of classes K.
        dropout: dropout rate of the embedding.

    Attributes:
        maps: the last convolution; its output are feature maps (N, 480, T, H / 32, W / 32).
    """

    def __init__(self, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        stem = nn.Conv3d(3, STEM_CHANNELS, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm3d(STEM_CHANNELS, eps=1e-3), nn.Hardswish())
        stages, inputs = [], STEM_CHANNELS
        for blocks, outputs, stride in STAGES:
            stage = nn.ModuleList()
            for i, (frames, size, inner) in enumerate(blocks):
                stage.append(MoViNetBlock(inputs, outputs, frames, size, inner, stride if i == 0 else 1))
                inputs = outputs
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.maps = nn.Sequential(*point_conv(inputs, HEAD_CHANNELS), nn.Hardswish())
        self.dense = nn.Sequential(nn.Linear(HEAD_CHANNELS, EMBEDDING_DIM), nn.Hardswish())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(EMBEDDING_DIM, classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding (N, 2048) and the class logits (N, K) of whole clips."""
        embedding, logits, _ = self._run(pixels, None)
        return embedding, logits

    def step(self, pixels: Tensor, state: StreamState | None = None) -> tuple[Tensor, Tensor, StreamState]:
        """Process the next frames (N, T, H, W, 3) of each of N videos, one or more at a time.

        Args:
            pixels: the next frames, uint8 or float in [0, 255].
            state: the state that the step before returned; None for the first frames.

        Returns:
            The embedding (N, 2048) and the logits (N, K) of all frames so far, and the state for the next step.
        """
        return self._run(pixels, state)

    def _run(self, pixels: Tensor, state: StreamState | None) -> tuple[Tensor, Tensor, StreamState]:
        buffer = StreamBuffer(state)
        x = self.stem(pixels.permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        for stage in self.stages:
            for block in stage.children():
                x = block(x, buffer)
        pooled = cumulative_mean(self.maps(x), buffer)[:, :, -1, 0, 0]
        embedding = self.dense(pooled)
        frames = buffer.frames + pixels.shape[1]
        return embedding, self.classifier(self.dropout(embedding)), (*buffer.next, frames)

    def trunk(self) -> list[nn.Module]:
        """Return the stem, the five stages and the last convolution."""
        return [self.stem, *self.stages, self.maps]
