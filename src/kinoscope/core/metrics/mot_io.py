"""Rows of MOTChallenge files (https://motchallenge.net): boxes with a frame number and an id, and which of them count.

A line is ``frame,id,x,y,width,height,confidence,...``. What follows differs: ground truth since MOT16 has nine columns,
the eighth being the class and the ninth the visibility; ground truth of MOT15, detections and results have ten, with
world coordinates or -1. The confidence of ground truth says whether the row counts: 0 means that it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from kinoscope.core.arrays import BoolArray, Float64Array, Int64Array
from kinoscope.core.boxes import iou
from kinoscope.core.errors import DatasetError

PEDESTRIAN_CLASS = 1
"""Class of a pedestrian, the only one that is scored."""

DISTRACTOR_CLASSES = (2, 7, 8, 12)
"""Classes whose detection is neither right nor wrong: on a vehicle, static, person-like, reflection."""


@dataclass(frozen=True, slots=True)
class MotRows:
    """Boxes of one sequence, a row each, in any order.

    Attributes:
        frames: (N,) frame number.
        ids: (N,) of the object; -1 for a mere detection.
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        scores: (N,) confidence; 1 if not given.
        classes: (N,) ``PEDESTRIAN_CLASS`` if not given.
    """

    frames: Int64Array
    ids: Int64Array
    boxes: Float64Array
    scores: Float64Array = field(default_factory=lambda: np.zeros(0))
    classes: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        count = len(self.frames)
        columns = {
            "frames": np.asarray(self.frames, np.int64),
            "ids": np.asarray(self.ids, np.int64),
            "boxes": np.asarray(self.boxes, np.float64).reshape(-1, 4),
            "scores": np.asarray(self.scores if len(self.scores) else np.ones(count), np.float64),
            "classes": np.asarray(self.classes if len(self.classes) else np.full(count, PEDESTRIAN_CLASS), np.int64),
        }
        for name, values in columns.items():
            if len(values) != count:
                raise ValueError(f"{len(values)} {name} for {count} frames")
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.frames)

    def where(self, selection: BoolArray | Int64Array) -> MotRows:
        """Return the selected rows."""
        return MotRows(*(getattr(self, f.name)[selection] for f in fields(self)))


def concatenate_sequences(sequences: Sequence[tuple[MotRows, MotRows]]) -> tuple[MotRows, MotRows]:
    """Concatenate sequences of ground truth and results into one: no id and no frame number is in two of them."""
    parts: tuple[list[MotRows], list[MotRows]] = [], []
    frame, number = 0, 0
    for pair in sequences:
        for part, rows in zip(parts, pair, strict=True):
            part.append(MotRows(rows.frames + frame, rows.ids + number, rows.boxes, rows.scores, rows.classes))
        frame += 1 + max((int(rows.frames.max()) for rows in pair if len(rows)), default=0)
        number += 1 + max((int(rows.ids.max()) for rows in pair if len(rows)), default=0)
    return _stack(parts[0]), _stack(parts[1])


def _stack(parts: Sequence[MotRows]) -> MotRows:
    empty = MotRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    return MotRows(*(np.concatenate([getattr(part, f.name) for part in (*parts, empty)]) for f in fields(MotRows)))


def drop_ignored(truth: MotRows, predicted: MotRows) -> tuple[MotRows, MotRows]:
    """Return ground truth and results without the rows that do not count, as in MOTChallenge.

    Of the ground truth pedestrians of confidence above 0 count. A result that matches one of the
    ``DISTRACTOR_CLASSES`` at an IoU of 0.5 or more is neither right nor wrong. Where no class is given, as in MOT15,
    all are pedestrians.
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.ones(len(predicted), bool)
    for frame in np.unique(truth.frames[np.isin(truth.classes, DISTRACTOR_CLASSES)]).tolist():
        rows, truth_rows = np.flatnonzero(predicted.frames == frame), np.flatnonzero(truth.frames == frame)
        overlaps = iou(truth.boxes[truth_rows], predicted.boxes[rows])
        overlaps[overlaps < 0.5 - np.finfo(float).eps] = 0
        row, column = linear_sum_assignment(overlaps, maximize=True)
        distractors = (overlaps[row, column] > 0) & np.isin(truth.classes[truth_rows[row]], DISTRACTOR_CLASSES)
        counts[rows[column[distractors]]] = False
    return truth.where((truth.scores != 0) & (truth.classes == PEDESTRIAN_CLASS)), predicted.where(counts)


def read_mot(path: Path) -> MotRows:
    """Read a MOTChallenge file: ground truth, detections or results.

    Raises:
        DatasetError: it cannot be read, or a line does not have that form.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}; check the path") from None
    rows = np.array(list(_rows(path, text))).reshape(-1, 8)
    corners = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    return MotRows(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), corners, rows[:, 6], rows[:, 7])


def _rows(path: Path, text: str) -> Iterator[tuple[float, ...]]:
    """Yield frame, id, x, y, width, height, confidence and class of each line."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(word) for word in line.replace(",", " ").split()]
            if len(values) < 6 or not all(map(math.isfinite, values)) or min(values[4:6]) < 0:
                raise ValueError
        except ValueError:
            raise DatasetError(
                f"{path}, line {number}, is not MOTChallenge's frame,id,x,y,width,height,confidence: {line[:60]!r}"
            ) from None
        class_id = values[7] if len(values) == 9 else PEDESTRIAN_CLASS
        yield (*values[:6], values[6] if len(values) > 6 else 1.0, class_id)
