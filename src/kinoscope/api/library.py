"""``kinoscope library``: the contents of a library of analyzed videos."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.library import Library
from kinoscope.results.library import LibraryResult

Action = Literal["list", "show", "remove", "check"]


@accept_old_names
def library(action: Action, path: str | Path, *videos: str) -> LibraryResult:
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
    result = LibraryResult(opened.path)
    if action == "remove":
        result.removed = opened.remove(videos)
    elif action == "check":
        result.check = opened.check()
    elif action == "list":
        result.videos = opened.videos()
    elif videos:
        result.shown = [opened.describe(name) for name in videos]
    else:
        result.names = opened.names()
    return result
