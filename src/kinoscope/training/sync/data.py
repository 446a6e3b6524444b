"""Clips of talking faces for the training of a sync network, and their augmentation."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import DatasetError, wrap_error
from kinoscope.core.media import Audio
from kinoscope.core.signal.mel import HOP_LENGTH, NUM_BANDS, POWER_FLOOR, SAMPLE_RATE, log_mel
from kinoscope.core.signal.sync_offset import FRAME_SECONDS
from kinoscope.models.inference.mouth_tracker import (
    MIRRORED_POINTS,
    FaceTracker,
    crop_mouth,
    resample_mouth,
    stabilized_mouth_points,
)
from kinoscope.models.inference.sync import LAGS_PER_FRAME
from kinoscope.source import open_source
from kinoscope.source.images import VIDEO_SUFFIXES

T = TypeVar("T")


CROP, SIDE = 64, 48
"""Sides in pixels of the stored crops of mouths and of the network's input."""

CENTER_CROP = 46
"""Pixels of a stored crop that are the network's input without augmentation."""

AUDIO_CONTEXT_FRAMES = 32
"""Frames of audio before the first and after the last video frame."""

MIN_CLIP_FRAMES = 50
"""Minimum frames of a talking clip to learn from."""


@dataclass(frozen=True)
class TalkingClip:
    """One talking face.

    Attributes:
        name: of its clip.
        person: identity, for splits.
        points: (T, 61, 3), see ``mouth_tracker.stabilized_mouth_points``, 25 per second.
        mouths: (T, 64, 64) uint8, grey.
        mel: ((T + 2 * 32) * 4, 40) log-mel of the corresponding audio, and of ``AUDIO_CONTEXT_FRAMES`` on each side.
    """

    name: str
    person: str
    points: Tensor
    mouths: Tensor
    mel: Tensor

    def __len__(self) -> int:
        return len(self.points)

    @property
    def center_mouths(self) -> Tensor:
        """Crops (T, 48, 48) without augmentation."""
        edge = (CROP - CENTER_CROP) // 2
        inner = self.mouths[:, None, edge : edge + CENTER_CROP, edge : edge + CENTER_CROP].float()
        return functional.interpolate(inner, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A row of a table of clips: the person, and by how many seconds the audio is late."""

    person: str | None = None
    offset: float = 0.0


def read_table(path: Path) -> dict[str, ClipRow]:
    """Read a CSV with the columns ``clip`` and, optionally, ``person`` and ``offset`` (seconds; positive: audio late).

    Raises:
        DatasetError: the file cannot be read, or an offset is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return {row["clip"]: ClipRow(row.get("person") or None, float(row.get("offset") or 0)) for row in rows}
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(
            f"{path} is no table of clips ({error}); give a CSV with the columns clip, person and offset in seconds"
        ) from None


def read_talking_clips(
    folder: Path, known: dict[str, ClipRow], progress: ProgressCallback | None = None
) -> tuple[list[TalkingClip], dict[str, str]]:
    """Read all clips of a folder, or those that a table names; return them, and why some could not be used.

    Raises:
        DatasetError: there is no clip that can be used.
    """
    return read_each(
        folder, clips_in(folder, known), lambda path: read_talking_clip(path, find_row(known, path)), progress
    )


def find_row(known: dict[str, ClipRow], path: Path) -> ClipRow:
    """Return the row of a clip in a table, by its name with or without the suffix."""
    return known.get(path.name, known.get(path.stem, ClipRow()))


def read_each(
    data: Path, paths: Sequence[Path], read: Callable[[Path], list[T]], progress: ProgressCallback | None = None
) -> tuple[list[T], dict[str, str]]:
    """Read clips one after the other; return what they contain, and why some could not be used.

    Raises:
        DatasetError: none can be used.
    """
    items: list[T] = []
    unreadable: dict[str, str] = {}
    for number, path in enumerate(paths):
        try:
            items += read(path)
        except Exception as error:
            unreadable[path.name] = str(wrap_error(error, path.name))
        if progress:
            progress(number + 1, len(paths))
    if not items:
        reason = f" ({next(iter(unreadable.values()))})" if unreadable else ""
        raise DatasetError(f"{data} has no clip of a talking face{reason}; give videos with a face and its audio")
    return items, unreadable


def clips_in(folder: Path, known: dict[str, ClipRow]) -> list[Path]:
    """Return the videos of a folder; with a table, those that the table names.

    Raises:
        DatasetError: there is no such folder.
    """
    if not folder.exists():
        raise DatasetError(f"{folder} does not exist; check the path")
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder; give a folder of videos in which a person speaks")
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    return [path for path in videos if not known or {path.name, path.stem} & known.keys()]


def read_talking_clip(path: Path, known: ClipRow) -> list[TalkingClip]:
    """Read the face track with the most frames of a clip.

    Raises:
        DatasetError: there is no face, or no audio, for two seconds.
    """
    tracker = FaceTracker()
    rows: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {}
    audio: list[Audio] = []
    with open_source(str(path)) as source:
        size = source.info.fit(960)
        for item in source.read(audio_rates=(SAMPLE_RATE,)):
            if isinstance(item, Audio):
                audio.append(item)
                continue
            pixels = item.pixels(size)
            for face in tracker(pixels, float(item.time)):
                row = (float(item.time), stabilized_mouth_points(face.mesh), crop_mouth(pixels, face.mesh, CROP))
                rows.setdefault(face.id, []).append(row)
    best = max(rows.values(), key=len, default=[])
    if len(best) < MIN_CLIP_FRAMES / 2 or not audio:
        raise DatasetError(f"{path.name} shows no face for two seconds" if audio else f"{path.name} has no audio")
    return [_make_clip(path.name, known, best, audio)]


def _make_clip(
    name: str, known: ClipRow, rows: list[tuple[float, np.ndarray, np.ndarray]], audio: list[Audio]
) -> TalkingClip:
    times = np.array([time for time, _, _ in rows])
    frames = np.arange(np.ceil(times[0] / FRAME_SECONDS - 1e-6), np.floor(times[-1] / FRAME_SECONDS + 1e-6) + 1)
    points, colours = resample_mouth(
        frames * FRAME_SECONDS, times, np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    )
    grey = (colours @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    mel = _mel_around(audio, frames[0] * FRAME_SECONDS + known.offset, len(frames))
    person = known.person or Path(name).stem
    return TalkingClip(name, person, torch.from_numpy(points), torch.from_numpy(grey), mel)


def _mel_around(audio: Sequence[Audio], start: float, frames: int) -> Tensor:
    """Return the log-mel from ``AUDIO_CONTEXT_FRAMES`` before a time in seconds on; silence where there is no audio."""
    mel = torch.from_numpy(log_mel(np.concatenate([block.samples for block in audio])))
    padded = torch.full(((frames + 2 * AUDIO_CONTEXT_FRAMES) * LAGS_PER_FRAME, NUM_BANDS), float(np.log(POWER_FLOOR)))
    at = AUDIO_CONTEXT_FRAMES * LAGS_PER_FRAME + round((float(audio[0].start) - start) * SAMPLE_RATE / HOP_LENGTH)
    first, last = max(at, 0), min(at + len(mel), len(padded))
    padded[first:last] = mel[first - at : last - at]
    return padded


@dataclass(frozen=True, slots=True)
class SyncExample:
    """An augmented segment of a talking clip.

    Attributes:
        points: (T, 61, 3).
        mouths: (T, 48, 48) in [0, 255], or None.
        mel: ((T + 2 * K) * 4, 40) from K frames before the first to K after the last.
        delay_frames: shift, within half a frame, at which the audio in ``mel`` matches the mouth.
    """

    points: Tensor
    mouths: Tensor | None
    mel: Tensor
    delay_frames: float


class SyncSampler:
    """Sampler of augmented segments of talking clips.

    It augments speed, head and mouth; brightness, sharpness and framing; voice, reverberation and noise.

    Args:
        clips: to sample from.
        shifts: frames of audio on each side.
        pixels: whether crops are needed.
        seed: of all randomness.
    """

    def __init__(self, clips: Sequence[TalkingClip], shifts: int, pixels: bool, seed: int) -> None:
        self.clips, self.shifts, self.pixels = list(clips), shifts, pixels
        self.generator = np.random.default_rng(seed)
        weights = np.sqrt([len(clip) for clip in clips])
        self._weights = weights / weights.sum()
        self._others = [[other for other in clips if other.person != clip.person] or [clip] for clip in clips]

    def sample(self, frames: int) -> SyncExample:
        """Return a segment of ``frames`` frames."""
        index = int(self.generator.choice(len(self.clips), p=self._weights))
        clip, g = self.clips[index], self.generator
        speed = min(g.uniform(0.85, 1.18), (len(clip) - 1) / (frames - 1))
        at = g.uniform(0, len(clip) - 1 - (frames - 1) * speed) + np.arange(frames) * speed
        delay_frames = -g.uniform(-0.5, 0.5)
        first, last = -self.shifts * LAGS_PER_FRAME, (frames + self.shifts) * LAGS_PER_FRAME
        steps = (at[0] + AUDIO_CONTEXT_FRAMES) * LAGS_PER_FRAME + (
            np.arange(first, last) - delay_frames * LAGS_PER_FRAME
        ) * speed
        mel = self._augment_audio(_interpolate(clip.mel, steps), self._others[index])
        mouths = self._augment_mouths(_interpolate(clip.mouths, at)) if self.pixels else None
        return SyncExample(self._augment_points(_interpolate(clip.points, at)), mouths, mel, delay_frames)

    def _normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.generator.normal(size=shape).astype(np.float32))

    def _augment_points(self, points: Tensor) -> Tensor:
        """Augment the mouth opening, the shape of the face, the pose of the head and the error of points."""
        g, count = self.generator, len(points)
        if g.random() < 0.5:
            points = points[:, MIRRORED_POINTS] * torch.tensor([-1.0, 1.0, 1.0])
        points = points * float(g.uniform(0.6, 1.5))
        middle = points.mean(0, keepdim=True)
        points = (points - middle) @ (torch.eye(3) + 0.12 * self._normal(3, 3)) + middle
        shake, error = 0.004 * g.random(), 0.003 * g.random()
        points = points + shake * self._normal(count, 1, 3) + error * self._normal(count, points.shape[1], 3)
        if g.random() < 0.3:
            drift = torch.linspace(-1, 1, count).view(-1, 1, 1)
            points = points + 0.01 * drift * self._normal(1, points.shape[1], 3)
        return points

    def _augment_audio(self, mel: Tensor, others: Sequence[TalkingClip]) -> Tensor:
        """Augment the voice, the microphone, the reverberation, and the background."""
        g = self.generator
        bands = np.clip(np.arange(NUM_BANDS) * g.uniform(0.88, 1.14), 0, NUM_BANDS - 1)
        mel = _interpolate(mel.T.contiguous(), bands).T
        mel = mel + torch.linspace(-1, 1, NUM_BANDS) * float(g.normal())
        mel = mel + functional.interpolate(0.7 * self._normal(1, 1, 5), NUM_BANDS, mode="linear")[0, 0]
        if g.random() < 0.5:
            mel = self._disturb(mel, others[int(g.integers(len(others)))].mel)
        if g.random() < 0.4:
            mel = self._echo(mel)
        mel = mel.clamp(min=float(np.log(POWER_FLOOR) + g.uniform(0, 5)))
        if g.random() < 0.3:
            first = int(g.integers(0, NUM_BANDS - 6))
            mel[:, first : first + 6] = mel.mean()
        return mel

    def _disturb(self, mel: Tensor, other: Tensor) -> Tensor:
        """Add another voice, or noise with its spectrum."""
        g = self.generator
        if len(other) < len(mel):
            return mel
        start = int(g.integers(0, len(other) - len(mel) + 1))
        other = other[start : start + len(mel)]
        if g.random() < 0.5:
            other = other.mean(0, keepdim=True) + 0.7 * self._normal(*mel.shape)
        return torch.logaddexp(mel, other - float(g.uniform(1.5, 6)))

    def _echo(self, mel: Tensor) -> Tensor:
        """Add reverberation: an exponential decay of power over up to 0.3 s."""
        g, steps = self.generator, 30
        decay = torch.exp(-torch.arange(steps) / float(g.uniform(3, 12))) * float(g.uniform(0.05, 0.3))
        decay[0] = 1
        kernel = decay.flip(0).view(1, 1, -1).expand(NUM_BANDS, 1, -1).contiguous().float()
        power = functional.conv1d(functional.pad(mel.exp().T[None], (steps - 1, 0)), kernel, groups=NUM_BANDS)
        return torch.log(power[0].T + POWER_FLOOR)

    def _augment_mouths(self, mouths: Tensor) -> Tensor:
        """Augment framing, brightness, sharpness, noise and occlusion."""
        g, count = self.generator, len(mouths)
        x = functional.grid_sample(
            mouths[:, None],
            functional.affine_grid(
                self._sample_framing().expand(count, -1, -1), [count, 1, SIDE, SIDE], align_corners=False
            ),
            align_corners=False,
            padding_mode="border",
        )[:, 0]
        x = (x / 255).clamp(0, 1) ** float(np.exp(g.normal(0, 0.25)))
        if g.random() < 0.3:
            x = functional.avg_pool2d(x[:, None], 3, 1, 1)[:, 0]
        if g.random() < 0.2:
            small = functional.interpolate(x[:, None], size=(SIDE // 2, SIDE // 2), mode="bilinear")
            x = functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear")[:, 0]
        x = x + 0.03 * g.random() * self._normal(*x.shape)
        if g.random() < 0.25:
            row, column = g.integers(0, SIDE - 12, 2).tolist()
            x[:, row : row + 12, column : column + 12] = float(g.random())
        return 255 * x

    def _sample_framing(self) -> Tensor:
        g = self.generator
        turn, scale, side = g.normal(0, 6) * np.pi / 180, g.uniform(0.62, 0.85), -1 if g.random() < 0.5 else 1
        wide, shear, (right, down) = g.uniform(0.9, 1.1), g.normal(0, 0.06), g.normal(0, 0.06, 2)
        rows = [
            [scale * np.cos(turn) * side * wide, -scale * np.sin(turn) + shear, right],
            [scale * np.sin(turn) * side, scale * np.cos(turn), down],
        ]
        return torch.tensor([rows], dtype=torch.float32)


def _interpolate(rows: Tensor, indices: np.ndarray) -> Tensor:
    """Return rows (N, ...) at fractional indices, by linear interpolation."""
    indices = np.clip(indices, 0, len(rows) - 1)
    lower = np.floor(indices).astype(int)
    share = torch.from_numpy((indices - lower).astype(np.float32)).view(-1, *[1] * (rows.ndim - 1))
    upper = np.minimum(lower + 1, len(rows) - 1)
    return rows[lower].float() * (1 - share) + rows[upper].float() * share
