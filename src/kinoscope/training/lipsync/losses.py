"""Learning to paint mouths that say what is heard, from clips of people who talk.

Three losses teach the painter, and their weights are options. ``l1`` brings colours near, the lips' most of all; alone
it blurs. ``features`` compares what a network of pictures sees in both, and keeps edges. The judge, who comes in later,
when there is something to judge, brings texture. The voice learns where lips are from the meshes, of all people at
once. A frozen expert of lips and sound, where one is given, hears whether another's voice was painted.
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
from kinoscope.training.generation.adversarial import PATIENCE, DiscriminatorTrainer, advise, stall
from kinoscope.training.generation.losses import LN2
from kinoscope.training.lipsync.options import LipSyncOptions
from kinoscope.training.optim import ExponentialMovingAverage, factor

Expert = Callable[[Tensor, Tensor], Tensor]
"""A frozen judge of lips and sound: pictures of mouths (N, T, 3, h, w) in 0 to 1, and log-mel (N, T * 4, 40) at 25
pictures a second, to likeness (N,), with a gradient to the pictures."""

Features = Callable[[Tensor], list[Tensor]]
"""Maps of pictures (N, 3, H, W) in 0 to 1, fine ones first."""

LIPS_COUNT = 3.0
"""By how much more a pixel of the lips counts."""

JITTER = 0.3
"""Pixels by which points are moved at random: those that are heard are not exact, either."""

VOICE_BATCH = 96
"""Moments that the voice learns from at once; it is small."""

STRETCH = 10
"""Pictures that an expert looks at."""


@dataclass
class LipSyncState:
    """All that changes while learning.

    Attributes:
        voice, painter: what is learned. optimizer: of both.
        match: the judge and its turns.
        average: of both networks, which is what is kept.
        epoch, step: how many are done.
    """

    voice: nn.Module
    painter: nn.Module
    optimizer: torch.optim.Optimizer
    match: DiscriminatorTrainer
    average: ExponentialMovingAverage
    epoch: int = 0
    step: int = 0
    synced: list[float] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where it is learned."""
        return next(self.painter.parameters()).device

    @property
    def nets(self) -> nn.ModuleDict:
        """Both networks as one."""
        return nn.ModuleDict({"voice": self.voice, "painter": self.painter})


def begin(options: LipSyncOptions) -> LipSyncState:
    """Give the networks as they are before the first step."""
    torch.manual_seed(options.seed)
    device = torch_device(options.device)
    nets, judge = new_nets(options.width).to(device), new_discriminator().to(device)
    optimizer = torch.optim.AdamW(nets.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=1e-2)
    match = DiscriminatorTrainer(judge, torch.optim.Adam(judge.parameters(), options.judge_lr, betas=(0.5, 0.99)))
    match.penalty = options.penalty
    average = ExponentialMovingAverage(options.ema)
    average.start(nets)
    return LipSyncState(nets["voice"], nets["painter"], optimizer, match, average)


class MomentSampler:
    """Draw moments of talkers, and other looks of the same person for each.

    Args:
        talkers: to draw from; of each, all but the last share ``options.val``.
        epoch: with the seed of the options, decides all drawings.
    """

    def __init__(self, talkers: Sequence[TalkingFace], options: LipSyncOptions, epoch: int) -> None:
        self.talkers = talkers
        self.ends = [split_of(talker, options.val) for talker in talkers]
        self.looks = [talker.looks(end) for talker, end in zip(talkers, self.ends, strict=True)]
        self.random = np.random.default_rng([options.seed, epoch])
        self._share = np.array(self.ends) / sum(self.ends)
        painted = np.array([is_painted(talker, options) for talker in talkers]) * self._share
        self._painted = painted / painted.sum()

    def faces(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give faces (N, 3, S, S), their dots (N, 3, S, S), other looks (N, R, 6, S, S), and mel (N, 53, 40)."""
        rows = [self._face(int(one)) for one in self.random.choice(len(self.talkers), count, p=self._painted)]
        faces, points, others, mel = (torch.stack(part) for part in zip(*rows, strict=True))
        light = torch.from_numpy(np.exp(self.random.normal(0, 0.08, (count, 1, 1, 1))).astype(np.float32))
        tint = torch.from_numpy(self.random.normal(0, 0.02, (count, 3, 1, 1)).astype(np.float32))
        points = points + JITTER * self._normal(points.shape)
        colours = (others[:, :, :3] * light[:, None] + tint[:, None]).clamp(0, 1)
        others = torch.cat([colours, others[:, :, 3:]], 2)
        return (faces * light + tint).clamp(0, 1), draw_points(points), others, mel

    def _normal(self, shape: Sequence[int]) -> Tensor:
        return torch.from_numpy(self.random.normal(size=tuple(shape)).astype(np.float32))

    def _face(self, which: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        talker, end = self.talkers[which], self.ends[which]
        at = int(self.random.integers(end))
        looks = self.looks[which]
        picks = looks.like(talker.places[at], float(talker.times[at]), int(self.random.integers(5)))
        if self.random.random() < 0.5:
            picks[1:] = [int(self.random.integers(len(looks.places))) for _ in picks[1:]]
        return (
            talker.faces(at),
            torch.from_numpy(talker.places[at]),
            looks.shown(picks, talker.places[at]),
            talker.mel(at),
        )

    def voices(self, count: int) -> tuple[Tensor, Tensor]:
        """Give mel (2 * N, 53, 40) of N moments and of the pictures after them, and how the points lie from rest."""
        rows = []
        for one in self.random.choice(len(self.talkers), count, p=self._share):
            at = int(self.random.integers(self.ends[one] - 1))
            rows.append((int(one), at))
        rows += [(one, at + 1) for one, at in rows]
        mel = torch.stack([self.talkers[one].mel(at) for one, at in rows])
        moved = torch.stack([torch.from_numpy(self.talkers[one].moved[at]) for one, at in rows])
        return self._vary(mel), moved

    def _vary(self, mel: Tensor) -> Tensor:
        """Vary the voice, the microphone and the noise."""
        tilt = torch.linspace(-1, 1, mel.shape[2]) * 0.7 * self._normal((len(mel), 1, 1))
        mel = mel + 0.5 * self._normal((len(mel), 1, 1)) + tilt + 0.3 * self._normal((len(mel), 1, mel.shape[2]))
        floor = mel.amin((1, 2), True) + torch.from_numpy(
            self.random.uniform(0, 4, (len(mel), 1, 1)).astype(np.float32)
        )
        return torch.roll(torch.maximum(mel, floor), int(self.random.integers(-2, 3)), 2)

    def stretch(self) -> tuple[TalkingFace, int, TalkingFace, int]:
        """Give a talker and the first picture of a stretch, and another stretch whose voice is to be painted there."""
        first, second = (int(self.random.choice(len(self.talkers), p=p)) for p in (self._painted, self._share))
        starts = [int(self.random.integers(max(1, self.ends[one] - STRETCH))) for one in (first, second)]
        return self.talkers[first], starts[0], self.talkers[second], starts[1]


def is_painted(talker: TalkingFace, options: LipSyncOptions) -> bool:
    """Tell whether the painter learns from a talker, of whom the voice learns anyway."""
    return not options.paint or Path(talker.name).stem in options.paint.split(",")


def split_of(talker: TalkingFace, val: float) -> int:
    """Give how many pictures of a talker are learned from: all but the last share ``val``, which is never seen."""
    return max(2, len(talker) - round(val * len(talker)))


@dataclass
class LipSyncLosses:
    """The losses.

    Attributes:
        options: weights among them.
        mask: (1, 1, S, S), what is painted.
        features: frozen; None for none. expert: likewise.
    """

    options: LipSyncOptions
    mask: Tensor
    features: Features | None = None
    expert: Expert | None = None

    def near(self, made: Tensor, real: Tensor, dots: Tensor) -> Tensor:
        """Give the mean difference of what was painted, the lips' counted more."""
        lips = functional.avg_pool2d(dots[:, :2].sum(1, keepdim=True), 9, 1, 4).clamp(0, 1)
        weight = self.mask * (1 + LIPS_COUNT * lips)
        return ((made - real).abs() * weight).sum() / weight.sum() / 3

    def alike(self, made: Tensor, real: Tensor) -> Tensor:
        """Give how different the maps of both are, each scale by its own size."""
        if self.features is None:
            return made.new_zeros(())
        with torch.no_grad():
            wanted = self.features(real)
        pairs = zip(self.features(made), wanted, strict=True)
        return torch.stack([(a - b).abs().mean() / (b.abs().mean() + 1e-6) for a, b in pairs]).mean()


def heard(voice: nn.Module, mel: Tensor, moved: Tensor) -> Tensor:
    """Give the voice's loss on pairs of neighbours: where points lie, lips counted twice, and how they go on."""
    error: Tensor = (voice(mel)[0] - moved) * 20
    weight = torch.ones(error.shape[1], device=error.device)
    weight[:LIP_CONTOUR_POINTS] = 2
    before, after = error.chunk(2)
    moves = (weight[:, None] * (after - before).square()).mean()
    return (weight[:, None] * error.square()).mean() + 2 * moves


def learn(
    state: LipSyncState,
    talkers: Sequence[TalkingFace],
    teacher: LipSyncLosses,
    told: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Go through the steps of one epoch; give the means of what was measured.

    Raises:
        TrainingError: a loss is no longer a number.
    """
    options, balance = teacher.options, state.match.balance
    torch.manual_seed(int(np.random.SeedSequence([options.seed, state.epoch]).generate_state(1)[0]))
    moments = MomentSampler(talkers, options, state.epoch)
    state.voice.train()
    state.painter.train()
    for _ in range(options.steps):
        rate = options.lr * factor("cosine", state.step, options.epochs * options.steps, 0.03)
        state.optimizer.param_groups[0]["lr"] = rate
        loss = _turn(state, moments, teacher)
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss is no longer a number in step {state.step + 1}; try lr={options.lr / 10:g}, or a lower judge"
            )
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.nets.parameters(), 1.0)
        state.optimizer.step()
        state.average.update(state.nets)
        state.step += 1
        if told:
            told(state.step)
    return balance.take()


def _turn(state: LipSyncState, moments: MomentSampler, teacher: LipSyncLosses) -> Tensor:
    """Let the judge have its turn, and give the loss of voice and painter."""
    options, balance = teacher.options, state.match.balance
    mel, moved = _moved(state, moments.voices(VOICE_BATCH // 2))
    voice_loss = heard(state.voice, mel, moved)
    face, dots, others, around = _moved(state, moments.faces(options.batch))
    _, rest = state.voice(around)
    made = state.painter(face, teacher.mask, dots, others, rest)
    near, alike = teacher.near(made, face, dots), teacher.alike(made, face)
    balance.note(voice=float(voice_loss.detach()), l1=float(near.detach()), features=float(alike.detach()))
    loss = voice_loss + options.l1 * near + options.features * alike
    if options.judge and state.epoch >= options.alone:
        state.match.teach(face, made)
        loss = loss + options.judge * state.match.persuade(face, made)
    if options.sync and teacher.expert:
        loss = loss + options.sync * _synced(state, moments, teacher)
    return loss


def _moved(state: LipSyncState, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Bring tensors to where it is learned."""
    return [one.to(state.device) for one in tensors]


def _synced(state: LipSyncState, moments: MomentSampler, teacher: LipSyncLosses) -> Tensor:
    """Give how little an expert hears another's voice in lips that it was painted on, against the voice as it was."""
    assert teacher.expert is not None
    talker, at, other, start = moments.stretch()
    count = min(STRETCH, len(talker) - at, len(other) - start)
    wanted, own = (
        torch.stack([one.mel(first + i) for i in range(count)]).to(state.device)
        for one, first in ((other, start), (talker, at))
    )
    moved, rest = state.voice(wanted)
    places = talker.placed(moved, at)
    looks = talker.looks(split_of(talker, teacher.options.val))
    shown = [
        looks.shown(looks.like(place, float(talker.times[at + i])), place)
        for i, place in enumerate(places.detach().cpu().numpy())
    ]
    faces, others = _moved(state, (torch.stack([talker.faces(at + i) for i in range(count)]), torch.stack(shown)))
    made = state.painter(faces, teacher.mask, draw_points(places), others, rest)
    mouths = crop_mouths(made, places)[None]
    right, wrong = (teacher.expert(mouths, _middle(mel)[None]) for mel in (wanted, own))
    loss = functional.softplus(5 * (wrong - right)).mean()
    state.match.balance.note(sync=float(loss.detach()))
    state.synced.append(float(loss.detach()))
    return loss


def _middle(mel: Tensor) -> Tensor:
    """Give log-mel (T * 4, 40) from the windows (T, 53, 40) around pictures."""
    middle = MEL_FRAMES // 2
    return mel[:, middle - 2 : middle + 2].flatten(0, 1)


@torch.inference_mode()
def validate(
    state: LipSyncState, talkers: Sequence[TalkingFace], teacher: LipSyncLosses, most: int = 16
) -> dict[str, float]:
    """Measure on the pictures that are never learned from, with the looks of those that are.

    Gives the mean difference and the PSNR where it is painted, and the correlation of how far lips open, as heard.
    """
    state.voice.eval()
    state.painter.eval()
    errors, squares, opening = [], [], []
    for talker in talkers:
        end = split_of(talker, teacher.options.val)
        if end == len(talker) or not is_painted(talker, teacher.options):
            continue
        picks = np.unique(np.linspace(end, len(talker) - 1, most).round().astype(int))
        made, real = repaint(state, talker, picks, teacher.mask, end)
        difference = (made - real) * teacher.mask
        errors.append(float(difference.abs().sum() / teacher.mask.sum() / 3 / len(picks)))
        squares.append(float(difference.square().sum() / teacher.mask.square().sum() / 3 / len(picks)))
        opening.append(_correlation(*openings(state.voice, talker, end)))
    if not errors:
        return {}
    psnr = -10 * math.log10(max(float(np.mean(squares)), 1e-10))
    return {"val_l1": float(np.mean(errors)), "val_psnr": psnr, "val_opening": float(np.mean(opening))}


def repaint(
    state: LipSyncState, talker: TalkingFace, picks: np.ndarray, mask: Tensor, end: int
) -> tuple[Tensor, Tensor]:
    """Paint pictures of a talker with their own lips, looks taken from before ``end``: made, real (N, 3, S, S)."""
    looks = talker.looks(end)
    shown = [looks.shown(looks.like(talker.places[at], float(talker.times[at])), talker.places[at]) for at in picks]
    faces = torch.stack([talker.faces(int(at)) for at in picks])
    dots, mel = draw_points(torch.from_numpy(talker.places[picks])), torch.stack([talker.mel(int(at)) for at in picks])
    faces, dots, mel, others = _moved(state, (faces, dots, mel, torch.stack(shown)))
    made: Tensor = state.painter(faces, mask, dots, others, state.voice(mel)[1])
    return made, faces


def openings(voice: nn.Module, talker: TalkingFace, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Give how far lips open in the pictures from ``end`` on, as heard and as seen: (T,) each, in eye distances."""
    mel = torch.stack([talker.mel(at) for at in range(end, len(talker))]).to(next(voice.parameters()).device)
    moved = voice(mel)[0].detach().cpu().numpy()
    heard, seen = (points[:, LOWER_LIP, 1] - points[:, UPPER_LIP, 1] for points in (moved, talker.moved[end:]))
    return heard, seen


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def warn(state: LipSyncState, row: dict[str, float]) -> str | None:
    """Say in one line what stalls, and its cure."""
    since = stall(state.synced)
    if since is not None:
        return (
            f"the sync loss has stood at {LN2:.2f}, that of a guess, since turn {since}: the expert hears nothing of "
            "the voice in the lips; check the clips with `kinoscope sync` and give their offsets, or train longer first"
        )
    return advise(row) if state.match.turn >= PATIENCE else None
