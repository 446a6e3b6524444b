"""The options of the tasks: default, help and limits of each, in one place.

They are set by ``--option TASK.NAME=VALUE`` of ``analyze``, by arguments of the task's class, and by ``options`` in a
file of rules. This module imports no network, so that help can list them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kinoscope.core.options import Options, option


def _strategies() -> Iterable[str]:
    from kinoscope.tasks.tracking.association import STRATEGIES

    return STRATEGIES


@dataclass(frozen=True, kw_only=True)
class FrameOptions(Options):
    """Options of tasks that process frames at a rate which depends on what changes in them."""

    rate: float | None = option(None, "frames processed per second; every frame if none", above=0)
    idle_rate: float | None = option(
        None, "frames processed per second while little changes; all that differ from the one before if none", above=0
    )
    motion_share: float | None = option(
        None, "share of the frame that changes from which every frame is processed", low=0, high=1
    )
    static_levels: float = option(
        8.0, "largest change of a pixel, of 255, in a frame that is not processed again; -1 processes all", low=-1
    )


@dataclass(frozen=True, kw_only=True)
class ObjectsOptions(FrameOptions):
    """Options of the task ``objects``."""

    labels: tuple[str, ...] | None = option(
        None, "what to detect, separated by commas, such as person,car; all labels of the model if not given"
    )
    tracker: str = option(
        "buffered", "how objects are tracked: buffered, sort, bytetrack or ocsort", choices=_strategies
    )
    camera: bool = option(False, "compensate the camera's own motion before objects are tracked; for cameras that move")
    appearance: Literal["none", "colours", "cnn"] = option(
        "none",
        "track by appearance, too: colours of the clothes, or the features of a CNN, which is slow; none by default",
    )
    rate: float | None = option(
        10.0, "frames per second in which objects are detected; if not given 10, and 5 where little moves", above=0
    )
    idle_rate: float | None = option(5.0, "frames processed per second while little changes", above=0)
    min_score: float = option(0.25, "score below which a detection is ignored", low=0, high=1)
    min_track_score: float = option(0.4, "score from which a detection may begin a track", low=0, high=1)
    doubtful_labels: tuple[str, ...] | None = option(
        None, "labels of which tracks that are too short or of too low a score are reported, too, as doubtful"
    )


@dataclass(frozen=True, kw_only=True)
class FacesOptions(FrameOptions):
    """Options of the task ``faces``."""

    rate: float | None = option(5.0, "frames processed per second; every frame if none", above=0)
    search_rate: float | None = option(
        2.5, "frames per second that are searched as a whole; all that are processed if none", above=0
    )
    max_side: int = option(960, "longer side of the processed frames in pixels", low=64, high=8192)
    min_face_side: float = option(28.0, "side of the smallest face that is detected, in pixels", low=12, high=1024)
    min_scores: tuple[float, float, float] = option(
        (0.85, 0.75, 0.8), "minimum scores of the three networks of the detector, separated by commas", low=0, high=1
    )
    min_track_score: float = option(0.9, "score from which a face may begin a track", low=0, high=1)
    include_doubtful: bool = option(False, "report tracks that are too short or of too low a score, too, as doubtful")


@dataclass(frozen=True, kw_only=True)
class TextOptions(FrameOptions):
    """Options of the task ``text``."""

    rate: float | None = option(2.5, "frames processed per second; every frame if none", above=0)
    max_side: int = option(960, "longer side of the processed frames in pixels", low=64, high=8192)
    min_score: float = option(0.5, "score below which a line is ignored", low=0, high=1)
    min_track_score: float = option(0.6, "score from which a line may begin a track", low=0, high=1)
    include_doubtful: bool = option(False, "report tracks that are too short or of too low a score, too, as doubtful")
    read_text: bool = option(True, "recognize the text of the lines")


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(Options):
    """Options of the task ``classify``."""

    top: int = option(3, "number of classes that are reported", low=1)
    refine: bool = option(True, "refine the boundaries of segments as `kinoscope train segments` learned them")


@dataclass(frozen=True, kw_only=True)
class RecognizeOptions(Options):
    """Options of the task ``recognize``."""

    thresholds: Mapping[str, Any] = option(
        {}, "largest distance of a match of a kind: threshold.face, threshold.person, threshold.object",
        group="threshold",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SyncTaskOptions(Options):
    """Options of the task ``sync``."""

    hits: bool = option(False, "measure by what is seen and heard to hit where nobody speaks")
