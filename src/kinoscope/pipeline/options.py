"""Groups of options that verbs share. On the command line each field is a flag of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known, require_positive
from kinoscope.pipeline.arguments import choose_limits, choose_time_range, choose_video_track
from kinoscope.views.video.redaction_plan import Method

Policy = Literal["skip", "repeat", "blank", "raise"]
"""Policy for frames that cannot be decoded."""

Names = str | Sequence[str]
"""Names, separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingOptions:
    """The part of a source that is read, and the limits on it.

    Attributes:
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
    """

    start: str | float | None = None
    end: str | float | None = None
    video_track: int | None = None
    bounds: str | None = None

    def resolve(self) -> dict[str, Any]:
        """Return the options of ``open_source``.

        Raises:
            OptionError: one cannot be used.
        """
        times = choose_time_range(self.start, self.end)
        return times | choose_limits(self.bounds) | choose_video_track(self.video_track)


DECODE_ALL = DecodingOptions()
"""The default: the whole source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingOptions:
    """Options of processing: the number of frames, a gallery, and the options of the tasks.

    Attributes:
        rate: maximum number of frames per second that are analyzed; all if not given.
        on_error: what to do about a frame that cannot be decoded: leave it out (skip), repeat the one before
            (repeat), replace it by black (blank), or stop (raise).
        live: treat the source as live, as cameras and rtsp streams are: drop the oldest frames rather than fall behind.
        gallery: name the people and things that `kinoscope enroll` put into this file; adds the task recognize.
        tracker: how objects are tracked: buffered (if not given), sort, bytetrack or ocsort.
        option: TASK.NAME=VALUE sets an option of a task, such as objects.rate=5 or faces.max_side=1280; once for each.
    """

    rate: float | None = None
    on_error: Policy = "skip"
    live: bool = False
    gallery: str | Path | None = None
    tracker: str | None = None
    option: Names | None = None

    def source_options(self) -> dict[str, Any]:
        """Return those of them that ``open_source`` takes.

        Raises:
            OptionError: one cannot be used.
        """
        require_positive("rate", self.rate, 5)
        require_known(self.on_error, get_args(Policy), "on-error")
        return {"rate": self.rate, "on_error": self.on_error} | ({"live": True} if self.live else {})

    def task_options(self) -> list[str]:
        """Return all options of tasks as pairs."""
        given = [self.option] if isinstance(self.option, str) else list(self.option or ())
        return given + ([] if self.tracker is None else [f"objects.tracker={self.tracker}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOptions:
    """Rules, and what is done with their alerts.

    Attributes:
        rules: report when the rules of this YAML file are met (see examples/rules.yaml); adds the task rules.
        clips: also write a clip of each alert of the rules, with 3 seconds before and after (alerts of a rule within a
            second share one).
        webhook: post each alert of the rules to this http or https address; alerts that cannot be delivered go to
            undelivered.jsonl in the folder of the results.
        webhook_secret: file with the secret that signs the posts; KINOSCOPE_WEBHOOK_SECRET if not given.
    """

    rules: str | Path | None = None
    clips: bool = False
    webhook: str | None = None
    webhook_secret: str | Path | None = None

    def check(self) -> None:
        """Check that what is given fits together.

        Raises:
            OptionError: it does not.
        """
        if self.rules is None and (self.clips or self.webhook):
            raise OptionError("clips and webhook are about the alerts of rules; give --rules FILE")
        if self.webhook_secret is not None and self.webhook is None:
            raise OptionError("webhook-secret signs the posts of a webhook; give --webhook URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionOptions:
    """People and text that a copy of the video must not show.

    Attributes:
        blur: hide faces, people or text (several separated by commas) in blurred.mp4, and in annotated.mp4 if that is
            asked for; blurred.json says what was hidden. Audio is not changed; the report, its images and the
            timeline still show everything.
        keep: names in the gallery, separated by commas, of people who stay visible; all others are hidden.
        hide_with: blur, pixels (a mosaic) or solid; only solid is irreversible.
    """

    blur: Names | None = None
    keep: Names | None = None
    hide_with: Method = "blur"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Files that are written, and those that may be replaced.

    Attributes:
        export: further formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl.
        annotate: also write annotated.mp4, with boxes, names, subtitles and events drawn in; over what --blur hides.
        library: also add the results to this library, such as films.lance, for `kinoscope search`.
        report: write report.html.
        resume: keep what an earlier call finished in the same folder, and run only the rest.
        overwrite: replace kinoscope's own results of another source or with other options in the folder.
        quiet: show no progress.
    """

    export: Names | None = None
    annotate: bool = False
    library: str | Path | None = None
    report: bool = True
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False


DEFAULT_PROCESSING, NO_ALERTS, NO_REDACTION, DEFAULT_OUTPUT = (
    ProcessingOptions(), AlertOptions(), RedactionOptions(), OutputOptions(),
)  # fmt: skip
"""The defaults of ``analyze``."""


def is_group(annotation: Any) -> bool:
    """Return whether a parameter of a verb is a group of options: a dataclass whose name ends in ``Options``."""
    return isinstance(annotation, type) and is_dataclass(annotation) and annotation.__name__.endswith("Options")
