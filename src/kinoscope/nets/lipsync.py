"""Lip synchronization: a speech encoder that predicts mouth landmarks, a generator of mouths, and a discriminator.

The generator is a U-Net whose inputs are a lower face with its mouth masked, reference frames of the same person, and
speech features, as in Prajwal et al., "A lip sync expert is all you need for speech to lip generation in the wild", ACM
MM 2020 (arXiv 2008.10010, Wav2Lip) and Li et al., "LatentSync", 2024 (arXiv 2412.09262). Speech controls the mouth by
landmarks, as in Zhong et al., "Identity-preserving talking face generation with landmark and appearance priors", CVPR
2023 (arXiv 2305.08293): landmarks are learned from any speaker; the appearance comes from few reference frames of one
person, warped to the landmarks.
The discriminator classifies patches (Isola et al., CVPR 2017).
Weights: trained on the user's own clips; none come with kinoscope.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

FACE_SIZE = 112
"""Side in pixels of the crop of a lower face."""

MEL_BANDS, MEL_FRAMES = 40, 53
"""Mel bands, and log-mel frames of 10 ms around a video frame's time."""

MOUTH_POINTS, LIP_POINTS = 61, 20
"""Landmarks of a mouth, see ``models.inference.mouth_tracker.stabilized_mouth_points``: the first ``LIP_POINTS`` are
those of the lips' outer contour, as many follow of the inner contour, then the others."""

VOICE_DIM = 32
"""Length of the speech features for what landmarks do not describe: tongue and teeth."""

REFERENCES = 2
"""Reference frames of the person in the generator's input."""


class VoiceEncoder(nn.Module):
    """Log-mel around a time (N, 53, 40) -> landmark offsets from rest (N, 61, 3), speech features (N, 32).

    The unit of offsets is the distance of the eyes' outer corners.

    Args:
        width: channels.
        drop: dropout rate.
    """

    def __init__(self, width: int = 96, drop: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, stride in ((MEL_BANDS, 1), (width, 2), (width, 2), (width, 2)):
            layers += [nn.Conv1d(inputs, width, 5, stride, 2), nn.BatchNorm1d(width), nn.GELU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(drop))
        self.hidden = nn.Sequential(nn.Linear(width * 7, width), nn.GELU(), nn.Dropout(drop))
        self.points, self.rest = nn.Linear(width, MOUTH_POINTS * 3), nn.Linear(width, VOICE_DIM)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the landmark offsets (N, 61, 3) and the speech features (N, 32)."""
        features = self.hidden(self.body(mel.transpose(1, 2) / 4))
        return self.points(features).view(-1, MOUTH_POINTS, 3) / 20, self.rest(features)


def draw_points(points: Tensor, side: int = FACE_SIZE, spread: float = 1.3) -> Tensor:
    """Render landmarks as heatmaps (N, 3, side, side): outer lips, inner lips, the others.

    It is differentiable, so that an image loss also trains the landmarks.

    Args:
        points: (N, 61, 2) in pixels of the crop.
        side: of the crop in pixels.
        spread: standard deviation of a landmark's Gaussian in pixels.
    """
    positions = torch.arange(side, device=points.device, dtype=points.dtype)
    columns, rows = (torch.exp(-0.5 * ((positions - points[..., i, None]) / spread) ** 2) for i in (0, 1))
    groups = (slice(0, LIP_POINTS), slice(LIP_POINTS, 2 * LIP_POINTS), slice(2 * LIP_POINTS, None))
    heatmaps = [torch.einsum("npy,npx->nyx", rows[:, group], columns[:, group]) for group in groups]
    return torch.tanh(torch.stack(heatmaps, 1))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
    return nn.Sequential(conv, nn.GroupNorm(8, outputs), nn.SiLU())


class LipSyncGenerator(nn.Module):
    """A U-Net that inpaints masked mouths in lower faces.

    Args:
        width: channels of the finest of the four scales.
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
        self.up = nn.ModuleList(nn.Sequential(_conv(a + b, b), _conv(b, b)) for a, b in pairwise(widths[::-1]))
        self.out = nn.Conv2d(width, (3 + REFERENCES) * 4, 3, padding=1)

    def forward(self, face: Tensor, mask: Tensor, dots: Tensor, others: Tensor, voice: Tensor) -> Tensor:
        """Return the face (N, 3, H, W) in [0, 1] with its mouth inpainted where the mask is 1.

        Args:
            face: (N, 3, H, W) in [0, 1]; pixels under the mask are ignored.
            mask: (1 or N, 1, H, W): 1 for pixels to inpaint, 0 for pixels to keep.
            dots: landmark heatmaps (N, 3, H, W), see ``draw_points``.
            others: (N, R, 6, H, W): reference frames of the person, and the landmark heatmaps of each.
            voice: speech features (N, 32), see ``VoiceEncoder``.
        """
        mask = mask.expand(len(face), -1, -1, -1)
        masked = face * (1 - mask)
        x = torch.cat([masked * 2 - 1, mask, dots, others.flatten(1, 2)], 1)
        x = self.into(self.fold(x))
        skips = [x]
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = self.middle(skips.pop() + self.hear(voice)[:, :, None, None])
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skips.pop()], 1))
        return masked + mask * self._blend(self.unfold(self.out(x)).float(), others)

    @staticmethod
    def _blend(outputs: Tensor, others: Tensor) -> Tensor:
        """Blend the generated colours with those of the reference frames, by softmax weights at each pixel."""
        images = torch.cat([outputs[:, None, :3].sigmoid(), others[:, :, :3].float()], 1)
        generated_logit = torch.zeros_like(outputs[:, :1])
        weights = torch.cat([generated_logit, outputs[:, 3:] - 2], 1).softmax(1)
        return (images * weights[:, :, None]).sum(1)


class LipSyncDiscriminator(nn.Module):
    """A patch discriminator: faces (N, 3, H, W) in [0, 1] -> logits (N, 1, H / 8, W / 8), high for real."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs, stride in ((width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1)):
            layers += [nn.Conv2d(inputs, outputs, 3 + (stride == 2), stride, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):  # there are no norms, so activations would fade from layer to layer
                nn.init.kaiming_normal_(layer.weight, 0.2)

    def forward(self, faces: Tensor) -> Tensor:
        """Return the logits (N, 1, H / 8, W / 8) of patches."""
        logits: Tensor = self.layers(faces * 2 - 1)
        return logits
