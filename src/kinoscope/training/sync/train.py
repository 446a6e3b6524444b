"""Learning whether lips and sound agree, from talking clips alone: the sound at the right time against all other times.

After Chung, Chung and Kang, "Perfect match: improved cross-modal embeddings for audio-visual synchronisation", ICASSP
2019 (arXiv 1809.08001). Wrong are the clip's own sound at every other shift, the nearest the hardest, and the sound of
others. The right answer is wide at first and narrows to a frame; what lies between two frames is shared by them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import OptionError, TrainingError
from kinoscope.models.inference.sync import LAGS_PER_FRAME, new_pair
from kinoscope.training.checkpoint import read_checkpoint, save_checkpoint
from kinoscope.training.sync.data import AROUND, SyncExample, SyncSampler, TalkingClip

if TYPE_CHECKING:
    from kinoscope.nets.syncnet import SyncNet

SHIFTS = 15
"""Frames that the sound is shifted by, to either side."""

LENGTHS = (10, 15, 20, 25, 40)
"""Frames of the pieces that are learned from."""

WIDE, NARROW = 1.2, 0.45
"""Standard deviation in frames of the right answer, at first and from a third of the steps on."""

RATE, DECAY = 2e-3, 0.02
"""Largest learning rate, and decay of weights."""

TOLERANCE = 1
"""Frames within which a shift is found."""

KEPT = "pair.safetensors"
"""A pair that is done, with the plan that it was trained by."""

Told = Callable[[int, float], None]
"""Told the step and its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How one pair of streams is trained.

    Attributes:
        kind: what is seen of a mouth, ``points`` or ``pixels``.
        steps: of the optimizer. batch: pieces at once. seed: of the weights and of all drawings. device: of torch.
    """

    kind: str
    steps: int = 500
    batch: int = 24
    seed: int = 0
    device: str = "cpu"


def train_pair(talks: Sequence[TalkingClip], plan: SyncOptions, told: Told | None = None) -> SyncNet:
    """Train a pair of streams.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    torch.manual_seed(plan.seed)
    pair = new_pair(plan.kind).to(plan.device).train()
    varying = SyncSampler(talks, SHIFTS, plan.kind == "pixels", plan.seed)
    optimizer = torch.optim.AdamW(pair.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, max(plan.steps, 2), pct_start=0.15)
    for step in range(plan.steps):
        length = int(varying.generator.choice(LENGTHS))
        examples = [varying.draw(length) for _ in range(plan.batch if length < 40 else plan.batch // 2)]
        loss = contrast(pair, examples, _width(step, plan.steps), plan.device)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"the loss of step {step + 1} is {value}; look for clips with broken sound or picture")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pair.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if told:
            told(step + 1, value)
    return pair.cpu().eval()


def _width(step: int, steps: int) -> float:
    """Give the width of the right answer: from easy to one frame."""
    done = min(1.0, 3 * step / max(steps, 1))
    return WIDE + (NARROW - WIDE) * done


def contrast(pair: SyncNet, examples: Sequence[SyncExample], width: float, device: str = "cpu") -> Tensor:
    """Give the loss of examples of one length: cross-entropy over all shifts and the sound of the others."""
    mouths = torch.stack([e.points.flatten(1) if e.pictures is None else e.pictures for e in examples]).to(device)
    mel = torch.stack([example.mel for example in examples]).to(device)
    late = torch.tensor([example.late for example in examples], device=device)
    seen, heard = pair.mouth(mouths), pair.sound(mel)
    own = likeness(seen, heard).mean(1)
    length, count = seen.shape[1], len(examples)
    others = torch.einsum("bld,cld->bc", seen, heard[:, SHIFTS : SHIFTS + length]) / length
    logits = torch.cat([own, others], 1) * pair.scale.exp()
    itself = functional.pad(torch.eye(count, dtype=torch.bool, device=device), (own.shape[1], 0))
    logits = logits.masked_fill(itself, -torch.inf)
    shifts = torch.arange(-SHIFTS, SHIFTS + 1, device=device)
    right = torch.softmax(-0.5 * ((shifts[None] - late[:, None]) / width) ** 2, 1)
    return -(right * logits.log_softmax(1)[:, : len(shifts)]).sum(1).mean()


def likeness(seen: Tensor, heard: Tensor) -> Tensor:
    """Give the cosine of each frame (N, T, D) with the sound (N, T + 2 * K, D) at all shifts: (N, T, 2 * K + 1)."""
    length, shifts = seen.shape[1], heard.shape[1] - seen.shape[1] + 1
    places = torch.arange(length)[:, None] + torch.arange(shifts)[None]
    return torch.einsum("bld,blkd->blk", seen, heard[:, places])


def keep_pair(folder: Path, plan: SyncOptions, data: str, pair: SyncNet, loss: float) -> None:
    """Write a pair that is done, with its last loss; ``data`` says in words what it has learned from."""
    save_checkpoint(folder / KEPT, pair.state_dict(), {"plan": _lasting(plan), "data": data, "loss": loss})


def kept_pair(folder: Path, plan: SyncOptions, data: str) -> tuple[SyncNet, float] | None:
    """Return a pair that an earlier run has kept, and its last loss; None if there is none.

    Raises:
        OptionError: it was trained by another plan, or on other clips.
        ModelError: it is damaged.
    """
    if not (folder / KEPT).exists():
        return None
    tensors, facts = read_checkpoint(folder / KEPT)
    if facts["plan"] != _lasting(plan):
        raise OptionError(f"{folder} holds a pair of other options ({facts['plan']}); give another folder, or these")
    if facts.get("data", data) != data:
        raise OptionError(
            f"{folder} holds a pair that learned from {facts['data']}, not from {data}; give another folder"
        )
    pair = new_pair(plan.kind)
    pair.load_state_dict(tensors)
    return pair.eval(), float(facts["loss"])


def _lasting(plan: SyncOptions) -> dict[str, Any]:
    """Give what of a plan changes what is computed."""
    return {name: value for name, value in asdict(plan).items() if name != "device"}


def share_found(
    pairs: Sequence[tuple[str, SyncNet]], talks: Sequence[TalkingClip], length: int, stride: int = 5
) -> float | None:
    """Give the share of windows whose sound is found within a frame of where the clip as a whole has it.

    The mean over clips, of all shifts within 15 frames; None where no clip is long enough.
    """
    shares = []
    for talk in talks:
        rows, whole = curves_of(pairs, talk, length, stride), curves_of(pairs, talk, len(talk), 1)
        if rows is not None and whole is not None:
            zero = int(whole[0].argmax())
            first = max(0, zero - SHIFTS * LAGS_PER_FRAME)
            best = rows[:, first : zero + SHIFTS * LAGS_PER_FRAME + 1].argmax(1) + first
            shares.append(float(((best - zero).abs() <= TOLERANCE * LAGS_PER_FRAME).float().mean()))
    return sum(shares) / len(shares) if shares else None


@torch.inference_mode()
def curves_of(
    pairs: Sequence[tuple[str, SyncNet]], talk: TalkingClip, length: int, stride: int, most: int = 30
) -> Tensor | None:
    """Give the likenesses of windows of a talk, (W, 2 * most * 4 + 1) at lags 10 ms apart.

    Of the picture a window sees nothing but itself; the sound around it is known, as it is in use. None where the talk
    is shorter than a window.
    """
    if len(talk) < length:
        return None
    starts = range(0, len(talk) - length + 1, stride)
    total = torch.zeros(len(starts), 2 * most * LAGS_PER_FRAME + 1)
    for kind, pair in pairs:
        whole = talk.points.flatten(1) if kind == "points" else talk.seen
        seen = pair.mouth(torch.stack([whole[start : start + length] for start in starts]))
        heard = _hear(pair, talk.mel)
        for phase in range(LAGS_PER_FRAME):
            around = torch.stack([heard[phase, s + AROUND - most : s + AROUND + length + most] for s in starts])
            total[:, phase::LAGS_PER_FRAME] += likeness(seen, around).mean(1)[
                :, : total[:, phase::LAGS_PER_FRAME].shape[1]
            ]
    return total / len(pairs)


def _hear(pair: SyncNet, mel: Tensor) -> Tensor:
    """Embed sound at each frame's time and 10, 20 and 30 ms later: (4, T, D)."""
    padded = functional.pad(mel.T[None], (0, LAGS_PER_FRAME - 1), mode="replicate")[0].T
    return torch.cat([pair.sound(padded[None, phase : phase + len(mel)]) for phase in range(LAGS_PER_FRAME)])
