"""Trainings on the terminal: the run, the scores of its model, and the commands that use it."""

from __future__ import annotations

from kinoscope.core.terminal import warn
from kinoscope.results.train import TrainingRun, TrainResult, describe_epoch
from kinoscope.views.console.evaluation import print_scores
from kinoscope.views.console.render import print_paths, render, warn_of_unreadable


@render.register
def render_training(result: TrainResult) -> None:
    """Print a training run, the path of a preview, or what a check of the clips found."""
    if result.report:
        print(result.report)
    elif result.preview_path:
        print(result.preview_path)
    elif result.run:
        render(result.run)


@render.register
def render_run(run: TrainingRun) -> None:
    """Print a training run, in the form of its training."""
    PRINTERS.get(run.task, print_run)(run)


def print_run(run: TrainingRun) -> None:
    """Print the size of a training, its diagnosis and its files."""
    warn_of_unreadable(run.unreadable)
    training, validation = run.examples
    beside = f", {validation} validation examples" if validation else ""
    print(f"{training or 'endless'} training examples{beside}; {run.parameters / 1e6:.2f} M parameters")
    if run.advice:
        warn(run.advice)
    if run.dry_run:
        print("dry run: all fits")
        return
    print_paths(run.written)
    print_paths(run.usage)


def print_classifier(run: TrainingRun) -> None:
    """Print the clips, the speed, the scores and the use of a classifier."""
    details = run.details
    total, trained = (f"{count / 1e6:.2f} M" for count in details.parameters)
    clips = f"{details.clips[0]} training clips, {details.clips[1]} validation clips"
    print(f"{clips}; {total} parameters, {trained} of them trained")
    print(f"{details.speed:.1f} clips per second, {100 * details.waiting:.1f} % of the time waiting for data")
    if run.unreadable:
        print(f"{len(run.unreadable)} clips cannot be read, such as {next(iter(run.unreadable.items()))}")
    if run.dry_run:
        line = describe_epoch(run.rows[-1], run.columns, run.options.epochs)
        print(f"dry run, {details.steps} steps an epoch: {line}")
        return
    print(f"epoch {details.best} of {len(run.rows)} is saved in {run.folder}")
    if details.scores:
        print_scores(details.scores.to_dict())
    print_paths(run.usage)


def print_sync_model(run: TrainingRun) -> None:
    """Print the people, the losses and the accuracy of a sync model."""
    warn_of_unreadable(run.unreadable)
    pairs = zip(run.details.clips, run.details.people, strict=True)
    training, validation = (f"{clips} clips of {people} people" for clips, people in pairs)
    print(f"{training} for training, {validation} held out")
    print(f"final loss of each pair: {', '.join(f'{loss:.2f}' for loss in run.details.losses)}")
    for length, accuracy in run.details.score.items():
        print(f"{length:>4} frames: {100 * accuracy:.1f} % within one frame (chance 9.7 %)")
    if not run.dry_run:
        print_paths(run.usage)


def print_refiner(run: TrainingRun) -> None:
    """Print the precision of segments before and after their boundaries were learned."""
    warn_of_unreadable(run.unreadable)
    print(f"{run.examples[0]} videos for training, {run.examples[1]} held out")
    before, after = run.details.before, run.details.after
    if before and after:
        middle = after.overlaps.index(0.5)
        for name, scores in (("thresholds", before), ("learned boundaries", after)):
            at_half = 100 * scores.by_overlap[middle]
            print(f"{name:>18}: mAP {100 * scores.average_map:.1f} %, {at_half:.1f} % at an overlap of 0.5")
    print_paths(run.written)


PRINTERS = {"classify": print_classifier, "sync": print_sync_model, "segments": print_refiner}
"""Training -> what prints its run, where ``print_run`` does not."""
