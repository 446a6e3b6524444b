"""The result of ``export``: a model in the format of another runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.models.exporting.network import TensorSpec


@dataclass
class ExportResult(Result):
    """The files of an exported model. ``source`` is its name or folder, ``written`` the files.

    Attributes:
        format: onnx, openvino or torchscript.
        inputs, outputs: their names, data types and axes; an axis without a size accepts any.
        differences: name of each output -> its largest difference from torch, relative where a value exceeds 1.
        metadata: what the file says about the model: key -> text.
    """

    format: str = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    differences: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types for JSON."""
        return {
            "export": self.source,
            "format": self.format,
            "inputs": [spec.to_dict() for spec in self.inputs],
            "outputs": [spec.to_dict() for spec in self.outputs],
            "differences": self.differences,
            "metadata": self.metadata,
            "written": [str(path) for path in self.written],
        }
