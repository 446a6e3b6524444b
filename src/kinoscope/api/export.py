"""``kinoscope export``: a model in the format of another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kinoscope.api.deprecations import accept_old_names
from kinoscope.results.export import ExportResult


@accept_old_names
def export(
    model: str | Path, *, format: Literal["onnx", "openvino", "torchscript"], out: str | Path, overwrite: bool = False
) -> ExportResult:
    """Export a model for ONNX Runtime, OpenVINO or torch.jit.

    The network takes the same input as here: uint8 RGB frames with the channels last, since it includes its own
    scaling. The batch is of any size, and so are height, width and time where the network allows it; the result lists
    all axes. Labels, preprocessing, axes, licence and version are in the metadata of the file: ``metadata_props`` of
    ONNX, ``rt_info`` of OpenVINO, and the extra file kinoscope.json of TorchScript.

    Before it gets its name, the file is run and compared with the network in torch: if an output differs by more than
    the tolerance of its card, nothing is written.

    Args:
        model: a card (see ``kinoscope models list``), ``hf:organisation/name`` on the hub, the folder of a trained
            classifier, generator, frame predictor or sync model, or a bundled generator, people or shapes.
        format: onnx (needs the extra onnx), openvino (an .xml file and a .bin file beside it) or torchscript.
        out: file to write (-o): it ends in .onnx, .xml or .pt.
        overwrite: replace an earlier export of another model.

    Returns:
        The written files, the inputs and outputs with their axes, and the differences from torch.

    Raises:
        OptionError: there is no such model or format, or the file has another suffix.
        ModelError: the model cannot be exported, or its outputs differ.
        WeightsMissing: its weights are not available.
        MissingExtra: the package onnx is not installed.
        OutputError: the file cannot be written, or another one has its name.
    """
    from kinoscope.pipeline.model_export import export_model

    return export_model(model, format, out, overwrite)
