"""Image strips: images that hold a clip as square frames side by side, the first at the left, as in some datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Pixels, Size, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.source.base import Item, LazyFrame, Source
from kinoscope.source.decode.scaler import Scaler, resize
from kinoscope.source.frames import in_memory
from kinoscope.source.images import DEFAULT_IMAGE_RATE, is_image_path, load_image
from kinoscope.source.limits import DEFAULT_LIMITS, Limits


def is_image_file(path: str) -> bool:
    """Return whether a path is that of one image."""
    return in_memory(path) is None and Path(path).is_file() and is_image_path(path)


class ImageStripSource(Source):
    """The square frames of one image strip, 25 a second from zero on.

    Args:
        path: an image whose width is a multiple of its height.
        start, end: read only frames whose time lies in [start, end), in seconds.
        limits: on the pixels of the image.

    Raises:
        SourceError: it is no image, or its width is no multiple of its height.
    """

    def __init__(
        self, path: str, start: Fraction | None = None, end: Fraction | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        frame = load_image(Path(path), limits)
        if frame.width % frame.height:
            raise SourceError(
                f"{path} is {frame.width}x{frame.height}: a strip holds square frames side by side, so its width must "
                "be a multiple of its height; give a video, a strip or a folder of frames"
            )
        self._strip = Scaler()(frame, (frame.width, frame.height))
        side, count = frame.height, frame.width // frame.height
        self._range = start or Fraction(0), Fraction(count) if end is None else end
        self.report = DecodeReport()
        self.info = SourceInfo(
            path, side, side, DEFAULT_IMAGE_RATE, duration=count / DEFAULT_IMAGE_RATE, frames=count, container="strip"
        )  # fmt: skip

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each frame at its time."""
        self.report = DecodeReport()
        start, end = self._range
        for index in range(self.info.frames or 0):
            time = index / DEFAULT_IMAGE_RATE
            if video and start <= time < end:
                self.report.frames += 1
                yield self._lazy_frame(index, time)

    def _lazy_frame(self, index: int, time: Fraction) -> LazyFrame:
        def render(size: Size) -> Pixels:
            side = self.info.height
            return resize(self._strip[:, index * side : (index + 1) * side].copy(), size)

        return LazyFrame(render, self.info.size, time, index, key=True, duration=1 / DEFAULT_IMAGE_RATE)
