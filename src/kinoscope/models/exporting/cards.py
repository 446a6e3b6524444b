"""The networks of cards and of trained classifiers, to be exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kinoscope.core.errors import ModelError
from kinoscope.models.card import Card
from kinoscope.models.exporting.description import PIXELS, describe
from kinoscope.models.exporting.network import BATCH, Axis, ExportSource, Sample, TensorSpec
from kinoscope.models.exporting.samples import sample_pixels, sample_tokens, sample_values
from kinoscope.models.runtime.openvino import build_torch_module
from kinoscope.models.store import cache_folder

AXIS_NAMES: Mapping[str, tuple[str, ...]] = {
    "sentences": ("tokens", "bytes"), "sync-points": ("time", "values"), "sync-pixels": ("time", "height", "width"),
    "sync-audio": ("time", "bands"),
}  # fmt: skip
"""Task of a card -> names of the axes of its input after the batch, where it takes neither images nor clips."""

FRAME_AXES = ("time", "height", "width", "channels")


def card_source(card: Card) -> ExportSource:
    """Return the network of a card, or of a trained classifier.

    Raises:
        ModelError: another library runs its files.
    """
    if card.net is None:
        names = ", ".join(file.name for file in card.files)
        raise ModelError(
            f"{card.name} cannot be exported: another library runs its files as they are ({names}); "
            f"`kinoscope models pull {card.name}` puts them into {cache_folder() / 'weights'}"
        )
    return ExportSource(
        name=card.name,
        build=lambda: build_torch_module(card),
        inputs=((card_input(card), card_sample(card)),),
        output_names=card.output_names,
        metadata=_card_metadata(card),
        tolerance=card.tolerance,
    )


def card_input(card: Card) -> TensorSpec:
    """Return the input of a card's network."""
    names = AXIS_NAMES.get(card.task, FRAME_AXES[-len(card.input) :] if _takes_frames(card) else ())
    if len(names) != len(card.input):  # a card of another package
        names = tuple(f"axis{index}" for index in range(1, 1 + len(card.input)))
    axes = (_card_axis(card, index, name) for index, name in enumerate(names))
    return TensorSpec(_input_name(card), card.dtype, (BATCH, *axes))


def _takes_frames(card: Card) -> bool:
    """Return whether a card takes RGB images or clips."""
    return card.dtype == "uint8" and len(card.input) in (3, 4) and card.input[-1] == 3


def _card_axis(card: Card, index: int, name: str) -> Axis:
    """Return an axis of the input; two variable axes have other lengths in the examples."""
    size, maximum = card.axes[index], card.input[index]
    if size is not None:
        return Axis(name, size)
    if maximum is None:
        return Axis(name, examples=variable_lengths(index))
    multiple = card.stride or 1
    return Axis(name, None, multiple, (maximum, max(multiple, maximum * (2 + index) // 4 // multiple * multiple)))


def variable_lengths(index: int) -> tuple[int, int]:
    """Return the lengths in the examples of the axis of an index that may have any."""
    return 48 + 8 * index, 64 + 8 * index


def _input_name(card: Card) -> str:
    if card.task == "sentences":
        return "tokens"
    if card.task.startswith("sync-"):
        return card.task.removeprefix("sync-")
    return "pixels" if card.dtype == "uint8" else "values"


def card_sample(card: Card) -> Sample:
    """Return the function that samples inputs of a card's network."""
    return sample_tokens if card.task == "sentences" else sample_pixels if card.dtype == "uint8" else sample_values


def _card_metadata(card: Card) -> dict[str, str]:
    fields: dict[str, Any] = {
        "task": card.task, "about": card.about, "licence": card.licence, "labels": list(card.labels),
        "published": card.published, "measured": card.measured, "weights": card.digest,
    }  # fmt: skip
    if card.task == "sentences":
        fields["preprocessing"] = "token ids as low byte and high byte; 0 is padding"
    elif _takes_frames(card):
        fields |= {"preprocessing": PIXELS, "resize": card.resize, "stride": card.stride, "rate": card.rate}
    if card.labels and card.rate:
        scores = "sigmoid" if card.multilabel else "softmax"
        fields |= {"temperature": card.temperature, "probabilities": f"{scores}(logits / temperature)"}
    return describe(card.name, fields)
