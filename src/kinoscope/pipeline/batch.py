"""The analysis of several sources: options are checked, then each source is analyzed, and its alerts are posted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.addresses import short_name
from kinoscope.core.errors import OptionError
from kinoscope.galleries import Gallery, read_gallery
from kinoscope.pipeline import analysis, inputs, render
from kinoscope.pipeline.alerts.dispatch import MAX_QUEUED_ALERTS, open_webhook, post_all, read_rules
from kinoscope.pipeline.arguments import (
    choose_device,
    choose_models,
    choose_redaction,
    choose_tasks,
    choose_views,
    demand_task,
    parse_task_options,
)
from kinoscope.pipeline.options import (
    AlertOptions,
    DecodingOptions,
    OutputOptions,
    ProcessingOptions,
    RedactionOptions,
)
from kinoscope.pipeline.own_tasks import OwnTasks, TaskLike, check_own, split_tasks
from kinoscope.results.analysis import Analysis
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.pipeline.alerts.webhook import Webhook
    from kinoscope.rules import RuleFile


def plan(
    tasks: TaskLike | Sequence[TaskLike] | None,
    model: str | Sequence[str] | None,
    device: str,
    decoding: DecodingOptions,
    processing: ProcessingOptions,
    alerts: AlertOptions,
    redaction: RedactionOptions,
    output: OutputOptions,
) -> analysis.AnalysisOptions:
    """Return the options of an analysis from those of ``analyze``.

    Raises:
        OptionError, GalleryError, RulesError, ModelError: one cannot be used.
    """
    source_options = decoding.resolve() | processing.source_options()
    _demand_fit(alerts, redaction)
    models = choose_models(model)
    gallery = None if processing.gallery is None else read_gallery(processing.gallery)
    hidden = choose_redaction(redaction.blur, redaction.keep, redaction.hide_with, gallery, processing.live)
    requested, own = split_tasks(tasks)
    needed = render.tasks_for(hidden) if hidden else []
    settings = _settings(processing, needed, gallery, own)
    configured = {*models, *settings, *(["rules"] if alerts.rules is not None else [])}
    names = choose_tasks(requested, configured, needed, own)
    _demand_tasks(names, models, processing)
    if alerts.rules is not None:
        rules = read_rules(alerts.rules, names, models, gallery.names() if gallery else None)
        settings = _with_rules(settings, rules, own)
    check_own(own, settings, models)
    return analysis.AnalysisOptions(
        tasks=names,
        source_options=source_options,
        models=models,
        device=choose_device(device),
        settings=settings,
        own_tasks=own,
        views=choose_views(output.export),
        annotate=output.annotate,
        redaction=hidden,
        clips=alerts.clips,
        report=output.report,
        resume=output.resume,
        overwrite=output.overwrite,
        quiet=output.quiet,
    )


def _demand_fit(alerts: AlertOptions, redaction: RedactionOptions) -> None:
    alerts.check()
    if alerts.clips and redaction.blur:
        raise OptionError(
            "clips are cut from the original recording, and would show what --blur hides; leave --clips out, "
            "then cut them from the blurred video: kinoscope analyze blurred.mp4 --rules FILE --clips"
        )


def _settings(
    processing: ProcessingOptions, redacting: Sequence[str], gallery: Gallery | None, own: OwnTasks
) -> dict[str, dict[str, Any]]:
    """Return the arguments of the tasks: those for redaction, overridden by those that are given."""
    settings = {name: dict(render.REDACTION_SETTINGS.get(name, {})) for name in redacting}
    settings = {name: values for name, values in settings.items() if values}
    for task, values in parse_task_options(processing.task_options(), own).items():
        settings[task] = settings.get(task, {}) | values
    return settings | ({"recognize": settings.get("recognize", {}) | {"gallery": gallery}} if gallery else {})


def _with_rules(settings: dict[str, dict[str, Any]], rules: RuleFile, own: OwnTasks) -> dict[str, dict[str, Any]]:
    """Return the arguments of the tasks with the rules, and with the options that the file has; others precede."""
    merged = {task: dict(values) for task, values in parse_task_options(rules.option_pairs(), own).items()}
    for task, values in settings.items():
        merged[task] = merged.get(task, {}) | values
    return merged | {"rules": merged.get("rules", {}) | {"rules": rules}}


def _demand_tasks(names: Sequence[str], models: dict[str, str], processing: ProcessingOptions) -> None:
    """Demand that each task that an option configures runs."""
    for task, card in models.items():
        demand_task(f"model {task}={card}", task, names)
    for pair in processing.task_options():
        demand_task(f"option {pair}", pair.partition(".")[0], names)


def analyze_all(
    sources: Sequence[inputs.SourceName],
    out: Path | None,
    options: analysis.AnalysisOptions,
    alerts: AlertOptions,
    library: str | Path | None,
) -> list[Analysis]:
    """Analyze one source after the other, each into a folder; return those that were not left out by Ctrl-C."""
    paths = inputs.expand(sources)
    inputs.require_rereadable(paths, annotate=options.annotate, blur=options.redaction, clips=options.clips)
    folders = inputs.result_folders(paths, out, lambda name, folder: analysis.can_hold_results(name, folder, options))
    jobs = [Analysis(name, folder) for name, folder in zip(paths, folders, strict=True)]
    undelivered = (folders[0] if len(jobs) == 1 else folders[0].parent) / "undelivered.jsonl"
    with open_webhook(alerts.webhook, alerts.webhook_secret, undelivered, MAX_QUEUED_ALERTS) as post:
        if library is not None:
            from kinoscope.pipeline.library_updates import ensure_library

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
        if library is not None:
            from kinoscope.pipeline.library_updates import store_analysis

            store_analysis(job, library)
    return jobs


def interrupted(timeline: Timeline) -> bool:
    """Return whether the user stopped an analysis (Ctrl-C), so that the remaining sources are skipped."""
    return timeline.decode.interrupted
