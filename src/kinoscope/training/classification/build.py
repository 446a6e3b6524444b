"""Networks ready to be trained: built from options, and filled with the weights that they start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError, OptionError, WeightsMissing
from kinoscope.models.formats.trained_model import TrainedModel, load_net
from kinoscope.models.trainable.classifiers import Network, build_network, find_network
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.data.dataset import Dataset
from kinoscope.training.optim import PEAK_LEARNING_RATES

DEFAULT_UNFREEZE = 0.25
"""Default share of the backbone that is trained, when starting from trained weights."""
DEFAULT_TRUNK_LR = 0.1
"""Default learning rate of the backbone, as a share of lr, when starting from trained weights."""


def resolve(options: ClassificationOptions, dataset: Dataset) -> ClassificationOptions:
    """Return options in which everything is decided, so that they alone describe, and can repeat, a run.

    Raises:
        OptionError: the options do not fit the network or the data.
    """
    network = find_network(options.net)
    sampling = options.sampling(network.sampling)
    starts = options.start != "none" and not (options.start == "auto" and network.start is None)
    loss = options.loss if options.loss != "auto" else "binary" if dataset.multilabel else "cross-entropy"
    if dataset.multilabel and loss != "binary":
        raise OptionError(
            f"loss={loss} needs clips of one class each, and {dataset.root} is multi-label; set loss=binary"
        )
    defaults: dict[str, Any] = {
        "frames": sampling.frames, "rate": sampling.rate, "size": sampling.size, "loss": loss,
        "start": options.start if starts else "none",
        "unfreeze": DEFAULT_UNFREEZE if starts else 1.0,
        "freeze_norms": starts,
        "lr": PEAK_LEARNING_RATES[options.optimizer],
        "trunk_lr": DEFAULT_TRUNK_LR if starts else 1.0,
    }  # fmt: skip
    chosen = {name: value for name, value in defaults.items() if getattr(options, name) in (None, "auto")}
    return replace(options, **chosen, net_options=dict(network.options) | dict(options.net_options))


def describe_model(options: ClassificationOptions, dataset: Dataset) -> TrainedModel:
    """Return the metadata for ``model.json``, in which the files of the network are named without folders."""
    files = {name: Path(str(value)) for name, value in options.net_options.items() if _is_file(value)}
    names = {name: path.name for name, path in files.items()}
    return TrainedModel(
        task="classify",
        network=options.net,
        options=dict(options.net_options) | names,
        classes=dataset.classes,
        sampling=options.sampling(find_network(options.net).sampling),
        multilabel=dataset.multilabel,
        data=Path(dataset.root).resolve().name,
        files=tuple(dict.fromkeys(names.values())),
    )


def own_files(options: ClassificationOptions) -> list[Path]:
    """Return the files that the network is built from, such as a Keras backbone."""
    return [Path(str(value)) for value in options.net_options.values() if _is_file(value)]


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and Path(value).is_file()


def build(options: ClassificationOptions, classes: tuple[str, ...]) -> nn.Module:
    """Build the network that resolved options name, with the weights that it starts from.

    Raises:
        OptionError: the network has no such option.
        ModelError: the weights cannot be fetched, or are of another network.
    """
    torch.manual_seed(options.seed)
    net = build_network(options.net, len(classes), options.net_options)
    if options.start == "auto":
        _fill_from_card(net, find_network(options.net))
    elif options.start != "none":
        _fill_from_run(net, Path(options.start), options, classes)
    return net


def _fill_from_card(net: nn.Module, network: Network) -> None:
    from kinoscope.models.registry import find
    from kinoscope.models.store import fetch

    if network.load is None or network.start is None:
        return
    try:
        network.load(net, fetch(find(network.start)))
    except WeightsMissing as error:
        raise WeightsMissing(f"{error}; or train from random weights with start=none") from None


def _fill_from_run(net: nn.Module, folder: Path, options: ClassificationOptions, classes: tuple[str, ...]) -> None:
    """Load the weights of a trained model; those of a head for other classes are initialized randomly."""
    theirs, trained = load_net(folder)
    if trained.task != "classify":
        raise ModelError(f"start={folder} is a model for {trained.task}, not classify; give one of this task")
    if trained.network != options.net:
        raise ModelError(f"start={folder} is a {trained.network}, not a {options.net}; set net={trained.network}")
    state = theirs.state_dict()
    if trained.classes != classes:
        head = _head_tensors(options, len(classes))
        state = {name: tensor for name, tensor in state.items() if name not in head}
    _fill(net, state, folder)


def _fill(net: nn.Module, state: Mapping[str, Tensor], folder: Path) -> None:
    own = net.state_dict()
    wrong = [name for name, tensor in state.items() if name not in own or own[name].shape != tensor.shape]
    if wrong:
        raise ModelError(f"start={folder} was built with other options of the network ({wrong[0]} differs)")
    net.load_state_dict(state, strict=False)


def _head_tensors(options: ClassificationOptions, classes: int) -> set[str]:
    """Return the names of the tensors whose shape depends on the number of classes."""
    rng_state = torch.get_rng_state()
    states = [build_network(options.net, count, options.net_options).state_dict() for count in (classes, classes + 1)]
    torch.set_rng_state(rng_state)
    return {name for name, tensor in states[0].items() if tensor.shape != states[1][name].shape}


def embedding_length(net: nn.Module, options: ClassificationOptions) -> int:
    """Return the length of the network's embedding, and check that it accepts such clips.

    Raises:
        OptionError: it does not.
    """
    frames, (width, height) = options.frames or 1, options.size or (1, 1)
    pixels = torch.zeros(1, frames, height, width, 3, dtype=torch.uint8)
    training = net.training
    try:
        with torch.inference_mode():
            return int(net.eval()(pixels.to(next(net.parameters()).device))[0].shape[1])
    except RuntimeError as error:
        reason = (str(error).splitlines() or ["too small"])[0]
        shape = f"{frames} frames of {width}x{height}"
        raise OptionError(f"{options.net} cannot take {shape} ({reason}); give other frames or a larger size") from None
    finally:
        net.train(training)


def to_channels_last(net: nn.Module) -> nn.Module:
    """Convert the kernels of 2-D convolutions to channels last, the layout of frames, in which convolutions are
    fastest.
    """
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net
