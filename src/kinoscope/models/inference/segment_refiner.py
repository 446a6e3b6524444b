"""Learned temporal boundary refinement: corrects the boundaries of segments that thresholds of a model's scores
propose.

Candidates are the stretches above each of several thresholds (the grouping of Zhao et al., "Temporal Action Detection
with Structured Segment Networks", ICCV 2017). For each, a small network reads the scores around both boundaries and
predicts their offsets, and the overlap of the result with a real segment (the boundary regression of Gao et al.,
"Cascaded Boundary Regression for Temporal Action Detection", BMVC 2017). It reads one class's scores at a time and no
names, so that a few videos suffice. Units of time are the strides of the model's windows.
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
"""File beside the weights of the model on whose scores it was trained."""

TENSOR_NAMES = ("hidden", "hidden_bias", "out", "out_bias")
"""Names of its tensors."""

THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Score thresholds of the candidates."""
CONTEXT_STRIDES = 4.0
"""Strides on both sides of a boundary that the network reads, and the maximum offset of a boundary."""
SAMPLE_STRIDES = 0.5
"""Strides between the scores that the network reads."""
MIN_EXPECTED_IOU, MAX_IOU = 0.3, 0.5
"""Minimum expected IoU of a segment with a real one, and maximum IoU of two segments of one class."""

_OFFSETS = np.arange(-CONTEXT_STRIDES, CONTEXT_STRIDES + 1e-9, SAMPLE_STRIDES)
FEATURES = 2 * len(_OFFSETS) + 3
"""Number of input values per candidate."""


@dataclass(frozen=True, slots=True)
class SegmentRefiner:
    """A network of two layers: ``hidden`` (H, F) and (H,), ``out`` (3, H) and (3,)."""

    hidden: Float64Array
    hidden_bias: Float64Array
    out: Float64Array
    out_bias: Float64Array

    def refine(self, boundaries: Float64Array, scores: Float64Array) -> Float64Array:
        """Return the segments of one class, (N, 3): start, end, expected IoU, in descending order of the latter.

        Args:
            boundaries: (E,) increasing, in strides.
            scores: (E - 1,) of the stretches between them, in [0, 1].
        """
        rows = candidates(boundaries, scores)
        if not len(rows):
            return np.zeros((0, 3))
        predictions = self._predict(features(boundaries, scores, rows))
        refined = np.clip(
            rows + np.clip(predictions[:, :2], -CONTEXT_STRIDES, CONTEXT_STRIDES), boundaries[0], boundaries[-1]
        )
        expected_iou = 1 / (1 + np.exp(-predictions[:, 2]))
        valid = (refined[:, 1] > refined[:, 0]) & (expected_iou >= MIN_EXPECTED_IOU)
        return _suppress_overlaps(np.concatenate([refined, expected_iou[:, None]], 1)[valid])

    def _predict(self, rows: Float64Array) -> Float64Array:
        return np.asarray(np.maximum(rows @ self.hidden.T + self.hidden_bias, 0) @ self.out.T + self.out_bias)


def candidates(boundaries: Float64Array, scores: Float64Array) -> Float64Array:
    """Return all stretches above one of the thresholds, (N, 2) start and end, without duplicates."""
    stretches: set[tuple[float, float]] = set()
    for threshold in THRESHOLDS:
        above = np.concatenate([[False], scores >= threshold, [False]])
        changes = np.flatnonzero(np.diff(above.astype(np.int8)))
        stretches |= {
            (float(boundaries[a]), float(boundaries[b])) for a, b in zip(changes[::2], changes[1::2], strict=True)
        }
    return np.array(sorted(stretches)).reshape(-1, 2)


def features(boundaries: Float64Array, scores: Float64Array, rows: Float64Array) -> Float64Array:
    """Return the input of the network for candidates (N, 2): scores around start and end, mean and minimum inside, and
    the length.
    """
    at_boundaries = [_sample_scores(boundaries, scores, rows[:, side : side + 1] + _OFFSETS) for side in (0, 1)]
    inside = _sample_scores(boundaries, scores, rows[:, :1] + (rows[:, 1:] - rows[:, :1]) * np.linspace(0.05, 0.95, 10))
    length = np.log(np.maximum(rows[:, 1] - rows[:, 0], 1e-3))
    return np.concatenate([*at_boundaries, inside.mean(1)[:, None], inside.min(1)[:, None], length[:, None]], 1)


def _sample_scores(boundaries: Float64Array, scores: Float64Array, times: Float64Array) -> Float64Array:
    """Return the scores at times of any shape; 0 outside."""
    index = np.searchsorted(boundaries, times, side="right") - 1
    inside = (index >= 0) & (index < len(scores))
    return np.where(inside, scores[np.clip(index, 0, len(scores) - 1)], 0.0)


def pairwise_iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Return the IoU of segments (N, 2) with (M, 2): (N, M)."""
    intersection = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    intersection = np.maximum(intersection, 0)
    union = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None] - intersection
    return np.asarray(intersection / np.maximum(union, 1e-9))


def _suppress_overlaps(rows: Float64Array) -> Float64Array:
    """Return the segments (N, 3) after non-maximum suppression."""
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    selected: list[int] = []
    ious = pairwise_iou(rows[:, :2], rows[:, :2])
    for i in range(len(rows)):
        if all(ious[i, j] <= MAX_IOU for j in selected):
            selected.append(i)
    return rows[selected]


def read_refiner(folder: str | Path) -> SegmentRefiner | None:
    """Read the refiner that `kinoscope train segments` wrote into a model's folder, or return None.

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
    """Return the refiner of these tensors; ValueError if a shape is wrong."""
    hidden, hidden_bias, out, out_bias = (np.asarray(tensors[name], np.float64) for name in TENSOR_NAMES)
    width = len(hidden_bias)
    shapes: Sequence[tuple[int, ...]] = [hidden.shape, hidden_bias.shape, out.shape, out_bias.shape]
    if shapes != [(width, FEATURES), (width,), (3, width), (3,)]:
        raise ValueError(f"its layers are {', '.join(map(str, shapes))}")
    return SegmentRefiner(hidden, hidden_bias, out, out_bias)


def write_refiner(path: Path, boundaries: SegmentRefiner) -> None:
    """Write a refiner, completely or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.numpy import save

    tensors = {name: np.asarray(getattr(boundaries, name), np.float32) for name in TENSOR_NAMES}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors))
