"""``kinoscope analyze``: the main job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from kinoscope.api.arguments import (
    choose_device,
    choose_limits,
    choose_models,
    choose_redaction,
    choose_tasks,
    choose_time_range,
    choose_tracker,
    choose_video_track,
    choose_views,
    demand_run,
)
from kinoscope.api.library import ensure_library, store_analysis
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import OptionError
from kinoscope.core.results import Timeline
from kinoscope.core.validation import require_known, require_positive
from kinoscope.galleries import read_gallery
from kinoscope.pipeline import analysis, inputs, render
from kinoscope.pipeline.alerts.dispatch import MAX_QUEUED_ALERTS, open_webhook, post_all, read_rules
from kinoscope.views.video.redaction_plan import Method

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.webhook import Webhook

Policy = Literal["skip", "repeat", "blank", "raise"]


def analyze(
    *sources: str | Path,
    out: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    rate: float | None = None,
    on_error: Policy = "skip",
    bounds: str | None = None,
    video_track: int | None = None,
    model: str | Sequence[str] | None = None,
    device: str = "auto",
    gallery: str | Path | None = None,
    rules: str | Path | None = None,
    clips: bool = False,
    webhook: str | None = None,
    webhook_secret: str | Path | None = None,
    tracker: str | None = None,
    export: str | Sequence[str] | None = None,
    annotate: bool = False,
    blur: str | Sequence[str] | None = None,
    keep: str | Sequence[str] | None = None,
    hide_with: Method = "blur",
    library: str | Path | None = None,
    report: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    live: bool = False,
    quiet: bool = False,
) -> list[analysis.Analysis]:
    """Analyze videos: read each once, and report what is in it.

    Each source gets a folder with timeline.json, features, pictures and report.html. One that fails never stops
    the others; Ctrl-C leaves what is done so far as a valid result. The same file read again into its folder keeps
    what other tasks found; files that kinoscope did not write are never replaced.

    Args:
        sources: video files, folders of videos or images (with the folders below), image patterns, URLs (http, rtsp,
            udp), camera:0.
        out: folder for the results (-o); runs/analyze/NAME if not given, or NAME-2, NAME-3... where that holds the
            results of another source. Several sources get a folder each in it.
        tasks: which tasks to run, separated by commas: shots, scenes, objects, faces, text, appearance, recognize,
            rules, actions, anomalies, classify, speech, sync. If not given, all but text and anomalies; classify,
            recognize and rules only with --model, --gallery and --rules.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        rate: frames per second that are analyzed at most; all if not given.
        on_error: what to do about a frame that cannot be decoded: leave it out (skip), show the one before again
            (repeat), show black (blank), or stop (raise).
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        model: TASK=CARD to use another model for a task, separated by commas (see `kinoscope models list`); or the
            folder of a model that you trained, which adds the task classify.
        device: auto (a GPU if there is one), cpu or cuda.
        gallery: name the people and things that `kinoscope enroll` put into this file; adds the task recognize.
        rules: report when the rules of this YAML file are met (see examples/rules.yaml); adds the task rules.
        clips: also write a clip of each alert of the rules, with 3 seconds before and after (one for those of a rule
            within a second).
        webhook: post each alert of the rules to this http or https address; what cannot be delivered goes to
            undelivered.jsonl in the folder of the results.
        webhook_secret: file with the secret that signs what is posted; KINOSCOPE_WEBHOOK_SECRET if not given.
        tracker: how objects are followed: buffered (if not given), sort, bytetrack or ocsort.
        export: further formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl.
        annotate: also write annotated.mp4, with boxes, names, subtitles and events drawn in; over what --blur hides.
        blur: hide faces, people or text (several separated by commas) in blurred.mp4, and in annotated.mp4 if that is
            asked for; blurred.json says what was hidden. Audio is kept as it is; the report, its images and the
            timeline still show all.
        keep: names in the gallery, separated by commas, of people who stay visible; all others are hidden.
        hide_with: blur, pixels (a mosaic) or solid; only solid cannot be undone even in part.
        library: also add what was found to this library, such as films.lance, for `kinoscope search`.
        report: write report.html.
        resume: keep what an earlier call finished in the same folder, and run only the rest.
        overwrite: replace kinoscope's own results of another source or with other options in the folder.
        live: treat the source as live, as cameras and rtsp streams are: drop the oldest frames rather than fall behind.
        quiet: show no progress.

    Returns:
        One Analysis for each source, in order.

    Raises:
        OptionError, GalleryError, RulesError, LibraryError, MissingExtra: an option cannot be used; nothing has been
            read or written then.
    """
    require_positive("rate", rate, 5)
    require_known(on_error, get_args(Policy), "on-error")
    reading: dict[str, Any] = (
        choose_time_range(start, end) | {"rate": rate, "on_error": on_error} | choose_limits(bounds)
    )
    reading |= choose_video_track(video_track)
    if rules is None and (clips or webhook):
        raise OptionError("clips and webhook are about the alerts of rules; give --rules FILE")
    if webhook_secret is not None and webhook is None:
        raise OptionError("webhook-secret signs what is posted; give --webhook URL")
    if clips and blur:
        raise OptionError(
            "clips are cut from the recording as it is, and would show what --blur hides; leave --clips out, "
            "then take them of what is hidden: kinoscope analyze blurred.mp4 --rules FILE --clips"
        )
    chosen = choose_models(model)
    known = None if gallery is None else read_gallery(gallery)
    hide = choose_redaction(blur, keep, hide_with, known, live)
    needed = render.tasks_for(hide) if hide else []
    settings = {name: render.REDACTION_SETTINGS[name] for name in needed if name in render.REDACTION_SETTINGS}
    settings |= {"recognize": {"gallery": known}} if known else {}
    if tracker is not None:
        settings["objects"] = settings.get("objects", {}) | {"tracker": choose_tracker(tracker)}
    wanted = choose_tasks(tasks, {*chosen, *settings, *(["rules"] if rules is not None else [])}, needed)
    for task, card in chosen.items():
        demand_run(f"model {task}={card}", task, wanted)
    if tracker is not None:
        demand_run(f"tracker {tracker}", "objects", wanted)
    if rules is not None:
        settings["rules"] = {"rules": read_rules(rules, wanted, chosen, known.names() if known else None)}
    options = analysis.AnalysisOptions(
        tasks=wanted,
        reading=reading | ({"live": True} if live else {}),
        models=chosen,
        device=choose_device(device),
        settings=settings,
        views=choose_views(export),
        annotate=annotate,
        hide=hide,
        clips=clips,
        report=report,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    names = inputs.expand(sources)
    folders = inputs.result_folders(
        names, None if out is None else Path(out), lambda name, folder: analysis.can_hold_results(name, folder, options)
    )
    jobs = [analysis.Analysis(name, folder) for name, folder in zip(names, folders, strict=True)]
    letters = (folders[0] if len(jobs) == 1 else folders[0].parent) / "undelivered.jsonl"
    with open_webhook(webhook, webhook_secret, letters, MAX_QUEUED_ALERTS) as post:
        ensure_library(library)
        return _each(jobs, options, post, library)


def _each(
    jobs: list[analysis.Analysis], options: analysis.AnalysisOptions, post: Webhook | None, library: str | Path | None
) -> list[analysis.Analysis]:
    """Analyse one source after the other, tell of its alerts and keep what was found; give those that were done."""
    for number, job in enumerate(jobs, 1):
        name = short_name(job.source)
        analysis.run(job, options, f"{name} ({number}/{len(jobs)})" if len(jobs) > 1 else name)
        if post and job.timeline:
            post_all(post, job.source, job.timeline, options.settings["rules"]["rules"])
        if job.interrupted or (job.timeline and interrupted(job.timeline)):
            return jobs[:number]
        store_analysis(job, library)
    return jobs


def interrupted(timeline: Timeline) -> bool:
    """Tell whether somebody stopped the reading (Ctrl-C), so that no further source is wanted."""
    return timeline.decode.interrupted
