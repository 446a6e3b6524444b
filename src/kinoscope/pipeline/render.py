"""The videos that an analysis leaves: one in which things are hidden, one in which all that was found is drawn.

Both are made in one second decode, since tracks are final only when the first is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.core.errors import KinoscopeError, PrivacyError
from kinoscope.core.files import atomic_write, remove
from kinoscope.core.progress import ProgressCallback
from kinoscope.views.video.redaction_plan import KINDS, Method

if TYPE_CHECKING:
    from kinoscope.core.media import Frame
    from kinoscope.core.results import Timeline
    from kinoscope.source.base import Source
    from kinoscope.views.video.redact import Redactor


ANNOTATED, BLURRED, LOG = "annotated.mp4", "blurred.mp4", "blurred.json"

MOTION_SHARE = 0.005
"""Share of the picture that changes from which every frame is looked at: a head that moves by a twentieth of itself."""

REDACTION_SETTINGS: dict[str, dict[str, Any]] = {
    "faces": {"rate": None, "idle_rate": 12.5, "motion_share": MOTION_SHARE, "search_rate": 6.25, "static_levels": 1,
              "max_side": 1280, "min_face_side": 20, "min_scores": (0.6, 0.7, 0.7), "min_track_score": 0.7,
              "include_doubtful": True},
    "objects": {"rate": None, "idle_rate": 12.5, "motion_share": MOTION_SHARE, "static_levels": 1, "min_score": 0.2,
                "min_track_score": 0.3, "doubtful_labels": ("person",)},
    "text": {"rate": None, "idle_rate": 5.0, "motion_share": MOTION_SHARE, "static_levels": 1, "max_side": 1280,
             "min_score": 0.3, "min_track_score": 0.35, "include_doubtful": True},
}  # fmt: skip
"""Settings of the tasks by which things are hidden: to hide for nothing costs little, and what was seen cannot be taken
back. They look often, for small things too, and what may be one for an instant counts."""


@dataclass(frozen=True)
class RedactionOptions:
    """What is to be hidden.

    Attributes:
        kinds: of ``views.video.redaction_plan.KINDS``.
        keep: names of those who stay visible.
        method: how.
    """

    kinds: tuple[str, ...]
    keep: tuple[str, ...] = ()
    method: Method = "blur"


def tasks_for(hiding: RedactionOptions) -> list[str]:
    """Give the tasks that find what is to be hidden, and who is not."""
    tasks = [KINDS[kind][0] for kind in hiding.kinds]
    return [*tasks, "faces", "recognize"] if hiding.keep else tasks


def remove_redacted(folder: Path) -> None:
    """Remove what an earlier run hid less in: it must not be taken for what comes.

    Raises:
        OutputError: it cannot be removed.
    """
    for name in (BLURRED, LOG):
        remove(folder / name)


def render_videos(
    source: Source,
    timeline: Timeline,
    folder: Path,
    hiding: RedactionOptions | None,
    annotate: bool,
    audio_from: str | None,
    progress: ProgressCallback | None = None,
) -> list[Path]:
    """Write the videos that are asked for; give their paths, and that of the log of what was hidden.

    What is drawn is drawn over what is hidden, so that no video shows it.

    Args:
        source: opened anew.
        hiding: what to hide; None for nothing.
        annotate: whether to draw all that was found.
        audio_from: file whose sound goes along.

    Raises:
        PrivacyError: something might stay visible; no video was written.
        OutputError: a file cannot be written.
    """
    from kinoscope.views.video.annotate import Annotator

    hider = _hider(source, timeline, hiding) if hiding else None
    steps = {BLURRED: hider.draw} if hider else {}
    steps |= {ANNOTATED: Annotator(timeline).draw} if annotate else {}
    _write(source, timeline, {folder / name: step for name, step in steps.items()}, audio_from, progress, bool(hider))
    written = [folder / name for name in steps]
    return [*written, _log(hider, timeline, folder, bool(audio_from))] if hider else written


def _hider(source: Source, timeline: Timeline, hiding: RedactionOptions) -> Redactor:
    from kinoscope.views.video.redact import Redactor
    from kinoscope.views.video.redaction_plan import plan

    try:
        if source.info.live:
            raise PrivacyError("it is live, and cannot be read a second time; record it first")
        if not source.info.width:
            raise PrivacyError("it has no picture")
        return Redactor(plan(timeline, hiding.kinds, hiding.keep), hiding.method)
    except PrivacyError as error:
        raise PrivacyError(f"{source.info.path}: no {BLURRED} was written: {error}") from None


def _write(
    source: Source,
    timeline: Timeline,
    steps: dict[Path, Callable[[Frame], Frame]],
    audio_from: str | None,
    progress: ProgressCallback | None,
    exact: bool,
) -> None:
    """Write a video for each step, each of which gets the frames of the one before."""
    from kinoscope.source.encode.writer import Writer

    last = float(timeline.times[-1]) if len(timeline.times) else float("inf")
    count = 0
    with ExitStack() as stack:
        info = source.info
        writers = {
            path: stack.enter_context(Writer(path, info.size, info.rate, audio_from, zero=source.begin))
            for path in steps
        }
        for frame in source.frames():
            if float(frame.time) > last:
                break
            shown = frame
            for path, step in steps.items():
                shown = step(shown)
                writers[path].write(shown)
            count += 1
            if progress:
                progress(float(frame.time), last)
        if exact and count != timeline.decode.frames:
            # What was not seen the first time may show anything.
            frames = f"{count} frames instead of {timeline.decode.frames}"
            raise PrivacyError(f"{info.path}: no {BLURRED} was written: read a second time it had {frames}; try again")


def _log(hider: Redactor, timeline: Timeline, folder: Path, has_audio: bool) -> Path:
    from kinoscope.views.formats.plain import dumps
    from kinoscope.views.video.redact import audit_log

    try:
        log = {"kinoscope": __version__} | audit_log(hider, folder / BLURRED, timeline.source, has_audio)
        with atomic_write(folder / LOG) as temporary:
            temporary.write_text(dumps(log) + "\n", encoding="utf-8")
    except (KinoscopeError, OSError):
        remove(folder / BLURRED)  # no video without its log
        raise
    return folder / LOG
