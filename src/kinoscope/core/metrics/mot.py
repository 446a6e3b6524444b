"""Multi-object tracking metrics: HOTA, CLEAR MOT and the identity scores.

HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. CLEAR: Bernardin and
Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", EURASIP JIVP 2008. Identity:
Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCVW 2016. Where
the papers leave something open it is as in TrackEval, whose numbers these are. All scores are shares, 0 to 1; what
is undefined (the recall of nothing) is NaN.

Several sequences are scored as one with ``mot_io.concatenate_sequences``: counts add up, and the association
of each detection counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.boxes import iou
from kinoscope.core.errors import DatasetError
from kinoscope.core.metrics.mot_io import MotRows

IOU_THRESHOLDS = np.arange(0.05, 0.99, 0.05)
"""IoU from which a result matches a ground-truth box: HOTA is the mean over these."""

CLEAR_IOU = 0.5
"""IoU threshold of CLEAR and of the identity scores."""

_EPS = np.finfo(float).eps


@dataclass(frozen=True, slots=True)
class Hota:
    """HOTA and its parts at each of ``IOU_THRESHOLDS``, (19,) each; ``mean`` returns the usual numbers.

    Attributes:
        hota: root of deta times assa.
        deta, detre, detpr: detection: accuracy, recall, precision.
        assa, assre, asspr: association, likewise, of the tracks of a matched pair.
        loca: mean IoU of the matches.
    """

    hota: Float64Array
    deta: Float64Array
    detre: Float64Array
    detpr: Float64Array
    assa: Float64Array
    assre: Float64Array
    asspr: Float64Array
    loca: Float64Array

    def mean(self) -> dict[str, float]:
        """Return the mean of each over the thresholds."""
        return {f.name: float(np.mean(getattr(self, f.name))) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Clear:
    """CLEAR MOT at an IoU of 0.5.

    Attributes:
        mota, motp: accuracy, and mean IoU of the matches.
        tp, fn, fp, idsw, frag: matches, misses, false positives, identity switches, and fragmentations.
        mt, pt, ml: objects tracked for more than 80 %, between, and for less than 20 % of their frames.
    """

    mota: float
    motp: float
    tp: int
    fn: int
    fp: int
    idsw: int
    frag: int
    mt: int
    pt: int
    ml: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity scores at an IoU of 0.5, each ground-truth track matched with one result for the whole sequence."""

    idf1: float
    idp: float
    idr: float
    idtp: int
    idfp: int
    idfn: int


@dataclass(frozen=True, slots=True)
class MotScores:
    """All scores of a result."""

    hota: Hota
    clear: Clear
    identity: Identity

    def to_dict(self) -> dict[str, float]:
        """Return all numbers by name, HOTA's as means over the thresholds."""
        parts = (self.clear, self.identity)
        return self.hota.mean() | {f.name: getattr(part, f.name) for part in parts for f in fields(part)}


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame: indices of the ground-truth objects and of the predicted tracks, and IoU (objects, predictions)."""

    truth: Int64Array
    predicted: Int64Array
    similarity: Float64Array


@dataclass(frozen=True, slots=True)
class _Sequence:
    """All frames, and the number of frames of each object and each predicted track."""

    frames: list[_Frame]
    truth: Float64Array
    predicted: Float64Array


def evaluate_mot(truth: MotRows, predicted: MotRows) -> MotScores:
    """Return the scores of a result. Drop ignored rows first, see ``core.metrics.mot_io.drop_ignored``.

    Raises:
        DatasetError: an id is twice in a frame.
    """
    sequence = _sequence(truth, predicted)
    return MotScores(_hota(sequence), _clear(sequence), _identity(sequence))


def _sequence(truth: MotRows, predicted: MotRows) -> _Sequence:
    sides = [_by_frame(rows, name) for rows, name in ((truth, "ground truth"), (predicted, "the result"))]
    numbers = sorted(sides[0][0].keys() | sides[1][0].keys())
    none = np.zeros(0, np.int64), np.zeros((0, 4))
    frames = []
    for number in numbers:
        (ids, boxes), (predicted_ids, predicted_boxes) = (side[0].get(number, none) for side in sides)
        frames.append(_Frame(ids, predicted_ids, iou(boxes, predicted_boxes)))
    return _Sequence(frames, sides[0][1], sides[1][1])


def _by_frame(rows: MotRows, name: str) -> tuple[dict[int, tuple[Int64Array, Float64Array]], Float64Array]:
    """Return the indices and boxes in each frame, in the order of the rows, and the number of rows of each index."""
    ids, index, counts = np.unique(rows.ids, return_inverse=True, return_counts=True)
    order = np.argsort(rows.frames, kind="stable")
    numbers, starts = np.unique(rows.frames[order], return_index=True)
    frames = {}
    for number, rows_of_frame in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
        if len(np.unique(index[rows_of_frame])) < len(rows_of_frame):
            duplicate = ids[np.flatnonzero(np.bincount(index[rows_of_frame]) > 1)[0]]
            raise DatasetError(
                f"{name} has id {duplicate} twice in frame {number}; an object is in one place at a time"
            )
        frames[number] = index[rows_of_frame], rows.boxes[rows_of_frame]
    return frames, counts.astype(np.float64)


def _hota(sequence: _Sequence) -> Hota:
    """Return HOTA: each frame is matched for the maximum sum of IoU times the global alignment of the pair's tracks."""
    objects, results = len(sequence.truth), len(sequence.predicted)
    total = sequence.truth[:, None] + sequence.predicted[None, :]
    overlap = _soft_overlap(sequence)
    pairs, similarities = _matches(sequence, overlap / np.maximum(total - overlap, _EPS))
    scores = []
    for threshold in IOU_THRESHOLDS:
        matched = similarities >= threshold - _EPS
        cells = np.bincount(pairs[matched], minlength=objects * results).reshape(objects, results).astype(np.float64)
        scores.append(_scores_at(sequence, cells, similarities[matched], total))
    return Hota(*np.array(scores).T)


def _soft_overlap(sequence: _Sequence) -> Float64Array:
    """Return the number of frames (objects, predictions) in which a pair may match; frames with rivals count less."""
    count = np.zeros((len(sequence.truth), len(sequence.predicted)))
    for frame in sequence.frames:
        union = frame.similarity.sum(0, keepdims=True) + frame.similarity.sum(1, keepdims=True) - frame.similarity
        count[np.ix_(frame.truth, frame.predicted)] += _divide(frame.similarity, union, 0.0)
    return count


def _matches(sequence: _Sequence, alignment: Float64Array) -> tuple[Int64Array, Float64Array]:
    """Return all matches: cell in (objects, predictions), and IoU."""
    from scipy.optimize import linear_sum_assignment

    cells, similarities = [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in sequence.frames:
        row, column = linear_sum_assignment(
            alignment[np.ix_(frame.truth, frame.predicted)] * frame.similarity, maximize=True
        )  # fmt: skip
        cells.append(frame.truth[row] * len(sequence.predicted) + frame.predicted[column])
        similarities.append(frame.similarity[row, column])
    return np.concatenate(cells), np.concatenate(similarities)


def _scores_at(
    sequence: _Sequence, cells: Float64Array, similarities: Float64Array, total: Float64Array
) -> tuple[float, ...]:
    """Return the fields of HOTA at one threshold from the matches (objects, predictions) and their IoU."""
    true_positives = len(similarities)
    truth, predicted = float(sequence.truth.sum()), float(sequence.predicted.sum())
    shares = total - cells, sequence.truth[:, None], sequence.predicted[None, :]
    assa, assre, asspr = (float(np.sum(cells**2 / np.maximum(1, whole))) / max(1, true_positives) for whole in shares)
    deta = _share(true_positives, truth + predicted - true_positives)
    loca = float(similarities.sum()) / true_positives if true_positives else 1.0
    return (
        float(np.sqrt(deta * assa)),
        deta,
        _share(true_positives, truth),
        _share(true_positives, predicted),
        assa,
        assre,
        asspr,
        loca,
    )


def _clear(sequence: _Sequence) -> Clear:
    """Return CLEAR MOT: each frame is matched to continue the identities of the frame before, then for maximum IoU."""
    objects = len(sequence.truth)
    previous, current, tracked, fragments = (
        np.full(objects, -1),
        np.full(objects, -1),
        np.zeros(objects),
        np.zeros(objects, np.int64),
    )
    true_positives, switches, similarities = 0, 0, 0.0
    for frame in sequence.frames:
        if not len(frame.truth) or not len(frame.predicted):
            continue  # as in TrackEval, such a frame interrupts nothing
        row, column = _continue_identities(frame, current)
        objects_matched, tracks_matched = frame.truth[row], frame.predicted[column]
        switches += int(np.sum((previous[objects_matched] >= 0) & (previous[objects_matched] != tracks_matched)))
        fragments[objects_matched] += current[objects_matched] < 0
        tracked[objects_matched] += 1
        previous[objects_matched] = tracks_matched
        current[:] = -1
        current[objects_matched] = tracks_matched
        true_positives, similarities = (
            true_positives + len(objects_matched),
            similarities + float(frame.similarity[row, column].sum()),
        )
    share = tracked / np.maximum(sequence.truth, 1)
    mt, partly = int(np.sum(share > 0.8)), int(np.sum(share >= 0.2))
    misses, false_positives = int(sequence.truth.sum()) - true_positives, int(sequence.predicted.sum()) - true_positives
    return Clear(
        mota=_share(true_positives - false_positives - switches, true_positives + misses),
        motp=_share(similarities, true_positives),
        tp=true_positives,
        fn=misses,
        fp=false_positives,
        idsw=switches,
        frag=int(np.maximum(fragments - 1, 0).sum()),
        mt=mt,
        pt=partly - mt,
        ml=objects - partly,
    )


def _continue_identities(frame: _Frame, current: Int64Array) -> tuple[Int64Array, Int64Array]:
    from scipy.optimize import linear_sum_assignment

    weights = 1000.0 * (frame.predicted[None, :] == current[frame.truth][:, None]) + frame.similarity
    weights[frame.similarity < CLEAR_IOU - _EPS] = 0
    row, column = linear_sum_assignment(weights, maximize=True)
    valid = weights[row, column] > _EPS
    return row[valid], column[valid]


def _identity(sequence: _Sequence) -> Identity:
    """Return the identity scores: objects are matched with predicted tracks one to one for the most common frames."""
    from scipy.optimize import linear_sum_assignment

    matches = np.zeros((len(sequence.truth), len(sequence.predicted)))
    for frame in sequence.frames:
        matches[np.ix_(frame.truth, frame.predicted)] += frame.similarity >= CLEAR_IOU
    true_positives = int(matches[linear_sum_assignment(matches, maximize=True)].sum())
    truth, predicted = int(sequence.truth.sum()), int(sequence.predicted.sum())
    return Identity(
        idf1=_share(2 * true_positives, truth + predicted),
        idp=_share(true_positives, predicted),
        idr=_share(true_positives, truth),
        idtp=true_positives,
        idfp=predicted - true_positives,
        idfn=truth - true_positives,
    )


def _divide(over: Float64Array, under: Float64Array, otherwise: float) -> Float64Array:
    return np.divide(over, under, out=np.full_like(over, otherwise), where=under > _EPS)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
