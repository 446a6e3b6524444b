"""One training, from its options to its result: check or preview the data, or train in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import OptionError
from kinoscope.pipeline.run_folder import RunFolder, is_first_process
from kinoscope.pipeline.trainings import Training, find_training
from kinoscope.results.train import Row, TrainingRun, TrainResult, describe_epoch
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.training.options import TrainingOptions


def run_training(
    data: str | None,
    pairs: Sequence[str],
    folder: RunFolder,
    *,
    preview: bool = False,
    check: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Train, or check or preview the data; see ``api.train``.

    Args:
        data: name of the data.
        pairs: options, each ``key=value``.
        folder: of the run.
        preview: write an image of a few clips, and stop.
        check: check the clips, and stop.
        quiet: show no progress.

    Raises:
        KinoscopeError: an option, the data, weights or a checkpoint cannot be used.
    """
    from kinoscope.pipeline import training_checks as checks
    from kinoscope.training.options import new_or_resumed_options

    training = find_training(folder.task)
    if check and not training.labelled:
        return TrainResult(data or "", report=checks.check_clips(training, data, quiet))
    _demand_fit(training, preview, folder)
    folder.check()
    options, data = new_or_resumed_options(
        training.options_class, training.name, data, pairs, folder.resume, training.data
    )
    options.check_available()
    if check:
        return TrainResult(data, report=checks.check_labelled(data, options, quiet))
    if preview:
        return TrainResult(data, preview_path=checks.preview(data, options, folder))
    run = _train(training, options, data, folder, quiet or not is_first_process())
    run.columns, run.usage = training.columns, tuple(command.format(run.folder) for command in training.usage)
    return TrainResult(data, run=run, written=run.written)


def _demand_fit(training: Training, preview: bool, folder: RunFolder) -> None:
    """Refuse what a training does not have, rather than ignore it.

    Raises:
        OptionError: something is asked for that it does not have.
    """
    asked = {
        "preview": preview and not training.labelled,
        "dry-run": folder.dry_run and training.adds_to_model,
        "resume-from": folder.resume is not None and training.adds_to_model,
        "out": folder.out is not None and training.adds_to_model,
        "name": folder.name is not None and training.adds_to_model,
    }
    for name, given in asked.items():
        if given:
            raise OptionError(f"{name} is not for train {training.name}; leave it out")


def _train(training: Training, options: TrainingOptions, data: str, folder: RunFolder, quiet: bool) -> TrainingRun:
    from kinoscope.training.distributed import process_group
    from kinoscope.training.trainer import TrainingSetup, fit

    bars = partial(bar, quiet=quiet)
    resume = Path(folder.resume) if folder.resume else None
    with process_group(options.device) as processes:
        trainer = training.build(options, TrainingSetup(data=data, processes=processes, bars=bars, resume=resume))

        def on_epoch(row: Row) -> None:
            if not quiet:
                print(describe_epoch(row, training.columns, trainer.epochs), file=sys.stderr)

        if training.adds_to_model:
            with bars(training.name) as progress:
                return fit(trainer, None, data=data, progress=progress, on_epoch=on_epoch)
        out = Path(processes.broadcast(str(folder.prepare(data))))
        with folder.lock(out), bars(out.name) as progress:
            return fit(
                trainer, out, data=data, resume=resume is not None, dry_run=folder.dry_run, progress=progress,
                on_epoch=on_epoch,
            )  # fmt: skip
