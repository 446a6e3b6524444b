"""What was compared of lips and sound, in blocks of a fifth of a second, and what follows: offsets, and who speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.signal.sync_offset import FRAME_SECONDS, LAGS, OffsetCalibration, SyncOffset, estimate_offset
from kinoscope.tasks.signal.hysteresis import hysteresis_spans

BLOCK_FRAMES = 5
"""Frames of a block."""

BLOCK_SECONDS = BLOCK_FRAMES * FRAME_SECONDS
"""Seconds of a block."""

WINDOW_SECONDS, STRIDE_SECONDS = 2.0, 0.6
"""Seconds of a window whose offset is plotted, and from one to the next."""

CONTEXT_BLOCKS = 2
"""Blocks on each side that are asked when somebody speaks: a second in all."""

SPEAKING_START_EXCESS, SPEAKING_END_EXCESS = 0.12, 0.04
"""Likeness over the mean of all lags from which somebody begins to speak, and under which he has stopped."""


@dataclass
class SyncEvidence:
    """Likenesses of faces and sound, added up; see ``core.signal.sync_offset``.

    Attributes:
        sums: by face and block, the likeness (L,) at each lag of all frames. counts: their number.
        motion: how much the mouth moves, summed over the frames, in distances of the eyes.
        boxes: by face and block, a box of the face, x1, y1, x2, y2.
        speech: by block, the probability that somebody speaks.
    """

    sums: dict[tuple[int, int], Float64Array] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    motion: dict[tuple[int, int], float] = field(default_factory=dict)
    boxes: dict[tuple[int, int], Float64Array] = field(default_factory=dict)
    speech: dict[int, float] = field(default_factory=dict)

    def add(self, face: int, first: int, likeness: Float32Array, motion: Float32Array) -> None:
        """Take likenesses (T, L) of a face, and how much it moved (T,), in frames from ``first`` on."""
        blocks = (first + np.arange(len(likeness))) // BLOCK_FRAMES
        for block in np.unique(blocks).tolist():
            here, key = blocks == block, (face, int(block))
            self.sums[key] = self.sums.get(key, 0) + likeness[here].sum(axis=0, dtype=np.float64)
            self.counts[key] = self.counts.get(key, 0) + int(here.sum())
            self.motion[key] = self.motion.get(key, 0.0) + float(motion[here].sum())

    def heard(self, start: float, probabilities: Float32Array, step: float) -> None:
        """Take probabilities of speech, one each ``step`` seconds from ``start`` on."""
        blocks = ((start + np.arange(len(probabilities)) * step) / BLOCK_SECONDS).astype(int)
        for block, value in zip(blocks.tolist(), probabilities.tolist(), strict=True):
            self.speech[block] = max(self.speech.get(block, 0.0), value)

    def rows(self, start: float = -np.inf, end: float = np.inf, face: int | None = None) -> BlockSimilarities:
        """Give the blocks from one time to another in which somebody speaks within a second; of one face, or of all."""
        keys = sorted(key for key in self.sums if start <= key[1] * BLOCK_SECONDS < end and face in (None, key[0]))
        return self._rows([key for key in keys if self.speaks_near(key[1])])

    def _rows(self, keys: Sequence[tuple[int, int]]) -> BlockSimilarities:
        blocks: dict[int, list[tuple[int, int]]] = {}
        for key in keys:
            blocks.setdefault(key[1], []).append(key)
        order = sorted(blocks)
        sums = np.array([sum(self.sums[key] for key in blocks[n]) for n in order]).reshape(-1, len(LAGS))
        counts = np.array([sum(self.counts[key] for key in blocks[n]) for n in order], np.float64)
        return BlockSimilarities(sums, counts, (np.array(order, np.float64) + 0.5) * BLOCK_SECONDS)

    def speaks_near(self, block: int, reach: int = 5) -> bool:
        """Whether somebody speaks within a second of a block."""
        return any(self.speech.get(n, 0.0) >= 0.5 for n in range(block - reach, block + reach + 1))

    @property
    def spoken(self) -> float:
        """Seconds in which somebody speaks."""
        return sum(value >= 0.5 for value in self.speech.values()) * BLOCK_SECONDS

    def speaking(self, face: int, start: float, end: float, offset: SyncOffset) -> list[tuple[float, float, float]]:
        """Give when a face speaks, in a stretch whose offset is known: start, end, and how sure that is, 0 to 1."""
        inside = range(int(start / BLOCK_SECONDS), int(np.ceil(end / BLOCK_SECONDS)))
        blocks = sorted(block for number, block in self.sums if number == face and block in inside)
        if not blocks:
            return []
        every = np.arange(blocks[0], blocks[-1] + 1)
        scores = self._scores(face, every, offset.seconds)
        found = hysteresis_spans(scores, SPEAKING_START_EXCESS, SPEAKING_END_EXCESS, gap=2, shortest=2)
        return [
            (
                float(every[a] * BLOCK_SECONDS),
                float((every[b - 1] + 1) * BLOCK_SECONDS),
                _sure(float(scores[a:b].mean())),
            )
            for a, b in found
        ]

    def _scores(self, face: int, blocks: Int64Array, offset: float) -> Float64Array:
        """Give by how much a face is more like the sound at the offset than at all lags, in a second around blocks."""
        sums = np.array([self.sums.get((face, n), np.zeros(len(LAGS))) for n in blocks.tolist()])
        counts = np.array([self.counts.get((face, n), 0) for n in blocks.tolist()], np.float64)
        near = np.abs(LAGS - offset) <= FRAME_SECONDS / 2
        excess = sums[:, near].mean(axis=1) - sums.mean(axis=1)
        scores = _around(excess) / np.maximum(_around(counts), 1)
        late = round(offset / BLOCK_SECONDS)
        silent = np.array([self.speech.get(n + late, 0.0) < 0.5 for n in blocks.tolist()]) | (counts == 0)
        return np.where(silent, 0.0, scores)


def _around(values: Float64Array) -> Float64Array:
    """Give the sum of each of values (N,) and its neighbours."""
    return np.convolve(np.pad(values, CONTEXT_BLOCKS), np.ones(2 * CONTEXT_BLOCKS + 1), "valid")


def _sure(score: float) -> float:
    return float(np.clip(0.5 + (score - SPEAKING_END_EXCESS) / 0.4, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class BlockSimilarities:
    """Blocks in time order: likenesses ``sums`` (B, L), ``counts`` (B,) of frames, and middles ``times`` (B,)."""

    sums: Float64Array
    counts: Float64Array
    times: Float64Array

    @property
    def seconds(self) -> float:
        """How much of face and sound was compared."""
        return float(self.counts.sum() * FRAME_SECONDS)

    def offset(self, calibration: OffsetCalibration) -> SyncOffset:
        """Measure the offset."""
        return estimate_offset(self.sums, self.counts, calibration)

    def windows(self, calibration: OffsetCalibration) -> SyncWindows:
        """Measure the offset in windows over time."""
        if not len(self.times):
            return SyncWindows(np.zeros(0), np.zeros((0, len(LAGS))), [])
        starts = np.arange(
            self.times[0] - BLOCK_SECONDS / 2,
            max(self.times[-1] + BLOCK_SECONDS - WINDOW_SECONDS, self.times[0]),
            STRIDE_SECONDS,
        )
        inside = [(self.times >= start) & (self.times < start + WINDOW_SECONDS) for start in starts]
        kept = [(start, rows) for start, rows in zip(starts, inside, strict=True) if self.counts[rows].sum() >= 25]
        curves = np.array([self.sums[rows].sum(axis=0) / self.counts[rows].sum() for _, rows in kept])
        offsets = [estimate_offset(self.sums[rows], self.counts[rows], calibration) for _, rows in kept]
        times = np.array([start + WINDOW_SECONDS / 2 for start, _ in kept])
        return SyncWindows(times, curves.reshape(-1, len(LAGS)), offsets)


@dataclass(frozen=True, slots=True)
class SyncWindows:
    """Offsets over time: middles ``times`` (N,) in seconds, likenesses ``curves`` (N, L), and what they measure."""

    times: Float64Array
    curves: Float64Array
    offsets: list[SyncOffset]
