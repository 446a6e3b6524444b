"""Mouths and sound on one clock of 25 frames a second, in stretches of bounded length, whatever the video's rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array, UInt8Array
from kinoscope.core.media import Audio, Pixels
from kinoscope.core.signal.mel import HOP_LENGTH, SAMPLE_RATE, log_mel
from kinoscope.core.signal.sync_offset import FRAME_SECONDS
from kinoscope.models.inference.mouth_tracker import TrackedFace, crop_mouth, resample_mouth, stabilized_mouth_points
from kinoscope.models.inference.sync import LAGS_PER_FRAME, PADDING_FRAMES

CHUNK_FRAMES = 150
"""Frames that are looked at in one go."""

MAX_GAP_SECONDS = 0.25
"""Seconds without a picture over which a mouth's motion is still filled in."""

MIN_SEGMENT_FRAMES = 8
"""Frames of the shortest piece that says anything."""

MOUTH_SIDE = 48
"""Side of a mouth's picture in pixels."""

MAX_AUDIO_GAP_SECONDS = 0.1
"""Seconds; a larger hole between two stretches of incoming sound is silence, not rounding."""


@dataclass
class MouthBuffer:
    """What was seen of one face and not looked at yet: times in seconds, points (61, 3), pictures (48, 48)."""

    times: list[float] = field(default_factory=list)
    points: list[Float32Array] = field(default_factory=list)
    pictures: list[UInt8Array] = field(default_factory=list)

    def see(self, picture: Pixels, face: TrackedFace, time: float) -> None:
        """Take the mouth of a face in a picture (H, W, 3)."""
        import cv2

        self.times.append(time)
        self.points.append(stabilized_mouth_points(face.mesh))
        self.pictures.append(
            np.asarray(cv2.cvtColor(crop_mouth(picture, face.mesh, MOUTH_SIDE), cv2.COLOR_RGB2GRAY), np.uint8)
        )

    def forget(self, before: float) -> None:
        """Let go of what lies before a time, but for one picture to go on from."""
        keep = max(0, int(np.searchsorted(self.times, before)) - 1)
        del self.times[:keep], self.points[:keep], self.pictures[:keep]

    def pieces(self, first: int, last: int) -> Iterator[MouthSegment]:
        """Give what is known of the frames ``first`` to ``last`` of the clock, without long gaps."""
        times = np.array(self.times)
        frames = np.arange(first, last)
        after = np.searchsorted(times, frames * FRAME_SECONDS + 1e-9)
        inside = (after > 0) & (after < len(times))
        near = np.clip(after, 1, max(1, len(times) - 1))
        if len(times) > 1:
            inside &= times[near] - times[near - 1] <= MAX_GAP_SECONDS
            # The very first and last pictures stand for the frames that they fall into.
            inside |= np.abs(frames * FRAME_SECONDS - times[np.clip(after, 0, len(times) - 1)]) < FRAME_SECONDS / 2
        turns = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
        for begin, end in zip(turns[::2], turns[1::2], strict=True):
            if end - begin >= MIN_SEGMENT_FRAMES:
                yield self._piece(frames[begin:end], times)

    def _piece(self, frames: Int64Array, times: Float64Array) -> MouthSegment:
        wanted = frames.astype(np.float64) * FRAME_SECONDS
        return MouthSegment(
            int(frames[0]), *resample_mouth(wanted, times, np.array(self.points), np.array(self.pictures))
        )


@dataclass(frozen=True, slots=True)
class MouthSegment:
    """A mouth over frames in a row, from ``first`` on: points (T, 61, 3), pictures (T, 48, 48)."""

    first: int
    points: Float32Array
    pictures: UInt8Array


class AudioBuffer:
    """The sound of the last seconds, by time; what is missing is silence.

    ``end`` is the time in seconds up to which sound has come, ``start`` that of its first sample; ``heard`` is how much
    of it was not silence.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._begin = 0
        self.start: float | None = None
        self.end = -np.inf
        self._square, self._count = 0.0, 0

    def hear(self, sound: Audio) -> None:
        """Take the next stretch of sound, 16 kHz."""
        at = round(float(sound.start) * SAMPLE_RATE)
        if self.start is None:
            self.start, self._begin = float(sound.start), at
        hole = at - (self._begin + len(self._samples))
        if abs(hole) > MAX_AUDIO_GAP_SECONDS * SAMPLE_RATE:
            self._samples = np.concatenate([self._samples, np.zeros(max(hole, 0), np.float32)])
        self._samples = np.concatenate([self._samples, sound.samples])
        self._square += float(np.square(sound.samples, dtype=np.float64).sum())
        self._count += len(sound.samples)
        self.end = (self._begin + len(self._samples)) / SAMPLE_RATE

    @property
    def level(self) -> float:
        """Root mean square of all sound so far."""
        return float(np.sqrt(self._square / max(self._count, 1)))

    def forget(self, before: float) -> None:
        """Let go of what lies before a time in seconds."""
        drop = min(max(0, round(before * SAMPLE_RATE) - self._begin), len(self._samples))
        self._samples, self._begin = self._samples[drop:], self._begin + drop

    def samples(self, start: float, end: float) -> Float32Array:
        """Give the samples from one time to another, in seconds."""
        first, last = round(start * SAMPLE_RATE) - self._begin, round(end * SAMPLE_RATE) - self._begin
        inside = self._samples[max(first, 0) : max(last, 0)]
        return np.pad(inside, (max(-first, 0), max(last - max(first, 0) - len(inside), 0)))[: last - first]

    def mel(self, first: int, last: int) -> Float32Array:
        """Give the log-mel that goes with frames ``first`` to ``last`` and the sound before and after them."""
        count = (last - first + 2 * PADDING_FRAMES) * LAGS_PER_FRAME + LAGS_PER_FRAME - 1
        start = (first - PADDING_FRAMES) * FRAME_SECONDS
        return log_mel(self.samples(start, start + (count - 1) * HOP_LENGTH / SAMPLE_RATE), self.level)[:count]
