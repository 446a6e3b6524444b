"""Images as a source: one, a folder of them, or those that match a pattern."""

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
"""File name suffixes of images."""
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv",
    ".asf", ".3gp", ".3g2", ".ogv", ".gif", ".mxf", ".nut", ".y4m", ".h264", ".h265", ".hevc", ".ivf", ".dv",
}  # fmt: skip
"""File name suffixes of videos."""

DEFAULT_IMAGE_RATE = Fraction(25)
"""Images per second unless a rate is requested."""

_PRINTF = re.compile(r"%0?\d*d")


def is_image_path(path: str) -> bool:
    """Return whether ``path`` is an image, a folder, or a pattern of names (``%05d``, ``*``) that is no file itself.

    The content decides what a file is; an animation is read as a video.
    """
    target = Path(path)
    if target.is_file():
        kind = detect_kind(target)
        return kind in ("image", "animated webp") or (kind == "unknown" and target.suffix.lower() in IMAGE_SUFFIXES)
    if "://" in path:  # the query of a URL may look like a pattern
        return False
    return target.is_dir() or bool(_PRINTF.search(target.name)) or has_magic(target.name)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts ``2.png`` before ``10.png``."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", path.name)]


def find_images(path: str) -> list[Path]:
    """Return the images that ``path`` names, in natural order.

    Raises:
        SourceError: there is none.
    """
    target = Path(path)
    if target.is_file():
        return [target]
    if target.is_dir():
        images = [entry for entry in _list_folder(target) if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
        if not images:
            raise SourceError(_no_images_message(target))
        return sorted(images, key=natural_key)
    images = _match_pattern(target) if _PRINTF.search(target.name) else [Path(name) for name in glob(path)]
    if not images:
        raise SourceError(f"no file matches {path}; check the pattern, as in shots/%05d.png or 'shots/*.png'")
    return sorted(images, key=natural_key)


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}; check its permissions") from None


def _match_pattern(path: Path) -> list[Path]:
    parts = _PRINTF.split(path.name)
    pattern = re.compile(r"\d+".join(map(re.escape, parts)))
    folder = path.parent
    return [entry for entry in folder.iterdir() if pattern.fullmatch(entry.name)] if folder.is_dir() else []


def _no_images_message(folder: Path) -> str:
    videos = sum(entry.suffix.lower() in VIDEO_SUFFIXES for entry in folder.iterdir())
    if videos:
        return f"{folder} holds {videos} videos and no image; name one of them"
    return f"{folder} holds no video and no image; name a folder with mp4, mkv, mov, png, jpg or other files"


class ImageSource(Source):
    """Images shown one after another at ``rate`` a second, from zero on.

    Images of other sizes than the first are scaled to it, and counted in ``report.resizes``.
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
        self._paths, self._policy, self._limits = find_images(path), check_policy(on_error), limits
        self._step = 1 / (rate or DEFAULT_IMAGE_RATE)
        self._range = start or Fraction(0), end
        self.report = DecodeReport(policy=on_error)
        first = self._first()
        width, height = Orientation.of(first).swap_sides((first.width, first.height))
        self.info = SourceInfo(
            path, width, height, 1 / self._step, duration=len(self._paths) * self._step, frames=len(self._paths),
            transfer=TRANSFERS.get(first.color_trc), container="images",
            pixel_format=first.format.name, bit_depth=first.format.components[0].bits,
        )  # fmt: skip

    def _first(self) -> VideoFrame:
        message = ""  # not the error itself: with its traceback it would keep this call, and what was decoded, alive
        for path in self._paths[:100]:
            try:
                return load_image(path, self._limits)
            except SourceError as error:
                message = message or str(error)
        raise SourceError(message or "no image")

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each image at its time."""
        self.report = DecodeReport(policy=self._policy)
        last_image: LazyFrame | None = None
        for index, path in enumerate(self._paths if video else ()):
            time, (start, end) = index * self._step, self._range
            if time >= start and (end is None or time < end):
                last_image = self._read_image(path, time, index, last_image)
                if last_image is not None:
                    yield last_image

    def _read_image(self, path: Path, time: Fraction, index: int, last: LazyFrame | None) -> LazyFrame | None:
        try:
            frame = load_image(path, self._limits)
        except SourceError as error:
            return self._replace_lost(error, time, index, last)
        self.report.frames += 1
        orientation = Orientation.of(frame)
        self.report.resizes += orientation.swap_sides((frame.width, frame.height)) != self.info.size
        scaler = Scaler(orientation)
        return LazyFrame(lambda size: scaler(frame, size), self.info.size, time, index, True, self._step)

    def _replace_lost(self, error: SourceError, time: Fraction, index: int, last: LazyFrame | None) -> LazyFrame | None:
        self.report.record_missing(float(time), float(time + self._step), str(error))
        if self._policy == "raise":
            raise DecodeError(str(error))
        if self._policy == "skip":
            return None
        render = last.pixels if self._policy == "repeat" and last is not None else black_frame
        return LazyFrame(render, self.info.size, time, index, True, self._step)


def load_image(path: Path, limits: Limits = DEFAULT_LIMITS) -> VideoFrame:
    """Decode one image file.

    Raises:
        SourceError: it is no image, one of many, in a form of which only a part can be read, or larger than allowed.
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
        raise limits.undecodable(str(path), "is not an image that can be read")
    return frame


def _check_still(path: Path) -> None:
    """Raise SourceError if a file is not a single image, so that one of its frames would stand for all."""
    kind = detect_kind(path)
    if kind == "animated webp":
        raise SourceError(f"{path} is an animated WebP, which cannot be read; convert it to GIF, PNG or a video")
    if kind in ("animation", "video"):
        what = "an animation" if kind == "animation" else "a video"
        raise SourceError(f"{path} is {what} and no single image; name it alone to read all of it")


def _check_whole(path: Path, decoding: Demuxer) -> None:
    """Raise SourceError if an image is stored in tiles, each of which FFmpeg reads as an image of its own."""
    tiles = sum(bool(stream.disposition & Disposition.dependent) for stream in decoding.container.streams.video)
    if tiles:
        raise SourceError(f"{path} is stored in {tiles} tiles, which cannot be put together; convert it to JPEG or PNG")
