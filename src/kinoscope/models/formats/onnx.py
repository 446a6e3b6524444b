"""Reader of weights in ONNX files, without the onnx package.

An ONNX file is a Protocol Buffers message; only the few fields that name weights and the nodes that use them are parsed
(numbers from onnx.proto: ModelProto.graph 7, metadata_props 14; StringStringEntryProto.key 1, value 2; GraphProto.node
1, initializer 5; NodeProto.input 1, op_type 4; TensorProto.dims 1, data_type 2, name 8, raw_data 9).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from kinoscope.core.errors import ModelError

FLOAT_TYPE = 1
"""TensorProto.DataType.FLOAT."""

Field = tuple[int, "int | memoryview"]
"""Field number, and its value: an integer or bytes."""


def read_convolutions(path: Path) -> list[Tensor]:
    """Return the weight and the bias of every convolution in the order of the nodes.

    Raises:
        ModelError: the file is not ONNX, or stores its weights in another form than raw float32.
    """
    try:
        graph = _first(memoryview(path.read_bytes()), 7)
        tensors = dict(_tensor(value) for number, value in _fields(graph) if number == 5)
        nodes = [_node(value) for number, value in _fields(graph) if number == 1]
        return [tensors[name] for kind, inputs in nodes if kind == "Conv" for name in inputs[1:]]
    except (IndexError, KeyError, RuntimeError, StopIteration, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} is not an ONNX model with float32 convolutions ({error!r})") from None


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata entries of the model, by key.

    Raises:
        ModelError: the file is not ONNX.
    """
    try:
        entries = [dict(_fields(value)) for number, value in _fields(memoryview(path.read_bytes())) if number == 14]
        return {_text(entry[1]): _text(entry[2]) for entry in entries}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} is not an ONNX model ({error!r})") from None


def _node(data: int | memoryview) -> tuple[str, list[str]]:
    """Return the operator type of a node and the names of its inputs."""
    fields = list(_fields(data))
    kind = next(_text(value) for number, value in fields if number == 4)
    return kind, [_text(value) for number, value in fields if number == 1]


def _tensor(data: int | memoryview) -> tuple[str, Tensor]:
    """Return the name and the value of an initializer; an empty tensor unless it is float32."""
    fields = list(_fields(data))
    shape = [size for number, value in fields if number == 1 for size in _integers(value)]
    name = next(_text(value) for number, value in fields if number == 8)
    raw = next((bytearray(_bytes(value)) for number, value in fields if number == 9), bytearray())
    if (2, FLOAT_TYPE) not in fields or not raw:  # constants of another type, and empty ones, are not weights
        return name, torch.empty(0)
    return name, torch.frombuffer(raw, dtype=torch.float32).reshape(shape)


def _fields(data: int | memoryview) -> Iterator[Field]:
    """Yield the fields of a message: (number, integer or bytes)."""
    data, position = _bytes(data), 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
        elif kind in (1, 2, 5):
            size, position = _varint(data, position) if kind == 2 else ({1: 8, 5: 4}[kind], position)
            if position + size > len(data):
                raise ValueError("it ends in the middle of a field")
            yield key >> 3, data[position : position + size]
            position += size
        else:
            raise ValueError(f"field of unknown kind {kind}")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read a varint (seven bits a byte, the lowest first) and return it with its end position."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        shift, position = shift + 7, position + 1
        if byte < 128:
            return value, position


def _integers(value: int | memoryview) -> Iterator[int]:
    """Yield the integers of a repeated field, packed or not."""
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        number, position = _varint(value, position)
        yield number


def _first(data: memoryview, field_number: int) -> int | memoryview:
    """Return the first field with that number."""
    return next(value for number, value in _fields(data) if number == field_number)


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("an integer where bytes are expected")
    return value


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")
