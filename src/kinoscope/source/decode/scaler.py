"""Convert decoded frames to full-range SDR RGB: size, colours and rotation in one place."""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import av
import numpy as np
from av.dictionary import Dictionary
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from kinoscope.core.errors import DecodeError
from kinoscope.core.media import Pixels, Size
from kinoscope.source.decode.hdr import HLG_TRANSFER, PQ_TRANSFER, to_sdr

COLOUR_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""Matrix coefficients of a stream (ITU-T H.273) -> the same in swscale."""

DType = TypeVar("DType", np.uint8, np.uint16)

MAX_ASPECT = Fraction(8)
"""Maximum width / height of a pixel, or its inverse; beyond it the tag is ignored. Anamorphic film has 2."""

FAST_SHRINK_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "nv12"}
"""Formats that swscale shrinks fastest if colours are converted afterwards."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """The transform from a decoded frame to a displayed one: mirrored first, then rotated.

    Attributes:
        rotation: degrees counter-clockwise: 0, 90, 180 or 270.
        mirror: whether left and right are exchanged before rotating.
    """

    rotation: int = 0
    mirror: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Return the orientation that a frame's display matrix describes, to the nearest quarter turn."""
        matrix = side_data(frame, "DISPLAYMATRIX")
        if matrix is None:
            return cls(90 * round(frame.rotation / 90) % 360)
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
        mirror = a * d - b * c < 0
        if mirror:
            a, b = -a, -b
        # Rows of the matrix are the image of the x axis (y downwards), so an angle is clockwise.
        quarter = round(np.degrees(np.arctan2(b, a)) / 90)
        return cls(-90 * quarter % 360, mirror)

    def swap_sides(self, size: Size) -> Size:
        """Return the displayed size of a decoded size, or the inverse: width and height swapped if it is rotated by 90
        or 270 degrees.
        """
        return (size[1], size[0]) if self.rotation % 180 else size

    def apply(self, pixels: Pixels) -> Pixels:
        """Return decoded pixels (H, W, 3) mirrored and rotated as they are displayed."""
        if self.mirror:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(np.rot90(pixels, self.rotation // 90))


def side_data(frame: VideoFrame, name: str) -> Any:
    """Return what FFmpeg attached to a frame under ``name``, or None.

    ``frame.side_data`` refers to its frame and the frame to it, so that every frame whose side data was read stays in
    memory until the garbage collector runs. A container of our own has no such cycle.
    """
    data = SideDataContainer.__new__(SideDataContainer)
    with suppress(ValueError):  # a kind that PyAV has no name for, such as EXIF, ends the list
        data.__init__(frame)  # type: ignore[misc]
    for item in data:
        _keep_metadata(item)
    return data.get(name)


def _keep_metadata(item: SideData) -> None:
    """Keep the metadata of side data for ever, if there is some, such as the name of a colour profile.

    PyAV frees the dictionary with the object that wraps it, though it belongs to the frame, which then frees it again:
    the process would crash. A reference that is never dropped keeps the wrapper, which holds no pixels.
    """
    for metadata in gc.get_referents(item):
        if isinstance(metadata, Dictionary) and metadata:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(metadata))


def display_size(size: Size, aspect: Fraction) -> Size:
    """Return the size at which a stored frame has its displayed shape in square pixels; no side gets smaller.

    Args:
        size: stored width and height.
        aspect: width / height of a stored pixel; beyond ``MAX_ASPECT`` it is treated as 1.
    """
    width, height = size
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        return size
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))


class Scaler:
    """A converter of frames to RGB by swscale, straight from the decoder's format to each requested size.

    One swscale context is kept per size. Safe to call from several threads.
    """

    def __init__(self, orientation: Orientation | None = None) -> None:
        self.orientation = orientation or Orientation()
        self._contexts: dict[Size, _SizeScaler] = {}
        self._lock = threading.Lock()

    def __call__(self, frame: VideoFrame, size: Size) -> Pixels:
        """Return (H, W, 3) uint8 RGB of the displayed ``size`` (width, height).

        Raises:
            DecodeError: FFmpeg cannot convert the frame's format, or there is no memory for it.
        """
        with self._lock:
            context = self._contexts.setdefault(size, _SizeScaler(self.orientation.swap_sides(size)))
            try:
                pixels = context.pixels(frame)
            except (av.FFmpegError, ValueError, MemoryError) as error:
                pixel_format = f"{frame.format.name} of {frame.width}x{frame.height}"
                raise DecodeError(
                    f"a frame in {pixel_format} cannot be converted to {size[0]}x{size[1]} RGB: {error}"
                ) from error
        return pixels if self.orientation == Orientation() else self.orientation.apply(pixels)


class _SizeScaler:
    """A scaler to one size.

    Each output pixel of a smaller size is the mean of the area it covers. The usual 8-bit formats are shrunk before
    they are converted to RGB: swscale has fast code for either step, and three times slower code for both at once.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._shrink, self._colour = VideoReformatter(), VideoReformatter()

    def pixels(self, frame: VideoFrame) -> Pixels:
        if frame.color_trc in (PQ_TRANSFER, HLG_TRANSFER):
            rgb48 = _as_array(self._scale(frame, "rgb48le"), np.uint16)
            return to_sdr(rgb48, frame.color_trc, frame.color_primaries)
        return _as_array(self._scale(frame, "rgb24"), np.uint8)

    def _scale(self, frame: VideoFrame, pixel_format: str) -> VideoFrame:
        width, height = self._size
        matrix, value_range = get_colour_matrix(frame), get_colour_range(frame)
        method = Interpolation.AREA if width <= frame.width and height <= frame.height else Interpolation.BILINEAR
        if (
            method == Interpolation.AREA
            and frame.format.name in FAST_SHRINK_FORMATS
            and (width, height) != (frame.width, frame.height)
        ):
            frame = self._shrink.reformat(
                frame, width, height, "yuv422p", matrix, matrix, method, value_range, value_range, threads=1
            )
        return self._colour.reformat(
            frame, width, height, pixel_format, matrix, None, method, value_range, ColorRange.JPEG, threads=1
        )


def resize(pixels: Pixels, size: Size) -> Pixels:
    """Return RGB pixels (H, W, 3) scaled to ``size`` (width, height); themselves if they have it already."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return Scaler()(VideoFrame.from_ndarray(pixels, "rgb24"), size)


def get_colour_matrix(frame: VideoFrame) -> Colorspace | None:
    """Return the matrix of a frame; as in players, an untagged one is taken as BT.709 if it is HD, else BT.601."""
    if frame.format.is_rgb:
        return None
    guess = Colorspace.ITU709 if frame.height > 576 or frame.width > 1024 else Colorspace.ITU601
    return COLOUR_MATRICES.get(frame.colorspace, guess)


def get_colour_range(frame: VideoFrame) -> ColorRange:
    """Return the range of a frame; an untagged one is limited, unless its format is a full-range one."""
    if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
        return ColorRange(frame.color_range)
    full = frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray", "pal8", "mono"))
    return ColorRange.JPEG if full else ColorRange.MPEG


def _as_array(frame: VideoFrame, dtype: type[DType]) -> NDArray[DType]:
    """Return an RGB frame as (H, W, 3) of ``dtype``, copied only if its rows are padded."""
    plane = frame.planes[0]
    width = plane.line_size // np.dtype(dtype).itemsize
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, width)[: frame.height, : 3 * frame.width]
    return np.ascontiguousarray(rows).reshape(frame.height, frame.width, 3)
