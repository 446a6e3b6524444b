"""``kinoscope library``, and the analyses that ``analyze --library`` adds to one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import LibraryError, OptionError, wrap_error
from kinoscope.core.hashing import sha256_file
from kinoscope.library import Library
from kinoscope.pipeline.text_query import embed_speech
from kinoscope.results.analysis import Analysis
from kinoscope.views.timeline import Timeline

Action = Literal["list", "show", "remove", "check"]


def ensure_library(path: str | Path | None) -> None:
    """Create the library before long work whose results it stores; do nothing without a path.

    Raises:
        LibraryError: it cannot be used.
        MissingExtra: LanceDB is not installed.
    """
    if path is not None:
        Library(path, create=True).videos()


def store_analysis(job: Analysis, path: str | Path | None) -> None:
    """Add an analysis to the library, if there is one; an error ends up in the analysis, and does not stop others."""
    if path is None or job.timeline is None:
        return
    try:
        job.library_change = store_timeline(path, job.source, job.timeline, job.folder / "preview.mp4")
    except Exception as error:
        job.error = wrap_error(error, job.source)


def store_timeline(path: str | Path, source: str, timeline: Timeline, preview: Path | None = None) -> str:
    """Add the timeline of a source to a library, which is created if needed; return what changed.

    Args:
        preview: a copy of the source that a browser can play, if it exists.

    Returns:
        added, changed, moved or same.

    Raises:
        LibraryError: the library cannot be written, or the source has no content that identifies it.
        MissingExtra: LanceDB is not installed.
    """
    metadata = {"preview": str(preview.absolute())} if preview and preview.exists() else {}
    source_path = str(Path(source).absolute())
    opened = Library(path, create=True)
    return opened.add(content_hash(source), source_path, timeline, embed_speech(timeline), metadata)


def content_hash(source: str) -> str:
    """Return the sha256 of a file's content, or of the hashes of all images of a folder or a pattern.

    Raises:
        LibraryError: the source is no file.
        SourceError: there are no images.
    """
    from kinoscope.source.images import find_images, is_image_path

    if Path(source).is_file():
        return _sha256(Path(source))
    if "://" in source or not is_image_path(source):
        raise LibraryError(f"{source} is no file, so a library cannot identify it; record it, and add the file")
    return hashlib.sha256("".join(map(_sha256, find_images(source))).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise LibraryError(f"cannot read {path} ({error.strerror or error}); it is not in the library") from None


@accept_old_names
def library(action: Action, path: str | Path, *videos: str) -> dict[str, Any]:
    """List the contents of a library that `analyze --library` fills, or remove videos from it.

    list: its videos. show VIDEO...: their results; without a VIDEO, all names that can be searched for.
    remove VIDEO...: remove videos and their results. check: remove the leftovers of a killed process, count rows, and
    list the videos whose files have been moved or deleted.

    Args:
        action: list, show, remove or check.
        path: the library, such as films.lance or s3://bucket/films.lance.
        videos: paths, file names, or prefixes of ids.

    Returns:
        The videos, results or names, or what the action changed.

    Raises:
        LibraryError: there is no such library or video; nothing is changed then.
        OptionError: more or fewer videos are given than the action takes.
        MissingExtra: LanceDB is not installed.
    """
    if action == "remove" and not videos:
        raise OptionError("library remove got no video; give paths, file names or ids to remove")
    if action in ("list", "check") and videos:
        raise OptionError(f"library {action} takes no videos; use `library show {path} VIDEO`")
    opened = Library(path)
    if action == "remove":
        return {"library": opened.path, "removed": [video.to_dict() for video in opened.remove(videos)]}
    if action == "check":
        return opened.check()
    if action == "list":
        return {"library": opened.path, "videos": [video.to_dict() for video in opened.videos()]}
    if videos:
        return {"library": opened.path, "shown": [opened.describe(name) for name in videos]}
    return {"library": opened.path, "names": opened.names()}
