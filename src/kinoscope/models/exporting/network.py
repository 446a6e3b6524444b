"""A network to be exported: its inputs and outputs with named axes, and what its file says about it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Build = Callable[[], nn.Module]
    """Builds a network with its weights, in evaluation mode."""

Array = np.ndarray[Any, Any]
Sample = Callable[[np.random.Generator, Sequence[int]], Array]
"""Returns an input of a shape that resembles real data."""

TRACE_BATCH = 2
"""Batch size of the example that a network is traced with; those of the checks differ from it."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a tensor.

    Attributes:
        name: such as ``batch`` or ``height``; axes of one name have one length. Empty for a fixed axis without a name.
        size: its length; None if it is variable.
        multiple: a variable length is a multiple of it.
        examples: for a variable axis: the length that the network is traced with, and another one.
    """

    name: str
    size: int | None = None
    multiple: int = 1
    examples: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        if self.size is not None:
            return f"{self.name} {self.size}".lstrip()
        return f"{self.name} any" if self.multiple == 1 else f"{self.name} a multiple of {self.multiple}"

    def to_dict(self) -> dict[str, Any]:
        """Return the name, the size (None if it is variable) and the multiple as plain types for JSON."""
        return {"name": self.name or None, "size": self.size, "multiple": self.multiple}


BATCH = Axis("batch", examples=(1, 3))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or an output of a network.

    Attributes:
        name: unique among those of the network.
        dtype: such as ``uint8``.
        axes: all of them, the batch first.
    """

    name: str
    dtype: str
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Length of each axis; None if it is variable."""
        return tuple(axis.size for axis in self.axes)

    @property
    def variable(self) -> dict[int, str]:
        """Index -> name of the axes of variable length."""
        return {index: axis.name for index, axis in enumerate(self.axes) if axis.size is None}

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} ({', '.join(map(str, self.axes))})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types for JSON."""
        return {"name": self.name, "dtype": self.dtype, "axes": [axis.to_dict() for axis in self.axes]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """A network that can be exported, not built yet.

    Attributes:
        name: of its card or folder.
        build: builds it; it takes as many tensors as there are inputs, and returns one tensor or several.
        inputs: with the function that samples an example of each.
        output_names: their names; ``output0``, ``output1``... if none are given.
        output_axes: names of the axes of every output after the batch, if they have names.
        metadata: what the file says about it: key -> text.
        tolerance: maximum difference of an output from torch.
    """

    name: str
    build: Build
    inputs: tuple[tuple[TensorSpec, Sample], ...]
    output_names: tuple[str, ...] = ()
    output_axes: tuple[str, ...] = ()
    metadata: dict[str, str]
    tolerance: float = 1e-3


class ExportNetwork:
    """A network in torch, ready to be converted.

    Attributes:
        source: what it was built from.
        net: takes the inputs as tensors, and returns a tuple of float32 tensors.
        inputs, outputs: their names, data types and axes.
        metadata: what the file says about it: key -> text, with the inputs and outputs as JSON.
        examples: inputs for the comparison of a file with torch: of two batch sizes, and of two lengths of each
            variable axis.
        expected: the outputs in torch for each of the examples.
    """

    def __init__(self, source: ExportSource) -> None:
        from kinoscope.models.exporting.wrappers import TupleOutput

        self.source, self.net = source, TupleOutput(source.build())
        self.inputs = tuple(spec for spec, _ in source.inputs)
        self.examples = [self._example(is_other) for is_other in (False, True)]
        self.expected = [self._infer(example) for example in self.examples]
        self.outputs = self._find_outputs()
        ports = {"inputs": self.inputs, "outputs": self.outputs}
        axes = {key: json.dumps([spec.to_dict() for spec in specs]) for key, specs in ports.items()}
        self.metadata = source.metadata | axes

    def _example(self, other: bool = False, batch: int | None = None) -> list[Array]:
        """Return an example of each input.

        Args:
            other: whether variable axes have other lengths than the network is traced with.
            batch: number of items; that of the examples of ``BATCH`` if None.
        """
        rng = np.random.default_rng(int(other))
        arrays = []
        for spec, sample in self.source.inputs:
            lengths = [axis.examples[other] if axis.size is None else axis.size for axis in spec.axes]
            lengths[0] = batch or lengths[0]
            arrays.append(sample(rng, lengths).astype(spec.dtype))
        return arrays

    def trace_inputs(self) -> tuple[Tensor, ...]:
        """Return the tensors that the network is traced with."""
        import torch

        return tuple(map(torch.from_numpy, self._example(batch=TRACE_BATCH)))

    def _infer(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the outputs of the network in torch."""
        import torch

        with torch.inference_mode():
            return [output.numpy() for output in self.net(*map(torch.from_numpy, arrays))]

    def _find_outputs(self) -> tuple[TensorSpec, ...]:
        """Return the outputs; their variable axes are those whose lengths differ between two examples."""
        first, other = self.expected
        names = self.source.output_names or tuple(f"output{index}" for index in range(len(first)))
        if len(names) != len(first):
            raise ModelError(
                f"{self.source.name} has {len(first)} outputs, and its card names {len(names)}; correct it"
            )
        return tuple(
            TensorSpec(name, str(a.dtype), tuple(self._output_axes(name, a.shape, b.shape)))
            for name, a, b in zip(names, first, other, strict=True)
        )

    def _output_axes(self, name: str, first: Sequence[int], other: Sequence[int]) -> Iterator[Axis]:
        """Yield the axes of an output with these shapes: fixed, those of an input with the same lengths, or others."""
        known = {axis.examples: axis for spec in self.inputs for axis in spec.axes if axis.size is None}
        names = self.source.output_axes or ("",) * len(first)
        yield BATCH
        for index, lengths in enumerate(zip(first[1:], other[1:], strict=True)):
            if lengths[0] == lengths[1]:
                yield Axis(names[index], lengths[0])
            else:
                yield known.get(lengths, Axis(names[index] or f"{name}_{index + 1}", examples=lengths))


@contextmanager
def converting(network: ExportNetwork, form: str) -> Iterator[None]:
    """Convert a network to a format; tracing warns about what becomes static, which is intended.

    Raises:
        ModelError: instead of the errors of the libraries, which have many types: a part of it has no counterpart.
    """
    import torch

    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    except (RuntimeError, ValueError, TypeError, NotImplementedError, ModelError) as error:
        raise ModelError(
            f"{network.source.name} cannot be written as {form} ({last_line(error)}); choose another format"
        ) from None


def last_line(error: Exception) -> str:
    """Return the last line of a message, which says most of the errors of the libraries."""
    return next(reversed(str(error).strip().splitlines()), type(error).__name__)[:200].strip("- ")
