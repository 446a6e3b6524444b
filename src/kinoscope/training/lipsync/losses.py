"""Losses of the training of a lip-sync generator, from clips of talking faces.

The weights of the generator's losses are options. ``l1`` is the difference of colours, mostly of the lips; alone it
blurs. ``features`` compares features of an image network, and keeps edges. The discriminator, which starts after
``warmup_epochs``, brings texture. The audio network learns the positions of lip points from face meshes, of all
speakers at once. With a frozen expert of lips and audio, the sync loss scores whether another person's voice was
rendered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import TrainingError
from kinoscope.models.inference.lipsync import (
    LIP_CONTOUR_POINTS,
    LOWER_LIP,
    MEL_FRAMES,
    UPPER_LIP,
    TalkingFace,
    crop_mouths,
    draw_points,
    new_discriminator,
    new_nets,
)
from kinoscope.models.runtime.runner import torch_device
from kinoscope.training.generation.adversarial import (
    MIN_STALL_STEPS,
    DiscriminatorTrainer,
    diagnose_balance,
    find_stall,
)
from kinoscope.training.generation.losses import LN2
from kinoscope.training.lipsync.options import LipSyncOptions
from kinoscope.training.optim import ExponentialMovingAverage, learning_rate_factor

Expert = Callable[[Tensor, Tensor], Tensor]
"""Frozen sync model: mouths (N, T, 3, h, w) in 0 to 1, and log-mel (N, T * 4, 40) at 25 frames per second, to
similarities (N,), with a gradient with respect to the mouths.
"""

Features = Callable[[Tensor], list[Tensor]]
"""Feature maps of images (N, 3, H, W) in 0 to 1, fine ones first."""

LIPS_WEIGHT = 3.0
"""Additional weight of the pixels of the lips."""

POINT_JITTER_PIXELS = 0.3
"""Standard deviation in pixels of the noise on points: those predicted from audio are not exact, either."""

VOICE_BATCH = 96
"""Moments in a batch of the audio network, which is small."""

EXPERT_FRAMES = 10
"""Frames that the expert sees."""


@dataclass
class LipSyncState:
    """State of the training: all that changes.

    Attributes:
        voice, painter: the audio network and the generator.
        optimizer: of both.
        adversary: the discriminator and its training.
        average: of both networks, which is what is saved.
        epoch, step: number of finished ones.
        sync_losses: of each step.
    """

    voice: nn.Module
    generator: nn.Module
    optimizer: torch.optim.Optimizer
    adversary: DiscriminatorTrainer
    average: ExponentialMovingAverage
    epoch: int = 0
    step: int = 0
    sync_losses: list[float] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return next(self.generator.parameters()).device

    @property
    def nets(self) -> nn.ModuleDict:
        """Both networks as one module."""
        return nn.ModuleDict({"voice": self.voice, "painter": self.generator})


def new_state(options: LipSyncOptions) -> LipSyncState:
    """Return the state before the first step."""
    torch.manual_seed(options.seed)
    device = torch_device(options.device)
    nets, discriminator = new_nets(options.width).to(device), new_discriminator().to(device)
    optimizer = torch.optim.AdamW(nets.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=1e-2)
    disc_optimizer = torch.optim.Adam(discriminator.parameters(), options.disc_lr, betas=(0.5, 0.99))
    adversary = DiscriminatorTrainer(discriminator, disc_optimizer, r1_weight=options.r1_weight)
    average = ExponentialMovingAverage(options.ema)
    average.start(nets)
    return LipSyncState(nets["voice"], nets["painter"], optimizer, adversary, average)


class MomentSampler:
    """Sampler of moments of talking faces, and of reference frames of the same person for each.

    Args:
        faces: to sample from; of each, all but the last share ``options.val``.
        epoch: seeds the sampler, with the seed of the options.
    """

    def __init__(self, faces: Sequence[TalkingFace], options: LipSyncOptions, epoch: int) -> None:
        self.talking_faces = faces
        self.ends = [train_frames(face, options.val) for face in faces]
        self.references = [face.references(end) for face, end in zip(faces, self.ends, strict=True)]
        self.random = np.random.default_rng([options.seed, epoch])
        self._share = np.array(self.ends) / sum(self.ends)
        weights = np.array([is_generated(face, options) for face in faces]) * self._share
        self._generated_share = weights / weights.sum()

    def faces(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return faces (N, 3, S, S), drawn points (N, 3, S, S), references (N, R, 6, S, S), and mel (N, 53, 40)."""
        indices = self.random.choice(len(self.talking_faces), count, p=self._generated_share)
        rows = [self._face(int(index)) for index in indices]
        faces, points, others, mel = (torch.stack(part) for part in zip(*rows, strict=True))
        light = torch.from_numpy(np.exp(self.random.normal(0, 0.08, (count, 1, 1, 1))).astype(np.float32))
        tint = torch.from_numpy(self.random.normal(0, 0.02, (count, 3, 1, 1)).astype(np.float32))
        points = points + POINT_JITTER_PIXELS * self._normal(points.shape)
        colours = (others[:, :, :3] * light[:, None] + tint[:, None]).clamp(0, 1)
        others = torch.cat([colours, others[:, :, 3:]], 2)
        return (faces * light + tint).clamp(0, 1), draw_points(points), others, mel

    def _normal(self, shape: Sequence[int]) -> Tensor:
        return torch.from_numpy(self.random.normal(size=tuple(shape)).astype(np.float32))

    def _face(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        face, end = self.talking_faces[index], self.ends[index]
        at = int(self.random.integers(end))
        references = self.references[index]
        picks = references.select(face.landmarks[at], float(face.times[at]), int(self.random.integers(5)))
        if self.random.random() < 0.5:
            picks[1:] = [int(self.random.integers(len(references.landmarks))) for _ in picks[1:]]
        return (
            face.faces(at),
            torch.from_numpy(face.landmarks[at]),
            references.warped(picks, face.landmarks[at]),
            face.mel(at),
        )

    def voices(self, count: int) -> tuple[Tensor, Tensor]:
        """Return mel (2 * N, 53, 40) of N moments and of the next frames, and the points' displacement from rest."""
        rows = []
        for index in self.random.choice(len(self.talking_faces), count, p=self._share):
            at = int(self.random.integers(self.ends[index] - 1))
            rows.append((int(index), at))
        rows += [(index, at + 1) for index, at in rows]
        mel = torch.stack([self.talking_faces[index].mel(at) for index, at in rows])
        moved = torch.stack([torch.from_numpy(self.talking_faces[index].displacements[at]) for index, at in rows])
        return self._augment(mel), moved

    def _augment(self, mel: Tensor) -> Tensor:
        """Augment mel: the voice, the microphone and the noise."""
        tilt = torch.linspace(-1, 1, mel.shape[2]) * 0.7 * self._normal((len(mel), 1, 1))
        mel = mel + 0.5 * self._normal((len(mel), 1, 1)) + tilt + 0.3 * self._normal((len(mel), 1, mel.shape[2]))
        floor = mel.amin((1, 2), True) + torch.from_numpy(
            self.random.uniform(0, 4, (len(mel), 1, 1)).astype(np.float32)
        )
        return torch.roll(torch.maximum(mel, floor), int(self.random.integers(-2, 3)), 2)

    def sample_segments(self) -> tuple[TalkingFace, int, TalkingFace, int]:
        """Return a face and the first frame of a segment, and another segment whose voice is to be rendered there."""
        shares = self._generated_share, self._share
        first, second = (int(self.random.choice(len(self.talking_faces), p=share)) for share in shares)
        starts = [int(self.random.integers(max(1, self.ends[index] - EXPERT_FRAMES))) for index in (first, second)]
        return self.talking_faces[first], starts[0], self.talking_faces[second], starts[1]


def is_generated(face: TalkingFace, options: LipSyncOptions) -> bool:
    """Return whether the generator learns from a face; the audio network learns from all."""
    return not options.paint or Path(face.name).stem in options.paint.split(",")


def train_frames(face: TalkingFace, val: float) -> int:
    """Return how many frames of a face are for training: all but the last share ``val``."""
    return max(2, len(face) - round(val * len(face)))


@dataclass
class LipSyncLosses:
    """The losses of the generator.

    Attributes:
        options: weights among them.
        mask: (1, 1, S, S), the generated region.
        features: frozen feature network; None for none.
        expert: frozen sync model; None for none.
    """

    options: LipSyncOptions
    mask: Tensor
    features: Features | None = None
    expert: Expert | None = None

    def l1(self, generated: Tensor, real: Tensor, point_maps: Tensor) -> Tensor:
        """Return the mean absolute difference in the generated region, the lips weighted more."""
        lips = functional.avg_pool2d(point_maps[:, :2].sum(1, keepdim=True), 9, 1, 4).clamp(0, 1)
        weight = self.mask * (1 + LIPS_WEIGHT * lips)
        return ((generated - real).abs() * weight).sum() / weight.sum() / 3

    def feature_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean difference of the feature maps, each scale relative to its own magnitude."""
        if self.features is None:
            return generated.new_zeros(())
        with torch.no_grad():
            target = self.features(real)
        pairs = zip(self.features(generated), target, strict=True)
        return torch.stack([(a - b).abs().mean() / (b.abs().mean() + 1e-6) for a, b in pairs]).mean()


def voice_loss(voice: nn.Module, mel: Tensor, moved: Tensor) -> Tensor:
    """Return the loss of the audio network on pairs of neighbouring frames: of positions and of motion.

    The lips count twice.
    """
    error: Tensor = (voice(mel)[0] - moved) * 20
    weight = torch.ones(error.shape[1], device=error.device)
    weight[:LIP_CONTOUR_POINTS] = 2
    first, second = error.chunk(2)
    motion = (weight[:, None] * (second - first).square()).mean()
    return (weight[:, None] * error.square()).mean() + 2 * motion


def train_epoch(
    state: LipSyncState,
    faces: Sequence[TalkingFace],
    losses: LipSyncLosses,
    on_step: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Take the steps of one epoch; return the means of the metrics.

    Raises:
        TrainingError: a loss is no longer finite.
    """
    options, metrics = losses.options, state.adversary.metrics
    torch.manual_seed(int(np.random.SeedSequence([options.seed, state.epoch]).generate_state(1)[0]))
    moments = MomentSampler(faces, options, state.epoch)
    state.voice.train()
    state.generator.train()
    for _ in range(options.steps):
        rate = options.lr * learning_rate_factor("cosine", state.step, options.epochs * options.steps, 0.03)
        state.optimizer.param_groups[0]["lr"] = rate
        loss = _losses(state, moments, losses)
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss is no longer finite in step {state.step + 1}; try lr={options.lr / 10:g}, or a lower "
                "gan_weight"
            )
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.nets.parameters(), 1.0)
        state.optimizer.step()
        state.average.update(state.nets)
        state.step += 1
        if on_step:
            on_step(state.step)
    return metrics.take_means()


def _losses(state: LipSyncState, moments: MomentSampler, losses: LipSyncLosses) -> Tensor:
    """Take a discriminator step, and return the loss of audio network and generator."""
    options, metrics = losses.options, state.adversary.metrics
    mel, moved = _to_device(state, moments.voices(VOICE_BATCH // 2))
    position_loss = voice_loss(state.voice, mel, moved)
    face, point_maps, others, around = _to_device(state, moments.faces(options.batch))
    _, rest = state.voice(around)
    generated = state.generator(face, losses.mask, point_maps, others, rest)
    l1, features = losses.l1(generated, face, point_maps), losses.feature_loss(generated, face)
    metrics.add(voice=float(position_loss.detach()), l1=float(l1.detach()), features=float(features.detach()))
    loss = position_loss + options.l1 * l1 + options.features * features
    if options.gan_weight and state.epoch >= options.warmup_epochs:
        state.adversary.discriminator_step(face, generated)
        loss = loss + options.gan_weight * state.adversary.generator_loss(face, generated)
    if options.sync and losses.expert:
        loss = loss + options.sync * _sync_loss(state, moments, losses)
    return loss


def _to_device(state: LipSyncState, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return tensors on the device of the networks."""
    return [tensor.to(state.device) for tensor in tensors]


def _sync_loss(state: LipSyncState, moments: MomentSampler, losses: LipSyncLosses) -> Tensor:
    """Return the sync loss of lips generated from another voice, relative to the original voice."""
    assert losses.expert is not None
    face, at, other, start = moments.sample_segments()
    count = min(EXPERT_FRAMES, len(face) - at, len(other) - start)
    target, own = (
        torch.stack([face.mel(first + i) for i in range(count)]).to(state.device)
        for face, first in ((other, start), (face, at))
    )
    moved, rest = state.voice(target)
    points = face.project(moved, at)
    references = face.references(train_frames(face, losses.options.val))
    chosen = [
        references.warped(references.select(row, float(face.times[at + i])), row)
        for i, row in enumerate(points.detach().cpu().numpy())
    ]
    frames, others = _to_device(state, (torch.stack([face.faces(at + i) for i in range(count)]), torch.stack(chosen)))
    generated = state.generator(frames, losses.mask, draw_points(points), others, rest)
    mouths = crop_mouths(generated, points)[None]
    similarity, own_similarity = (losses.expert(mouths, _middle_mel(mel)[None]) for mel in (target, own))
    loss = functional.softplus(5 * (own_similarity - similarity)).mean()
    state.adversary.metrics.add(sync=float(loss.detach()))
    state.sync_losses.append(float(loss.detach()))
    return loss


def _middle_mel(mel: Tensor) -> Tensor:
    """Return log-mel (T * 4, 40) from the windows (T, 53, 40) around frames."""
    middle = MEL_FRAMES // 2
    return mel[:, middle - 2 : middle + 2].flatten(0, 1)


@torch.inference_mode()
def validate(
    state: LipSyncState, faces: Sequence[TalkingFace], losses: LipSyncLosses, max_frames: int = 16
) -> dict[str, float]:
    """Return the metrics on the validation frames, with reference frames of the training part.

    These are the mean absolute difference and the PSNR in the generated region, and the correlation of the mouth
    opening with that predicted from audio.
    """
    state.voice.eval()
    state.generator.eval()
    errors, squares, opening = [], [], []
    for face in faces:
        end = train_frames(face, losses.options.val)
        if end == len(face) or not is_generated(face, losses.options):
            continue
        picks = np.unique(np.linspace(end, len(face) - 1, max_frames).round().astype(int))
        generated, real = regenerate(state, face, picks, losses.mask, end)
        difference = (generated - real) * losses.mask
        errors.append(float(difference.abs().sum() / losses.mask.sum() / 3 / len(picks)))
        squares.append(float(difference.square().sum() / losses.mask.square().sum() / 3 / len(picks)))
        opening.append(_correlation(*openings(state.voice, face, end)))
    if not errors:
        return {}
    psnr = -10 * math.log10(max(float(np.mean(squares)), 1e-10))
    return {"val_l1": float(np.mean(errors)), "val_psnr": psnr, "val_opening": float(np.mean(opening))}


def regenerate(
    state: LipSyncState, face: TalkingFace, picks: np.ndarray, mask: Tensor, end: int
) -> tuple[Tensor, Tensor]:
    """Generate frames of a face with its own lips; return the generated and the real ones (N, 3, S, S).

    Reference frames are those before ``end``.
    """
    references = face.references(end)
    chosen = [
        references.warped(references.select(face.landmarks[at], float(face.times[at])), face.landmarks[at])
        for at in picks
    ]
    faces = torch.stack([face.faces(int(at)) for at in picks])
    point_maps = draw_points(torch.from_numpy(face.landmarks[picks]))
    mel = torch.stack([face.mel(int(at)) for at in picks])
    faces, point_maps, mel, others = _to_device(state, (faces, point_maps, mel, torch.stack(chosen)))
    generated: Tensor = state.generator(faces, mask, point_maps, others, state.voice(mel)[1])
    return generated, faces


def openings(voice: nn.Module, face: TalkingFace, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mouth openings (T,) from frame ``end`` on, predicted from audio and measured, in eye distances."""
    mel = torch.stack([face.mel(at) for at in range(end, len(face))]).to(next(voice.parameters()).device)
    moved = voice(mel)[0].detach().cpu().numpy()
    predicted, actual = (
        points[:, LOWER_LIP, 1] - points[:, UPPER_LIP, 1] for points in (moved, face.displacements[end:])
    )
    return predicted, actual


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / scale) if scale > 0 else 0.0


def diagnose(state: LipSyncState, row: dict[str, float]) -> str | None:
    """Return a one-line diagnosis and fix, or None."""
    since = find_stall(state.sync_losses)
    if since is not None:
        return (
            f"the sync loss has stayed at {LN2:.2f}, that of random guessing, since step {since}: the lips do not "
            "match the voice; check the clips with `kinoscope sync` and give their offsets, or train longer first"
        )
    return diagnose_balance(row) if state.adversary.steps >= MIN_STALL_STEPS else None
