"""Generation of clips by a trained generator: sampled, interpolated, crossed, or projected from a real clip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.validation import require_known, require_number
from kinoscope.pipeline.arguments import split_names
from kinoscope.pipeline.generated_files import claim_outputs, demand_writable, write_clips
from kinoscope.results.generate import GenerateResult
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.core.arrays import Float32Array
    from kinoscope.core.media import Pixels
    from kinoscope.models.trainable.generators import Latents, TrainedGenerator

DISPLAY_MODES = ("samples", "between", "crossed")
"""Values of ``show``: samples, a latent interpolation, or a grid of contents by motions."""

MAX_CLIPS = 100_000
"""Maximum of ``n``."""

MAX_SEED = 2**31 - 1
"""Maximum of ``seed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedClipOptions:
    """The classes, length, rate and size of generated clips, and how far their latents lie from the mean.

    Attributes:
        classes: names of classes, separated by commas, assigned to the clips in rotation; all classes if not given.
        frames: number of frames of each clip, also more than in training; as in training if not given.
        rate: frames per second; as in training if not given. The speed of motion does not change.
        truncation: 0 to 2; below 1 latents are nearer to the mean: less diversity, and fewer failures.
        enlarge: factor by which frames are enlarged.
    """

    classes: str | Sequence[str] | None = None
    frames: int | None = None
    rate: float | None = None
    truncation: float = 1.0
    enlarge: int = 1

    def check(self) -> None:
        """Raise OptionError if a number is out of its limits."""
        for name, value, low, high in (
            ("frames", self.frames, 1, 10_000), ("rate", self.rate, 0.1, 1000),
            ("truncation", self.truncation, 0, 2), ("enlarge", self.enlarge, 1, 16),
        ):  # fmt: skip
            require_number(name, value, low, high)


CLIPS_AS_TRAINED = GeneratedClipOptions()
"""The default: clips like those that the generator was trained on, of all classes."""


def generate_clips(
    model: str | Path,
    n: int = 16,
    *,
    seed: int = 0,
    show: str = "samples",
    project: str | Path | None = None,
    clips: GeneratedClipOptions = CLIPS_AS_TRAINED,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = True,
) -> GenerateResult:
    """Generate clips, whose array (N, T, H, W, 3) the result holds, and write them if ``out`` is given.

    Args:
        model: folder of a generator, or the name of a bundled one.
        n: number of clips, of steps (``show="between"``), or of cells of a grid (``show="crossed"``).
        seed: the same seed generates the same clips; a smaller n generates the first of them.
        show: one of ``DISPLAY_MODES``.
        project: a real clip to invert: returned as it is, as the model reconstructs it, and with other motions.
        out: a video, an image, numbered images or a folder; None writes nothing.

    Raises:
        OptionError: an option cannot be used, or there is no such generator.
        ModelError: the folder holds no usable generator.
        SourceError: the clip to project cannot be read, or is too short.
        OutputError: a file cannot be written.
    """
    from kinoscope.models.trainable.generators import TrainedGenerator

    _check(n, seed, show, project, clips)
    target = None if out is None else demand_writable(out)
    generator = TrainedGenerator(model, device)
    sampler = _LatentSampler.for_clips(generator, n, seed, clips)
    with nullcontext() if target is None else claim_outputs(target, generator.folder, n, project, overwrite):
        result = _generate(sampler, show, project, generator.times(clips.frames, clips.rate), clips.rate, quiet)
        if target is not None:
            columns = _grid_columns(show, project, result.clips)
            result.written = write_clips(result, target, columns, clips.enlarge, seed)
        return result


def sample_clips(
    generator: TrainedGenerator, n: int, *, seed: int = 0, clips: GeneratedClipOptions = CLIPS_AS_TRAINED
) -> Pixels:
    """Return ``n`` new clips of a generator that is loaded, (N, T, H, W, 3) uint8 RGB.

    Raises:
        OptionError: an option cannot be used, or there is no such class.
    """
    _check(n, seed, "samples", None, clips)
    latents = _LatentSampler.for_clips(generator, n, seed, clips).sample("samples")
    return generator.clips(latents, generator.times(clips.frames, clips.rate))


def _check(n: int, seed: int, show: str, project: str | Path | None, clips: GeneratedClipOptions) -> None:
    """Check the options that need no model."""
    require_known(show, DISPLAY_MODES, "show")
    require_number("n", n, 1, MAX_CLIPS)
    clips.check()
    require_number("seed", seed, 0, MAX_SEED)
    if project is not None and not Path(project).exists():
        raise SourceError(f"{project} does not exist; name a clip to project")


def _generate(
    sampler: _LatentSampler,
    show: str,
    project: str | Path | None,
    times: Float32Array,
    rate: float | None,
    quiet: bool,
) -> GenerateResult:
    """Return the clips with frames at ``times`` (T,) in seconds."""
    began, generator = time.perf_counter(), sampler.generator
    if project is not None:
        with bar("project", quiet) as progress:
            pixels, latents, psnr = sampler.project(project, times, progress)
    else:
        latents, psnr = sampler.sample(show), None
        with bar("generate", quiet) as progress:
            pixels = generator.clips(latents, times, progress)
    classes = generator.metadata.classes
    return GenerateResult(
        str(generator.folder), generator.folder.resolve().name, len(pixels), len(times),
        rate or generator.metadata.rate, time.perf_counter() - began, generator.runtime,
        labels=[classes[label] for label in latents.labels] if classes else [], psnr=psnr, pixels=pixels,
    )  # fmt: skip


def _class_indices(generator: TrainedGenerator, names: Sequence[str]) -> list[int] | None:
    """Return the indices of classes; None if none is named."""
    known = generator.metadata.classes
    if names and not known:
        raise OptionError(f"{generator.folder.name} was trained without classes; leave classes out")
    return [known.index(require_known(name, known, "class")) for name in names] or None


def _grid_columns(show: str, project: str | Path | None, count: int) -> int | None:
    """Return the number of clips in a row; None for an approximately square grid."""
    return round(count**0.5) if show == "crossed" and project is None else None


@dataclass
class _LatentSampler:
    """Sampler of the latents of the requested clips, which are long enough for ``seconds``."""

    generator: TrainedGenerator
    n: int
    seed: int
    labels: list[int] | None
    truncation: float
    seconds: float

    @classmethod
    def for_clips(cls, generator: TrainedGenerator, n: int, seed: int, clips: GeneratedClipOptions) -> _LatentSampler:
        """Return the sampler of ``n`` clips.

        Raises:
            OptionError: the generator has no such class.
        """
        labels = _class_indices(generator, split_names(clips.classes, "classes"))
        end = max(generator.times(clips.frames, clips.rate)[-1], generator.times()[-1])
        return cls(generator, n, seed, labels, clips.truncation, float(end))

    def _draw(self, count: int, seed: int) -> Latents:
        """Sample the latents of ``count`` clips."""
        labels = self.labels and [self.labels[i % len(self.labels)] for i in range(count)]
        return self.generator.latents(count, seed, labels, self.truncation, self.seconds)

    def sample(self, show: str) -> Latents:
        """Sample the latents of the clips that ``show`` asks for."""
        from kinoscope.models.trainable.generators import cross, slerp

        if show == "samples":
            return self._draw(self.n, self.seed)
        if show == "between":
            ends = self._draw(2, self.seed)
            return slerp(ends[:1], ends[1:], self.n)
        side = max(2, round(self.n**0.5))
        return cross(self._draw(side, self.seed), self._draw(side, self.seed + 1))

    def project(
        self, path: str | Path, times: Float32Array, progress: ProgressCallback | None
    ) -> tuple[Pixels, Latents, float]:
        """Return a real clip, its reconstruction and its content with other motions; their latents; and the PSNR."""
        from kinoscope.models.trainable.generators import concatenate, cross
        from kinoscope.training.generation.inversion import project

        label = self.labels[0] if self.labels else None
        real = read_clip(path, self.generator)
        projected, psnr = project(self.generator, real, self.seed, label, self.seconds, on_step=progress)
        latents = concatenate([projected, cross(projected, self._draw(max(1, self.n - 2), self.seed))])
        clips = self.generator.clips(latents, times)
        original = real[np.minimum(np.arange(len(times)), len(real) - 1)]
        return np.concatenate([original[None], clips]), concatenate([latents[:1], latents]), psnr


def read_clip(path: str | Path, generator: TrainedGenerator) -> Pixels:
    """Read the first frames of a clip in the size and rate of a generator: (T, S, S, 3) uint8.

    Raises:
        SourceError: the clip cannot be read, or is too short.
    """
    from kinoscope.core.sampling import Sampling
    from kinoscope.training.data.dataset import Dataset, Example
    from kinoscope.training.data.loader import Loader

    metadata = generator.metadata
    sampling = Sampling(metadata.frames, metadata.rate, (metadata.size, metadata.size))
    if not Path(path).exists():
        raise SourceError(f"{path} does not exist; name a clip to project")
    loader = Loader(Dataset(str(path), (Example(str(path), ()),), ()).examples, (), sampling, batch=1, cache=False)
    for batch in loader.epoch(0):
        pixels: Pixels = batch.pixels[0]
        return pixels
    raise SourceError(loader.unreadable[str(path)])
