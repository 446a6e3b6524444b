"""Where somebody speaks: a stream of sound cut at its silences, in bounded memory.

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
"""Most samples held; with its margins, a stretch fits into the 30 s that a speech recogniser looks at."""
MARGIN_SAMPLES = 9 * VAD_WINDOW_SAMPLES
"""Samples kept before and after speech: the breath in front of a word helps to recognise it."""
MIN_PAUSE_WINDOWS = 32
"""Windows of silence that end a stretch: about one second, a pause between sentences."""
MIN_SPEECH_WINDOWS = 8
"""Windows: a quarter of a second; less is a click."""
SPEECH_START_PROBABILITY, SPEECH_END_PROBABILITY = 0.5, 0.35
MAX_AUDIO_GAP_SECONDS = Fraction(1, 10)
"""Seconds; a larger hole between two stretches of incoming sound is silence, not rounding."""


class SpeechSegmenter:
    """Cut incoming sound into stretches of speech, each at most ``MAX_BUFFER_SAMPLES`` samples long."""

    def __init__(self, vad: Vad) -> None:
        self._vad = vad
        self._start = Fraction(0)
        self._held: list[Float32Array] = []
        self._count = 0

    def hear(self, sound: Audio) -> list[Audio]:
        """Take the next sound (16 kHz) and give the stretches of speech that have ended by now."""
        done: list[Audio] = []
        if self._count and abs(sound.start - self._now) > MAX_AUDIO_GAP_SECONDS:
            done = self.close()
        if not self._count:
            self._start = sound.start
        samples = sound.samples
        while len(samples):
            part, samples = np.split(samples, [MAX_BUFFER_SAMPLES - self._count])
            self._keep(part)
            if self._count == MAX_BUFFER_SAMPLES:
                done += self._cut()
        return done

    def close(self) -> list[Audio]:
        """Give the speech that is still held; the next sound may start anywhere."""
        samples = self._take()
        return [self._sound(samples, a, b) for a, b in self._speech(samples)]

    @property
    def _now(self) -> Fraction:
        return self._start + Fraction(self._count, SAMPLE_RATE)

    def _keep(self, samples: Float32Array) -> None:
        self._held.append(samples)
        self._count += len(samples)

    def _take(self) -> Float32Array:
        held = np.concatenate([*self._held, np.zeros(0, np.float32)])
        self._held, self._count = [], 0
        return held

    def _cut(self) -> list[Audio]:
        """Give the finished speech of a full buffer, and keep what may go on."""
        samples = self._take()
        found = self._speech(samples)
        rest = len(samples) - MARGIN_SAMPLES
        if found and found[-1][1] > rest - MIN_PAUSE_WINDOWS * VAD_WINDOW_SAMPLES:
            rest = start = found.pop()[0]
            if start < len(samples) // 2:
                rest = self._quietest(samples, len(samples) // 2)
                found.append((start, rest))
        done = [self._sound(samples, a, b) for a, b in found]
        self._start += Fraction(rest, SAMPLE_RATE)
        self._keep(samples[rest:])
        return done

    def _sound(self, samples: Float32Array, start: int, end: int) -> Audio:
        return Audio(samples[start:end].copy(), SAMPLE_RATE, self._start + Fraction(start, SAMPLE_RATE))

    def _scores(self, samples: Float32Array) -> Float32Array:
        if not len(samples):
            return np.zeros(0, np.float32)
        return self._vad(np.pad(samples, (0, -len(samples) % VAD_WINDOW_SAMPLES)))

    def _speech(self, samples: Float32Array) -> list[Span]:
        """Give the sample ranges in which somebody speaks, with margins."""
        found = hysteresis_spans(
            self._scores(samples),
            SPEECH_START_PROBABILITY,
            SPEECH_END_PROBABILITY,
            MIN_PAUSE_WINDOWS,
            MIN_SPEECH_WINDOWS,
        )
        return [
            (
                max(0, a * VAD_WINDOW_SAMPLES - MARGIN_SAMPLES),
                min(len(samples), b * VAD_WINDOW_SAMPLES + MARGIN_SAMPLES),
            )
            for a, b in found
        ]

    def _quietest(self, samples: Float32Array, start: int) -> int:
        """Give the place after ``start`` where speech is least likely: the pause to cut at when nobody stops."""
        scores = np.convolve(self._scores(samples)[start // VAD_WINDOW_SAMPLES :], np.ones(5) / 5, "valid")
        return start + (int(np.argmin(scores)) + 2) * VAD_WINDOW_SAMPLES
