"""What training will see: a picture of a few clips, as they are and as they are varied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinoscope.core.errors import DatasetError, SourceError
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.training.data.dataset import Dataset
from kinoscope.training.data.loader import Loader
from kinoscope.views.video.contact_sheet import draw_contact_sheet, save_image


def preview(
    dataset: Dataset,
    path: Path,
    sampling: Sampling,
    augment: Augment,
    clips: int = 6,
    varied: int = 2,
    seed: int = 0,
) -> Path:
    """Write a picture in which each clip stands as evaluation sees it, above what training makes of it.

    Args:
        dataset: of which clips are shown that lie evenly apart, so that every class comes.
        path: of a PNG or JPEG.
        sampling, augment: as for training.
        clips: how many are shown.
        varied: rows of each clip as training sees it, in its first epochs.
        seed: as for training.

    Returns:
        ``path``.

    Raises:
        DatasetError: none of the clips can be read.
        OutputError: the picture cannot be written.
    """
    picks = np.linspace(0, len(dataset.examples) - 1, min(clips, len(dataset.examples))).round().astype(int)
    examples = [dataset.examples[pick] for pick in picks]
    plain = Loader(examples, dataset.classes, sampling, seed=seed)
    training = Loader(examples, dataset.classes, sampling, augment=augment, seed=seed)
    rows = [row for index in range(len(examples)) for row in _rows(plain, training, index, varied)]
    if not rows:
        raise DatasetError(f"none of the {len(examples)} clips can be read; check them")
    save_image(path, draw_contact_sheet(rows, columns=min(8, sampling.frames)))
    return path


def _rows(plain: Loader, training: Loader, index: int, varied: int) -> Sequence[tuple[str, np.ndarray]]:
    example = plain.examples[index]
    name = f"{' | '.join(example.labels) or 'none'}: {Path(example.path).name}"
    try:
        rows = [(name, plain.clip(index))]
        return rows + [(f"{name}, varied", training.clip(index, epoch)) for epoch in range(varied)]
    except SourceError:
        return []
