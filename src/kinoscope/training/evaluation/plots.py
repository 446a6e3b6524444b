"""Plots of a training: learning curves, the confusion matrix, and the clips with the highest loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.core.errors import MissingExtra, SourceError
from kinoscope.core.sampling import Sampling
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.loader import Loader
from kinoscope.training.evaluation.predictions import clip_name
from kinoscope.training.evaluation.scores import ClipScore, Scores
from kinoscope.training.logging import Row

PLOTTED = ("epoch", "train_loss", "val_loss", "val_top1", "val_balanced_accuracy", "val_map", "lr")
WORST_CLIPS = 8
"""Clips in ``worst.png``."""


def draw(
    folder: Path, rows: Sequence[Row], scores: Scores | None, examples: Sequence[Example], sampling: Sampling
) -> list[Path]:
    """Write ``curves.png``, ``confusion.png`` and ``worst.png``; the first two if matplotlib is installed.

    Args:
        folder: of the run.
        rows: of its log.
        scores: on the validation clips; None without such clips.
        examples: those clips.
        sampling: of the network's input.

    Raises:
        OutputError: an image cannot be written.
    """
    from kinoscope.views.plots import training

    written = []
    try:
        training.curves([{name: row[name] for name in PLOTTED if name in row} for row in rows], folder / "curves.png")
        written.append(folder / "curves.png")
        if scores and scores.confusion:
            training.confusion_matrix(scores.confusion, scores.classes, folder / "confusion.png")
            written.append(folder / "confusion.png")
    except MissingExtra:
        pass
    return written + _draw_worst(folder / "worst.png", scores, examples, sampling)


def _draw_worst(path: Path, scores: Scores | None, examples: Sequence[Example], sampling: Sampling) -> list[Path]:
    from kinoscope.views.video.contact_sheet import draw_contact_sheet, save_image

    if scores is None:
        return []
    indices = {clip_name(example): index for index, example in enumerate(examples)}
    loader = Loader(examples, scores.classes, sampling)
    rows = []
    for clip in scores.clips[:WORST_CLIPS]:
        try:
            rows.append((_caption(clip), loader.clip(indices[clip.path])))
        except SourceError:  # it was there a moment ago
            continue
    if not rows:
        return []
    save_image(path, draw_contact_sheet(rows))
    return [path]


def _caption(clip: ClipScore) -> str:
    name, share = clip.top[0]
    mark = "correct" if clip.right else "wrong"
    return f"{' | '.join(clip.actual) or 'none'}: predicted {name} {share:.0%} ({mark}); {Path(clip.path).name}"
