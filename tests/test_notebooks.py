"""The notebooks of the documentation: they run, and are saved with outputs that are small."""

from __future__ import annotations

import json

import pytest

from kinoscope.models import store
from kinoscope.models.registry import find
from tools import notebooks

CARDS = {"analyze": ("transnetv2",), "train_and_explain": ()}
"""Notebook -> cards whose weights it needs."""


def test_every_notebook_is_run():
    assert {path.stem for path in notebooks.FOLDER.glob("*.ipynb")} == set(CARDS)


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.filterwarnings("default")  # those of Jupyter are not ours
@pytest.mark.parametrize("name", CARDS)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # other tests have the other cores: threads would wait for one another
    missing = [card for card in CARDS[name] if store.status(find(card)) != "cached"]
    if missing:
        pytest.skip(f"the weights of {missing[0]} are missing")
    notebook = notebooks.execute(notebooks.FOLDER / f"{name}.ipynb", tmp_path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    if name == "analyze":
        assert cells[3 - 1].outputs[0].text == "0.00 to 1.52 s, begins\n1.52 to 3.00 s, cut\n3.00 to 4.48 s, cut\n"


@pytest.mark.parametrize("name", CARDS)
def test_a_notebook_is_saved_with_small_outputs(name):
    path = notebooks.FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 200_000
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])


def test_a_notebook_becomes_a_page():
    text = notebooks.to_markdown(notebooks.FOLDER / "analyze.ipynb")
    assert text.startswith("# Analyze a video in a notebook\n")
    assert "```text\n0.00 to 1.52 s, begins\n" in text
    assert text.count("```") % 2 == 0
    figure = "![Figure](data:image/png;base64,"
    assert figure in notebooks.to_markdown(notebooks.FOLDER / "train_and_explain.ipynb")
