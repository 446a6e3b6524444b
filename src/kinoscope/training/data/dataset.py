"""Labelled clips: examples and datasets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled clip.

    Attributes:
        path: a video, an image that is a horizontal strip of square frames, or a folder of frames.
        labels: its classes; exactly one, except in multi-label data.
        start, end: the part of the video that counts, in seconds of presentation time; None for its beginning and its
            end.
        group: what must not be split between training and testing: a person, a recording, a block of neighbours.
        split: ``train``, ``val`` or ``test`` where the data says so; None where it does not.
    """

    path: str
    labels: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    group: str = ""
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples and the names of their classes.

    Attributes:
        root: folder or CSV file that it was read from.
        examples: in a fixed order.
        classes: sorted names; an example's label is one of them.
        multilabel: whether an example may have several.
    """

    root: str
    examples: tuple[Example, ...]
    classes: tuple[str, ...]
    multilabel: bool = False
