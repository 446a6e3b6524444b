"""``kinoscope evaluate``: how good a model is on labelled clips, or on videos with labelled segments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.arguments import choose_device
from kinoscope.core.errors import DatasetError, MissingExtra, OptionError
from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_known, require_number
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
"""Names of the files that are written, for classifiers or for generators."""

SPLITS = ("train", "val", "test", "all")


@dataclass
class EvaluateResult:
    """What an evaluation found.

    Attributes:
        scores: of whole clips; None where segments were scored.
        comparison: with another model, where one was given.
        segments: ActivityNet's scores, where the data has timed segments; ``broken`` are videos that were left out.
        generation: of a generator.
        written: the files.
    """

    model: str
    data: str
    scores: Scores | None = None
    comparison: Comparison | None = None
    segments: SegmentScores | None = None
    generation: EvaluateGeneratorResult | None = None
    broken: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form for ``--json``."""
        plain: dict[str, Any] = {"model": self.model, "data": self.data}
        if self.scores:
            plain["scores"] = self.scores.to_dict()
        if self.comparison:
            plain["comparison"] = self.comparison.to_dict()
        if self.segments:
            plain["segments"] = asdict(self.segments) | {"by_overlap": self.segments.by_overlap, "broken": self.broken}
        if self.generation:
            plain |= self.generation.to_dict()
        return plain | {"written": [str(path) for path in self.written]}


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
    judge: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    seed: int = 0,
    quiet: bool = False,
) -> EvaluateResult:
    """Score a model on labelled clips, with intervals, beside what chance would score; or a generator on real clips.

    Of a generator it reports the Frechet video distance with an interval, beside that of real clips (of one half from
    the other, and with frames shuffled, blurred, or held), kernel distance, precision and recall, diversity,
    consistency, the real clip nearest to each generated one, and the share of clips whose class is recognized.

    Args:
        model: folder of a model that `kinoscope train` wrote, a card that classifies clips, or a generator.
        data: a folder with one folder for each class, or a table of clips (CSV); or videos with labelled segments, as
            an ActivityNet JSON. The classes' names need not have the model's case, spaces and punctuation.
        out: folder for scores.json, report.html and pictures (-o); runs/evaluate/MODEL-DATA if not given.
        split: train, val, test or all of the clips; if not given, those that the data sets aside for testing (else
            for validation), or all if it has no splits.
        views: clips of each video, spread evenly over it, whose probabilities are averaged.
        compare: another model, to be compared on the same clips; of a generator, another one, or a scores.json of the
            same protocol.
        group: rule that groups clips by their names (see `kinoscope train classify --help`), by default that of the
            model's run; clips of a group are not independent, and intervals allow for that.
        batch: clips of one inference, at most.
        n: number of clips that a generator makes (-n), and about as many real ones that are read.
        features: a model that classifies clips, whose embeddings of a generator's clips are compared; the best that
            recognizes actions if not given.
        judge: a model trained on real clips that recognizes the classes of a generator's; features if not given.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        seed: of everything random: the intervals, and the clips of a generator.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used, or does not know the classes of the data.
        DatasetError: there is nothing to score.
    """
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.trainable.generators import bundled_generators, find_generator, is_generator
    from kinoscope.training.data.grouping import check_group

    if split is not None:
        require_known(split, SPLITS, "split")
    for option, value in (("views", views), ("batch", batch), ("n", n)):
        require_number(option, value, 1, 100_000)
    require_number("seed", seed, 0, 2**31 - 1)
    choose_device(device)
    check_group(group)
    claims = ExitStack()

    def place(name: str) -> Path:
        """Claim the folder for the results of a model, and return it."""
        folder = Path(out) if out is not None else Path("runs/evaluate") / f"{name}-{Path(data).resolve().stem}"
        by = command_id("evaluate", [model, data, *([compare] if compare else [])])
        claims.enter_context(claim_output(folder, by, [data, compare or ""], names=FILES, overwrite=overwrite))
        return folder

    generator = model in bundled_generators() or is_generator(Path(model))
    _demand_about(generator, split, features, judge)
    with claims:
        if generator:
            from kinoscope.api.evaluate_generator import evaluate_generator

            name = find_generator(model).resolve().name
            generation, written = evaluate_generator(
                model, data, place(name), n=n, features=features, judge=judge, compare=compare, group=group,
                device=device, seed=seed, quiet=quiet,
            )  # fmt: skip
            return EvaluateResult(name, str(data), generation=generation, broken=generation.broken, written=written)
        cards = [find_classifier(name) for name in (model, compare) if name is not None]
        names = _tell_apart([card.name for card in cards], (model, compare))
        if Path(data).suffix.lower() == ".json":
            return _evaluate_segments(model, cards, Path(data), place(names[0]), split, device, quiet)
        dataset = with_training_splits(_read(data, group or grouping_rule(model), cards), model)
        examples, kept = choose_examples(dataset, split)
        notes = leakage_notes(examples, kept, dataset, [name for name in (model, compare) if name is not None])
        folder = place(names[0])
        prepare_folder(folder)
        told, gallery = [], None
        for card, name in zip(cards, names, strict=True):
            predictions, seen = _predict(card, name, dataset, examples, views, batch, device, quiet)
            told.append(predictions)
            gallery = gallery or seen
        facts = {"model": names[0], "data": str(data), "split": kept, "views": views, "notes": notes}
        return _score(told, cards[0], names, facts, folder, seed, _pictures(gallery, examples))


def _demand_about(generator: bool, split: str | None, features: str | None, judge: str | None) -> None:
    """Refuse options that are about the other kind of model, and would be passed over in silence."""
    given = {"split": split} if generator else {"features": features, "judge": judge}
    for option, value in given.items():
        if value is not None:
            kind = "a model that classifies clips" if generator else "a generator"
            raise OptionError(f"{option} is for {kind}; leave it out")


def _tell_apart(names: list[str], given: tuple[str, str | None]) -> list[str]:
    """Give the cards' names, or where these are the same, what the user called them."""
    return names if len(set(names)) == len(names) else [str(name) for name in given]


def _read(data: str | Path, group: str, cards: Sequence[Card]) -> Dataset:
    """Read the labelled clips, and make sure that every model knows their classes."""
    from kinoscope.models.inference.classifier import match_labels
    from kinoscope.training.data.readers import read_dataset

    dataset = read_dataset(data, group)
    for card in cards:
        match_labels(dataset.classes, card)
        if dataset.multilabel and not card.multilabel:
            raise DatasetError(
                f"{data} has clips of several classes or of none, and {card.name} tells one class of each; "
                "give a model that was trained on such data"
            )
    return dataset


def grouping_rule(model: str) -> str:
    """Give the rule that grouped the clips which a model was trained on; empty if there was none."""
    try:
        return str(read_json(Path(model) / "options.json", allow_nan=True)["options"]["group"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def with_training_splits(dataset: Dataset, model: str) -> Dataset:
    """Give the dataset with the splits of the run that trained a model, where the data itself sets none."""
    splits = training_splits(dataset, model)
    if splits is None or any(example.split for example in dataset.examples):
        return dataset
    split_of = {example: name for name, examples in splits.items() for example in examples}
    return replace(dataset, examples=tuple(replace(one, split=split_of.get(one)) for one in dataset.examples))


def training_splits(dataset: Dataset, model: str) -> dict[str, list[Example]] | None:
    """Give which clips of a dataset a model was trained on, validated on and tested on; None if that is not known."""
    from kinoscope.training.data.splits import read_splits

    path = Path(model) / "splits.json"
    try:
        same = Path(read_json(path)["root"]).resolve() == Path(dataset.root).resolve()
        return dict(read_splits(path, dataset)) if same else None
    except (OSError, ValueError, KeyError, TypeError, DatasetError):
        return None


def choose_examples(dataset: Dataset, split: str | None) -> tuple[tuple[Example, ...], str]:
    """Give the examples of a split, and its name; if none is named, of what is set aside for testing, as far as it is.

    Raises:
        DatasetError: the data has none of that name.
    """
    has = [name for name in SPLITS if any(example.split == name for example in dataset.examples)]
    name = split or next((one for one in ("test", "val") if one in has), "all")
    if name == "all":
        return dataset.examples, name
    examples = tuple(example for example in dataset.examples if example.split == name)
    if not examples:
        there = f"it has {', '.join(has)}" if has else "it has no splits"
        raise DatasetError(f"{dataset.root} sets no clips aside for {name}: {there}; give --split all for all clips")
    return examples, name


def leakage_notes(examples: Sequence[Example], kept: str, dataset: Dataset, models: Sequence[str]) -> tuple[str, ...]:
    """Say what makes scores look better than they are: clips that a model has learned from, or was chosen by."""
    notes = []
    for model in models:
        splits = training_splits(dataset, model)
        if splits is None:
            continue
        seen = {name: len({*map(_place, examples)} & {*map(_place, splits[name])}) for name in ("train", "val")}
        if seen["train"]:
            notes.append(
                f"{model} has learned from {seen['train']} of these clips: of new ones it will tell fewer right"
            )
        elif seen["val"]:
            notes.append(
                f"the best epoch of {model} was chosen by these clips: a score of others is fairer, if only a little"
            )
    return tuple(notes)


def _place(example: Example) -> tuple[str, float | None, float | None]:
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
    from kinoscope.models.inference.classifier import get_sampling, match_labels
    from kinoscope.models.runtime.runner import make_runner
    from kinoscope.training.data.loader import Loader
    from kinoscope.training.evaluation.inference import WorstClips, run

    runner = make_runner(card, device)
    own = match_labels(dataset.classes, card)
    named = [replace(example, labels=tuple(own[label] for label in example.labels)) for example in examples]
    loader = Loader(named, card.labels, get_sampling(card), batch=batch, views=views)
    gallery, seen = WorstClips(), 0
    with bar(name, quiet) as progress:

        def look(index: int, pixels: Any, loss: float) -> None:
            nonlocal seen
            gallery.add(index, pixels, loss)
            seen += 1
            if progress:
                progress(seen, len(examples) * views)

        predictions = run(runner, loader, look)
    gallery.prune()
    return predictions, gallery


def _pictures(gallery: WorstClips | None, examples: Sequence[Example]) -> dict[str, bytes]:
    from kinoscope.training.evaluation.predictions import clip_name

    kept = gallery.pictures if gallery else {}
    return {clip_name(examples[index]): picture for index, (_, picture) in kept.items()}


def _score(
    told: Sequence[Predictions],
    card: Card,
    names: Sequence[str],
    facts: dict[str, Any],
    folder: Path,
    seed: int,
    pictures: dict[str, bytes],
) -> EvaluateResult:
    from kinoscope.training.evaluation import comparison
    from kinoscope.training.evaluation import evaluate as evaluation
    from kinoscope.views.pages.evaluation import write_evaluation

    scores = replace(evaluation.evaluate(told[0], seed, card.temperature), **facts)
    compared = comparison.compare(told[1], told[0], (names[1], names[0]), seed) if len(told) > 1 else None
    found = EvaluateResult(scores.model, scores.data, scores, compared, broken=scores.broken)
    scores.save(folder / "scores.json")
    write_evaluation(scores.to_dict(), folder / "report.html", pictures, compared.to_dict() if compared else None)
    found.written = [folder / "scores.json", folder / "report.html", *_draw(scores, folder)]
    return found


def _draw(scores: Scores, folder: Path) -> list[Path]:
    """Write confusion and reliability as pictures, if matplotlib is here: the page shows both anyway."""
    from kinoscope.views.plots import training

    calibration = scores.calibration
    before = _numbers(calibration.bins_before)
    after = _numbers(calibration.bins_after) if calibration.temperature != 1 else None
    drawn = [folder / "reliability.png"]
    try:
        training.reliability(before, drawn[0], after)
        if scores.confusion:
            drawn.append(folder / "confusion.png")
            training.confusion_matrix(scores.confusion, scores.classes, drawn[1])
    except MissingExtra:
        return []
    return drawn


def _numbers(rows: Iterable[Iterable[float | None]]) -> list[list[float]]:
    return [[float("nan") if value is None else value for value in row] for row in rows]


def _evaluate_segments(
    model: str, cards: Sequence[Card], data: Path, folder: Path, split: str | None, device: str, quiet: bool
) -> EvaluateResult:
    """Slide a card over videos, and score the segments that it finds."""
    from kinoscope.api.evaluate_segments import score_segments

    if len(cards) > 1:
        raise OptionError(
            "--compare takes labelled clips, and this table has timed segments; evaluate one after the other"
        )
    prepare_folder(folder)
    scored, found, broken = score_segments(model, cards[0], data, split, device, quiet)
    result = EvaluateResult(cards[0].name, str(data), segments=scored, broken=broken, written=[folder / "scores.json"])
    with atomic_write(result.written[0]) as path:
        plain = result.to_dict() | {"found": [asdict(segment) for segment in found]}
        path.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", "utf-8")
    return result
