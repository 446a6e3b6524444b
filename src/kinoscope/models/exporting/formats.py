"""The table of the formats that networks are exported to. A new one is a file beside this and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.core.plugins import lazy
from kinoscope.core.validation import require_known
from kinoscope.models.exporting.network import Array, ExportNetwork

Write = Callable[[ExportNetwork, tuple[Path, ...]], None]
Run = Callable[[tuple[Path, ...], Sequence[Sequence[Array]]], list[list[Array]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """One entry of the table.

    Attributes:
        name: as ``--format`` takes it.
        suffixes: of its files: the first is that of the output path, the others are written beside it.
        write: writes a network to the files.
        run: runs the files on the CPU, and returns the outputs for each example.
        requires: package and extra that it needs; None for none.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Write
    run: Run
    requires: tuple[str, str] | None = None

    def files(self, target: Path) -> tuple[Path, ...]:
        """Return the files of an export to a path.

        Raises:
            OptionError: the path has another suffix.
        """
        first = self.suffixes[0]
        if target.suffix.lower() != first:
            raise OptionError(
                f"{target} does not end in {first}, the suffix of {self.name}; give a path such as model{first}"
            )
        return (target, *(target.with_suffix(suffix) for suffix in self.suffixes[1:]))


FORMATS: dict[str, ExportFormat] = {
    row.name: row
    for row in (
        ExportFormat(
            name="onnx",
            suffixes=(".onnx",),
            write=lazy("models.exporting.onnx:write_onnx"),
            run=lazy("models.exporting.openvino:run_openvino"),
            requires=("onnx", "onnx"),
        ),
        ExportFormat(
            name="openvino",
            suffixes=(".xml", ".bin"),
            write=lazy("models.exporting.openvino:write_openvino"),
            run=lazy("models.exporting.openvino:run_openvino"),
        ),
        ExportFormat(
            name="torchscript",
            suffixes=(".pt",),
            write=lazy("models.exporting.torchscript:write_torchscript"),
            run=lazy("models.exporting.torchscript:run_torchscript"),
        ),
    )
}


def find_format(name: str) -> ExportFormat:
    """Return the format of that name.

    Raises:
        OptionError: there is none; the message suggests the nearest name.
    """
    return FORMATS[require_known(name, FORMATS, "format")]
