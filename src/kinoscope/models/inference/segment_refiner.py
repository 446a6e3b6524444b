"""Where segments begin and end, learned: what a model's scores look like around the edges of segments, and how far off
thresholds are there.

Candidates are what stays over each of several thresholds (the grouping of Zhao et al., "Temporal Action Detection with
Structured Segment Networks", ICCV 2017). For each, a small network sees the scores around both its ends and tells how
far these are to be moved, and how much the result will overlap a real segment (the regression of boundaries of Gao et
al., "Cascaded Boundary Regression for Temporal Action Detection", BMVC 2017). It sees one class's scores at a time and
no names, so that a few videos are enough. Units of time are the strides of the model's windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import ModelError
from kinoscope.core.files import atomic_write

REFINER_FILE = "edges.safetensors"
"""Beside the weights of the model whose scores it was learned on."""

TENSOR_NAMES = ("hidden", "hidden_bias", "out", "out_bias")
"""Its tensors."""

THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Scores over which a candidate stays."""
CONTEXT_STRIDES = 4.0
"""Strides on both sides of an edge that are seen; an edge is moved by no more."""
SAMPLE_STRIDES = 0.5
"""Strides from one value that is seen to the next."""
MIN_EXPECTED_IOU, MAX_IOU = 0.3, 0.5
"""Overlap that must be expected of a segment, and that two segments of one class may have."""

_OFFSETS = np.arange(-CONTEXT_STRIDES, CONTEXT_STRIDES + 1e-9, SAMPLE_STRIDES)
FEATURES = 2 * len(_OFFSETS) + 3
"""Values that are seen of a candidate."""


@dataclass(frozen=True, slots=True)
class SegmentRefiner:
    """A learned judge of segments: two layers; ``hidden`` (H, F) and (H,), ``out`` (3, H) and (3,)."""

    hidden: Float64Array
    hidden_bias: Float64Array
    out: Float64Array
    out_bias: Float64Array

    def refine(self, edges: Float64Array, scores: Float64Array) -> Float64Array:
        """Give the segments of one class, (N, 3): start, end, expected overlap, the surest first.

        Args:
            edges: (E,) increasing, in strides. scores: (E - 1,) of the stretches between them, in [0, 1].
        """
        rows = candidates(edges, scores)
        if not len(rows):
            return np.zeros((0, 3))
        told = self._judge(features(edges, scores, rows))
        moved = np.clip(rows + np.clip(told[:, :2], -CONTEXT_STRIDES, CONTEXT_STRIDES), edges[0], edges[-1])
        overlap = 1 / (1 + np.exp(-told[:, 2]))
        fits = (moved[:, 1] > moved[:, 0]) & (overlap >= MIN_EXPECTED_IOU)
        return _suppress_overlaps(np.concatenate([moved, overlap[:, None]], 1)[fits])

    def _judge(self, rows: Float64Array) -> Float64Array:
        return np.asarray(np.maximum(rows @ self.hidden.T + self.hidden_bias, 0) @ self.out.T + self.out_bias)


def candidates(edges: Float64Array, scores: Float64Array) -> Float64Array:
    """Give all stretches over one of the thresholds, (N, 2) start and end; each once."""
    found: set[tuple[float, float]] = set()
    for threshold in THRESHOLDS:
        above = np.concatenate([[False], scores >= threshold, [False]])
        turns = np.flatnonzero(np.diff(above.astype(np.int8)))
        found |= {(float(edges[a]), float(edges[b])) for a, b in zip(turns[::2], turns[1::2], strict=True)}
    return np.array(sorted(found)).reshape(-1, 2)


def features(edges: Float64Array, scores: Float64Array, rows: Float64Array) -> Float64Array:
    """Give what is seen of candidates (N, 2): the scores around start and end, the mean between, and the length."""
    around = [_sample_scores(edges, scores, rows[:, side : side + 1] + _OFFSETS) for side in (0, 1)]
    inside = _sample_scores(edges, scores, rows[:, :1] + (rows[:, 1:] - rows[:, :1]) * np.linspace(0.05, 0.95, 10))
    length = np.log(np.maximum(rows[:, 1] - rows[:, 0], 1e-3))
    return np.concatenate([*around, inside.mean(1)[:, None], inside.min(1)[:, None], length[:, None]], 1)


def _sample_scores(edges: Float64Array, scores: Float64Array, times: Float64Array) -> Float64Array:
    """Give the scores at times of any shape; 0 outside."""
    place = np.searchsorted(edges, times, side="right") - 1
    inside = (place >= 0) & (place < len(scores))
    return np.where(inside, scores[np.clip(place, 0, len(scores) - 1)], 0.0)


def pairwise_iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Give the intersection over union of segments (N, 2) with (M, 2), (N, M)."""
    common = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    common = np.maximum(common, 0)
    union = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None] - common
    return np.asarray(common / np.maximum(union, 1e-9))


def _suppress_overlaps(rows: Float64Array) -> Float64Array:
    """Keep the surest of segments (N, 3) that overlap each other."""
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    kept: list[int] = []
    shared = pairwise_iou(rows[:, :2], rows[:, :2])
    for i in range(len(rows)):
        if all(shared[i, j] <= MAX_IOU for j in kept):
            kept.append(i)
    return rows[kept]


def read_refiner(folder: str | Path) -> SegmentRefiner | None:
    """Read what `kinoscope train segments` wrote into the folder of a model; None if it has not.

    Raises:
        ModelError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(folder) / REFINER_FILE
    if not path.is_file():
        return None
    try:
        return _check_shapes(load_file(path))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error}); run `kinoscope train segments` again or remove it") from None


def _check_shapes(tensors: Mapping[str, Float32Array]) -> SegmentRefiner:
    hidden, hidden_bias, out, out_bias = (np.asarray(tensors[name], np.float64) for name in TENSOR_NAMES)
    width = len(hidden_bias)
    shapes: Sequence[tuple[int, ...]] = [hidden.shape, hidden_bias.shape, out.shape, out_bias.shape]
    if shapes != [(width, FEATURES), (width,), (3, width), (3,)]:
        raise ValueError(f"its layers are {', '.join(map(str, shapes))}")
    return SegmentRefiner(hidden, hidden_bias, out, out_bias)


def write_refiner(path: Path, edges: SegmentRefiner) -> None:
    """Write a judge of segments, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.numpy import save

    tensors = {name: np.asarray(getattr(edges, name), np.float32) for name in TENSOR_NAMES}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors))
