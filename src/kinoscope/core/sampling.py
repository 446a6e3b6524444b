"""Temporal sampling of the frames that a network receives."""

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
    """``frames`` frames at ``rate`` per second, so that a network's input does not depend on the video's frame rate.

    Attributes:
        frames: frames of one clip.
        rate: frames per second of video.
        size: (width, height) in pixels of the network's input frames.
    """

    frames: int = 16
    rate: float = 8.0
    size: tuple[int, int] = (112, 112)

    def __post_init__(self) -> None:
        width, height = self.size
        clip = f"cannot sample {self.frames} frames of {width}x{height} at {self.rate:g} a second"
        if not (
            0 < self.frames <= MAX_FRAMES and 0 < self.rate <= MAX_RATE and all(0 < n <= MAX_SIDE for n in self.size)
        ):
            raise OptionError(
                f"{clip}; give 1 to {MAX_FRAMES} frames, a rate above 0 up to {MAX_RATE} and sides of 1 to {MAX_SIDE}"
            )
        if self.frames * width * height > MAX_PIXELS:
            raise OptionError(f"{clip}; give fewer or smaller frames, {MAX_PIXELS // 10**6} million pixels at most")

    @property
    def seconds(self) -> float:
        """Length of a clip in seconds: from the start of its first frame to the end of its last."""
        return self.frames / self.rate

    def times(self, start: float) -> Float64Array:
        """Return the times in seconds, (T,), of a clip that starts at ``start``."""
        return start + np.arange(self.frames) / self.rate

    def starts(self, first: float, end: float, views: int) -> Float64Array:
        """Return the starts in seconds, (views,), of clips spread evenly over [first, end); one view is the middle."""
        slack = max(0.0, end - first - self.seconds)
        shares = np.array([0.5]) if views == 1 else np.linspace(0, 1, views)
        return first + slack * shares


def nearest_frames(times: Float64Array, targets: Float64Array) -> Int64Array:
    """Return the index of the frame on screen at each target time: the last that has started, else the first.

    Args:
        times: (N,) presentation times in seconds, not decreasing, N at least 1.
        targets: (T,) seconds. After the last frame, the last frame stays.
    """
    # A millionth of a second: times that went through float64 must still find their own frame.
    return np.clip(np.searchsorted(times, targets + 1e-6, side="right") - 1, 0, len(times) - 1)
