"""The networks of trained generators, frame predictors and sync models, to be exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinoscope.models.exporting.cards import FRAME_AXES, card_input, card_sample, variable_lengths
from kinoscope.models.exporting.description import PIXELS, describe
from kinoscope.models.exporting.network import BATCH, Axis, ExportSource, Sample, TensorSpec
from kinoscope.models.exporting.samples import sample_labels, sample_pixels, sample_times, sample_values
from kinoscope.models.exporting.wrappers import FramesLast, SideBySide
from kinoscope.models.formats.trained_model import WEIGHTS_FILE, build_with_weights
from kinoscope.models.inference.sync import folder_cards
from kinoscope.models.runtime.openvino import build_torch_module
from kinoscope.models.trainable.generators import (
    BUNDLED,
    GANS,
    MAX_START_SECONDS,
    GeneratorMetadata,
    find_generator,
    new_generator,
    read_generator,
)
from kinoscope.models.trainable.predictors import PATCH_SIZE, load_predictor_net, read_predictor


def generator_source(name: str) -> ExportSource:
    """Return a clip generator, bundled or in a folder: latents, class indices and times to clips.

    Raises:
        OptionError: there is no such generator.
        ModelError: its folder is damaged.
    """
    folder = find_generator(name)
    metadata = read_generator(folder)
    net: Any = build_with_weights(lambda: new_generator(metadata), folder / WEIGHTS_FILE)
    fields = {
        "task": "generate",
        "about": _about(metadata.network, metadata.data),
        "licence": "MIT" if folder.parent == BUNDLED else "your own",
        "labels": metadata.classes,
        "rate": metadata.rate,
        "preprocessing": "content and motion: standard normal noise; labels: class indices; times: seconds",
        "postprocessing": "clips: RGB (N, T, H, W, 3) in [0, 1]",
    }
    return ExportSource(
        name=folder.resolve().name,
        build=lambda: FramesLast(net.float().eval()),
        inputs=_latents(metadata, net.steps((metadata.frames - 1) / metadata.rate + MAX_START_SECONDS)),
        output_names=("clips",),
        output_axes=FRAME_AXES,
        metadata=describe(folder.resolve().name, fields),
    )


def _latents(metadata: GeneratorMetadata, steps: int) -> tuple[tuple[TensorSpec, Sample], ...]:
    """Return the inputs of a generator; ``steps`` is the number of its motion latents."""
    content, motion = GANS[metadata.network].latent_sizes
    return (
        (TensorSpec("content", "float32", (BATCH, Axis("content", content))), sample_values),
        (TensorSpec("motion", "float32", (BATCH, Axis("steps", steps), Axis("motion", motion))), sample_values),
        (TensorSpec("labels", "int64", (BATCH,)), sample_labels(len(metadata.classes))),
        (TensorSpec("times", "float32", (BATCH, Axis("time", metadata.frames))), sample_times(metadata.rate)),
    )


def predictor_source(folder: Path) -> ExportSource:
    """Return a trained frame predictor: the last frames of a clip to the next ones.

    Raises:
        ModelError: the folder is damaged.
    """
    metadata = read_predictor(folder)
    height, width = (
        Axis(name, None, PATCH_SIZE, (metadata.size, metadata.size + count * PATCH_SIZE))
        for name, count in (("height", 1), ("width", 2))
    )
    axes = (BATCH, Axis("time", metadata.context), height, width, Axis("channels", metadata.channels))
    fields = {
        "task": "predict",
        "about": _about(metadata.network, metadata.data),
        "licence": "your own",
        "rate": metadata.rate,
        "preprocessing": PIXELS if metadata.channels == 3 else PIXELS.replace("RGB", "grey"),
        "postprocessing": f"frames: the next {metadata.horizon}, in [0, 1]",
    }
    return ExportSource(
        name=folder.resolve().name,
        build=lambda: load_predictor_net(folder, metadata),
        inputs=((TensorSpec("pixels", "uint8", axes), sample_pixels),),
        output_names=("frames",),
        output_axes=FRAME_AXES,
        metadata=describe(folder.resolve().name, fields),
    )


def _about(network: str, data: str) -> str:
    return f"{network}, trained on {data or 'your own clips'}"


def sync_source(folder: Path) -> ExportSource:
    """Return a trained sync model: all its streams as one network, with an input and an output for each.

    Raises:
        ModelError: the folder is damaged.
    """
    cards = folder_cards(folder)
    name = folder.resolve().name
    fields = {"task": "sync", "about": "streams of audio-visual synchronization", "licence": cards[0].licence}
    specs = [card_input(card) for card in cards]
    return ExportSource(
        name=name,
        build=lambda: SideBySide([build_torch_module(card) for card in cards]),
        inputs=tuple((_own_time(spec, index), card_sample(cards[index])) for index, spec in enumerate(specs)),
        output_names=tuple(f"{spec.name}_embeddings" for spec in specs),
        metadata=describe(name, fields),
        tolerance=max(card.tolerance for card in cards),
    )


def _own_time(spec: TensorSpec, index: int) -> TensorSpec:
    """Return an input whose time axis is named after it, with lengths of its own: the streams may differ in length."""
    batch, _, *others = spec.axes
    time = Axis(f"{spec.name}_time", examples=variable_lengths(index))
    return TensorSpec(spec.name, spec.dtype, (batch, time, *others))
