"""Resample decoded audio to mono float32 at the requested rates, without gaps."""

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
"""Seconds by which a timestamp may differ from the count of samples before it is believed: finer jitter is rounding."""

MAX_MIXED_CHANNELS = 8
"""Channels up to which FFmpeg can mix any layout; more of them are averaged here."""

MIN_UNSAFE_PLANES = 8
"""Planes from which on PyAV must not be asked for them."""

MIN_MIX_LEVEL, SAFE_MIX_LEVEL = 0.25, 0.45
"""Levels of the mean of all channels relative to the loudest: channels cancel below the first, and no more from the
second."""

MAX_GAP_SECONDS = 10
"""Seconds of silence that are filled in; after a longer gap, audio restarts at its own time."""


class MultiRateResampler:
    """A resampler of one audio stream to several rates; it fills gaps with silence and cuts overlaps."""

    def __init__(self, rates: Iterable[int]) -> None:
        self._resamplers = [_GaplessResampler(rate) for rate in dict.fromkeys(rates)]
        self._loudest_only = False

    def push(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        """Yield the audio that ``frame`` completes; ``time`` is its start in seconds, if known."""
        if frame.layout.nb_channels > MAX_MIXED_CHANNELS:
            frame = average_channels(frame)
        elif self._resamplers and frame.layout.nb_channels > 1:
            frame = self._mixable(frame)
        for resampler in self._resamplers:
            yield from resampler.push(frame, time)

    def _mixable(self, frame: AudioFrame) -> AudioFrame:
        """Return a frame, or its loudest channel if the channels cancel each other in a mix."""
        samples = to_channels(frame)
        levels = np.sqrt(np.square(samples).mean(axis=1))
        share = float(np.sqrt(np.square(samples.mean(axis=0)).mean())) / max(float(levels.max()), 1e-9)
        if levels.max() > 0:
            self._loudest_only = share < (SAFE_MIX_LEVEL if self._loudest_only else MIN_MIX_LEVEL)
        return to_mono_frame(frame, samples[int(levels.argmax())]) if self._loudest_only else frame

    def flush(self) -> Iterator[Audio]:
        """Yield what the resamplers still buffer."""
        for resampler in self._resamplers:
            yield from resampler.flush()


def average_channels(frame: AudioFrame) -> AudioFrame:
    """Return a mono frame with the mean of all channels."""
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

    Of eight planes or more, PyAV reads some that do not exist, and the process dies; such a frame is returned with its
    channels in one plane, any other as it is.
    """
    if frame.format.is_packed or frame.layout.nb_channels < MIN_UNSAFE_PLANES:
        return frame
    return AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)[0]


class _GaplessResampler:
    """A resampler to one rate.

    ``_input_end`` is the end of the input so far, ``_output_time`` the end of the resampler's output, and
    ``_emitted_end`` the end of the audio that was yielded, in seconds.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._input_end: Fraction | None = None
        self._emitted_end: Fraction | None = None
        self._format: tuple[str, str, int] | None = None
        self._reset()

    def _reset(self) -> None:
        self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate)
        self._output_time: Fraction | None = None

    def push(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        sample_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._is_discontinuous(sample_format, time):
            yield from self.flush()
            yield from self._fill_gap(time)
        self._format = sample_format
        start = self._start_time(time)
        if self._output_time is None:
            self._output_time = start
        self._input_end = start + Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        yield from self._emit(self._resampler.resample(frame))

    def _is_discontinuous(self, sample_format: tuple[str, str, int], time: Fraction | None) -> bool:
        if self._input_end is None:
            return False
        return sample_format != self._format or (
            time is not None and abs(time - self._input_end) > MAX_STAMP_ERROR_SECONDS
        )

    def _start_time(self, time: Fraction | None) -> Fraction:
        if self._input_end is None:
            return time or Fraction(0)
        if time is not None and abs(time - self._input_end) > MAX_STAMP_ERROR_SECONDS:
            return time
        return self._input_end

    def _fill_gap(self, time: Fraction | None) -> Iterator[Audio]:
        """Yield silence for the gap before ``time``."""
        if (
            time is None
            or self._input_end is None
            or not MAX_STAMP_ERROR_SECONDS < time - self._input_end <= MAX_GAP_SECONDS
        ):
            return
        count = round((time - self._input_end) * self._rate)
        yield from self._forward(Audio(np.zeros(count, np.float32), self._rate, self._input_end))

    def flush(self) -> Iterator[Audio]:
        yield from self._emit(self._resampler.resample(None))
        self._reset()

    def _emit(self, frames: list[AudioFrame]) -> Iterator[Audio]:
        for frame in frames:
            samples = np.ascontiguousarray(frame.to_ndarray().reshape(-1), np.float32)
            if len(samples) and self._output_time is not None:
                audio = Audio(samples, self._rate, self._output_time)
                self._output_time = audio.end
                yield from self._forward(audio)

    def _forward(self, audio: Audio) -> Iterator[Audio]:
        """Yield the part of ``audio`` after what was yielded already; a jump far back is a new clock."""
        repeats = self._emitted_end is not None and 0 < self._emitted_end - audio.start <= MAX_GAP_SECONDS
        if (new := cut_audio(audio, self._emitted_end, None) if repeats else audio) is not None:
            self._emitted_end = new.end
            yield new
