"""Loading of models as objects: which class a card or a folder is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_number, suggest
from kinoscope.models.card import Card
from kinoscope.models.formats.trained_model import METADATA_FILE
from kinoscope.models.inference.classifier import is_classifier
from kinoscope.models.registry import card_names, find
from kinoscope.models.trainable.generators import bundled_generators
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.detectors import Detector
from kinoscope.pipeline.generative_models import FramePredictor, Generator
from kinoscope.pipeline.loaded_model import LoadedModel
from kinoscope.pipeline.loaded_models import Classifier, FeatureExtractor, SyncModel

Load = Callable[[str, str, int | None], LoadedModel]
"""Loads a model, given its name or folder, the device and the number of threads."""

CARD_CLASSES: Mapping[str, Load] = {
    "objects": Detector, "faces": Detector, "text": Detector, "sync-points": SyncModel, "sync-pixels": SyncModel,
    "sync-audio": SyncModel,
}  # fmt: skip
"""Task of a card -> its class; other cards are a Classifier or a FeatureExtractor."""

FOLDER_CLASSES: Mapping[str, Load] = {
    "classify": Classifier, "generate": Generator, "predict": FramePredictor, "sync": SyncModel,
}  # fmt: skip
"""Task of a trained model -> its class."""

VERB_TASKS = ("lipsync",)
"""Tasks of trained models that only the verb of that name runs."""


def load(reference: str, device: str = "auto", threads: int | None = None) -> LoadedModel:
    """Return a model by the name of its card or of a bundled generator, or by its folder; names take precedence.

    Raises:
        OptionError: there is no such model or device, or the number of threads cannot be used.
        ModelError: the model cannot be used.
        WeightsMissing: its weights are not available.
    """
    choose_device(device)
    require_number("threads", threads, 1)
    cards, generators = card_names(), bundled_generators()
    if reference in cards or reference.startswith("hf:"):
        return _class_of(find(reference))(reference, device, threads)
    if reference in generators:
        return Generator(reference, device, threads)
    if Path(reference).is_dir():
        return _class_of_folder(Path(reference))(reference, device, threads)
    if Path(reference).name != reference:
        raise OptionError(
            f"{reference} is no folder; give that of a trained model, or a name of `kinoscope models list`"
        )
    names = [*cards, *generators]
    raise OptionError(
        f"no model is called {reference}, and it is no folder of a trained one; {suggest(reference, names)}"
        f"known: {', '.join(names)}"
    )


def _class_of(card: Card) -> Load:
    if card.name == "ppocr-v4-rec":  # reads lines that the detector has found
        return FeatureExtractor
    return Classifier if is_classifier(card) else CARD_CLASSES.get(card.task, FeatureExtractor)


def _class_of_folder(folder: Path) -> Load:
    """Return the class of a trained model; of a folder without ``model.json``, that of a classifier."""
    try:
        task = str(read_json(folder / METADATA_FILE)["task"])
    except (OSError, ValueError, KeyError, TypeError):
        return Classifier  # a model of the Transformers library, or an error that says what is wrong
    if task not in FOLDER_CLASSES:
        use = f"give it to the verb, as in kinoscope.{task}(...), or " if task in VERB_TASKS else ""
        raise ModelError(
            f"{folder} was trained to {task}, which no object does; {use}load a model of: {', '.join(FOLDER_CLASSES)}"
        )
    return FOLDER_CLASSES[task]
