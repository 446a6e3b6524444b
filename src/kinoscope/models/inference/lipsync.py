"""A trained painter of mouths: a folder with its weights, what it hears, and the looks of who is painted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import SourceError
from kinoscope.core.media import Audio, Pixels
from kinoscope.core.ranges import check_ranges
from kinoscope.core.signal.mel import HOP_LENGTH, POWER_FLOOR, SAMPLE_RATE, log_mel
from kinoscope.models.formats.metadata import read_metadata, write_metadata
from kinoscope.models.formats.trained_model import WEIGHTS_FILE, build_with_weights, write_weights
from kinoscope.models.inference.face_compositor import FaceTrajectory, crop_face, generated_mask
from kinoscope.models.runtime.runner import torch_device
from kinoscope.nets.lipsync import LIP_POINTS, REFERENCES, LipSyncDiscriminator, LipSyncGenerator, VoiceEncoder
from kinoscope.nets.lipsync import MEL_FRAMES as MEL_FRAMES
from kinoscope.nets.lipsync import draw_points as draw_points

TASK = "lipsync"

LIP_CONTOUR_POINTS = 2 * LIP_POINTS
"""Points of the lips; they come first."""

WARP_SIGMAS = (14.0, 5.0, 2.5)
"""Pixels by which the move of a point reaches, wide ones first."""

WARP_GRID_STRIDE = 2
"""Pixels from one place to the next at which it is found how pixels move."""

UPPER_LIP, LOWER_LIP = 35, 25
"""The middle of the inner edges of both lips, among the points of a mouth."""

MIN_REFERENCE_GAP_SECONDS = 0.5
"""Seconds within which another picture of a person shows the same moment, and is no other look."""

MAX_REFERENCE_FRAMES = 400
"""Pictures of a person that are kept to paint from."""

REFERENCE_SWITCH_RATIO = 0.8
"""A look is kept from picture to picture until another is nearer by this factor: fewer changes, less flicker."""

MOUTH_CROP_SHARE = 0.55
"""Side of what an expert of lips and sound sees, over the side of a lower face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LipSyncMetadata:
    """What ``model.json`` says of a painter.

    Attributes:
        width: channels of its finest scale.
        gain: by which lips move more than they are heard to: who guesses, moves too little.
        data: name of the clips that it learned from. score: what was measured on what it had not seen.
    """

    width: int
    gain: float = 1.0
    data: str = ""
    score: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self, {"width": (1, 512), "gain": (0.01, 100.0)})


def new_nets(width: int) -> nn.ModuleDict:
    """Build a voice and a painter with random weights."""
    return nn.ModuleDict({"voice": VoiceEncoder(), "painter": LipSyncGenerator(width)})


def new_discriminator() -> nn.Module:
    """Build a judge with random weights."""
    return LipSyncDiscriminator()


def save_lipsync(folder: Path, nets: nn.Module, facts: LipSyncMetadata) -> None:
    """Write a painter into a folder; each file is whole or as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, nets, half=True)
    write_metadata(folder, facts, TASK)


def load_lipsync(folder: Path) -> tuple[nn.ModuleDict, LipSyncMetadata]:
    """Give the networks of a painter, ready to paint, and its facts.

    Raises:
        ModelError: a file is not what it should be.
    """
    facts = read_metadata(folder, LipSyncMetadata, TASK, "painter of mouths")
    nets = build_with_weights(lambda: new_nets(facts.width), folder / WEIGHTS_FILE)
    nets.float().eval().requires_grad_(False)
    return nets, facts


class NormalizedMel:
    """The sound of a clip as log-mel, each band's mean over the clip taken away.

    Args:
        sounds: stretches at 16 kHz that follow each other.
        late: seconds by which the sound is late against the picture; it is put right.

    Raises:
        SourceError: there is no sound.
    """

    def __init__(self, sounds: Sequence[Audio], late: float = 0.0) -> None:
        if not sounds or not any(len(sound.samples) for sound in sounds):
            raise SourceError("there is no sound to follow; give a file with speech")
        mel = log_mel(np.concatenate([sound.samples for sound in sounds]))
        self._start = float(sounds[0].start) - late
        self._mean = mel.mean(axis=0)
        self._mel = mel

    def around(self, times: Float64Array) -> Float32Array:
        """Give log-mel around times in seconds: (N, 53, 40); silence where there is no sound."""
        steps = (
            np.round((times - self._start) * SAMPLE_RATE / HOP_LENGTH).astype(int)[:, None]
            + np.arange(MEL_FRAMES)
            - MEL_FRAMES // 2
        )
        inside = (steps >= 0) & (steps < len(self._mel))
        found = self._mel[np.clip(steps, 0, len(self._mel) - 1)]
        return np.asarray(np.where(inside[..., None], found, np.float32(np.log(POWER_FLOOR))) - self._mean, np.float32)


@dataclass(frozen=True)
class ReferenceFrames:
    """Pictures of one person's lower face, and where its points lie in each.

    Attributes:
        times: (M,) in seconds. places: (M, 61, 2) in pixels. pictures: (M, 3, S, S) uint8.
    """

    times: Float64Array
    places: Float32Array
    pictures: Tensor

    @cached_property
    def _widest(self) -> int:
        """The picture in which the lips are open widest: it shows teeth."""
        return int(_openings(self.places).argmax())

    @cached_property
    def _shapes(self) -> Float32Array:
        return _shape_descriptors(self.places)

    def like(self, place: Float32Array, time: float, skip: int = 0, before: int | None = None) -> list[int]:
        """Give the indices of the pictures to paint a moment from: the nearest of another moment, and the widest open.

        Args:
            place: (61, 2) where the points are to lie. time: of the moment, in seconds.
            skip: how many of the nearest to leave out. before: the one that was nearest just before.
        """
        cost = np.square(self._shapes - _shape_descriptors(place[None])).sum(axis=(1, 2))
        cost[np.abs(self.times - time) < MIN_REFERENCE_GAP_SECONDS] += 1e9
        nearest = int(np.argsort(cost, kind="stable")[min(skip, len(cost) - 1)])
        if before is not None and cost[nearest] > REFERENCE_SWITCH_RATIO * cost[before]:
            nearest = before
        return [nearest] + [self._widest] * (REFERENCES - 1)

    def shown(self, picks: Sequence[int], place: Float32Array) -> Tensor:
        """Give pictures, bent so that their points lie at a place (61, 2), and the dots that they had: (R, 6, S, S)."""
        pictures, places = self.pictures[list(picks)].float() / 255, torch.from_numpy(self.places[list(picks)])
        return torch.cat([warp(pictures, places, torch.from_numpy(place)), draw_points(places)], 1)


def _shape_descriptors(places: Float32Array) -> Float32Array:
    """Give places (M, 61, 2) so that the distance of two tells how unlike pictures are: lips first, then the pose."""
    centre = places[:, :LIP_CONTOUR_POINTS].mean(axis=1, keepdims=True)
    weights = np.where(np.arange(places.shape[1]) < LIP_CONTOUR_POINTS, 2, 1).astype(np.float32)[:, None]
    return np.concatenate([(places - centre) * weights, 3 * centre], axis=1)


def warp(pictures: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
    """Bend pictures (R, 3, S, S) so that points at places (R, 61, 2) come to lie where they are wanted (61, 2).

    Each pixel moves as the points near it do, first the wide way of all, then what is left of the near ones; far from
    all points nothing moves.
    """
    side, coarse = pictures.shape[-1], pictures.shape[-1] // WARP_GRID_STRIDE
    rows = (torch.arange(coarse, dtype=torch.float32) + 0.5) * WARP_GRID_STRIDE - 0.5
    pixels = torch.stack(torch.meshgrid(rows, rows, indexing="xy"), 2).view(-1, 2)
    left = places - wanted
    moved = torch.zeros(len(places), len(pixels), 2)
    for spread in WARP_SIGMAS:
        moved = moved + _gaussian_weights(pixels, wanted, spread) @ left
        left = left - _gaussian_weights(wanted, wanted, spread) @ left
    grid = ((pixels + moved + 0.5) / side * 2 - 1).view(-1, coarse, coarse, 2).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return functional.grid_sample(pictures, grid, align_corners=False, padding_mode="border")


def _gaussian_weights(pixels: Tensor, points: Tensor, spread: float) -> Tensor:
    """Give the share that each point (P, 2) has in each pixel (N, 2), by a normal curve: (N, P)."""
    weights = torch.exp(-0.5 * torch.cdist(pixels, points).square() / spread**2)
    return weights / (weights.sum(1, keepdim=True) + 0.05)


def _openings(places: Float32Array) -> Float32Array:
    """Give how far the inner lips are apart, (M,), from places (M, 61, 2 or 3)."""
    return np.asarray(places[:, LOWER_LIP, 1] - places[:, UPPER_LIP, 1])


def collect_references(
    ways: Sequence[FaceTrajectory], pictures: Iterable[tuple[float, Callable[[], Pixels]]]
) -> ReferenceFrames:
    """Collect the looks of a person from the pictures of a video, evenly where there are many.

    Args:
        ways: of the face. pictures: times, and what gives the pixels (H, W, 3), in order.

    Raises:
        SourceError: there are none.
    """
    wanted = {time: (way, at) for way in ways for at, time in enumerate(way.times.tolist())}
    keys = sorted(wanted)
    kept = (
        {keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, MAX_REFERENCE_FRAMES).round().astype(int))}
        if keys
        else set()
    )
    rows: list[tuple[float, Float32Array, Pixels]] = []
    for time, pixels in pictures:
        if time in kept:
            way, at = wanted[time]
            rows.append((time, way.places[at], crop_face(pixels(), way.into[at])))
    if not rows:
        raise SourceError("no face is seen that could be painted; give a video in which one speaks towards the camera")
    times, places, cuts = zip(*rows, strict=True)
    return ReferenceFrames(
        np.array(times), np.array(places, np.float32), torch.from_numpy(np.array(cuts)).permute(0, 3, 1, 2)
    )


@dataclass(frozen=True)
class TalkingFace:
    """A clip of somebody who talks, to learn from.

    Attributes:
        name: of the clip. way: of the face.
        pictures: (T, 3, S, S) uint8, lower faces. hearing: its sound.
    """

    name: str
    way: FaceTrajectory
    pictures: Tensor
    hearing: NormalizedMel

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def times(self) -> Float64Array:
        """(T,) in seconds."""
        return self.way.times

    @cached_property
    def places(self) -> Float32Array:
        """(T, 61, 2) where the points lie in the pictures, in pixels."""
        return self.way.places

    @cached_property
    def moved(self) -> Float32Array:
        """(T, 61, 3) how the points lie from rest."""
        return np.asarray(self.way.points - self.way.rest, np.float32)

    @cached_property
    def _mel(self) -> Tensor:
        return torch.from_numpy(self.hearing.around(self.times))

    def mel(self, at: int) -> Tensor:
        """Give what is heard around a picture: (53, 40)."""
        return self._mel[at]

    def faces(self, at: int) -> Tensor:
        """Give a picture (3, S, S) in 0 to 1."""
        return self.pictures[at].float() / 255

    def looks(self, end: int) -> ReferenceFrames:
        """Give its pictures before ``end`` as looks to paint from."""
        return ReferenceFrames(self.times[:end], self.places[:end], self.pictures[:end])

    def placed(self, moved: Tensor, at: int) -> Tensor:
        """Give where points that lie so from rest (T, 61, 3) are in the pictures from ``at`` on: (T, 61, 2)."""
        lay = torch.from_numpy(self.way.lay[at : at + len(moved)]).float().to(moved.device)
        points = torch.from_numpy(self.way.rest).float().to(moved.device) + moved
        return torch.einsum("tij,tpj->tpi", lay[:, :, :3], points) + lay[:, None, :, 3]


def crop_mouths(faces: Tensor, places: Tensor, side: int = 48) -> Tensor:
    """Cut mouths (N, 3, side, side) out of lower faces (N, 3, S, S) whose lips lie at places (N, 61, 2)."""
    centre = places[:, :LIP_CONTOUR_POINTS].mean(1) / faces.shape[-1] * 2 - 1
    scale = torch.eye(2, device=faces.device).expand(len(faces), 2, 2) * MOUTH_CROP_SHARE
    grid = functional.affine_grid(
        torch.cat([scale, centre[:, :, None]], 2), [len(faces), 3, side, side], align_corners=False
    )
    return functional.grid_sample(faces, grid, align_corners=False, padding_mode="border")


class LipSyncModel:
    """Paint lower faces of a person so that the lips follow a voice.

    Args:
        folder: of a trained painter. device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        nets, self.facts = load_lipsync(folder)
        self.device = torch.device(torch_device(device))
        self.nets = nets.to(self.device)
        self._mask = torch.from_numpy(generated_mask())[None, None].to(self.device)

    @torch.inference_mode()
    def hear(self, mel: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Give how lips move to log-mel (N, 53, 40): points from rest (N, 61, 3), and what else is heard (N, 32)."""
        moved, rest = self.nets["voice"](torch.from_numpy(mel).to(self.device))
        return self.facts.gain * moved.cpu().numpy(), rest.cpu().numpy()

    @torch.inference_mode()
    def paint(
        self,
        faces: Pixels,
        places: Float32Array,
        looks: ReferenceFrames,
        picks: Sequence[Sequence[int]],
        rest: Float32Array,
    ) -> Float32Array:
        """Paint lower faces (N, S, S, 3) with their points at places (N, 61, 2): (N, S, S, 3), 0 to 255."""
        given = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
        shown = torch.stack([looks.shown(one, place) for one, place in zip(picks, places, strict=True)])
        inputs = (given, draw_points(torch.from_numpy(places)), shown, torch.from_numpy(rest))
        face, dots, others, voice = (one.to(self.device) for one in inputs)
        made = self.nets["painter"](face, self._mask, dots, others, voice)
        return np.asarray((made.clamp(0, 1) * 255).permute(0, 2, 3, 1).cpu().numpy(), np.float32)
