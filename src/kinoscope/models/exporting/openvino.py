"""Export to OpenVINO's own format, with the metadata of the model in ``rt_info``."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from kinoscope.models.exporting.network import Array, ExportNetwork, converting
from kinoscope.models.runtime.openvino import convert_module
from kinoscope.models.runtime.runner import READ_LOCK

METADATA_SECTION = "kinoscope"
"""Section of ``rt_info``: ``model.get_rt_info(["kinoscope", "licence"])`` reads an entry."""


def write_openvino(network: ExportNetwork, files: tuple[Path, ...]) -> None:
    """Write a network to an XML file and the file of its weights.

    Raises:
        ModelError: OpenVINO does not support an operation of it.
        OSError: a file cannot be written.
    """
    import openvino

    structure, weights = files
    with converting(network, "openvino"):
        model = convert_module(network.net, network.trace_inputs())
    for port, spec in zip((*model.inputs, *model.outputs), (*network.inputs, *network.outputs), strict=True):
        port.get_tensor().set_names({spec.name})
    shapes = [[-1 if length is None else length for length in spec.shape] for spec in network.inputs]
    model.reshape(dict(zip(model.inputs, shapes, strict=True)))
    for key, value in network.metadata.items():
        model.set_rt_info(value, [METADATA_SECTION, key])
    try:
        openvino.save_model(model, structure, compress_to_fp16=False)
    except RuntimeError:  # its stream reports no more than that it failed
        raise OSError(errno.ENOSPC, "the disk is full") from None
    structure.with_suffix(".bin").replace(weights)


def run_openvino(files: tuple[Path, ...], examples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Return the outputs of an OpenVINO model or an ONNX file for each example, computed in float32 on the CPU."""
    import openvino

    core = openvino.Core()
    with READ_LOCK:  # reading changes the locale of the process
        model = core.read_model(*map(str, files))
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    outputs = []
    for arrays in examples:
        results = request.infer(list(arrays))
        outputs.append([results[index].copy() for index in range(len(compiled.outputs))])
    return outputs
