"""Export to ONNX, with the metadata of the model in ``metadata_props``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinoscope.core.optional import require_extra
from kinoscope.models.exporting.network import ExportNetwork, converting

OPSET = 18
"""Version of the operators: that of ONNX Runtime 1.14 (2023) and later."""


def write_onnx(network: ExportNetwork, files: tuple[Path, ...]) -> None:
    """Write a network to an ONNX file.

    The exporter that traces is used: it needs the package onnx alone, and keeps every axis variable that the network
    does not fix, also in recurrent networks, where the one of ``torch.export`` fails.

    Raises:
        MissingExtra: the package onnx is not installed.
        ModelError: ONNX has no operator for a part of the network.
        OSError: the file cannot be written.
    """
    onnx: Any = require_extra("onnx", "onnx")
    _export(network, files[0])
    model = onnx.load(str(files[0]))
    onnx.helper.set_model_props(model, network.metadata)
    model.doc_string = network.metadata["about"]
    files[0].write_bytes(model.SerializeToString())


def _export(network: ExportNetwork, path: Path) -> None:
    import torch

    with converting(network, "onnx"):
        torch.onnx.export(
            network.net,
            network.trace_inputs(),
            str(path),
            input_names=[spec.name for spec in network.inputs],
            output_names=[spec.name for spec in network.outputs],
            dynamic_axes={spec.name: spec.variable for spec in (*network.inputs, *network.outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
