"""Export to TorchScript, with the metadata of the model in the extra file ``kinoscope.json``."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.models.exporting.network import Array, ExportNetwork, converting

METADATA_ENTRY = "kinoscope.json"
"""Name of the extra file: ``torch.jit.load(path, _extra_files={"kinoscope.json": ""})`` reads it."""


def write_torchscript(network: ExportNetwork, files: tuple[Path, ...]) -> None:
    """Write a traced network to a file of ``torch.jit``.

    It is serialized in memory first: torch ends the process where it cannot write all of a file.

    Raises:
        ModelError: a part of the network cannot be traced.
        OSError: the file cannot be written.
    """
    import torch

    buffer = io.BytesIO()
    with converting(network, "torchscript"):
        traced: Any = torch.jit.trace(network.net, network.trace_inputs(), check_trace=False)  # type: ignore[no-untyped-call]
        extra = {METADATA_ENTRY: json.dumps(network.metadata)}
        torch.jit.save(traced, buffer, _extra_files=extra)
    files[0].write_bytes(buffer.getbuffer())


def run_torchscript(files: tuple[Path, ...], examples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Return the outputs of a file for each example."""
    import torch

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the age of torch.jit
        net: Any = torch.jit.load(str(files[0]), map_location="cpu")  # type: ignore[no-untyped-call]
        return [[output.numpy() for output in net(*map(torch.from_numpy, arrays))] for arrays in examples]
