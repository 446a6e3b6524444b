"""Bouncing shapes: clips with a known future, to train and evaluate prediction.

The protocol is that of Moving MNIST (Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs",
ICML 2015, arXiv 1502.04681): frames of 64 x 64, two items of 28 x 28 that each start anywhere, move by a tenth of their
range a frame in any direction, turn back at the borders, and, where they overlap, show the brighter. The caller chooses
the items; a few shapes are built in.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.media import Pixels
from kinoscope.core.results import TaskResult, Track
from kinoscope.core.time import Seconds
from kinoscope.source.synthetic.video import SyntheticSource

FRAME_SIDE, ITEM_SIDE, STEP_SHARE = 64, 28, 0.1
"""Sides in pixels of a frame and of an item; the share of its range that an item moves in a frame."""


ITEM_NAMES = ("disc", "ring", "square", "frame", "cross", "triangle")
"""Names of the built-in items, in order."""


def shape_items() -> Pixels:
    """Return the built-in items (6, 28, 28) uint8, white on black; see ``ITEM_NAMES``."""
    y, x = np.mgrid[:ITEM_SIDE, :ITEM_SIDE] - (ITEM_SIDE - 1) / 2
    far, wide = np.hypot(x, y), np.maximum(abs(x), abs(y))
    masks = (
        far < 11,
        (far < 11) & (far > 6),
        wide < 9,
        (wide < 10) & (wide > 6),
        (wide < 11) & (np.minimum(abs(x), abs(y)) < 3),
        (abs(y) < 10) & (abs(x) < (y + 10) / 2),
    )
    return np.stack(masks).astype(np.uint8) * 255


def bounce(starts: Float64Array, moves: Float64Array, frames: int) -> Int64Array:
    """Return the positions of items in each frame: (T, K, 2) int64, whole pixels in a range of 36.

    Args:
        starts: (K, 2), shares of the range.
        moves: (K, 2), shares of the range in a frame.
        frames: T, the number of frames.
    """
    position, trajectory = starts, []
    for _ in range(frames):
        position = position + moves
        moves = np.where((position <= 0) | (position >= 1), -moves, moves)
        position = position.clip(0, 1)
        trajectory.append(position)
    return np.floor(np.stack(trajectory) * (FRAME_SIDE - ITEM_SIDE)).astype(np.int64)


def draw_items(items: Pixels, positions: Int64Array) -> Pixels:
    """Draw a clip (T, 64, 64, 1) of items (K, 28, 28) at positions (T, K, 2) of their top and left edge."""
    clip = np.zeros((len(positions), FRAME_SIDE, FRAME_SIDE, 1), np.uint8)
    for frame, corners in zip(clip[..., 0], positions, strict=True):
        for item, (top, left) in zip(items, corners, strict=True):
            region = frame[top : top + ITEM_SIDE, left : left + ITEM_SIDE]
            np.maximum(region, item, out=region)
    return clip


def sample_trajectories(frames: int, random: np.random.Generator, count: int = 2) -> Int64Array:
    """Sample where items start and in which direction they move; return their positions (T, K, 2)."""
    angles = random.random(count) * 2 * np.pi
    moves = STEP_SHARE * np.stack([np.sin(angles), np.cos(angles)], 1)
    return bounce(random.random((count, 2)), moves, frames)


def draw_bouncing(frames: int, random: np.random.Generator, items: Pixels | None = None, count: int = 2) -> Pixels:
    """Draw a clip (T, 64, 64, 1) of items that bounce, a new one with each call.

    Args:
        frames: T, the number of frames.
        random: the generator of random numbers.
        items: (M, 28, 28) to sample from; the built-in shapes by default.
        count: number of items in a clip.
    """
    items = shape_items() if items is None else items
    trajectories = sample_trajectories(frames, random, count)
    return draw_items(items[random.integers(len(items), size=count)], trajectories)


def bouncing(duration: Seconds = 2, rate: Seconds = 10, count: int = 2, seed: Seconds = 0) -> SyntheticSource:
    """Return a source of built-in shapes that bounce; ``truth.tracks`` hold their boxes at each frame's time."""
    step, random = 1 / Fraction(rate), np.random.default_rng(int(seed))
    frames = max(1, round(Fraction(duration) / step))
    trajectories = sample_trajectories(frames, random, count)
    kinds = random.integers(len(ITEM_NAMES), size=count)
    clip = draw_items(shape_items()[kinds], trajectories)

    def render_frame(index: int, time: Fraction) -> Pixels:
        return np.repeat(clip[index], 3, -1)

    truth = TaskResult()
    times = [float(number * step) for number in range(frames)]
    for number, kind in enumerate(kinds):
        boxes = [
            (t, x, y, x + ITEM_SIDE, y + ITEM_SIDE, 1) for t, (y, x) in zip(times, trajectories[:, number], strict=True)
        ]
        truth.tracks.append(Track(number + 1, "objects", ITEM_NAMES[kind], 1.0, np.array(boxes, float)))
    return SyntheticSource("bouncing", render_frame, truth, (FRAME_SIDE, FRAME_SIDE), duration, rate)
