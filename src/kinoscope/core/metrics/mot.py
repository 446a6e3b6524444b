"""How well objects were followed, against ground truth: HOTA, CLEAR MOT and the identity scores.

HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. CLEAR: Bernardin and
Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", EURASIP JIVP 2008. Identity:
Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCVW 2016. Where
the papers leave something open it is as TrackEval has it, whose numbers these are. All scores are shares, 0 to 1; what
has no value (the recall of nothing) is NaN.

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
"""IoU from which a result goes with a truth: HOTA is the mean over these."""

CLEAR_IOU = 0.5
"""The IoU of CLEAR and of the identity scores."""

_EPS = np.finfo(float).eps


@dataclass(frozen=True, slots=True)
class Hota:
    """HOTA and its parts at each of ``IOU_THRESHOLDS``, (19,) each; ``mean`` gives the usual numbers.

    Attributes:
        hota: root of deta times assa. deta, detre, detpr: detection: share of all that was matched, recall, precision.
        assa, assre, asspr: association, likewise, of the tracks of a matched pair. loca: mean IoU of the matched.
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
        """Give the mean over the levels of each."""
        return {f.name: float(np.mean(getattr(self, f.name))) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Clear:
    """CLEAR MOT at an IoU of 0.5.

    Attributes:
        mota, motp: accuracy, and mean IoU of the matched.
        tp, fn, fp, idsw, frag: matches, misses, false alarms, switches of identity, and resumptions after a gap.
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
    """Identity scores at an IoU of 0.5, each truth matched with one result for the whole sequence."""

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
        """Give all numbers by name, HOTA's as means over the levels."""
        parts = (self.clear, self.identity)
        return self.hota.mean() | {f.name: getattr(part, f.name) for part in parts for f in fields(part)}


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is in one frame: indices of the objects and of the results, and IoU (objects, results)."""

    truth: Int64Array
    found: Int64Array
    alike: Float64Array


@dataclass(frozen=True, slots=True)
class _Sequence:
    """All frames, and in how many of them each object and each result is."""

    frames: list[_Frame]
    truth: Float64Array
    found: Float64Array


def evaluate_mot(truth: MotRows, found: MotRows) -> MotScores:
    """Score a result. What does not count is left out before, see ``core.metrics.mot_io.drop_ignored``.

    Raises:
        DatasetError: an id is twice in a frame.
    """
    sequence = _sequence(truth, found)
    return MotScores(_hota(sequence), _clear(sequence), _identity(sequence))


def _sequence(truth: MotRows, found: MotRows) -> _Sequence:
    sides = [_by_frame(rows, name) for rows, name in ((truth, "ground truth"), (found, "the result"))]
    numbers = sorted(sides[0][0].keys() | sides[1][0].keys())
    none = np.zeros(0, np.int64), np.zeros((0, 4))
    frames = []
    for number in numbers:
        (ids, boxes), (others, those) = (side[0].get(number, none) for side in sides)
        frames.append(_Frame(ids, others, iou(boxes, those)))
    return _Sequence(frames, sides[0][1], sides[1][1])


def _by_frame(rows: MotRows, name: str) -> tuple[dict[int, tuple[Int64Array, Float64Array]], Float64Array]:
    """Give the indices and boxes in each frame, in the order of the rows, and the number of rows of each index."""
    ids, index, counts = np.unique(rows.ids, return_inverse=True, return_counts=True)
    order = np.argsort(rows.frames, kind="stable")
    numbers, starts = np.unique(rows.frames[order], return_index=True)
    frames = {}
    for number, part in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
        if len(np.unique(index[part])) < len(part):
            twice = ids[np.flatnonzero(np.bincount(index[part]) > 1)[0]]
            raise DatasetError(f"{name} has id {twice} twice in frame {number}; an object is in one place at a time")
        frames[number] = index[part], rows.boxes[part]
    return frames, counts.astype(np.float64)


def _hota(sequence: _Sequence) -> Hota:
    """Match each frame for the greatest sum of IoU times how well the tracks of a pair go together overall."""
    objects, results = len(sequence.truth), len(sequence.found)
    both = sequence.truth[:, None] + sequence.found[None, :]
    together = _together(sequence)
    pairs, likes = _matches(sequence, together / np.maximum(both - together, _EPS))
    levels = []
    for level in IOU_THRESHOLDS:
        kept = likes >= level - _EPS
        cells = np.bincount(pairs[kept], minlength=objects * results).reshape(objects, results).astype(np.float64)
        levels.append(_level(sequence, cells, likes[kept], both))
    return Hota(*np.array(levels).T)


def _together(sequence: _Sequence) -> Float64Array:
    """Count (objects, results) in how many frames a pair may go together, a frame with rivals counting less."""
    count = np.zeros((len(sequence.truth), len(sequence.found)))
    for frame in sequence.frames:
        whole = frame.alike.sum(0, keepdims=True) + frame.alike.sum(1, keepdims=True) - frame.alike
        count[np.ix_(frame.truth, frame.found)] += _divide(frame.alike, whole, 0.0)
    return count


def _matches(sequence: _Sequence, alignment: Float64Array) -> tuple[Int64Array, Float64Array]:
    """Give all matches: cell in (objects, results), and IoU."""
    from scipy.optimize import linear_sum_assignment

    cells, likes = [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in sequence.frames:
        row, column = linear_sum_assignment(
            alignment[np.ix_(frame.truth, frame.found)] * frame.alike, maximize=True
        )  # fmt: skip
        cells.append(frame.truth[row] * len(sequence.found) + frame.found[column])
        likes.append(frame.alike[row, column])
    return np.concatenate(cells), np.concatenate(likes)


def _level(sequence: _Sequence, cells: Float64Array, likes: Float64Array, both: Float64Array) -> tuple[float, ...]:
    """Give HOTA's fields at one level from the matches (objects, results) and their IoU."""
    hits = len(likes)
    truth, found = float(sequence.truth.sum()), float(sequence.found.sum())
    shares = both - cells, sequence.truth[:, None], sequence.found[None, :]
    assa, assre, asspr = (float(np.sum(cells**2 / np.maximum(1, whole))) / max(1, hits) for whole in shares)
    deta = _share(hits, truth + found - hits)
    loca = float(likes.sum()) / hits if hits else 1.0
    return float(np.sqrt(deta * assa)), deta, _share(hits, truth), _share(hits, found), assa, assre, asspr, loca


def _clear(sequence: _Sequence) -> Clear:
    """Match each frame so that identities go on from the frame before, then for the greatest IoU."""
    objects = len(sequence.truth)
    last, now, seen, begun = np.full(objects, -1), np.full(objects, -1), np.zeros(objects), np.zeros(objects, np.int64)
    hits, switches, likes = 0, 0, 0.0
    for frame in sequence.frames:
        if not len(frame.truth) or not len(frame.found):
            continue  # as in TrackEval, such a frame interrupts nothing
        row, column = _going_on(frame, now)
        who, whom = frame.truth[row], frame.found[column]
        switches += int(np.sum((last[who] >= 0) & (last[who] != whom)))
        begun[who] += now[who] < 0
        seen[who] += 1
        last[who] = whom
        now[:] = -1
        now[who] = whom
        hits, likes = hits + len(who), likes + float(frame.alike[row, column].sum())
    share = seen / np.maximum(sequence.truth, 1)
    mt, some = int(np.sum(share > 0.8)), int(np.sum(share >= 0.2))
    misses, alarms = int(sequence.truth.sum()) - hits, int(sequence.found.sum()) - hits
    return Clear(
        mota=_share(hits - alarms - switches, hits + misses),
        motp=_share(likes, hits),
        tp=hits,
        fn=misses,
        fp=alarms,
        idsw=switches,
        frag=int(np.maximum(begun - 1, 0).sum()),
        mt=mt,
        pt=some - mt,
        ml=objects - some,
    )


def _going_on(frame: _Frame, now: Int64Array) -> tuple[Int64Array, Int64Array]:
    from scipy.optimize import linear_sum_assignment

    worth = 1000.0 * (frame.found[None, :] == now[frame.truth][:, None]) + frame.alike
    worth[frame.alike < CLEAR_IOU - _EPS] = 0
    row, column = linear_sum_assignment(worth, maximize=True)
    kept = worth[row, column] > _EPS
    return row[kept], column[kept]


def _identity(sequence: _Sequence) -> Identity:
    """Match objects with results one to one for the most frames in which they go together."""
    from scipy.optimize import linear_sum_assignment

    together = np.zeros((len(sequence.truth), len(sequence.found)))
    for frame in sequence.frames:
        together[np.ix_(frame.truth, frame.found)] += frame.alike >= CLEAR_IOU
    hits = int(together[linear_sum_assignment(together, maximize=True)].sum())
    truth, found = int(sequence.truth.sum()), int(sequence.found.sum())
    return Identity(
        idf1=_share(2 * hits, truth + found),
        idp=_share(hits, found),
        idr=_share(hits, truth),
        idtp=hits,
        idfp=found - hits,
        idfn=truth - hits,
    )


def _divide(over: Float64Array, under: Float64Array, otherwise: float) -> Float64Array:
    return np.divide(over, under, out=np.full_like(over, otherwise), where=under > _EPS)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
