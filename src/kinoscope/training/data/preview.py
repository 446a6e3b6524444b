"""Preview of training clips: an image of a few, as they are and augmented."""

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
    augmented: int = 2,
    seed: int = 0,
) -> Path:
    """Write an image that shows each clip as evaluation sees it, above its augmented versions.

    Args:
        dataset: its clips are sampled evenly, so that every class is shown.
        path: of a PNG or JPEG.
        sampling, augment: as for training.
        clips: how many are shown.
        augmented: rows of each clip as training sees it, in its first epochs.
        seed: as for training.

    Returns:
        ``path``.

    Raises:
        DatasetError: none of the clips can be read.
        OutputError: the image cannot be written.
    """
    picks = np.linspace(0, len(dataset.examples) - 1, min(clips, len(dataset.examples))).round().astype(int)
    examples = [dataset.examples[pick] for pick in picks]
    plain = Loader(examples, dataset.classes, sampling, seed=seed)
    training = Loader(examples, dataset.classes, sampling, augment=augment, seed=seed)
    rows = [row for index in range(len(examples)) for row in _rows(plain, training, index, augmented)]
    if not rows:
        raise DatasetError(f"none of the {len(examples)} clips can be read; check them")
    save_image(path, draw_contact_sheet(rows, columns=min(8, sampling.frames)))
    return path


def _rows(plain: Loader, training: Loader, index: int, augmented: int) -> Sequence[tuple[str, np.ndarray]]:
    example = plain.examples[index]
    name = f"{' | '.join(example.labels) or 'none'}: {Path(example.path).name}"
    try:
        rows = [(name, plain.clip(index))]
        return rows + [(f"{name}, augmented", training.clip(index, epoch)) for epoch in range(augmented)]
    except SourceError:
        return []
