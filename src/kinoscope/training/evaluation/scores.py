"""Scores of an evaluation, as saved in ``scores.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.files import atomic_write
from kinoscope.core.untrusted import read_json

SCHEMA = 1

RENAMED = {"broken": "unreadable", "told": "predicted"}
"""Key in the scores of earlier releases -> its present name."""

MAX_SCORES_BYTES = 1_000_000_000
"""Maximum size of a file of scores, which have a row for each clip."""

Value = float | None
"""None where a metric has no value: of a class without clips, or an interval of a single group."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A score and its 95 % interval, beside the chance level.

    Attributes:
        uniform: expected score of a uniform guess.
        majority: score of predicting always the most frequent classes.
    """

    value: Value
    low: Value = None
    high: Value = None
    uniform: Value = None
    majority: Value = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Scores of one class: ``clips`` are its clips; the interval is that of ``recall`` (multi-label: of the AP)."""

    name: str
    clips: int
    recall: Value
    precision: Value
    average_precision: Value
    low: Value = None
    high: Value = None


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Prediction of one clip.

    Attributes:
        actual: its classes.
        predicted: those that the model predicts.
        right: whether both are the same.
        loss: cross-entropy of the calibrated probabilities.
        top: the most probable classes and their probabilities.
    """

    path: str
    group: str
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    right: bool
    loss: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of the probabilities: the expected calibration error, and the bins of a reliability diagram.

    ``before`` is without, ``after`` with the model's temperature; bins are as
    ``core.metrics.classification.reliability_bins`` returns them.
    """

    temperature: float
    before: Value
    after: Value
    bins_before: tuple[tuple[Value, ...], ...]
    bins_after: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All results of an evaluation.

    Attributes:
        measures: by name: ``top1``, ``top5`` and ``balanced_accuracy``, or ``map`` of multi-label data.
        by_class: in the order of ``classes``.
        confusion: (K, K) clips of each actual class, by row, predicted as each class; empty for multi-label data.
        clips: those with the highest loss first.
        unreadable: path -> reason, of clips that could not be read; they are not scored.
        model, data, split, views: what was evaluated on what, and on how many clips of each video.
        groups: number of persons or recordings in the clips, which are resampled for the intervals.
        notes: remarks for the reader.
    """

    classes: tuple[str, ...]
    multilabel: bool
    groups: int
    measures: dict[str, Measure]
    by_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: Calibration
    clips: tuple[ClipScore, ...]
    unreadable: dict[str, str] = field(default_factory=dict)
    model: str = ""
    data: str = ""
    split: str = "all"
    views: int = 1
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        values = {name: measure.value for name, measure in self.measures.items() if measure.value is not None}
        measures = "".join(f", {name}={value:.4g}" for name, value in values.items())
        return f"Scores({self.model!r}, {self.data!r}, clips={len(self.clips)}{measures})"

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {"schema": SCHEMA} | asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Scores:
        """Return the scores of such a dictionary, also of one that an earlier release wrote.

        Raises:
            OptionError: it is not one, or of a newer schema.
        """
        try:
            return _parse(dict(plain))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OptionError(
                f"these are no scores of an evaluation ({error}); run `kinoscope evaluate` again"
            ) from None

    def save(self, path: Path) -> None:
        """Write the scores as JSON.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", "utf-8")


def load_scores(path: Path) -> Scores:
    """Read the scores that an evaluation wrote.

    Raises:
        OptionError: the file cannot be read, or holds something else.
    """
    try:
        plain = read_json(path, MAX_SCORES_BYTES, allow_nan=True)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} cannot be read ({error}); give a scores.json that `kinoscope evaluate` wrote"
        ) from None
    return Scores.from_dict(plain)


def _parse(plain: dict[str, Any]) -> Scores:
    schema = plain.pop("schema")
    if schema > SCHEMA:
        raise ValueError(f"schema {schema} is newer than {SCHEMA}")
    plain = {RENAMED.get(name, name): value for name, value in plain.items()}
    calibration = dict(plain["calibration"])
    for name in ("bins_before", "bins_after"):
        calibration[name] = tuples(calibration[name])
    clips = [
        ClipScore(**{RENAMED.get(name, name): tuples(value) for name, value in clip.items()}) for clip in plain["clips"]
    ]
    plain |= {
        "measures": {name: Measure(**measure) for name, measure in plain["measures"].items()},
        "by_class": tuple(ClassScore(**row) for row in plain["by_class"]),
        "calibration": Calibration(**calibration),
        "clips": tuple(clips),
    }
    return Scores(**plain | {name: tuples(plain[name]) for name in ("classes", "confusion", "notes")})


def tuples(value: Any) -> Any:
    """Convert nested lists to nested tuples."""
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value
