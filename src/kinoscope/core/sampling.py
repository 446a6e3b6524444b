"""Which moments of a clip a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.errors import OptionError

MAX_FRAMES, MAX_RATE, MAX_SIDE = 1024, 1000, 4096
MAX_PIXELS = 200_000_000
"""Of all frames of a clip together: 600 MB."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """``frames`` pictures, ``rate`` a second, so that a frame rate never changes what a network sees.

    Attributes:
        frames: pictures of one clip.
        rate: pictures per second of video.
        size: (width, height) in pixels of the pictures that the network takes.
    """

    frames: int = 16
    rate: float = 8.0
    size: tuple[int, int] = (112, 112)

    def __post_init__(self) -> None:
        width, height = self.size
        wanted = f"cannot sample {self.frames} frames of {width}x{height} at {self.rate:g} a second"
        if not (
            0 < self.frames <= MAX_FRAMES and 0 < self.rate <= MAX_RATE and all(0 < n <= MAX_SIDE for n in self.size)
        ):
            raise OptionError(
                f"{wanted}; give 1 to {MAX_FRAMES} frames, a rate above 0 up to {MAX_RATE} and sides of 1 to {MAX_SIDE}"
            )
        if self.frames * width * height > MAX_PIXELS:
            raise OptionError(f"{wanted}; give fewer or smaller frames, {MAX_PIXELS // 10**6} million pixels at most")

    @property
    def seconds(self) -> float:
        """Length of a clip: from its first picture to the end of its last, in seconds."""
        return self.frames / self.rate

    def times(self, start: float) -> Float64Array:
        """Give the (T,) times in seconds of a clip that begins at ``start``."""
        return start + np.arange(self.frames) / self.rate

    def starts(self, first: float, end: float, views: int) -> Float64Array:
        """Give the (views,) starts in seconds of clips spread evenly over [first, end); one view is the middle."""
        slack = max(0.0, end - first - self.seconds)
        shares = np.array([0.5]) if views == 1 else np.linspace(0, 1, views)
        return first + slack * shares


def nearest_frames(times: Float64Array, wanted: Float64Array) -> Int64Array:
    """Give the index of the frame on screen at each wanted time: the last that has begun, else the first.

    Args:
        times: (N,) presentation times in seconds, not decreasing, N at least 1.
        wanted: (T,) seconds. After the last frame, the last frame stays.
    """
    # A millionth of a second: times that went through float64 must still find their own frame.
    return np.clip(np.searchsorted(times, wanted + 1e-6, side="right") - 1, 0, len(times) - 1)
