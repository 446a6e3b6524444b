"""Run the notebooks of the documentation, and turn them into pages of the site.

    python tools/notebooks.py

Executes docs/notebooks/*.ipynb, each in a folder of its own, and saves them with their outputs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "notebooks"
TIMEOUT_SECONDS = 300


def main() -> int:
    """Execute and save all notebooks."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder))
        for cell in notebook.cells:
            cell.metadata.clear()  # when it was run
        path.write_text(nbformat.writes(notebook) + "\n", "utf-8")  # type: ignore[no-untyped-call]
    return 0


def execute(path: Path, folder: Path) -> Any:
    """Return a notebook with the outputs of its cells.

    Args:
        path: of the notebook.
        folder: in which it is run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises an error.
    """
    from nbclient import NotebookClient

    notebook = _read(path)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=TIMEOUT_SECONDS, kernel_name="python3", resources=resources).execute()


def to_markdown(path: Path) -> str:
    """Return a notebook as Markdown: its text, its code, and the outputs below."""
    notebook = _read(path)
    return "\n\n".join(part for cell in notebook.cells for part in _cell_parts(cell)) + "\n"


def _read(path: Path) -> Any:
    return nbformat.reads(path.read_text("utf-8"), 4)  # type: ignore[no-untyped-call]


def _cell_parts(cell: Any) -> list[str]:
    if cell.cell_type == "markdown":
        return [cell.source]
    return [f"```python\n{cell.source}\n```", *(_output(output) for output in cell.outputs)]


def _output(output: Any) -> str:
    """Return an output as Markdown: an image, a table, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![Figure](data:image/png;base64,{data['image/png'].strip()})"
    text = output.get("text") or data.get("text/plain", "")
    return f"```text\n{text.rstrip()}\n```"


if __name__ == "__main__":
    sys.exit(main())
