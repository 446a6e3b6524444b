"""Search in a library: the moments that match, a page that plays them, and exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import short_name
from kinoscope.core.files import claim_output, command_id, prepare_folder, remove
from kinoscope.library import Library, parse, search_videos
from kinoscope.pipeline.search_exports import EXPORTS
from kinoscope.pipeline.search_page import write_page
from kinoscope.pipeline.text_query import embed_text
from kinoscope.results.search import SearchResult


def search_library(
    library: str | Path,
    query: str,
    *,
    like: str | Path | None = None,
    folder: Path,
    limit: int = 50,
    exports: Sequence[str] = (),
    overwrite: bool = False,
    device: str = "auto",
) -> SearchResult:
    """Return the moments of a library that match a query, and write the page and the exports.

    Args:
        library: its path.
        query: text; empty if ``like`` is given alone.
        like: an image, or a moment of a video, that moments must be similar to.
        folder: for found.html and the exports.
        limit: maximum number of moments.
        exports: formats of ``EXPORTS``.
        overwrite: replace the results of another command in the folder.
        device: auto, cpu or cuda.

    Raises:
        OptionError: the query is not understood.
        LibraryError: there is no such library, or nothing in it has that name.
        OutputError: the folder cannot be written.
        MissingExtra, WeightsMissing: a model that the query needs is not available.
    """
    query = query.strip()
    parsed, opened = parse(query) if query else None, Library(library)
    with _claimed(folder, opened, exports, like, overwrite):
        notes: list[str] = []
        examples = [] if like is None else _image_queries(like, device)
        clips = search_videos(opened, parsed, examples, lambda text: embed_text(text, device), limit, notes)
        title = query + (f" like {short_name(like)}" if like is not None else "")
        result = SearchResult(opened.path, title.strip(), len(opened.videos()), clips, notes)
        prepare_folder(folder)
        result.written.append(write_page(result, opened, folder))
        result.written += _export(result, folder, exports)
        return result


def _export(result: SearchResult, folder: Path, exports: Sequence[str]) -> list[Path]:
    """Write the exports, and return their paths; without moments, remove those of an earlier search."""
    paths = {kind: folder / f"found.{kind}" for kind in exports}
    if result.clips:
        return [EXPORTS[kind](result, path) for kind, path in paths.items()]
    for path in paths.values():
        remove(path)
    return []


@contextmanager
def _claimed(
    folder: Path, opened: Library, exports: Sequence[str], like: str | Path | None, overwrite: bool
) -> Iterator[None]:
    """Claim the outputs, before anything is searched; the videos of the library are inputs."""
    sources = [video.path for video in opened.videos()]
    sources += [] if like is None else [str(like), str(like).rpartition("@")[0]]
    names = ["found.html", *(f"found.{kind}" for kind in exports)]
    with claim_output(
        folder, command_id("search", [opened.path]), sources, names=names, overwrite=overwrite, private=True
    ):
        yield


def _image_queries(like: str | Path, device: str) -> list[Any]:
    from kinoscope.pipeline.image_query import image_queries

    return image_queries(str(like), device)
