"""Each node type on small graphs with answers worked out by hand."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError
from kinoscope.models.formats.tfjs import TfjsGraph, read_graph, read_weights
from kinoscope.models.formats.tfjs_ops import OPS


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, str):
        return {"s": text(value)}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": value}
    if isinstance(value[0], str):
        return {"list": {"s": [text(v) for v in value]}}
    return {"list": {"i": [str(v) for v in value]}}


def node(op: str, name: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {
        "op": op,
        "name": name,
        "input": list(inputs),
        "attr": {key: attribute(value) for key, value in attributes.items()},
    }


def run(op: str, x: Any, *constants: Any, **attributes: Any) -> np.ndarray:
    """Run a graph of one node whose first input is given and whose others are stored in the graph."""
    names = [f"c{i}" for i in range(len(constants))]
    stored = {name: np.asarray(value) for name, value in zip(names, constants, strict=True)}
    stored = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in stored.items()}
    nodes = [
        node("Placeholder", "x"),
        *(node("Const", name) for name in names),
        node(op, "y", "x", *names, **attributes),
    ]
    (y,) = TfjsGraph(nodes, stored, ["y"])(torch.tensor(x, dtype=torch.float32))
    return y.detach().numpy()


def image(rows: list[list[float]]) -> list[Any]:
    """Return an image of one channel as (1, H, W, 1)."""
    return [[[[v] for v in row] for row in rows]]


SQUARE = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
SAME = {"padding": "SAME", "strides": [1, 2, 2, 1]}
VALID = {"padding": "VALID", "strides": [1, 1, 1, 1]}
ONES = np.ones((2, 2, 1, 1), np.float32)

CASES: list[tuple[str, Any, tuple[Any, ...], dict[str, Any], Any]] = [
    ("Add", [1, 2], ([10.0, 20.0],), {}, [11, 22]),
    ("AddV2", [1, 2], (np.float32(3),), {}, [4, 5]),
    ("Sub", [1, 2], ([3.0, 5.0],), {}, [-2, -3]),
    ("Mul", [1, 2], ([3.0, 5.0],), {}, [3, 10]),
    ("RealDiv", [1, 2], ([4.0, 8.0],), {}, [0.25, 0.25]),
    ("BiasAdd", [[1, 2]], ([3.0, 5.0],), {}, [[4, 7]]),
    ("Relu", [-1, 2], (), {}, [0, 2]),
    ("Relu6", [-1, 2, 7], (), {}, [0, 2, 6]),
    ("Elu", [0, 2], (), {}, [0, 2]),
    ("LeakyRelu", [-10, 2], (), {"alpha": 0.1}, [-1, 2]),
    ("Prelu", [[-10, -10, 2]], ([0.1, 0.5, 0.5],), {}, [[-1, -5, 2]]),
    ("Sigmoid", [0], (), {}, [0.5]),
    ("Tanh", [0], (), {}, [0]),
    ("Softmax", [[1, 1], [5, 5]], (), {}, [[0.5, 0.5], [0.5, 0.5]]),
    ("Identity", [3], (), {}, [3]),
    ("Mean", SQUARE, (np.array([1, 2], np.int32),), {}, [[5]]),
    ("Mean", SQUARE, (np.array([1, 2], np.int32),), {"keep_dims": True}, [[[[5]]]]),
    ("MatMul", [[1, 2]], ([[1.0, 2.0], [3.0, 4.0]],), {}, [[7, 10]]),
    ("MatMul", [[1, 2]], ([[1.0, 2.0], [3.0, 4.0]],), {"transpose_b": True}, [[5, 11]]),
    ("Conv2D", SQUARE, (ONES,), VALID, image([[12, 16], [24, 28]])),
    ("Conv2D", SQUARE, (ONES,), SAME, image([[12, 9], [15, 9]])),
    ("Conv2D", SQUARE, (ONES,), VALID | {"dilations": [1, 2, 2, 1]}, image([[20]])),
    ("DepthwiseConv2dNative", [[[[1, 10]]]], ([[[[2.0, 3.0], [4.0, 5.0]]]],), VALID, [[[[2, 3, 40, 50]]]]),
    ("MaxPool", SQUARE, (), SAME | {"ksize": [1, 2, 2, 1]}, image([[5, 6], [8, 9]])),
    ("MaxPool", SQUARE, (), VALID | {"ksize": [1, 3, 3, 1]}, image([[9]])),
    ("AvgPool", SQUARE, (), SAME | {"ksize": [1, 2, 2, 1]}, image([[3, 4.5], [7.5, 9]])),
    ("Pad", [[1, 2]], (np.array([[1, 0], [0, 2]], np.int32),), {}, [[0, 0, 0, 0], [1, 2, 0, 0]]),
    ("PadV2", [[1]], (np.array([[0, 0], [1, 0]], np.int32), np.float32(-7)), {}, [[-7, 1]]),
    ("Reshape", [[1, 2, 3, 4]], (np.array([1, 2, -1], np.int32),), {}, [[[1, 2], [3, 4]]]),
    ("Reshape", [[1, 2], [3, 4]], (np.array([-1], np.int32),), {}, [1, 2, 3, 4]),
    ("Transpose", [[1, 2], [3, 4]], (np.array([1, 0], np.int32),), {}, [[1, 3], [2, 4]]),
    ("Squeeze", [[[1, 2]]], (), {"squeeze_dims": [0]}, [[1, 2]]),
    ("ConcatV2", [[1]], ([[2.0]], np.int32(1)), {}, [[1, 2]]),
    ("SplitV", [[1, 2, 3]], (np.array([2, 1], np.int32), np.int32(1)), {}, None),
    ("SparseToDense", None, (), {}, None),
    (
        "ResizeBilinear",
        image([[0, 4]]),
        (np.array([1, 4], np.int32),),
        {"half_pixel_centers": True},
        image([[0, 1, 3, 4]]),
    ),
    ("ResizeBilinear", image([[0, 3]]), (np.array([1, 4], np.int32),), {"align_corners": True}, image([[0, 1, 2, 3]])),
    ("ResizeNearestNeighbor", image([[0, 4]]), (np.array([1, 4], np.int32),), {}, image([[0, 0, 4, 4]])),
    ("_FusedConv2D", SQUARE, (ONES, [-20.0]), VALID | {"fused_ops": ["BiasAdd", "Relu"]}, image([[0, 0], [4, 8]])),
    ("_FusedMatMul", [[1, 2]], ([[1.0], [1.0]], [1.0]), {"fused_ops": ["BiasAdd"]}, [[4]]),
    (
        "FusedDepthwiseConv2dNative",
        [[[[1, 10]]]],
        ([[[[2.0], [-3.0]]]], [0.0, 1.0], [0.5, 0.1]),
        VALID | {"fused_ops": ["BiasAdd", "Prelu"]},
        [[[[2, -2.9]]]],
    ),
]
ELSEWHERE = {"SplitV", "SparseToDense"}


@pytest.mark.parametrize(
    ("op", "x", "constants", "attributes", "wanted"),
    [case for case in CASES if case[0] not in ELSEWHERE],
    ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES) if case[0] not in ELSEWHERE],
)
def test_a_node_kind_returns_the_known_answer(op, x, constants, attributes, wanted):
    np.testing.assert_allclose(run(op, x, *constants, **attributes), np.array(wanted, np.float32), rtol=1e-6)


def test_every_node_kind_has_a_known_answer():
    assert {case[0] for case in CASES} == set(OPS)


def test_a_split_returns_its_parts_by_number():
    nodes = [
        node("Placeholder", "x"),
        node("Const", "sizes"),
        node("Const", "axis"),
        node("SplitV", "parts", "x", "sizes", "axis"),
        node("Sub", "y", "parts:1", "parts"),
    ]
    graph = TfjsGraph(nodes, {"sizes": np.array([1, 1], np.int32), "axis": np.array(1, np.int32)}, ["y"])
    (y,) = graph(torch.tensor([[1.0, 5.0]]))
    assert y.tolist() == [[4.0]]


def test_shapes_are_worked_out_once_and_a_batch_of_one_takes_any():
    """The shape of the Reshape is the sum of [1, 2, -1] and a dense vector of three noughts made of nothing."""
    stored = {
        "places": np.zeros((0, 1), np.int32),
        "length": np.array([3], np.int32),
        "values": np.zeros(0, np.int32),
        "nought": np.int32(0),
        "shape": np.array([1, 2, -1], np.int32),
    }
    nodes = [
        node("Placeholder", "x"),
        *(node("Const", name) for name in stored),
        node("SparseToDense", "dense", "places", "length", "values", "nought"),
        node("AddV2", "sum", "shape", "dense"),
        node("Reshape", "y", "x", "sum"),
    ]
    graph = TfjsGraph(nodes, {name: np.asarray(value) for name, value in stored.items()}, ["y"])
    assert [step["op"] for step in graph.steps] == ["Reshape"]
    (y,) = graph(torch.arange(12.0).reshape(3, 4))
    assert y.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]]


def test_weights_are_unpacked(tmp_path: Path):
    entries = [
        {"name": "plain", "shape": [2], "dtype": "float32"},
        {"name": "half", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {
            "name": "bytes",
            "shape": [1, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
        },
        {"name": "whole", "shape": [], "dtype": "int32"},
    ]
    data = [np.array([1, 2], "<f4"), np.array([0.5, -3], "<f2"), np.array([0, 4], "u1"), np.array(7, "<i4")]
    joined = b"".join(part.tobytes() for part in data)
    (tmp_path / "one.bin").write_bytes(joined[:9])
    (tmp_path / "two.bin").write_bytes(joined[9:])
    found = read_weights([{"paths": ["one.bin", "two.bin"], "weights": entries}], tmp_path)
    assert {name: array.tolist() for name, array in found.items()} == {
        "plain": [1, 2],
        "half": [0.5, -3],
        "bytes": [[-1, 1]],
        "whole": 7,
    }
    assert [str(array.dtype) for array in found.values()] == ["float32", "float32", "float32", "int32"]
    (tmp_path / "two.bin").write_bytes(joined[9:-1])
    with pytest.raises(ModelError, match="weights of whole end after 17 bytes; fetch the model again"):
        read_weights([{"paths": ["one.bin", "two.bin"], "weights": entries}], tmp_path)


def test_a_model_is_read_from_its_files(tmp_path: Path):
    (tmp_path / "net.bin").write_bytes(np.array([2, 3], "<f4").tobytes())
    model = {
        "modelTopology": {"node": [node("Mul", "y", "w", "x"), node("Placeholder", "x"), node("Const", "w")]},
        "signature": {"outputs": {"y:0": {}}},
        "weightsManifest": [{"paths": ["net.bin"], "weights": [{"name": "w", "shape": [2], "dtype": "float32"}]}],
    }
    (tmp_path / "net.json").write_text(json.dumps(model))
    graph = read_graph(tmp_path / "net.json")
    assert [parameter.tolist() for parameter in graph.parameters()] == [[2, 3]]
    assert graph(torch.tensor([5.0, 7.0]))[0].tolist() == [10, 21]


def test_a_graph_that_was_freed_takes_other_sizes():
    nodes = [node("Placeholder", "x"), node("Const", "size"), node("ResizeNearestNeighbor", "y", "x", "size")]
    graph = TfjsGraph(nodes, {"size": np.array([1, 4], np.int32)}, ["y"]).scale_resizes(torch.zeros(1, 1, 2, 1))
    (y,) = graph(torch.tensor(image([[1, 2, 3], [4, 5, 6]]), dtype=torch.float32))
    assert y[0, :, :, 0].tolist() == [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]]


def test_an_unknown_node_kind_is_named():
    with pytest.raises(ModelError, match=r"TensorFlow\.js node type Magic is not supported; supported: Add, AddV2, "):
        TfjsGraph([node("Placeholder", "x"), node("Magic", "y", "x")], {}, ["y"])


def test_an_old_method_of_resizing_is_refused():
    with pytest.raises(ModelError, match="ResizeBilinear without half_pixel_centers or align_corners"):
        run("ResizeBilinear", image([[0, 4]]), np.array([1, 4], np.int32))
