"""Evaluation of a sync model: the lag of windows of held-out clips against that of their clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.models.inference.sync import LAGS_PER_FRAME
from kinoscope.training.sync.data import AUDIO_CONTEXT_FRAMES, TalkingClip
from kinoscope.training.sync.pair import MAX_SHIFT, similarity

if TYPE_CHECKING:
    from kinoscope.nets.syncnet import SyncNet

MAX_LAG_DIFFERENCE_FRAMES = 1
"""Frames by which the lag of a window may differ from that of its clip to agree with it."""

WINDOW_FRAMES = (15, 25, 50, 125)
"""Frames of the windows that are evaluated."""

CHANCE = 3 / (2 * MAX_SHIFT + 1)
"""Share of windows whose lag is within a frame of that of their clip by chance."""


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
