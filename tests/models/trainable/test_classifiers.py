"""What every row of the table of networks must keep; a new row is tested by being there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinoscope.core.errors import OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.models import find
from kinoscope.models.formats.trained_model import TrainedModel, load_net, save_trained_model
from kinoscope.models.runtime.runner import make_runner
from kinoscope.models.trainable.classifiers import NETWORKS, ClipNet, Network, build_network, find_network

pytestmark = pytest.mark.slow

SMALL = Sampling(frames=6, rate=8, size=(80, 64))
"""Small clips; a network takes any size that its strides allow."""

MAKEABLE = [row for row in NETWORKS if "backbone" not in row.options]
"""Networks that need no file of the user's."""

each = pytest.mark.parametrize("row", MAKEABLE, ids=lambda row: row.name)


def clips(count: int, seed: int = 0) -> Tensor:
    """Return clips in which something moves."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, SMALL.frames, SMALL.size[1], SMALL.size[0], 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def made(row: Network, classes: int = 5) -> nn.Module:
    """Build a network whose batch norms have seen something, so that what they do shows."""
    torch.manual_seed(0)
    net = build_network(row.name, classes).train()
    with torch.no_grad():
        net(clips(4, seed=1))
    return net.eval()


@contextmanager
def calls(modules: list[nn.Module]) -> Iterator[list[tuple[int, Tensor]]]:
    """Note which of the modules is called, in turn, and what it returns."""
    seen: list[tuple[int, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, place=place: seen.append((place, output)))
        for place, module in enumerate(modules)
    ]
    yield seen
    for hook in hooks:
        hook.remove()


@each
def test_embedding_and_logits_have_their_shapes(row: Network) -> None:
    with torch.no_grad():
        embedding, logits = made(row)(clips(2))
    assert (embedding.ndim, len(embedding), logits.shape) == (2, 2, (2, 5))
    assert embedding.dtype == logits.dtype == torch.float32
    assert torch.isfinite(embedding).all()
    assert not torch.equal(embedding[0], embedding[1])


@each
def test_bytes_and_floats_yield_the_same(row: Network) -> None:
    net, pixels = made(row), clips(1)
    with torch.no_grad():
        torch.testing.assert_close(net(pixels), net(pixels.float()))


@each
def test_a_clip_alone_yields_the_same_as_in_a_batch(row: Network) -> None:
    net, pixels = made(row), clips(3)
    with torch.no_grad():
        alone, among = net(pixels[1:2]), net(pixels)
    for one, all_ in zip(alone, among, strict=True):
        torch.testing.assert_close(one[0], all_[1], rtol=1e-3, atol=1e-4)


@each
def test_a_gradient_reaches_every_parameter(row: Network) -> None:
    net = build_network(row.name, 5).train()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim < 2 and not parameter.any():
                parameter.fill_(0.5)  # a residual branch that starts at zero passes no gradient back
    outputs = net(clips(2))
    sum((output * torch.rand(output.shape)).sum() for output in outputs).backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()] == []
    weights = {name: gradient for name, gradient in gradients.items() if gradient is not None and gradient.ndim > 1}
    assert [name for name, gradient in weights.items() if not gradient.any()] == []


@each
def test_the_maps_have_height_and_width(row: Network) -> None:
    net = made(row)
    with torch.no_grad(), calls([cast(nn.Module, net.maps)]) as seen:
        net(clips(2))
    ((_, maps),) = seen
    # A map of each frame, or of each difference of frames, where the CNN is a 2-D one.
    assert (maps.ndim, len(maps)) in {(5, 2), (4, 2 * SMALL.frames), (4, 2 * (SMALL.frames - 1))}
    assert all(2 <= length <= side for length, side in zip(maps.shape[-2:], SMALL.size[::-1], strict=True))


@each
def test_the_trunk_begins_at_the_input(row: Network) -> None:
    net = made(row)
    stages = cast(ClipNet, net).trunk()
    assert len({id(stage) for stage in stages}) == len(stages) > 1
    with torch.no_grad(), calls(stages) as seen:
        net(clips(1))
    places = [place for place, _ in seen]  # a stage may be gone through part by part, and then is not called itself
    assert places[0] == 0
    assert places == sorted(places)


@each
def test_no_tensor_is_kept_twice(row: Network) -> None:
    places = [tensor.data_ptr() for tensor in build_network(row.name, 5).state_dict().values() if tensor.numel()]
    assert len(set(places)) == len(places)


@each
@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_what_is_saved_runs_as_it_was(row: Network, half: bool, tmp_path: Path, cache: Path) -> None:
    net, pixels = made(row), clips(2)
    trained = TrainedModel(task="classify", network=row.name, classes=tuple("abcde"), sampling=SMALL)
    save_trained_model(tmp_path / "model", net, trained, half)
    again, known = load_net(tmp_path / "model")
    assert known == trained
    with torch.no_grad():
        wanted, loaded = net(pixels), again(pixels)
    for one, other in zip(wanted, loaded, strict=True):
        tolerance = 0.05 * float(one.abs().max()) if half else 0
        torch.testing.assert_close(other, one, rtol=0, atol=tolerance)
    if half:  # only how exact the weights are differs
        return
    runner = make_runner(find(str(tmp_path / "model")), "cpu", "fp32")
    for one, other in zip(loaded, runner(pixels.numpy()), strict=True):
        np.testing.assert_allclose(other, one.numpy(), rtol=2e-3, atol=2e-3 * max(1, float(one.abs().max())))


@pytest.mark.parametrize("row", [row for row in MAKEABLE if row.parameters], ids=lambda row: row.name)
def test_it_is_as_large_as_in_its_paper(row: Network) -> None:
    classes = 600 if row.name.startswith("movinet") else 400
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build_network(row.name, classes).parameters())
    assert count / 1e6 == pytest.approx(row.parameters, rel=0.02)


@each
def test_a_row_can_be_used(row: Network) -> None:
    assert find_network(row.name) is row
    assert (row.start is None) == (row.load is None)
    assert row.start is None or find(row.start).net is not None
    with pytest.raises(OptionError, match="frames"):
        replace(row.sampling, frames=0)


def test_what_is_not_there_is_reported() -> None:
    with pytest.raises(OptionError, match=r"no network is called 'cnn-gro'; did you mean cnn-gru\? known: cnn-gru, "):
        find_network("cnn-gro")
    with pytest.raises(OptionError, match="network cnn-gru has no option depth; it has: rnn, bidirectional, hidden"):
        build_network("cnn-gru", 2, {"depth": 3})
    with pytest.raises(OptionError, match="hidden is 'wide'; choose a value such as 128"):
        build_network("cnn-gru", 2, {"hidden": "wide"})
