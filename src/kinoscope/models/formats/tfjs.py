"""Reader of TensorFlow.js models, without TensorFlow.

A graph model is a JSON file with the nodes of a TensorFlow graph beside raw buffers of weights: float32, float16 or
int32, or uint8/uint16 with a scale and a minimum. A layers model comes with a manifest of the same kind. Each supported
node type is one short function of the table ``OPS`` in ``tfjs_ops``.
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
    """Return one array of a buffer, dequantized, and its size in bytes."""
    quantization = entry.get("quantization", {})
    stored = np.dtype(quantization.get("dtype", entry["dtype"])).newbyteorder("<")
    shape = tuple(entry["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    if offset + count * stored.itemsize > len(data):
        raise ModelError(f"weights of {entry['name']} end after {len(data)} bytes; fetch the model again")
    array = np.frombuffer(data, stored, count, offset).reshape(shape).astype(entry["dtype"])
    if "scale" in quantization:
        array = array * np.float32(quantization["scale"]) + np.float32(quantization["min"])
    return array, count * stored.itemsize


def read_graph(path: Path, output_names: Sequence[str] = ()) -> TfjsGraph:
    """Read a graph model (``model.json`` with its buffers beside it) as a torch module.

    Args:
        path: the JSON file.
        output_names: names of the outputs to return, in that order; all of them, sorted, by default.
    """
    model = read_json(path)
    weights = read_weights(model["weightsManifest"], path.parent)
    # Outputs of a converted Keras model have other names than the nodes that compute them.
    node_names = {name: info.get("name", name).split(":")[0] for name, info in model["signature"]["outputs"].items()}
    outputs = [node_names[name] for name in output_names] or sorted(node_names.values())
    return TfjsGraph(model["modelTopology"]["node"], weights, outputs)


class TfjsGraph(nn.Module):
    """A TensorFlow graph that runs in torch; inputs in the order of its placeholders, outputs in the order given.

    Float weights are parameters, except scalars such as a padding's fill. Nodes that depend on integer constants alone
    (shapes, axes, paddings) are evaluated once, in the constructor. A graph written for a batch size of one takes any
    batch: a Reshape to (1, ...) keeps the batch.
    """

    def __init__(self, nodes: Sequence[Node], weights: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> None:
        super().__init__()
        self.outputs = list(outputs)
        self.inputs = [node["name"] for node in nodes if node["op"] == "Placeholder"]
        self.fixed: dict[str, Value] = {}
        self.weights = nn.ParameterDict()
        self.keys: dict[str, str] = {}
        sorted_nodes = _topological_order(nodes, self.outputs)
        used = {name for node in sorted_nodes for name, _ in map(_source, node.get("input", []))}
        for name in [name for name in weights if name in used]:
            self._keep(name, weights[name])
        self.steps: list[Node] = []
        self.factors: dict[str, tuple[float, ...]] = {}
        for node in sorted_nodes:
            self._plan(node)

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        """Store a weight as a parameter, or as a constant if it is an integer or a scalar."""
        if array.dtype == np.float32 and array.ndim:
            self.keys[name] = name.replace(".", "_").replace("/", "_")
            self.weights[self.keys[name]] = nn.Parameter(torch.from_numpy(array.copy()))
        else:
            self.fixed[name] = array

    def _plan(self, node: Node) -> None:
        """Evaluate a node whose inputs are all constant; schedule the others."""
        if node["op"] not in OPS:
            raise ModelError(
                f"TensorFlow.js node type {node['op']} is not supported; supported: {', '.join(sorted(OPS))}"
            )
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

    def scale_resizes(self, *inputs: Tensor) -> TfjsGraph:
        """Make every resize scale by the factor that it has on ``inputs``, so that the graph takes other sizes too;
        return self.

        A graph is written for one input size, and its resizes for the fixed output sizes that follow from it.
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
    """Return the nodes that the outputs depend on, each after its inputs, without weights and placeholders."""
    by_name = {node["name"]: node for node in nodes}
    sorted_nodes: dict[str, Node] = {}
    waiting = list(reversed(outputs))
    while waiting:
        node = by_name[waiting[-1]]
        missing = [name for name, _ in map(_source, node.get("input", [])) if name not in sorted_nodes]
        if missing:
            waiting += missing
        else:
            sorted_nodes[waiting.pop()] = node
    return [node for node in sorted_nodes.values() if node["op"] not in ("Const", "Placeholder")]


def _source(name: str) -> tuple[str, int]:
    """Split ``node:2`` into the node name and the index of its output; a leading ``^`` marks a control dependency."""
    node, _, index = name.lstrip("^").partition(":")
    return node, int(index or 0)


def _pick(values: Mapping[str, Value], name: str) -> Value:
    """Return the value of ``node:index``."""
    node, index = _source(name)
    value = values[node]
    return value[index] if isinstance(value, (list, tuple)) else value


def _attributes(node: Node) -> dict[str, Any]:
    """Return a node's attributes as plain numbers, lists and strings."""
    attributes: dict[str, Any] = {}
    for name, value in node.get("attr", {}).items():
        if "s" in value:
            attributes[name] = _text(value["s"])
        elif "list" in value:
            attributes[name] = [_text(s) for s in value["list"].get("s", [])] or [
                int(i) for i in value["list"].get("i", [])
            ]
        elif "i" in value:
            attributes[name] = int(value["i"])
        elif "f" in value or "b" in value:
            attributes[name] = value.get("f", value.get("b"))
    return attributes


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode()
