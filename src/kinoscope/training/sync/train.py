"""Training of a sync network on talking clips alone: the audio at the right time against all other times.

After Chung, Chung and Kang, "Perfect match: improved cross-modal embeddings for audio-visual synchronisation", ICASSP
2019 (arXiv 1809.08001). Negatives are the clip's own audio at every other shift, the nearest being the hardest, and the
audio of other clips. The target distribution is wide at first and narrows to a frame; a delay between two frames is
shared by them.

Time differences between mouth and audio: a *shift* is in whole frames of 40 ms, as the training compares them; a *lag*
is in steps of 10 ms, ``LAGS_PER_FRAME`` to a frame, as inference does. Both are positive if the audio is late.
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
from kinoscope.training.sync.data import AUDIO_CONTEXT_FRAMES, SyncExample, SyncSampler, TalkingClip

if TYPE_CHECKING:
    from kinoscope.nets.syncnet import SyncNet

MAX_SHIFT = 15
"""Frames by which the audio is shifted, to either side."""

SEGMENT_FRAMES = (10, 15, 20, 25, 40)
"""Frames of the training segments."""

LONG_SEGMENT_FRAMES = 40
"""Frames from which on a step has half as many segments, so that it takes about as much time and memory as others."""

INITIAL_WIDTH, FINAL_WIDTH = 1.2, 0.45
"""Standard deviation in frames of the target distribution, at first and from a third of the steps on."""

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
"""Peak learning rate, and weight decay."""

MAX_LAG_DIFFERENCE_FRAMES = 1
"""Frames by which the lag of a window may differ from that of its clip to agree with it."""

PAIR_FILE = "pair.safetensors"
"""File of a trained pair, with the options that it was trained with."""

StepCallback = Callable[[int, float], None]
"""Called with the step and its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """Options of the training of one pair of streams.

    Attributes:
        kind: input of the mouth stream, ``points`` or ``pixels``.
        steps: of the optimizer.
        batch: segments of one step.
        seed: of all randomness.
        device: of torch.
    """

    kind: str
    steps: int = 500
    batch: int = 24
    seed: int = 0
    device: str = "cpu"


def train_pair(clips: Sequence[TalkingClip], options: SyncOptions, on_step: StepCallback | None = None) -> SyncNet:
    """Train a pair of streams.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    torch.manual_seed(options.seed)
    net = new_pair(options.kind).to(options.device).train()
    sampler = SyncSampler(clips, MAX_SHIFT, options.kind == "pixels", options.seed)
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, max(options.steps, 2), pct_start=0.15)
    for step in range(options.steps):
        length = int(sampler.generator.choice(SEGMENT_FRAMES))
        examples = [
            sampler.sample(length) for _ in range(options.batch if length < LONG_SEGMENT_FRAMES else options.batch // 2)
        ]
        loss = contrastive_loss(net, examples, _width(step, options.steps), options.device)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"the loss of step {step + 1} is {value}; check the clips for corrupt audio or video")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if on_step:
            on_step(step + 1, value)
    return net.cpu().eval()


def _width(step: int, steps: int) -> float:
    """Return the width of the target distribution in frames: from easy to one frame."""
    done = min(1.0, 3 * step / max(steps, 1))
    return INITIAL_WIDTH + (FINAL_WIDTH - INITIAL_WIDTH) * done


def contrastive_loss(net: SyncNet, examples: Sequence[SyncExample], width: float, device: str = "cpu") -> Tensor:
    """Return the contrastive loss of examples of one length: cross-entropy over all shifts and others' audio."""
    mouths = torch.stack([e.points.flatten(1) if e.mouths is None else e.mouths for e in examples]).to(device)
    mel = torch.stack([example.mel for example in examples]).to(device)
    delays = torch.tensor([example.delay_frames for example in examples], device=device)
    mouth, audio = net.mouth(mouths), net.sound(mel)
    own = similarity(mouth, audio).mean(1)
    length, count = mouth.shape[1], len(examples)
    others = torch.einsum("bld,cld->bc", mouth, audio[:, MAX_SHIFT : MAX_SHIFT + length]) / length
    logits = torch.cat([own, others], 1) * net.scale.exp()
    # The audio of each example at shift 0 is among its own already, so it is no negative of another clip.
    own_audio_mask = functional.pad(torch.eye(count, dtype=torch.bool, device=device), (own.shape[1], 0))
    logits = logits.masked_fill(own_audio_mask, -torch.inf)
    shifts = torch.arange(-MAX_SHIFT, MAX_SHIFT + 1, device=device)
    target = torch.softmax(-0.5 * ((shifts[None] - delays[:, None]) / width) ** 2, 1)
    return -(target * logits.log_softmax(1)[:, : len(shifts)]).sum(1).mean()


def similarity(mouth: Tensor, audio: Tensor) -> Tensor:
    """Return the cosine of each frame (N, T, D) with the audio (N, T + 2 * K, D) at all shifts: (N, T, 2 * K + 1)."""
    length, shifts = mouth.shape[1], audio.shape[1] - mouth.shape[1] + 1
    indices = torch.arange(length)[:, None] + torch.arange(shifts)[None]
    return torch.einsum("bld,blkd->blk", mouth, audio[:, indices])


def save_pair(folder: Path, options: SyncOptions, data: str, net: SyncNet, loss: float) -> None:
    """Write a trained pair, with its last loss; ``data`` describes its training data."""
    save_checkpoint(
        folder / PAIR_FILE, net.state_dict(), {"plan": _reproducible_options(options), "data": data, "loss": loss}
    )


def read_pair(folder: Path, options: SyncOptions, data: str) -> tuple[SyncNet, float] | None:
    """Return a pair that an earlier run saved, and its last loss; None if there is none.

    Raises:
        OptionError: it was trained with other options, or on other clips.
        ModelError: it is damaged.
    """
    if not (folder / PAIR_FILE).exists():
        return None
    tensors, metadata = read_checkpoint(folder / PAIR_FILE)
    if metadata["plan"] != _reproducible_options(options):
        raise OptionError(f"{folder} holds a pair of other options ({metadata['plan']}); give another folder, or these")
    if metadata.get("data", data) != data:
        raise OptionError(
            f"{folder} holds a pair that learned from {metadata['data']}, not from {data}; give another folder"
        )
    net = new_pair(options.kind)
    net.load_state_dict(tensors)
    return net.eval(), float(metadata["loss"])


def _reproducible_options(options: SyncOptions) -> dict[str, Any]:
    """Return the options that affect the result."""
    return {name: value for name, value in asdict(options).items() if name != "device"}


def window_agreement(
    nets_by_kind: Sequence[tuple[str, SyncNet]], clips: Sequence[TalkingClip], length: int, stride: int = 5
) -> float | None:
    """Return the fraction of windows whose best lag is within one frame of that of the whole clip.

    It is the mean over clips. The best lag of a window is that of the highest similarity within ``MAX_SHIFT`` frames of
    the clip's. None if no clip is long enough.

    Args:
        nets_by_kind: the input of the mouth stream of each network, and the network.
        clips: to measure on.
        length: frames of a window.
        stride: frames from one window to the next.
    """
    shares = []
    for clip in clips:
        window_curves = similarity_curves(nets_by_kind, clip, length, stride)
        clip_curve = similarity_curves(nets_by_kind, clip, len(clip), 1)
        if window_curves is not None and clip_curve is not None:
            clip_lag = int(clip_curve[0].argmax())
            first = max(0, clip_lag - MAX_SHIFT * LAGS_PER_FRAME)
            window_lags = window_curves[:, first : clip_lag + MAX_SHIFT * LAGS_PER_FRAME + 1].argmax(1) + first
            agrees = (window_lags - clip_lag).abs() <= MAX_LAG_DIFFERENCE_FRAMES * LAGS_PER_FRAME
            shares.append(float(agrees.float().mean()))
    return sum(shares) / len(shares) if shares else None


@torch.inference_mode()
def similarity_curves(
    nets_by_kind: Sequence[tuple[str, SyncNet]], clip: TalkingClip, length: int, stride: int, max_shift: int = 30
) -> Tensor | None:
    """Return the similarities of W windows of a clip at all lags: (W, 2 * max_shift * LAGS_PER_FRAME + 1).

    The mouth stream sees only the window; the audio around it is known, as at inference. None if the clip is shorter
    than a window.
    """
    if len(clip) < length:
        return None
    starts = range(0, len(clip) - length + 1, stride)
    total = torch.zeros(len(starts), 2 * max_shift * LAGS_PER_FRAME + 1)
    for kind, net in nets_by_kind:
        mouths = clip.points.flatten(1) if kind == "points" else clip.center_mouths
        mouth = net.mouth(torch.stack([mouths[start : start + length] for start in starts]))
        audio = _embed_audio(net, clip.mel)
        for phase in range(LAGS_PER_FRAME):
            audio_windows = torch.stack(
                [
                    audio[phase, s + AUDIO_CONTEXT_FRAMES - max_shift : s + AUDIO_CONTEXT_FRAMES + length + max_shift]
                    for s in starts
                ]
            )
            # Phase 0 has one lag more than the others: lags run from -max_shift to max_shift frames, ends included. The
            # slice is a view, so that adding to it adds to the total.
            phase_total = total[:, phase::LAGS_PER_FRAME]
            phase_total += similarity(mouth, audio_windows).mean(1)[:, : phase_total.shape[1]]
    return total / len(nets_by_kind)


def _embed_audio(net: SyncNet, mel: Tensor) -> Tensor:
    """Embed audio at each frame's time and 10, 20 and 30 ms later: (LAGS_PER_FRAME, T, D)."""
    padded = functional.pad(mel.T[None], (0, LAGS_PER_FRAME - 1), mode="replicate")[0].T
    return torch.cat([net.sound(padded[None, phase : phase + len(mel)]) for phase in range(LAGS_PER_FRAME)])
