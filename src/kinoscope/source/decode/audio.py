"""Decoded sound to mono float32 at the asked rates, on one unbroken clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Audio
from kinoscope.source.base import cut_audio

MAX_STAMP_ERROR_SECONDS = Fraction(1, 50)
"""Seconds that a stamp may be off the count of samples before it is believed: finer jitter is rounding."""

MAX_MIXED_CHANNELS = 8
"""Channels up to which FFmpeg knows how to mix any stream; more of them are averaged here."""

MIN_UNSAFE_PLANES = 8
"""Planes from which on PyAV must not be asked for them."""

MIN_MIX_LEVEL, SAFE_MIX_LEVEL = 0.25, 0.45
"""Shares of the loudest channel's level: below the first the mean of all cancels, from the second on it does not."""

MAX_GAP_SECONDS = 10
"""Seconds of silence that are filled in; a longer gap starts a new stretch at its own time."""


class MultiRateResampler:
    """Resample a stream of sound to several rates. Gaps become silence, and overlaps are cut."""

    def __init__(self, rates: Iterable[int]) -> None:
        self._voices = [_GaplessResampler(rate) for rate in dict.fromkeys(rates)]
        self._alone = False

    def take(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        """Yield the sound that ``frame``, which starts at ``time`` seconds if it says so, completes."""
        if frame.layout.nb_channels > MAX_MIXED_CHANNELS:
            frame = average_channels(frame)
        elif self._voices and frame.layout.nb_channels > 1:
            frame = self._audible(frame)
        for voice in self._voices:
            yield from voice.take(frame, time)

    def _audible(self, frame: AudioFrame) -> AudioFrame:
        """Return a frame, or its loudest channel where the channels cancel each other in a mix."""
        samples = to_channels(frame)
        levels = np.sqrt(np.square(samples).mean(axis=1))
        share = float(np.sqrt(np.square(samples.mean(axis=0)).mean())) / max(float(levels.max()), 1e-9)
        if levels.max() > 0:
            self._alone = share < (SAFE_MIX_LEVEL if self._alone else MIN_MIX_LEVEL)
        return to_mono_frame(frame, samples[int(levels.argmax())]) if self._alone else frame

    def finish(self) -> Iterator[Audio]:
        """Yield what the resamplers still hold."""
        for voice in self._voices:
            yield from voice.finish()


def average_channels(frame: AudioFrame) -> AudioFrame:
    """Return a frame whose one channel is the mean of all channels."""
    return to_mono_frame(frame, to_channels(frame).mean(axis=0))


def to_channels(frame: AudioFrame) -> Float64Array:
    """Return the samples of a frame (channels, N) in [-1, 1]."""
    readable = to_interleaved(frame)
    samples = readable.to_ndarray()
    if readable.format.is_packed:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float64)
    middle = 128 if samples.dtype == np.uint8 else 0
    return (samples.astype(np.float64) - middle) / 2.0 ** (8 * samples.dtype.itemsize - 1)


def to_mono_frame(frame: AudioFrame, samples: Float64Array) -> AudioFrame:
    """Return a mono frame of samples (N,) at the time of another."""
    mono = AudioFrame.from_ndarray(samples.astype(np.float32)[None], "fltp", "mono")
    mono.sample_rate, mono.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        mono.time_base = frame.time_base
    return mono


def to_interleaved(frame: AudioFrame) -> AudioFrame:
    """Return a frame whose samples may be read.

    Of eight planes or more, PyAV reads some that there are not, and the process dies; such a frame is returned with its
    channels in one plane, any other as it is.
    """
    if frame.format.is_packed or frame.layout.nb_channels < MIN_UNSAFE_PLANES:
        return frame
    return AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)[0]


class _GaplessResampler:
    """One rate.

    ``_next`` is the time at which the input so far ends, ``_clock`` that of the resampler's output, and
    ``_heard`` the end of what was handed on.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: Fraction | None = None
        self._heard: Fraction | None = None
        self._form: tuple[str, str, int] | None = None
        self._renew()

    def _renew(self) -> None:
        self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate)
        self._clock: Fraction | None = None

    def take(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._breaks(form, time):
            yield from self.finish()
            yield from self._bridge(time)
        self._form = form
        start = self._start_of(time)
        if self._clock is None:
            self._clock = start
        self._next = start + Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        yield from self._emit(self._resampler.resample(frame))

    def _breaks(self, form: tuple[str, str, int], time: Fraction | None) -> bool:
        if self._next is None:
            return False
        return form != self._form or (time is not None and abs(time - self._next) > MAX_STAMP_ERROR_SECONDS)

    def _start_of(self, time: Fraction | None) -> Fraction:
        if self._next is None:
            return time or Fraction(0)
        if time is not None and abs(time - self._next) > MAX_STAMP_ERROR_SECONDS:
            return time
        return self._next

    def _bridge(self, time: Fraction | None) -> Iterator[Audio]:
        """Fill the gap before ``time`` with silence."""
        if time is None or self._next is None or not MAX_STAMP_ERROR_SECONDS < time - self._next <= MAX_GAP_SECONDS:
            return
        count = round((time - self._next) * self._rate)
        yield from self._forward(Audio(np.zeros(count, np.float32), self._rate, self._next))

    def finish(self) -> Iterator[Audio]:
        yield from self._emit(self._resampler.resample(None))
        self._renew()

    def _emit(self, frames: list[AudioFrame]) -> Iterator[Audio]:
        for frame in frames:
            samples = np.ascontiguousarray(frame.to_ndarray().reshape(-1), np.float32)
            if len(samples) and self._clock is not None:
                sound = Audio(samples, self._rate, self._clock)
                self._clock = sound.end
                yield from self._forward(sound)

    def _forward(self, sound: Audio) -> Iterator[Audio]:
        """Yield what of ``sound`` was not heard yet; a jump far back is a new clock."""
        repeats = self._heard is not None and 0 < self._heard - sound.start <= MAX_GAP_SECONDS
        if (fresh := cut_audio(sound, self._heard, None) if repeats else sound) is not None:
            self._heard = fresh.end
            yield fresh
