"""MoCoGAN as its paper has it: Tulyakov et al., "MoCoGAN: Decomposing motion and content for video generation", CVPR
2018 (arXiv 1707.04993), sections 3.2 and 3.3 and the appendix.

A GRU yields a motion code for each frame, a content code is constant over the clip, the class is one-hot; transposed
convolutions generate each frame from the concatenated codes. There are two patch discriminators, one of frames (image
discriminator in the paper) and one of clips (video discriminator), which also classifies. It serves as a baseline.
Weights: none; it is initialized at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CONTENT_DIM, MOTION_DIM = 50, 10
"""Length of a content code and of a motion code."""

NOISE_STD = 0.1
"""Standard deviation of the noise that is added to the input of each layer of the discriminators."""

PATCH_LOGITS = 16
"""Logits of each discriminator, whatever the number of its patches: both have the same weight."""


class MoCoGAN(nn.Module):
    """The generator.

    Args:
        classes: number of classes; 0 for an unconditional model.
        size: side of the frames in pixels, a power of 2 from 16 on.
        width: channels of the finest scale.
        rate: steps of the GRU a second.
    """

    def __init__(self, classes: int, size: int = 64, width: int = 64, rate: float = 25.0) -> None:
        super().__init__()
        self.classes, self.rate = classes, rate
        self.step = nn.GRUCell(MOTION_DIM, MOTION_DIM)
        channels = [width * 2**scale for scale in range(size.bit_length() - 4, -1, -1)]
        layers: list[nn.Module] = [nn.ConvTranspose2d(CONTENT_DIM + MOTION_DIM + classes, channels[0], 4, bias=False)]
        for inputs, outputs in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.paint = nn.Sequential(*layers, nn.Tanh())

    def steps(self, seconds: float) -> int:
        """Return the number of motion noise vectors for so many seconds; the first is the GRU's initial state."""
        return round(seconds * self.rate) + 2

    def forward(self, content: Tensor, motion: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        """Return clips (N, T, 3, S, S) in [-1, 1].

        Args:
            content: noise (N, 50).
            motion: noise (N, K, 10); see ``steps`` for K.
            labels: class indices (N,).
            times: (N, T) in seconds; each frame is that of the nearest step of the GRU.
        """
        state, states = motion[:, 0], []
        for noise in motion[:, 1:].unbind(1):
            state = self.step(noise, state)
            states.append(state)
        indices = (times * self.rate).round().long().clamp(0, len(states) - 1)
        motion_codes = torch.stack(states, 1).gather(1, indices[..., None].expand(-1, -1, MOTION_DIM))
        one_hot = functional.one_hot(labels, self.classes).to(content.dtype) if self.classes else content[:, :0]
        constant = torch.cat([content, one_hot], 1)[:, None].expand(-1, times.shape[1], -1)
        codes = torch.cat([constant, motion_codes], 2).flatten(0, 1)
        frames: Tensor = self.paint(codes[:, :, None, None])
        return frames.view(*times.shape, *frames.shape[1:])


class NoiseLayer(nn.Module):
    """Gaussian noise that is added in training."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with noise."""
        return x + NOISE_STD * torch.randn_like(x) if self.training else x


def _frame_discriminator(width: int) -> nn.Sequential:
    layers: list[nn.Module] = [NoiseLayer(), nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for scale in (1, 2):
        inputs, outputs = width * 2 ** (scale - 1), width * 2**scale
        layers += [
            NoiseLayer(),
            nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, NoiseLayer(), nn.Conv2d(4 * width, 1, 4, 2, 1, bias=False))


def _clip_discriminator(width: int, classes: int) -> nn.Sequential:
    shape = {"kernel_size": (4, 4, 4), "stride": (1, 2, 2), "padding": (0, 1, 1), "bias": False}
    layers: list[nn.Module] = [NoiseLayer(), nn.Conv3d(3, width, **shape), nn.LeakyReLU(0.2)]  # type: ignore[arg-type]
    for scale in (1, 2):
        inputs, outputs = width * 2 ** (scale - 1), width * 2**scale
        conv = nn.Conv3d(inputs, outputs, **shape)  # type: ignore[arg-type]
        layers += [NoiseLayer(), conv, nn.BatchNorm3d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv3d(4 * width, 1 + classes, **shape))  # type: ignore[arg-type]


class MoCoGANDiscriminator(nn.Module):
    """Both discriminators; clips need 13 frames or more.

    Args:
        classes: number of classes; 0 for an unconditional model.
        width: channels of the finest scale.
    """

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.classes = classes
        self.pictures, self.clips = _frame_discriminator(width), _clip_discriminator(width, classes)

    def forward(self, clips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits of patches (N, P), high for real, and class logits (N, K), or None if there are no classes.

        The frame discriminator gets one random frame of each clip. The labels are not used: they are to be predicted.

        Args:
            clips: (N, T, 3, S, S) in [-1, 1].
            labels: class indices (N,).
        """
        indices = torch.randint(clips.shape[1], (len(clips),), device=clips.device)
        of_frames = self.pictures(clips[torch.arange(len(clips), device=clips.device), indices])
        of_clips = self.clips(clips.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d))
        logits = torch.cat([_pool_patches(of_frames), _pool_patches(of_clips[:, :1])], 1)
        return logits, of_clips[:, 1:].flatten(2).mean(2) if self.classes else None


def _pool_patches(patches: Tensor) -> Tensor:
    """Return logits (N, 16), adaptive averages over the patches."""
    return functional.adaptive_avg_pool1d(patches.flatten(1)[:, None], PATCH_LOGITS)[:, 0]
