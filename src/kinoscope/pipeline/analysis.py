"""The analysis of one source, step by step: decode and run the tasks, then write what was found."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.core import files
from kinoscope.core.errors import (
    Interrupted,
    KinoscopeError,
    OptionError,
    OutputError,
    OutputExists,
    TimelineError,
    wrap_error,
)
from kinoscope.core.files import write_error
from kinoscope.core.interrupts import Interrupts
from kinoscope.core.results import TaskReport, TaskResult, Timeline, describe_source
from kinoscope.pipeline import inputs as places
from kinoscope.pipeline import render
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.source.base import Source
    from kinoscope.tasks.base import Task


_JSON_TYPES = (bool, int, float, str, tuple, type(None))

BIOMETRIC_TASKS = frozenset({"faces", "appearance", "recognize"})
"""Tasks whose results tell who people are."""

TASK_DEPENDENCIES: Mapping[str, frozenset[str]] = {
    "appearance": frozenset({"objects"}),
    "recognize": frozenset({"objects", "faces", "appearance"}),
    "rules": frozenset({"objects"}),
}
"""Task -> those whose tracks its results name by number."""

RESULT_FOLDERS = ("images", "clips", "csv", "mot", "parquet")
"""Folders of further results, in the folder of an analysis."""


@dataclass
class Analysis:
    """What came of one source: its timeline and the folder that holds it, or the error that stopped it.

    ``library_change`` says what adding it to a library changed: ``added``, ``changed``, ``moved`` or ``same``;
    ``interrupted`` whether the user pressed Ctrl-C; ``notes`` what became of the results that the folder had before;
    ``replaced`` the files of those that are replaced as a whole.
    """

    source: str
    folder: Path
    timeline: Timeline | None = None
    error: KinoscopeError | None = None
    seconds: float = 0.0
    resumed: bool = False
    written: list[Path] = field(default_factory=list)
    library_change: str | None = None
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    failed: bool = False
    replaced: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """0 done; 1 done, but a task failed or reading stopped early; 2 the input or the output cannot be used."""
        if self.error or self.timeline is None:
            return self.error.status if self.error else 2
        return 0 if self.timeline.ok and not self.failed else 1

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form for ``--json``."""
        plain: dict[str, Any] = {"source": self.source, "folder": str(self.folder), "status": self.status}
        if self.error:
            plain["error"] = str(self.error)
        plain |= {"library": self.library_change} if self.library_change else {}
        plain |= {"notes": self.notes} if self.notes else {}
        return plain | ({"timeline": self.timeline.to_dict()} if self.timeline else {})


@dataclass(frozen=True)
class AnalysisOptions:
    """What is asked of every source of a call.

    Attributes:
        reading: options of ``open_source``: start, end, rate, on_error, live.
        tasks, models, device: which tasks, with which card for each, run where.
        settings: further options of a task, by its name, as its class takes them.
        views: names of the further formats to write.
        annotate, clips, report, resume, overwrite, quiet: as in :func:`kinoscope.analyze`.
        verb: the command that asks. also: names of further files that it writes.
        hide: what the video without it, ``blurred.mp4``, is not to show; None for no such video.
    """

    tasks: Sequence[str]
    reading: dict[str, Any] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    device: str = "auto"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: Sequence[str] = ()
    annotate: bool = False
    clips: bool = False
    report: bool = True
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False
    hide: render.RedactionOptions | None = None
    verb: str = "analyze"
    also: Sequence[str] = ()


@contextmanager
def claim(source: str, folder: Path, options: AnalysisOptions) -> Iterator[None]:
    """Claim a folder for the results of a source.

    Raises:
        OutputError: files that are not kinoscope's own are in the way, or the results of another source.
    """
    mark = places.fingerprint(source, options.reading)
    by = files.command_id(options.verb, [source], mark if "sample" in mark else None)
    names = _names(options)
    is_private = not BIOMETRIC_TASKS.isdisjoint(options.tasks) or files.is_private(folder / "timeline.json")
    inputs, difference = places.files_of(source), partial(_difference, folder, mark)
    with files.claim_output(
        folder, by, inputs, names=names, overwrite=options.overwrite, private=is_private, difference=difference
    ):
        yield


def _difference(folder: Path, mark: dict[str, Any]) -> str:
    """Return how the results in a folder differ from what is asked for now: by which options, where that is known."""
    from kinoscope.views.formats.json import read

    try:
        there = read(folder / "timeline.json").extra.get("run")
    except TimelineError:
        return files.DEFAULT_DIFFERENCE
    if not isinstance(there, dict) or any(there.get(key) != mark.get(key) for key in places.SOURCE_KEYS):
        return files.DEFAULT_DIFFERENCE
    names = [name for name in {**there, **mark} if there.get(name) != mark.get(name)]
    told = [f"{_option(name)} {_said(there.get(name))}, now {_said(mark.get(name))}" for name in names]
    return f"with other options ({'; '.join(told)})" if told else files.DEFAULT_DIFFERENCE


def _option(name: str) -> str:
    return "bounds" if name == "limit" else name.replace("_", "-")


def _said(value: object) -> str:
    """Return the value of an option, as a mark keeps it, in words."""
    if value is None:
        return "not given"
    try:
        return f"{float(Fraction(str(value))):.6g}"
    except (ValueError, ArithmeticError):
        return str(value)


def _names(options: AnalysisOptions) -> list[str]:
    """Return the names of the files that will be written, as far as they are known."""
    from kinoscope.views import VIEWS

    names = ["timeline.json", "features.safetensors", *options.also]
    names += ["report.html"] if options.report else []
    names += [render.ANNOTATED] if options.annotate else []
    names += [render.BLURRED, render.LOG] if options.hide else []
    views = (VIEWS[name] for name in options.views)
    return names + [name for view in views for name in view.paths]


def can_hold_results(source: str, folder: Path, options: AnalysisOptions) -> bool:
    """Return whether a folder that nobody named may hold the results of a source."""
    if not options.overwrite and not _may_be_kept(source, options) and (folder / "timeline.json").exists():
        return False
    try:
        with claim(source, folder, options):
            return True
    except OutputExists:
        return False
    except OutputError:  # no other number would help: it is reported when the source has its turn
        return True


def _may_be_kept(source: str, options: AnalysisOptions) -> bool:
    """Return whether earlier results of a source hold of what is read of it now."""
    return options.resume or places.is_repeatable(source)


def run(analysis: Analysis, options: AnalysisOptions, title: str) -> None:
    """Analyse one source into its folder. An error ends up in the analysis, never in the caller."""
    begin = time.perf_counter()
    with Interrupts() as interrupts:
        _run(analysis, options, title, interrupts)
        if interrupts.consume():
            done = Interrupted(f"{analysis.source}: interrupted when it was done; what comes after it is left out")
            analysis.interrupted, analysis.error = True, analysis.error or done
    analysis.seconds = time.perf_counter() - begin


def _run(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    try:
        with claim(analysis.source, analysis.folder, options):
            _look(analysis, options, title, interrupts)
            _write(analysis, options, title, interrupts)
    except KeyboardInterrupt:
        kept = "what was found is kept, not all videos were written" if analysis.timeline else "nothing was found yet"
        analysis.interrupted, analysis.error = True, Interrupted(f"{analysis.source}: interrupted; {kept}")
    except OSError as error:
        analysis.error = write_error(analysis.folder, error)
    except Exception as error:
        analysis.error = wrap_error(error, analysis.source)


def _look(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    """Decode once and run the tasks that are not done yet."""
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    mark = places.fingerprint(analysis.source, options.reading)
    earlier = _earlier(analysis, mark, options)
    if earlier is None and files.is_own(analysis.folder / "timeline.json"):
        analysis.replaced = files.list_results(analysis.folder / "timeline.json", RESULT_FOLDERS)
    missing = [name for name in options.tasks if earlier is None or not options.resume or name not in earlier.tasks]
    before = _drop(analysis, earlier, missing) if earlier else {}
    if options.hide:
        before.clear()  # things are hidden by what is found now, or not at all
    timeline = earlier or Timeline(version=__version__)
    timeline.extra["run"] = mark
    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.reading))
        # What a file says of its source may have been changed, or was true of another day.
        timeline.source |= describe_source(source.info)
        _begin(analysis.folder, options)
        if earlier is not None and not missing:
            analysis.timeline, analysis.resumed = earlier, True
            return
        tasks = make_tasks(missing, options.models, options.device, options.settings)
        if options.report:
            tasks += _preview(analysis, source, timeline)
        progress = stack.enter_context(bar(title, options.quiet))
        analysis.timeline = engine.run(source, tasks, timeline=timeline, progress=progress)
    for name in missing:
        if told := _plain(name, options.settings):
            analysis.timeline.tasks[name].extra["settings"] = told
    _restore(analysis, before)


def _begin(folder: Path, options: AnalysisOptions) -> None:
    """Make the folder ready, once its source is open: what cannot be read leaves earlier results as they are."""
    files.prepare_folder(folder)
    if options.hide:
        render.remove_redacted(folder)


def _drop(analysis: Analysis, earlier: Timeline, tasks: Sequence[str]) -> dict[str, TaskResult]:
    """Remove the tasks that run again, and those built on them, from earlier results; return the valid ones."""
    before = {name: earlier.result_of(name) for name in tasks if name in earlier.tasks}
    for name in before:
        earlier.drop(name)
    for name in [name for name in earlier.tasks if not TASK_DEPENDENCIES.get(name, frozenset()).isdisjoint(tasks)]:
        earlier.drop(name)
        analysis.notes.append(f"{name} was built on what is done anew, and is gone; name it in --tasks, too")
    if kept := [name for name in earlier.tasks if name != "preview"]:
        analysis.notes.append(f"kept from before in {analysis.folder}: {', '.join(kept)}")
    return {name: result for name, result in before.items() if result.report.status == "ok"}


def _restore(analysis: Analysis, before: dict[str, TaskResult]) -> None:
    """Keep the earlier result of a task that fails now."""
    assert analysis.timeline is not None
    for name, result in before.items():
        if (now := analysis.timeline.tasks[name]).status == "failed":
            analysis.timeline.add(name, result)
            analysis.failed = True
            analysis.notes.append(f"{name} failed ({now.reason}); its earlier result is kept")


def _earlier(analysis: Analysis, mark: dict[str, Any], options: AnalysisOptions) -> Timeline | None:
    """Return the earlier analysis of the same file with the same options, as far as it is finished.

    Raises:
        OutputError: the folder holds what was seen of a camera or a stream, which does not come again.
    """
    from kinoscope.views.formats.json import load

    folder = analysis.folder
    if not (folder / "timeline.json").exists():
        return None
    if not _may_be_kept(analysis.source, options) and not options.overwrite:
        raise OutputError(
            f"{folder} holds what {analysis.source} showed before; give --overwrite to replace it, or another folder"
        )
    try:
        timeline = load(folder)
    except TimelineError:
        if options.overwrite:
            return None
        raise
    if timeline.extra.get("run") != mark or not _may_be_kept(analysis.source, options):
        return None
    if not _covers_all(timeline, options.resume):
        analysis.notes.append(f"the results in {folder} were of a reading that was stopped, and are replaced")
        return None
    if options.resume:
        for name in [name for name, task in timeline.tasks.items() if _is_other(name, task, options.settings)]:
            timeline.drop(name)
    return timeline


def _covers_all(timeline: Timeline, resume: bool) -> bool:
    """Return whether earlier results are of all that can be read: of a damaged file, not all can."""
    return timeline.decode.complete or not (resume or timeline.decode.interrupted)


def _is_other(name: str, report: TaskReport, settings: dict[str, dict[str, Any]]) -> bool:
    """Whether a task has to be run again: it did not end well, or was told otherwise than now."""
    # The gallery and the rules may be others by now, and to go by them again costs nothing.
    return (
        report.status != "ok"
        or name in ("recognize", "rules")
        or report.extra.get("settings", {}) != _plain(name, settings)
    )


def _plain(name: str, settings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Give the settings of a task as JSON keeps them, without those that it cannot, such as a gallery."""
    told = {key: value for key, value in settings.get(name, {}).items() if isinstance(value, _JSON_TYPES)}
    return dict(json.loads(json.dumps(told)))


def make_tasks(
    names: Sequence[str],
    models: dict[str, str] | None = None,
    device: str = "auto",
    settings: dict[str, dict[str, Any]] | None = None,
) -> list[Task]:
    """Make fresh tasks by name. The processor's cores are shared out among them."""
    from kinoscope.tasks.registry import TASKS

    threads = max(1, (os.cpu_count() or 1) // max(1, len(names)))
    models, settings = models or {}, settings or {}
    return [
        TASKS[name](model=models.get(name, "auto"), device=device, threads=threads, **settings.get(name, {}))
        for name in names
    ]


def _preview(analysis: Analysis, source: Source, timeline: Timeline) -> list[Task]:
    """Return the task that copies the video for the report, where a browser cannot play the source.

    Raises:
        OutputError: another file has its name.
    """
    from kinoscope.pipeline.preview import Preview

    if not source.info.width or places.is_playable(describe_source(source.info)):
        return []
    path = analysis.folder / "preview.mp4"
    if files.require_free(path) and (done := timeline.tasks.get("preview")) and done.status == "ok":
        return []
    return [Preview(path, _sound_file(analysis, source))]


def _sound_file(analysis: Analysis, source: Source) -> str | None:
    """Give the file whose sound goes along with a drawn or copied picture."""
    return analysis.source if source.info.has_audio and Path(analysis.source).is_file() else None


def _write(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    from kinoscope.views import VIEWS
    from kinoscope.views.formats.json import save

    folder, timeline = analysis.folder, analysis.timeline
    assert timeline is not None
    save(timeline, folder)
    files.remove_replaced(folder / "timeline.json", RESULT_FOLDERS)
    files.discard_stale(analysis.replaced)
    analysis.written.append(folder / "timeline.json")
    if options.clips:
        with interrupts.allowed:
            _cut_clips(analysis, timeline, options)
    for name in options.views:
        VIEWS[name].write(timeline, folder / VIEWS[name].filename)
        analysis.written.append(folder / VIEWS[name].filename)
    if options.report:
        analysis.written.append(_write_report(analysis, timeline))
    if options.hide or (options.annotate and timeline.source.get("width")):
        _draw(analysis, timeline, options, f"{title}: drawing", interrupts)


def _cut_clips(analysis: Analysis, timeline: Timeline, options: AnalysisOptions) -> None:
    """Write a clip of each alert by a second read, and name it in the timeline."""
    from kinoscope.pipeline.alerts.clips import cut_clips
    from kinoscope.views.formats.json import save

    if timeline.source.get("live"):
        raise OptionError(f"{analysis.source} is live and cannot be read again; kinoscope watch takes clips of streams")
    events = timeline.events_of("rules")
    analysis.written += cut_clips(analysis.source, events, analysis.folder / "clips", options.reading)
    save(timeline, analysis.folder)


def _write_report(analysis: Analysis, timeline: Timeline) -> Path:
    from kinoscope.views.pages.report import write_report

    video, folder = None, analysis.folder
    if "preview" in timeline.tasks and files.is_own(folder / "preview.mp4"):
        video = "preview.mp4"
    elif places.is_playable(timeline.source | {"path": analysis.source}):
        video = places.link_beside(Path(analysis.source), folder)
    write_report(timeline, folder / "report.html", video)
    return folder / "report.html"


def _draw(analysis: Analysis, timeline: Timeline, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    """Write the videos that are asked for, in a second decode, which Ctrl-C ends between two frames."""
    from kinoscope.source import open_source

    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.reading))
        progress = stack.enter_context(bar(title, options.quiet))
        audio_from = _sound_file(analysis, source)

        def on_frame(done: float, total: float | None) -> None:
            interrupts.check()
            if progress:
                progress(done, total)

        analysis.written += render.render_videos(
            source, timeline, analysis.folder, options.hide, options.annotate, audio_from, on_frame
        )
