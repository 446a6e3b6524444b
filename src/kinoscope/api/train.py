"""``kinoscope train``: train a model on your own clips."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.run_folder import RunFolder
from kinoscope.pipeline.training_help import help_of
from kinoscope.pipeline.training_run import run_training
from kinoscope.results.train import TrainResult


@accept_old_names
def train(
    task: str,
    data: str | None = None,
    *options: str,
    out: str | Path | None = None,
    name: str | None = None,
    preview: bool = False,
    check: bool = False,
    resume_from: str | Path | None = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Train a model on your own clips.

    Args:
        task: classify, segments, sync, lipsync, generate or predict.
        data: the clips to learn from; see the help of the task.
        options: key=value, such as epochs=10; see the help of the task.
        out: folder of the run (-o); runs/TASK/NAME1, NAME2... if not given.
        name: name of the run; that of the data if not given.
        preview: write an image of a few clips as training will see them, and stop (classify).
        check: open every clip, report which are unreadable, tiny, duplicates, in two splits or, for trainings that use
            audio, silent, and stop; exit status 1 if some are unreadable or in two splits.
        resume_from: folder of an interrupted run; it continues exactly as if it had not been interrupted.
        dry_run: take one step to check that everything fits, and write nothing.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the clips cannot be used.
        ModelError: weights or a checkpoint cannot be used.
        TrainingError: the loss is no longer finite.
    """
    folder = RunFolder(task=task, out=out, name=name, resume=resume_from, dry_run=dry_run)
    return run_training(data, options, folder, preview=preview, check=check, quiet=quiet)


train.__doc__ = (train.__doc__ or "").replace(
    "Train a model on your own clips.\n", indent(help_of(), "    ").lstrip(), 1
)
