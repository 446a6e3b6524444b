"""Clips of people who talk, as a network of lips and sound learns from them, and how they are varied."""

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

from kinoscope.core.errors import DatasetError, wrap_error
from kinoscope.core.media import Audio
from kinoscope.core.progress import ProgressCallback
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
"""Sides in pixels of the pictures that are kept and of those that are looked at."""

SHOWN = 46
"""Pixels of a kept picture that are looked at when nothing is varied."""

AROUND = 32
"""Frames of sound that are kept before and after the picture's."""

SHORTEST = 50
"""Frames of the shortest talk that something can be learned from."""


@dataclass(frozen=True)
class TalkingClip:
    """One face that talks.

    Attributes:
        name: of its clip. person: who it is, for splits.
        points: (T, 61, 3), see ``mouths.points_of``, 25 a second.
        pictures: (T, 64, 64) uint8, grey.
        mel: ((T + 2 * 32) * 4, 40) log-mel of the sound that goes with it, and of what is around.
    """

    name: str
    person: str
    points: Tensor
    pictures: Tensor
    mel: Tensor

    def __len__(self) -> int:
        return len(self.points)

    @property
    def seen(self) -> Tensor:
        """Pictures (T, 48, 48) as they are when nothing is varied."""
        edge = (CROP - SHOWN) // 2
        inner = self.pictures[:, None, edge : edge + SHOWN, edge : edge + SHOWN].float()
        return functional.interpolate(inner, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]


@dataclass(frozen=True, slots=True)
class ClipRow:
    """What a table says of a clip: who talks, and by how many seconds its sound is late as it comes."""

    person: str | None = None
    offset: float = 0.0


def read_table(path: Path) -> dict[str, ClipRow]:
    """Read a CSV with the columns ``clip`` and, as wanted, ``person`` and ``offset`` (seconds; positive: sound late).

    Raises:
        DatasetError: it is none, or an offset is no number.
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
    """Read all clips of a folder, or those that a table names: the talks, and why some clips could not be used.

    Raises:
        DatasetError: there is no clip that can be used.
    """
    return read_each(
        folder, clips_in(folder, known), lambda path: read_talking_clip(path, known_of(known, path)), progress
    )


def known_of(known: dict[str, ClipRow], path: Path) -> ClipRow:
    """Give what a table says of a clip, by its name with or without the ending."""
    return known.get(path.name, known.get(path.stem, ClipRow()))


def read_each(
    data: Path, paths: Sequence[Path], read: Callable[[Path], list[T]], progress: ProgressCallback | None = None
) -> tuple[list[T], dict[str, str]]:
    """Read clips of people who talk, one after the other: what is in them, and why some could not be used.

    Raises:
        DatasetError: none can be used.
    """
    found: list[T] = []
    broken: dict[str, str] = {}
    for number, path in enumerate(paths):
        try:
            found += read(path)
        except Exception as error:
            broken[path.name] = str(wrap_error(error, path.name))
        if progress:
            progress(number + 1, len(paths))
    if not found:
        why = f" ({next(iter(broken.values()))})" if broken else ""
        raise DatasetError(f"{data} has no clip of somebody who talks{why}; give videos with a face and its sound")
    return found, broken


def clips_in(folder: Path, known: dict[str, ClipRow]) -> list[Path]:
    """Give the videos of a folder; of one with a table, those that the table names."""
    found = (
        sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES) if folder.is_dir() else []
    )
    return [path for path in found if not known or {path.name, path.stem} & known.keys()]


def read_talking_clip(path: Path, known: ClipRow) -> list[TalkingClip]:
    """Read the face of a clip that is there longest.

    Raises:
        DatasetError: there is no face, or no sound, for two seconds.
    """
    follower = FaceTracker()
    rows: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {}
    sounds: list[Audio] = []
    with open_source(str(path)) as source:
        size = source.info.fit(960)
        for item in source.read(audio_rates=(SAMPLE_RATE,)):
            if isinstance(item, Audio):
                sounds.append(item)
                continue
            picture = item.pixels(size)
            for face in follower(picture, float(item.time)):
                kept = (float(item.time), stabilized_mouth_points(face.mesh), crop_mouth(picture, face.mesh, CROP))
                rows.setdefault(face.id, []).append(kept)
    best = max(rows.values(), key=len, default=[])
    if len(best) < SHORTEST / 2 or not sounds:
        raise DatasetError(f"{path.name} shows no face for two seconds" if sounds else f"{path.name} has no sound")
    return [_talk(path.name, known, best, sounds)]


def _talk(
    name: str, known: ClipRow, rows: list[tuple[float, np.ndarray, np.ndarray]], sounds: list[Audio]
) -> TalkingClip:
    times = np.array([time for time, _, _ in rows])
    frames = np.arange(np.ceil(times[0] / FRAME_SECONDS - 1e-6), np.floor(times[-1] / FRAME_SECONDS + 1e-6) + 1)
    points, colours = resample_mouth(
        frames * FRAME_SECONDS, times, np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    )
    grey = (colours @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    mel = _mel_around(sounds, frames[0] * FRAME_SECONDS + known.offset, len(frames))
    person = known.person or Path(name).stem
    return TalkingClip(name, person, torch.from_numpy(points), torch.from_numpy(grey), mel)


def _mel_around(sounds: Sequence[Audio], start: float, frames: int) -> Tensor:
    """Give the log-mel from ``AROUND`` frames before a time in seconds on; silence where there is no sound."""
    mel = torch.from_numpy(log_mel(np.concatenate([sound.samples for sound in sounds])))
    wanted = torch.full(((frames + 2 * AROUND) * LAGS_PER_FRAME, NUM_BANDS), float(np.log(POWER_FLOOR)))
    at = AROUND * LAGS_PER_FRAME + round((float(sounds[0].start) - start) * SAMPLE_RATE / HOP_LENGTH)
    first, last = max(at, 0), min(at + len(mel), len(wanted))
    wanted[first:last] = mel[first - at : last - at]
    return wanted


@dataclass(frozen=True, slots=True)
class SyncExample:
    """A varied piece of a talk.

    Attributes:
        points: (T, 61, 3). pictures: (T, 48, 48) in [0, 255], or None.
        mel: ((T + 2 * K) * 4, 40) from K frames before the first to K after the last.
        late: frames by which the sound is later than the frames of ``mel`` say, within half a frame.
    """

    points: Tensor
    pictures: Tensor | None
    mel: Tensor
    late: float


class SyncSampler:
    """Draw pieces of talks and vary them: pace, head and mouth; light, sharpness and framing; voice, room and noise.

    Args:
        talks: to draw from. shifts: frames of sound on each side. pixels: whether pictures are wanted.
        seed: of all drawings.
    """

    def __init__(self, talks: Sequence[TalkingClip], shifts: int, pixels: bool, seed: int) -> None:
        self.talks, self.shifts, self.pixels = list(talks), shifts, pixels
        self.generator = np.random.default_rng(seed)
        weights = np.sqrt([len(talk) for talk in talks])
        self._weights = weights / weights.sum()
        self._others = [[o for o in talks if o.person != talk.person] or [talk] for talk in talks]

    def draw(self, frames: int) -> SyncExample:
        """Give a piece of ``frames`` frames."""
        which = int(self.generator.choice(len(self.talks), p=self._weights))
        talk, g = self.talks[which], self.generator
        pace = min(g.uniform(0.85, 1.18), (len(talk) - 1) / (frames - 1))
        at = g.uniform(0, len(talk) - 1 - (frames - 1) * pace) + np.arange(frames) * pace
        late = -g.uniform(-0.5, 0.5)
        first, last = -self.shifts * LAGS_PER_FRAME, (frames + self.shifts) * LAGS_PER_FRAME
        steps = (at[0] + AROUND) * LAGS_PER_FRAME + (np.arange(first, last) - late * LAGS_PER_FRAME) * pace
        mel = self._sound(_between(talk.mel, steps), self._others[which])
        pictures = self._pictures(_between(talk.pictures, at)) if self.pixels else None
        return SyncExample(self._mouth(_between(talk.points, at)), pictures, mel, late)

    def _normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.generator.normal(size=shape).astype(np.float32))

    def _mouth(self, points: Tensor) -> Tensor:
        """Vary how far a mouth opens, the shape of the face, how the head is held and how well points are found."""
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

    def _sound(self, mel: Tensor, others: Sequence[TalkingClip]) -> Tensor:
        """Vary the voice, the microphone, the room, and what else is heard."""
        g = self.generator
        bands = np.clip(np.arange(NUM_BANDS) * g.uniform(0.88, 1.14), 0, NUM_BANDS - 1)
        mel = _between(mel.T.contiguous(), bands).T
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
        """Add another voice, or noise with its colour."""
        g = self.generator
        if len(other) < len(mel):
            return mel
        start = int(g.integers(0, len(other) - len(mel) + 1))
        other = other[start : start + len(mel)]
        if g.random() < 0.5:
            other = other.mean(0, keepdim=True) + 0.7 * self._normal(*mel.shape)
        return torch.logaddexp(mel, other - float(g.uniform(1.5, 6)))

    def _echo(self, mel: Tensor) -> Tensor:
        """Let power die away slowly, as in a room: up to 0.3 s."""
        g, steps = self.generator, 30
        decay = torch.exp(-torch.arange(steps) / float(g.uniform(3, 12))) * float(g.uniform(0.05, 0.3))
        decay[0] = 1
        kernel = decay.flip(0).view(1, 1, -1).expand(NUM_BANDS, 1, -1).contiguous().float()
        power = functional.conv1d(functional.pad(mel.exp().T[None], (steps - 1, 0)), kernel, groups=NUM_BANDS)
        return torch.log(power[0].T + POWER_FLOOR)

    def _pictures(self, pictures: Tensor) -> Tensor:
        """Vary framing, light, sharpness, noise and what hides a part."""
        g, count = self.generator, len(pictures)
        x = functional.grid_sample(
            pictures[:, None],
            functional.affine_grid(self._framing().expand(count, -1, -1), [count, 1, SIDE, SIDE], align_corners=False),
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

    def _framing(self) -> Tensor:
        g = self.generator
        turn, scale, side = g.normal(0, 6) * np.pi / 180, g.uniform(0.62, 0.85), -1 if g.random() < 0.5 else 1
        wide, shear, (right, down) = g.uniform(0.9, 1.1), g.normal(0, 0.06), g.normal(0, 0.06, 2)
        rows = [
            [scale * np.cos(turn) * side * wide, -scale * np.sin(turn) + shear, right],
            [scale * np.sin(turn) * side, scale * np.cos(turn), down],
        ]
        return torch.tensor([rows], dtype=torch.float32)


def _between(rows: Tensor, places: np.ndarray) -> Tensor:
    """Give rows (N, ...) at fractional places, mixed from their neighbours."""
    places = np.clip(places, 0, len(rows) - 1)
    before = np.floor(places).astype(int)
    share = torch.from_numpy((places - before).astype(np.float32)).view(-1, *[1] * (rows.ndim - 1))
    after = np.minimum(before + 1, len(rows) - 1)
    return rows[before].float() * (1 - share) + rows[after].float() * share
