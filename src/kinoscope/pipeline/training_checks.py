"""Checks and previews of the data of a training, before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.pipeline.run_folder import RunFolder
from kinoscope.pipeline.trainings import Training
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.training.data.checks import DatasetReport


def check_clips(training: Training, data: str | None, quiet: bool) -> DatasetReport:
    """Check clips that need no labels; for trainings that use audio, silent clips are errors.

    Raises:
        OptionError: there are no clips.
    """
    from kinoscope.training.data import checks
    from kinoscope.training.data.readers import read_unlabelled

    if training.adds_to_model or data is None or data.startswith("synthetic:"):
        raise OptionError(
            f"check opens the clips of a folder, and train {training.name} has none here; name one, or leave it out"
        )
    with bar("check", quiet) as progress:
        return checks.check(read_unlabelled(data)[0], progress=progress, audio=training.audio)


def check_labelled(data: str, options: Any, quiet: bool) -> DatasetReport:
    """Check labelled clips and their splits."""
    from kinoscope.training.data import checks
    from kinoscope.training.data.readers import read_dataset
    from kinoscope.training.data.splits import split

    dataset = read_dataset(data, options.group)
    try:
        splits = split(dataset, options.val, seed=options.seed)
    except DatasetError:  # what is wrong with the clips themselves is reported anyway
        splits = None
    with bar("check", quiet) as progress:
        return checks.check(dataset, splits, options.workers, progress)


def preview(data: str, options: Any, folder: RunFolder) -> Path:
    """Write an image of a few labelled clips as training will see them; return its path."""
    from kinoscope.models.trainable.classifiers import find_network
    from kinoscope.training.data.preview import preview
    from kinoscope.training.data.readers import read_dataset

    sampling = options.sampling(find_network(options.net).sampling)
    root = Path(folder.out) if folder.out else Path("runs") / folder.task
    path = root / f"{folder.name or Path(data).resolve().stem}-preview.png"
    return preview(read_dataset(data, options.group), path, sampling, options.augmentation, seed=options.seed)
