"""Find the sources in a folder and its subfolders: videos, frames of one video, and strips of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av

from kinoscope.core import manifest
from kinoscope.core.errors import SourceError
from kinoscope.source.decode.container import open_file
from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_key

RESULT_FILES = ("timeline.json", "generated.json", "explanation.json", "scores.json", "model.json", "found.html")
"""Files that mark a folder of kinoscope's own results: what was written into it is not read as a source."""

MIN_STRIP_ASPECT = 3
"""Ratio of width to height from which images of one size are strips: frames of a video are not as wide."""


def find_sources(path: str, strips: bool = False) -> list[str]:
    """Return the sources in ``path``, in natural order; ``path`` itself if it is no folder.

    The sources of each folder are its videos, or else the folder itself, as frames of one video. Our own results are
    left out, unless the named folder holds nothing else, and so are folders whose name begins with a dot.

    Args:
        path: a folder, or any other source.
        strips: whether images may be strips of square frames, each of which is a clip of its own.

    Raises:
        SourceError: there is neither video nor image.
    """
    root = Path(path)
    if not root.is_dir():
        return [path]
    sources = _find_below(root, _has_results(root), strips) or _find_below(root, False, strips)
    if not sources:
        raise SourceError(
            f"{path} holds no video and no image; name a folder with mp4, mkv, mov, png, jpg or other files"
        )
    return [path] if sources == [str(root)] else sources


def _find_below(root: Path, has_results: bool, strips: bool) -> list[str]:
    return [
        source
        for folder, near_results in walk_folders(root, has_results)
        for source in _sources_in(folder, strips, near_results)
    ]


def walk_folders(
    root: Path, has_results: bool = False, ancestors: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, bool]]:
    """Yield a folder and its subfolders, in natural order, each with whether our results lie in it or above it.

    Links that lead back are not followed.
    """
    visited = ancestors | {root.resolve()}
    yield root, has_results
    for entry in _list_visible(root) or ():
        if entry.is_dir() and entry.resolve() not in visited and not _holds_only_results(entry):
            yield from walk_folders(entry, has_results or _has_results(entry), visited)


def _has_results(folder: Path) -> bool:
    return any((folder / name).exists() for name in RESULT_FILES)


def _holds_only_results(folder: Path) -> bool:
    """Return whether a folder holds results, and no manifest lists which of its files they are."""
    return _has_results(folder) and not _result_files(folder)


def _result_files(folder: Path) -> set[Path]:
    """Return the files that we wrote into a folder; none if the manifest may not be read."""
    try:
        return set(manifest.listed(folder))
    except OSError:
        return set()


def _list_visible(folder: Path) -> list[Path] | None:
    """Return the entries of a folder, or None if it may not be read."""
    try:
        return sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=natural_key)
    except OSError:
        return None


def _sources_in(folder: Path, strips: bool, has_results: bool) -> list[str]:
    entries = _list_visible(folder)
    if entries is None:
        return [str(folder)]  # it cannot be opened as a source either, so opening it reports the error
    results = _result_files(folder) if has_results else set()
    files = [entry for entry in entries if entry not in results and entry.is_file()]
    videos = [entry for entry in files if entry.suffix.lower() in VIDEO_SUFFIXES]
    images = [entry for entry in files if entry.suffix.lower() in IMAGE_SUFFIXES]
    if videos or (strips and are_strips(images)):
        return [str(entry) for entry in videos or images]
    return [str(folder)] if images else []


def are_strips(images: Sequence[Path]) -> bool:
    """Return whether the images of a folder are strips of square frames side by side, rather than frames of one video.

    They are if each is as wide as a whole number of its heights: three or more, or two or more where widths differ.
    """
    indices = sorted({0, len(images) // 2, len(images) - 1}) if images else []
    shapes = [_image_size(images[index]) for index in indices]
    if not shapes or any(height == 0 or width % height for width, height in shapes):
        return False
    min_aspect = min(width // height for width, height in shapes)
    return min_aspect >= MIN_STRIP_ASPECT or (min_aspect > 1 and len(set(shapes)) > 1)


def _image_size(image: Path) -> tuple[int, int]:
    """Return width and height in pixels; zeros if the file is no image."""
    try:
        with open_file(str(image)) as container:
            codec = container.streams.video[0].codec_context
            return codec.width, codec.height
    except (SourceError, av.FFmpegError, IndexError):
        return 0, 0
