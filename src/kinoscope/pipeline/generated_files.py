"""Files of generated clips: a video, an image, numbered images, or a folder with a page; marked as generated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder, remove_surplus
from kinoscope.core.validation import slugify
from kinoscope.pipeline import inputs
from kinoscope.results.generate import GenerateResult

if TYPE_CHECKING:
    from kinoscope.core.media import Pixels

MAX_GRID_CLIPS = 64
"""Clips that are shown side by side."""

CLIP_FILENAME = re.compile(r"(\d{5})(-[^/]*)?\.mp4")
"""Names of the clips in a folder: a number, and the class."""

FOLDER_FILES = ("all.gif", "all.mp4", "sheet.png", "report.html", "generated.json")
"""Files of a folder beside the clips."""

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Endings of a contact sheet, on which each row is a clip."""


def demand_writable(out: str | Path) -> Path:
    """Return the path of an output whose ending is that of a video, of images, or none: a folder.

    Raises:
        OptionError: the ending is unknown.
    """
    from kinoscope.source.encode.writer import select_sink

    path = Path(out)
    if path.suffix and path.suffix.lower() not in SHEET_SUFFIXES:
        select_sink(path)
    return path


@contextmanager
def claim_outputs(out: Path, generator: Path, n: int, project: str | Path | None, overwrite: bool) -> Iterator[None]:
    """Claim the files of ``n`` clips, before anything is generated.

    Args:
        out: a file or a folder.
        generator: folder of the generator.
        project: the real clip that is read, if there is one.

    Raises:
        OutputError: a file exists that may not be replaced, or the path cannot be written.
    """
    from kinoscope.source.encode.writer import check_target

    sources = [] if project is None else inputs.files_of(str(project))
    by = command_id("generate", [generator, *([] if project is None else [project])])
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
    return [*FOLDER_FILES, *clips]


def write_clips(result: GenerateResult, out: Path, columns: int | None, times: int, seed: int) -> list[Path]:
    """Write clips in the format that the name of the output selects, and return the paths.

    Args:
        columns: number of clips in a row of a video; None for an approximately square grid.
        times: factor by which frames are enlarged.
        seed: that the files name in their metadata.
    """
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    assert result.pixels is not None
    origin, shown = f"{result.model}, seed {seed}", result.pixels[:MAX_GRID_CLIPS]
    if _is_sheet(out):
        save_image(out, enlarge(strips(shown)[None], times)[0], origin)
    elif out.suffix:
        save_clip(out, enlarge(grid(shown, columns), times), result.rate, origin)
    else:
        return _write_folder(result, result.pixels, out, columns, times, origin)
    return [out]


def _write_folder(
    result: GenerateResult, clips: Pixels, out: Path, columns: int | None, times: int, origin: str
) -> list[Path]:
    """Write a file of each clip, all side by side, a contact sheet, the metadata, and a page that plays them."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.pages.generated import generated_page
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.grid import enlarge, grid, strips

    prepare_folder(out)
    written = _write_each(result, clips, out, times, origin)
    shown = clips[:MAX_GRID_CLIPS]
    for name in ("all.gif", "all.mp4"):
        save_clip(out / name, enlarge(grid(shown, columns), times), result.rate, origin)
    save_image(out / "sheet.png", strips(shown), origin)
    remove_surplus(out, CLIP_FILENAME, [path.name for path in written])
    written += [out / name for name in FOLDER_FILES]
    metadata = result.to_dict() | {"written": [str(path) for path in written], "generated": True, "by": origin}
    with atomic_write(out / "report.html") as path:
        path.write_text(generated_page(metadata, (out / "all.mp4").read_bytes()), "utf-8")
    with atomic_write(out / "generated.json") as path:
        path.write_text(json.dumps(metadata, indent=1) + "\n", "utf-8")
    return written


def _write_each(result: GenerateResult, clips: Pixels, out: Path, times: int, origin: str) -> list[Path]:
    """Write a video of each clip, whose name is its number and its class, and return the paths."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.grid import enlarge

    labels = [f"-{slugify(label, 'class')}" for label in result.labels] or [""] * len(clips)
    paths = [out / f"{number:05d}{label}.mp4" for number, label in enumerate(labels)]
    for path, clip in zip(paths, clips, strict=True):
        save_clip(path, enlarge(clip, times), result.rate, origin)
    return paths
