"""Scores of a classifier on labelled clips, and its comparison with another one on the same clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import DatasetError, MissingExtra
from kinoscope.core.files import prepare_folder
from kinoscope.core.media import Pixels
from kinoscope.pipeline.evaluation.options import ClaimScores, ScoredClipOptions
from kinoscope.results.evaluate import EvaluateResult
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.card import Card
    from kinoscope.training.data.dataset import Dataset, Example
    from kinoscope.training.evaluation.inference import WorstClips
    from kinoscope.training.evaluation.predictions import Predictions
    from kinoscope.training.evaluation.scores import Scores


def evaluate_clips(
    model: str,
    data: str | Path,
    *,
    compare: str | None,
    clips: ScoredClipOptions,
    claim: ClaimScores,
    device: str,
    quiet: bool,
) -> EvaluateResult:
    """Score a classifier on labelled clips.

    Args:
        compare: another classifier, which is compared on the same clips.
        claim: claims the folder for the files of the scores, once the data has been read.

    Raises:
        ModelError: a model cannot be used, or does not know the classes of the data.
        DatasetError: there is nothing to score.
    """
    from kinoscope.training.evaluation import comparison, held_out
    from kinoscope.training.evaluation.evaluate import evaluate

    models = [name for name in (model, compare) if name is not None]
    names, cards = find_models(model, compare)
    dataset = held_out.with_training_splits(_read(data, clips.group or held_out.grouping_rule(model), cards), model)
    examples, split = held_out.choose_examples(dataset, clips.split)
    if (folder := claim()) is not None:
        prepare_folder(folder)
    predicted = [
        _predict(card, name, dataset, examples, clips, device, quiet) for name, card in zip(names, cards, strict=True)
    ]
    predictions = [one for one, _ in predicted]
    notes = held_out.leakage_notes(examples, dataset, models)
    scores = replace(
        evaluate(predictions[0], clips.seed, cards[0].temperature),
        model=names[0], data=str(data), split=split, views=clips.views, notes=notes,
    )  # fmt: skip
    result = EvaluateResult(str(data), names[0], scores, unreadable=scores.unreadable)
    if len(predictions) > 1:
        result.comparison = comparison.compare(predictions[1], predictions[0], (names[1], names[0]), clips.seed)
    if folder is not None:
        result.written = _write(result, scores, _worst_clip_images(predicted[0][1], examples), folder)
    return result


def find_models(model: str, compare: str | None) -> tuple[list[str], list[Card]]:
    """Return the names and the cards of a model and of the one to compare; two of one name are called as typed.

    Raises:
        ModelError: one cannot be used.
    """
    from kinoscope.models.inference.classifier import find_classifier

    typed = [name for name in (model, compare) if name is not None]
    cards = [find_classifier(name) for name in typed]
    names = [card.name for card in cards]
    return (names if len(set(names)) == len(names) else typed), cards


def _read(data: str | Path, group: str, cards: Sequence[Card]) -> Dataset:
    """Read the labelled clips.

    Raises:
        ModelError: a model does not know their classes.
        DatasetError: they are of several classes, and a model predicts one.
    """
    from kinoscope.models.inference.classifier import match_labels
    from kinoscope.training.data.readers import read_dataset

    dataset = read_dataset(data, group)
    for card in cards:
        match_labels(dataset.classes, card)
        if dataset.multilabel and not card.multilabel:
            raise DatasetError(
                f"{data} has clips of several classes or of none, and {card.name} predicts one class of each; "
                "give a model that was trained on such data"
            )
    return dataset


def _predict(
    card: Card,
    name: str,
    dataset: Dataset,
    examples: Sequence[Example],
    clips: ScoredClipOptions,
    device: str,
    quiet: bool,
) -> tuple[Predictions, WorstClips]:
    """Return the predictions of a model for labelled clips, and the clips with the highest loss."""
    from kinoscope.models.inference.classifier import get_sampling, match_labels
    from kinoscope.models.runtime.runner import make_runner
    from kinoscope.training.data.loader import Loader
    from kinoscope.training.evaluation.inference import WorstClips, run

    runner = make_runner(card, device)
    own = match_labels(dataset.classes, card)
    renamed = [replace(example, labels=tuple(own[label] for label in example.labels)) for example in examples]
    loader = Loader(renamed, card.labels, get_sampling(card), batch=clips.batch, views=clips.views)
    worst, count = WorstClips(), 0
    with bar(name, quiet) as progress:

        def on_clip(index: int, pixels: Pixels, loss: float) -> None:
            nonlocal count
            worst.add(index, pixels, loss)
            count += 1
            if progress:
                progress(count, len(examples) * clips.views)

        predictions = run(runner, loader, on_clip)
    worst.prune()
    return predictions, worst


def _worst_clip_images(worst: WorstClips, examples: Sequence[Example]) -> dict[str, bytes]:
    """Return clip name -> encoded image of the clips with the highest loss."""
    from kinoscope.training.evaluation.predictions import clip_name

    return {clip_name(examples[index]): image for index, (_, image) in worst.thumbnails.items()}


def _write(result: EvaluateResult, scores: Scores, images: dict[str, bytes], folder: Path) -> list[Path]:
    """Write the scores, the page and the plots, and return their paths."""
    from kinoscope.views.pages.evaluation import write_evaluation

    scores.save(folder / "scores.json")
    compared = result.comparison.to_dict() if result.comparison else None
    write_evaluation(scores.to_dict(), folder / "report.html", images, compared)
    return [folder / "scores.json", folder / "report.html", *_write_plots(scores, folder)]


def _write_plots(scores: Scores, folder: Path) -> list[Path]:
    """Write plots of confusion and reliability, and return their paths; none without matplotlib: the page has both."""
    from kinoscope.views.plots import training

    calibration = scores.calibration
    before = _numbers(calibration.bins_before)
    after = _numbers(calibration.bins_after) if calibration.temperature != 1 else None
    plots = [folder / "reliability.png"]
    try:
        training.reliability(before, plots[0], after)
        if scores.confusion:
            plots.append(folder / "confusion.png")
            training.confusion_matrix(scores.confusion, scores.classes, plots[1])
    except MissingExtra:
        return []
    return plots


def _numbers(rows: Iterable[Iterable[float | None]]) -> list[list[float]]:
    """Return rows with NaN for None."""
    return [[float("nan") if value is None else value for value in row] for row in rows]
