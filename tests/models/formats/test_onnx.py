from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import ModelError
from kinoscope.models.formats.onnx import read_convolutions, read_metadata


def varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: np.ndarray, packed: bool = False) -> bytes:
    sizes = field(1, b"".join(map(varint, array.shape))) if packed else b"".join(field(1, n) for n in array.shape)
    kind = {"float32": 1, "int64": 7}[str(array.dtype)]
    return field(5, sizes + field(2, kind) + field(8, name) + field(9, array.tobytes()))


def node(kind: str, *inputs: str) -> bytes:
    return field(1, b"".join(field(1, name) for name in inputs) + field(2, "out") + field(4, kind))


WEIGHT = np.arange(200, dtype=np.float32).reshape(2, 100, 1, 1)
BIAS = np.array([0.5, -0.5], np.float32)
GRAPH = (
    node("Conv", "x", "w2", "b2")
    + node("Relu", "y")
    + node("Conv", "z", "w1")
    + tensor("w1", WEIGHT)
    + tensor("shape", np.array([1, 2], np.int64))
    + tensor("w2", -WEIGHT, packed=True)
    + tensor("b2", BIAS)
    + tensor("empty", np.zeros(0, np.float32))
)
MODEL = field(1, 8) + field(2, "test") + field(7, GRAPH)


def test_weights_come_in_the_order_of_the_nodes(tmp_path: Path):
    (tmp_path / "net.onnx").write_bytes(MODEL)
    found = read_convolutions(tmp_path / "net.onnx")
    for f, wanted in zip(found, (-WEIGHT, BIAS, WEIGHT), strict=True):
        np.testing.assert_array_equal(f.numpy(), wanted)


@pytest.mark.parametrize("data", [b"", b"plain text", MODEL[:-3], field(7, node("Conv", "x", "absent"))])
def test_anything_else_is_named(tmp_path: Path, data: bytes):
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"^net\.onnx is not an ONNX model with float32 convolutions"):
        read_convolutions(tmp_path / "net.onnx")


@pytest.mark.slow
@settings(max_examples=300)
@given(at=st.integers(0, len(MODEL)), junk=st.binary(max_size=6))
def test_damage_ends_in_tensors_or_one_error(tmp_path: Path, at: int, junk: bytes):
    data = bytearray(MODEL)
    data[at : at + len(junk)] = junk
    (tmp_path / "net.onnx").write_bytes(data)
    with suppress(ModelError):
        read_convolutions(tmp_path / "net.onnx")


def test_what_was_written_beside_the_network(tmp_path: Path):
    entries = [field(14, field(1, key) + field(2, value)) for key, value in (("character", "a\nb"), ("made by", "ß"))]
    (tmp_path / "net.onnx").write_bytes(MODEL + b"".join(entries))
    assert read_metadata(tmp_path / "net.onnx") == {"character": "a\nb", "made by": "ß"}
    (tmp_path / "net.onnx").write_bytes(b"\xff" * 9)
    with pytest.raises(ModelError, match=r"net\.onnx is not an ONNX model"):
        read_metadata(tmp_path / "net.onnx")
