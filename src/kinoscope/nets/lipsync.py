"""Networks that let lips follow a voice: one hears how a mouth moves, one paints it, one judges what was painted.

The painter is a U-Net that sees a lower face with its mouth hidden, other pictures of the same person, and the voice,
as Prajwal et al., "A lip sync expert is all you need for speech to lip generation in the wild", ACM MM 2020 (arXiv
2008.10010, Wav2Lip) and Li et al., "LatentSync", 2024 (arXiv 2412.09262) have it. Between voice and picture stand
points of the lips, as in Zhong et al., "Identity-preserving talking face generation with landmark and appearance
priors", CVPR 2023 (arXiv 2305.08293): where lips are, is learned from anybody; how they look, from few pictures of one
person, bent so that their lips lie where they should.
The judge looks at patches (Isola et al., CVPR 2017).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

FACE_SIZE = 112
"""Side in pixels of a lower face."""

MEL_BANDS, MEL_FRAMES = 40, 53
"""Mel bands, and steps of 10 ms of the sound around a picture's time."""

MOUTH_POINTS, LIP_POINTS = 61, 20
"""Points of a mouth, see ``models.inference.mouth_tracker.stabilized_mouth_points``: so many of the lips' outer edge,
as many of the inner, others."""

VOICE_DIM = 32
"""Numbers by which the painter hears what points do not show: tongue and teeth."""

REFERENCES = 2
"""Other pictures of the person that the painter sees."""


class VoiceEncoder(nn.Module):
    """Log-mel around a moment (N, 53, 40) -> how the points lie from rest (N, 61, 3), and what else is heard (N, 32).

    Points are in distances of the eyes' outer corners.
    """

    def __init__(self, width: int = 96, drop: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, stride in ((MEL_BANDS, 1), (width, 2), (width, 2), (width, 2)):
            layers += [nn.Conv1d(before, width, 5, stride, 2), nn.BatchNorm1d(width), nn.GELU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(drop))
        self.hidden = nn.Sequential(nn.Linear(width * 7, width), nn.GELU(), nn.Dropout(drop))
        self.points, self.rest = nn.Linear(width, MOUTH_POINTS * 3), nn.Linear(width, VOICE_DIM)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Hear."""
        heard = self.hidden(self.body(mel.transpose(1, 2) / 4))
        return self.points(heard).view(-1, MOUTH_POINTS, 3) / 20, self.rest(heard)


def draw_points(points: Tensor, side: int = FACE_SIZE, spread: float = 1.3) -> Tensor:
    """Draw points (N, 61, 2), in pixels of the crop, as soft dots: (N, 3, side, side): lips without, within, chin.

    It has a gradient, so that what a picture lacks can tell where its lips should have been.
    """
    places = torch.arange(side, device=points.device, dtype=points.dtype)
    across, down = (torch.exp(-0.5 * ((places - points[..., i, None]) / spread) ** 2) for i in (0, 1))
    groups = (slice(0, LIP_POINTS), slice(LIP_POINTS, 2 * LIP_POINTS), slice(2 * LIP_POINTS, None))
    dots = [torch.einsum("npy,npx->nyx", down[:, group], across[:, group]) for group in groups]
    return torch.tanh(torch.stack(dots, 1))


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, 3, stride, 1)
    return nn.Sequential(conv, nn.GroupNorm(8, after), nn.SiLU())


class LipSyncGenerator(nn.Module):
    """Paint lower faces whose mouths are hidden.

    Args:
        width: channels at the finest of the four scales.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        inputs = 3 + 1 + 3 + REFERENCES * 6
        widths = (width, 2 * width, 3 * width, 4 * width)
        self.fold, self.unfold = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.into = _conv(inputs * 4, width)
        self.down = nn.ModuleList(nn.Sequential(_conv(a, b, 2), _conv(b, b)) for a, b in pairwise(widths))
        self.hear = nn.Linear(VOICE_DIM, widths[-1])
        self.middle = nn.Sequential(_conv(widths[-1], widths[-1]), _conv(widths[-1], widths[-1]))
        ways = list(pairwise(widths[::-1]))
        self.up = nn.ModuleList(nn.Sequential(_conv(a + b, b), _conv(b, b)) for a, b in ways)
        self.out = nn.Conv2d(width, (3 + REFERENCES) * 4, 3, padding=1)

    def forward(self, face: Tensor, mask: Tensor, dots: Tensor, others: Tensor, voice: Tensor) -> Tensor:
        """Give the face (N, 3, H, W) in 0 to 1 with its mouth painted where the mask is.

        Args:
            face: (N, 3, H, W) in 0 to 1; what the mask hides does not matter.
            mask: (1 or N, 1, H, W): 1 what is to be painted, 0 what stays.
            dots: (N, 3, H, W), see ``draw_points``.
            others: (N, R, 6, H, W): other pictures of the person, and the dots of each.
            voice: (N, 32), see ``VoiceEncoder``.
        """
        mask = mask.expand(len(face), -1, -1, -1)
        hidden = face * (1 - mask)
        x = torch.cat([hidden * 2 - 1, mask, dots, others.flatten(1, 2)], 1)
        x = self.into(self.fold(x))
        kept = [x]
        for step in self.down:
            x = step(x)
            kept.append(x)
        x = self.middle(kept.pop() + self.hear(voice)[:, :, None, None])
        for step in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = step(torch.cat([x, kept.pop()], 1))
        return hidden + mask * self._mix(self.unfold(self.out(x)).float(), others)

    @staticmethod
    def _mix(told: Tensor, others: Tensor) -> Tensor:
        """Let the painted colours stand beside those of the other pictures, each by its share at each pixel."""
        pictures = torch.cat([told[:, None, :3].sigmoid(), others[:, :, :3].float()], 1)
        own = torch.zeros_like(told[:, :1])
        share = torch.cat([own, told[:, 3:] - 2], 1).softmax(1)
        return (pictures * share[:, :, None]).sum(1)


class LipSyncDiscriminator(nn.Module):
    """Tell real faces (N, 3, H, W) in 0 to 1 from painted ones, patch by patch: (N, 1, H / 8, W / 8)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after, stride in ((width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1)):
            layers += [nn.Conv2d(before, after, 3 + (stride == 2), stride, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):  # without a norm between, what it sees would fade from layer to layer
                nn.init.kaiming_normal_(layer.weight, 0.2)

    def forward(self, faces: Tensor) -> Tensor:
        """Judge; high is real."""
        told: Tensor = self.layers(faces * 2 - 1)
        return told
