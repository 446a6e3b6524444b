"""Pictures as a source: one, a folder of them, or those that a pattern names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from glob import glob, has_magic
from pathlib import Path

import av
from av.stream import Disposition
from av.video.frame import VideoFrame

from kinoscope.core.errors import DecodeError, SourceError
from kinoscope.core.media import SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.source.base import Item, LazyFrame, Source, black_frame, check_policy
from kinoscope.source.decode.container import open_file
from kinoscope.source.decode.demux import Demuxer
from kinoscope.source.decode.metadata import TRANSFERS
from kinoscope.source.decode.scaler import Orientation, Scaler
from kinoscope.source.limits import DEFAULT_LIMITS, Limits
from kinoscope.source.sniffing import detect_kind

IMAGE_SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".jp2",
    ".tga",
    ".avif",
    ".heic",
    ".heif",
}
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv",
    ".asf", ".3gp", ".3g2", ".ogv", ".gif", ".mxf", ".nut", ".y4m", ".h264", ".h265", ".hevc", ".ivf", ".dv",
}  # fmt: skip

DEFAULT_IMAGE_RATE = Fraction(25)

_PRINTF = re.compile(r"%0?\d*d")


def is_image_path(path: str) -> bool:
    """Return whether ``path`` is an image, a folder, or a pattern of names (``%05d``, ``*``) that is no file itself.

    A file is what its content says; an animation is read as a video.
    """
    place = Path(path)
    if place.is_file():
        kind = detect_kind(place)
        return kind in ("image", "animated webp") or (kind == "unknown" and place.suffix.lower() in IMAGE_SUFFIXES)
    if "://" in path:  # whose query begins with a question mark
        return False
    return place.is_dir() or bool(_PRINTF.search(place.name)) or has_magic(place.name)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Give a key that sorts ``2.png`` before ``10.png``."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", path.name)]


def find_images(path: str) -> list[Path]:
    """List the pictures that ``path`` names, in natural order.

    Raises:
        SourceError: there is none.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        found = [entry for entry in _list_folder(place) if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
        if not found:
            raise SourceError(_no_images_message(place))
        return sorted(found, key=natural_key)
    found = _match_pattern(place) if _PRINTF.search(place.name) else [Path(name) for name in glob(path)]
    if not found:
        raise SourceError(f"no file matches {path}; check the pattern, as in shots/%05d.png or 'shots/*.png'")
    return sorted(found, key=natural_key)


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}; check its permissions") from None


def _match_pattern(place: Path) -> list[Path]:
    parts = _PRINTF.split(place.name)
    pattern = re.compile(r"\d+".join(map(re.escape, parts)))
    folder = place.parent
    return [entry for entry in folder.iterdir() if pattern.fullmatch(entry.name)] if folder.is_dir() else []


def _no_images_message(folder: Path) -> str:
    videos = sum(entry.suffix.lower() in VIDEO_SUFFIXES for entry in folder.iterdir())
    if videos:
        return f"{folder} holds {videos} videos and no picture; name one of them"
    return f"{folder} holds no video and no picture; name a folder with mp4, mkv, mov, png, jpg or other files"


class ImageSource(Source):
    """Pictures shown one after another at ``rate`` a second, from zero on.

    Pictures of other sizes than the first are stretched to it, and counted in ``report.resizes``.
    """

    def __init__(
        self,
        path: str,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        on_error: str = "skip",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._paths, self._policy, self._allowed = find_images(path), check_policy(on_error), limits
        self._step = 1 / (rate or DEFAULT_IMAGE_RATE)
        self._limits = start or Fraction(0), end
        self.report = DecodeReport(policy=on_error)
        first = self._first()
        width, height = Orientation.of(first).turn((first.width, first.height))
        self.info = SourceInfo(
            path, width, height, 1 / self._step, duration=len(self._paths) * self._step, frames=len(self._paths),
            transfer=TRANSFERS.get(first.color_trc), container="images",
            pixel_format=first.format.name, bit_depth=first.format.components[0].bits,
        )  # fmt: skip

    def _first(self) -> VideoFrame:
        why = ""  # not the error itself: with its traceback it would keep this call, and what was decoded, alive
        for path in self._paths[:100]:
            try:
                return load_image(path, self._allowed)
            except SourceError as error:
                why = why or str(error)
        raise SourceError(why or "no picture")

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each picture at its time."""
        self.report = DecodeReport(policy=self._policy)
        shown: LazyFrame | None = None
        for index, path in enumerate(self._paths if video else ()):
            time, (start, end) = index * self._step, self._limits
            if time >= start and (end is None or time < end):
                shown = self._picture(path, time, index, shown)
                if shown is not None:
                    yield shown

    def _picture(self, path: Path, time: Fraction, index: int, last: LazyFrame | None) -> LazyFrame | None:
        try:
            frame = load_image(path, self._allowed)
        except SourceError as error:
            return self._instead(error, time, index, last)
        self.report.frames += 1
        orientation = Orientation.of(frame)
        self.report.resizes += orientation.turn((frame.width, frame.height)) != self.info.size
        scaler = Scaler(orientation)
        return LazyFrame(lambda size: scaler(frame, size), self.info.size, time, index, True, self._step)

    def _instead(self, error: SourceError, time: Fraction, index: int, last: LazyFrame | None) -> LazyFrame | None:
        self.report.record_missing(float(time), float(time + self._step), str(error))
        if self._policy == "raise":
            raise DecodeError(str(error))
        if self._policy == "skip":
            return None
        render = last.pixels if self._policy == "repeat" and last is not None else black_frame
        return LazyFrame(render, self.info.size, time, index, True, self._step)


def load_image(path: Path, limits: Limits = DEFAULT_LIMITS) -> VideoFrame:
    """Decode one picture file.

    Raises:
        SourceError: it is no picture, one of many, in a form that only a part of can be read, or larger than allowed.
    """
    _check_still(path)
    decoding = Demuxer(open_file(str(path), limits), limits=limits)
    try:
        _check_whole(path, decoding)
        frame = decoding.peek()
    except av.FFmpegError:
        frame = None
    finally:
        decoding.close()
    if frame is None or frame.is_corrupt:
        raise limits.undecodable(str(path), "is not a picture that can be read")
    return frame


def _check_still(path: Path) -> None:
    """Raise SourceError if a file is no single picture, of which one would be taken for all."""
    kind = detect_kind(path)
    if kind == "animated webp":
        raise SourceError(f"{path} is an animated WebP, which cannot be read; convert it to GIF, PNG or a video")
    if kind in ("animation", "video"):
        what = "an animation" if kind == "animation" else "a video"
        raise SourceError(f"{path} is {what} and no single picture; name it alone to read all of it")


def _check_whole(path: Path, decoding: Demuxer) -> None:
    """Raise SourceError if an image is stored in tiles, each of which FFmpeg reads as an image of its own."""
    tiles = sum(bool(stream.disposition & Disposition.dependent) for stream in decoding.container.streams.video)
    if tiles:
        raise SourceError(f"{path} is stored in {tiles} tiles, which cannot be put together; convert it to JPEG or PNG")
