"""``kinoscope generate``: video generation by a trained generator."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder, remove_surplus
from kinoscope.core.validation import require_known, require_number, slugify
from kinoscope.pipeline import inputs
from kinoscope.pipeline.arguments import choose_device, split_names
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.core.arrays import Float32Array
    from kinoscope.core.media import Pixels
    from kinoscope.models.trainable.generators import Generator, Latents

DISPLAY_MODES = ("samples", "between", "crossed")
"""Values of ``show``: samples, a latent interpolation, or a grid of contents by motions."""

MAX_CLIPS = 100_000
"""Maximum of ``n``."""

MAX_SEED = 2**31 - 1
"""Maximum of ``seed``."""

MAX_GRID_CLIPS = 64
"""Clips that are shown side by side."""

CLIP_FILENAME = re.compile(r"(\d{5})(-[^/]*)?\.mp4")
"""Names of the clips in a folder: a number, and the class."""

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Endings of a contact sheet, on which each row is a clip."""


@dataclass
class GenerateResult:
    """Generated clips.

    Attributes:
        model: name of the generator.
        clips: the number of clips, of ``frames`` frames at ``rate`` frames per second.
        labels: class name of each clip, if the model has classes.
        seconds: time of generation.
        runtime: name of the runtime of the networks.
        psnr: of the reconstruction of a projected clip, in dB; None without one.
        written: the written files.
    """

    model: str
    clips: int
    frames: int
    rate: float
    seconds: float
    runtime: str
    labels: list[str] = field(default_factory=list)
    psnr: float | None = None
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return self.__dict__ | {"written": [str(path) for path in self.written]}


def generate(
    model: str | Path,
    *,
    n: int = 16,
    out: str | Path | None = None,
    seed: int = 0,
    classes: str | Sequence[str] | None = None,
    frames: int | None = None,
    rate: float | None = None,
    truncation: float = 1.0,
    show: str = "samples",
    project: str | Path | None = None,
    enlarge: int = 1,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> GenerateResult:
    """Generate clips; their files say in their metadata that they were generated.

    Args:
        model: folder of a model that `kinoscope train generate` wrote, or a bundled one: people or shapes.
        n: number of clips (-n); for ``--show between`` the number of steps, and for ``--show crossed`` the number of
            cells of a grid of about sqrt(n) contents by as many motions.
        out: a video or gif, which plays all clips side by side (-o); a .png or .jpg, where each clip is a row of
            frames; name-%05d.png, numbered images; or a folder for a file of each clip, all of these and a page
            (runs/generate/NAME if not given).
        seed: the same seed generates the same clips; a smaller n generates the first of them.
        classes: names of classes, separated by commas, assigned to the clips in rotation; all classes if not given.
        frames: number of frames of each clip, also more than in training; as in training if not given.
        rate: frames per second; as in training if not given. The speed of motion does not change.
        truncation: 0 to 2; below 1 latents are nearer to the mean: less diversity, and fewer failures.
        show: samples; between, an interpolation from one content to another; or crossed, a grid in which each row is
            one content and each column one motion.
        project: a real clip to invert: shown as it is, as the model reconstructs it, and with other motions.
        enlarge: factor by which frames are enlarged.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used.
        SourceError: the clip to project cannot be read, or is too short.
        OutputError: a file cannot be written.
    """
    from kinoscope.models.trainable.generators import Generator
    from kinoscope.source.encode.writer import select_sink

    _check_options(n, frames, rate, truncation, show, enlarge)
    require_number("seed", seed, 0, MAX_SEED)
    choose_device(device)
    if out is not None and Path(out).suffix and Path(out).suffix.lower() not in SHEET_SUFFIXES:
        select_sink(out)
    if project is not None and not Path(project).exists():
        raise SourceError(f"{project} does not exist; name a clip to project")
    generator = Generator(model, device)
    labels = _class_indices(generator, split_names(classes, "classes"))
    times = generator.times(frames, rate)
    folder = Path(out) if out is not None else Path("runs/generate") / generator.folder.resolve().name
    seconds = float(max(times[-1], generator.times()[-1]))
    sampler = _LatentSampler(generator, n, seed, labels, truncation, seconds)
    with _claimed(folder, generator, n, project, overwrite):
        result, clips = _generate(generator, sampler, show, project, times, rate, quiet)
        _write(result, clips, folder, _grid_columns(show, project, len(clips)), enlarge, seed)
        return result


def _generate(
    generator: Generator,
    sampler: _LatentSampler,
    show: str,
    project: str | Path | None,
    times: Float32Array,
    rate: float | None,
    quiet: bool,
) -> tuple[GenerateResult, Pixels]:
    """Return the result without its files, and the clips (N, T, H, W, 3) at ``times`` (T,) in seconds."""
    began = time.perf_counter()
    if project is not None:
        with bar("project", quiet) as progress:
            clips, latents, psnr = sampler.project(project, times, progress)
    else:
        latents, psnr = sampler.sample(show), None
        with bar("generate", quiet) as progress:
            clips = generator.clips(latents, times, progress)
    classes = generator.metadata.classes
    result = GenerateResult(
        generator.folder.resolve().name, len(clips), len(times), rate or generator.metadata.rate,
        time.perf_counter() - began, generator.runtime, psnr=psnr,
    )  # fmt: skip
    result.labels = [classes[label] for label in latents.labels] if classes else []
    return result, clips


@contextmanager
def _claimed(out: Path, generator: Generator, n: int, project: str | Path | None, overwrite: bool) -> Iterator[None]:
    """Claim the outputs, before anything is generated."""
    from kinoscope.source.encode.writer import check_target

    sources = [] if project is None else inputs.files_of(str(project))
    by = command_id("generate", [generator.folder, *([] if project is None else [project])])
    with claim_output(out, by, sources, names=() if out.suffix else _names(out, n), overwrite=overwrite):
        if out.suffix and not _is_sheet(out):
            check_target(out)
        yield


def _is_sheet(out: Path) -> bool:
    return out.suffix.lower() in SHEET_SUFFIXES and "%" not in out.name


def _names(out: Path, n: int) -> list[str]:
    """Return the names of the files of a folder; clips, whose names end in their class, if they exist already."""
    existing = [path.name for path in out.iterdir()] if out.is_dir() else []
    clips = [name for name in existing if (match := CLIP_FILENAME.fullmatch(name)) and int(match[1]) < n]
    return ["all.gif", "all.mp4", "sheet.png", "report.html", "generated.json", *clips]


def _check_options(n: int, frames: int | None, rate: float | None, truncation: float, show: str, enlarge: int) -> None:
    require_known(show, DISPLAY_MODES, "show")
    for name, value, low, high in (
        ("n", n, 1, MAX_CLIPS), ("frames", frames, 1, 10_000), ("rate", rate, 0.1, 1000),
        ("truncation", truncation, 0, 2), ("enlarge", enlarge, 1, 16),
    ):  # fmt: skip
        require_number(name, value, low, high)


def _class_indices(generator: Generator, names: Sequence[str]) -> list[int] | None:
    """Return the indices of classes; None if none is named."""
    known = generator.metadata.classes
    if names and not known:
        raise OptionError(f"{generator.folder.name} was trained without classes; leave classes out")
    return [known.index(require_known(name, known, "class")) for name in names] or None


@dataclass
class _LatentSampler:
    """Sampler of the latents of the requested clips, which are long enough for ``seconds``."""

    generator: Generator
    n: int
    seed: int
    labels: list[int] | None
    truncation: float
    seconds: float

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

    def project(self, path: str | Path, times: Any, progress: Any) -> tuple[Pixels, Latents, float]:
        """Return a real clip, its reconstruction and its content with other motions; their latents; and the PSNR."""
        import numpy as np

        from kinoscope.models.trainable.generators import concatenate, cross
        from kinoscope.training.generation.inversion import project

        label = self.labels[0] if self.labels else None
        real = read_clip(path, self.generator)
        projected, psnr = project(self.generator, real, self.seed, label, self.seconds, on_step=progress)
        latents = concatenate([projected, cross(projected, self._draw(max(1, self.n - 2), self.seed))])
        clips = self.generator.clips(latents, times)
        original = real[np.minimum(np.arange(len(times)), len(real) - 1)]
        return np.concatenate([original[None], clips]), concatenate([latents[:1], latents]), psnr


def read_clip(path: str | Path, generator: Generator) -> Pixels:
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


def _grid_columns(show: str, project: Any, count: int) -> int | None:
    """Return the number of clips in a row; None for an approximately square grid."""
    return round(count**0.5) if show == "crossed" and project is None else None


def _write(result: GenerateResult, clips: Pixels, out: Path, columns: int | None, times: int, seed: int) -> None:
    """Write clips in the format that the name of the output selects."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    origin = f"{result.model}, seed {seed}"
    if _is_sheet(out):
        save_image(out, enlarge(strips(clips[:MAX_GRID_CLIPS])[None], times)[0], origin)
    elif out.suffix:
        save_clip(out, enlarge(grid(clips[:MAX_GRID_CLIPS], columns), times), result.rate, origin)
    else:
        _write_folder(result, clips, out, columns, times, origin)
        return
    result.written = [out]


def _write_folder(
    result: GenerateResult, clips: Pixels, out: Path, columns: int | None, times: int, origin: str
) -> None:
    """Write a file of each clip, all side by side, a contact sheet, the metadata, and a page that plays them."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.pages.generated import generated_page
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    prepare_folder(out)
    for number, clip in enumerate(clips):
        label = f"-{slugify(result.labels[number], 'class')}" if result.labels else ""
        result.written.append(out / f"{number:05d}{label}.mp4")
        save_clip(result.written[-1], enlarge(clip, times), result.rate, origin)
    tiled = grid(clips[:MAX_GRID_CLIPS], columns)
    for name in ("all.gif", "all.mp4"):
        save_clip(out / name, enlarge(tiled, times), result.rate, origin)
    save_image(out / "sheet.png", strips(clips[:MAX_GRID_CLIPS]), origin)
    remove_surplus(out, CLIP_FILENAME, [path.name for path in result.written])
    result.written += [out / name for name in ("all.gif", "all.mp4", "sheet.png", "report.html", "generated.json")]
    metadata = result.to_dict() | {"generated": True, "by": origin}
    with atomic_write(out / "report.html") as path:
        path.write_text(generated_page(metadata, (out / "all.mp4").read_bytes()), "utf-8")
    with atomic_write(out / "generated.json") as path:
        path.write_text(json.dumps(metadata, indent=1) + "\n", "utf-8")
