"""Trained lip-sync models: a folder with the weights, its audio input, and the reference frames of the person."""

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
"""Points of both lip contours; they come first."""

WARP_SIGMAS = (14.0, 5.0, 2.5)
"""Standard deviations in pixels of the influence of a point on the warp, the widest first."""

WARP_GRID_STRIDE = 2
"""Grid spacing in pixels at which the warp is computed."""

UPPER_LIP, LOWER_LIP = 35, 25
"""Indices of the centres of the inner lip contour, among the points of a mouth."""

MIN_REFERENCE_GAP_SECONDS = 0.5
"""Minimum time between a frame and its reference: a closer one shows the same moment."""

MAX_REFERENCE_FRAMES = 400
"""Maximum number of reference frames of a person."""

REFERENCE_SWITCH_RATIO = 0.8
"""The reference changes from frame to frame only if another one is closer by this factor, which reduces flicker."""

MOUTH_CROP_SHARE = 0.55
"""Side of the sync expert's crop, over the side of a lower face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LipSyncMetadata:
    """The content of ``model.json`` of a lip-sync model.

    Attributes:
        width: channels of its finest scale.
        gain: factor of the predicted lip motion: a regression to the mean moves too little.
        data: name of the training clips.
        score: values measured on held-out clips.
    """

    width: int
    gain: float = 1.0
    data: str = ""
    score: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self, {"width": (1, 512), "gain": (0.01, 100.0)})


def new_nets(width: int) -> nn.ModuleDict:
    """Build a voice encoder and a generator with random weights; their keys are those of stored weights."""
    return nn.ModuleDict({"voice": VoiceEncoder(), "painter": LipSyncGenerator(width)})


def new_discriminator() -> nn.Module:
    """Build a discriminator with random weights."""
    return LipSyncDiscriminator()


def save_lipsync(folder: Path, nets: nn.Module, metadata: LipSyncMetadata) -> None:
    """Write a lip-sync model into a folder; each file is written completely or left as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, nets, half=True)
    write_metadata(folder, metadata, TASK)


def load_lipsync(folder: Path) -> tuple[nn.ModuleDict, LipSyncMetadata]:
    """Return the networks of a lip-sync model, ready for inference, and its metadata.

    Raises:
        ModelError: a file is invalid.
    """
    metadata = read_metadata(folder, LipSyncMetadata, TASK, "lip-sync model")
    nets = build_with_weights(lambda: new_nets(metadata.width), folder / WEIGHTS_FILE)
    nets.float().eval().requires_grad_(False)
    return nets, metadata


class NormalizedMel:
    """The audio of a clip as log-mel, the clip's mean of each band subtracted.

    Args:
        segments: consecutive stretches of audio at 16 kHz.
        delay: seconds by which the audio lags the video; it is compensated.

    Raises:
        SourceError: there is no audio.
    """

    def __init__(self, segments: Sequence[Audio], delay: float = 0.0) -> None:
        if not segments or not any(len(segment.samples) for segment in segments):
            raise SourceError("there is no audio to follow; choose a file with speech")
        mel = log_mel(np.concatenate([segment.samples for segment in segments]))
        self._start = float(segments[0].start) - delay
        self._mean = mel.mean(axis=0)
        self._mel = mel

    def around(self, times: Float64Array) -> Float32Array:
        """Return log-mel around times in seconds: (N, 53, 40); silence outside the audio."""
        steps = (
            np.round((times - self._start) * SAMPLE_RATE / HOP_LENGTH).astype(int)[:, None]
            + np.arange(MEL_FRAMES)
            - MEL_FRAMES // 2
        )
        inside = (steps >= 0) & (steps < len(self._mel))
        windows = self._mel[np.clip(steps, 0, len(self._mel) - 1)]
        return np.asarray(
            np.where(inside[..., None], windows, np.float32(np.log(POWER_FLOOR))) - self._mean, np.float32
        )


@dataclass(frozen=True)
class ReferenceFrames:
    """Lower-face crops of one person, and their landmarks.

    Attributes:
        times: (M,) in seconds.
        landmarks: (M, 61, 2) in pixels.
        crops: (M, 3, S, S) uint8.
    """

    times: Float64Array
    landmarks: Float32Array
    crops: Tensor

    @cached_property
    def _widest_open(self) -> int:
        """Index of the crop in which the mouth is open widest: it shows teeth."""
        return int(_openings(self.landmarks).argmax())

    @cached_property
    def _shapes(self) -> Float32Array:
        return _shape_descriptors(self.landmarks)

    def select(self, target: Float32Array, time: float, skip: int = 0, previous: int | None = None) -> list[int]:
        """Return the indices of the references of a frame: the closest of another moment, and the widest open.

        Args:
            target: (61, 2) target landmarks.
            time: of the frame, in seconds.
            skip: how many of the closest to skip.
            previous: the closest of the previous frame.
        """
        cost = np.square(self._shapes - _shape_descriptors(target[None])).sum(axis=(1, 2))
        cost[np.abs(self.times - time) < MIN_REFERENCE_GAP_SECONDS] += 1e9
        nearest = int(np.argsort(cost, kind="stable")[min(skip, len(cost) - 1)])
        if previous is not None and cost[nearest] > REFERENCE_SWITCH_RATIO * cost[previous]:
            nearest = previous
        return [nearest] + [self._widest_open] * (REFERENCES - 1)

    def warped(self, selected: Sequence[int], target: Float32Array) -> Tensor:
        """Return references warped so that their landmarks match the target (61, 2), and their own landmark maps: (R,
        6, S, S).
        """
        crops, landmarks = self.crops[list(selected)].float() / 255, torch.from_numpy(self.landmarks[list(selected)])
        return torch.cat([warp(crops, landmarks, torch.from_numpy(target)), draw_points(landmarks)], 1)


def _shape_descriptors(landmarks: Float32Array) -> Float32Array:
    """Return landmarks (M, 61, 2) in a space where distance is dissimilarity: lips weigh most, then the pose."""
    centre = landmarks[:, :LIP_CONTOUR_POINTS].mean(axis=1, keepdims=True)
    weights = np.where(np.arange(landmarks.shape[1]) < LIP_CONTOUR_POINTS, 2, 1).astype(np.float32)[:, None]
    return np.concatenate([(landmarks - centre) * weights, 3 * centre], axis=1)


def warp(crops: Tensor, landmarks: Tensor, target_landmarks: Tensor) -> Tensor:
    """Warp crops (R, 3, S, S) so that their landmarks (R, 61, 2) move to the targets (61, 2).

    Each pixel moves like the points near it: first with the widest sigma, then by the residual of the narrower ones;
    far from all points nothing moves.
    """
    side, coarse = crops.shape[-1], crops.shape[-1] // WARP_GRID_STRIDE
    rows = (torch.arange(coarse, dtype=torch.float32) + 0.5) * WARP_GRID_STRIDE - 0.5
    pixels = torch.stack(torch.meshgrid(rows, rows, indexing="xy"), 2).view(-1, 2)
    residual = landmarks - target_landmarks
    displacements = torch.zeros(len(landmarks), len(pixels), 2)
    for sigma in WARP_SIGMAS:
        displacements = displacements + _gaussian_weights(pixels, target_landmarks, sigma) @ residual
        residual = residual - _gaussian_weights(target_landmarks, target_landmarks, sigma) @ residual
    grid = ((pixels + displacements + 0.5) / side * 2 - 1).view(-1, coarse, coarse, 2).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return functional.grid_sample(crops, grid, align_corners=False, padding_mode="border")


def _gaussian_weights(pixels: Tensor, points: Tensor, sigma: float) -> Tensor:
    """Return the normalized Gaussian weight of each point (P, 2) at each pixel (N, 2): (N, P)."""
    weights = torch.exp(-0.5 * torch.cdist(pixels, points).square() / sigma**2)
    return weights / (weights.sum(1, keepdim=True) + 0.05)


def _openings(landmarks: Float32Array) -> Float32Array:
    """Return the opening of the inner lips, (M,), from landmarks (M, 61, 2 or 3)."""
    return np.asarray(landmarks[:, LOWER_LIP, 1] - landmarks[:, UPPER_LIP, 1])


def collect_references(
    trajectories: Sequence[FaceTrajectory], crops: Iterable[tuple[float, Callable[[], Pixels]]]
) -> ReferenceFrames:
    """Collect the reference frames of a person from a video, evenly sampled if there are many.

    Args:
        trajectories: of the face.
        crops: times, and functions that return the pixels (H, W, 3), in order.

    Raises:
        SourceError: there are none.
    """
    positions = {
        time: (trajectory, at) for trajectory in trajectories for at, time in enumerate(trajectory.times.tolist())
    }
    keys = sorted(positions)
    selected_times = (
        {keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, MAX_REFERENCE_FRAMES).round().astype(int))}
        if keys
        else set()
    )
    rows: list[tuple[float, Float32Array, Pixels]] = []
    for time, pixels in crops:
        if time in selected_times:
            trajectory, at = positions[time]
            rows.append((time, trajectory.landmarks[at], crop_face(pixels(), trajectory.transforms[at])))
    if not rows:
        raise SourceError("no face is visible; choose a video in which a person speaks towards the camera")
    times, landmarks, face_crops = zip(*rows, strict=True)
    return ReferenceFrames(
        np.array(times), np.array(landmarks, np.float32), torch.from_numpy(np.array(face_crops)).permute(0, 3, 1, 2)
    )


@dataclass(frozen=True)
class TalkingFace:
    """A training clip of a speaker.

    Attributes:
        name: of the clip.
        trajectory: of the face.
        crops: (T, 3, S, S) uint8, lower faces.
        normalized_mel: its audio.
    """

    name: str
    trajectory: FaceTrajectory
    crops: Tensor
    normalized_mel: NormalizedMel

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def times(self) -> Float64Array:
        """(T,) in seconds."""
        return self.trajectory.times

    @cached_property
    def landmarks(self) -> Float32Array:
        """(T, 61, 2) landmarks in the crops, in pixels."""
        return self.trajectory.landmarks

    @cached_property
    def displacements(self) -> Float32Array:
        """(T, 61, 3) displacements of the points from their mean."""
        return np.asarray(self.trajectory.points - self.trajectory.rest_points, np.float32)

    @cached_property
    def _mel(self) -> Tensor:
        return torch.from_numpy(self.normalized_mel.around(self.times))

    def mel(self, at: int) -> Tensor:
        """Return the log-mel around a frame: (53, 40)."""
        return self._mel[at]

    def faces(self, at: int) -> Tensor:
        """Return a crop (3, S, S) in [0, 1]."""
        return self.crops[at].float() / 255

    def references(self, end: int) -> ReferenceFrames:
        """Return its crops before ``end`` as reference frames."""
        return ReferenceFrames(self.times[:end], self.landmarks[:end], self.crops[:end])

    def project(self, displacements: Tensor, at: int) -> Tensor:
        """Project displacements (T, 61, 3) into the crops from ``at`` on: (T, 61, 2)."""
        projections = (
            torch.from_numpy(self.trajectory.projections[at : at + len(displacements)]).float().to(displacements.device)
        )
        points = torch.from_numpy(self.trajectory.rest_points).float().to(displacements.device) + displacements
        return torch.einsum("tij,tpj->tpi", projections[:, :, :3], points) + projections[:, None, :, 3]


def crop_mouths(faces: Tensor, landmarks: Tensor, side: int = 48) -> Tensor:
    """Crop mouths (N, 3, side, side) from lower faces (N, 3, S, S) with landmarks (N, 61, 2)."""
    centre = landmarks[:, :LIP_CONTOUR_POINTS].mean(1) / faces.shape[-1] * 2 - 1
    scale = torch.eye(2, device=faces.device).expand(len(faces), 2, 2) * MOUTH_CROP_SHARE
    grid = functional.affine_grid(
        torch.cat([scale, centre[:, :, None]], 2), [len(faces), 3, side, side], align_corners=False
    )
    return functional.grid_sample(faces, grid, align_corners=False, padding_mode="border")


class LipSyncModel:
    """A lip-sync model that generates lower faces whose lips follow a voice.

    Args:
        folder: of a trained lip-sync model.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        nets, self.metadata = load_lipsync(folder)
        self.device = torch.device(torch_device(device))
        self.nets = nets.to(self.device)
        self._mask = torch.from_numpy(generated_mask())[None, None].to(self.device)

    @torch.inference_mode()
    def predict_motion(self, mel: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Predict the lip motion for log-mel (N, 53, 40): displacements (N, 61, 3), and voice codes (N, 32)."""
        displacements, voice_codes = self.nets["voice"](torch.from_numpy(mel).to(self.device))
        return self.metadata.gain * displacements.cpu().numpy(), voice_codes.cpu().numpy()

    @torch.inference_mode()
    def generate(
        self,
        faces: Pixels,
        landmarks: Float32Array,
        references: ReferenceFrames,
        selected: Sequence[Sequence[int]],
        voice_codes: Float32Array,
    ) -> Float32Array:
        """Generate lower faces (N, S, S, 3) in [0, 255] from crops with landmarks (N, 61, 2)."""
        face_crops = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
        warped = torch.stack(
            [references.warped(selection, target) for selection, target in zip(selected, landmarks, strict=True)]
        )
        inputs = (face_crops, draw_points(torch.from_numpy(landmarks)), warped, torch.from_numpy(voice_codes))
        face, landmark_maps, warped_references, voice = (tensor.to(self.device) for tensor in inputs)
        generated = self.nets["painter"](face, self._mask, landmark_maps, warped_references, voice)
        return np.asarray((generated.clamp(0, 1) * 255).permute(0, 2, 3, 1).cpu().numpy(), np.float32)
