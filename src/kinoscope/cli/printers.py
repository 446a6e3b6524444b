"""Printing of the results of the verbs by ``PRINTERS``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.terminal import warn
from kinoscope.core.validation import pluralize

if TYPE_CHECKING:
    from kinoscope.api.enroll import EnrollResult
    from kinoscope.api.evaluate import EvaluateResult
    from kinoscope.api.generate import GenerateResult
    from kinoscope.api.lipsync import LipSyncResult
    from kinoscope.api.predict import PredictResult
    from kinoscope.api.search import SearchResult
    from kinoscope.api.train import TrainResult
    from kinoscope.api.train_segments import TrainSegmentsResult
    from kinoscope.api.train_sync import TrainSyncResult
    from kinoscope.api.watch import WatchResult
    from kinoscope.training.classification.state import ClassificationRun
    from kinoscope.training.trainer import TrainingRun

MAX_LISTED_CLIPS = 8
"""Generated files that are all listed; of more, the last five are."""

GENERATED_NOTICE = "each file says in its metadata that it was generated"


def _print_paths(paths: Sequence[Path | str]) -> None:
    """Print the written files, indented."""
    for path in paths:
        print(f"  {path}")


def _warn_of_unreadable(reasons: Mapping[str, str]) -> None:
    """Print one line for each clip or video that could not be used."""
    for name, reason in reasons.items():
        warn(f"{name}: {reason}")


def _print_evaluate(result: EvaluateResult) -> None:
    from kinoscope.views.console.evaluation import print_comparison, print_scores, print_segments

    plain = result.to_dict()
    if result.scores:
        print_scores(plain["scores"])
    if result.comparison:
        print_comparison(plain["comparison"])
    if result.segments:
        print_segments(plain)
    if result.generation:
        _print_generator_scores(plain)
    _print_paths(result.written)


def _print_generator_scores(plain: dict[str, Any]) -> None:
    from kinoscope.views.pages.generated import score_tables

    for title, rows in score_tables(plain)[:-1]:
        print(title)
        for name, value, beside in rows:
            print(f"  {name:<48} {value:>10}  {beside}")
    print(f"protocol {plain['generation']['protocol_hash']}: {plain['generation']['protocol_text']}")


def _print_train(result: TrainResult) -> None:
    if result.report:
        print(result.report)
    elif result.preview_path:
        print(result.preview_path)
    elif result.segments:
        _print_segment_training(result.segments)
    elif result.sync:
        _print_sync_training(result.sync)
    elif result.training:
        _print_training_run(result.training)
    elif result.run:
        _print_classification_run(result.run)


def _print_sync_training(result: TrainSyncResult) -> None:
    _warn_of_unreadable(result.unreadable)
    training, validation = (f"{c} clips of {p} people" for c, p in zip(result.clips, result.people, strict=True))
    print(f"{training} for training, {validation} held out")
    print(f"final loss of each pair: {', '.join(f'{loss:.2f}' for loss in result.losses)}")
    for length, accuracy in result.score.items():
        print(f"{length:>4} frames: {100 * accuracy:.1f} % within one frame (chance 9.7 %)")
    if result.folder:
        print(f"  kinoscope sync VIDEO --model {result.folder}")


def _print_segment_training(result: TrainSegmentsResult) -> None:
    _warn_of_unreadable(result.unreadable)
    print(f"{result.videos[0]} videos for training, {result.videos[1]} held out")
    if result.before and result.after:
        middle = result.after.overlaps.index(0.5)
        for name, scores in (("thresholds", result.before), ("learned boundaries", result.after)):
            at_half = 100 * scores.by_overlap[middle]
            print(f"{name:>18}: mAP {100 * scores.average_map:.1f} %, {at_half:.1f} % at an overlap of 0.5")
    print(f"  {result.written}")


def _print_training_run(run: TrainingRun) -> None:
    from kinoscope.api.train_registry import TASKS

    _warn_of_unreadable(run.unreadable)
    training, validation = run.examples
    beside = f", {validation} validation examples" if validation else ""
    print(f"{training or 'endless'} training examples{beside}; {run.parameters / 1e6:.2f} M parameters")
    if run.advice:
        warn(run.advice)
    if run.folder is None:
        print("dry run: all fits")
        return
    _print_paths(run.written)
    print(f"  {TASKS[run.task].usage.format(run.folder)}")


def _print_classification_run(run: ClassificationRun) -> None:
    from kinoscope.api.train import describe
    from kinoscope.views.console.evaluation import print_scores

    total, trained = (f"{count / 1e6:.2f} M" for count in run.parameters)
    clips = f"{run.clips[0]} training clips, {run.clips[1]} validation clips"
    print(f"{clips}; {total} parameters, {trained} of them trained")
    print(f"{run.speed:.1f} clips per second, {100 * run.waiting:.1f} % of the time waiting for data")
    if run.unreadable:
        print(f"{len(run.unreadable)} clips cannot be read, such as {next(iter(run.unreadable.items()))}")
    if run.folder is None:
        print(f"dry run, {run.steps} steps an epoch: {describe(run.rows[-1], run.options.epochs)}")
        return
    print(f"epoch {run.best} of {len(run.rows)} is saved in {run.folder}")
    if run.scores:
        print_scores(run.scores.to_dict())
    for command, arguments in (
        ("classify CLIP --model", ""), ("analyze VIDEO --model", ""), ("evaluate", " CLIPS"),
        ("explain", " CLIP -o why"),
    ):  # fmt: skip
        print(f"  kinoscope {command} {run.folder}{arguments}")


def _print_generate(result: GenerateResult) -> None:
    speed = result.clips * result.frames / max(result.seconds, 1e-9)
    clips = f"{pluralize(result.clips, 'clip')} of {result.frames} frames in {result.seconds:.1f} s"
    print(f"{clips} ({speed:.0f} frames per second, {result.runtime})")
    if result.psnr is not None:
        print(f"the real clip is reconstructed with a PSNR of {result.psnr:.1f} dB")
    print(GENERATED_NOTICE)
    _print_paths(result.written[-5:] if len(result.written) > MAX_LISTED_CLIPS else result.written)


def _print_lipsync(result: LipSyncResult) -> None:
    for note in result.notes:
        warn(note)
    frames = f"{result.painted} of {result.frames} frames painted in {result.seconds:.1f} s"
    print(f"{frames}; metadata says it was generated")
    print(f"  {result.path}")


def _print_predict(result: PredictResult) -> None:
    for note in result.notes:
        warn(note)
    print(f"{result.frames} frames predicted from the last {result.read}, at {result.rate:g} frames per second")
    print(GENERATED_NOTICE)
    print(f"  {result.path}")


def _print_enroll(result: EnrollResult) -> None:
    samples = pluralize(len(result.samples), "sample")
    already = f" ({result.already} {'was' if result.already == 1 else 'were'} there already)" if result.already else ""
    print(f"{result.gallery}: {result.name} got {samples} of kind {result.kind}{already}")
    for note in result.notes:
        warn(note)


def _print_gallery(result: dict[str, Any]) -> None:
    from kinoscope.views.console.gallery import print_gallery_check, print_names

    if "names" in result:
        print_names(result["names"])
    elif "default" in result:
        print_gallery_check(result)
    elif "renamed" in result:
        print(f"{result['renamed']} is now {result['to']} ({pluralize(result['samples'], 'sample')})")
    elif "removed" in result:
        print(f"removed {', '.join(result['removed'])} ({pluralize(result['samples'], 'sample')})")
    _print_paths(result.get("written", ()))


def _print_search(result: SearchResult) -> None:
    from kinoscope.views.pages.search import print_search_results

    for note in result.notes:
        warn(note)
    print_search_results(result.to_dict())
    _print_paths(result.written)


def _print_watch(result: WatchResult) -> None:
    """Print to standard error how the watch went; the alerts have been printed as they came."""
    plain = result.to_dict()
    print(pluralize(result.alerts, "alert"), file=sys.stderr)
    for end, delays in (("detection", plain["detection_delays"]), ("alert", plain["delays"])):
        if delays["count"]:
            print(f"from frame to {end}: {delays['p50']} s (p50), {delays['p95']} s (p95)", file=sys.stderr)
    frames, reconnects = pluralize(plain["frames"], "frame"), pluralize(plain["reconnects"], "reconnect")
    print(f"{frames}, {plain['dropped']} dropped, {reconnects}, at most {plain['memory_mb']} MB", file=sys.stderr)
    if result.undelivered or result.delivered:
        print(f"{pluralize(result.delivered, 'alert')} delivered, {result.undelivered} not", file=sys.stderr)
    if result.clips:
        print(pluralize(result.clips, "clip"), file=sys.stderr)
    reports = result.timeline.tasks.items()
    reasons = [f"{name} {report.status}: {report.reason}" for name, report in reports if report.reason]
    errors = result.timeline.decode.errors
    for reason in reasons + (errors if result.status else [line for line in errors if line.endswith("reconnected")]):
        warn(reason)


PRINTERS: dict[str, Callable[[Any], None]] = {
    "enroll": _print_enroll,
    "evaluate": _print_evaluate,
    "gallery": _print_gallery,
    "generate": _print_generate,
    "lipsync": _print_lipsync,
    "predict": _print_predict,
    "search": _print_search,
    "train": _print_train,
    "watch": _print_watch,
}
"""Verb -> what prints its result as text."""
