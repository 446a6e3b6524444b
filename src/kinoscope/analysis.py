"""The analysis of one source, step by step: decode and run the tasks, then write what was found."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__, drawing, places
from kinoscope.core.errors import Interrupted, KinoscopeError, OptionError, as_error
from kinoscope.core.files import cannot_write
from kinoscope.core.interrupts import Interrupts
from kinoscope.core.results import TaskReport, Timeline, describe_source
from kinoscope.progress import bar

if TYPE_CHECKING:
    from kinoscope.source.base import Source
    from kinoscope.tasks.base import Task


_PLAIN = (bool, int, float, str, tuple, type(None))


@dataclass
class Analysis:
    """What came of one source: its timeline and the folder that holds it, or the error that stopped it.

    ``kept`` says what adding it to a library changed: ``added``, ``changed``, ``moved`` or ``same``; ``interrupted``
    whether somebody pressed Ctrl-C.
    """

    source: str
    folder: Path
    timeline: Timeline | None = None
    error: KinoscopeError | None = None
    seconds: float = 0.0
    resumed: bool = False
    written: list[Path] = field(default_factory=list)
    kept: str | None = None
    interrupted: bool = False

    @property
    def status(self) -> int:
        """0 done; 1 done, but a task failed or reading stopped early; 2 the input or the output cannot be used."""
        if self.error or self.timeline is None:
            return self.error.status if self.error else 2
        return 0 if self.timeline.ok else 1

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form for ``--json``."""
        plain: dict[str, Any] = {"source": self.source, "folder": str(self.folder), "status": self.status}
        if self.error:
            plain["error"] = str(self.error)
        plain |= {"library": self.kept} if self.kept else {}
        return plain | ({"timeline": self.timeline.to_dict()} if self.timeline else {})


@dataclass(frozen=True)
class Options:
    """What is asked of every source of a call.

    Attributes:
        reading: options of ``open_source``: start, end, rate, on_error, live.
        tasks, models, device: which tasks, with which card for each, run where.
        settings: further options of a task, by its name, as its class takes them.
        views: names of the further formats to write.
        annotate, clips, report, resume, quiet: as in :func:`kinoscope.analyze`.
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
    quiet: bool = False
    hide: drawing.Hiding | None = None


def run(analysis: Analysis, options: Options, title: str) -> None:
    """Analyse one source into its folder. An error ends up in the analysis, never in the caller."""
    begin = time.perf_counter()
    with Interrupts() as interrupts:
        _run(analysis, options, title, interrupts)
        if interrupts.take():
            done = Interrupted(f"{analysis.source}: interrupted when it was done; what comes after it is left out")
            analysis.interrupted, analysis.error = True, analysis.error or done
    analysis.seconds = time.perf_counter() - begin


def _run(analysis: Analysis, options: Options, title: str, interrupts: Interrupts) -> None:
    try:
        _look(analysis, options, title, interrupts)
        _write(analysis, options, title, interrupts)
    except KeyboardInterrupt:
        kept = "what was found is kept, not all videos were written" if analysis.timeline else "nothing was found yet"
        analysis.interrupted, analysis.error = True, Interrupted(f"{analysis.source}: interrupted; {kept}")
    except OSError as error:
        analysis.error = cannot_write(analysis.folder, error)
    except Exception as error:
        analysis.error = as_error(error, analysis.source)


def _look(analysis: Analysis, options: Options, title: str, interrupts: Interrupts) -> None:
    """Decode once and run the tasks that are not done yet."""
    from kinoscope import engine
    from kinoscope.source import open_source

    mark = places.fingerprint(analysis.source, options.reading)
    earlier = _earlier(analysis.folder, mark, options.settings) if options.resume else None
    missing = [name for name in options.tasks if earlier is None or name not in earlier.tasks]
    if earlier is not None and not missing:
        _begin(analysis.folder, options)
        analysis.timeline, analysis.resumed = earlier, True
        return
    timeline = earlier or Timeline(version=__version__)
    timeline.extra["run"] = mark
    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.reading))
        _begin(analysis.folder, options)
        tasks = make_tasks(missing, options.models, options.device, options.settings)
        if options.report:
            tasks += _preview(analysis, source)
        progress = stack.enter_context(bar(title, options.quiet))
        analysis.timeline = engine.run(source, tasks, timeline=timeline, progress=progress)
    for name in missing:
        if told := _plain(name, options.settings):
            analysis.timeline.tasks[name].extra["settings"] = told


def _begin(folder: Path, options: Options) -> None:
    """Make the folder ready, once its source is open: what cannot be read leaves earlier results as they are."""
    places.prepare(folder)
    if options.hide:
        drawing.forget(folder)


def _earlier(folder: Path, mark: dict[str, Any], settings: dict[str, dict[str, Any]]) -> Timeline | None:
    """Give the finished part of an earlier analysis of the same file with the same options."""
    from kinoscope.views.json import load

    if not (folder / "timeline.json").exists():
        return None
    timeline = load(folder)
    if timeline.extra.get("run") != mark or not timeline.decode.complete:
        return None
    for name in [name for name, task in timeline.tasks.items() if _is_other(name, task, settings)]:
        timeline.drop(name)
    return timeline


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
    told = {key: value for key, value in settings.get(name, {}).items() if isinstance(value, _PLAIN)}
    return dict(json.loads(json.dumps(told)))


def make_tasks(
    names: Sequence[str],
    models: dict[str, str] | None = None,
    device: str = "auto",
    settings: dict[str, dict[str, Any]] | None = None,
) -> list[Task]:
    """Make fresh tasks by name. The processor's cores are shared out among them."""
    from kinoscope.tasks.table import TASKS

    threads = max(1, (os.cpu_count() or 1) // max(1, len(names)))
    models, settings = models or {}, settings or {}
    return [
        TASKS[name](model=models.get(name, "auto"), device=device, threads=threads, **settings.get(name, {}))
        for name in names
    ]


def _preview(analysis: Analysis, source: Source) -> list[Task]:
    """Give the task that copies the video for the report, where a browser cannot play the source."""
    from kinoscope.tasks.preview import Preview

    if not source.info.width or places.playable(describe_source(source.info)):
        return []
    return [Preview(analysis.folder / "preview.mp4", _sound_file(analysis, source))]


def _sound_file(analysis: Analysis, source: Source) -> str | None:
    """Give the file whose sound goes along with a drawn or copied picture."""
    return analysis.source if source.info.has_sound and Path(analysis.source).is_file() else None


def _write(analysis: Analysis, options: Options, title: str, interrupts: Interrupts) -> None:
    from kinoscope.views import VIEWS
    from kinoscope.views.json import save

    folder, timeline = analysis.folder, analysis.timeline
    assert timeline is not None
    save(timeline, folder)
    analysis.written.append(folder / "timeline.json")
    if options.clips:
        with interrupts.allowed:
            _cut_clips(analysis, timeline, options)
    for name in options.views:
        VIEWS[name].write(timeline, folder / VIEWS[name].filename)
        analysis.written.append(folder / VIEWS[name].filename)
    if options.report:
        analysis.written.append(_write_report(timeline, folder))
    if options.hide or (options.annotate and timeline.source.get("width")):
        _draw(analysis, timeline, options, f"{title}: drawing", interrupts)


def _cut_clips(analysis: Analysis, timeline: Timeline, options: Options) -> None:
    """Write a clip of each alert by a second read, and name it in the timeline."""
    from kinoscope.alerts.clips import cut_clips
    from kinoscope.views.json import save

    if timeline.source.get("live"):
        raise OptionError(f"{analysis.source} is live and cannot be read again; kinoscope watch takes clips of streams")
    events = timeline.events_of("rules")
    analysis.written += cut_clips(analysis.source, events, analysis.folder / "clips", options.reading)
    save(timeline, analysis.folder)


def _write_report(timeline: Timeline, folder: Path) -> Path:
    from kinoscope.views.report import write_report

    video = None
    if (folder / "preview.mp4").exists():
        video = "preview.mp4"
    elif places.playable(timeline.source):
        video = places.place_beside(Path(str(timeline.source["path"])), folder)
    write_report(timeline, folder / "report.html", video)
    return folder / "report.html"


def _draw(analysis: Analysis, timeline: Timeline, options: Options, title: str, interrupts: Interrupts) -> None:
    """Write the videos that are asked for, in a second decode, which Ctrl-C ends between two frames."""
    from kinoscope.source import open_source

    with ExitStack() as stack:
        with interrupts.allowed:
            source = stack.enter_context(open_source(analysis.source, **options.reading))
        progress = stack.enter_context(bar(title, options.quiet))
        sound_from = _sound_file(analysis, source)

        def on_frame(done: float, total: float | None) -> None:
            interrupts.check()
            if progress:
                progress(done, total)

        analysis.written += drawing.draw(
            source, timeline, analysis.folder, options.hide, options.annotate, sound_from, on_frame
        )
