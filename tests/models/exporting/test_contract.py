"""What every card and every trainable classifier must keep: it is exported, or says why not."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinoscope.core.errors import KinoscopeError, WeightsMissing
from kinoscope.core.sampling import Sampling
from kinoscope.models import CARDS, Card, status
from kinoscope.models.formats.trained_model import TrainedModel, save_trained_model
from kinoscope.models.trainable.classifiers import NETWORKS, Network
from kinoscope.pipeline.model_export import export_model, find_source
from kinoscope.results.export import ExportResult

pytestmark = pytest.mark.slow

PORTABLE = ["mtcnn-pnet", "minilm", "lips-points", "shapes"]
"""Models that are exported to each format; they have all kinds of inputs."""


def export(name: str | Path, form: str, target: Path) -> ExportResult:
    try:
        return export_model(name, form, target)
    except WeightsMissing as error:
        pytest.skip(str(error))


@pytest.mark.models
@pytest.mark.parametrize("card", [card for card in CARDS if card.net], ids=lambda card: card.name)
def test_a_card_is_exported(card: Card, tmp_path: Path) -> None:
    if status(card) != "cached":
        pytest.skip(f"weights of {card.name} are not cached")
    result = export(card.name, "openvino", tmp_path / "m.xml")
    assert result.inputs[0].shape == (None, *card.axes)
    assert [spec.name for spec in result.outputs] == list(card.output_names)
    assert max(result.differences.values()) <= card.tolerance
    assert json.loads(result.metadata.get("labels", "[]")) == list(card.labels)
    assert result.metadata["licence"] == card.licence


@pytest.mark.parametrize("card", [card for card in CARDS if not card.net], ids=lambda card: card.name)
def test_a_card_of_another_library_says_why_not(card: Card) -> None:
    with pytest.raises(
        KinoscopeError, match=f"{card.name} cannot be exported: another library runs its files"
    ) as error:
        find_source(card.name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("row", [row for row in NETWORKS if not row.name.startswith("keras")], ids=lambda row: row.name)
def test_a_trained_classifier_is_exported(row: Network, tmp_path: Path) -> None:
    """The clips are small: the graph does not depend on their size."""
    torch.manual_seed(0)
    options = {"glimpse": 32} if row.name == "motion" else {}
    trained = TrainedModel(
        task="classify", network=row.name, classes=("run", "walk"), sampling=Sampling(4, 8, (80, 64)), options=options
    )
    save_trained_model(tmp_path / "model", trained.build({}), trained)
    result = export_model(tmp_path / "model", "openvino", tmp_path / "m.xml")
    assert result.inputs[0].shape == (None, 4, 64, 80, 3)
    assert result.outputs[1].shape == (None, 2)


@pytest.mark.models
@pytest.mark.parametrize("name", PORTABLE)
def test_onnx_runtime_agrees(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the extra onnx")
    runtime = pytest.importorskip("onnxruntime")
    result = export(name, "onnx", tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"))
    assert [port.name for port in session.get_inputs()] == [spec.name for spec in result.inputs]
    compare(
        name, lambda arrays: session.run(None, {spec.name: a for spec, a in zip(result.inputs, arrays, strict=True)})
    )


@pytest.mark.models
@pytest.mark.parametrize("name", PORTABLE)
def test_torchscript_agrees(name: str, tmp_path: Path) -> None:
    export(name, "torchscript", tmp_path / "m.pt")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the age of torch.jit
        net: Any = torch.jit.load(str(tmp_path / "m.pt"))
        compare(name, lambda arrays: [output.numpy() for output in net(*map(torch.from_numpy, arrays))])


def compare(name: str, run: Any) -> None:
    """Compare the outputs of a file with those of torch for batches of five and of one."""
    source = find_source(name)
    net, rng = source.build(), np.random.default_rng(7)
    for batch in (5, 1):
        shapes = [[batch, *(axis.size or axis.examples[1] for axis in spec.axes[1:])] for spec, _ in source.inputs]
        arrays = [
            sample(rng, shape).astype(spec.dtype) for (spec, sample), shape in zip(source.inputs, shapes, strict=True)
        ]
        with torch.inference_mode():
            wanted = net(*map(torch.from_numpy, arrays))
        for found, one in zip(run(arrays), [wanted] if isinstance(wanted, torch.Tensor) else wanted, strict=True):
            np.testing.assert_allclose(found, one.numpy(), rtol=source.tolerance, atol=source.tolerance)
