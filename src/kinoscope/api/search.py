"""``kinoscope search``: search for moments in the videos of a library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError
from kinoscope.core.files import claim_output, command_id, hard_link, prepare_folder, remove
from kinoscope.core.results import describe_source
from kinoscope.core.validation import require_known, require_number
from kinoscope.library import Library, SearchHit, StoredVideo, hit_image, parse, search_videos
from kinoscope.pipeline import inputs
from kinoscope.pipeline.arguments import choose_device, split_names
from kinoscope.pipeline.text_query import embed_text
from kinoscope.views.formats.cut_list import Cut, write_edl, write_otio
from kinoscope.views.pages.report_data import video_url

STILL_SIDE = 480
"""Longer side in pixels of the images of the page."""

MIN_CUT_SECONDS = 1.0
"""Minimum duration of a cut; shorter moments are extended equally on both sides."""

MAX_FRAME_RATE = 10_000
"""Frames per second; a higher rate in a library is ignored as implausible."""


@dataclass
class SearchResult:
    """The moments that match a query.

    Attributes:
        title: the query.
        library: path of the library.
        count: number of videos in the library.
        clips: the moments, the best first.
        notes: names that the library lacks, if there are results nevertheless.
        written: the written files.
    """

    title: str
    library: str
    count: int
    clips: list[SearchHit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types; ``from`` and ``to`` are player times, ``start`` and ``end`` timestamps."""
        clips = [
            clip.to_dict()
            | {"name": clip.video.name, "from": _player_time(clip, clip.start), "to": _player_time(clip, clip.end)}
            for clip in self.clips
        ]
        plain = {"query": self.title, "library": self.library, "clips": clips}
        return plain | {"notes": self.notes, "written": [str(path) for path in self.written]}


def search(
    query: str = "",
    *,
    library: str | Path,
    like: str | Path | None = None,
    out: str | Path | None = None,
    limit: int = 50,
    export: str | Sequence[str] | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> SearchResult:
    """Find moments in all videos of a library.

    A query consists of labels (person), names (Ada), speech (says "hello world", or by meaning about "cooking"),
    relations (person near car, person with car, person without car, and, or, not) and conditions
    (after 10 s, before 1:30, between 10 s and 20 s, longer than 5 s, in "street*.mp4").

    Args:
        query: text of the query; may be left out with --like.
        library: library that `kinoscope analyze --library` filled.
        like: only moments that are similar to an image, or to a moment of a video (video.mp4@12.5, in seconds).
        out: folder for found.html (-o); runs/search if not given.
        limit: maximum number of moments that are reported, the best first.
        export: also write them as a cut list (otio, edl) or concatenated to one video (mp4); several formats
            separated by commas.
        overwrite: replace kinoscope's own results of another library or command there.
        device: auto (a GPU if there is one), cpu or cuda.

    Raises:
        OptionError: the query or an option is not understood.
        LibraryError: there is no such library, or nothing in it has that name.
        MissingExtra, WeightsMissing: a model that the query needs is not available.
    """
    kinds = _kinds(export)
    if not query.strip() and like is None:
        raise OptionError('there is no query; give one, such as "person near car", or --like IMAGE')
    require_number("limit", limit, 1)
    choose_device(device)
    parsed, opened = parse(query) if query.strip() else None, Library(library)
    folder = Path("runs/search" if out is None else out)
    with _claimed(folder, opened, kinds, like, overwrite):
        return _search(query, opened, parsed, like, folder, limit, kinds, device)


@contextmanager
def _claimed(
    folder: Path, opened: Library, kinds: Sequence[str], like: str | Path | None, overwrite: bool
) -> Iterator[None]:
    """Claim the outputs, before anything is searched; the videos of the library are inputs."""
    sources = [video.path for video in opened.videos()]
    sources += [] if like is None else [str(like), str(like).rpartition("@")[0]]
    names = ["found.html", *(f"found.{kind}" for kind in kinds)]
    with claim_output(
        folder, command_id("search", [opened.path]), sources, names=names, overwrite=overwrite, private=True
    ):
        yield


def _search(
    query: str,
    opened: Library,
    parsed: Any,
    like: str | Path | None,
    folder: Path,
    limit: int,
    kinds: Sequence[str],
    device: str,
) -> SearchResult:
    """Search the library, and write the page and the exports."""
    notes: list[str] = []
    clips = search_videos(
        opened, parsed, _image_queries(like, device), lambda text: embed_text(text, device), limit, notes
    )
    title = query.strip() + (f" like {short_name(like)}" if like is not None else "")
    result = SearchResult(title.strip(), opened.path, len(opened.videos()), clips, notes)
    prepare_folder(folder)
    result.written.append(_write_page(result, opened, folder))
    for path, write in ((folder / f"found.{kind}", EXPORTS[kind]) for kind in kinds):
        if clips:
            result.written.append(write(result, path))
        else:
            remove(path)  # the export of an earlier search does not match this one
    return result


def _kinds(export: str | Sequence[str] | None) -> list[str]:
    return [require_known(name, EXPORTS, "export of moments") for name in split_names(export, "export")]


def _image_queries(like: str | Path | None, device: str) -> list[Any]:
    from kinoscope.pipeline.image_query import image_queries

    return [] if like is None else image_queries(str(like), device)


def _player_time(clip: SearchHit, time: float) -> float:
    """Return a presentation time as a player shows it: in seconds from the beginning of the video."""
    return round(max(0.0, time - clip.video.start), 3)


def _write_page(result: SearchResult, library: Library, folder: Path) -> Path:
    """Write the page that plays the moments, and return its path."""
    from kinoscope.views.pages.search import write_search_page

    videos = list({clip.video.id: clip.video for clip in result.clips}.values())
    numbers = {video.id: number for number, video in enumerate(videos)}
    clips = [_clip_row(clip, numbers[clip.video.id]) for clip in result.clips]
    stills = {n: image for n, clip in enumerate(result.clips) if (image := _still(library, clip))}
    plain = {"title": result.title, "library": Path(result.library).name, "count": result.count, "clips": clips}
    plain["notes"] = result.notes
    plain["videos"] = [{"name": v.name, "path": v.path, "film": _video_url(v, folder)} for v in videos]
    write_search_page(plain, stills, folder / "found.html")
    return folder / "found.html"


def _clip_row(clip: SearchHit, number: int) -> dict[str, Any]:
    """Return a moment as the page reads it; ``number`` is that of its video."""
    why = [
        match.to_dict() | {"start": _player_time(clip, match.start), "end": _player_time(clip, match.end)}
        for match in clip.why
    ]
    span = {"start": _player_time(clip, clip.start), "end": _player_time(clip, clip.end)}
    return {"video": number, **span, "score": round(clip.score, 4), "why": why}


def _video_url(video: StoredVideo, folder: Path) -> str | None:
    """Return the URL of a video beside the page, hard-linked if possible; None if no browser can play it."""
    preview = Path(str(video.metadata.get("preview", "")))
    file = next((path for path in (Path(video.path), preview) if _is_playable(path)), None)
    if file is None:
        return None
    target = folder / "videos" / f"{video.id[:12]}{file.suffix.lower()}"
    return f"videos/{target.name}" if hard_link(file, target) else video_url(os.path.relpath(file, folder))


def _is_playable(path: Path) -> bool:
    """Return whether a file is a video that a browser plays, by its content: the library is not trusted on this."""
    from kinoscope.source import open_source

    if not path.is_file():
        return False
    try:
        with open_source(path) as source:
            return inputs.is_playable(describe_source(source.info) | {"path": str(path)})
    except KinoscopeError:
        return False


def _still(library: Library, clip: SearchHit) -> bytes | None:
    """Return a JPEG of a moment, from its file if that exists, else the image that the library holds."""
    # The shortest match is the most specific one.
    spans = [(match.end - match.start, max(match.start, clip.start), min(match.end, clip.end)) for match in clip.why]
    _, start, end = min(spans, default=(0, clip.start, clip.end))
    return _frame(clip.video.path, (start + end) / 2) or hit_image(library, clip)


def _frame(path: str, time: float) -> bytes | None:
    from kinoscope.imaging.thumbnail import thumbnail
    from kinoscope.source import open_source

    if not _exists(path):
        return None
    try:
        with open_source(path, start=Fraction(time)) as source:
            for frame in source.frames(source.info.fit(STILL_SIDE)):
                return thumbnail(frame.pixels, (0, 0, *frame.size), margin=0, max_side=STILL_SIDE, quality=80)
    except KinoscopeError:
        return None
    return None


def _exists(path: str) -> bool:
    """Return whether a path is a file or a folder, and no pipe or device, on which reading could block."""
    return Path(path).is_file() or Path(path).is_dir()


def _cuts(result: SearchResult) -> list[Cut]:
    return [_cut(clip) for clip in result.clips]


def _cut(clip: SearchHit) -> Cut:
    start, end = _span(clip)
    metadata, zero = clip.video.metadata, clip.video.start
    rate = _rate(metadata.get("rate"))
    note = "; ".join(match.what for match in clip.why)
    times = start - zero, end - zero, clip.video.duration, zero
    return Cut(clip.video.path, clip.video.name, *times, rate, bool(metadata.get("has_audio")), note)


def _rate(text: Any) -> Fraction | None:
    try:
        return Fraction(str(text)) if text and 0 < Fraction(str(text)) <= MAX_FRAME_RATE else None
    except (ValueError, ZeroDivisionError):
        return None


def _span(clip: SearchHit) -> tuple[float, float]:
    """Return the start and end of a cut in presentation seconds: at least ``MIN_CUT_SECONDS``, inside the video."""
    margin = max(0.0, MIN_CUT_SECONDS - (clip.end - clip.start)) / 2
    low, high = clip.video.start, clip.video.start + max(clip.video.duration, clip.end - clip.video.start)
    return max(low, clip.start - margin), min(high, clip.end + margin)


def _write_otio(result: SearchResult, path: Path) -> Path:
    write_otio(_cuts(result), result.title, path)
    return path


def _write_edl(result: SearchResult, path: Path) -> Path:
    write_edl(_cuts(result), result.title, path)
    return path


def _write_video(result: SearchResult, path: Path) -> Path:
    from kinoscope.source.encode.concat import TimeRange, concatenate

    available = [clip for clip in result.clips if _exists(clip.video.path)]
    if not available:
        raise SourceError("none of the videos exists any more, so there is nothing to concatenate; analyze them again")
    concatenate([TimeRange(clip.video.path, *map(Fraction, _span(clip))) for clip in available], path)
    return path


EXPORTS: dict[str, Callable[[SearchResult, Path], Path]] = {
    "otio": _write_otio,
    "edl": _write_edl,
    "mp4": _write_video,
}
"""Format -> what writes the moments: a cut list for editors, or one video."""
