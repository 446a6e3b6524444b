"""The analysis of one source, step by step: decode and run the tasks, then write the results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
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
    OptionError,
    OutputError,
    OutputExists,
    PluginError,
    TimelineError,
    wrap_error,
)
from kinoscope.core.files import write_error
from kinoscope.core.interrupts import Interrupts
from kinoscope.core.results import TaskReport, TaskResult, describe_source
from kinoscope.pipeline import inputs as pipeline_inputs
from kinoscope.pipeline import render
from kinoscope.pipeline.own_tasks import OwnTasks, describe_own, make_own
from kinoscope.results.analysis import Analysis
from kinoscope.tasks.base import PostTask, Task
from kinoscope.tasks.registry import find_task
from kinoscope.views.console.progress import bar
from kinoscope.views.registry import find_view
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.source.base import Source


_JSON_TYPES = (bool, int, float, str, tuple, type(None))

RESULT_FOLDERS = ("images", "pictures", "clips", "csv", "mot", "parquet")
"""Folders of further results, in the folder of an analysis; earlier versions called that of the images ``pictures``."""


@dataclass(frozen=True)
class AnalysisOptions:
    """The options of a call, for each of its sources.

    Attributes:
        tasks, models, device: which tasks run, with which card each, on which device.
        source_options: options of ``open_source``: start, end, rate, on_error, live.
        settings: further arguments of a task, by its name, as its class takes them.
        own_tasks: tasks that are given as instances or classes, by name.
        views: names of the further formats to write.
        annotate, clips, report, resume, overwrite, quiet: as in :func:`kinoscope.analyze`.
        redaction: what the redacted video, ``blurred.mp4``, must not show; None for no such video.
        command: the command that asks.
        extra_files: names of further files that it writes.
    """

    tasks: Sequence[str]
    source_options: dict[str, Any] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    device: str = "auto"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    own_tasks: OwnTasks = field(default_factory=dict)
    views: Sequence[str] = ()
    annotate: bool = False
    clips: bool = False
    report: bool = True
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False
    redaction: render.Redaction | None = None
    command: str = "analyze"
    extra_files: Sequence[str] = ()

    def task_class(self, name: str) -> type[Task]:
        """Return the class of a task of this call, or of the registry."""
        own = self.own_tasks.get(name)
        if own is None:
            return find_task(name)
        return own if isinstance(own, type) else type(own)

    def make_tasks(self, names: Sequence[str]) -> list[Task]:
        """Create some of the tasks for one source. The CPU cores are divided among them."""
        threads = max(1, (os.cpu_count() or 1) // max(1, len(names)))
        return [self._make_task(name, threads) for name in names]

    def _make_task(self, name: str, threads: int) -> Task:
        model, settings = self.models.get(name, "auto"), self.settings.get(name, {})
        if name in self.own_tasks:
            return make_own(name, self.own_tasks[name], model, self.device, threads, settings)
        return find_task(name)(model=model, device=self.device, threads=threads, **settings)


@contextmanager
def claim(source: str, folder: Path, options: AnalysisOptions) -> Iterator[None]:
    """Claim a folder for the results of a source.

    Raises:
        OutputError: files that are not kinoscope's own are in the way, or the results of another source.
    """
    fingerprint = pipeline_inputs.fingerprint(source, options.source_options)
    command_id = files.command_id(options.command, [source], fingerprint if "sample" in fingerprint else None)
    names = _names(options)
    is_private = any(options.task_class(name).biometric for name in options.tasks) or files.is_private(
        folder / "timeline.json"
    )
    inputs, difference = pipeline_inputs.files_of(source), partial(_difference, folder, fingerprint)
    with files.claim_output(
        folder, command_id, inputs, names=names, overwrite=options.overwrite, private=is_private, difference=difference
    ):
        yield


def _difference(folder: Path, fingerprint: dict[str, Any]) -> str:
    """Return how the results in a folder differ from those requested now: by which options, if known."""
    from kinoscope.views.formats.json import read

    try:
        earlier = read(folder / "timeline.json").extra.get("run")
    except TimelineError:
        return files.DEFAULT_DIFFERENCE
    if not isinstance(earlier, dict) or any(
        earlier.get(key) != fingerprint.get(key) for key in pipeline_inputs.SOURCE_KEYS
    ):
        return files.DEFAULT_DIFFERENCE
    names = [name for name in {**earlier, **fingerprint} if earlier.get(name) != fingerprint.get(name)]
    differences = [
        f"{_format_option(name)} {_format_value(earlier.get(name))}, now {_format_value(fingerprint.get(name))}"
        for name in names
    ]
    return f"with other options ({'; '.join(differences)})" if differences else files.DEFAULT_DIFFERENCE


def _format_option(name: str) -> str:
    return "bounds" if name == "limit" else name.replace("_", "-")


def _format_value(value: object) -> str:
    """Return the value of an option in a fingerprint, as text."""
    if value is None:
        return "not given"
    try:
        return f"{float(Fraction(str(value))):.6g}"
    except (ValueError, ArithmeticError):
        return str(value)


def _names(options: AnalysisOptions) -> list[str]:
    """Return the names of the files that will be written, as far as they are known."""
    names = ["timeline.json", "features.safetensors", *options.extra_files]
    names += ["report.html"] if options.report else []
    names += [render.ANNOTATED] if options.annotate else []
    names += [render.BLURRED, render.LOG] if options.redaction else []
    views = (find_view(name) for name in options.views)
    return names + [name for view in views for name in view.paths]


def can_hold_results(source: str, folder: Path, options: AnalysisOptions) -> bool:
    """Return whether a folder that the user did not name may hold the results of a source."""
    if not options.overwrite and not _is_reusable(source, options) and (folder / "timeline.json").exists():
        return False
    try:
        with claim(source, folder, options):
            return True
    except OutputExists:
        return False
    except OutputError:  # no other number would help: it is reported when the source is processed
        return True


def _is_reusable(source: str, options: AnalysisOptions) -> bool:
    """Return whether earlier results of a source are valid for what is read of it now."""
    return options.resume or pipeline_inputs.is_repeatable(source)


def run(analysis: Analysis, options: AnalysisOptions, title: str) -> None:
    """Analyze one source into its folder. An error is stored in the analysis, never raised."""
    started = time.perf_counter()
    with Interrupts() as interrupts:
        _run(analysis, options, title, interrupts)
        if interrupts.consume():
            interruption = Interrupted(
                f"{analysis.source}: interrupted when it was done; the following sources are left out"
            )
            analysis.interrupted, analysis.error = True, analysis.error or interruption
    analysis.seconds = time.perf_counter() - started


def _run(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    try:
        with claim(analysis.source, analysis.folder, options):
            _decode_and_run(analysis, options, title, interrupts)
            _write(analysis, options, title, interrupts)
    except KeyboardInterrupt:
        outcome = (
            "the results are saved, not all videos were written" if analysis.timeline else "there are no results yet"
        )
        analysis.interrupted, analysis.error = True, Interrupted(f"{analysis.source}: interrupted; {outcome}")
    except OSError as error:
        analysis.error = write_error(analysis.folder, error)
    except Exception as error:
        analysis.error = wrap_error(error, analysis.source)


def _decode_and_run(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
    """Decode once and run the tasks that are not done yet."""
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    fingerprint = pipeline_inputs.fingerprint(analysis.source, options.source_options)
    earlier = _load_earlier(analysis, fingerprint, options)
    if earlier is None and files.is_own(analysis.folder / "timeline.json"):
        analysis.replaced = files.list_results(analysis.folder / "timeline.json", RESULT_FOLDERS)
    remaining_tasks = [
        name for name in options.tasks if earlier is None or not options.resume or name not in earlier.tasks
    ]
    earlier_results = _drop(analysis, earlier, remaining_tasks, options) if earlier else {}
    if options.redaction:
        earlier_results.clear()  # redaction uses the results of this run, or there is no redacted video
    timeline = earlier or Timeline(version=__version__)
    timeline.extra["run"] = fingerprint
    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.source_options))
        # The metadata in a file may have been edited, or be out of date.
        timeline.source |= describe_source(source.info)
        _prepare_folder(analysis.folder, options)
        if earlier is not None and not remaining_tasks:
            analysis.timeline, analysis.resumed = earlier, True
            return
        tasks = options.make_tasks(remaining_tasks)
        if options.report:
            tasks += _preview(analysis, source, timeline)
        progress = stack.enter_context(bar(title, options.quiet))
        analysis.timeline = engine.run(source, tasks, timeline=timeline, progress=progress)
    for name in remaining_tasks:
        if plain_settings := _plain(name, options):
            analysis.timeline.tasks[name].extra["settings"] = plain_settings
    _restore(analysis, earlier_results)


def _prepare_folder(folder: Path, options: AnalysisOptions) -> None:
    """Prepare the folder, once its source is open: an unreadable source leaves earlier results unchanged."""
    files.prepare_folder(folder)
    if options.redaction:
        render.remove_redacted(folder)


def _drop(
    analysis: Analysis, earlier: Timeline, tasks: Sequence[str], options: AnalysisOptions
) -> dict[str, TaskResult]:
    """Remove the tasks that run again, and those that depend on them, from earlier results; return the valid ones."""
    earlier_results = {name: earlier.result_of(name) for name in tasks if name in earlier.tasks}
    for name in earlier_results:
        earlier.drop(name)
    for name in [name for name in earlier.tasks if not _dependencies(name, options).isdisjoint(tasks)]:
        earlier.drop(name)
        analysis.notes.append(f"{name} depended on a task that runs again, and is removed; name it in --tasks, too")
    if remaining := [name for name in earlier.tasks if name != "preview"]:
        analysis.notes.append(f"earlier results kept in {analysis.folder}: {', '.join(remaining)}")
    return {name: result for name, result in earlier_results.items() if result.report.status == "ok"}


def _dependencies(name: str, options: AnalysisOptions) -> frozenset[str]:
    """Return the tasks that an earlier result depends on; none if its task is not known here."""
    try:
        return options.task_class(name).depends_on
    except (OptionError, PluginError):
        return frozenset()


def _restore(analysis: Analysis, earlier_results: dict[str, TaskResult]) -> None:
    """Restore the earlier result of a task that fails now."""
    assert analysis.timeline is not None
    for name, result in earlier_results.items():
        if (report := analysis.timeline.tasks[name]).status == "failed":
            analysis.timeline.add(name, result)
            analysis.failed = True
            analysis.notes.append(f"{name} failed ({report.reason}); its earlier result is kept")


def _load_earlier(analysis: Analysis, fingerprint: dict[str, Any], options: AnalysisOptions) -> Timeline | None:
    """Return the earlier analysis of the same file with the same options, as far as it is complete.

    Raises:
        OutputError: the folder holds results of a camera or a stream, which cannot be read again.
    """
    from kinoscope.views.formats.json import load

    folder = analysis.folder
    if not (folder / "timeline.json").exists():
        return None
    if not _is_reusable(analysis.source, options) and not options.overwrite:
        raise OutputError(
            f"{folder} holds earlier results of {analysis.source}; give --overwrite to replace them, or another folder"
        )
    try:
        timeline = load(folder)
    except TimelineError:
        if options.overwrite:
            return None
        raise
    if timeline.extra.get("run") != fingerprint or not _is_reusable(analysis.source, options):
        return None
    if not _covers_all(timeline, options.resume):
        analysis.notes.append(f"the results in {folder} were incomplete, as reading was stopped, and are replaced")
        return None
    if options.resume:
        for name in [name for name, task in timeline.tasks.items() if _must_rerun(name, task, options)]:
            timeline.drop(name)
    return timeline


def _covers_all(timeline: Timeline, resume: bool) -> bool:
    """Return whether earlier results cover all that can be read: of a damaged file, not all can."""
    return timeline.decode.complete or not (resume or timeline.decode.interrupted)


def _must_rerun(name: str, report: TaskReport, options: AnalysisOptions) -> bool:
    """Return whether a task must run again: it did not succeed, had other settings, or its input may have changed."""
    if report.status != "ok":
        return True
    if name not in options.tasks:
        return False
    kind = options.task_class(name)
    # The gallery and the rules may have changed, and these tasks are cheap.
    input_may_differ = issubclass(kind, PostTask) and kind.required_input is not None
    return input_may_differ or report.extra.get("settings", {}) != _plain(name, options)


def _plain(name: str, options: AnalysisOptions) -> dict[str, Any]:
    """Return the settings of a task as JSON stores them, without those that it cannot, such as a gallery."""
    settings = options.settings.get(name, {})
    if (own := options.own_tasks.get(name)) is not None:
        settings = describe_own(own, settings)
    serializable = {key: value for key, value in settings.items() if isinstance(value, _JSON_TYPES)}
    return dict(json.loads(json.dumps(serializable)))


def _preview(analysis: Analysis, source: Source, timeline: Timeline) -> list[Task]:
    """Return the task that copies the video for the report, if a browser cannot play the source.

    Raises:
        OutputError: another file has its name.
    """
    from kinoscope.pipeline.preview import Preview

    if not source.info.width or pipeline_inputs.is_playable(describe_source(source.info)):
        return []
    path = analysis.folder / "preview.mp4"
    if files.require_free(path) and (done := timeline.tasks.get("preview")) and done.status == "ok":
        return []
    return [Preview(path, _audio_file(analysis, source))]


def _audio_file(analysis: Analysis, source: Source) -> str | None:
    """Return the file whose audio is copied into a rendered or copied video."""
    return analysis.source if source.info.has_audio and Path(analysis.source).is_file() else None


def _write(analysis: Analysis, options: AnalysisOptions, title: str, interrupts: Interrupts) -> None:
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
        view = find_view(name)
        view.write(timeline, folder / view.filename)
        analysis.written.append(folder / view.filename)
    if options.report:
        analysis.written.append(_write_report(analysis, timeline))
    if options.redaction or (options.annotate and timeline.source.get("width")):
        _render(analysis, timeline, options, f"{title}: rendering", interrupts)


def _cut_clips(analysis: Analysis, timeline: Timeline, options: AnalysisOptions) -> None:
    """Write a clip of each alert by a second decode, and store its name in the timeline."""
    from kinoscope.pipeline.alerts.clips import cut_clips
    from kinoscope.views.formats.json import save

    if timeline.source.get("live"):
        raise OptionError(
            f"{analysis.source} is live and cannot be read twice; kinoscope watch records clips of streams"
        )
    events = timeline.events("rules")
    analysis.written += cut_clips(analysis.source, events, analysis.folder / "clips", options.source_options)
    save(timeline, analysis.folder)


def _write_report(analysis: Analysis, timeline: Timeline) -> Path:
    from kinoscope.views.pages.report import write_report

    video, folder = None, analysis.folder
    if "preview" in timeline.tasks and files.is_own(folder / "preview.mp4"):
        video = "preview.mp4"
    elif pipeline_inputs.is_playable(timeline.source | {"path": analysis.source}):
        video = pipeline_inputs.link_beside(Path(analysis.source), folder)
    write_report(timeline, folder / "report.html", video)
    return folder / "report.html"


def _render(
    analysis: Analysis, timeline: Timeline, options: AnalysisOptions, title: str, interrupts: Interrupts
) -> None:
    """Write the requested videos, in a second decode, which Ctrl-C ends between two frames."""
    from kinoscope.source import open_source

    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.source_options))
        progress = stack.enter_context(bar(title, options.quiet))
        audio_from = _audio_file(analysis, source)

        def on_frame(done: float, total: float | None) -> None:
            interrupts.check()
            if progress:
                progress(done, total)

        analysis.written += render.render_videos(
            source, timeline, analysis.folder, options.redaction, options.annotate, audio_from, on_frame
        )
