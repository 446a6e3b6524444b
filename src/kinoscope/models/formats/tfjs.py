"""Reads networks stored for TensorFlow.js, without TensorFlow.

A graph model is a JSON file with the nodes of a TensorFlow graph beside raw buffers of weights: float32, float16 or
int32 as they are, or uint8/uint16 with a scale and a minimum. A layers model comes with a manifest of the same kind.
Each supported node kind is one short function of the table ``OPS`` in ``tfjs_ops``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinoscope.core.errors import ModelError
from kinoscope.core.untrusted import read_json
from kinoscope.models.formats.tfjs_ops import OPS, Value

Node = Mapping[str, Any]


def read_weights(manifest: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, NDArray[Any]]:
    """Read the named arrays of a weights manifest from the buffers in ``folder``."""
    arrays: dict[str, NDArray[Any]] = {}
    for group in manifest:
        data = b"".join((folder / Path(path).name).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            array, size = _read_array(entry, data, offset)
            arrays[entry["name"]] = array
            offset += size
    return arrays


def _read_array(entry: Mapping[str, Any], data: bytes, offset: int) -> tuple[NDArray[Any], int]:
    packing = entry.get("quantization", {})
    stored = np.dtype(packing.get("dtype", entry["dtype"])).newbyteorder("<")
    shape = tuple(entry["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    if offset + count * stored.itemsize > len(data):
        raise ModelError(f"weights of {entry['name']} end after {len(data)} bytes; fetch the model again")
    array = np.frombuffer(data, stored, count, offset).reshape(shape).astype(entry["dtype"])
    if "scale" in packing:
        array = array * np.float32(packing["scale"]) + np.float32(packing["min"])
    return array, count * stored.itemsize


def read_graph(path: Path, wanted: Sequence[str] = ()) -> TfjsGraph:
    """Read a graph model (``model.json`` with its buffers beside it) as a torch module.

    Args:
        path: the JSON file.
        wanted: names of the outputs to give, in that order; all of them, sorted, by default.
    """
    model = read_json(path)
    weights = read_weights(model["weightsManifest"], path.parent)
    # Those converted from a Keras model are called otherwise than the nodes that give them.
    known = {name: info.get("name", name).split(":")[0] for name, info in model["signature"]["outputs"].items()}
    outputs = [known[name] for name in wanted] or sorted(known.values())
    return TfjsGraph(model["modelTopology"]["node"], weights, outputs)


class TfjsGraph(nn.Module):
    """A TensorFlow graph that runs in torch; inputs in the order of its placeholders, outputs in the order given.

    Float weights are parameters, but for lone numbers such as a padding's fill. Whatever hangs on whole-number
    constants alone (shapes, axes, paddings) is worked out once, here. A graph written for batches of one takes any
    batch: a Reshape to (1, ...) keeps the batch.
    """

    def __init__(self, nodes: Sequence[Node], weights: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> None:
        super().__init__()
        self.outputs = list(outputs)
        self.inputs = [node["name"] for node in nodes if node["op"] == "Placeholder"]
        self.fixed: dict[str, Value] = {}
        self.weights = nn.ParameterDict()
        self.keys: dict[str, str] = {}
        order = _topological_order(nodes, self.outputs)
        used = {name for node in order for name, _ in map(_source, node.get("input", []))}
        for name in [name for name in weights if name in used]:
            self._keep(name, weights[name])
        self.steps: list[Node] = []
        self.factors: dict[str, tuple[float, ...]] = {}
        for node in order:
            self._plan(node)

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        if array.dtype == np.float32 and array.ndim:
            self.keys[name] = name.replace(".", "_").replace("/", "_")
            self.weights[self.keys[name]] = nn.Parameter(torch.from_numpy(array.copy()))
        else:
            self.fixed[name] = array

    def _plan(self, node: Node) -> None:
        if node["op"] not in OPS:
            raise ModelError(f"TensorFlow.js node kind {node['op']} is not supported; known: {', '.join(sorted(OPS))}")
        names = [_source(name) for name in node.get("input", [])]
        if names and all(name in self.fixed for name, _ in names):
            self.fixed[node["name"]] = OPS[node["op"]](_attributes(node), *[self.fixed[name] for name, _ in names])
        else:
            self.steps.append(node)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the graph."""
        values = self._known(inputs)
        for node in self.steps:
            values[node["name"]] = self._run(node, values)
        return tuple(values[name] for name in self.outputs)

    def _known(self, inputs: Sequence[Tensor]) -> dict[str, Value]:
        weights = {name: self.weights[key] for name, key in self.keys.items()}
        return dict(self.fixed) | weights | dict(zip(self.inputs, inputs, strict=True))

    def _run(self, node: Node, values: Mapping[str, Value]) -> Value:
        name, attributes = node["name"], _attributes(node)
        if name in self.factors:
            attributes["factors"] = self.factors[name]
        return OPS[node["op"]](attributes, *[_pick(values, source) for source in node.get("input", [])])

    def free(self, *inputs: Tensor) -> TfjsGraph:
        """Let every resize go by the factor that it has on ``inputs``, so that the graph takes other sizes too.

        A graph is written for one size of picture, and its resizes to the numbers that follow from it.
        """
        values = self._known(inputs)
        for node in self.steps:
            values[node["name"]] = self._run(node, values)
            if node["op"].startswith("Resize"):
                before, after = values[_source(node["input"][0])[0]], values[node["name"]]
                lengths = zip(after.shape[1:3], before.shape[1:3], strict=True)
                self.factors[node["name"]] = tuple(int(new) / int(old) for new, old in lengths)
        return self


def _topological_order(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """Give the nodes that the outputs hang on, each after its inputs; weights and inputs are left out."""
    by_name = {node["name"]: node for node in nodes}
    order: dict[str, Node] = {}
    waiting = list(reversed(outputs))
    while waiting:
        node = by_name[waiting[-1]]
        missing = [name for name, _ in map(_source, node.get("input", [])) if name not in order]
        if missing:
            waiting += missing
        else:
            order[waiting.pop()] = node
    return [node for node in order.values() if node["op"] not in ("Const", "Placeholder")]


def _source(name: str) -> tuple[str, int]:
    """Split ``node:2`` into the node and which of its outputs; a leading ``^`` marks a mere ordering."""
    node, _, index = name.lstrip("^").partition(":")
    return node, int(index or 0)


def _pick(values: Mapping[str, Value], name: str) -> Value:
    node, index = _source(name)
    value = values[node]
    return value[index] if isinstance(value, (list, tuple)) else value


def _attributes(node: Node) -> dict[str, Any]:
    """Give a node's attributes as plain numbers, lists and strings."""
    plain: dict[str, Any] = {}
    for name, value in node.get("attr", {}).items():
        if "s" in value:
            plain[name] = _text(value["s"])
        elif "list" in value:
            plain[name] = [_text(s) for s in value["list"].get("s", [])] or [int(i) for i in value["list"].get("i", [])]
        elif "i" in value:
            plain[name] = int(value["i"])
        elif "f" in value or "b" in value:
            plain[name] = value.get("f", value.get("b"))
    return plain


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode()
