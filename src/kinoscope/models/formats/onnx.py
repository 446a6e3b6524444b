"""Reads weights from ONNX files, without the onnx package.

An ONNX file is a Protocol Buffers message; only the few fields that name weights and the nodes that use them are looked
at (numbers from onnx.proto: ModelProto.graph 7, metadata_props 14; StringStringEntryProto.key 1, value 2;
GraphProto.node 1, initializer 5; NodeProto.input 1, op_type 4; TensorProto.dims 1, data_type 2, name 8, raw_data 9).
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


def read_convolutions(path: Path) -> list[Tensor]:
    """Give the weight and the bias of every convolution in the order of the nodes.

    Raises:
        ModelError: the file is not ONNX, or keeps its weights otherwise than as raw float32.
    """
    try:
        graph = _first(memoryview(path.read_bytes()), 7)
        tensors = dict(_tensor(value) for number, value in _fields(graph) if number == 5)
        nodes = [_node(value) for number, value in _fields(graph) if number == 1]
        return [tensors[name] for kind, inputs in nodes if kind == "Conv" for name in inputs[1:]]
    except (IndexError, KeyError, RuntimeError, StopIteration, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} is not an ONNX model with float32 convolutions ({error!r})") from None


def read_metadata(path: Path) -> dict[str, str]:
    """Give what the makers wrote beside the network.

    Raises:
        ModelError: the file is not ONNX.
    """
    try:
        entries = [dict(_fields(value)) for number, value in _fields(memoryview(path.read_bytes())) if number == 14]
        return {_text(entry[1]): _text(entry[2]) for entry in entries}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} is not an ONNX model ({error!r})") from None


def _node(data: int | memoryview) -> tuple[str, list[str]]:
    found = list(_fields(data))
    kind = next(_text(value) for number, value in found if number == 4)
    return kind, [_text(value) for number, value in found if number == 1]


def _tensor(data: int | memoryview) -> tuple[str, Tensor]:
    found = list(_fields(data))
    shape = [size for number, value in found if number == 1 for size in _integers(value)]
    name = next(_text(value) for number, value in found if number == 8)
    raw = next((bytearray(_bytes(value)) for number, value in found if number == 9), bytearray())
    if (2, FLOAT_TYPE) not in found or not raw:  # constants of another kind, and empty ones, are no weights
        return name, torch.empty(0)
    return name, torch.frombuffer(raw, dtype=torch.float32).reshape(shape)


def _fields(data: int | memoryview) -> Iterator[Field]:
    """Walk over the fields of a message: (number, whole number or bytes)."""
    data, at = _bytes(data), 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind in (1, 2, 5):
            size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            if at + size > len(data):
                raise ValueError("it ends in the middle of a field")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"field of unknown kind {kind}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a whole number of seven bits a byte, the lowest first; give it and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def _integers(value: int | memoryview) -> Iterator[int]:
    """Give the numbers of a repeated field, which may be packed into one."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _first(data: memoryview, wanted: int) -> int | memoryview:
    return next(value for number, value in _fields(data) if number == wanted)


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where bytes belong")
    return value


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")
