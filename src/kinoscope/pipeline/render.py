"""Rendering of the output videos of an analysis: a redacted one and an annotated one.

Both are made in one second decode, since tracks are final only when the first is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import KinoscopeError, PrivacyError
from kinoscope.core.files import atomic_write, remove
from kinoscope.views.video.redaction_plan import KINDS, Method

if TYPE_CHECKING:
    from kinoscope.core.media import Frame
    from kinoscope.source.base import Source
    from kinoscope.views.timeline import Timeline
    from kinoscope.views.video.redact import Redactor


ANNOTATED, BLURRED, LOG = "annotated.mp4", "blurred.mp4", "blurred.json"

MOTION_SHARE = 0.005
"""Share of the frame that changes from which every frame is processed: a head that moves by a twentieth of its size."""

REDACTION_SETTINGS: dict[str, dict[str, Any]] = {
    "faces": {"rate": None, "idle_rate": 12.5, "motion_share": MOTION_SHARE, "search_rate": 6.25, "static_levels": 1,
              "max_side": 1280, "min_face_side": 20, "min_scores": (0.6, 0.7, 0.7), "min_track_score": 0.7,
              "include_doubtful": True},
    "objects": {"rate": None, "idle_rate": 12.5, "motion_share": MOTION_SHARE, "static_levels": 1, "min_score": 0.2,
                "min_track_score": 0.3, "doubtful_labels": ("person",)},
    "text": {"rate": None, "idle_rate": 5.0, "motion_share": MOTION_SHARE, "static_levels": 1, "max_side": 1280,
             "min_score": 0.3, "min_track_score": 0.35, "include_doubtful": True},
}  # fmt: skip
"""Settings of the tasks for redaction: a false detection costs little, and a missed one cannot be undone. They run
often, detect small objects too, and keep short and doubtful tracks."""


@dataclass(frozen=True)
class Redaction:
    """Kinds of content that a redacted video must not show.

    Attributes:
        kinds: of ``views.video.redaction_plan.KINDS``.
        keep: names of the people who stay visible.
        method: blur, pixels or solid.
    """

    kinds: tuple[str, ...]
    keep: tuple[str, ...] = ()
    method: Method = "blur"


def tasks_for(redaction: Redaction) -> list[str]:
    """Return the tasks that detect what is redacted, and those that identify who stays visible."""
    tasks = [KINDS[kind][0] for kind in redaction.kinds]
    return [*tasks, "faces", "recognize"] if redaction.keep else tasks


def remove_redacted(folder: Path) -> None:
    """Remove the redacted video of an earlier run, which may show more: it must not be mistaken for the new one.

    Raises:
        OutputError: it cannot be removed.
    """
    for name in (BLURRED, LOG):
        remove(folder / name)


def render_videos(
    source: Source,
    timeline: Timeline,
    folder: Path,
    redaction: Redaction | None,
    annotate: bool,
    audio_from: str | None,
    progress: ProgressCallback | None = None,
) -> list[Path]:
    """Write the requested videos; return their paths, and that of the redaction log.

    Annotations are drawn over the redacted frames, so that no video shows what is redacted.

    Args:
        source: opened again.
        timeline: the results of the analysis.
        folder: of the videos.
        redaction: what to redact; None for nothing.
        annotate: draw all results.
        audio_from: file whose audio is copied.
        progress: called with the seconds written and the total.

    Raises:
        PrivacyError: something might stay visible; no video was written.
        OutputError: a file cannot be written.
    """
    from kinoscope.views.video.annotate import Annotator

    redactor = _redactor(source, timeline, redaction) if redaction else None
    transforms = {BLURRED: redactor.draw} if redactor else {}
    transforms |= {ANNOTATED: Annotator(timeline).draw} if annotate else {}
    _write(
        source,
        timeline,
        {folder / name: transform for name, transform in transforms.items()},
        audio_from,
        progress,
        bool(redactor),
    )
    written = [folder / name for name in transforms]
    return [*written, _log(redactor, timeline, folder, bool(audio_from))] if redactor else written


def _redactor(source: Source, timeline: Timeline, redaction: Redaction) -> Redactor:
    from kinoscope.views.video.redact import Redactor
    from kinoscope.views.video.redaction_plan import plan

    try:
        if source.info.live:
            raise PrivacyError("it is live and cannot be read twice; record it first")
        if not source.info.width:
            raise PrivacyError("it has no video")
        return Redactor(plan(timeline, redaction.kinds, redaction.keep), redaction.method)
    except PrivacyError as error:
        raise PrivacyError(f"{source.info.path}: no {BLURRED} was written: {error}") from None


def _write(
    source: Source,
    timeline: Timeline,
    transforms: dict[Path, Callable[[Frame], Frame]],
    audio_from: str | None,
    progress: ProgressCallback | None,
    exact: bool,
) -> None:
    """Write a video for each transform, each of which gets the frames of the one before."""
    from kinoscope.source.encode.writer import Writer

    last = float(timeline.times[-1]) if len(timeline.times) else float("inf")
    count = 0
    with ExitStack() as stack:
        info = source.info
        writers = {
            path: stack.enter_context(Writer(path, info.size, info.rate, audio_from, zero=source.begin))
            for path in transforms
        }
        for frame in source.frames():
            if float(frame.time) > last:
                break
            output = frame
            for path, transform in transforms.items():
                output = transform(output)
                writers[path].write(output)
            count += 1
            if progress:
                progress(float(frame.time), last)
        if exact and count != timeline.decode.frames:
            # A frame that was not analyzed may show anything.
            frames = f"{count} frames instead of {timeline.decode.frames}"
            raise PrivacyError(f"{info.path}: no {BLURRED} was written: the second decode had {frames}; try again")


def _log(redactor: Redactor, timeline: Timeline, folder: Path, has_audio: bool) -> Path:
    from kinoscope.views.formats.plain import dumps
    from kinoscope.views.video.redact import audit_log

    try:
        log = {"kinoscope": __version__} | audit_log(redactor, folder / BLURRED, timeline.source, has_audio)
        with atomic_write(folder / LOG) as temporary:
            temporary.write_text(dumps(log) + "\n", encoding="utf-8")
    except (KinoscopeError, OSError):
        remove(folder / BLURRED)  # no video without its log
        raise
    return folder / LOG
