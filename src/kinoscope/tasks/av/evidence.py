"""Evidence of audio-visual sync in blocks of a fifth of a second, and the offsets and active speakers that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.signal.sync_offset import FRAME_SECONDS, LAGS, OffsetCalibration, SyncOffset, estimate_offset
from kinoscope.tasks.signal.hysteresis import hysteresis_spans

BLOCK_FRAMES = 5
"""Frames per block."""

BLOCK_SECONDS = BLOCK_FRAMES * FRAME_SECONDS
"""Seconds per block."""

WINDOW_SECONDS, STRIDE_SECONDS = 2.0, 0.6
"""Length of a window whose offset is plotted, and distance from one to the next, in seconds."""

CONTEXT_BLOCKS = 2
"""Blocks on each side that are averaged to detect speaking: a second in all."""

SPEAKING_START_EXCESS, SPEAKING_END_EXCESS = 0.12, 0.04
"""Similarity above the mean of all lags from which a face begins to speak, and below which it stops."""


@dataclass
class SyncEvidence:
    """Accumulated similarities of faces and audio; see ``core.signal.sync_offset``.

    Attributes:
        sums: by face and block, the similarity (L,) at each lag, summed over the frames.
        counts: number of frames, by face and block.
        motion: motion of the mouth, summed over the frames, in eye distances.
        boxes: by face and block, a box of the face, x1, y1, x2, y2.
        speech: by block, the probability of speech.
    """

    sums: dict[tuple[int, int], Float64Array] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    motion: dict[tuple[int, int], float] = field(default_factory=dict)
    boxes: dict[tuple[int, int], Float64Array] = field(default_factory=dict)
    speech: dict[int, float] = field(default_factory=dict)

    def add(self, face: int, first: int, similarity: Float32Array, motion: Float32Array) -> None:
        """Add similarities (T, L) and mouth motion (T,) of a face, in frames from ``first`` on."""
        blocks = (first + np.arange(len(similarity))) // BLOCK_FRAMES
        for block in np.unique(blocks).tolist():
            inside, key = blocks == block, (face, int(block))
            self.sums[key] = self.sums.get(key, 0) + similarity[inside].sum(axis=0, dtype=np.float64)
            self.counts[key] = self.counts.get(key, 0) + int(inside.sum())
            self.motion[key] = self.motion.get(key, 0.0) + float(motion[inside].sum())

    def add_speech(self, start: float, probabilities: Float32Array, step: float) -> None:
        """Add probabilities of speech, one every ``step`` seconds from ``start`` on."""
        blocks = ((start + np.arange(len(probabilities)) * step) / BLOCK_SECONDS).astype(int)
        for block, value in zip(blocks.tolist(), probabilities.tolist(), strict=True):
            self.speech[block] = max(self.speech.get(block, 0.0), value)

    def select(self, start: float = -np.inf, end: float = np.inf, face: int | None = None) -> BlockSimilarities:
        """Return the blocks of one face, or of all, between two times in seconds, with speech nearby."""
        keys = sorted(key for key in self.sums if start <= key[1] * BLOCK_SECONDS < end and face in (None, key[0]))
        return self._group_by_block([key for key in keys if self.is_speech_near(key[1])])

    def _group_by_block(self, keys: Sequence[tuple[int, int]]) -> BlockSimilarities:
        blocks: dict[int, list[tuple[int, int]]] = {}
        for key in keys:
            blocks.setdefault(key[1], []).append(key)
        order = sorted(blocks)
        sums = np.array([sum(self.sums[key] for key in blocks[n]) for n in order]).reshape(-1, len(LAGS))
        counts = np.array([sum(self.counts[key] for key in blocks[n]) for n in order], np.float64)
        return BlockSimilarities(sums, counts, (np.array(order, np.float64) + 0.5) * BLOCK_SECONDS)

    def is_speech_near(self, block: int, context_blocks: int = 5) -> bool:
        """Return whether there is speech within a second of a block."""
        return any(self.speech.get(n, 0.0) >= 0.5 for n in range(block - context_blocks, block + context_blocks + 1))

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech."""
        return sum(value >= 0.5 for value in self.speech.values()) * BLOCK_SECONDS

    def speaking(self, face: int, start: float, end: float, offset: SyncOffset) -> list[tuple[float, float, float]]:
        """Return when a face speaks, in a segment of known offset: start, end in seconds, and confidence, 0 to 1."""
        inside = range(int(start / BLOCK_SECONDS), int(np.ceil(end / BLOCK_SECONDS)))
        blocks = sorted(block for number, block in self.sums if number == face and block in inside)
        if not blocks:
            return []
        block_range = np.arange(blocks[0], blocks[-1] + 1)
        scores = self._scores(face, block_range, offset.seconds)
        ranges = hysteresis_spans(scores, SPEAKING_START_EXCESS, SPEAKING_END_EXCESS, gap=2, min_length=2)
        return [
            (
                float(block_range[first] * BLOCK_SECONDS),
                float((block_range[stop - 1] + 1) * BLOCK_SECONDS),
                _confidence(float(scores[first:stop].mean())),
            )
            for first, stop in ranges
        ]

    def _scores(self, face: int, blocks: Int64Array, offset: float) -> Float64Array:
        """Return by how much the similarity at the offset exceeds the mean of all lags, (N,), over a second each."""
        sums = np.array([self.sums.get((face, n), np.zeros(len(LAGS))) for n in blocks.tolist()])
        counts = np.array([self.counts.get((face, n), 0) for n in blocks.tolist()], np.float64)
        at_offset = np.abs(LAGS - offset) <= FRAME_SECONDS / 2
        excess = sums[:, at_offset].mean(axis=1) - sums.mean(axis=1)
        scores = _sum_neighbors(excess) / np.maximum(_sum_neighbors(counts), 1)
        delay_blocks = round(offset / BLOCK_SECONDS)
        silent = np.array([self.speech.get(n + delay_blocks, 0.0) < 0.5 for n in blocks.tolist()]) | (counts == 0)
        return np.where(silent, 0.0, scores)


def _sum_neighbors(values: Float64Array) -> Float64Array:
    """Return the sum of each of values (N,) and its neighbors."""
    return np.convolve(np.pad(values, CONTEXT_BLOCKS), np.ones(2 * CONTEXT_BLOCKS + 1), "valid")


def _confidence(score: float) -> float:
    return float(np.clip(0.5 + (score - SPEAKING_END_EXCESS) / 0.4, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class BlockSimilarities:
    """Blocks in time order.

    Attributes:
        sums: (B, L) similarities, summed over the frames.
        counts: (B,) number of frames.
        times: (B,) middles in seconds.
    """

    sums: Float64Array
    counts: Float64Array
    times: Float64Array

    @property
    def seconds(self) -> float:
        """Seconds of face and audio that were compared."""
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
        usable = [
            (start, selected)
            for start, selected in zip(starts, inside, strict=True)
            if self.counts[selected].sum() >= 25
        ]
        curves = np.array([self.sums[selected].sum(axis=0) / self.counts[selected].sum() for _, selected in usable])
        offsets = [estimate_offset(self.sums[selected], self.counts[selected], calibration) for _, selected in usable]
        times = np.array([start + WINDOW_SECONDS / 2 for start, _ in usable])
        return SyncWindows(times, curves.reshape(-1, len(LAGS)), offsets)


@dataclass(frozen=True, slots=True)
class SyncWindows:
    """Offsets over time.

    Attributes:
        times: (N,) middles of the windows in seconds.
        curves: (N, L) mean similarities.
        offsets: the measured offset of each window.
    """

    times: Float64Array
    curves: Float64Array
    offsets: list[SyncOffset]
