"""A video GAN with separate content and motion codes: the generator and its discriminator.

A content code is constant over a clip; a motion code for each frame comes from a recurrent network (Tulyakov et al.,
"MoCoGAN", CVPR 2018). That network steps at fixed intervals; between its steps, states are interpolated and combined
with sine waves, so that a clip can be sampled at any times (as in Skorokhodov et al., "StyleGAN-V", CVPR 2022). Codes
modulate the input channels of convolutions (Karras et al., "StyleGAN2", CVPR 2020), and they shift Fourier features, so
that an object has the same appearance wherever it moves (Karras et al., "Alias-free generative adversarial networks",
NeurIPS 2021). The background is generated once for a clip, and the moving foreground is blended over it with a mask
(Vondrick et al., "Generating videos with scene dynamics", NeurIPS 2016).

The discriminator has two branches: one of a few frames at full resolution, one of the whole clip at half the resolution
(as in Clark et al., "DVD-GAN", 2019). It has no normalization (Huang et al., "R3GAN", NeurIPS 2024), and is conditioned
on the class by projection (Miyato and Koyama, ICLR 2018).
Weights: those that come with kinoscope are trained with recipes/generators.py.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

NOISE_DIM = 64
"""Length of a noise vector, of the content and of each step of the motion."""

STYLE_DIM, MOTION_DIM = 96, 64
"""Length of a style, which is the mapped content noise, and of a motion code."""

NUM_WAVES = 16
"""Sine waves in a motion code, from ``MIN_WAVE_HZ`` to ``MAX_WAVE_HZ`` before each clip scales their frequency."""

MIN_WAVE_HZ, MAX_WAVE_HZ = 0.25, 4.0

MIN_SIZE = 4
"""Side in pixels of the coarsest scale."""

FOURIER_FREQUENCIES = (0.5, 1.0, 2.0)
"""Frequencies of the Fourier features in cycles per half side of a frame, each horizontal and vertical."""

MAX_FOURIER_SIZE = 16
"""Side in pixels of the finest scale at which Fourier features are appended."""


Padding = Literal["zeros", "replicate"]


def scale_channels(size: int, width: int, max_width: int) -> list[int]:
    """Return the channels of each scale, from 4 pixels up to ``size``: doubled at each coarser one, up to a maximum.

    Args:
        size: side in pixels of the finest scale.
        width: channels of the finest scale.
        max_width: maximum of the channels.
    """
    scales = int(math.log2(size // MIN_SIZE))
    return [min(max_width, width * 2 ** (scales - scale)) for scale in range(scales + 1)]


class ModulatedConv(nn.Module):
    """A modulated convolution: its input channels are scaled by a code."""

    def __init__(self, inputs: int, outputs: int, code: int, padding: Padding = "zeros") -> None:
        super().__init__()
        self.scale = nn.Linear(code, inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=padding)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map (N, C, H, W) and a code (N, D) to (N, C', H, W)."""
        return _leaky_relu(self.conv(x * self.scale(code)[:, :, None, None]))


class FourierFeatures(nn.Module):
    """Fourier features of the pixels' positions, translated by a code and stretched by its appearance part.

    Args:
        code: length D of the code.
        appearance: length of the code's first part, which sets the stretch.

    Attributes:
        channels: of the features.
    """

    channels = 4 * len(FOURIER_FREQUENCIES)

    def __init__(self, code: int, appearance: int) -> None:
        super().__init__()
        self.appearance = appearance
        self.shift, self.stretch = nn.Linear(code, 2), nn.Linear(appearance, 2)

    def forward(self, code: Tensor, side: int) -> Tensor:
        """Return features (N, 4F, S, S) for codes (N, D)."""
        shift, stretch = self.shift(code), self.stretch(code[:, : self.appearance])
        pixels = torch.linspace(1 / side - 1, 1 - 1 / side, side, device=code.device)
        positions = (pixels - shift[..., None]) * torch.exp(0.5 * torch.tanh(stretch))[..., None]  # (N, 2, S)
        angles = math.pi * torch.cat([positions * frequency for frequency in FOURIER_FREQUENCIES], 1)
        waves = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        horizontal, vertical = waves[:, ::2, None, :], waves[:, 1::2, :, None]
        return torch.cat([horizontal.expand(-1, -1, side, -1), vertical.expand(-1, -1, -1, side)], 1)


class FrameSynthesis(nn.Module):
    """The synthesis network: codes to frames, coarse to fine; the last upsampling is sub-pixel (Shi et al., CVPR 2016).

    Args:
        code: length D of the code, which sets position and appearance.
        appearance: length of the code's first part, which sets the appearance. If it is shorter than the code, the
            network is translation-equivariant: an object has the same appearance at every position.
        channels: of each scale, coarse to fine.
        colours: output channels K of a frame.
    """

    def __init__(self, code: int, appearance: int, channels: list[int], colours: int) -> None:
        super().__init__()
        self.appearance, self.cells = appearance, MIN_SIZE**2 if appearance == code else 1
        padding: Padding = "zeros" if appearance == code else "replicate"
        self.ground = FourierFeatures(code, appearance)
        self.begin = nn.Linear(appearance, channels[0] * self.cells)
        sizes = [MIN_SIZE * 2**scale for scale in range(1, len(channels))]
        extra = [FourierFeatures.channels if size <= MAX_FOURIER_SIZE else 0 for size in sizes]
        self.first = nn.ModuleList(
            [
                ModulatedConv(inputs + fourier, outputs, appearance, padding)
                for (inputs, outputs), fourier in zip(pairwise(channels), extra, strict=True)
            ]
        )
        self.second = nn.ModuleList(
            [ModulatedConv(outputs, outputs, appearance, padding) for outputs in channels[1:-1]]
        )
        self.colours = nn.Conv2d(channels[-1], 4 * colours, 3, padding=1)
        _initialize_weights(self)
        with torch.no_grad():
            self.ground.shift.weight.mul_(0.3)  # motion is slow at first
            # The four sub-pixels start equal, or the first frames would be checkerboards.
            self.colours.weight.copy_(0.05 * self.colours.weight[::4].repeat_interleave(4, 0))

    def forward(self, code: Tensor) -> Tensor:
        """Return frames (N, K, S, S) for codes (N, D)."""
        appearance = code[:, : self.appearance]
        x = _leaky_relu(self.begin(appearance)).view(-1, self.begin.out_features // self.cells, self.cells)
        x = x.expand(-1, -1, MIN_SIZE**2).reshape(*x.shape[:2], MIN_SIZE, MIN_SIZE)
        x = x.contiguous(memory_format=torch.channels_last)
        for scale, first in enumerate(self.first):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            if x.shape[2] <= MAX_FOURIER_SIZE:
                x = torch.cat([x, self.ground(code, x.shape[2])], 1)
            x = first(x, appearance)
            if scale < len(self.second):
                x = x + self.second[scale](x, appearance)
        # The mean of each pixel and its neighbours removes the checkerboard artifacts of sub-pixel convolution.
        fine = functional.pad(functional.pixel_shuffle(self.colours(x), 2), (0, 1, 0, 1), "replicate")
        return functional.avg_pool2d(fine, 2, 1)


class FrameGenerator(nn.Module):
    """A synthesis network by itself, for export: concatenated style and motion codes (N, D) to (N, S, S, K)."""

    def __init__(self, synthesis: FrameSynthesis) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, codes: Tensor) -> Tensor:
        """Return RGB around [-1, 1], and the logit of the mask as a fourth channel if there is one."""
        frames: Tensor = self.synthesis(codes)
        return frames.permute(0, 2, 3, 1)


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _initialize_weights(module: nn.Module) -> None:
    """Initialize layers so that the variance of outputs is that of inputs."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, 0.2)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        if isinstance(layer, ModulatedConv):
            nn.init.normal_(layer.scale.weight, 0, 0.5 / math.sqrt(layer.scale.in_features))
            nn.init.ones_(layer.scale.bias)


class MotionCodes(nn.Module):
    """Motion codes at any times.

    Args:
        classes: number of classes; 0 for an unconditional model.
        spacing: seconds between the steps of the recurrent network.
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
        with torch.no_grad():  # slow waves have the larger amplitude, as in most motion
            self.height.bias.copy_(2 * (MIN_WAVE_HZ / frequencies).sqrt())

    def steps(self, seconds: float) -> int:
        """Return the number K of noise vectors for so many seconds."""
        return math.floor(seconds / self.spacing) + 3

    def forward(self, noise: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        """Return motion codes (N, T, M).

        Args:
            noise: (N, K, Z); see ``steps`` for K.
            labels: class indices (N,).
            times: (N, T) in seconds, from zero on.
        """
        class_embedding = self.kind(labels)
        speed, phase = self.tune(torch.cat([noise[:, 0], class_embedding], 1)).chunk(2, 1)
        states = self._states(noise[:, 1:], class_embedding)
        steps = times / self.spacing
        before = steps.floor().long().clamp(0, states.shape[1] - 2)
        weight = (steps - before).clamp(0, 1)
        weight = (weight * weight * (3 - 2 * weight))[..., None]  # smoothstep
        left, right = (_gather_states(states, before + offset) for offset in (0, 1))
        state = left + weight * (right - left)
        frequencies = self.frequencies * torch.exp(0.5 * torch.tanh(speed))
        angles = 2 * math.pi * (frequencies[:, None] * times[..., None] + phase[:, None])
        amplitudes = self.height(state)
        waves = [amplitudes * torch.sin(angles), amplitudes * torch.cos(angles)]
        codes: Tensor = self.mix(torch.cat([state, *waves], 2))
        return codes

    def _states(self, noise: Tensor, class_embedding: Tensor) -> Tensor:
        """Return the states (N, K, M) of the recurrent network."""
        state, states = torch.tanh(class_embedding), []
        for step_noise in noise.unbind(1):
            state = self.step(torch.cat([step_noise, class_embedding], 1), state)
            states.append(state)
        return torch.stack(states, 1)


def _gather_states(states: Tensor, indices: Tensor) -> Tensor:
    return states.gather(1, indices[..., None].expand(-1, -1, states.shape[2]))


class VideoGAN(nn.Module):
    """The generator.

    Args:
        classes: number of classes; 0 for an unconditional model.
        size: side of the frames in pixels, a power of 2 from 16 on.
        width: channels of the finest scale.
        spacing: seconds between steps of the motion's recurrent network.
        backdrop: whether the background is generated separately.
        rigid: whether motion translates the foreground, and changes nothing else of it.

    Attributes:
        moving: synthesis network of the foreground.
        still: synthesis network of the background; None without backdrop.
        still_length, moving_length: lengths of their codes.
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
        appearance = STYLE_DIM if rigid else STYLE_DIM + MOTION_DIM
        self.moving = FrameSynthesis(STYLE_DIM + MOTION_DIM, appearance, channels, 4 if backdrop else 3)
        self.still = FrameSynthesis(STYLE_DIM, STYLE_DIM, channels, 3) if backdrop else None

    still_length, moving_length = STYLE_DIM, STYLE_DIM + MOTION_DIM

    def steps(self, seconds: float) -> int:
        """Return the number K of motion noise vectors for so many seconds."""
        return self.motion.steps(seconds)

    def style(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Return styles (N, S) for content noise (N, Z) and class indices (N,); the mapping network."""
        noise = noise * torch.rsqrt(noise.square().mean(1, keepdim=True) + 1e-8)
        class_embedding = functional.normalize(self.kind(labels), dim=1) * math.sqrt(NOISE_DIM)
        style: Tensor = self.content(torch.cat([noise, class_embedding], 1))
        return style

    def synthesize(self, style: Tensor, motion: Tensor) -> Tensor:
        """Return clips (N, T, 3, S, S), around [-1, 1], for styles (N, S) and motion codes (N, T, M)."""
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
        """Return clips (N, T, 3, S, S), around [-1, 1].

        Args:
            content: noise (N, Z).
            motion: noise (N, K, Z); see ``steps`` for K.
            labels: class indices (N,).
            times: (N, T) in seconds.
        """
        return self.synthesize(self.style(content, labels), self.motion(motion, labels, times))


class FrameDiscriminator(nn.Module):
    """Branch of single frames: (N, 3, S, S) to embeddings (N, D)."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        pairs = zip([3, *channels], channels, strict=False)
        self.down = nn.ModuleList([nn.Conv2d(inputs, outputs, 4, 2, 1) for inputs, outputs in pairs])
        self.end = nn.Linear(channels[-1] * MIN_SIZE**2, channels[-1])
        _initialize_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D) of frames around [-1, 1]."""
        x = x.contiguous(memory_format=torch.channels_last)
        for down in self.down:
            x = _leaky_relu(down(x))
        embeddings: Tensor = _leaky_relu(self.end(x.flatten(1)))
        return embeddings


class ClipDiscriminator(nn.Module):
    """Branch of whole clips: (N, 3, T, S, S) to embeddings (N, D)."""

    def __init__(self, channels: list[int], frames: int) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        for layer, (inputs, outputs) in enumerate(zip([3, *channels], channels, strict=False)):
            halve = layer > 0 and frames > 2
            self.down.append(nn.Conv3d(inputs, outputs, (3, 4, 4), (2 if halve else 1, 2, 2), 1))
            frames = (frames + 1) // 2 if halve else frames
        self.end = nn.Linear(channels[-1] * MIN_SIZE**2 * frames, channels[-1])
        _initialize_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D) of clips around [-1, 1]."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        for down in self.down:
            x = _leaky_relu(down(x))
        embeddings: Tensor = _leaky_relu(self.end(x.flatten(1)))
        return embeddings


class VideoDiscriminator(nn.Module):
    """The discriminator: a branch of single frames and a branch of whole clips.

    Args:
        classes: number of classes; 0 for an unconditional model.
        size: side of the frames in pixels.
        frames: T of the clips.
        width: channels of the finest scale.
        sampled_frames: random frames of each clip in the branch of single frames.
    """

    def __init__(
        self, classes: int, size: int = 64, frames: int = 16, width: int = 24, sampled_frames: int = 2
    ) -> None:
        super().__init__()
        self.sampled_frames = min(sampled_frames, frames)
        fine = scale_channels(size // 2, width, 4 * width)[::-1]
        coarse = scale_channels(size // 4, width, 4 * width)[::-1]
        self.pictures, self.clips = FrameDiscriminator(fine), ClipDiscriminator(coarse, frames)
        lengths = (fine[-1], coarse[-1])
        self.opinion = nn.ModuleList([nn.Linear(length, 1) for length in lengths])
        self.kinds = nn.ModuleList([nn.Embedding(classes, length) for length in lengths] if classes else [])
        for weight in self.kinds.parameters():
            nn.init.normal_(weight, 0, 0.02)

    def forward(self, clips: Tensor, labels: Tensor) -> Tensor:
        """Return logits (N, 2) of the two branches, frames and motion; high is real.

        Args:
            clips: (N, T, 3, S, S) around [-1, 1].
            labels: class indices (N,).
        """
        indices = torch.rand(clips.shape[:2], device=clips.device).argsort(1)[:, : self.sampled_frames]
        rows = torch.arange(len(clips), device=clips.device)[:, None]
        of_frames = self.pictures(clips[rows, indices].flatten(0, 1)).view(len(clips), self.sampled_frames, -1).mean(1)
        half = functional.avg_pool2d(clips.flatten(0, 1), 2)
        of_clips = self.clips(half.view(*clips.shape[:3], *half.shape[2:]).transpose(1, 2))
        embeddings = (of_frames, of_clips)
        logits = [linear(embedding) for linear, embedding in zip(self.opinion, embeddings, strict=True)]
        for branch, class_embedding in enumerate(self.kinds):
            projection = (class_embedding(labels) * embeddings[branch]).sum(1, keepdim=True)
            logits[branch] = logits[branch] + projection
        return torch.cat(logits, 1)
