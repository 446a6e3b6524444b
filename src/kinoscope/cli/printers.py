"""Printing of the results of the verbs by ``PRINTERS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.terminal import warn

if TYPE_CHECKING:
    from kinoscope.api.evaluate import EvaluateResult
    from kinoscope.results.train import TrainingRun, TrainResult


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
    elif result.run:
        printers = {
            "sync": _print_sync_training, "segments": _print_segment_training, "classify": _print_classification_run,
        }  # fmt: skip
        printers.get(result.run.task, _print_training_run)(result.run)


def _print_sync_training(run: TrainingRun) -> None:
    _warn_of_unreadable(run.unreadable)
    pairs = zip(run.details.clips, run.details.people, strict=True)
    training, validation = (f"{clips} clips of {people} people" for clips, people in pairs)
    print(f"{training} for training, {validation} held out")
    print(f"final loss of each pair: {', '.join(f'{loss:.2f}' for loss in run.details.losses)}")
    for length, accuracy in run.details.score.items():
        print(f"{length:>4} frames: {100 * accuracy:.1f} % within one frame (chance 9.7 %)")
    if run.folder:
        print(f"  kinoscope sync VIDEO --model {run.folder}")


def _print_segment_training(run: TrainingRun) -> None:
    _warn_of_unreadable(run.unreadable)
    print(f"{run.examples[0]} videos for training, {run.examples[1]} held out")
    before, after = run.details.before, run.details.after
    if before and after:
        middle = after.overlaps.index(0.5)
        for name, scores in (("thresholds", before), ("learned boundaries", after)):
            at_half = 100 * scores.by_overlap[middle]
            print(f"{name:>18}: mAP {100 * scores.average_map:.1f} %, {at_half:.1f} % at an overlap of 0.5")
    _print_paths(run.written)


def _print_training_run(run: TrainingRun) -> None:
    from kinoscope.pipeline.trainings import find_training

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
    print(f"  {find_training(run.task).usage.format(run.folder)}")


def _print_classification_run(run: TrainingRun) -> None:
    from kinoscope.pipeline.trainings import find_training
    from kinoscope.views.console.evaluation import print_scores

    details = run.details
    total, trained = (f"{count / 1e6:.2f} M" for count in details.parameters)
    clips = f"{details.clips[0]} training clips, {details.clips[1]} validation clips"
    print(f"{clips}; {total} parameters, {trained} of them trained")
    print(f"{details.speed:.1f} clips per second, {100 * details.waiting:.1f} % of the time waiting for data")
    if run.unreadable:
        print(f"{len(run.unreadable)} clips cannot be read, such as {next(iter(run.unreadable.items()))}")
    if run.folder is None:
        line = find_training(run.task).describe(run.rows[-1], run.options.to_dict()["epochs"])
        print(f"dry run, {details.steps} steps an epoch: {line}")
        return
    print(f"epoch {details.best} of {len(run.rows)} is saved in {run.folder}")
    if details.scores:
        print_scores(details.scores.to_dict())
    for command, arguments in (
        ("classify CLIP --model", ""), ("analyze VIDEO --model", ""), ("evaluate", " CLIPS"),
        ("explain", " CLIP -o why"),
    ):  # fmt: skip
        print(f"  kinoscope {command} {run.folder}{arguments}")


PRINTERS: dict[str, Callable[[Any], None]] = {
    "evaluate": _print_evaluate,
    "train": _print_train,
}
"""Verb -> what prints its result as text."""
