"""``kinoscope analyze``: run several tasks on videos, and write a timeline, a report and other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from kinoscope.core.addresses import short_name
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known, require_positive
from kinoscope.galleries import read_gallery
from kinoscope.pipeline import analysis, inputs, render
from kinoscope.pipeline.alerts.dispatch import MAX_QUEUED_ALERTS, open_webhook, post_all, read_rules
from kinoscope.pipeline.arguments import (
    choose_device,
    choose_limits,
    choose_models,
    choose_redaction,
    choose_tasks,
    choose_time_range,
    choose_tracker,
    choose_video_track,
    choose_views,
    demand_task,
)
from kinoscope.pipeline.library_updates import ensure_library, store_analysis
from kinoscope.results.analysis import Analysis
from kinoscope.views.timeline import Timeline
from kinoscope.views.video.redaction_plan import Method

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.webhook import Webhook

Policy = Literal["skip", "repeat", "blank", "raise"]
"""Policy for frames that cannot be decoded."""


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
) -> list[Analysis]:
    """Analyze videos: read each once, and report what is in it.

    Each source gets a folder with timeline.json, features, images and report.html. One that fails never stops
    the others; Ctrl-C leaves what is done so far as a valid result. Analyzing the same file again into its folder keeps
    the results of other tasks; files that kinoscope did not write are never replaced.

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
        rate: maximum number of frames per second that are analyzed; all if not given.
        on_error: what to do about a frame that cannot be decoded: leave it out (skip), repeat the one before
            (repeat), replace it by black (blank), or stop (raise).
        video_track: which of several video tracks is used, counted from 0; the largest if not given.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        model: TASK=CARD to use another model for a task, separated by commas (see `kinoscope models list`); or the
            folder of a model that you trained, which adds the task classify.
        device: auto (a GPU if there is one), cpu or cuda.
        gallery: name the people and things that `kinoscope enroll` put into this file; adds the task recognize.
        rules: report when the rules of this YAML file are met (see examples/rules.yaml); adds the task rules.
        clips: also write a clip of each alert of the rules, with 3 seconds before and after (alerts of a rule within a
            second share one).
        webhook: post each alert of the rules to this http or https address; alerts that cannot be delivered go to
            undelivered.jsonl in the folder of the results.
        webhook_secret: file with the secret that signs the posts; KINOSCOPE_WEBHOOK_SECRET if not given.
        tracker: how objects are tracked: buffered (if not given), sort, bytetrack or ocsort.
        export: further formats, separated by commas: csv, parquet, coco, mot, activitynet, vtt, srt, otio, jsonl.
        annotate: also write annotated.mp4, with boxes, names, subtitles and events drawn in; over what --blur hides.
        blur: hide faces, people or text (several separated by commas) in blurred.mp4, and in annotated.mp4 if that is
            asked for; blurred.json says what was hidden. Audio is not changed; the report, its images and the
            timeline still show everything.
        keep: names in the gallery, separated by commas, of people who stay visible; all others are hidden.
        hide_with: blur, pixels (a mosaic) or solid; only solid is irreversible.
        library: also add the results to this library, such as films.lance, for `kinoscope search`.
        report: write report.html.
        resume: keep what an earlier call finished in the same folder, and run only the rest.
        overwrite: replace kinoscope's own results of another source or with other options in the folder.
        live: treat the source as live, as cameras and rtsp streams are: drop the oldest frames rather than fall behind.
        quiet: show no progress.

    Returns:
        One Analysis for each source, in order.

    Raises:
        OptionError, GalleryError, RulesError, LibraryError, MissingExtra: an option cannot be used; raised before
            anything is read or written.
    """
    require_positive("rate", rate, 5)
    require_known(on_error, get_args(Policy), "on-error")
    reading: dict[str, Any] = choose_time_range(start, end) | choose_limits(bounds) | choose_video_track(video_track)
    reading |= {"rate": rate, "on_error": on_error}
    if rules is None and (clips or webhook):
        raise OptionError("clips and webhook are about the alerts of rules; give --rules FILE")
    if webhook_secret is not None and webhook is None:
        raise OptionError("webhook-secret signs the posts of a webhook; give --webhook URL")
    if clips and blur:
        raise OptionError(
            "clips are cut from the original recording, and would show what --blur hides; leave --clips out, "
            "then cut them from the blurred video: kinoscope analyze blurred.mp4 --rules FILE --clips"
        )
    models = choose_models(model)
    opened_gallery = None if gallery is None else read_gallery(gallery)
    redaction = choose_redaction(blur, keep, hide_with, opened_gallery, live)
    needed = render.tasks_for(redaction) if redaction else []
    settings = {name: render.REDACTION_SETTINGS[name] for name in needed if name in render.REDACTION_SETTINGS}
    settings |= {"recognize": {"gallery": opened_gallery}} if opened_gallery else {}
    if tracker is not None:
        settings["objects"] = settings.get("objects", {}) | {"tracker": choose_tracker(tracker)}
    names = choose_tasks(tasks, {*models, *settings, *(["rules"] if rules is not None else [])}, needed)
    for task, card in models.items():
        demand_task(f"model {task}={card}", task, names)
    if tracker is not None:
        demand_task(f"tracker {tracker}", "objects", names)
    if rules is not None:
        identities = opened_gallery.names() if opened_gallery else None
        settings["rules"] = {"rules": read_rules(rules, names, models, identities)}
    options = analysis.AnalysisOptions(
        tasks=names,
        source_options=reading | ({"live": True} if live else {}),
        models=models,
        device=choose_device(device),
        settings=settings,
        views=choose_views(export),
        annotate=annotate,
        redaction=redaction,
        clips=clips,
        report=report,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    paths = inputs.expand(sources)
    inputs.require_rereadable(paths, annotate=annotate, blur=blur, clips=clips)
    folders = inputs.result_folders(
        paths, None if out is None else Path(out), lambda name, folder: analysis.can_hold_results(name, folder, options)
    )
    jobs = [Analysis(name, folder) for name, folder in zip(paths, folders, strict=True)]
    undelivered = (folders[0] if len(jobs) == 1 else folders[0].parent) / "undelivered.jsonl"
    with open_webhook(webhook, webhook_secret, undelivered, MAX_QUEUED_ALERTS) as post:
        ensure_library(library)
        return _analyze_each(jobs, options, post, library)


def _analyze_each(
    jobs: list[Analysis], options: analysis.AnalysisOptions, post: Webhook | None, library: str | Path | None
) -> list[Analysis]:
    """Analyze one source after the other, post its alerts and add it to the library; return the finished analyses."""
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
    """Return whether the user stopped an analysis (Ctrl-C), so that the remaining sources are skipped."""
    return timeline.decode.interrupted
