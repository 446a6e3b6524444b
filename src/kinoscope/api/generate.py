"""``kinoscope generate``: new clips that were never filmed, from a generator that learned from clips."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.arguments import choose_device, split_names
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder, remove_surplus
from kinoscope.core.validation import require_known, require_number, slugify
from kinoscope.pipeline import inputs as places
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.core.media import Pixels
    from kinoscope.models.trainable.generators import Generator, Latents

DISPLAY_MODES = ("samples", "between", "crossed")
"""What can be shown of a generator."""

MAX_CLIPS = 100_000
"""Clips of one call."""

MAX_SEED = 2**31 - 1
"""The largest seed."""

MAX_GRID_CLIPS = 64
"""Clips that are laid side by side, at most."""

CLIP_FILENAME = re.compile(r"(\d{5})(-[^/]*)?\.mp4")
"""Names of the clips in a folder: a number, and the class."""

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass
class GenerateResult:
    """What was made.

    Attributes:
        model: its generator. clips: how many, of ``frames`` pictures, ``rate`` a second.
        labels: name of the class of each, where there are classes.
        seconds: that making them took. runtime: what ran the networks.
        psnr: of a real clip that was brought into the model, in dB; None without one.
        written: the files.
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
        """Give the plain form for ``--json``."""
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
        model: folder of a model that `kinoscope train generate` wrote, or one that comes with kinoscope: people or
            shapes.
        n: number of clips (-n). With --show between the number of steps; with --show crossed about its square root of
            contents and as many motions.
        out: a video or gif, which plays all side by side (-o); a .png or .jpg, where each is a row of pictures;
            name-%05d.png, numbered pictures; or a folder for a file of each clip, all of these and a page
            (runs/generate/NAME if not given).
        seed: the same seed gives the same clips, and the first of few are those of many.
        classes: names of classes, separated by commas, which clips have in turn; all of the model's if not given.
        frames: frames of each clip; as in training if not given, and there may be more.
        rate: frames per second; as in training if not given. Motion keeps its speed.
        truncation: 0 to 2; below 1 contents are nearer to the average: less variety, and fewer failures.
        show: samples; between, from one content to another in steps; or crossed, each row one content and each column
            one motion.
        project: a real clip to find in the model: shown as it is, as the model makes it, and with other motions.
        enlarge: times by which frames are made larger.
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

    _check(n, frames, rate, truncation, show, enlarge)
    require_number("seed", seed, 0, MAX_SEED)
    choose_device(device)
    if out is not None and Path(out).suffix and Path(out).suffix.lower() not in SHEET_SUFFIXES:
        select_sink(out)
    if project is not None and not Path(project).exists():
        raise SourceError(f"{project} does not exist; name a clip to bring into the model")
    generator = Generator(model, device)
    labels = _labels(generator, split_names(classes, "classes"))
    moments = generator.times(frames, rate)
    folder = Path(out) if out is not None else Path("runs/generate") / generator.folder.resolve().name
    seconds = float(max(moments[-1], generator.times()[-1]))
    asked = _Asked(generator, n, seed, labels, truncation, seconds)
    with _claimed(folder, generator, n, project, overwrite):
        began = time.perf_counter()
        if project is not None:
            with bar("project", quiet) as progress:
                clips, codes, psnr = asked.projected(project, moments, progress)
        else:
            codes, psnr = asked.codes(show), None
            with bar("generate", quiet) as progress:
                clips = generator.clips(codes, moments, progress)
        done = GenerateResult(
            generator.folder.resolve().name, len(clips), len(moments), rate or generator.metadata.rate,
            time.perf_counter() - began, generator.runtime, psnr=psnr,
        )  # fmt: skip
        done.labels = (
            [generator.metadata.classes[label] for label in codes.labels] if generator.metadata.classes else []
        )
        _write(done, clips, folder, _columns(show, project, len(clips)), enlarge, seed)
        return done


@contextmanager
def _claimed(out: Path, generator: Generator, n: int, project: str | Path | None, overwrite: bool) -> Iterator[None]:
    """Claim what will be written, before anything is generated."""
    from kinoscope.source.encode.writer import check_target

    inputs = [] if project is None else places.files_of(str(project))
    by = command_id("generate", [generator.folder, *([] if project is None else [project])])
    with claim_output(out, by, inputs, names=() if out.suffix else _names(out, n), overwrite=overwrite):
        if out.suffix and not _is_sheet(out):
            check_target(out)
        yield


def _is_sheet(out: Path) -> bool:
    return out.suffix.lower() in SHEET_SUFFIXES and "%" not in out.name


def _names(out: Path, n: int) -> list[str]:
    """Return the names of the files of a folder; of clips, whose names say their class, those that are there."""
    there = [path.name for path in out.iterdir()] if out.is_dir() else []
    clips = [name for name in there if (found := CLIP_FILENAME.fullmatch(name)) and int(found[1]) < n]
    return ["all.gif", "all.mp4", "sheet.png", "report.html", "generated.json", *clips]


def _check(n: int, frames: int | None, rate: float | None, truncation: float, show: str, enlarge: int) -> None:
    require_known(show, DISPLAY_MODES, "show")
    for name, value, low, high in (
        ("n", n, 1, MAX_CLIPS), ("frames", frames, 1, 10_000), ("rate", rate, 0.1, 1000),
        ("truncation", truncation, 0, 2), ("enlarge", enlarge, 1, 16),
    ):  # fmt: skip
        require_number(name, value, low, high)


def _labels(generator: Generator, names: Sequence[str]) -> list[int] | None:
    known = generator.metadata.classes
    if names and not known:
        raise OptionError(f"{generator.folder.name} was told no classes in training; leave classes out")
    return [known.index(require_known(name, known, "class")) for name in names] or None


@dataclass
class _Asked:
    """Which clips are wanted; codes are long enough for ``seconds``."""

    generator: Generator
    n: int
    seed: int
    labels: list[int] | None
    truncation: float
    seconds: float

    def draw(self, count: int, seed: int) -> Latents:
        labels = self.labels and [self.labels[i % len(self.labels)] for i in range(count)]
        return self.generator.latents(count, seed, labels, self.truncation, self.seconds)

    def codes(self, show: str) -> Latents:
        from kinoscope.models.trainable.generators import cross, slerp

        if show == "samples":
            return self.draw(self.n, self.seed)
        if show == "between":
            ends = self.draw(2, self.seed)
            return slerp(ends[:1], ends[1:], self.n)
        side = max(2, round(self.n**0.5))
        return cross(self.draw(side, self.seed), self.draw(side, self.seed + 1))

    def projected(self, clip: str | Path, times: Any, progress: Any) -> tuple[Pixels, Latents, float]:
        """Give a real clip, what the model makes of it, and its content with other motions."""
        import numpy as np

        from kinoscope.models.trainable.generators import concatenate, cross
        from kinoscope.training.generation.inversion import project

        label = self.labels[0] if self.labels else None
        real = read_clip(clip, self.generator)
        found, psnr = project(self.generator, real, self.seed, label, self.seconds, told=progress)
        both = concatenate([found, cross(found, self.draw(max(1, self.n - 2), self.seed))])
        clips = self.generator.clips(both, times)
        shown = real[np.minimum(np.arange(len(times)), len(real) - 1)]
        return np.concatenate([shown[None], clips]), concatenate([both[:1], both]), psnr


def read_clip(path: str | Path, generator: Generator) -> Pixels:
    """Read the first pictures of a clip as a generator makes them: (T, S, S, 3).

    Raises:
        SourceError: it cannot be read, or is too short.
    """
    from kinoscope.core.sampling import Sampling
    from kinoscope.training.data.dataset import Dataset, Example
    from kinoscope.training.data.loader import Loader

    facts = generator.metadata
    sampling = Sampling(facts.frames, facts.rate, (facts.size, facts.size))
    if not Path(path).exists():
        raise SourceError(f"{path} does not exist; name a clip to bring into the model")
    loader = Loader(Dataset(str(path), (Example(str(path), ()),), ()).examples, (), sampling, batch=1, cache=False)
    for batch in loader.epoch(0):
        pixels: Pixels = batch.pixels[0]
        return pixels
    raise SourceError(loader.broken[str(path)])


def _columns(show: str, project: Any, count: int) -> int | None:
    """Give how many clips stand in a row; None for about a square."""
    return round(count**0.5) if show == "crossed" and project is None else None


def _write(done: GenerateResult, clips: Pixels, out: Path, columns: int | None, times: int, seed: int) -> None:
    """Write clips as the name of the output asks for."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    made_by = f"{done.model}, seed {seed}"
    if _is_sheet(out):
        save_image(out, enlarge(strips(clips[:MAX_GRID_CLIPS])[None], times)[0], made_by)
    elif out.suffix:
        save_clip(out, enlarge(grid(clips[:MAX_GRID_CLIPS], columns), times), done.rate, made_by)
    else:
        _write_folder(done, clips, out, columns, times, made_by)
        return
    done.written = [out]


def _write_folder(
    done: GenerateResult, clips: Pixels, out: Path, columns: int | None, times: int, made_by: str
) -> None:
    """Write a file of each clip, all side by side, a sheet, what they are, and a page that plays them."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.pages.generated import generated_page
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    prepare_folder(out)
    for number, clip in enumerate(clips):
        label = f"-{slugify(done.labels[number], 'class')}" if done.labels else ""
        done.written.append(out / f"{number:05d}{label}.mp4")
        save_clip(done.written[-1], enlarge(clip, times), done.rate, made_by)
    shown = grid(clips[:MAX_GRID_CLIPS], columns)
    for name in ("all.gif", "all.mp4"):
        save_clip(out / name, enlarge(shown, times), done.rate, made_by)
    save_image(out / "sheet.png", strips(clips[:MAX_GRID_CLIPS]), made_by)
    remove_surplus(out, CLIP_FILENAME, [path.name for path in done.written])
    done.written += [out / name for name in ("all.gif", "all.mp4", "sheet.png", "report.html", "generated.json")]
    facts = done.to_dict() | {"generated": True, "by": made_by}
    with atomic_write(out / "report.html") as path:
        path.write_text(generated_page(facts, (out / "all.mp4").read_bytes()), "utf-8")
    with atomic_write(out / "generated.json") as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
