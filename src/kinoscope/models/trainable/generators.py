"""Clip generators: the table of networks, their folders of weights, and the sampling of new clips.

A new network is a file in ``nets`` and an entry in ``GANS``. A model is a folder with ``model.json`` and
``model.safetensors``; some are part of kinoscope, and ``kinoscope train generate`` writes others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float32Array, Int64Array
from kinoscope.core.errors import OptionError
from kinoscope.core.media import Pixels
from kinoscope.core.ranges import Limits, check_ranges
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_known
from kinoscope.models.formats.metadata import read_metadata, write_metadata
from kinoscope.models.formats.trained_model import METADATA_FILE, WEIGHTS_FILE, build_with_weights, write_weights
from kinoscope.models.trainable.generator_runtime import GeneratorRuntime

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TASK = "generate"

BUNDLED = Path(__file__).parents[1] / "weights"
"""Folder of the bundled generators, in subfolders of their names."""

CLIPS_PER_BATCH = 4
"""Clips that are generated at once."""

MEAN_STYLE_SAMPLES = 512
"""Number of contents whose mean style is that of a class."""

MAX_START_SECONDS = 1.28
"""Maximum time from zero at which a training clip begins, so that the motion is also learned at later times."""

MIN_SIZE, MAX_SIZE = 16, 256
SIZES = tuple(MIN_SIZE * 2**i for i in range(5))
"""Frame sides that can be generated, in pixels; powers of 2."""

LIMITS: Mapping[str, Limits] = {
    "width": (1, 1024), "frames": (1, 1000), "rate": (0.01, 1000.0), "spacing": (0.001, 60.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GanSpec:
    """One entry of the table.

    Attributes:
        about: one line.
        generator: builds it from its metadata.
        discriminator: builds the discriminator of its training; see ``training.generation.adversarial``.
        latent_sizes: numbers in the content latent and in each motion latent.
        options: of its training that differ from the defaults of ``GenerationOptions``.
    """

    about: str
    generator: Callable[[GeneratorMetadata], nn.Module]
    discriminator: Callable[[GeneratorMetadata, int, int], nn.Module]
    latent_sizes: tuple[int, int]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorMetadata:
    """The content of ``model.json`` of a generator.

    Attributes:
        network: its entry in the table.
        width: channels of the finest scale.
        size: side of the frames in pixels.
        frames, rate: of the training clips.
        classes: names, by index; empty for an unconditional generator.
        spacing: seconds between the steps of its motion.
        backdrop: generate the static background separately.
        rigid: motion shifts the foreground, and changes nothing else of it.
        data: name of the training clips.
        score: measured values.
    """

    network: str = "video-gan"
    width: int = 16
    size: int = 64
    frames: int = 16
    rate: float = 25.0
    classes: tuple[str, ...] = ()
    spacing: float = 0.32
    backdrop: bool = True
    rigid: bool = False
    data: str = ""
    score: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON has lists only
        require_known(self.network, GANS, "generator")
        if self.size not in SIZES:
            raise OptionError(f"size is {self.size}; choose 64, 128 or 256 (16 and 32 are for trying out)")
        check_ranges(self, LIMITS)


def _video_gan(metadata: GeneratorMetadata) -> nn.Module:
    from kinoscope.nets.video_gan import VideoGAN

    return VideoGAN(
        len(metadata.classes), metadata.size, metadata.width, metadata.spacing, metadata.backdrop, metadata.rigid
    )


def _video_discriminator(metadata: GeneratorMetadata, width: int, disc_frames: int) -> nn.Module:
    from kinoscope.nets.video_gan import VideoDiscriminator

    return VideoDiscriminator(len(metadata.classes), metadata.size, metadata.frames, width, disc_frames)


def _mocogan(metadata: GeneratorMetadata) -> nn.Module:
    from kinoscope.nets.mocogan import MoCoGAN

    return MoCoGAN(len(metadata.classes), metadata.size, metadata.width, metadata.rate)


def _mocogan_discriminator(metadata: GeneratorMetadata, width: int, disc_frames: int) -> nn.Module:
    from kinoscope.nets.mocogan import MoCoGANDiscriminator

    if metadata.frames < 13:
        raise OptionError(f"frames is {metadata.frames}; mocogan's discriminator needs 13 or more")
    return MoCoGANDiscriminator(len(metadata.classes), width)


GANS: Mapping[str, GanSpec] = {
    "video-gan": GanSpec(
        about="content and motion apart, any rate and length, style modulation, a still backdrop; learns as R3GAN does",
        generator=_video_gan,
        discriminator=_video_discriminator,
        latent_sizes=(64, 64),
    ),
    "mocogan": GanSpec(
        about="MoCoGAN as its paper has it (Tulyakov et al., CVPR 2018), to compare with",
        generator=_mocogan,
        discriminator=_mocogan_discriminator,
        latent_sizes=(50, 10),
        options={
            "width": 64, "disc_width": 64, "lr": 2e-4, "disc_lr": 2e-4, "momentum": 0.5, "gan_loss": "non-saturating",
            "r1_weight": 0.0, "ema": 0.0, "augment": "none",
        },
    ),
}  # fmt: skip


def new_generator(metadata: GeneratorMetadata) -> nn.Module:
    """Build a generator with random weights."""
    return GANS[metadata.network].generator(metadata)


def new_discriminator(metadata: GeneratorMetadata, width: int, disc_frames: int = 2) -> nn.Module:
    """Build the discriminator of a generator; it also scores ``disc_frames`` single frames of a clip."""
    return GANS[metadata.network].discriminator(metadata, width, disc_frames)


def save_generator(folder: Path, net: nn.Module, metadata: GeneratorMetadata, half: bool = True) -> None:
    """Write a generator into a folder; each file is written completely or left as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, net, half)
    write_metadata(folder, metadata, TASK)


def is_generator(folder: Path) -> bool:
    """Return whether a folder's ``model.json`` is that of a generator."""
    try:
        return bool(read_json(folder / METADATA_FILE)["task"] == TASK)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_generator(folder: Path) -> GeneratorMetadata:
    """Read ``model.json`` of a generator.

    Raises:
        ModelError: there is none, or it is damaged, of another task or of a newer version.
    """
    return read_metadata(folder, GeneratorMetadata, TASK, "generator")


def bundled_generators() -> list[str]:
    """Return the names of the generators that are part of kinoscope, sorted."""
    return sorted(path.name for path in BUNDLED.iterdir() if is_generator(path))


def find_generator(name: str | Path) -> Path:
    """Return the folder of a generator: a bundled one, by its name, or one of the user's own.

    Raises:
        OptionError: there is none.
    """
    if str(name) in bundled_generators():
        return BUNDLED / str(name)
    if not Path(name).is_dir():
        require_known(str(name), bundled_generators(), "generator")
    return Path(name)


@dataclass(frozen=True, slots=True)
class Latents:
    """The latents of N clips.

    Attributes:
        content: (N, Z) appearance.
        motion: (N, K, Z) movement.
        labels: (N,) class indices.
    """

    content: Float32Array
    motion: Float32Array
    labels: Int64Array

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, rows: Any) -> Latents:
        """Select rows by a slice or by indices."""
        return Latents(self.content[rows], self.motion[rows], self.labels[rows])


def concatenate(batches: Sequence[Latents]) -> Latents:
    """Concatenate several along N."""
    return Latents(
        *(np.concatenate([getattr(part, name) for part in batches]) for name in ("content", "motion", "labels"))
    )


def slerp(first: Latents, last: Latents, count: int) -> Latents:
    """Interpolate ``count`` latents along an arc from one (1, ...) to another, all with the motion of the first.

    Content is interpolated along an arc since sampled latents all have about the same norm (White, "Sampling generative
    networks", 2016). The class is the first's.
    """
    a, b = first.content[0], last.content[0]
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    angle = max(float(np.arccos(np.clip(cosine, -1, 1))), 1e-4)
    shares = np.linspace(0, 1, count)
    content = [(np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle) for share in shares]
    return Latents(np.array(content, np.float32), np.repeat(first.motion, count, 0), np.repeat(first.labels, count))


def cross(content: Latents, motion: Latents) -> Latents:
    """Combine every content (N) with every motion (M), N * M in all, a row of motions for each content.

    The class goes with the motion: it is the class of the action.
    """
    rows, columns = np.repeat(np.arange(len(content)), len(motion)), np.tile(np.arange(len(motion)), len(content))
    return Latents(content.content[rows], motion.motion[columns], motion.labels[columns])


class TrainedGenerator:
    """A trained generator that samples new clips.

    Args:
        name: folder of a generator, or the name of a bundled one.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        OptionError: there is no such generator or device.
        ModelError: a file is invalid.
    """

    def __init__(self, name: str | Path, device: str = "auto") -> None:
        import torch

        from kinoscope.models.runtime.runner import torch_device

        self.folder = find_generator(name)
        self.metadata = read_generator(self.folder)
        self.device = torch.device(torch_device(device))
        net = build_with_weights(lambda: new_generator(self.metadata), self.folder / WEIGHTS_FILE)
        self.net: Any = net.float().eval().requires_grad_(False).to(self.device)
        self._runtime = (
            GeneratorRuntime(self.folder, net, self.metadata.size, device) if hasattr(net, "still_length") else None
        )
        self._mean_styles: Tensor | None = None

    @property
    def runtime(self) -> str:
        """Runtime and precision of the networks."""
        return self._runtime.runtime if self._runtime else f"torch-{self.device.type}"

    def times(self, frames: int | None = None, rate: float | None = None) -> Float32Array:
        """Return the times of a clip's frames in seconds, (T,)."""
        return np.asarray(np.arange(frames or self.metadata.frames) / (rate or self.metadata.rate), np.float32)

    def latents(
        self, count: int, seed: int = 0, labels: Sequence[int] | None = None, truncation: float = 1.0,
        seconds: float | None = None,
    ) -> Latents:  # fmt: skip
        """Sample latents; those of the n-th clip depend on the seed and n alone, for any ``count``.

        Args:
            labels: class indices; evenly distributed if None.
            truncation: norm of the content latents; below 1, contents are closer to the mean: less diversity, fewer
                failures.
            seconds: maximum length of the clips; as in training if None.
        """
        content, motion = GANS[self.metadata.network].latent_sizes
        steps = self.net.steps((seconds or self.times()[-1]) + MAX_START_SECONDS)
        rows = [np.random.default_rng([seed, number]) for number in range(count)]
        class_labels = np.arange(count) % max(1, len(self.metadata.classes)) if labels is None else np.asarray(labels)
        contents = np.stack([row.standard_normal(content, np.float32) for row in rows])
        return Latents(
            np.float32(truncation) * self.normalize(contents),
            np.stack([row.standard_normal((steps, motion), np.float32) for row in rows]),
            np.asarray(class_labels, np.int64),
        )

    def normalize(self, contents: Float32Array) -> Float32Array:
        """Scale content latents (N, Z) to length 1 (root mean square) if the network depends on their direction alone.

        Those of a network that also depends on their length are returned unchanged.
        """
        if self._runtime is None:
            return contents
        return np.asarray(contents / np.sqrt(np.square(contents).mean(1, keepdims=True)), np.float32)

    def clips(
        self, latents: Latents, times: Float32Array, progress: Callable[[float, float], None] | None = None
    ) -> Pixels:
        """Generate clips (N, T, H, W, 3) from latents, with frames at times (T,) in seconds; report progress in
        clips.
        """
        batches: list[Pixels] = []
        for first in range(0, len(latents), CLIPS_PER_BATCH):
            batches.append(self._clips(latents[first : first + CLIPS_PER_BATCH], times))
            if progress:
                progress(min(first + CLIPS_PER_BATCH, len(latents)), len(latents))
        return np.concatenate(batches)

    def _clips(self, latents: Latents, times: Float32Array) -> Pixels:
        import torch

        with torch.inference_mode():
            content, motion, labels, frame_times = self.inputs(latents, times)
            if self._runtime is None:
                return to_pixels(self.net(content, motion, labels, frame_times))
            return self._runtime(self.style(content, labels), self.net.motion(motion, labels, frame_times))

    def style(self, content: Tensor, labels: Tensor) -> Tensor:
        """Map content latents (N, Z) to styles (N, S); short ones lie between the mean style of their class and their
        own.

        That is the truncation of Karras et al., "A style-based generator architecture", CVPR 2019.
        """
        style: Tensor = self.net.style(content, labels)
        length = content.square().mean(1, keepdim=True).sqrt()
        if bool(((length - 1).abs() < 1e-3).all()):
            return style
        mean_style = self._find_mean_styles()[labels]
        return mean_style + length * (style - mean_style)

    def _find_mean_styles(self) -> Tensor:
        """Return the mean style of each class over many contents, (classes, S)."""
        import torch

        if self._mean_styles is None:
            size, _ = GANS[self.metadata.network].latent_sizes
            contents = torch.randn(MEAN_STYLE_SAMPLES, size, generator=torch.Generator().manual_seed(0)).to(self.device)
            classes = range(max(1, len(self.metadata.classes)))
            each = [
                self.net.style(contents, torch.full((MEAN_STYLE_SAMPLES,), kind, device=self.device))
                for kind in classes
            ]
            self._mean_styles = torch.stack(each).mean(1)
        return self._mean_styles

    def inputs(self, latents: Latents, times: Float32Array) -> tuple[Tensor, ...]:
        """Convert latents and times to the network's input tensors."""
        import torch

        rows = np.broadcast_to(times, (len(latents), len(times)))
        arrays = (latents.content, latents.motion, latents.labels, rows)
        return tuple(torch.from_numpy(np.array(array)).to(self.device) for array in arrays)

    def sample(
        self,
        count: int,
        seed: int = 0,
        labels: Sequence[int] | None = None,
        frames: int | None = None,
        rate: float | None = None,
        truncation: float = 1.0,
    ) -> Pixels:
        """Generate new clips (N, T, H, W, 3); see ``latents`` and ``times``."""
        times = self.times(frames, rate)
        return self.clips(self.latents(count, seed, labels, truncation, float(times[-1])), times)


def to_pixels(clips: Tensor) -> Pixels:
    """Convert tensors (..., 3, H, W) around [-1, 1] to frames (..., H, W, 3) uint8."""
    pixels = ((clips.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1)
    return np.asarray(pixels.cpu().numpy(), np.uint8)


def from_pixels(pixels: Pixels, device: torch.device | str = "cpu") -> Tensor:
    """Convert frames (..., H, W, 3) uint8 to tensors (..., 3, H, W) in [-1, 1]."""
    import torch

    return torch.from_numpy(np.array(pixels)).to(device).movedim(-1, -3).float() / 127.5 - 1
