"""What every row of the table of models must keep; a new row is tested by being there."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from kinoscope.core.errors import OptionError, WeightsMissing
from kinoscope.models import CARDS, SAMPLES, Card, Runner, cards_for_task, fetch, find, load
from kinoscope.models.download import SOURCE_KINDS
from kinoscope.models.runtime.openvino import build_torch_module

pytestmark = [pytest.mark.slow, pytest.mark.models]

PERMISSIVE = {"MIT", "Apache-2.0", "BSD-3-Clause", "CC0-1.0"}
RUN = [card for card in CARDS if card.net]
ANY = 61
"""Length of an axis that may have any."""


def each(cards):
    return pytest.mark.parametrize("card", cards, ids=lambda card: card.name)


def had(card: Card) -> Card:
    try:
        fetch(card)
    except WeightsMissing as error:
        pytest.skip(str(error))
    return card


def noise(card: Card, count: int) -> np.ndarray:
    shape = (count, *(ANY if length is None else length for length in card.input))
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8).astype(card.dtype)


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def test_names_are_unique_and_lead_to_their_card():
    names = [card.name for card in (*CARDS, *SAMPLES)]
    assert len(set(names)) == len(names)
    assert all(find(card.name) is card for card in CARDS)
    with pytest.raises(OptionError, match="no model is called yolo; known: transnetv2, "):
        find("yolo")
    with pytest.raises(OptionError, match="runs/x1 is no folder; give that of a trained model, or a card of"):
        find("runs/x1")


def test_the_best_card_of_a_task_comes_first():
    assert [card.name for card in cards_for_task("objects")] == ["yolox-nano", "nanodet"]
    assert cards_for_task("nothing") == []


@each([*CARDS, *SAMPLES])
def test_what_a_row_says_can_be_used(card):
    assert card.licence in PERMISSIVE
    assert card.about
    assert card.files
    for file in card.files:
        assert re.fullmatch(r"[\w.-]+", file.name)
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    for source in card.sources:
        kind, _, place = source.partition(":")
        assert kind in SOURCE_KINDS
        assert kind in ("url", "package") or re.fullmatch(r"[^#]+(==|@)[^#@]+#?[^#]*", place)


@each(RUN)
def test_a_class_has_a_name(card):
    assert not card.labels or len(card.labels) == card.outputs[-1][-1]
    assert all(label == label.strip() and label for label in card.labels)


@each(CARDS)
def test_the_files_are_the_pinned_ones(card):
    found = fetch(had(card))
    assert set(found) == {file.name for file in card.files}
    for file in card.files:
        assert hashlib.sha256(found[file.name].read_bytes()).hexdigest() == file.sha256


@each(RUN)
def test_the_runner_agrees_with_torch_for_one_and_for_several(card):
    runner, reference = load(had(card).name, device="cpu", precision="fp32"), load(card.name, device="torch")
    assert (runner.runtime, reference.runtime) == ("openvino-fp32", "torch-fp32")
    several = noise(card, 3)
    found, wanted = runner(several), reference(several)
    assert len(found) == len(card.outputs)
    for f, w, axes in zip(found, wanted, card.outputs, strict=True):
        assert f.dtype == np.float32
        assert f.shape == (3, *(length or f.shape[1 + i] for i, length in enumerate(axes)))
        close(f, w, card.tolerance)
    for f, o in zip(found, runner(several[:1]), strict=True):
        assert o.shape == (1, *f.shape[1:])
        close(o[0], f[0], card.tolerance)


@each([card for card in RUN if card.stride])
def test_an_image_of_another_shape_is_accepted(card):
    """A wide image yields as many cells as it has, and the same answers as torch."""
    runner, reference = load(had(card).name, device="cpu", precision="fp32"), load(card.name, device="torch")
    wide = noise(card, 1)[:, : 2 * card.stride, : 3 * card.stride]
    cells = sum((2 * card.stride // s) * (3 * card.stride // s) for s in (8, 16, 32))
    for f, w in zip(runner(wide), reference(wide), strict=True):
        assert f.shape[1] == cells
        close(f, w, card.tolerance)
    with pytest.raises(ValueError, match=rf"{card.name} takes uint8 \(N, a multiple of 32, a multiple of 32, 3\)"):
        runner(wide[:, 1:])


@each(RUN)
def test_no_item_and_other_shapes(card):
    runner = Runner(card, "none", lambda array: pytest.fail("nothing to infer"))
    assert [len(output) for output in runner(noise(card, 0))] == [0] * len(card.outputs)
    with pytest.raises(ValueError, match=rf"{card.name} takes {card.dtype} \(N, .*\), not float64"):
        runner(noise(card, 1).astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"{card.name} takes {card.dtype} \(N, .*\), not {card.dtype}"):
        runner(noise(card, 1)[..., :-1])


@each(RUN)
def test_every_parameter_is_used(card):
    """A gradient reaches each parameter. Batch norms run in inference mode; their statistics are no parameters."""
    net = build_torch_module(had(card))
    generator = torch.Generator().manual_seed(0)
    pixels = noise(card, 1)
    if pixels.ndim == 5:
        pixels = pixels[:, :4]  # a few frames of a clip reach the same parameters
    outputs = net(torch.from_numpy(pixels))
    sum((output * torch.rand(output.shape, generator=generator)).sum() for output in outputs).backward()
    unused = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert unused == []


def test_reading_the_table_loads_neither_torch_nor_openvino():
    script = (
        "import sys, kinoscope.models as m; m.find('nanodet').labels; print({'torch', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_converted_network_runs_without_torch():
    load(had(find("mtcnn-rnet")).name)
    script = (
        "import sys, numpy, kinoscope.models as m; "
        "m.load('mtcnn-rnet')(numpy.zeros((2, 24, 24, 3), numpy.uint8)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@each(CARDS)
def test_names_of_outputs_are_given_for_all_or_none(card: Card) -> None:
    assert len(card.output_names) in (0, len(card.outputs))
    assert len(set(card.output_names)) == len(card.output_names)
