"""Media types. Each one carries its own time and is checked when it is constructed.

Axes: T frames, H rows, W columns, C channels (RGB), N audio samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array

Size = tuple[int, int]
"""Width and height of a frame in pixels."""

Pixels = NDArray[np.uint8]


def _check(pixels: Pixels, axes: str) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != len(axes) or pixels.shape[-1] != 3:
        raise ValueError(f"pixels must be uint8 {axes} with C=3, not {pixels.dtype} {pixels.shape}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One RGB frame and its presentation time.

    Attributes:
        pixels: (H, W, C) uint8, RGB, as displayed: rotated, and with square pixels.
        time: presentation time in seconds, exact.
        index: position in the source, counted from 0 in presentation order.
        duration: seconds on screen, or None if the source does not state it.
    """

    pixels: Pixels
    time: Fraction
    index: int = 0
    duration: Fraction | None = None

    def __post_init__(self) -> None:
        _check(self.pixels, "HWC")

    def __repr__(self) -> str:
        return f"Frame(time={float(self.time):.6g}, index={self.index}, size={self.size})"

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Several frames of one size in time order.

    Attributes:
        pixels: (T, H, W, C) uint8, RGB.
        times: (T,) float64, presentation times in seconds, not decreasing.
        indices: (T,) int64, positions in the source.
        exact: of each frame (T), its time as a fraction; empty where only ``times`` are known.
        last: seconds on screen of the last frame, or None if the source does not state it.
    """

    pixels: Pixels
    times: Float64Array
    indices: Int64Array
    exact: tuple[Fraction, ...] = ()
    last: Fraction | None = None

    def __post_init__(self) -> None:
        _check(self.pixels, "THWC")
        if not len(self.pixels) == len(self.times) == len(self.indices):
            raise ValueError(f"{len(self.pixels)} frames, {len(self.times)} times, {len(self.indices)} indices")
        if self.exact and len(self.exact) != len(self.pixels):
            raise ValueError(f"{len(self.pixels)} frames, exact times of {len(self.exact)}")
        if np.any(np.diff(self.times) < 0):
            raise ValueError("times must not decrease")

    def __repr__(self) -> str:
        span = f" from {self.times[0]:.6g} to {self.times[-1]:.6g} s" if len(self) else ""
        return f"FrameBatch({len(self)} frames of {self.size[0]}x{self.size[1]}{span})"

    @classmethod
    def stack(cls, frames: Sequence[Frame]) -> FrameBatch:
        """Stack frames of one size."""
        times = np.array([float(f.time) for f in frames], np.float64)
        indices = np.array([f.index for f in frames], np.int64)
        exact = tuple(f.time for f in frames)
        return cls(np.stack([f.pixels for f in frames]), times, indices, exact, frames[-1].duration)

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[Frame]:
        exact = self.exact or tuple(Fraction(time) for time in self.times.tolist())
        for pixels, time, index in zip(self.pixels, exact, self.indices, strict=True):
            yield Frame(pixels, time, int(index))

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.pixels.shape[2], self.pixels.shape[1]


@dataclass(frozen=True, slots=True)
class Audio:
    """A section of mono audio.

    Attributes:
        samples: (N,) float32 in [-1, 1].
        rate: samples per second.
        start: time of the first sample in seconds, on the same clock as the frames.
    """

    samples: Float32Array
    rate: int
    start: Fraction

    def __post_init__(self) -> None:
        if self.samples.dtype != np.float32 or self.samples.ndim != 1 or self.rate <= 0:
            raise ValueError(f"audio must be float32 (N,) at a rate > 0, not {self.samples.dtype} {self.samples.shape}")

    @classmethod
    def concatenate(cls, parts: Sequence[Audio]) -> Audio:
        """Return parts of one rate, in order of time, as one section; gaps between them are silent."""
        first = parts[0]
        offsets = [round((part.start - first.start) * first.rate) for part in parts]
        samples = np.zeros(max(at + len(part.samples) for at, part in zip(offsets, parts, strict=True)), np.float32)
        for at, part in zip(offsets, parts, strict=True):
            samples[at : at + len(part.samples)] = part.samples
        return cls(samples, first.rate, first.start)

    @property
    def end(self) -> Fraction:
        """Time just after the last sample, in seconds."""
        return self.start + Fraction(len(self.samples), self.rate)


@dataclass(frozen=True, slots=True)
class Clip:
    """A section of video: frames, and the audio with them if there is any."""

    frames: FrameBatch
    audio: Audio | None = None

    @property
    def start(self) -> float:
        """Time of the first frame in seconds."""
        return float(self.frames.times[0])

    @property
    def end(self) -> float:
        """Time of the last frame in seconds."""
        return float(self.frames.times[-1])


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source's metadata before it is decoded; None where it is not stated.

    Attributes:
        path: file, folder, URL or device, as given.
        width, height: square pixels of the displayed frame, ``rotation`` and ``aspect`` applied.
        rate: average frames per second, exact; ``variable`` says whether it varies.
        start: earliest presentation time of any stream, in seconds; players count from here.
        duration: seconds from start to end.
        frames: number of frames that the container declares.
        has_audio: whether there is an audio stream to decode.
        live: whether reading never ends by itself (camera, stream).
        codec, pixel_format, colour_space, colour_range, bit_depth: of the video stream, as FFmpeg names them.
        transfer: transfer characteristics, such as bt709; pq and hlg (high dynamic range) are mapped to the standard
            range.
        rotation: degrees counter-clockwise that the reader has already applied.
        aspect: width / height of one stored pixel; the reader has already stretched the frame by as much.
        interlaced: whether frames consist of two fields.
        audio_codec, audio_rate: of the audio stream; rate in samples per second.
        container: the container format, as FFmpeg names it.
    """

    path: str
    width: int = 0
    height: int = 0
    rate: Fraction | None = None
    start: Fraction = Fraction(0)
    duration: Fraction | None = None
    frames: int | None = None
    has_audio: bool = False
    live: bool = False
    container: str | None = None
    codec: str | None = None
    pixel_format: str | None = None
    bit_depth: int | None = None
    colour_space: str | None = None
    colour_range: str | None = None
    transfer: str | None = None
    rotation: int = 0
    aspect: Fraction = Fraction(1)
    interlaced: bool = False
    variable: bool = False
    audio_codec: str | None = None
    audio_rate: int | None = None
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """Width and height of the displayed frame in pixels."""
        return self.width, self.height

    def fit(self, max_side: int) -> Size:
        """Return the size with the frame's aspect ratio whose longer side is at most ``max_side``, in even pixels.

        A smaller frame keeps its own size.
        """
        scale = min(1.0, max_side / max(self.width, self.height, 1))
        if scale == 1.0:
            return self.size
        return max(2, 2 * round(self.width * scale / 2)), max(2, 2 * round(self.height * scale / 2))
