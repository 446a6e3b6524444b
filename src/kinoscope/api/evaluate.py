"""``kinoscope evaluate``: scores of a classifier on labelled clips or segments, or of a generator on real clips."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import DatasetError, MissingExtra, OptionError
from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_known, require_number
from kinoscope.pipeline.arguments import choose_device
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.api.evaluate_generator import EvaluateGeneratorResult
    from kinoscope.core.metrics.temporal_detection import SegmentScores
    from kinoscope.models.card import Card
    from kinoscope.training.data.dataset import Dataset, Example
    from kinoscope.training.evaluation.comparison import Comparison
    from kinoscope.training.evaluation.inference import WorstClips
    from kinoscope.training.evaluation.predictions import Predictions
    from kinoscope.training.evaluation.scores import Scores

FILES = ("scores.json", "report.html", "reliability.png", "confusion.png", "samples.mp4", "pairs.mp4")
"""Names of the written files, of classifiers and of generators."""

SPLITS = ("train", "val", "test", "all")
"""Values of the option ``split``."""


@dataclass
class EvaluateResult:
    """The scores of an evaluation.

    Attributes:
        model: name of the model.
        data: path of the data.
        scores: of whole clips; None where segments or a generator were scored.
        comparison: with another model, where one was given.
        segments: ActivityNet's scores, where the data has timed segments.
        generation: scores of a generator.
        unreadable: clips or videos that were left out -> the reason.
        written: the files.
    """

    model: str
    data: str
    scores: Scores | None = None
    comparison: Comparison | None = None
    segments: SegmentScores | None = None
    generation: EvaluateGeneratorResult | None = None
    unreadable: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        plain: dict[str, Any] = {"model": self.model, "data": self.data}
        if self.scores:
            plain["scores"] = self.scores.to_dict()
        if self.comparison:
            plain["comparison"] = self.comparison.to_dict()
        if self.segments:
            scores = asdict(self.segments)
            plain["segments"] = scores | {"by_overlap": self.segments.by_overlap, "unreadable": self.unreadable}
        if self.generation:
            plain |= self.generation.to_dict()
        return plain | {"written": [str(path) for path in self.written]}


@accept_old_names
def evaluate(
    model: str,
    data: str | Path,
    *,
    out: str | Path | None = None,
    split: str | None = None,
    views: int = 3,
    compare: str | None = None,
    group: str = "",
    batch: int = 16,
    n: int = 256,
    features: str | None = None,
    classifier: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    seed: int = 0,
    quiet: bool = False,
) -> EvaluateResult:
    """Score a classifier on labelled clips, with confidence intervals and chance level; or a generator on real clips.

    Of a generator it reports the Frechet video distance with a confidence interval, beside that of real clips (of one
    half from the other, and with frames shuffled, blurred, or frozen), kernel distance, precision and recall,
    diversity, consistency, the real clip nearest to each generated one, and the share of clips whose class is
    recognized.

    Args:
        model: folder of a model that `kinoscope train` wrote, a card that classifies clips, or a generator.
        data: a folder with one folder for each class, or a table of clips (CSV); or videos with labelled segments, as
            an ActivityNet JSON. The classes' names need not have the model's case, spaces and punctuation.
        out: folder for scores.json, report.html and images (-o); runs/evaluate/MODEL-DATA if not given.
        split: train, val, test or all of the clips; if not given, the test split of the data (else the validation
            split), or all if it has no splits.
        views: number of clips that are taken of each video, spread evenly over it; their probabilities are averaged.
        compare: another model, to be compared on the same clips; of a generator, another one, or a scores.json of the
            same protocol.
        group: rule that groups clips by their names (see `kinoscope train classify --help`), by default that of the
            model's run; clips of a group are not independent, and intervals allow for that.
        batch: maximum number of clips of one inference.
        n: number of clips that a generator generates (-n), and about as many real ones that are read.
        features: a model that classifies clips, whose embeddings of generated and real clips are compared; the best
            that recognizes actions if not given.
        classifier: a model trained on real clips that recognizes the classes of generated clips; features if not given.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        seed: of the random numbers for confidence intervals and for the clips of a generator.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used, or does not know the classes of the data.
        DatasetError: there is nothing to score.
    """
    from kinoscope.models.trainable.generators import bundled_generators, is_generator

    _check_options(split, views, batch, n, seed, group, device)
    generator = model in bundled_generators() or is_generator(Path(model))
    _demand_fitting_options(generator, split, features, classifier)
    with ExitStack() as claims:
        claim_folder = partial(_claim_folder, claims, model, data, out, compare, overwrite)
        if generator:
            options = {"n": n, "features": features, "classifier": classifier, "compare": compare, "group": group}
            return _evaluate_generator(model, data, claim_folder, options, device, seed, quiet)
        return _evaluate_classifier(
            model, Path(data), claim_folder, split, views, compare, group, batch, device, seed, quiet
        )


def _check_options(split: str | None, views: int, batch: int, n: int, seed: int, group: str, device: str) -> None:
    """Check the options that need neither model nor data.

    Raises:
        OptionError: one cannot be used.
    """
    from kinoscope.training.data.grouping import check_group

    if split is not None:
        require_known(split, SPLITS, "split")
    for option, value in (("views", views), ("batch", batch), ("n", n)):
        require_number(option, value, 1, 100_000)
    require_number("seed", seed, 0, 2**31 - 1)
    choose_device(device)
    check_group(group)


def _claim_folder(
    claims: ExitStack,
    model: str,
    data: str | Path,
    out: str | Path | None,
    compare: str | None,
    overwrite: bool,
    name: str,
) -> Path:
    """Claim the folder for the results of the model ``name`` until ``claims`` closes, and return it."""
    folder = Path(out) if out is not None else Path("runs/evaluate") / f"{name}-{Path(data).resolve().stem}"
    by = command_id("evaluate", [model, data, *([compare] if compare else [])])
    claims.enter_context(claim_output(folder, by, [data, compare or ""], names=FILES, overwrite=overwrite))
    return folder


def _evaluate_generator(
    model: str,
    data: str | Path,
    claim_folder: Callable[[str], Path],
    options: dict[str, Any],
    device: str,
    seed: int,
    quiet: bool,
) -> EvaluateResult:
    from kinoscope.api.evaluate_generator import evaluate_generator
    from kinoscope.models.trainable.generators import find_generator

    name = find_generator(model).resolve().name
    generation, written = evaluate_generator(
        model, data, claim_folder(name), **options, device=device, seed=seed, quiet=quiet
    )
    return EvaluateResult(name, str(data), generation=generation, unreadable=generation.unreadable, written=written)


def _evaluate_classifier(
    model: str,
    data: Path,
    claim_folder: Callable[[str], Path],
    split: str | None,
    views: int,
    compare: str | None,
    group: str,
    batch: int,
    device: str,
    seed: int,
    quiet: bool,
) -> EvaluateResult:
    from kinoscope.models.inference.classifier import find_classifier

    models = [name for name in (model, compare) if name is not None]
    cards = [find_classifier(name) for name in models]
    names = _distinct_names([card.name for card in cards], (model, compare))
    if data.suffix.lower() == ".json":
        return _evaluate_segments(model, cards, data, claim_folder(names[0]), split, device, quiet)
    dataset = with_training_splits(_read(data, group or grouping_rule(model), cards), model)
    examples, split_name = choose_examples(dataset, split)
    notes = leakage_notes(examples, dataset, models)
    folder = claim_folder(names[0])
    prepare_folder(folder)
    predicted = [
        _predict(card, name, dataset, examples, views, batch, device, quiet)
        for card, name in zip(cards, names, strict=True)
    ]
    metadata = {"model": names[0], "data": str(data), "split": split_name, "views": views, "notes": notes}
    images = _worst_clip_images(predicted[0][1], examples)
    return _score([one for one, _ in predicted], cards[0], names, metadata, folder, seed, images)


def _demand_fitting_options(generator: bool, split: str | None, features: str | None, classifier: str | None) -> None:
    """Raise OptionError for an option of the other kind of model, which would have no effect."""
    options = {"split": split} if generator else {"features": features, "classifier": classifier}
    for option, value in options.items():
        if value is not None:
            kind = "a model that classifies clips" if generator else "a generator"
            raise OptionError(f"{option} is for {kind}; leave it out")


def _distinct_names(names: list[str], arguments: tuple[str, str | None]) -> list[str]:
    """Return the names of the cards; where they are the same, the arguments by which the user named the models."""
    return names if len(set(names)) == len(names) else [str(name) for name in arguments]


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


def grouping_rule(model: str) -> str:
    """Return the rule that grouped the training clips of a model; empty if there was none."""
    try:
        return str(read_json(Path(model) / "options.json", allow_nan=True)["options"]["group"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def with_training_splits(dataset: Dataset, model: str) -> Dataset:
    """Return the dataset with the splits of the run that trained a model, where the data itself has none."""
    splits = training_splits(dataset, model)
    if splits is None or any(example.split for example in dataset.examples):
        return dataset
    split_of = {example: name for name, examples in splits.items() for example in examples}
    return replace(
        dataset, examples=tuple(replace(example, split=split_of.get(example)) for example in dataset.examples)
    )


def training_splits(dataset: Dataset, model: str) -> dict[str, list[Example]] | None:
    """Return the training, validation and test clips of a model's run; None if it was trained on other data."""
    from kinoscope.training.data.splits import read_splits

    path = Path(model) / "splits.json"
    try:
        same = Path(read_json(path)["root"]).resolve() == Path(dataset.root).resolve()
        return dict(read_splits(path, dataset)) if same else None
    except (OSError, ValueError, KeyError, TypeError, DatasetError):
        return None


def choose_examples(dataset: Dataset, split: str | None) -> tuple[tuple[Example, ...], str]:
    """Return the examples of a split, and its name; by default the test split, else the validation split, else all.

    Raises:
        DatasetError: the data has no such split.
    """
    has = [name for name in SPLITS if any(example.split == name for example in dataset.examples)]
    name = split or next((name for name in ("test", "val") if name in has), "all")
    if name == "all":
        return dataset.examples, name
    examples = tuple(example for example in dataset.examples if example.split == name)
    if not examples:
        existing = f"it has {', '.join(has)}" if has else "it has no splits"
        raise DatasetError(f"{dataset.root} has no clips of split {name}: {existing}; give --split all for all clips")
    return examples, name


def leakage_notes(examples: Sequence[Example], dataset: Dataset, models: Sequence[str]) -> tuple[str, ...]:
    """Return why scores are too high: clips that a model was trained on, or that its best epoch was selected by."""
    notes = []
    for model in models:
        splits = training_splits(dataset, model)
        if splits is None:
            continue
        shared = {name: len({*map(_clip_key, examples)} & {*map(_clip_key, splits[name])}) for name in ("train", "val")}
        if shared["train"]:
            notes.append(
                f"{model} was trained on {shared['train']} of these clips: its score on new clips will be lower"
            )
        elif shared["val"]:
            notes.append(
                f"the best epoch of {model} was selected on these clips: its score on new clips may be slightly lower"
            )
    return tuple(notes)


def _clip_key(example: Example) -> tuple[str, float | None, float | None]:
    return example.path, example.start, example.end


def _predict(
    card: Card,
    name: str,
    dataset: Dataset,
    examples: Sequence[Example],
    views: int,
    batch: int,
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
    loader = Loader(renamed, card.labels, get_sampling(card), batch=batch, views=views)
    worst, count = WorstClips(), 0
    with bar(name, quiet) as progress:

        def on_clip(index: int, pixels: Any, loss: float) -> None:
            nonlocal count
            worst.add(index, pixels, loss)
            count += 1
            if progress:
                progress(count, len(examples) * views)

        predictions = run(runner, loader, on_clip)
    worst.prune()
    return predictions, worst


def _worst_clip_images(worst: WorstClips | None, examples: Sequence[Example]) -> dict[str, bytes]:
    """Return clip name -> encoded image of the clips with the highest loss."""
    from kinoscope.training.evaluation.predictions import clip_name

    images = worst.thumbnails if worst else {}
    return {clip_name(examples[index]): image for index, (_, image) in images.items()}


def _score(
    predictions: Sequence[Predictions],
    card: Card,
    names: Sequence[str],
    metadata: dict[str, Any],
    folder: Path,
    seed: int,
    images: dict[str, bytes],
) -> EvaluateResult:
    """Score the predictions of one model or two, and write the files."""
    from kinoscope.training.evaluation import comparison
    from kinoscope.training.evaluation import evaluate as evaluation
    from kinoscope.views.pages.evaluation import write_evaluation

    scores = replace(evaluation.evaluate(predictions[0], seed, card.temperature), **metadata)
    compared = None
    if len(predictions) > 1:
        compared = comparison.compare(predictions[1], predictions[0], (names[1], names[0]), seed)
    result = EvaluateResult(scores.model, scores.data, scores, compared, unreadable=scores.unreadable)
    scores.save(folder / "scores.json")
    write_evaluation(scores.to_dict(), folder / "report.html", images, compared.to_dict() if compared else None)
    result.written = [folder / "scores.json", folder / "report.html", *_write_plots(scores, folder)]
    return result


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


def _evaluate_segments(
    model: str, cards: Sequence[Card], data: Path, folder: Path, split: str | None, device: str, quiet: bool
) -> EvaluateResult:
    """Run a classifier over videos with a sliding window, and score the segments that it detects."""
    from kinoscope.api.evaluate_segments import score_segments

    if len(cards) > 1:
        raise OptionError(
            "--compare takes labelled clips, and this table has timed segments; evaluate one after the other"
        )
    prepare_folder(folder)
    scores, detections, unreadable = score_segments(model, cards[0], data, split, device, quiet)
    path = folder / "scores.json"
    result = EvaluateResult(cards[0].name, str(data), segments=scores, unreadable=unreadable, written=[path])
    with atomic_write(path) as temporary:
        plain = result.to_dict() | {"found": [asdict(segment) for segment in detections]}
        temporary.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", "utf-8")
    return result
