"""Plots of training and evaluation: that they are drawn, of what, and that a missing matplotlib is named."""

import sys
from typing import Any

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import MissingExtra, OutputError
from kinoscope.core.metrics.classification import reliability_bins as bins
from kinoscope.views.plots.training import _panels, confusion_matrix, curves, reliability


@pytest.fixture
def drawn():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def shades(path):
    """Return the number of shades in an image: a blank one has one."""
    return np.count_nonzero(np.bincount(cv2.imread(str(path))[..., 1].ravel()))


def test_measures_of_train_and_val_share_a_panel():
    log: list[dict[str, Any]] = [
        {"epoch": 1, "train_loss": 2, "val/loss": 3, "rate": 0.1, "note": "x", "saved": True},
        {"epoch": 2, "train_loss": 1, "val/loss": 2.5, "rate": 0.2},
    ]
    assert _panels(log) == {
        "loss": {"train": [(1, 2), (2, 1)], "val": [(1, 3), (2, 2.5)]},
        "rate": {"train": [(1, 0.1), (2, 0.2)]},
    }
    assert _panels([{"loss": 2.0}, {"loss": 1.0}]) == {"loss": {"train": [(1, 2), (2, 1)]}}


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [0, 1, 30])
def test_curves_of_any_length_are_drawn(drawn, tmp_path, epochs):
    log = [{"epoch": e, "train_loss": 1 / (e + 1), "val_loss": 2 / (e + 1), "val_top1": 0.5} for e in range(epochs)]
    curves(log, tmp_path / "curves.png")
    assert (shades(tmp_path / "curves.png") > 2) == (epochs > 0)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 2, 31])
def test_confusion_of_few_and_many_classes_is_drawn(drawn, tmp_path, classes):
    names = ["a name that is far too long to stand beside a picture", *map(str, range(classes - 1))]
    confusion_matrix(np.eye(classes, dtype=int) * 3, names, tmp_path / "confusion.png")
    assert shades(tmp_path / "confusion.png") > 10


def test_the_darkest_cells_are_the_frequent_ones(drawn, tmp_path):
    confusion_matrix([[9, 1], [0, 0]], ["a", "b"], tmp_path / "confusion.png")
    picture = cv2.imread(str(tmp_path / "confusion.png"))[..., 1]
    dark = np.argwhere(picture < 60)
    assert len(dark) > 1000


def test_reliability_is_drawn_alone_and_beside_another(drawn, tmp_path):
    rows = bins([0.2, 0.7, 0.9], [0, 1, 1])
    reliability(rows, tmp_path / "one.png")
    reliability(rows, tmp_path / "two.png", bins([], []))
    one, two = (cv2.imread(str(tmp_path / name)).shape for name in ("one.png", "two.png"))
    assert two[1] > 1.5 * one[1]


def test_a_missing_matplotlib_is_named(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"matplotlib is not installed; run: pip install 'kinoscope\[train\]'"):
        curves([{"loss": 1}], tmp_path / "curves.png")


def test_a_path_that_cannot_be_written_is_reported(drawn, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        curves([], tmp_path / "file" / "curves.png")
