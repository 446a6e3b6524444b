"""The objects that a detector finds in one frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import BoolArray, Int64Array
from kinoscope.core.validation import require_known


class Detection(NamedTuple):
    """One object.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the frame.
        score: in [0, 1].
        label: what it is.
    """

    box: tuple[float, float, float, float]
    score: float
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects of one frame. Iteration yields a ``Detection`` for each, best first; a mask or a slice selects some.

    Boxes, scores and points are float32 from the detectors of ``kinoscope.load_model``, and float64 within an analysis.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the frame.
        scores: (N,) in [0, 1].
        labels: (N,) class index.
        names: name of each class, by index.
        points: (N, P, 2) points of each object in pixels of the frame, such as landmarks of a face: eyes, nose and
            corners of the mouth; or the corners of a line of text. None for detectors without them.
    """

    boxes: NDArray[Any]
    scores: NDArray[Any]
    labels: Int64Array
    names: tuple[str, ...] = ()
    points: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Detection]:
        rows = zip(self.boxes.tolist(), self.scores.tolist(), self.texts, strict=True)
        return (Detection(tuple(box), score, text) for box, score, text in rows)

    @overload
    def __getitem__(self, rows: int) -> Detection: ...

    @overload
    def __getitem__(self, rows: slice | BoolArray | NDArray[np.integer[Any]]) -> Detections: ...

    def __getitem__(self, rows: Any) -> Detection | Detections:
        """Return the object with an index, or the objects that a mask (N,), a slice or indices select."""
        if isinstance(rows, int | np.integer):
            return next(iter(self[np.array([rows])]))
        points = None if self.points is None else self.points[rows]
        return replace(self, boxes=self.boxes[rows], scores=self.scores[rows], labels=self.labels[rows], points=points)

    @property
    def texts(self) -> list[str]:
        """The name of each object's class; its index as text where the classes have no names."""
        return [self.names[label] if label < len(self.names) else str(label) for label in self.labels.tolist()]

    def of(self, *labels: str) -> Detections:
        """Return the objects of one or several classes.

        Raises:
            OptionError: there is no such class; the message suggests the nearest one.
        """
        wanted = [self.names.index(require_known(label, self.names, "label")) for label in labels]
        return self[np.isin(self.labels, wanted)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON: ``objects``, each with label, score and box."""
        return {"objects": [_to_dict(detection) for detection in self]}

    def __repr__(self) -> str:
        shown = ", ".join(f"{label} {score:.2f}" for _, score, label in list(self)[:5])
        more = f" and {len(self) - 5} more" if len(self) > 5 else ""
        return f"Detections({len(self)}{': ' if shown else ''}{shown}{more})"


def _to_dict(detection: Detection) -> dict[str, Any]:
    box = [round(side, 1) for side in detection.box]
    return {"label": detection.label, "score": round(detection.score, 4), "box": box}
