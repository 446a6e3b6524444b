"""Generators of clips: the table of networks, their folders of weights, and what draws new clips from them.

A new network is a file in ``nets`` and a row in ``GANS``. A model is a folder with ``model.json`` and
``model.safetensors``; some come with kinoscope, and ``kinoscope train generate`` writes others.
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
"""Where those lie that come with kinoscope, in folders of their names."""

CLIPS_PER_BATCH = 4
"""Clips that are drawn at once."""

MEAN_STYLE_SAMPLES = 512
"""Contents whose mean is the common one of a class."""

MAX_START_SECONDS = 1.28
"""Seconds from zero within which a clip of training begins, so that motion is learned as it is later on, too."""

MIN_SIZE, MAX_SIZE = 16, 256
SIZES = tuple(MIN_SIZE * 2**i for i in range(5))
"""Sides of pictures that can be made, in pixels; powers of 2."""

LIMITS: Mapping[str, Limits] = {
    "width": (1, 1024), "frames": (1, 1000), "rate": (0.01, 1000.0), "spacing": (0.001, 60.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GanSpec:
    """A row of the table.

    Attributes:
        about: one line.
        generator: builds it, from facts. judge: builds the one that it learns from; see
        ``training.generation.adversarial``. options: of its training, where they are other than those of
        ``GeneratingOptions``. codes: how many numbers there are in a content code and in each code of motion.
    """

    about: str
    generator: Callable[[GeneratorMetadata], nn.Module]
    judge: Callable[[GeneratorMetadata, int, int], nn.Module]
    codes: tuple[int, int]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorMetadata:
    """What ``model.json`` says of a generator.

    Attributes:
        network: its row in the table. width: channels of the finest scale.
        size: side of the pictures in pixels. frames, rate: of the clips that it learned from.
        classes: names, by index; empty if it was told none.
        spacing: seconds between the steps of its motion. backdrop: whether what stands still is painted apart.
        rigid: whether motion shifts what moves, and changes nothing else of it.
        data: name of the clips that it learned from. score: what was measured.
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
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON knows lists alone
        require_known(self.network, GANS, "generator")
        if self.size not in SIZES:
            raise OptionError(f"size is {self.size}; choose 64, 128 or 256 (16 and 32 are for trying out)")
        check_ranges(self, LIMITS)


def _video_gan(facts: GeneratorMetadata) -> nn.Module:
    from kinoscope.nets.video_gan import VideoGAN

    return VideoGAN(len(facts.classes), facts.size, facts.width, facts.spacing, facts.backdrop, facts.rigid)


def _video_discriminator(facts: GeneratorMetadata, width: int, shown: int) -> nn.Module:
    from kinoscope.nets.video_gan import VideoDiscriminator

    return VideoDiscriminator(len(facts.classes), facts.size, facts.frames, width, shown)


def _mocogan(facts: GeneratorMetadata) -> nn.Module:
    from kinoscope.nets.mocogan import MoCoGAN

    return MoCoGAN(len(facts.classes), facts.size, facts.width, facts.rate)


def _mocogan_discriminator(facts: GeneratorMetadata, width: int, shown: int) -> nn.Module:
    from kinoscope.nets.mocogan import MoCoGANDiscriminator

    if facts.frames < 13:
        raise OptionError(f"frames is {facts.frames}; mocogan's judge needs 13 or more")
    return MoCoGANDiscriminator(len(facts.classes), width)


GANS: Mapping[str, GanSpec] = {
    "video-gan": GanSpec(
        about="content and motion apart, any rate and length, style modulation, a still backdrop; learns as R3GAN does",
        generator=_video_gan,
        judge=_video_discriminator,
        codes=(64, 64),
    ),
    "mocogan": GanSpec(
        about="MoCoGAN as its paper has it (Tulyakov et al., CVPR 2018), to compare with",
        generator=_mocogan,
        judge=_mocogan_discriminator,
        codes=(50, 10),
        options={
            "width": 64, "judge_width": 64, "lr": 2e-4, "judge_lr": 2e-4, "momentum": 0.5, "game": "non-saturating",
            "penalty": 0.0, "ema": 0.0, "augment": "none",
        },
    ),
}  # fmt: skip


def new_generator(facts: GeneratorMetadata) -> nn.Module:
    """Build a generator with random weights."""
    return GANS[facts.network].generator(facts)


def new_discriminator(facts: GeneratorMetadata, width: int, shown: int = 2) -> nn.Module:
    """Build the judge that such a generator learns from; ``shown`` pictures of a clip are looked at alone."""
    return GANS[facts.network].judge(facts, width, shown)


def save_generator(folder: Path, net: nn.Module, facts: GeneratorMetadata, half: bool = True) -> None:
    """Write a generator into a folder; each file is whole or as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, net, half)
    write_metadata(folder, facts, TASK)


def is_generator(folder: Path) -> bool:
    """Whether a folder holds a generator, or what says it does."""
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
    """Name those that come with kinoscope."""
    return sorted(path.name for path in BUNDLED.iterdir() if is_generator(path))


def find_generator(name: str | Path) -> Path:
    """Give the folder of a generator: one that comes with kinoscope, by its name, or one of the user's own.

    Raises:
        OptionError: there is none.
    """
    if str(name) in bundled_generators():
        return BUNDLED / str(name)
    if not Path(name).is_dir():
        require_known(str(name), bundled_generators(), "generator (give one of these, or a folder)")
    return Path(name)


@dataclass(frozen=True, slots=True)
class Latents:
    """What clips are made from.

    Attributes:
        content: (N, Z) what each shows. motion: (N, K, Z) how it moves. labels: (N,) indices of classes.
    """

    content: Float32Array
    motion: Float32Array
    labels: Int64Array

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, rows: Any) -> Latents:
        """Give some of them, by a slice or by indices."""
        return Latents(self.content[rows], self.motion[rows], self.labels[rows])


def concatenate(parts: Sequence[Latents]) -> Latents:
    """Give several as one."""
    return Latents(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("content", "motion", "labels"))
    )


def slerp(first: Latents, last: Latents, count: int) -> Latents:
    """Give ``count`` from one (1, ...) to another, evenly along an arc, whose motion is that of the first.

    Content goes along an arc since drawn codes all lie about as far from zero (White, "Sampling generative networks",
    2016). The class is the first's.
    """
    a, b = first.content[0], last.content[0]
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    angle = max(float(np.arccos(np.clip(cosine, -1, 1))), 1e-4)
    shares = np.linspace(0, 1, count)
    content = [(np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle) for share in shares]
    return Latents(np.array(content, np.float32), np.repeat(first.motion, count, 0), np.repeat(first.labels, count))


def cross(content: Latents, motion: Latents) -> Latents:
    """Give every content (N) with every motion (M), N * M in all, a row of motions for each content.

    The class goes with the motion: it says what is done.
    """
    rows, columns = np.repeat(np.arange(len(content)), len(motion)), np.tile(np.arange(len(motion)), len(content))
    return Latents(content.content[rows], motion.motion[columns], motion.labels[columns])


class Generator:
    """Make new clips.

    Args:
        name: folder of a generator, or the name of one that comes with kinoscope.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        OptionError: there is no such generator or device.
        ModelError: a file is not what it should be.
    """

    def __init__(self, name: str | Path, device: str = "auto") -> None:
        import torch

        from kinoscope.models.runtime.runner import torch_device

        self.folder = find_generator(name)
        self.facts = read_generator(self.folder)
        self.device = torch.device(torch_device(device))
        net = build_with_weights(lambda: new_generator(self.facts), self.folder / WEIGHTS_FILE)
        self.net: Any = net.float().eval().requires_grad_(False).to(self.device)
        self._painters = (
            GeneratorRuntime(self.folder, net, self.facts.size, device) if hasattr(net, "still_length") else None
        )
        self._common: Tensor | None = None

    @property
    def runtime(self) -> str:
        """What runs the networks."""
        return self._painters.runtime if self._painters else f"torch-{self.device.type}"

    def times(self, frames: int | None = None, rate: float | None = None) -> Float32Array:
        """Give the times of a clip's pictures in seconds, (T,)."""
        return np.asarray(np.arange(frames or self.facts.frames) / (rate or self.facts.rate), np.float32)

    def codes(
        self, count: int, seed: int = 0, labels: Sequence[int] | None = None, truncation: float = 1.0,
        seconds: float | None = None,
    ) -> Latents:  # fmt: skip
        """Draw what clips are made from; that of the n-th depends on the seed and n alone, however many are drawn.

        Args:
            labels: indices of classes; evenly spread if not given.
            truncation: below 1, content keeps nearer to what is common: fewer surprises, fewer failures. It is the
                length of content codes.
            seconds: how long the clips may become; as in training if not given.
        """
        content, motion = GANS[self.facts.network].codes
        steps = self.net.steps((seconds or self.times()[-1]) + MAX_START_SECONDS)
        rows = [np.random.default_rng([seed, number]) for number in range(count)]
        kinds = np.arange(count) % max(1, len(self.facts.classes)) if labels is None else np.asarray(labels)
        contents = np.stack([row.standard_normal(content, np.float32) for row in rows])
        return Latents(
            np.float32(truncation) * self.unit(contents),
            np.stack([row.standard_normal((steps, motion), np.float32) for row in rows]),
            np.asarray(kinds, np.int64),
        )

    def unit(self, contents: Float32Array) -> Float32Array:
        """Give content codes (N, Z) of length 1 (the root of their mean square) where their direction says it all.

        Those of a network that goes by their length, too, stay as they are.
        """
        if self._painters is None:
            return contents
        return np.asarray(contents / np.sqrt(np.square(contents).mean(1, keepdims=True)), np.float32)

    def clips(self, codes: Latents, times: Float32Array, told: Callable[[float, float], None] | None = None) -> Pixels:
        """Make clips (N, T, H, W, 3) from codes, with pictures at times (T,) in seconds; ``told`` how many are done."""
        parts: list[Pixels] = []
        for first in range(0, len(codes), CLIPS_PER_BATCH):
            parts.append(self._clips(codes[first : first + CLIPS_PER_BATCH], times))
            if told:
                told(min(first + CLIPS_PER_BATCH, len(codes)), len(codes))
        return np.concatenate(parts)

    def _clips(self, codes: Latents, times: Float32Array) -> Pixels:
        import torch

        with torch.inference_mode():
            content, motion, labels, moments = self.inputs(codes, times)
            if self._painters is None:
                return to_pixels(self.net(content, motion, labels, moments))
            return self._painters(self.style(content, labels), self.net.motion(motion, labels, moments))

    def style(self, content: Tensor, labels: Tensor) -> Tensor:
        """Give content codes (N, S) as they act; short ones lie between the common one of their class and their own.

        That is the truncation of Karras et al., "A style-based generator architecture", CVPR 2019.
        """
        style: Tensor = self.net.style(content, labels)
        length = content.square().mean(1, keepdim=True).sqrt()
        if bool(((length - 1).abs() < 1e-3).all()):
            return style
        common = self._find_common()[labels]
        return common + length * (style - common)

    def _find_common(self) -> Tensor:
        """Give the mean over many contents of each class, (classes, S)."""
        import torch

        if self._common is None:
            content, _ = GANS[self.facts.network].codes
            drawn = torch.randn(MEAN_STYLE_SAMPLES, content, generator=torch.Generator().manual_seed(0)).to(self.device)
            kinds = range(max(1, len(self.facts.classes)))
            each = [
                self.net.style(drawn, torch.full((MEAN_STYLE_SAMPLES,), kind, device=self.device)) for kind in kinds
            ]
            self._common = torch.stack(each).mean(1)
        return self._common

    def inputs(self, codes: Latents, times: Float32Array) -> tuple[Tensor, ...]:
        """Give codes and times as the network takes them."""
        import torch

        rows = np.broadcast_to(times, (len(codes), len(times)))
        arrays = (codes.content, codes.motion, codes.labels, rows)
        return tuple(torch.from_numpy(np.array(one)).to(self.device) for one in arrays)

    def sample(
        self,
        count: int,
        seed: int = 0,
        labels: Sequence[int] | None = None,
        frames: int | None = None,
        rate: float | None = None,
        truncation: float = 1.0,
    ) -> Pixels:
        """Make clips (N, T, H, W, 3) that were never filmed; see ``codes`` and ``times``."""
        times = self.times(frames, rate)
        return self.clips(self.codes(count, seed, labels, truncation, float(times[-1])), times)


def to_pixels(clips: Tensor) -> Pixels:
    """Give pictures (..., H, W, 3) uint8 of tensors (..., 3, H, W) around -1 to 1."""
    pixels = ((clips.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1)
    return np.asarray(pixels.cpu().numpy(), np.uint8)


def from_pixels(pixels: Pixels, device: torch.device | str = "cpu") -> Tensor:
    """Give tensors (..., 3, H, W) from -1 to 1 of pictures (..., H, W, 3) uint8."""
    import torch

    return torch.from_numpy(np.array(pixels)).to(device).movedim(-1, -3).float() / 127.5 - 1
