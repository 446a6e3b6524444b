"""Updates of a library: the analyses that ``analyze --library`` adds to one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kinoscope.core.errors import LibraryError, wrap_error
from kinoscope.core.hashing import sha256_file
from kinoscope.library import Library
from kinoscope.pipeline.text_query import embed_speech
from kinoscope.results.analysis import Analysis
from kinoscope.source.frames import in_memory
from kinoscope.views.timeline import Timeline


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

    if Path(source).is_file() and not in_memory(source):
        return _sha256(Path(source))
    if in_memory(source) or "://" in source or not is_image_path(source):
        raise LibraryError(f"{source} is no file, so a library cannot identify it; record it, and add the file")
    return hashlib.sha256("".join(map(_sha256, find_images(source))).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise LibraryError(f"cannot read {path} ({error.strerror or error}); it is not in the library") from None
