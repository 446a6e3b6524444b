from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError
from kinoscope.models.exporting.network import BATCH, Axis, ExportNetwork, ExportSource, TensorSpec
from kinoscope.models.exporting.samples import sample_pixels, sample_values


class Halves(nn.Module):
    """Images (N, H, W, 3) -> every second row of their mean shade, and the mean colour."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels.float().mean(3)[:, ::2], pixels.float().mean((1, 2))


def source(build=Halves, **fields) -> ExportSource:
    axes = (BATCH, Axis("height", None, 4, (8, 12)), Axis("width", examples=(6, 10)), Axis("channels", 3))
    inputs = ((TensorSpec("pixels", "uint8", axes), sample_pixels),)
    return ExportSource(name="halves", build=build, inputs=inputs, metadata={"about": "a toy"}, **fields)


def test_axes_of_outputs_are_found_by_two_examples():
    network = ExportNetwork(source(output_names=("rows", "colour")))
    assert [[array.shape for array in example] for example in network.examples] == [[(1, 8, 6, 3)], [(3, 12, 10, 3)]]
    assert list(map(str, network.outputs)) == [
        "rows float32 (batch any, rows_1 any, width any)", "colour float32 (batch any, 3)"
    ]  # fmt: skip
    assert str(network.inputs[0]) == "pixels uint8 (batch any, height a multiple of 4, width any, channels 3)"
    assert network.outputs[0].variable == {0: "batch", 1: "rows_1", 2: "width"}
    assert [tensor.shape for tensor in network.trace_inputs()] == [(2, 8, 6, 3)]


def test_metadata_has_the_axes():
    network = ExportNetwork(source())
    assert json.loads(network.metadata["inputs"])[0]["axes"][1] == {"name": "height", "size": None, "multiple": 4}
    assert json.loads(network.metadata["outputs"])[1] == {
        "name": "output1",
        "dtype": "float32",
        "axes": [{"name": "batch", "size": None, "multiple": 1}, {"name": None, "size": 3, "multiple": 1}],
    }


def test_a_network_with_one_output_returns_a_tuple_without_gradients():
    network = ExportNetwork(source(build=lambda: nn.Sequential(nn.Flatten(2), ToFloat64())))
    (output,) = network.net(*network.trace_inputs())
    assert (output.dtype, output.requires_grad) == (torch.float32, False)


class ToFloat64(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.double()


def test_names_for_other_outputs_are_refused():
    with pytest.raises(ModelError, match="halves has 2 outputs, and its card names 1; correct it"):
        ExportNetwork(source(output_names=("rows",)))


def test_pixels_are_smooth_and_cover_the_shades():
    pixels = sample_pixels(np.random.default_rng(0), (2, 32, 48, 3))
    steps = np.abs(np.diff(pixels.astype(int), axis=2)).mean()
    assert (pixels.dtype, pixels.shape) == (np.uint8, (2, 32, 48, 3))
    assert steps < 40 < np.ptp(pixels)
    assert sample_values(np.random.default_rng(0), (2, 3)).dtype == np.float32
