"""``kinoscope sync``: whether sound and lips agree, by how much not, since when; and the repair, with its proof."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope import __version__
from kinoscope.api.analyze import interrupted
from kinoscope.api.arguments import choose_device, choose_limits, choose_model, choose_time_range, choose_video_track
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError, SyncError, wrap_error
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.results import Event, Timeline
from kinoscope.core.validation import require_number
from kinoscope.pipeline import analysis, inputs
from kinoscope.views.console.progress import bar

MIN_REPAIR_CONFIDENCE = 0.9
"""Confidence from which a repair is made without being forced."""


@dataclass
class SyncResult:
    """What was measured of one source, and its repair.

    Attributes:
        timeline: the events, tracks and features of the task ``sync``; None where ``error`` says why there is nothing.
        fixed: the repaired file. after: what was measured of it. left_out: streams that its container cannot hold.
        written: files that were written.
    """

    source: str
    timeline: Timeline | None = None
    error: KinoscopeError | None = None
    fixed: Path | None = None
    after: SyncResult | None = None
    left_out: tuple[str, ...] = ()
    written: list[Path] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 measured, or a right *not measurable*; 1 not all of it could be read; 2 it cannot be opened or repaired."""
        if self.error or self.timeline is None:
            return self.error.status if self.error else 2
        return int(not self.timeline.ok)

    @property
    def offsets(self) -> list[Event]:
        """The measured offsets: one for the whole, or one for each stretch between cuts."""
        events = self.timeline.events_of("sync") if self.timeline else []
        return [event for event in events if "offset" in event.extra]

    @property
    def reason(self) -> str | None:
        """Why there is no offset."""
        if self.timeline is None or self.offsets:
            return None
        report = self.timeline.tasks["sync"]
        told = [event.text for event in self.timeline.events_of("sync") if event.label == "not measurable"]
        return report.reason or (told[0] if told else None)

    @property
    def speaking(self) -> list[Event]:
        """Who speaks, and when."""
        events = self.timeline.events_of("sync") if self.timeline else []
        return [event for event in events if event.label == "speaking"]

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form; times in seconds, offsets positive where the sound is late."""
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
    facts = {"start": round(event.start, 3), "end": round(event.end, 3), "label": event.label, "text": event.text}
    return facts | {"confidence": round(event.score, 4)} | event.extra


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
    """Measure by how much audio and lips are out of sync, and who speaks when; and repair it.

    Args:
        sources: video files, folders of videos, URLs.
        fix: file to which the repaired video is written: its audio is moved to where it belongs, its frames are copied
            as they are. For one source only, and never the source itself.
        force: repair even where the confidence of the measurement is low.
        out: folder for timeline.json and report.html of each source (-o); nothing is written if not given.
        model: folder of a model that `kinoscope train sync` wrote; auto is the one that comes with kinoscope.
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
        What was measured of each source, in order. One that cannot be read never stops the others.

    Raises:
        OptionError: an option cannot be used; nothing has been read then.
    """
    require_number("audio-track", audio_track, 0)
    span, picture = choose_time_range(start, end), choose_video_track(video_track)
    if force and fix is None:
        raise OptionError("force is about a repair; give --fix FILE")
    names = inputs.expand(sources)
    if fix is not None:
        _demand_one(names, Path(fix))
    options = analysis.AnalysisOptions(
        tasks=["sync"],
        reading=span | {"audio_track": audio_track} | choose_limits(bounds) | picture,
        models={"sync": choose_model("sync", model)},
        settings={"sync": {"hits": True}},
        device=choose_device(device),
        quiet=quiet,
        overwrite=overwrite,
        verb="sync",
    )

    def fits(name: str, folder: Path) -> bool:
        return analysis.can_hold_results(name, folder, options)

    folders = [None] * len(names) if out is None else inputs.result_folders(names, Path(out), fits)
    with _claimed(names, fix, overwrite):
        done: list[SyncResult] = []
        for name, folder in zip(names, folders, strict=True):
            done.append(_measure(name, folder, options))
            if (timeline := done[-1].timeline) and interrupted(timeline):
                return done
        if fix is not None:
            _repair(done[0], Path(fix), force, options)
        return done


def _claimed(names: list[str], fix: str | Path | None, overwrite: bool) -> AbstractContextManager[None]:
    """Claim the file of a repaired video, before anything is measured."""
    return (
        nullcontext() if fix is None else claim_output(fix, command_id("sync --fix", names), names, overwrite=overwrite)
    )


def _demand_one(names: list[str], fix: Path) -> None:
    if len(names) != 1:
        raise OptionError(f"fix repairs one video, and {len(names)} are given; repair them one by one")
    if fix.exists() and Path(names[0]).exists() and fix.samefile(names[0]):
        raise OptionError(f"{fix} is the video itself, which is never overwritten; give another name to fix")


def _measure(name: str, folder: Path | None, options: analysis.AnalysisOptions) -> SyncResult:
    one = SyncResult(name)
    title = short_name(name)
    try:
        if folder is None:
            one.timeline = _look(name, options, title)
        else:
            job = analysis.Analysis(name, folder)
            analysis.run(job, options, title)
            one.timeline, one.error, one.written = job.timeline, job.error, job.written
        if one.timeline and (report := one.timeline.tasks["sync"]).status == "failed":
            raise SourceError(f"{name}: {report.reason}")
    except Exception as error:
        one.error = wrap_error(error, name)
    return one


def _look(name: str, options: analysis.AnalysisOptions, title: str) -> Timeline:
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    tasks = analysis.make_tasks(options.tasks, options.models, options.device, options.settings)
    with open_source(name, **options.reading) as source, bar(title, options.quiet) as progress:
        return engine.run(source, tasks, timeline=Timeline(version=__version__), progress=progress)


def _repair(one: SyncResult, fix: Path, force: bool, options: analysis.AnalysisOptions) -> None:
    """Write the repaired video, and measure it again; what keeps that from being done ends up in ``error``."""
    from kinoscope.source.encode.shift_audio import shift_audio

    try:
        event = _demand_offset(one, force)
        delay, stretch = correction(event)
        done = shift_audio(one.source, fix, delay, stretch, options.reading["audio_track"])
        one.fixed, one.left_out = fix, done.left_out
        one.written.append(fix)
        one.after = _measure(str(fix), None, options)
    except Exception as error:
        one.error = wrap_error(error, one.source)


def _demand_offset(one: SyncResult, force: bool) -> Event:
    """Give the one offset that a repair can go by.

    Raises:
        SyncError: there is none, it is not sure, or there are several.
    """
    if one.error:
        raise one.error
    if not one.offsets:
        raise SyncError(f"{one.source} is not repaired: its offset is not measurable ({one.reason})")
    if len(one.offsets) > 1:
        raise SyncError(
            f"{one.source} is not repaired: its offset changes at {one.offsets[1].start:.2f} s; "
            "cut it there (kinoscope convert --start --end) and repair the parts"
        )
    if "hits" in one.offsets[0].extra and not force:
        raise SyncError(
            f"{one.source} is not repaired: hits tell by how much sound has moved, but its zero only to 100 ms; "
            "look at it, and give --force to repair it all the same"
        )
    if one.offsets[0].score < MIN_REPAIR_CONFIDENCE and not force:
        raise SyncError(
            f"{one.source} is not repaired: the measure is {100 * one.offsets[0].score:.0f} % sure, and "
            f"{100 * MIN_REPAIR_CONFIDENCE:.0f} % are asked for; look at it, and give --force to repair it all the same"
        )
    return one.offsets[0]


def correction(event: Event) -> tuple[float, float]:
    """Give by how many seconds sound is to be moved, and by how much it is to be stretched about its time 0.

    Sound of the picture at t is heard at t + at + rate * t, and is to be heard at t.
    """
    if "drift" not in event.extra:
        return -float(event.extra["offset"]), 1.0
    rate = float(event.extra["drift"])
    at = float(event.extra["at_start"]) - rate * event.start
    return -at / (1 + rate), 1 / (1 + rate)
