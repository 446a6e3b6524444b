"""How late sound is against the picture, told from hits: abrupt changes of motion that are heard, too.

This needs no faces and nothing learnt. It holds where something strikes, drops, claps or bounces at uneven times in
view; where the sound comes from elsewhere, or steadily, there is no clear answer, and that is what is said.

Sound: spectral flux, the rise of the logarithm of energies in bands (Bello et al., "A Tutorial on Onset Detection in
Music Signals", IEEE Transactions on Speech and Audio Processing 13(5), 2005). Picture: in each cell of a grid, how
much the speed turns, by the least squares of Lucas and Kanade (1981) on a blurred picture, so that quick motion is
followed; where that says nothing, how much the energy of change rises, for what lights up. The strongest cell counts,
since a ball or a hand is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Audio
from kinoscope.core.time import Seconds

ONSET_RATE = 100
"""Strengths of onsets a second that are compared."""

MAX_OFFSET_SECONDS = 1.0
"""Seconds of the largest offset."""

LAGS = np.arange(-round(MAX_OFFSET_SECONDS * ONSET_RATE), round(MAX_OFFSET_SECONDS * ONSET_RATE) + 1) / ONSET_RATE
"""Offsets that are tried, in seconds."""

GRID_CELLS = 8
"""Cells of the grid along the longer side of the picture."""

BLUR_SIGMA = 1 / 24
"""Standard deviation of the blur, as a share of the longer side: what moves further in a frame is not followed."""

NUM_BANDS = 24
"""Bands of the sound, evenly spaced in mel."""

WINDOW_SECONDS = 0.032
"""Seconds of sound in one spectrum."""

MAX_NOISE = 0.02
"""Largest change, of 1, that may be but noise: where half the picture changes by more, it lights up or is moved."""

MIN_SECONDS = 4.0
"""Seconds of picture and sound together below which nothing is said."""

PEAK_RADIUS_SECONDS = 0.12
"""Seconds around the best offset in which others fit for the same reason."""

MIN_HITS = 3
"""Hits, seen and heard, below which nothing is said."""

MAX_SECOND_PEAK = 0.75
"""Share of the best fit from which a second one makes the answer ambiguous."""

MIN_PERIODICITY = 0.5
"""Likeness of the sound's onsets to themselves, some time later, from which they repeat."""

MIN_CONFIDENCE = 0.99
"""Confidence from which an offset counts as measured."""

NULL_DISTRIBUTION = 2.12, 0.42
"""Place and scale of the Gumbel distribution of the best fit of picture and sound that have nothing to do with each
other; see ``benchmarks/onsets.py``."""

OFFSET_SIGMA_SECONDS = 0.05
"""Seconds by which kinds of hits differ in when they are seen and when heard, a standard deviation."""

BOOTSTRAP_SAMPLES = 200
"""Times that seconds are drawn anew for the interval."""


@dataclass(frozen=True, slots=True)
class OnsetOffset:
    """How late sound is, as far as hits tell.

    Attributes:
        seconds: how late the sound is; negative: early. The best guess, even where it is not measurable.
        low, high: its 95 % interval, given that this is the peak of the fits that is right.
        confidence: how surely picture and sound fit no worse than by chance here, 0 to 1.
        hits: how many onsets of sound have one of motion at that offset.
        reason: why it is not measurable, in words; None where it is.
        fits: (L,) how well picture and sound fit at each of ``LAGS``, in standard deviations of all offsets.
    """

    seconds: float
    low: float
    high: float
    confidence: float
    hits: int
    reason: str | None
    fits: Float64Array

    @property
    def measurable(self) -> bool:
        """Whether the offset is more than a guess."""
        return self.reason is None


class MotionOnsets:
    """How abruptly motion changes at each frame; takes frames one by one and keeps none but the last."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._strengths: list[tuple[float, float]] = []
        self._last: Float64Array | None = None
        self._moving: tuple[Float64Array, Float64Array] | None = None
        self._still = False
        self._at = 0.0

    def update(self, grey: ArrayLike, time: Seconds) -> None:
        """Take the next frame.

        Args:
            grey: (H, W) 0 to 255, small: about 96 pixels along the longer side.
            time: of the frame in seconds.
        """
        picture = _blurred(np.asarray(grey, np.float64) / 255)
        self.times.append(float(time))
        # A change shows in the frame after it: what a frame tells is where motion changed at the one before.
        self._strengths.append((0.0, 0.0))
        last, self._last = self._last, picture
        if last is None:
            self._at = float(time)
            return
        if not self._still and np.array_equal(last, picture):
            self._still = True  # a frame that is shown twice to fill a rate does not stop what moves
            return
        self._still = False
        moving, before = _moving(last, picture, max(float(time) - self._at, 1e-3)), self._moving
        if before is not None:
            rise = moving[0] - before[0]
            turn = np.hypot(*(moving[1] - before[1]))
            self._strengths[-2] = (float(turn.max()), max(float(rise.max()), 0.0))
        self._moving, self._at = moving, float(time)

    def strengths(self) -> Float64Array:
        """Give (T, 2) strengths at ``times``: of the turn of speed, and of the rise of energy."""
        return np.array(self._strengths, np.float64).reshape(-1, 2)


class AudioOnsets:
    """How abruptly sound sets in, ``ONSET_RATE`` times a second; takes stretches of mono sound as they come."""

    def __init__(self) -> None:
        self._energies: list[Float64Array] = []
        self._times: list[Float64Array] = []
        self._rest: Audio | None = None

    def update(self, audio: Audio) -> None:
        """Take the next stretch."""
        rest = self._rest
        if rest is not None and rest.rate == audio.rate and abs(rest.end - audio.start) < 1 / ONSET_RATE:
            audio = Audio(np.concatenate([rest.samples, audio.samples]), audio.rate, rest.start)
        size, step = round(WINDOW_SECONDS * audio.rate), audio.rate / ONSET_RATE
        count = int((len(audio.samples) - size) // step) + 1
        if count <= 0:
            self._rest = audio
            return
        firsts = np.round(np.arange(count) * step).astype(int)
        self._energies.append(_bands(audio.samples[firsts[:, None] + np.arange(size)], audio.rate))
        self._times.append(float(audio.start) + (firsts + size / 2) / audio.rate)
        cut = round(count * step)
        self._rest = Audio(audio.samples[cut:].copy(), audio.rate, audio.start + Fraction(cut, audio.rate))

    @property
    def times(self) -> Float64Array:
        """Times of the strengths in seconds."""
        return np.concatenate(self._times) if self._times else np.zeros(0)

    def strengths(self) -> Float64Array:
        """Give (N,) strengths at ``times``."""
        if not self._energies:
            return np.zeros(0)
        energies = np.concatenate(self._energies)
        levels = np.log(energies + 1e-4 * energies.mean() + 1e-12)
        return np.pad(np.maximum(levels[2:] - levels[:-2], 0).mean(axis=1), (2, 0))[: len(levels)]


def match_onsets(motion: MotionOnsets, sound: AudioOnsets) -> OnsetOffset:
    """Measure how late sound is against the picture, from the onsets of both."""
    start, end = _common(motion, sound)
    grid = np.arange(start, end, 1 / ONSET_RATE)
    if len(grid) < MIN_SECONDS * ONSET_RATE:
        return _nothing(f"there are {max(end - start, 0):.1f} s of picture with sound; {MIN_SECONDS:g} s are needed")
    kinds = [_standard(np.interp(grid, motion.times, kind)) for kind in motion.strengths().T]
    heard = _standard(_smooth(np.interp(grid, sound.times, sound.strengths())))
    if not any(kind.any() for kind in kinds):
        return _nothing("nothing moves abruptly in the picture")
    if not heard.any():
        return _nothing("nothing sets in abruptly in the sound")
    answers = [_judge(seen, heard) for seen in kinds if seen.any()]
    return next((answer for answer in answers if answer.measurable), answers[0])


def _common(motion: MotionOnsets, sound: AudioOnsets) -> tuple[float, float]:
    if len(motion.times) < 3 or len(sound.times) < 3:
        return 0.0, 0.0
    return max(motion.times[0], float(sound.times[0])), min(motion.times[-1], float(sound.times[-1]))


def _judge(seen: Float64Array, heard: Float64Array) -> OnsetOffset:
    """Find the offset at which two rows of onsets (N,) fit best, and whether it says anything."""
    fits = _fits(seen, heard)
    best = int(fits.argmax())
    second = float(fits[np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS].max())
    place, scale = NULL_DISTRIBUTION
    confidence = float(np.exp(-np.exp(-(fits[best] - place) / scale)))
    seconds = _peak(fits)
    low, high = _interval(seen, heard, best, seconds)
    hits = _hits(seen, heard, best)
    reason = None
    if hits < MIN_HITS:
        reason = f"only {hits} hits are both seen and heard; {MIN_HITS} are needed"
    elif (period := _period(heard)) is not None:
        reason = f"the sound repeats every {period:.2f} s, so that several offsets fit"
    elif confidence < MIN_CONFIDENCE:
        reason = "no offset fits clearly better than by chance"
    elif second > MAX_SECOND_PEAK * fits[best]:
        other = LAGS[np.where(np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS, fits, -np.inf).argmax()]
        reason = f"{other * 1000:+.0f} ms fits about as well as {LAGS[best] * 1000:+.0f} ms"
    return OnsetOffset(seconds, low, high, confidence, hits, reason, fits)


def _period(heard: Float64Array) -> float | None:
    """Give the seconds after which onsets (N,) repeat within what offsets can tell apart, or None."""
    alike = np.fft.irfft(np.abs(np.fft.rfft(heard, 2 * len(heard))) ** 2)[: len(heard)]
    alike = alike / alike[0] * len(heard) / np.arange(len(heard), 0, -1)
    first, last = round(PEAK_RADIUS_SECONDS * ONSET_RATE), round(MAX_OFFSET_SECONDS * ONSET_RATE)
    best = first + int(alike[first : last + 1].argmax())
    return best / ONSET_RATE if alike[best] > MIN_PERIODICITY else None


def _nothing(reason: str) -> OnsetOffset:
    return OnsetOffset(0.0, -MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS, 0.0, 0, reason, np.zeros(len(LAGS)))


def _moving(last: Float64Array, picture: Float64Array, seconds: float) -> tuple[Float64Array, Float64Array]:
    """Give the energy of change (cells,) and the speed (2, cells), per second, of the parts of a picture (H, W)."""
    change, middle = picture - last, (picture + last) / 2
    noise = 2 * min(float(np.median(np.abs(change))) + 0.001, MAX_NOISE)
    change = np.where(np.abs(change) > noise, change, 0)
    slopes = np.gradient(middle)
    steep = _cells(slopes[0] ** 2 + slopes[1] ** 2) + 1e-3
    speed = np.stack([_cells(-slope * change) / steep for slope in slopes])
    return _cells(np.maximum(np.abs(change) - noise, 0)) / seconds, speed / seconds


def _blurred(picture: Float64Array) -> Float64Array:
    width = BLUR_SIGMA * max(picture.shape)
    rows, columns = (_bell(length, width) for length in picture.shape)
    return np.asarray(rows @ picture @ columns.T)


@lru_cache(maxsize=8)
def _bell(length: int, width: float) -> Float64Array:
    """Give the matrix (length, length) that blurs along an axis."""
    apart = np.subtract.outer(np.arange(length), np.arange(length))
    weights = np.exp(-0.5 * (apart / width) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _cells(picture: Float64Array) -> Float64Array:
    """Sum (H, W) over the cells of a grid."""
    side = max(1, round(max(picture.shape) / GRID_CELLS))
    rows, columns = (length // side for length in picture.shape)
    whole = picture[: rows * side, : columns * side]
    return np.asarray(whole.reshape(rows, side, columns, side).sum(axis=(1, 3))).ravel()


def _bands(pieces: Float64Array | Float32Array, rate: int) -> Float64Array:
    """Give the energies (N, BANDS) of pieces of sound (N, samples)."""
    power = np.abs(np.fft.rfft(pieces * np.hanning(pieces.shape[1]), axis=1)) ** 2
    pitch = 2595 * np.log10(1 + np.fft.rfftfreq(pieces.shape[1], 1 / rate) / 700)
    top = min(pitch[-1], 2595 * np.log10(1 + 8000 / 700))
    band = np.floor((pitch - pitch[2]) / (top - pitch[2]) * NUM_BANDS).astype(int)
    return np.stack([power[:, band == number].sum(axis=1) for number in range(NUM_BANDS)], axis=1)


def _standard(strengths: Float64Array) -> Float64Array:
    """Dampen the strongest, take off the mean of the second around, and divide by the standard deviation."""
    dampened = np.sqrt(np.maximum(strengths, 0))
    around = np.convolve(
        np.pad(dampened, (ONSET_RATE // 2, ONSET_RATE - 1 - ONSET_RATE // 2), "edge"),
        np.ones(ONSET_RATE) / ONSET_RATE,
        "valid",
    )
    return _unit(dampened - around)


def _unit(values: Float64Array) -> Float64Array:
    spread = float(values.std())
    return values / spread if spread > 1e-9 else np.zeros(len(values))


def _smooth(strengths: Float64Array, width: float = 2.0) -> Float64Array:
    steps = np.arange(-8, 9)
    bell = np.exp(-0.5 * (steps / width) ** 2)
    return np.convolve(strengths, bell / bell.sum(), "same")


def _fits(seen: Float64Array, heard: Float64Array) -> Float64Array:
    """Give how well two rows (N,) fit at LAGS, in standard deviations over all ways to lay one round the other."""
    products = np.fft.irfft(np.conj(np.fft.rfft(seen)) * np.fft.rfft(heard), len(seen))
    spread = float(products.std())
    near = products[np.round(LAGS * ONSET_RATE).astype(int)]
    return np.asarray((near - np.median(products)) / (spread if spread > 0 else 1.0))


def _peak(fits: Float64Array) -> float:
    """Give the best offset in seconds, finer than their step, by a parabola through the fits around it."""
    reach = 3
    middle = min(max(int(fits.argmax()), reach), len(LAGS) - 1 - reach)
    x = np.arange(-reach, reach + 1) / ONSET_RATE
    square, slope, _ = np.polyfit(x, fits[middle - reach : middle + reach + 1], 2)
    top = -slope / (2 * square) if square < 0 else np.inf
    return float(LAGS[middle] + top) if abs(top) <= reach / ONSET_RATE else float(LAGS[fits.argmax()])


def _interval(seen: Float64Array, heard: Float64Array, best: int, seconds: float) -> tuple[float, float]:
    """Give the 95 % interval around a peak of the fits: seconds of the video drawn anew (bootstrap), and SPREAD."""
    lags = LAGS[np.abs(LAGS - LAGS[best]) <= PEAK_RADIUS_SECONDS / 2 + 1e-9]
    products = np.stack([seen * np.roll(heard, -round(lag * ONSET_RATE)) for lag in lags], axis=1)
    count = len(seen) // ONSET_RATE
    blocks = products[: count * ONSET_RATE].reshape(count, ONSET_RATE, len(lags)).sum(axis=1)
    generator = np.random.default_rng(0)
    shares = generator.multinomial(count, np.full(count, 1 / count), BOOTSTRAP_SAMPLES)
    drawn = lags[(shares @ blocks).argmax(axis=1)] + generator.normal(0, OFFSET_SIGMA_SECONDS, BOOTSTRAP_SAMPLES)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return min(float(low), seconds), max(float(high), seconds)


def _hits(seen: Float64Array, heard: Float64Array, best: int) -> int:
    """Count the strong onsets of sound that have a strong one of motion within 40 ms at an offset."""
    moved = np.roll(heard, -round(LAGS[best] * ONSET_RATE))
    peaks = 1 + np.flatnonzero((moved[1:-1] > 1.5) & (moved[1:-1] >= moved[:-2]) & (moved[1:-1] > moved[2:]))
    return sum(bool(seen[max(0, peak - 4) : peak + 5].max() > 1.0) for peak in peaks)
