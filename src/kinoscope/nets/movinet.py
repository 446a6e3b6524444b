"""MoViNet-A0, streaming: a 3-D CNN for clips that can also be fed frame by frame, with the same answer.

Every layer that looks through time looks back only. Fed in parts, of a frame or more each, it keeps the last frames
that it needs (the stream buffer) and, where it averages over all that it saw, their sum; the memory does not grow with
the video.

Paper: Kondratyuk et al., "MoViNets: Mobile Video Networks for Efficient Video Recognition", CVPR 2021
(arXiv 2103.11511): MoViNet-A0, 3.1 million parameters for 600 classes and 2.7 billion multiply-adds for 50 frames of
172 x 172. Ours has the paper's layers, widths and kernels, causal 3-D convolutions and causal squeeze-and-excitation
in each block; counted, it has 3.11 million and 2.64 billion. Unlike the later release of its authors, it neither
splits its kernels into space and time nor gives the squeeze the current frame beside the average of all.
Weights: none; it starts random, and there is no score of ours for Kinetics.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of each stage, its blocks: kernel over time, kernel over the picture, width inside; then the channels out, the stride.
STAGES = (
    (((1, 5, 24),), 8, 2),
    (((3, 3, 80), (3, 3, 80), (3, 3, 80)), 32, 2),
    (((5, 3, 184), (3, 3, 112), (3, 3, 184)), 56, 2),
    (((5, 3, 184), (3, 3, 184), (3, 3, 184), (3, 3, 184)), 56, 1),
    (((5, 3, 384), (1, 5, 280), (1, 5, 280), (1, 5, 344)), 104, 2),
)
STEM_CHANNELS, HEAD_CHANNELS, EMBEDDING_DIM = 8, 480, 2048

StreamState = tuple[Tensor, ...]
"""What the layers remember, in their order, and the number of frames so far last."""


class StreamBuffer:
    """What the layers remember of earlier frames, and what they will of these.

    Attributes:
        seen: how many frames there were before these; a float tensor without axes.
        next: what each layer that was asked so far remembers now.
    """

    def __init__(self, state: StreamState | None) -> None:
        self._past: Iterator[Tensor] = iter(state or ())
        self._fresh = state is None
        self.seen = torch.zeros(()) if state is None else state[-1]
        self.next: list[Tensor] = []

    def recall(self, nothing: Tensor) -> Tensor:
        """Give what the layer whose turn it is remembers; ``nothing`` if these are the first frames."""
        return nothing if self._fresh else next(self._past)


class CausalConv(nn.Conv3d):
    """A convolution of each channel by itself over frames up to the present, and the picture."""

    def __init__(self, channels: int, frames: int, size: int, stride: int) -> None:
        kernel, padding = (frames, size, size), (0, size // 2, size // 2)
        super().__init__(channels, channels, kernel, (1, stride, stride), padding, groups=channels, bias=False)
        self.past = frames - 1

    def forward(self, x: Tensor, memory: StreamBuffer) -> Tensor:  # type: ignore[override]  # a memory besides
        """Map (N, C, T, H, W) to (N, C, T, H / stride, W / stride)."""
        if self.past:
            x = torch.cat([memory.recall(torch.zeros_like(x[:, :, :1]).expand(-1, -1, self.past, -1, -1)), x], 2)
            memory.next.append(x[:, :, -self.past :])
        return super().forward(x)


def cumulative_mean(x: Tensor, memory: StreamBuffer) -> Tensor:
    """Give the mean over the picture and all frames up to each: (N, C, T, H, W) to (N, C, T, 1, 1)."""
    frames = x.mean((3, 4), keepdim=True)
    sums = memory.recall(torch.zeros_like(frames[:, :, :1])) + frames.cumsum(2)
    memory.next.append(sums[:, :, -1:])
    counts = memory.seen + torch.ones_like(sums[:1, :1]).cumsum(2)
    return sums / counts


class CausalSqueezeExcite(nn.Module):
    """Weigh each channel by what was seen so far."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = round_to_multiple(channels / 4)
        self.squeeze = nn.Conv3d(channels, inner, 1)
        self.excite = nn.Conv3d(inner, channels, 1)

    def forward(self, x: Tensor, memory: StreamBuffer) -> Tensor:
        """Weigh (N, C, T, H, W)."""
        inner = functional.hardswish(self.squeeze(cumulative_mean(x, memory)))
        return x * functional.hardsigmoid(self.excite(inner))


def round_to_multiple(channels: float, by: int = 8) -> int:
    """Round to a multiple of ``by``, at least that, and at least nine tenths of ``channels``."""
    near = max(by, int(channels + by / 2) // by * by)
    return near if near >= 0.9 * channels else near + by


def point_conv(inputs: int, outputs: int) -> list[nn.Module]:
    """Give a 1 x 1 x 1 convolution and its batch norm."""
    return [nn.Conv3d(inputs, outputs, 1, bias=False), nn.BatchNorm3d(outputs, eps=1e-3)]


class MoViNetBlock(nn.Module):
    """Inverted bottleneck: widen, filter each channel through time and picture, weigh, narrow; added to its input."""

    def __init__(self, inputs: int, outputs: int, frames: int, size: int, wide: int, stride: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(*point_conv(inputs, wide), nn.Hardswish())
        self.filters = CausalConv(wide, frames, size, stride)
        self.norm = nn.Sequential(nn.BatchNorm3d(wide, eps=1e-3), nn.Hardswish())
        self.weigh = CausalSqueezeExcite(wide)
        self.narrow = nn.Sequential(*point_conv(wide, outputs))
        shrink = [nn.AvgPool3d((1, 3, 3), (1, stride, stride), (0, 1, 1), count_include_pad=False)]
        fit = [*(shrink if stride > 1 else []), *(point_conv(inputs, outputs) if inputs != outputs else [])]
        self.shortcut = nn.Sequential(*fit)
        self.share = nn.Parameter(torch.zeros(()))
        """How much the block adds to its input: nothing at first (Bachlechner et al., UAI 2021)."""

    def forward(self, x: Tensor, memory: StreamBuffer) -> Tensor:
        """Map (N, C, T, H, W) to (N, C', T, H / stride, W / stride)."""
        y = self.norm(self.filters(self.widen(x), memory))
        y = self.narrow(self.weigh(y, memory))
        return self.shortcut(x) + self.share * y  # type: ignore[no-any-return]


class MoViNetA0(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 2048), logits (N, K).

    Args:
        dropout: share of the embedding that is dropped in training.

    Attributes:
        maps: the last convolution; its output are maps (N, 480, T, H / 32, W / 32).
    """

    def __init__(self, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        stem = nn.Conv3d(3, STEM_CHANNELS, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm3d(STEM_CHANNELS, eps=1e-3), nn.Hardswish())
        stages, inputs = [], STEM_CHANNELS
        for blocks, outputs, stride in STAGES:
            stage = nn.ModuleList()
            for i, (frames, size, wide) in enumerate(blocks):
                stage.append(MoViNetBlock(inputs, outputs, frames, size, wide, stride if i == 0 else 1))
                inputs = outputs
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.maps = nn.Sequential(*point_conv(inputs, HEAD_CHANNELS), nn.Hardswish())
        self.dense = nn.Sequential(nn.Linear(HEAD_CHANNELS, EMBEDDING_DIM), nn.Hardswish())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(EMBEDDING_DIM, classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the embedding and the class logits of whole clips."""
        embedding, logits, _ = self._run(pixels, None)
        return embedding, logits

    def step(self, pixels: Tensor, state: StreamState | None = None) -> tuple[Tensor, Tensor, StreamState]:
        """Take the next frames (N, T, H, W, 3) of each of N videos: one at a time, or as many as there are.

        Args:
            state: what the step before gave; None for the first frames.

        Returns:
            The embedding (N, 2048) and the logits (N, K) of all frames so far, and the state for the next step.
        """
        return self._run(pixels, state)

    def _run(self, pixels: Tensor, state: StreamState | None) -> tuple[Tensor, Tensor, StreamState]:
        memory = StreamBuffer(state)
        x = self.stem(pixels.permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        for stage in self.stages:
            for block in stage.children():
                x = block(x, memory)
        pooled = cumulative_mean(self.maps(x), memory)[:, :, -1, 0, 0]
        embedding = self.dense(pooled)
        seen = memory.seen + pixels.shape[1]
        return embedding, self.classifier(self.dropout(embedding)), (*memory.next, seen)

    def trunk(self) -> list[nn.Module]:
        """Give the stem, the five stages and the last convolution."""
        return [self.stem, *self.stages, self.maps]
