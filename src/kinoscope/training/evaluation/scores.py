"""The scores of an evaluation, as they are kept in ``scores.json``."""

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

MAX_SCORES_BYTES = 1_000_000_000
"""Bytes of scores, which have a row for each clip."""

Value = float | None
"""None where a measure has no value: of a class without clips, or an interval of a single group."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A score and its 95 % interval, with what chance would score beside it.

    Attributes:
        uniform: expected of one who guesses every class as often.
        majority: of one who always tells the most frequent classes.
    """

    value: Value
    low: Value = None
    high: Value = None
    uniform: Value = None
    majority: Value = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How one class is told: ``clips`` are its clips; the interval is that of ``recall`` (multi-label: of the AP)."""

    name: str
    clips: int
    recall: Value
    precision: Value
    average_precision: Value
    low: Value = None
    high: Value = None


@dataclass(frozen=True, slots=True)
class ClipScore:
    """How one clip is told.

    Attributes:
        actual: its classes. told: what the model says it shows.
        right: whether both are the same.
        loss: cross-entropy of the calibrated probabilities.
        top: the likeliest classes and their probabilities.
    """

    path: str
    group: str
    actual: tuple[str, ...]
    told: tuple[str, ...]
    right: bool
    loss: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether probabilities mean what they say: the expected calibration error, and the bins of a reliability diagram.

    ``before`` is without, ``after`` with the model's temperature; bins are as
    ``core.metrics.classification.reliability_bins`` gives them.
    """

    temperature: float
    before: Value
    after: Value
    bins_before: tuple[tuple[Value, ...], ...]
    bins_after: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All that an evaluation found.

    Attributes:
        measures: by name: ``top1``, ``top5`` and ``balanced_accuracy``, or ``map`` of multi-label data.
        by_class: in the order of ``classes``.
        confusion: (K, K) clips of each actual class, by row, taken for each class; empty for multi-label data.
        clips: the worst told first.
        broken: why a clip could not be read, by its path; such clips count for nothing.
        model, data, split, views: what was evaluated on what, and on how many clips of each video.
        groups: how many persons or recordings the clips are of; intervals draw these anew.
        notes: what a reader should know.
    """

    classes: tuple[str, ...]
    multilabel: bool
    groups: int
    measures: dict[str, Measure]
    by_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: Calibration
    clips: tuple[ClipScore, ...]
    broken: dict[str, str] = field(default_factory=dict)
    model: str = ""
    data: str = ""
    split: str = "all"
    views: int = 1
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {"schema": SCHEMA} | asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Scores:
        """Read the plain form.

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
        """Write the plain form as JSON.

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
    calibration = dict(plain["calibration"])
    for name in ("bins_before", "bins_after"):
        calibration[name] = tuples(calibration[name])
    clips = [ClipScore(**{name: tuples(value) for name, value in clip.items()}) for clip in plain["clips"]]
    plain |= {
        "measures": {name: Measure(**measure) for name, measure in plain["measures"].items()},
        "by_class": tuple(ClassScore(**row) for row in plain["by_class"]),
        "calibration": Calibration(**calibration),
        "clips": tuple(clips),
    }
    return Scores(**plain | {name: tuples(plain[name]) for name in ("classes", "confusion", "notes")})


def tuples(value: Any) -> Any:
    """Give lists in lists as tuples in tuples."""
    return tuple(tuples(one) for one in value) if isinstance(value, list) else value
