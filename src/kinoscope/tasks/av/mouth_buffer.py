"""Buffers of mouths and audio on one clock of 25 frames per second, of bounded length, whatever the frame rate."""

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
"""Frames processed at once."""

MAX_GAP_SECONDS = 0.25
"""Seconds without a frame over which a mouth is interpolated."""

MIN_SEGMENT_FRAMES = 8
"""Frames of the shortest segment that is compared."""

MOUTH_SIDE = 48
"""Side of a mouth image in pixels."""

MAX_AUDIO_GAP_SECONDS = 0.1
"""Seconds; a larger gap between two chunks of incoming audio is silence, not rounding."""


@dataclass
class MouthBuffer:
    """Samples of one mouth that are not processed yet: times in seconds, points (61, 3), crops (48, 48)."""

    times: list[float] = field(default_factory=list)
    points: list[Float32Array] = field(default_factory=list)
    crops: list[UInt8Array] = field(default_factory=list)

    def add(self, frame: Pixels, face: TrackedFace, time: float) -> None:
        """Add the mouth of a face in a frame (H, W, 3)."""
        import cv2

        self.times.append(time)
        self.points.append(stabilized_mouth_points(face.mesh))
        self.crops.append(
            np.asarray(cv2.cvtColor(crop_mouth(frame, face.mesh, MOUTH_SIDE), cv2.COLOR_RGB2GRAY), np.uint8)
        )

    def discard_before(self, before: float) -> None:
        """Discard the samples before a time in seconds, except the last one, from which the next segment continues."""
        keep = max(0, int(np.searchsorted(self.times, before)) - 1)
        del self.times[:keep], self.points[:keep], self.crops[:keep]

    def segments(self, first: int, last: int) -> Iterator[MouthSegment]:
        """Yield the segments of clock frames ``first`` to ``last`` that have no long gaps."""
        times = np.array(self.times)
        frames = np.arange(first, last)
        after = np.searchsorted(times, frames * FRAME_SECONDS + 1e-9)
        inside = (after > 0) & (after < len(times))
        near = np.clip(after, 1, max(1, len(times) - 1))
        if len(times) > 1:
            inside &= times[near] - times[near - 1] <= MAX_GAP_SECONDS
            # The very first and last samples stand for the clock frames that they fall into.
            inside |= np.abs(frames * FRAME_SECONDS - times[np.clip(after, 0, len(times) - 1)]) < FRAME_SECONDS / 2
        changes = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
        for begin, end in zip(changes[::2], changes[1::2], strict=True):
            if end - begin >= MIN_SEGMENT_FRAMES:
                yield self._segment(frames[begin:end], times)

    def _segment(self, frames: Int64Array, times: Float64Array) -> MouthSegment:
        times_wanted = frames.astype(np.float64) * FRAME_SECONDS
        return MouthSegment(
            int(frames[0]), *resample_mouth(times_wanted, times, np.array(self.points), np.array(self.crops))
        )


@dataclass(frozen=True, slots=True)
class MouthSegment:
    """A mouth over consecutive clock frames from ``first`` on: points (T, 61, 3), crops (T, 48, 48)."""

    first: int
    points: Float32Array
    crops: UInt8Array


class AudioBuffer:
    """The audio of the last seconds, by time; missing audio is silence.

    ``start`` is the time in seconds of the first sample, ``end`` that of the end of the last; ``level`` is the
    loudness.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._begin = 0
        self.start: float | None = None
        self.end = -np.inf
        self._square, self._count = 0.0, 0

    def add_audio(self, audio: Audio) -> None:
        """Add the next chunk of audio, 16 kHz."""
        at = round(float(audio.start) * SAMPLE_RATE)
        if self.start is None:
            self.start, self._begin = float(audio.start), at
        gap = at - (self._begin + len(self._samples))
        if abs(gap) > MAX_AUDIO_GAP_SECONDS * SAMPLE_RATE:
            self._samples = np.concatenate([self._samples, np.zeros(max(gap, 0), np.float32)])
        self._samples = np.concatenate([self._samples, audio.samples])
        self._square += float(np.square(audio.samples, dtype=np.float64).sum())
        self._count += len(audio.samples)
        self.end = (self._begin + len(self._samples)) / SAMPLE_RATE

    @property
    def level(self) -> float:
        """Root mean square of all audio so far."""
        return float(np.sqrt(self._square / max(self._count, 1)))

    def discard_before(self, before: float) -> None:
        """Discard the audio before a time in seconds."""
        drop = min(max(0, round(before * SAMPLE_RATE) - self._begin), len(self._samples))
        self._samples, self._begin = self._samples[drop:], self._begin + drop

    def samples(self, start: float, end: float) -> Float32Array:
        """Return the samples between two times in seconds."""
        first, last = round(start * SAMPLE_RATE) - self._begin, round(end * SAMPLE_RATE) - self._begin
        inside = self._samples[max(first, 0) : max(last, 0)]
        return np.pad(inside, (max(-first, 0), max(last - max(first, 0) - len(inside), 0)))[: last - first]

    def mel(self, first: int, last: int) -> Float32Array:
        """Return the log-mel spectrogram of clock frames ``first`` to ``last``, with context before and after."""
        count = (last - first + 2 * PADDING_FRAMES) * LAGS_PER_FRAME + LAGS_PER_FRAME - 1
        start = (first - PADDING_FRAMES) * FRAME_SECONDS
        return log_mel(self.samples(start, start + (count - 1) * HOP_LENGTH / SAMPLE_RATE), self.level)[:count]
