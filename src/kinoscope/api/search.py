"""``kinoscope search``: moments of all videos of a library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.api.arguments import choose_device, split_names
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError
from kinoscope.core.files import claim_output, command_id, hard_link, prepare_folder, remove
from kinoscope.core.results import describe_source
from kinoscope.core.validation import require_known, require_number
from kinoscope.library import Library, SearchHit, StoredVideo, hit_image, parse, search_videos
from kinoscope.pipeline import inputs as places
from kinoscope.pipeline.text_query import embed_text
from kinoscope.views.formats.cut_list import Cut, write_edl, write_otio
from kinoscope.views.pages.report_data import video_url

STILL_SIDE = 480
"""Longer side in pixels of the pictures of the page."""

MIN_CUT_SECONDS = 1.0
"""Seconds that a cut lasts at least; what is shorter gets as much on either side."""

MAX_FRAME_RATE = 10_000
"""Frames a second; a library that says more of a video says nothing."""


@dataclass
class SearchResult:
    """What was found.

    Attributes:
        title: what was asked for. clips: the best first. count: of videos in the library. written: files.
        notes: names that are not there, where there is an answer all the same.
    """

    title: str
    library: str
    count: int
    clips: list[SearchHit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form; ``from`` and ``to`` are times as players count, ``start`` and ``end`` as frames do."""
        clips = [
            clip.to_dict() | {"name": clip.video.name, "from": _played(clip, clip.start), "to": _played(clip, clip.end)}
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

    A query is made of labels (person), names (Ada), what is said (says "hello world", or by meaning about "cooking"),
    how they lie in time (person near car, person with car, person without car, and, or, not) and conditions
    (after 10 s, before 1:30, between 10 s and 20 s, longer than 5 s, in "street*.mp4").

    Args:
        query: what to search for; may be left out with --like.
        library: that `kinoscope analyze --library` filled.
        like: only moments that look like an image, or like a moment of a video (video.mp4@12.5, in seconds).
        out: folder for found.html (-o); runs/search if not given.
        limit: number of moments that are reported at most, the best first.
        export: also write them as a cut list (otio, edl) or joined to one video (mp4); several separated by commas.
        overwrite: replace kinoscope's own results of another library or command there.
        device: auto (a GPU if there is one), cpu or cuda.

    Raises:
        OptionError: the query or an option is not understood.
        LibraryError: there is no such library, or nothing in it has that name.
        MissingExtra, WeightsMissing: a model that the query needs cannot be had.
    """
    kinds = _kinds(export)
    if not query.strip() and like is None:
        raise OptionError('nothing is asked for; give a query, such as "person near car", or --like PICTURE')
    require_number("limit", limit, 1)
    choose_device(device)
    asked, opened = parse(query) if query.strip() else None, Library(library)
    folder = Path("runs/search" if out is None else out)
    with _claimed(folder, opened, kinds, like, overwrite):
        return _search(query, opened, asked, like, folder, limit, kinds, device)


@contextmanager
def _claimed(
    folder: Path, opened: Library, kinds: Sequence[str], like: str | Path | None, overwrite: bool
) -> Iterator[None]:
    """Claim what will be written, before anything is searched; the videos of the library are inputs."""
    inputs = [video.path for video in opened.videos()]
    inputs += [] if like is None else [str(like), str(like).rpartition("@")[0]]
    names = ["found.html", *(f"found.{kind}" for kind in kinds)]
    with claim_output(
        folder, command_id("search", [opened.path]), inputs, names=names, overwrite=overwrite, private=True
    ):
        yield


def _search(
    query: str,
    opened: Library,
    asked: Any,
    like: str | Path | None,
    folder: Path,
    limit: int,
    kinds: Sequence[str],
    device: str,
) -> SearchResult:
    notes: list[str] = []
    clips = search_videos(opened, asked, _likes(like, device), lambda text: embed_text(text, device), limit, notes)
    title = query.strip() + (f" like {short_name(like)}" if like is not None else "")
    found = SearchResult(title.strip(), opened.path, len(opened.videos()), clips, notes)
    prepare_folder(folder)
    found.written.append(_page(found, opened, folder))
    for path, write in ((folder / f"found.{kind}", EXPORTS[kind]) for kind in kinds):
        if clips:
            found.written.append(write(found, path))
        else:
            remove(path)  # what an earlier search found is not the answer to this one
    return found


def _kinds(export: str | Sequence[str] | None) -> list[str]:
    return [require_known(name, EXPORTS, "export of moments") for name in split_names(export, "export")]


def _likes(like: str | Path | None, device: str) -> list[Any]:
    from kinoscope.pipeline.image_query import image_queries

    return [] if like is None else image_queries(str(like), device)


def _played(clip: SearchHit, time: float) -> float:
    return round(max(0.0, time - clip.video.start), 3)


def _page(found: SearchResult, library: Library, folder: Path) -> Path:
    from kinoscope.views.pages.search import write_search_page

    videos = list({clip.video.id: clip.video for clip in found.clips}.values())
    numbers = {video.id: number for number, video in enumerate(videos)}
    clips = [_shown(clip, numbers[clip.video.id]) for clip in found.clips]
    stills = {n: picture for n, clip in enumerate(found.clips) if (picture := _still(library, clip))}
    plain = {"title": found.title, "library": Path(found.library).name, "count": found.count, "clips": clips}
    plain["notes"] = found.notes
    plain["videos"] = [{"name": v.name, "path": v.path, "film": _film(v, folder)} for v in videos]
    write_search_page(plain, stills, folder / "found.html")
    return folder / "found.html"


def _shown(clip: SearchHit, number: int) -> dict[str, Any]:
    why = [
        reason.to_dict() | {"start": _played(clip, reason.start), "end": _played(clip, reason.end)}
        for reason in clip.why
    ]
    span = {"start": _played(clip, clip.start), "end": _played(clip, clip.end)}
    return {"video": number, **span, "score": round(clip.score, 4), "why": why}


def _film(video: StoredVideo, folder: Path) -> str | None:
    """Return the address of a video beside the page, without a copy where that can be; None if it cannot be played."""
    preview = Path(str(video.metadata.get("preview", "")))
    film = next((film for film in (Path(video.path), preview) if _plays(film)), None)
    if film is None:
        return None
    target = folder / "videos" / f"{video.id[:12]}{film.suffix.lower()}"
    return f"videos/{target.name}" if hard_link(film, target) else video_url(os.path.relpath(film, folder))


def _plays(path: Path) -> bool:
    """Return whether a file is a video that a browser plays, by its content: a library may say anything of it."""
    from kinoscope.source import open_source

    if not path.is_file():
        return False
    try:
        with open_source(path) as source:
            return places.is_playable(describe_source(source.info) | {"path": str(path)})
    except KinoscopeError:
        return False


def _still(library: Library, clip: SearchHit) -> bytes | None:
    """Give a frame of a moment, from its file where that is still there, else a picture that was kept."""
    # The shortest of what was found in it is what it is all about.
    spans = [(why.end - why.start, max(why.start, clip.start), min(why.end, clip.end)) for why in clip.why]
    _, start, end = min(spans, default=(0, clip.start, clip.end))
    return _frame(clip.video.path, (start + end) / 2) or hit_image(library, clip)


def _frame(path: str, time: float) -> bytes | None:
    from kinoscope.imaging.thumbnail import thumbnail
    from kinoscope.source import open_source

    if not _is_there(path):
        return None
    try:
        with open_source(path, start=Fraction(time)) as source:
            for frame in source.frames(source.info.fit(STILL_SIDE)):
                return thumbnail(frame.pixels, (0, 0, *frame.size), margin=0, max_side=STILL_SIDE, quality=80)
    except KinoscopeError:
        return None
    return None


def _is_there(path: str) -> bool:
    """Return whether a path is that of a file or a folder, and nothing that would be waited for, such as a pipe."""
    return Path(path).is_file() or Path(path).is_dir()


def _cuts(found: SearchResult) -> list[Cut]:
    return [_cut(clip) for clip in found.clips]


def _cut(clip: SearchHit) -> Cut:
    start, end = _span(clip)
    facts, zero = clip.video.metadata, clip.video.start
    rate = _rate(facts.get("rate"))
    note = "; ".join(reason.what for reason in clip.why)
    times = start - zero, end - zero, clip.video.duration, zero
    return Cut(clip.video.path, clip.video.name, *times, rate, bool(facts.get("has_audio")), note)


def _rate(text: Any) -> Fraction | None:
    try:
        return Fraction(str(text)) if text and 0 < Fraction(str(text)) <= MAX_FRAME_RATE else None
    except (ValueError, ZeroDivisionError):
        return None


def _span(clip: SearchHit) -> tuple[float, float]:
    """Give the time to cut out, in presentation seconds: not shorter than can be seen, and inside the video."""
    more = max(0.0, MIN_CUT_SECONDS - (clip.end - clip.start)) / 2
    low, high = clip.video.start, clip.video.start + max(clip.video.duration, clip.end - clip.video.start)
    return max(low, clip.start - more), min(high, clip.end + more)


def _otio(found: SearchResult, path: Path) -> Path:
    write_otio(_cuts(found), found.title, path)
    return path


def _edl(found: SearchResult, path: Path) -> Path:
    write_edl(_cuts(found), found.title, path)
    return path


def _joined(found: SearchResult, path: Path) -> Path:
    from kinoscope.source.encode.concat import TimeRange, concatenate

    here = [clip for clip in found.clips if _is_there(clip.video.path)]
    if not here:
        raise SourceError("none of the videos is where it was, so there is nothing to join; analyze them again")
    concatenate([TimeRange(clip.video.path, *map(Fraction, _span(clip))) for clip in here], path)
    return path


EXPORTS: dict[str, Callable[[SearchResult, Path], Path]] = {"otio": _otio, "edl": _edl, "mp4": _joined}
"""How moments leave: a cut list for editors, or one video."""
