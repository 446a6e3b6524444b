"""A generator of clips whose content and motion have codes of their own, and the judge it learns from.

One code says what a clip shows, and stays; a code for each moment says how it moves, and comes from a recurrent network
(Tulyakov et al., "MoCoGAN", CVPR 2018). That network makes a step only every so many seconds; between its steps, codes
are mixed and ride on waves, so that a clip can be asked for at any times (as in Skorokhodov et al., "StyleGAN-V", CVPR
2022). Codes act on convolutions by scaling their inputs (Karras et al., "StyleGAN2", CVPR 2020), and they shift the
waves that a picture is drawn on, so that a thing looks the same wherever it goes (Karras et al., "Alias-free generative
adversarial networks", NeurIPS 2021). What stands still is painted once for a clip, and what moves is laid over it
through a mask (Vondrick et al., "Generating videos with scene dynamics", NeurIPS 2016).

The judge looks twice: at a few sharp pictures alone, and at the whole clip at half the size in space and time at once
(as in Clark et al., "DVD-GAN", 2019). It has no normalization (Huang et al., "R3GAN", NeurIPS 2024); a class is told
to it by projection (Miyato and Koyama, ICLR 2018).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

NOISE_DIM = 64
"""Numbers of a content code as it is drawn, and of a motion code's noise."""

STYLE_DIM, MOTION_DIM = 96, 64
"""Numbers of a content code as it acts, and of a motion code."""

NUM_WAVES = 16
"""Waves on which motion rides, from ``MIN_WAVE_HZ`` to ``MAX_WAVE_HZ`` in Hz before they are tuned for each clip."""

MIN_WAVE_HZ, MAX_WAVE_HZ = 0.25, 4.0

MIN_SIZE = 4
"""Side in pixels at which a picture begins."""

FOURIER_FREQUENCIES = (0.5, 1.0, 2.0)
"""Waves to half a picture's side that pictures are drawn on, each across and down."""

MAX_FOURIER_SIZE = 16
"""Side in pixels of the largest scale that is given them; finer ones follow."""


Padding = Literal["zeros", "replicate"]


def scale_channels(size: int, width: int, most: int) -> list[int]:
    """Give the channels of each scale, from 4 pixels up to ``size``: doubled from ``width`` down to a limit."""
    scales = int(math.log2(size // MIN_SIZE))
    return [min(most, width * 2 ** (scales - scale)) for scale in range(scales + 1)]


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a code."""

    def __init__(self, inputs: int, outputs: int, code: int, padding: Padding = "zeros") -> None:
        super().__init__()
        self.scale = nn.Linear(code, inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=padding)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map (N, C, H, W) with a code (N, D)."""
        return _leaky_relu(self.conv(x * self.scale(code)[:, :, None, None]))


class FourierFeatures(nn.Module):
    """Waves across a picture, shifted by a code, and stretched by the first ``looks`` numbers of it."""

    waves = 4 * len(FOURIER_FREQUENCIES)

    def __init__(self, code: int, looks: int) -> None:
        super().__init__()
        self.looks = looks
        self.shift, self.stretch = nn.Linear(code, 2), nn.Linear(looks, 2)

    def forward(self, code: Tensor, side: int) -> Tensor:
        """Give waves (N, 4F, S, S) for codes (N, D)."""
        shift, stretch = self.shift(code), self.stretch(code[:, : self.looks])
        line = torch.linspace(1 / side - 1, 1 - 1 / side, side, device=code.device)
        places = (line - shift[..., None]) * torch.exp(0.5 * torch.tanh(stretch))[..., None]  # (N, 2, S)
        angles = math.pi * torch.cat([places * one for one in FOURIER_FREQUENCIES], 1)
        waves = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        across, down = waves[:, ::2, None, :], waves[:, 1::2, :, None]
        return torch.cat([across.expand(-1, -1, side, -1), down.expand(-1, -1, -1, side)], 1)


class FrameSynthesis(nn.Module):
    """Pictures from codes, coarse to fine; the last doubling is by sub-pixels (Shi et al., CVPR 2016).

    Args:
        code: how many numbers say where things are; looks: how many of the first of them say what things look like.
            Where those are fewer, all places are alike, and a thing looks the same wherever it is.
        channels: of each scale. colours: of a picture.
    """

    def __init__(self, code: int, looks: int, channels: list[int], colours: int) -> None:
        super().__init__()
        self.looks, self.cells = looks, MIN_SIZE**2 if looks == code else 1
        padding: Padding = "zeros" if looks == code else "replicate"
        self.ground = FourierFeatures(code, looks)
        self.begin = nn.Linear(looks, channels[0] * self.cells)
        given = [
            FourierFeatures.waves if MIN_SIZE * 2**scale <= MAX_FOURIER_SIZE else 0 for scale in range(1, len(channels))
        ]
        pairs = zip(pairwise(channels), given, strict=True)
        self.first = nn.ModuleList(
            [ModulatedConv(inputs + waves, outputs, looks, padding) for (inputs, outputs), waves in pairs]
        )
        self.second = nn.ModuleList([ModulatedConv(outputs, outputs, looks, padding) for outputs in channels[1:-1]])
        self.colours = nn.Conv2d(channels[-1], 4 * colours, 3, padding=1)
        _initialize_weights(self)
        with torch.no_grad():
            self.ground.shift.weight.mul_(0.3)  # things begin slowly
            # The four sub-pixels begin alike, or the picture would begin as a chessboard.
            self.colours.weight.copy_(0.05 * self.colours.weight[::4].repeat_interleave(4, 0))

    def forward(self, code: Tensor) -> Tensor:
        """Give pictures (N, K, S, S) for codes (N, D)."""
        looks = code[:, : self.looks]
        x = _leaky_relu(self.begin(looks)).view(-1, self.begin.out_features // self.cells, self.cells)
        x = x.expand(-1, -1, MIN_SIZE**2).reshape(*x.shape[:2], MIN_SIZE, MIN_SIZE)
        x = x.contiguous(memory_format=torch.channels_last)
        for number, first in enumerate(self.first):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            if x.shape[2] <= MAX_FOURIER_SIZE:
                x = torch.cat([x, self.ground(code, x.shape[2])], 1)
            x = first(x, looks)
            if number < len(self.second):
                x = x + self.second[number](x, looks)
        # The mean of each pixel and its neighbours leaves no chessboard, which sub-pixels are prone to.
        fine = functional.pad(functional.pixel_shuffle(self.colours(x), 2), (0, 1, 0, 1), "replicate")
        return functional.avg_pool2d(fine, 2, 1)


class FrameGenerator(nn.Module):
    """A painter of pictures by itself: codes of content and motion side by side (N, D) to (N, S, S, K)."""

    def __init__(self, pictures: FrameSynthesis) -> None:
        super().__init__()
        self.pictures = pictures

    def forward(self, codes: Tensor) -> Tensor:
        """Give pictures, around -1 to 1, and a logit of the mask if there is one."""
        picture: Tensor = self.pictures(codes)
        return picture.permute(0, 2, 3, 1)


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _initialize_weights(module: nn.Module) -> None:
    """Start layers so that what they give varies as much as what they are given."""
    for one in module.modules():
        if isinstance(one, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(one.weight, 0.2)
            assert one.bias is not None
            nn.init.zeros_(one.bias)
        if isinstance(one, ModulatedConv):
            nn.init.normal_(one.scale.weight, 0, 0.5 / math.sqrt(one.scale.in_features))
            nn.init.ones_(one.scale.bias)


class MotionCodes(nn.Module):
    """Codes of motion at any times.

    Args:
        classes: how many there are; 0 without any. spacing: seconds between the steps of the recurrent network.
    """

    frequencies: Tensor

    def __init__(self, classes: int, spacing: float) -> None:
        super().__init__()
        self.spacing = spacing
        self.kind = nn.Embedding(max(classes, 1), MOTION_DIM)
        self.tune = nn.Sequential(
            nn.Linear(NOISE_DIM + MOTION_DIM, MOTION_DIM), nn.LeakyReLU(0.2), nn.Linear(MOTION_DIM, 2 * NUM_WAVES)
        )
        self.step = nn.GRUCell(NOISE_DIM + MOTION_DIM, MOTION_DIM)
        self.height = nn.Linear(MOTION_DIM, NUM_WAVES)
        self.mix = nn.Sequential(
            nn.Linear(MOTION_DIM + 2 * NUM_WAVES, MOTION_DIM),
            nn.LeakyReLU(0.2),
            nn.Linear(MOTION_DIM, MOTION_DIM),
            nn.LeakyReLU(0.2),
        )
        _initialize_weights(self)
        frequencies = MIN_WAVE_HZ * (MAX_WAVE_HZ / MIN_WAVE_HZ) ** torch.linspace(0, 1, NUM_WAVES)
        self.register_buffer("frequencies", frequencies, persistent=False)
        with torch.no_grad():  # slow waves are the higher ones, as in most that moves
            self.height.bias.copy_(2 * (MIN_WAVE_HZ / frequencies).sqrt())

    def steps(self, seconds: float) -> int:
        """Tell how many codes of noise reach so far."""
        return math.floor(seconds / self.spacing) + 3

    def forward(self, noise: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        """Give codes (N, T, M) at times (N, T) in seconds from zero on, from noise (N, K, Z); see ``steps``."""
        kind = self.kind(labels)
        speed, phase = self.tune(torch.cat([noise[:, 0], kind], 1)).chunk(2, 1)
        states = self._walk(noise[:, 1:], kind)
        at = times / self.spacing
        before = at.floor().long().clamp(0, states.shape[1] - 2)
        share = (at - before).clamp(0, 1)
        share = (share * share * (3 - 2 * share))[..., None]
        left, right = (_gather_frames(states, before + one) for one in (0, 1))
        state = left + share * (right - left)
        turns = self.frequencies * torch.exp(0.5 * torch.tanh(speed))
        angle = 2 * math.pi * (turns[:, None] * times[..., None] + phase[:, None])
        height = self.height(state)
        mixed: Tensor = self.mix(torch.cat([state, height * torch.sin(angle), height * torch.cos(angle)], 2))
        return mixed

    def _walk(self, noise: Tensor, kind: Tensor) -> Tensor:
        """Give the states (N, K, M) of the recurrent network."""
        state, states = torch.tanh(kind), []
        for one in noise.unbind(1):
            state = self.step(torch.cat([one, kind], 1), state)
            states.append(state)
        return torch.stack(states, 1)


def _gather_frames(states: Tensor, places: Tensor) -> Tensor:
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[2]))


class VideoGAN(nn.Module):
    """The generator.

    Args:
        classes: how many there are; 0 without any. size: side of the pictures in pixels, a power of 2 from 16 on.
        width: channels of the finest scale. spacing: seconds between steps of the motion.
        backdrop: whether what stands still is painted apart.
        rigid: whether motion shifts what moves, and changes nothing else of it.
    """

    def __init__(
        self,
        classes: int,
        size: int = 64,
        width: int = 16,
        spacing: float = 0.32,
        backdrop: bool = True,
        rigid: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.backdrop = size, backdrop
        self.kind = nn.Embedding(max(classes, 1), NOISE_DIM)
        self.content = nn.Sequential(
            nn.Linear(2 * NOISE_DIM, STYLE_DIM), nn.LeakyReLU(0.2), nn.Linear(STYLE_DIM, STYLE_DIM), nn.LeakyReLU(0.2)
        )
        _initialize_weights(self.content)
        self.motion = MotionCodes(classes, spacing)
        channels = scale_channels(size // 2, width, 6 * width)
        looks = STYLE_DIM if rigid else STYLE_DIM + MOTION_DIM
        self.moving = FrameSynthesis(STYLE_DIM + MOTION_DIM, looks, channels, 4 if backdrop else 3)
        self.still = FrameSynthesis(STYLE_DIM, STYLE_DIM, channels, 3) if backdrop else None

    still_length, moving_length = STYLE_DIM, STYLE_DIM + MOTION_DIM

    def steps(self, seconds: float) -> int:
        """Tell how many codes of motion noise reach so far."""
        return self.motion.steps(seconds)

    def style(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Give content codes (N, S) as they act, from noise (N, Z)."""
        noise = noise * torch.rsqrt(noise.square().mean(1, keepdim=True) + 1e-8)
        kind = functional.normalize(self.kind(labels), dim=1) * math.sqrt(NOISE_DIM)
        style: Tensor = self.content(torch.cat([noise, kind], 1))
        return style

    def paint(self, style: Tensor, motion: Tensor) -> Tensor:
        """Give clips (N, T, 3, S, S), around -1 to 1, for content (N, S) and motion (N, T, M)."""
        count, frames = motion.shape[:2]
        codes = torch.cat([style[:, None].expand(-1, frames, -1), motion], 2)
        moving: Tensor = self.moving(codes.flatten(0, 1))
        moving = moving.view(count, frames, *moving.shape[1:])
        if self.still is None:
            return moving
        still = self.still(style)[:, None]
        clips: Tensor = still + torch.sigmoid(moving[:, :, 3:]) * (moving[:, :, :3] - still)
        return clips

    def forward(self, content: Tensor, motion: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        """Give clips (N, T, 3, S, S), around -1 to 1.

        Args:
            content: (N, Z) noise. motion: (N, K, Z) noise. labels: (N,) indices of classes.
            times: (N, T) in seconds.
        """
        return self.paint(self.style(content, labels), self.motion(motion, labels, times))


class FrameDiscriminator(nn.Module):
    """What pictures look like alone: (N, 3, S, S) to embeddings (N, D)."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        pairs = zip([3, *channels], channels, strict=False)
        self.down = nn.ModuleList([nn.Conv2d(inputs, outputs, 4, 2, 1) for inputs, outputs in pairs])
        self.end = nn.Linear(channels[-1] * MIN_SIZE**2, channels[-1])
        _initialize_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Give embeddings of pictures around -1 to 1."""
        x = x.contiguous(memory_format=torch.channels_last)
        for down in self.down:
            x = _leaky_relu(down(x))
        embeddings: Tensor = _leaky_relu(self.end(x.flatten(1)))
        return embeddings


class ClipDiscriminator(nn.Module):
    """What clips look like as they move: (N, 3, T, S, S) to embeddings (N, D)."""

    def __init__(self, channels: list[int], frames: int) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        for number, (inputs, outputs) in enumerate(zip([3, *channels], channels, strict=False)):
            halve = number > 0 and frames > 2
            self.down.append(nn.Conv3d(inputs, outputs, (3, 4, 4), (2 if halve else 1, 2, 2), 1))
            frames = (frames + 1) // 2 if halve else frames
        self.end = nn.Linear(channels[-1] * MIN_SIZE**2 * frames, channels[-1])
        _initialize_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Give embeddings of clips around -1 to 1."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        for down in self.down:
            x = _leaky_relu(down(x))
        embeddings: Tensor = _leaky_relu(self.end(x.flatten(1)))
        return embeddings


class VideoDiscriminator(nn.Module):
    """Tell real clips from made ones, by pictures and by motion.

    Args:
        classes, size, frames: of the clips. width: channels of the finest scale.
        shown: pictures that are looked at alone.
    """

    def __init__(self, classes: int, size: int = 64, frames: int = 16, width: int = 24, shown: int = 2) -> None:
        super().__init__()
        self.shown = min(shown, frames)
        fine = scale_channels(size // 2, width, 4 * width)[::-1]
        coarse = scale_channels(size // 4, width, 4 * width)[::-1]
        self.pictures, self.clips = FrameDiscriminator(fine), ClipDiscriminator(coarse, frames)
        lengths = (fine[-1], coarse[-1])
        self.opinion = nn.ModuleList([nn.Linear(length, 1) for length in lengths])
        self.kinds = nn.ModuleList([nn.Embedding(classes, length) for length in lengths] if classes else [])
        for kind in self.kinds.parameters():
            nn.init.normal_(kind, 0, 0.02)

    def forward(self, clips: Tensor, labels: Tensor) -> Tensor:
        """Give logits (N, 2), of pictures and of motion, for clips (N, T, 3, S, S) around -1 to 1 of classes (N,)."""
        picks = torch.rand(clips.shape[:2], device=clips.device).argsort(1)[:, : self.shown]
        rows = torch.arange(len(clips), device=clips.device)[:, None]
        alone = self.pictures(clips[rows, picks].flatten(0, 1)).view(len(clips), self.shown, -1).mean(1)
        small = functional.avg_pool2d(clips.flatten(0, 1), 2)
        seen = (alone, self.clips(small.view(*clips.shape[:3], *small.shape[2:]).transpose(1, 2)))
        told = [opinion(one) for opinion, one in zip(self.opinion, seen, strict=True)]
        for place, kind in enumerate(self.kinds):
            told[place] = told[place] + (kind(labels) * seen[place]).sum(1, keepdim=True)
        return torch.cat(told, 1)
