"""MoCoGAN as its paper has it: Tulyakov et al., "MoCoGAN: Decomposing motion and content for video generation", CVPR
2018 (arXiv 1707.04993), sections 3.2 and 3.3 and the appendix.

A GRU gives a motion code for each picture, a content code stays for the clip, a class stands beside them as it is; a
chain of transposed convolutions paints each picture alone. One judge looks at pictures, one at clips, both in patches;
that of clips also says which class it sees. Kept here to be compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CONTENT_DIM, MOTION_DIM = 50, 10
"""Numbers of a content code and of a motion code."""

NOISE_STD = 0.1
"""Standard deviation of what is added to all that the judges see."""


class MoCoGAN(nn.Module):
    """The generator.

    Args:
        classes: how many there are; 0 without any. size: side of the pictures in pixels, a power of 2 from 16 on.
        width: channels of the finest scale. rate: pictures a second that the GRU steps at.
    """

    content_length, motion_length = CONTENT_DIM, MOTION_DIM

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
        """Tell how many codes of noise reach so far; the first is the state that the GRU begins with."""
        return round(seconds * self.rate) + 2

    def forward(self, content: Tensor, motion: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        """Give clips (N, T, 3, S, S), -1 to 1.

        Args:
            content: (N, 50) noise. motion: (N, K, 10) noise. labels: (N,) indices of classes.
            times: (N, T) in seconds; what is shown is the step of the GRU that is nearest.
        """
        state, states = motion[:, 0], []
        for one in motion[:, 1:].unbind(1):
            state = self.step(one, state)
            states.append(state)
        at = (times * self.rate).round().long().clamp(0, len(states) - 1)
        moves = torch.stack(states, 1).gather(1, at[..., None].expand(-1, -1, MOTION_DIM))
        kind = functional.one_hot(labels, self.classes).to(content.dtype) if self.classes else content[:, :0]
        still = torch.cat([content, kind], 1)[:, None].expand(-1, times.shape[1], -1)
        codes = torch.cat([still, moves], 2).flatten(0, 1)
        pictures: Tensor = self.paint(codes[:, :, None, None])
        return pictures.view(*times.shape, *pictures.shape[1:])


class NoiseLayer(nn.Module):
    """Add noise while learning."""

    def forward(self, x: Tensor) -> Tensor:
        """Give ``x`` with noise."""
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
        layers += [NoiseLayer(), nn.Conv3d(inputs, outputs, **shape), nn.BatchNorm3d(outputs), nn.LeakyReLU(0.2)]  # type: ignore[arg-type]
    return nn.Sequential(*layers, nn.Conv3d(4 * width, 1 + classes, **shape))  # type: ignore[arg-type]


class MoCoGANDiscriminator(nn.Module):
    """Both judges as one.

    Args:
        classes: how many there are; 0 without any. width: channels of the finest scale. Clips need 13 frames or more.
    """

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.classes = classes
        self.pictures, self.clips = _frame_discriminator(width), _clip_discriminator(width, classes)

    def forward(self, clips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give logits (N, P) of patches, and of classes (N, K), for clips (N, T, 3, S, S) from -1 to 1.

        One picture of each clip is looked at alone. The labels are not told to the judge, which is to tell them.
        """
        picks = torch.randint(clips.shape[1], (len(clips),), device=clips.device)
        alone = self.pictures(clips[torch.arange(len(clips), device=clips.device), picks])
        seen = self.clips(clips.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d))
        logits = torch.cat([_pool_patches(alone), _pool_patches(seen[:, :1])], 1)
        return logits, seen[:, 1:].flatten(2).mean(2) if self.classes else None


PATCH_LOGITS = 16
"""Opinions of each judge, whatever the number of its patches: both count the same."""


def _pool_patches(patches: Tensor) -> Tensor:
    """Give (N, 16) logits, means over as many parts of the patches."""
    return functional.adaptive_avg_pool1d(patches.flatten(1)[:, None], PATCH_LOGITS)[:, 0]
