"""Audio-video offset from onsets: abrupt changes of motion that coincide with onsets of the audio.

This needs no faces and no training. It works where something strikes, drops, claps or bounces at irregular times in
view; where the audio comes from elsewhere, or is steady, there is no clear answer, and that is reported.

Audio: spectral flux, the rise of the logarithm of energies in bands (Bello et al., "A Tutorial on Onset Detection in
Music Signals", IEEE Transactions on Speech and Audio Processing 13(5), 2005). Video: in each cell of a grid, the change
of velocity, by the least squares of Lucas and Kanade (1981) on a blurred frame, so that fast motion is followed; where
that yields nothing, the rise of the energy of change, for what lights up. The strongest cell counts, since a ball or a
hand is small.
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
"""Onset strengths per second that are compared."""

MAX_OFFSET_SECONDS = 1.0
"""Seconds of the largest offset."""

LAGS = np.arange(-round(MAX_OFFSET_SECONDS * ONSET_RATE), round(MAX_OFFSET_SECONDS * ONSET_RATE) + 1) / ONSET_RATE
"""Candidate offsets, in seconds."""

GRID_CELLS = 8
"""Cells of the grid along the longer side of the frame."""

BLUR_SIGMA = 1 / 24
"""Standard deviation of the blur, as a share of the longer side: faster motion per frame is not followed."""

NUM_BANDS = 24
"""Frequency bands of the audio, evenly spaced in mel."""

WINDOW_SECONDS = 0.032
"""Seconds of audio in one spectrum."""

MAX_NOISE = 0.02
"""Maximum change, of 1, that may be noise: where half the frame changes by more, it lights up or is moved."""

MIN_SECONDS = 4.0
"""Seconds of video with audio that a measurement needs."""

PEAK_RADIUS_SECONDS = 0.12
"""Seconds around the best offset that belong to the same peak."""

MIN_HITS = 3
"""Coinciding onsets of motion and audio that a measurement needs."""

MAX_SECOND_PEAK = 0.75
"""Share of the best fit from which a second peak makes the offset ambiguous."""

MIN_PERIODICITY = 0.5
"""Autocorrelation of the audio onsets from which they count as periodic."""

MIN_CONFIDENCE = 0.99
"""Confidence from which an offset counts as measured."""

NULL_DISTRIBUTION = 2.12, 0.42
"""Location and scale of the Gumbel distribution of the best fit of unrelated video and audio; see
``benchmarks/onsets.py``."""

OFFSET_SIGMA_SECONDS = 0.05
"""Standard deviation in seconds between the audible and the visible moment of different kinds of hits."""

BOOTSTRAP_SAMPLES = 200
"""Resamples of the interval."""


@dataclass(frozen=True, slots=True)
class OnsetOffset:
    """Delay of the audio estimated from onsets.

    Attributes:
        seconds: delay of the audio; negative: early. The best guess, even where it is not measurable.
        low, high: its 95 % interval, given that this peak of the fits is the right one.
        confidence: probability, 0 to 1, that video and audio fit better than by chance.
        hits: number of audio onsets with a motion onset at that offset.
        reason: why it is not measurable, for people; None where it is.
        fits: (L,) fit of video and audio at each of ``LAGS``, in standard deviations over all offsets.
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
    """Onset strengths of motion at each frame; takes frames one by one and keeps only the last."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._strengths: list[tuple[float, float]] = []
        self._last: Float64Array | None = None
        self._motion: tuple[Float64Array, Float64Array] | None = None
        self._is_repeat = False
        self._last_time = 0.0

    def update(self, grey: ArrayLike, time: Seconds) -> None:
        """Process the next frame.

        Args:
            grey: (H, W) 0 to 255, small: about 96 pixels along the longer side.
            time: of the frame in seconds.
        """
        frame = _blur(np.asarray(grey, np.float64) / 255)
        self.times.append(float(time))
        # A change shows in the frame after it: a frame reveals where motion changed at the one before.
        self._strengths.append((0.0, 0.0))
        last, self._last = self._last, frame
        if last is None:
            self._last_time = float(time)
            return
        if not self._is_repeat and np.array_equal(last, frame):
            self._is_repeat = True  # a frame that is shown twice to fill a rate does not stop what moves
            return
        self._is_repeat = False
        moving, before = _cell_motion(last, frame, max(float(time) - self._last_time, 1e-3)), self._motion
        if before is not None:
            rise = moving[0] - before[0]
            turn = np.hypot(*(moving[1] - before[1]))
            self._strengths[-2] = (float(turn.max()), max(float(rise.max()), 0.0))
        self._motion, self._last_time = moving, float(time)

    def strengths(self) -> Float64Array:
        """Return strengths (T, 2) at ``times``: of the change of velocity, and of the rise of energy."""
        return np.array(self._strengths, np.float64).reshape(-1, 2)


class AudioOnsets:
    """Onset strengths of audio, ``ONSET_RATE`` times a second; takes blocks of mono audio as they come."""

    def __init__(self) -> None:
        self._energies: list[Float64Array] = []
        self._times: list[Float64Array] = []
        self._pending: Audio | None = None

    def update(self, audio: Audio) -> None:
        """Process the next block."""
        pending = self._pending
        if pending is not None and pending.rate == audio.rate and abs(pending.end - audio.start) < 1 / ONSET_RATE:
            audio = Audio(np.concatenate([pending.samples, audio.samples]), audio.rate, pending.start)
        size, step = round(WINDOW_SECONDS * audio.rate), audio.rate / ONSET_RATE
        count = int((len(audio.samples) - size) // step) + 1
        if count <= 0:
            self._pending = audio
            return
        starts = np.round(np.arange(count) * step).astype(int)
        self._energies.append(_bands(audio.samples[starts[:, None] + np.arange(size)], audio.rate))
        self._times.append(float(audio.start) + (starts + size / 2) / audio.rate)
        cut = round(count * step)
        self._pending = Audio(audio.samples[cut:].copy(), audio.rate, audio.start + Fraction(cut, audio.rate))

    @property
    def times(self) -> Float64Array:
        """Times of the strengths in seconds."""
        return np.concatenate(self._times) if self._times else np.zeros(0)

    def strengths(self) -> Float64Array:
        """Return strengths (N,) at ``times``."""
        if not self._energies:
            return np.zeros(0)
        energies = np.concatenate(self._energies)
        levels = np.log(energies + 1e-4 * energies.mean() + 1e-12)
        return np.pad(np.maximum(levels[2:] - levels[:-2], 0).mean(axis=1), (2, 0))[: len(levels)]


def match_onsets(motion: MotionOnsets, audio: AudioOnsets) -> OnsetOffset:
    """Return the delay of the audio against the video, from the onsets of both."""
    start, end = _common(motion, audio)
    grid = np.arange(start, end, 1 / ONSET_RATE)
    if len(grid) < MIN_SECONDS * ONSET_RATE:
        return _not_measurable(
            f"there are {max(end - start, 0):.1f} s of video with audio; {MIN_SECONDS:g} s are needed"
        )
    kinds = [_normalize(np.interp(grid, motion.times, kind)) for kind in motion.strengths().T]
    audio_onsets = _normalize(_smooth(np.interp(grid, audio.times, audio.strengths())))
    if not any(kind.any() for kind in kinds):
        return _not_measurable("there is no abrupt motion in the video")
    if not audio_onsets.any():
        return _not_measurable("there is no onset in the audio")
    answers = [_best_fit(motion_onsets, audio_onsets) for motion_onsets in kinds if motion_onsets.any()]
    return next((answer for answer in answers if answer.measurable), answers[0])


def _common(motion: MotionOnsets, audio: AudioOnsets) -> tuple[float, float]:
    if len(motion.times) < 3 or len(audio.times) < 3:
        return 0.0, 0.0
    return max(motion.times[0], float(audio.times[0])), min(motion.times[-1], float(audio.times[-1]))


def _best_fit(motion_onsets: Float64Array, audio_onsets: Float64Array) -> OnsetOffset:
    """Return the offset at which two rows of onsets (N,) fit best, and whether it is measurable."""
    fits = _fits(motion_onsets, audio_onsets)
    best = int(fits.argmax())
    second = float(fits[np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS].max())
    location, scale = NULL_DISTRIBUTION
    confidence = float(np.exp(-np.exp(-(fits[best] - location) / scale)))
    seconds = _refine_peak(fits)
    low, high = _interval(motion_onsets, audio_onsets, best, seconds)
    hits = _hits(motion_onsets, audio_onsets, best)
    reason = None
    if hits < MIN_HITS:
        reason = f"only {hits} hits are both visible and audible; {MIN_HITS} are needed"
    elif (period := _period(audio_onsets)) is not None:
        reason = f"the audio repeats every {period:.2f} s, so that several offsets fit"
    elif confidence < MIN_CONFIDENCE:
        reason = "no offset fits clearly better than by chance"
    elif second > MAX_SECOND_PEAK * fits[best]:
        other = LAGS[np.where(np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS, fits, -np.inf).argmax()]
        reason = f"{other * 1000:+.0f} ms fits about as well as {LAGS[best] * 1000:+.0f} ms"
    return OnsetOffset(seconds, low, high, confidence, hits, reason, fits)


def _period(audio_onsets: Float64Array) -> float | None:
    """Return the seconds after which onsets (N,) repeat within the resolution of offsets, or None."""
    autocorrelation = np.fft.irfft(np.abs(np.fft.rfft(audio_onsets, 2 * len(audio_onsets))) ** 2)[: len(audio_onsets)]
    autocorrelation = autocorrelation / autocorrelation[0] * len(audio_onsets) / np.arange(len(audio_onsets), 0, -1)
    first, last = round(PEAK_RADIUS_SECONDS * ONSET_RATE), round(MAX_OFFSET_SECONDS * ONSET_RATE)
    best = first + int(autocorrelation[first : last + 1].argmax())
    return best / ONSET_RATE if autocorrelation[best] > MIN_PERIODICITY else None


def _not_measurable(reason: str) -> OnsetOffset:
    return OnsetOffset(0.0, -MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS, 0.0, 0, reason, np.zeros(len(LAGS)))


def _cell_motion(last: Float64Array, frame: Float64Array, seconds: float) -> tuple[Float64Array, Float64Array]:
    """Return the energy of change (cells,) and the velocity (2, cells), per second, of the cells of a frame (H, W)."""
    change, middle = frame - last, (frame + last) / 2
    noise = 2 * min(float(np.median(np.abs(change))) + 0.001, MAX_NOISE)
    change = np.where(np.abs(change) > noise, change, 0)
    gradients = np.gradient(middle)
    gradient_energy = _cells(gradients[0] ** 2 + gradients[1] ** 2) + 1e-3
    velocity = np.stack([_cells(-slope * change) / gradient_energy for slope in gradients])
    return _cells(np.maximum(np.abs(change) - noise, 0)) / seconds, velocity / seconds


def _blur(frame: Float64Array) -> Float64Array:
    width = BLUR_SIGMA * max(frame.shape)
    rows, columns = (_gaussian_matrix(length, width) for length in frame.shape)
    return np.asarray(rows @ frame @ columns.T)


@lru_cache(maxsize=8)
def _gaussian_matrix(length: int, width: float) -> Float64Array:
    """Return the matrix (length, length) that blurs along an axis."""
    differences = np.subtract.outer(np.arange(length), np.arange(length))
    weights = np.exp(-0.5 * (differences / width) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _cells(frame: Float64Array) -> Float64Array:
    """Sum (H, W) over the cells of a grid."""
    side = max(1, round(max(frame.shape) / GRID_CELLS))
    rows, columns = (length // side for length in frame.shape)
    cropped = frame[: rows * side, : columns * side]
    return np.asarray(cropped.reshape(rows, side, columns, side).sum(axis=(1, 3))).ravel()


def _bands(windows: Float64Array | Float32Array, rate: int) -> Float64Array:
    """Return the band energies (N, NUM_BANDS) of windows of audio (N, samples)."""
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]), axis=1)) ** 2
    pitch = 2595 * np.log10(1 + np.fft.rfftfreq(windows.shape[1], 1 / rate) / 700)
    max_pitch = min(pitch[-1], 2595 * np.log10(1 + 8000 / 700))
    band = np.floor((pitch - pitch[2]) / (max_pitch - pitch[2]) * NUM_BANDS).astype(int)
    return np.stack([power[:, band == number].sum(axis=1) for number in range(NUM_BANDS)], axis=1)


def _normalize(strengths: Float64Array) -> Float64Array:
    """Compress strengths, subtract the mean of the second around, and divide by the standard deviation."""
    compressed = np.sqrt(np.maximum(strengths, 0))
    local_mean = np.convolve(
        np.pad(compressed, (ONSET_RATE // 2, ONSET_RATE - 1 - ONSET_RATE // 2), "edge"),
        np.ones(ONSET_RATE) / ONSET_RATE,
        "valid",
    )
    return _standardize(compressed - local_mean)


def _standardize(values: Float64Array) -> Float64Array:
    spread = float(values.std())
    return values / spread if spread > 1e-9 else np.zeros(len(values))


def _smooth(strengths: Float64Array, width: float = 2.0) -> Float64Array:
    steps = np.arange(-8, 9)
    bell = np.exp(-0.5 * (steps / width) ** 2)
    return np.convolve(strengths, bell / bell.sum(), "same")


def _fits(motion_onsets: Float64Array, audio_onsets: Float64Array) -> Float64Array:
    """Return the fit of two rows (N,) at LAGS, in standard deviations over all circular shifts."""
    products = np.fft.irfft(np.conj(np.fft.rfft(motion_onsets)) * np.fft.rfft(audio_onsets), len(motion_onsets))
    spread = float(products.std())
    candidates = products[np.round(LAGS * ONSET_RATE).astype(int)]
    return np.asarray((candidates - np.median(products)) / (spread if spread > 0 else 1.0))


def _refine_peak(fits: Float64Array) -> float:
    """Return the best offset in seconds, finer than the lag step, by a parabola through the fits around it."""
    reach = 3
    middle = min(max(int(fits.argmax()), reach), len(LAGS) - 1 - reach)
    x = np.arange(-reach, reach + 1) / ONSET_RATE
    square, slope, _ = np.polyfit(x, fits[middle - reach : middle + reach + 1], 2)
    top = -slope / (2 * square) if square < 0 else np.inf
    return float(LAGS[middle] + top) if abs(top) <= reach / ONSET_RATE else float(LAGS[fits.argmax()])


def _interval(
    motion_onsets: Float64Array, audio_onsets: Float64Array, best: int, seconds: float
) -> tuple[float, float]:
    """Return the 95 % interval around a peak of the fits: bootstrap over seconds of the video, plus a fixed sigma."""
    lags = LAGS[np.abs(LAGS - LAGS[best]) <= PEAK_RADIUS_SECONDS / 2 + 1e-9]
    products = np.stack([motion_onsets * np.roll(audio_onsets, -round(lag * ONSET_RATE)) for lag in lags], axis=1)
    count = len(motion_onsets) // ONSET_RATE
    blocks = products[: count * ONSET_RATE].reshape(count, ONSET_RATE, len(lags)).sum(axis=1)
    rng = np.random.default_rng(0)
    shares = rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAP_SAMPLES)
    resampled_lags = lags[(shares @ blocks).argmax(axis=1)] + rng.normal(0, OFFSET_SIGMA_SECONDS, BOOTSTRAP_SAMPLES)
    low, high = np.percentile(resampled_lags, [2.5, 97.5])
    return min(float(low), seconds), max(float(high), seconds)


def _hits(motion_onsets: Float64Array, audio_onsets: Float64Array, best: int) -> int:
    """Count the strong audio onsets that have a strong motion onset within 40 ms at an offset."""
    shifted = np.roll(audio_onsets, -round(LAGS[best] * ONSET_RATE))
    peaks = 1 + np.flatnonzero((shifted[1:-1] > 1.5) & (shifted[1:-1] >= shifted[:-2]) & (shifted[1:-1] > shifted[2:]))
    return sum(bool(motion_onsets[max(0, peak - 4) : peak + 5].max() > 1.0) for peak in peaks)
