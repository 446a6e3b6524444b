"""An exported model on the terminal."""

from __future__ import annotations

from kinoscope.results.export import ExportResult
from kinoscope.views.console.render import render


@render.register
def render_export(result: ExportResult) -> None:
    """Print the written files, and each input and output with its axes; of an output also the difference from torch."""
    for path in result.written:
        print(path)
    for spec in result.inputs:
        print(f"  input   {spec}")
    for spec in result.outputs:
        print(f"  output  {spec}; differs from torch by at most {result.differences[spec.name]:.1e}")
