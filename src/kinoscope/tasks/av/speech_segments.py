"""Speech segments of a stream of audio, cut at its pauses, in bounded memory.

The probability of speech comes from Silero VAD (https://github.com/snakers4/silero-vad, MIT), one value for
each 512 samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Audio
from kinoscope.tasks.signal.hysteresis import Span, hysteresis_spans

SAMPLE_RATE = 16_000
"""Samples per second."""

Vad = Callable[[Float32Array], Float32Array]
"""From (N * 512,) samples to (N,) probabilities of speech."""

VAD_WINDOW_SAMPLES = 512
MAX_BUFFER_SAMPLES = 28 * SAMPLE_RATE
"""Samples in the buffer; with its margins, a segment fits into the 30 s that a speech recognizer processes."""
MARGIN_SAMPLES = 9 * VAD_WINDOW_SAMPLES
"""Samples kept before and after speech: the breath before a word helps to recognize it."""
MIN_PAUSE_WINDOWS = 32
"""Windows of silence that end a segment: about one second, a pause between sentences."""
MIN_SPEECH_WINDOWS = 8
"""Windows: a quarter of a second; anything shorter is a click."""
SPEECH_START_PROBABILITY, SPEECH_END_PROBABILITY = 0.5, 0.35
"""Probabilities at which speech begins and ends."""
MAX_AUDIO_GAP_SECONDS = Fraction(1, 10)
"""Seconds; a larger gap between two chunks of incoming audio is silence, not rounding."""


class SpeechSegmenter:
    """Splitter of incoming audio into segments of speech, each at most ``MAX_BUFFER_SAMPLES`` samples long."""

    def __init__(self, vad: Vad) -> None:
        self._vad = vad
        self._start = Fraction(0)
        self._chunks: list[Float32Array] = []
        self._count = 0

    def add(self, audio: Audio) -> list[Audio]:
        """Add the next chunk of audio (16 kHz) and return the segments of speech that have ended."""
        finished: list[Audio] = []
        if self._count and abs(audio.start - self._end) > MAX_AUDIO_GAP_SECONDS:
            finished = self.close()
        if not self._count:
            self._start = audio.start
        samples = audio.samples
        while len(samples):
            chunk, samples = np.split(samples, [MAX_BUFFER_SAMPLES - self._count])
            self._append(chunk)
            if self._count == MAX_BUFFER_SAMPLES:
                finished += self._flush_buffer()
        return finished

    def close(self) -> list[Audio]:
        """Return the speech that is still buffered; the next audio may start anywhere."""
        samples = self._pop_samples()
        return [self._to_audio(samples, start, end) for start, end in self._speech_ranges(samples)]

    @property
    def _end(self) -> Fraction:
        return self._start + Fraction(self._count, SAMPLE_RATE)

    def _append(self, samples: Float32Array) -> None:
        self._chunks.append(samples)
        self._count += len(samples)

    def _pop_samples(self) -> Float32Array:
        samples = np.concatenate([*self._chunks, np.zeros(0, np.float32)])
        self._chunks, self._count = [], 0
        return samples

    def _flush_buffer(self) -> list[Audio]:
        """Return the finished speech of a full buffer, and keep the part that may continue."""
        samples = self._pop_samples()
        ranges = self._speech_ranges(samples)
        keep_from = len(samples) - MARGIN_SAMPLES
        if ranges and ranges[-1][1] > keep_from - MIN_PAUSE_WINDOWS * VAD_WINDOW_SAMPLES:
            keep_from = start = ranges.pop()[0]
            if start < len(samples) // 2:
                keep_from = self._find_pause(samples, len(samples) // 2)
                ranges.append((start, keep_from))
        finished = [self._to_audio(samples, a, b) for a, b in ranges]
        self._start += Fraction(keep_from, SAMPLE_RATE)
        self._append(samples[keep_from:])
        return finished

    def _to_audio(self, samples: Float32Array, start: int, end: int) -> Audio:
        return Audio(samples[start:end].copy(), SAMPLE_RATE, self._start + Fraction(start, SAMPLE_RATE))

    def _scores(self, samples: Float32Array) -> Float32Array:
        if not len(samples):
            return np.zeros(0, np.float32)
        return self._vad(np.pad(samples, (0, -len(samples) % VAD_WINDOW_SAMPLES)))

    def _speech_ranges(self, samples: Float32Array) -> list[Span]:
        """Return the sample ranges of speech, with margins."""
        ranges = hysteresis_spans(
            self._scores(samples),
            SPEECH_START_PROBABILITY,
            SPEECH_END_PROBABILITY,
            MIN_PAUSE_WINDOWS,
            MIN_SPEECH_WINDOWS,
        )
        return [
            (
                max(0, first * VAD_WINDOW_SAMPLES - MARGIN_SAMPLES),
                min(len(samples), stop * VAD_WINDOW_SAMPLES + MARGIN_SAMPLES),
            )
            for first, stop in ranges
        ]

    def _find_pause(self, samples: Float32Array, start: int) -> int:
        """Return the position after ``start`` where speech is least probable, to cut at if nobody pauses."""
        scores = np.convolve(self._scores(samples)[start // VAD_WINDOW_SAMPLES :], np.ones(5) / 5, "valid")
        return start + (int(np.argmin(scores)) + 2) * VAD_WINDOW_SAMPLES
