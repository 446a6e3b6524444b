"""``kinoscope sync``: the offset between audio and lips, active speakers, and the verified repair of the offset."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope.api.analyze import interrupted
from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError, SyncError, wrap_error
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.results import Event
from kinoscope.core.validation import require_number
from kinoscope.pipeline import analysis, inputs
from kinoscope.pipeline.arguments import (
    choose_device,
    choose_limits,
    choose_model,
    choose_time_range,
    choose_video_track,
)
from kinoscope.pipeline.outputs import SourceStatus, analyze_in_memory
from kinoscope.results.analysis import Analysis
from kinoscope.views.timeline import Timeline

MIN_REPAIR_CONFIDENCE = 0.9
"""Confidence from which a video is repaired without ``force``."""


@dataclass
class SyncResult(SourceStatus):
    """The offset of one source, and its repair.

    Attributes:
        timeline: the events, tracks and features of the task ``sync``; None if ``error`` is set.
        fixed: the repaired file.
        after: its measured offset.
        left_out: streams that its container cannot hold.
        written: the written files.
    """

    source: str
    timeline: Timeline | None = None
    error: KinoscopeError | None = None
    fixed: Path | None = None
    after: SyncResult | None = None
    left_out: tuple[str, ...] = ()
    written: list[Path] = field(default_factory=list)

    @property
    def offsets(self) -> list[Event]:
        """The measured offsets: one for the whole video, or one for each segment between changes."""
        events = self.timeline.events("sync") if self.timeline else []
        return [event for event in events if "offset" in event.extra]

    @property
    def reason(self) -> str | None:
        """The reason why there is no offset; None if there is one."""
        if self.timeline is None or self.offsets:
            return None
        report = self.timeline.tasks["sync"]
        events = self.timeline.events("sync")
        reasons = (event.text for event in events if event.label == "not measurable")
        return report.reason or next(reasons, None)

    @property
    def speaking(self) -> list[Event]:
        """The active speakers: an event for each interval of speech."""
        events = self.timeline.events("sync") if self.timeline else []
        return [event for event in events if event.label == "speaking"]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON; times in seconds, offsets positive where the audio is late."""
        if self.timeline is None:
            return {"source": self.source, "error": str(self.error)}
        plain: dict[str, Any] = {"source": self.source, "measurable": bool(self.offsets)}
        if self.error:
            plain["error"] = str(self.error)
        if not self.offsets:
            return plain | {"reason": self.reason}
        plain["offsets"] = [_plain(event) for event in self.offsets]
        plain["speaking"] = [
            {"start": e.start, "end": e.end, "score": round(e.score, 3), "identity": e.text} | e.extra
            for e in self.speaking
        ]
        if self.fixed and self.after:
            plain |= {"fixed": str(self.fixed), "left_out": list(self.left_out), "after": self.after.to_dict()}
        return plain


def _plain(event: Event) -> dict[str, Any]:
    row = {"start": round(event.start, 3), "end": round(event.end, 3), "label": event.label, "text": event.text}
    return row | {"confidence": round(event.score, 4)} | event.extra


@accept_old_names
def sync(
    *sources: str | Path,
    fix: str | Path | None = None,
    force: bool = False,
    out: str | Path | None = None,
    model: str = "auto",
    audio_track: int | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    bounds: str | None = None,
    video_track: int | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[SyncResult]:
    """Measure the offset between audio and lips, and who speaks when; and repair the offset.

    Args:
        sources: video files, folders of videos, URLs.
        fix: file to which the repaired video is written: its audio is shifted by the measured offset, its frames are
            copied as they are. For one source only, and never the source itself.
        force: repair even where the confidence of the measurement is low.
        out: folder for timeline.json and report.html of each source (-o); nothing is written if not given.
        model: folder of a model that `kinoscope train sync` wrote; auto is the bundled one.
        audio_track: which of several audio tracks is used, counted from 0; the file's default if not given.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        overwrite: replace kinoscope's own results of another source or command.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The offset of each source, in order. One that cannot be read never stops the others.

    Raises:
        OptionError: an option cannot be used; raised before anything is read.
    """
    require_number("audio-track", audio_track, 0)
    time_range, track = choose_time_range(start, end), choose_video_track(video_track)
    if force and fix is None:
        raise OptionError("force is about a repair; give --fix FILE")
    names = inputs.expand(sources)
    if fix is not None:
        _demand_one(names, Path(fix))
    options = analysis.AnalysisOptions(
        tasks=["sync"],
        source_options=time_range | {"audio_track": audio_track} | choose_limits(bounds) | track,
        models={"sync": choose_model("sync", model)},
        settings={"sync": {"hits": True}},
        device=choose_device(device),
        quiet=quiet,
        overwrite=overwrite,
        command="sync",
    )

    def fits(name: str, folder: Path) -> bool:
        return analysis.can_hold_results(name, folder, options)

    folders = [None] * len(names) if out is None else inputs.result_folders(names, Path(out), fits)
    with _claimed(names, fix, overwrite):
        results: list[SyncResult] = []
        for name, folder in zip(names, folders, strict=True):
            results.append(_measure(name, folder, options))
            if (timeline := results[-1].timeline) and interrupted(timeline):
                return results
        if fix is not None:
            _repair(results[0], Path(fix), force, options)
        return results


def _claimed(names: list[str], fix: str | Path | None, overwrite: bool) -> AbstractContextManager[None]:
    """Claim the file of a repaired video, before anything is measured."""
    return (
        nullcontext() if fix is None else claim_output(fix, command_id("sync --fix", names), names, overwrite=overwrite)
    )


def _demand_one(names: list[str], fix: Path) -> None:
    """Raise OptionError unless there is one source to repair, and ``fix`` is another file."""
    if len(names) != 1:
        raise OptionError(f"fix repairs one video, and {len(names)} are given; repair them one by one")
    if fix.exists() and Path(names[0]).exists() and fix.samefile(names[0]):
        raise OptionError(f"{fix} is the video itself, which is never overwritten; give another name to fix")


def _measure(name: str, folder: Path | None, options: analysis.AnalysisOptions) -> SyncResult:
    """Measure one source, into a folder if one is given; an error ends up in the result."""
    result = SyncResult(name)
    title = short_name(name)
    try:
        if folder is None:
            result.timeline = analyze_in_memory(name, options, title)
        else:
            job = Analysis(name, folder)
            analysis.run(job, options, title)
            result.timeline, result.error, result.written = job.timeline, job.error, job.written
        if result.timeline and (report := result.timeline.tasks["sync"]).status == "failed":
            raise SourceError(f"{name}: {report.reason}")
    except Exception as error:
        result.error = wrap_error(error, name)
    return result


def _repair(result: SyncResult, fix: Path, force: bool, options: analysis.AnalysisOptions) -> None:
    """Write the repaired video, and measure it again; an error ends up in the result."""
    from kinoscope.source.encode.shift_audio import shift_audio

    try:
        event = _demand_offset(result, force)
        delay, stretch = correction(event)
        remuxed = shift_audio(result.source, fix, delay, stretch, options.source_options["audio_track"])
        result.fixed, result.left_out = fix, remuxed.left_out
        result.written.append(fix)
        result.after = _measure(str(fix), None, options)
    except Exception as error:
        result.error = wrap_error(error, result.source)


def _demand_offset(result: SyncResult, force: bool) -> Event:
    """Return the offset that a repair can use.

    Raises:
        SyncError: there is none, its confidence is low, or there are several.
    """
    if result.error:
        raise result.error
    if not result.offsets:
        raise SyncError(f"{result.source} is not repaired: its offset is not measurable ({result.reason})")
    if len(result.offsets) > 1:
        raise SyncError(
            f"{result.source} is not repaired: its offset changes at {result.offsets[1].start:.2f} s; "
            "cut it there (kinoscope convert --start --end) and repair the parts"
        )
    if "hits" in result.offsets[0].extra and not force:
        raise SyncError(
            f"{result.source} is not repaired: hits show how the offset changes, but its zero only to 100 ms; "
            "check it, and give --force to repair it anyway"
        )
    if result.offsets[0].score < MIN_REPAIR_CONFIDENCE and not force:
        raise SyncError(
            f"{result.source} is not repaired: the confidence is {100 * result.offsets[0].score:.0f} %, below "
            f"{100 * MIN_REPAIR_CONFIDENCE:.0f} %; check it, and give --force to repair it anyway"
        )
    return result.offsets[0]


def correction(event: Event) -> tuple[float, float]:
    """Return the delay in seconds and the stretch factor about time 0 that correct the audio.

    The audio of the frame at time t plays at t + at + rate * t, and has to play at t.
    """
    if "drift" not in event.extra:
        return -float(event.extra["offset"]), 1.0
    rate = float(event.extra["drift"])
    at = float(event.extra["at_start"]) - rate * event.start
    return -at / (1 + rate), 1 / (1 + rate)
