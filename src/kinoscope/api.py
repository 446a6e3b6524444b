"""The public verbs: short compositions of the rooms below. Every command of the command line is one of these."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kinoscope import analysis, places
from kinoscope.core.errors import OptionError
from kinoscope.core.results import Timeline
from kinoscope.core.time import parse_time

if TYPE_CHECKING:
    from kinoscope.models.card import Card

Policy = Literal["skip", "repeat", "blank", "raise"]


def analyze(
    *sources: str | Path,
    out: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    rate: float | None = None,
    on_error: Policy = "skip",
    model: str | Sequence[str] | None = None,
    device: str = "auto",
    export: str | Sequence[str] | None = None,
    annotate: bool = False,
    report: bool = True,
    resume: bool = False,
    live: bool = False,
    quiet: bool = False,
) -> list[analysis.Analysis]:
    """Read videos once and tell what is in them.

    Each source gets a folder with timeline.json, features, pictures and report.html. One that fails never stops
    the others; Ctrl-C leaves what is done so far as a valid result.

    Args:
        sources: video files, folders of videos or images, image patterns, URLs (http, rtsp, udp), camera:0.
        out: folder for the results (-o); runs/analyze/NAME if not given. Several sources get a folder each in it.
        tasks: which tasks to run, separated by commas; all if not given.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        rate: at most so many frames per second are looked at; every frame if not given.
        on_error: what to do about a frame that cannot be decoded.
        model: TASK=CARD to use another model for a task, separated by commas (see `kinoscope models list`).
        device: auto, cpu or cuda.
        export: further formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl.
        annotate: also write annotated.mp4, with boxes, names, subtitles and events drawn in.
        report: write report.html.
        resume: keep what an earlier call finished in the same folder, and do only the rest.
        live: for cameras and streams: drop the oldest frames rather than fall behind.
        quiet: show no progress.

    Returns:
        One Analysis for each source, in order.

    Raises:
        OptionError: an option cannot be used; nothing has been read or written then.
    """
    reading: dict[str, Any] = {
        "start": None if start is None else parse_time(start),
        "end": None if end is None else parse_time(end),
        "rate": rate,
        "on_error": on_error,
    }
    options = analysis.Options(
        tasks=_choose(tasks),
        reading=reading | ({"live": True} if live else {}),
        models=_models(model),
        device=device,
        views=_views(export),
        annotate=annotate,
        report=report,
        resume=resume,
        quiet=quiet,
    )
    names = places.expand(sources)
    folders = places.folders(names, None if out is None else Path(out))
    jobs = [analysis.Analysis(name, folder) for name, folder in zip(names, folders, strict=True)]
    for number, job in enumerate(jobs, 1):
        name = Path(job.source).name
        analysis.run(job, options, f"{name} ({number}/{len(jobs)})" if len(jobs) > 1 else name)
        if job.timeline and _interrupted(job.timeline):
            return jobs[:number]
    return jobs


def _interrupted(timeline: Timeline) -> bool:
    return any(line.startswith("interrupted") for line in timeline.decode.errors)


def _split(text: str | Sequence[str] | None) -> list[str]:
    parts = [text] if isinstance(text, str) else list(text or ())
    return [word.strip() for part in parts for word in part.split(",") if word.strip()]


def _choose(tasks: str | Sequence[str] | None) -> list[str]:
    from kinoscope.tasks.table import TASKS

    wanted = _split(tasks) or list(TASKS)
    for name in wanted:
        if name not in TASKS:
            raise OptionError(f"there is no task {name!r}; choose from {', '.join(TASKS)}")
    return [name for name in TASKS if name in wanted]


def _models(model: str | Sequence[str] | None) -> dict[str, str]:
    from kinoscope.tasks.table import TASKS

    pairs = dict(pair.partition("=")[::2] for pair in _split(model))
    for task, card in pairs.items():
        if task not in TASKS or not card:
            raise OptionError(f"model {task}={card} is not TASK=CARD; tasks: {', '.join(TASKS)}")
    return pairs


def _views(export: str | Sequence[str] | None) -> list[str]:
    from kinoscope.views import VIEWS

    wanted = _split(export)
    for name in wanted:
        if name not in VIEWS:
            raise OptionError(f"there is no format {name!r}; choose from {', '.join(VIEWS)}")
    return wanted


def convert(timeline: str | Path, to: str | Sequence[str], out: str | Path | None = None) -> list[Path]:
    """Write an earlier analysis in other formats.

    Args:
        timeline: a timeline.json, or the folder that holds it.
        to: formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl, json.
        out: folder to write to (-o); beside the timeline if not given.

    Returns:
        The files written.
    """
    from kinoscope.views import VIEWS
    from kinoscope.views.json import load

    names = _views(to)
    if not names:
        raise OptionError(f"no format is given; choose from {', '.join(VIEWS)}")
    place = Path(timeline)
    loaded = load(place)
    folder = Path(out) if out else (place if place.is_dir() else place.parent)
    places.prepare(folder)
    written = [folder / VIEWS[name].filename for name in names]
    for name, path in zip(names, written, strict=True):
        VIEWS[name].write(loaded, path)
    return written


def models(action: Literal["list", "show", "pull"] = "list", *names: str) -> list[dict[str, Any]]:
    """List the models, show what their cards say, or bring their weights here.

    Args:
        action: list, show or pull.
        names: cards to show or pull; all if none is named. Of several cards for one task, one is enough.

    Returns:
        One row for each card.

    Raises:
        ModelError: weights that were asked for could not be had.
    """
    from kinoscope.models import store
    from kinoscope.models.cards import CARDS, find

    cards = [find(name) for name in names] or list(CARDS)
    if action == "pull":
        _pull(cards, strict=bool(names))
    return [_card_row(card) | {"weights": store.status(card)} for card in cards]


def _card_row(card: Card) -> dict[str, Any]:
    row = {f.name: getattr(card, f.name) for f in fields(card) if f.name not in ("net", "classes")}
    return row | {"files": {file.name: file.sha256 for file in card.files}, "labels": len(card.labels)}


def _pull(cards: Sequence[Card], strict: bool) -> None:
    from kinoscope.models import store

    def tell(card: Card, state: str) -> None:
        if state != "cached":
            print(f"{card.name}: {state}", file=sys.stderr)

    errors = store.pull(cards, tell)
    served = {card.task for card in cards if card.name not in errors}
    for card in cards:
        if card.name in errors and (strict or card.task not in served):
            raise errors[card.name]


def bench(
    source: str | Path, *, tasks: str | Sequence[str] | None = None, where: bool = False, device: str = "auto"
) -> dict[str, Any]:
    """Run the default analysis without writing anything, and tell what it cost.

    Args:
        source: a video.
        tasks: which tasks; all if not given.
        where: run one thing after another and tell where each CPU second goes.
        device: auto, cpu or cuda.

    Returns:
        Wall and CPU seconds, frames, peak memory in MB, and with ``where`` the CPU seconds of each part.
    """
    import resource

    from kinoscope import engine
    from kinoscope.source import open_source

    wall, cpu = time.perf_counter(), time.process_time()
    with open_source(source) as opened:
        timeline = engine.run(opened, analysis.make_tasks(_choose(tasks), device=device), threaded=not where)
    result: dict[str, Any] = {"source": str(source), "frames": timeline.decode.frames}
    result["wall_s"] = round(time.perf_counter() - wall, 2)
    result["cpu_s"] = round(time.process_time() - cpu, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if where:
        result["where"] = _where(timeline, result["cpu_s"])
    return result


def _where(timeline: Timeline, total: float) -> dict[str, float]:
    parts = {name: round(task.seconds, 2) for name, task in timeline.tasks.items()}
    loading = round(sum(task.extra.get("load", 0.0) for task in timeline.tasks.values()), 2)
    rest = round(total - sum(parts.values()) - loading, 2)
    return parts | {"loading models": loading, "decode and scale": rest}
