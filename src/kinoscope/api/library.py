"""``kinoscope library``, and what ``analyze --library`` adds to one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from kinoscope.core.errors import LibraryError, OptionError, wrap_error
from kinoscope.core.hashing import sha256_file
from kinoscope.core.results import Timeline
from kinoscope.library import Library
from kinoscope.pipeline.analysis import Analysis
from kinoscope.pipeline.text_query import embed_speech

Action = Literal["list", "show", "remove", "check"]


def ensure_library(place: str | Path | None) -> None:
    """Make the library that the results of long work are to go to, if there is to be one.

    Raises:
        LibraryError: it cannot be used.
        MissingExtra: LanceDB is not installed.
    """
    if place is not None:
        Library(place, create=True).videos()


def store_analysis(job: Analysis, place: str | Path | None) -> None:
    """Add what an analysis found to the library, if there is one; an error ends up in the analysis, so others go on."""
    if place is None or job.timeline is None:
        return
    try:
        job.kept = store_timeline(place, job.source, job.timeline, job.folder / "preview.mp4")
    except Exception as error:
        job.error = wrap_error(error, job.source)


def store_timeline(place: str | Path, source: str, timeline: Timeline, preview: Path | None = None) -> str:
    """Add what was found in a source to a library, which is made if it is not there; say what that changed.

    Args:
        preview: a copy of the source that a browser can play, if it is there.

    Raises:
        LibraryError: it cannot be written, or the source has no content that it could be known by again.
        MissingExtra: LanceDB is not installed.
    """
    facts = {"preview": str(preview.absolute())} if preview and preview.exists() else {}
    path = str(Path(source).absolute())
    return Library(place, create=True).add(content_hash(source), path, timeline, embed_speech(timeline), facts)


def content_hash(source: str) -> str:
    """Give the sha256 of a file's content, or of those of all pictures of a folder or a pattern together.

    Raises:
        LibraryError: it is no file.
        SourceError: there are no pictures.
    """
    from kinoscope.source.images import find_images, is_image_path

    if Path(source).is_file():
        return _sha256(Path(source))
    if "://" in source or not is_image_path(source):
        raise LibraryError(f"{source} is no file, so a library cannot know it again; record it, and add the file")
    return hashlib.sha256("".join(map(_sha256, find_images(source))).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise LibraryError(f"cannot read {path} ({error.strerror or error}); it is not in the library") from None


def library(action: Action, place: str | Path, *videos: str) -> dict[str, Any]:
    """List what is in a library that `analyze --library` fills, or remove videos from it.

    list: its videos. show VIDEO...: what was found in them; without a VIDEO, all names that can be searched for.
    remove VIDEO...: remove videos and all that was found in them. check: remove what a killed process left, count rows,
    and list the videos whose files are no longer where they were.

    Args:
        action: list, show, remove or check.
        place: the library, such as films.lance or s3://bucket/films.lance.
        videos: paths, file names, or beginnings of ids.

    Returns:
        What is known, or what was done.

    Raises:
        LibraryError: there is no such library or video; nothing is changed then.
        OptionError: more or fewer videos are given than the action takes.
        MissingExtra: LanceDB is not installed.
    """
    if action == "remove" and not videos:
        raise OptionError("library remove got no video; give paths, file names or ids to forget")
    if action in ("list", "check") and videos:
        raise OptionError(f"library {action} takes no videos; use `library show {place} VIDEO`")
    opened = Library(place)
    if action == "remove":
        return {"library": opened.path, "removed": [video.to_dict() for video in opened.remove(videos)]}
    if action == "check":
        return opened.check()
    if action == "list":
        return {"library": opened.path, "videos": [video.to_dict() for video in opened.videos()]}
    if videos:
        return {"library": opened.path, "shown": [opened.describe(name) for name in videos]}
    return {"library": opened.path, "names": opened.names()}
